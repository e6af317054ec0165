//! The JSON of a configuration: keys and the types of their values. An error has the line and the
//! column, and never quotes a value, because that may be a reflector's key.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::address::reflector::Reflector;
use crate::aws::route53::ZoneId;
use crate::aws::sns::TopicArn;
use crate::child::CommandLine;
use crate::cidr::Cidr;
use crate::error::SetupError;
use crate::notify::heartbeat::OnFailure;
use crate::record::wanted::Suffix;
use crate::record::{DnsName, RecordType, Ttl};
use crate::transport::url::SecretUrl;

/// Every key, in the order in which the README has them.
pub const KEYS: &[&str] = &[
    "hosted_zone_id",
    "dns_name",
    "topic_arn",
    "alert_lock",
    "reflect_url",
    "record_types",
    "ttl",
    "allow_non_public",
    "notify_recovery",
    "notify_change",
    "expected_networks",
    "require_confirmation",
    "address_command",
    "ipv6_interface",
    "ipv6_hosts",
    "change_command",
    "heartbeat_url",
    "heartbeat_fail",
];

/// The key by which editors find the schema (`schema/autodns.schema.json`). autodns ignores it.
const SCHEMA: &str = "$schema";

/// The parsed values of all keys. They are not yet compared with each other.
#[derive(Default)]
pub struct Raw {
    pub zone: Option<ZoneId>,
    pub names: Option<Vec<DnsName>>,
    pub topic: Option<TopicArn>,
    pub lock: Option<PathBuf>,
    pub reflectors: Option<Vec<Reflector>>,
    pub record_types: Option<Vec<RecordType>>,
    pub ttl: Option<Ttl>,
    pub allow_non_public: Option<bool>,
    pub notify_recovery: Option<bool>,
    pub notify_change: Option<bool>,
    pub expected_networks: Option<Vec<Cidr>>,
    pub require_confirmation: Option<bool>,
    pub address_command: Option<CommandLine>,
    pub ipv6_interface: Option<String>,
    pub ipv6_hosts: Vec<(DnsName, Suffix)>,
    pub change_command: Option<CommandLine>,
    pub heartbeat_url: Option<SecretUrl>,
    pub heartbeat_fail: OnFailure,
}

impl Raw {
    /// Parses the whole text. The error begins with the line and the column.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        if text.trim_ascii().is_empty() {
            return Err("line 1, column 1: the file is empty; expected a JSON object".into());
        }
        let Entries(entries) = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        let mut raw = Self::default();
        let mut seen: Vec<&str> = Vec::with_capacity(KEYS.len());
        for (key, value) in entries {
            let at_value = |error: SetupError| error.about(&place(text, value.get()));
            let Some(&known) = KEYS.iter().chain([&SCHEMA]).find(|&&known| known == key) else {
                return Err(at_value(unknown_key(&key)));
            };
            if seen.contains(&known) {
                return Err(at_value(format!("\"{known}\" is there twice").into()));
            }
            seen.push(known);
            let about_key = |error: SetupError| at_value(error.after(&format!("\"{known}\" ")));
            if known == "ipv6_hosts" {
                raw.ipv6_hosts = hosts(value.get()).map_err(about_key)?;
                continue;
            }
            let parsed = serde_json::from_str(value.get())
                .map_err(|error| at_value(without_place(&error).into()))?;
            raw.set(known, parsed).map_err(about_key)?;
        }
        Ok(raw)
    }

    /// Sets one key. The error is a phrase about the value that follows the key.
    fn set(&mut self, key: &str, value: Value) -> Result<(), SetupError> {
        match key {
            "hosted_zone_id" => {
                let zone = ZoneId::parse(&string(value)?);
                self.zone = Some(
                    zone.ok_or("must be the id of a hosted zone: up to 32 letters and digits")?,
                );
            }
            "dns_name" => {
                let mut names = Vec::new();
                for name in one_or_more(&value)? {
                    let name = DnsName::from_config(name)?;
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                self.names = Some(names);
            }
            "topic_arn" => self.topic = Some(TopicArn::parse(&string(value)?)?),
            "alert_lock" => {
                let path = PathBuf::from(string(value)?);
                // A file name cannot contain a NUL: an alert could not create that file.
                path.file_name()
                    .filter(|_| !path.as_os_str().as_encoded_bytes().contains(&0))
                    .ok_or("must be the path of a file")?;
                self.lock = Some(path);
            }
            "reflect_url" => {
                let urls = one_or_more(&value)?.into_iter();
                self.reflectors = Some(urls.map(Reflector::parse).collect::<Result<_, _>>()?);
            }
            "expected_networks" => {
                let networks = strings(&value).ok_or("must be a list of strings")?.into_iter();
                self.expected_networks = Some(networks.map(Cidr::parse).collect::<Result<_, _>>()?);
            }
            "address_command" => self.address_command = Some(command(value)?),
            "ipv6_interface" => {
                let name = string(value)?;
                let possible = (1..=15).contains(&name.len())
                    && !name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
                    && !matches!(name.as_str(), "." | "..");
                if !possible {
                    return Err("must be the name of a network interface, as in eth0".into());
                }
                self.ipv6_interface = Some(name);
            }
            "record_types" => self.record_types = Some(record_types(&value)?),
            "ttl" => {
                self.ttl = Some(value.as_u64().and_then(Ttl::new).ok_or_else(|| {
                    format!("must be a whole number of seconds from 1 to {}", Ttl::MAX)
                })?);
            }
            "require_confirmation" => self.require_confirmation = Some(boolean(&value)?),
            "allow_non_public" => self.allow_non_public = Some(boolean(&value)?),
            "change_command" => self.change_command = Some(command(value)?),
            "heartbeat_url" => {
                self.heartbeat_url = Some(SecretUrl::parse_heartbeat(&string(value)?)?);
            }
            "heartbeat_fail" => self.heartbeat_fail = on_failure(&value)?,
            "notify_recovery" => self.notify_recovery = Some(boolean(&value)?),
            "notify_change" => self.notify_change = Some(boolean(&value)?),
            SCHEMA => drop(string(value)?),
            _ => return Err("has no meaning yet".into()),
        }
        Ok(())
    }
}

