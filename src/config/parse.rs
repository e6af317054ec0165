//! Parses the text of autodns.json into a [`Config`]. An error has the place in the text, or the
//! key that is missing.

use std::path::PathBuf;

use serde_json::Value;

use super::json::{Members, SCHEMA, boolean, one_or_more, string, strings, strings_by_name, value};
use super::{Alerts, Config};
use crate::address::Sources;
use crate::address::reflector;
use crate::aws::route53::ZoneId;
use crate::aws::sns::TopicArn;
use crate::child::CommandLine;
use crate::cidr::Cidr;
use crate::error::SetupError;
use crate::notify::heartbeat::{Heartbeat, OnFailure};
use crate::record::wanted::{Suffix, WantedRecord};
use crate::record::{DnsName, RecordType, Ttl};
use crate::transport::url::SecretUrl;

impl Config {
    /// Parses the text of a configuration. Skips a byte order mark. The error is the place (line
    /// and column, or the key) and what was expected there.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let members = Members::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        members.get(SCHEMA, string)?;
        let zone = members.get("hosted_zone_id", zone)?.ok_or_else(|| missing("hosted_zone_id"))?;
        let names = members.get("dns_name", names)?.ok_or_else(|| missing("dns_name"))?;
        let types = members.get("record_types", record_types)?;
        let hosts = members.get("ipv6_hosts", hosts)?.unwrap_or_default();
        let types = types.unwrap_or_else(|| vec![RecordType::A]);
        let records = WantedRecord::all(&names, &types, hosts)?;
        let sources = sources(&members)?;
        let families = records.iter().map(|record| record.key.record_type.family());
        if !sources.can_confirm(families) {
            return Err("\"require_confirmation\" needs reflectors on two different hosts in \
                        \"reflect_url\", or one beside \"address_command\""
                .into());
        }
        Ok(Self {
            zone,
            records,
            ttl: members.get("ttl", ttl)?,
            alerts: alerts(&members)?,
            sources,
            change_command: members.get("change_command", command)?,
            heartbeat: heartbeat(&members)?,
        })
    }
}

fn missing(key: &str) -> String {
    format!("the key \"{key}\" is missing")
}

fn sources(members: &Members<'_>) -> Result<Sources, SetupError> {
    let command = members.get("address_command", command)?;
    let reflectors = match members.get("reflect_url", reflectors)? {
        Some(reflectors) => reflectors,
        None if command.is_some() => Vec::new(),
        None => reflector::DEFAULTS.into_iter().map(SecretUrl::parse).collect::<Result<_, _>>()?,
    };
    Ok(Sources {
        command,
        reflectors,
        ipv6_interface: members.get("ipv6_interface", interface)?,
        expected_networks: members.get("expected_networks", networks)?.unwrap_or_default(),
        allow_non_public: members.get("allow_non_public", boolean)?.unwrap_or(false),
        require_confirmation: members.get("require_confirmation", boolean)?.unwrap_or(false),
    })
}

fn alerts(members: &Members<'_>) -> Result<Option<Alerts>, SetupError> {
    let topic = members.get("topic_arn", |json| TopicArn::parse(&string(json)?))?;
    let lock = members.get("alert_lock", lock)?;
    let notify_recovery = members.get("notify_recovery", boolean)?.unwrap_or(true);
    let notify_change = members.get("notify_change", boolean)?.unwrap_or(false);
    if notify_change && topic.is_none() {
        return Err(format!("{}, which notify_change needs", missing("topic_arn")).into());
    }
    Ok(topic.map(|topic| Alerts { topic, lock, notify_recovery, notify_change }))
}

fn heartbeat(members: &Members<'_>) -> Result<Option<Heartbeat>, SetupError> {
    let url = members.get("heartbeat_url", url)?;
    let on_failure = members.get("heartbeat_fail", on_failure)?.unwrap_or_default();
    match (url, on_failure) {
        (Some(url), on_failure) => Ok(Some(Heartbeat { url, on_failure })),
        (None, OnFailure::Url(_)) => {
            let missing = missing("heartbeat_url");
            Err(format!("{missing}, which a URL in heartbeat_fail needs").into())
        }
        (None, _) => Ok(None),
    }
}