/// The names and suffixes of `ipv6_hosts`, each name once.
fn hosts(text: &str) -> Result<Vec<(DnsName, Suffix)>, SetupError> {
    const SHAPE: &str = "must be an object of names and suffixes, as in \
                         {\"nas.example.com\": \"::211:32ff:fe12:3456\"}";
    let Entries(entries) = serde_json::from_str(text).map_err(|_| SHAPE)?;
    let mut hosts: Vec<(DnsName, Suffix)> = Vec::new();
    for (name, suffix) in entries {
        let name = DnsName::from_config(&name).map_err(|error| error.after("has a name that "))?;
        let suffix = serde_json::from_str::<String>(suffix.get()).map_err(|_| SHAPE)?;
        let suffix = Suffix::parse(&suffix)
            .map_err(|error| format!("has a suffix for {name} that {error}"))?;
        if hosts.iter().any(|(other, _)| *other == name) {
            return Err(format!("has {name} twice").into());
        }
        hosts.push((name, suffix));
    }
    Ok(hosts)
}

/// The error of a text that is not a JSON object, with its place.
fn syntax(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column().max(1));
    format!("line {line}, column {column}: {}", without_place(error))
}

fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => "the file ends too early: a }, a ] or a \" is missing".into(),
        Category::Data => "expected a JSON object".into(),
        Category::Syntax | Category::Io => {
            format!("this is not JSON: {}", message.trim_end_matches(&place))
        }
    }
}

/// The line and column where `part`, a slice of `text`, begins.
fn place(text: &str, part: &str) -> String {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let before = text.get(..offset).unwrap_or(text);
    let line = before.split('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |row| row.chars().count());
    format!("line {line}, column {column}")
}

/// The members of an object, in order. The values are not parsed yet.
struct Entries<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

fn unknown_key(key: &str) -> SetupError {
    let shown: String = key.chars().take(40).filter(|c| !c.is_control()).collect();
    // Most typing errors are in case and separators.
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    // Only the first 40 characters: comparing a key as long as a file would be slow.
    let written = plain(&shown);
    let nearness = |known: &&str| {
        let known = plain(known);
        if written.len() > 2 && known.starts_with(&written) {
            0
        } else {
            distance(&written, &known)
        }
    };
    let unknown = SetupError::new(format!("unknown key \"{shown}\""));
    let nearest = KEYS.iter().map(|known| (nearness(known), known)).min();
    match nearest {
        Some((distance, known)) if 2 * distance < written.chars().count() => {
            unknown.advise(format!("did you mean \"{known}\"?"))
        }
        _ => unknown.advise(format!("the keys are {}", KEYS.join(", "))),
    }
}

/// The number of characters to insert, delete or replace to turn `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        row[0] = left;
        for (cell, &to) in row[1..].iter_mut().zip(&b) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row[b.len()]
}

fn string(value: Value) -> Result<String, String> {
    if let Value::String(text) = value { Ok(text) } else { Err("must be a string".into()) }
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".into())
}

fn command(value: Value) -> Result<CommandLine, SetupError> {
    CommandLine::parse(&string(value)?).map_err(|error| error.about("cannot be used"))
}

/// What a failed run sends to the heartbeat: `true`, `false` or a URL.
fn on_failure(value: &Value) -> Result<OnFailure, String> {
    match value {
        Value::Bool(true) => Ok(OnFailure::Fail),
        Value::Bool(false) => Ok(OnFailure::Nothing),
        Value::String(url) => SecretUrl::parse_heartbeat(url).map(OnFailure::Url),
        _ => Err("must be true, false or a URL".into()),
    }
}

/// A list of strings.
fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// One string, or a list of at least one.
fn one_or_more(value: &Value) -> Result<Vec<&str>, String> {
    let strings = value.as_str().map_or_else(|| strings(value), |text| Some(vec![text]));
    strings
        .filter(|strings| !strings.is_empty())
        .ok_or_else(|| "must be a string or a list of strings".into())
}

fn record_types(value: &Value) -> Result<Vec<RecordType>, String> {
    let types: Option<Vec<_>> =
        strings(value).and_then(|names| names.into_iter().map(RecordType::parse).collect());
    types
        .filter(|types| !types.is_empty())
        .ok_or_else(|| "must be a list of \"A\" and \"AAAA\"".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_key_suggests_the_nearest_one() {
        for (key, nearest) in [
            ("DNS_NAME", Some("dns_name")),
            ("dnsname", Some("dns_name")),
            ("topic", Some("topic_arn")),
            ("zone_id", None),
            ("hosted_zone", Some("hosted_zone_id")),
            ("reflect_ulr", Some("reflect_url")),
            ("notify_recoverry", Some("notify_recovery")),
            ("", None),
            ("ü", None),
            ("colour", None),
        ] {
            let expected = nearest.map(|known| format!("; did you mean \"{known}\"?"));
            let message = unknown_key(key).to_string();
            assert_eq!(
                message.split_once("; did").map(|(_, rest)| format!("; did{rest}")),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn distance_counts_edits() {
        for (a, b, expected) in
            [("", "", 0), ("ttl", "ttl", 0), ("tll", "ttl", 1), ("", "abc", 3), ("abcd", "b", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