fn zone(json: &str) -> Result<ZoneId, SetupError> {
    ZoneId::parse(&string(json)?)
        .ok_or_else(|| "must be the id of a hosted zone: up to 32 letters and digits".into())
}

/// The names, each once.
fn names(json: &str) -> Result<Vec<DnsName>, SetupError> {
    let mut names = Vec::new();
    for name in one_or_more(json)? {
        let name = DnsName::from_config(&name)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn record_types(json: &str) -> Result<Vec<RecordType>, SetupError> {
    const SHAPE: &str = "must be a list of \"A\" and \"AAAA\"";
    let types: Option<Vec<_>> =
        strings(json, SHAPE)?.iter().map(|name| RecordType::parse(name)).collect();
    types.filter(|types| !types.is_empty()).ok_or_else(|| SHAPE.into())
}

/// The names and suffixes of other hosts, each name once.
fn hosts(json: &str) -> Result<Vec<(DnsName, Suffix)>, SetupError> {
    let shape = "must be an object of names and suffixes, as in \
                 {\"nas.example.com\": \"::211:32ff:fe12:3456\"}";
    let mut hosts: Vec<(DnsName, Suffix)> = Vec::new();
    for (name, suffix) in strings_by_name(json, shape)? {
        let name =
            DnsName::from_config(&name).map_err(|error| error.prefixed("has a name that "))?;
        let suffix = Suffix::parse(&suffix)
            .map_err(|error| format!("has a suffix for {name} that {error}"))?;
        if hosts.iter().any(|(other, _)| *other == name) {
            return Err(format!("has {name} twice").into());
        }
        hosts.push((name, suffix));
    }
    Ok(hosts)
}

fn ttl(json: &str) -> Result<Ttl, SetupError> {
    let expected = format!("must be a whole number of seconds from 1 to {}", Ttl::MAX);
    value(json)?.as_u64().and_then(Ttl::new).ok_or_else(|| expected.into())
}

fn lock(json: &str) -> Result<PathBuf, SetupError> {
    let path = PathBuf::from(string(json)?);
    // A file name cannot contain a NUL: an alert could not create that file.
    let is_possible =
        path.file_name().is_some() && !path.as_os_str().as_encoded_bytes().contains(&0);
    if is_possible { Ok(path) } else { Err("must be the path of a file".into()) }
}

fn reflectors(json: &str) -> Result<Vec<SecretUrl>, SetupError> {
    Ok(one_or_more(json)?.iter().map(|url| SecretUrl::parse(url)).collect::<Result<_, _>>()?)
}

fn networks(json: &str) -> Result<Vec<Cidr>, SetupError> {
    let networks = strings(json, "must be a list of strings")?;
    Ok(networks.iter().map(|network| Cidr::parse(network)).collect::<Result<_, _>>()?)
}

fn interface(json: &str) -> Result<String, SetupError> {
    let name = string(json)?;
    let is_possible = (1..=15).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
        && !matches!(name.as_str(), "." | "..");
    if is_possible {
        Ok(name)
    } else {
        Err("must be the name of a network interface, as in eth0".into())
    }
}

fn command(json: &str) -> Result<CommandLine, SetupError> {
    CommandLine::parse(&string(json)?).map_err(|error| error.about("cannot be used"))
}

fn url(json: &str) -> Result<SecretUrl, SetupError> {
    Ok(SecretUrl::parse_heartbeat(&string(json)?)?)
}

/// What a failed run sends to the heartbeat: `true`, `false` or a URL.
fn on_failure(json: &str) -> Result<OnFailure, SetupError> {
    match value(json)? {
        Value::Bool(true) => Ok(OnFailure::Fail),
        Value::Bool(false) => Ok(OnFailure::Nothing),
        Value::String(_) => url(json).map(OnFailure::Url),
        _ => Err("must be true, false or a URL".into()),
    }
}
