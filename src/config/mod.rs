//! A configuration, and the file that it is read from. `parse` makes a [`Config`], which holds only
//! valid values. Takes no lock and sends nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::address::Sources;
use crate::aws::route53::ZoneId;
use crate::aws::sns::TopicArn;
use crate::child::CommandLine;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::{read_regular, utf8};
use crate::notify::heartbeat::Heartbeat;
use crate::notify::lock::AlertLock;
use crate::notify::owner::Owner;
use crate::paste;
use crate::record::wanted::WantedRecord;
use crate::record::{DnsName, Family, RecordKey, Ttl};
use crate::secrets::Secrets;
use crate::transport::url::SecretUrl;

mod json;
mod parse;
pub mod place;

pub use json::KEYS;

/// The most bytes a configuration may have.
const MAX_SIZE: u64 = 1 << 20;

/// One configuration: which records follow the public address, and where alerts go.
#[derive(Debug)]
pub struct Config {
    pub zone: ZoneId,
    /// The records: each type of each name in `dns_name`, then the AAAA records of other hosts.
    pub records: Vec<WantedRecord>,
    /// The TTL of the records. If `None`, a record keeps its TTL.
    pub ttl: Option<Ttl>,
    pub alerts: Option<Alerts>,
    pub sources: Sources,
    /// Run after a change, once per changed record.
    pub change_command: Option<CommandLine>,
    pub heartbeat: Option<Heartbeat>,
}

/// Where alerts go.
#[derive(Debug)]
pub struct Alerts {
    pub topic: TopicArn,
    /// The file that records that an alert was sent, if the configuration names one.
    pub lock: Option<PathBuf>,
    /// Whether to publish a recovery message after an alert.
    pub notify_recovery: bool,
    /// Whether to publish a message when an address changed.
    pub notify_change: bool,
}

/// A configuration and its file.
#[derive(Debug)]
pub struct ConfigFile {
    /// As named on the command line.
    pub path: PathBuf,
    /// The absolute path without links. Alerts and their locks show it.
    pub id: String,
    pub config: Config,
}

impl ConfigFile {
    /// Opens, reads and parses the file at `path`.
    pub fn read(path: &Path) -> Result<Self, SetupError> {
        let about_file = |error: SetupError| error.about(&path.display().to_string());
        let unreadable = |error: std::io::Error| {
            let cause = about_file(format!("cannot be read: {error}").into());
            if error.kind() != ErrorKind::PermissionDenied {
                return cause;
            }
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
            let command = paste::command_as_owner(path, &["check", &absolute.to_string_lossy()]);
            cause.advise(format!("run it as a user who may read it: {command}"))
        };
        let bytes = read_regular(path, MAX_SIZE).map_err(unreadable)?;
        let text = utf8(bytes).map_err(about_file)?;
        let mut config = Config::parse(&text).map_err(about_file)?;
        // If `path` is a link, the folder of its target may be read-only.
        let named = std::path::absolute(path).map_err(unreadable)?;
        if let Some(lock) = config.alerts.as_mut().and_then(|alerts| alerts.lock.as_mut()) {
            *lock = named.parent().unwrap_or(&named).join(&*lock);
        }
        let id = std::fs::canonicalize(path).map_err(unreadable)?.to_string_lossy().into_owned();
        Ok(Self { path: path.into(), id, config })
    }

    /// The lock of this configuration's alerts, if it has a topic.
    pub fn alert_lock(&self, environment: &Environment) -> Option<AlertLock> {
        let Config { zone, alerts, .. } = &self.config;
        let names = self.config.names().into_iter().map(|name| name.to_string());
        let owner = Owner::new(&self.id, &zone.to_string(), names);
        Some(match &alerts.as_ref()?.lock {
            Some(path) => AlertLock::at(path, owner),
            None => AlertLock::within(environment.state_folder().as_deref(), owner),
        })
    }
}

impl Config {
    /// The names and types of the records, in order.
    pub fn record_keys(&self) -> impl Iterator<Item = RecordKey> {
        self.records.iter().map(|record| record.key.clone())
    }

    /// The names of the records, in order, each once.
    pub fn names(&self) -> Vec<DnsName> {
        let mut names = Vec::new();
        for WantedRecord { key, .. } in &self.records {
            if !names.contains(&key.name) {
                names.push(key.name.clone());
            }
        }
        names
    }

    /// The families of the addresses that the records need, each once.
    pub fn families(&self) -> Vec<Family> {
        let of = |record: &WantedRecord| record.key.record_type.family();
        let has = |family: &Family| self.records.iter().any(|record| of(record) == *family);
        [Family::V4, Family::V6].into_iter().filter(has).collect()
    }

    /// The secret parts of the URLs.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        self.urls().for_each(|url| url.add_secrets(&mut secrets));
        secrets
    }

    /// Whether a URL has a secret part.
    pub fn has_secret(&self) -> bool {
        self.urls().any(SecretUrl::has_secret)
    }

    fn urls(&self) -> impl Iterator<Item = &SecretUrl> {
        let heartbeat = self.heartbeat.iter().flat_map(Heartbeat::urls);
        self.sources.reflectors.iter().chain(heartbeat)
    }

    /// The names, for a message.
    pub fn name_list(&self) -> String {
        let names: Vec<String> = self.names().iter().map(ToString::to_string).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::reflector;
    use crate::notify::heartbeat::OnFailure;

    const ORIGINAL: &str = include_str!("../../tests/config/good/original.json");

    fn reflectors(config: &Config) -> Vec<String> {
        config.sources.reflectors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_and_reflectors_may_be_lists() {
        let config = Config::parse(
            r#"{"hosted_zone_id": "Z1", "record_types": ["A", "AAAA"],
                "dns_name": ["b.example", "*.a.example", "B.example."],
                "reflect_url": ["https://r.example/?k=v", "https://s.example/ip"],
                "expected_networks": ["198.51.100.0/24", "2001:db8::/32"],
                "ipv6_interface": "eth0"}"#,
        )
        .unwrap();
        let records: Vec<String> = config.record_keys().map(|key| key.to_string()).collect();
        let expected = ["b.example A", "b.example AAAA", "*.a.example A", "*.a.example AAAA"];
        assert_eq!(records, expected);
        assert_eq!(reflectors(&config), ["https://r.example", "https://s.example/ip"]);
        assert_eq!(config.sources.expected_networks.len(), 2);
        assert_eq!(config.sources.ipv6_interface.as_deref(), Some("eth0"));
    }

    #[test]
    fn config_of_the_original_works_unchanged() {
        for text in [ORIGINAL.to_owned(), format!("\u{feff}{ORIGINAL}")] {
            let config = Config::parse(&text).unwrap();
            assert_eq!(config.zone.to_string(), "Z0123456789ABCDEFGHIJ");
            assert_eq!(config.name_list(), "home.example.com");
            let records: Vec<String> = config.record_keys().map(|key| key.to_string()).collect();
            assert_eq!(records, ["home.example.com A"]);
            assert_eq!(config.ttl, None);
            assert_eq!(reflectors(&config), ["https://api.example.net/reflect/v1"]);
            assert!(!config.sources.allow_non_public);
            let alerts = config.alerts.unwrap();
            assert_eq!(alerts.lock.as_deref(), Some(Path::new("/tmp/autodns_alert.lock")));
            assert!(alerts.notify_recovery);
        }
    }

    #[test]
    fn newer_keys_are_parsed() {
        let config = Config::parse(
            r#"{"hosted_zone_id": "/hostedzone/Z1", "dns_name": "*.Home.example.com.",
                "record_types": ["aaaa", "A", "AAAA"], "ttl": 60, "allow_non_public": true,
                "alert_lock": "ignored", "notify_recovery": false,
                "heartbeat_url": "https://h.example/ping/1?k=v", "heartbeat_fail": true}"#,
        )
        .unwrap();
        let heartbeat = config.heartbeat.as_ref().unwrap();
        assert!(matches!(heartbeat.on_failure, OnFailure::Fail));
        let url = SecretUrl::parse_heartbeat("https://h.example/ping/1?k=v");
        assert_eq!(Ok(&heartbeat.url), url.as_ref());
        let records: Vec<String> = config.record_keys().map(|key| key.to_string()).collect();
        assert_eq!(records, ["*.home.example.com A", "*.home.example.com AAAA"]);
        assert_eq!(config.ttl, Ttl::new(60));
        assert!(config.sources.allow_non_public);
        assert!(config.alerts.is_none());
        assert_eq!(reflectors(&config), reflector::DEFAULTS);
    }

    #[test]
    fn schema_key_is_ignored() {
        let with =
            |schema: &str| ORIGINAL.replacen('{', &format!("{{\n    \"$schema\": {schema},"), 1);
        let config = Config::parse(&with("\"autodns.schema.json\"")).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::parse(ORIGINAL).unwrap()));
        for (schema, problem) in [
            ("7", "line 2, column 16: \"$schema\" must be a string"),
            ("\"a\", \"$schema\": \"a\"", "line 2, column 32: \"$schema\" occurs twice"),
        ] {
            assert_eq!(Config::parse(&with(schema)).unwrap_err().to_string(), problem);
        }
    }

    // Whole runs assert the other messages: tests/integration/bad_input.rs.
    #[test]
    fn invalid_value_is_reported_with_its_place() {
        let full = |rest: &str| {
            format!("{{\"hosted_zone_id\": \"Z1\", \"dns_name\": \"home.example.com\"{rest}}}")
        };
        for (text, problem) in [
            (
                full(", \"allow_non_public\": 1"),
                "line 1, column 78: \"allow_non_public\" must be true or false",
            ),
            (
                full(", \"reflect_url\": {}"),
                "line 1, column 73: \"reflect_url\" must be a string or a list of \
                 strings",
            ),
            (
                full(", \"alert_lock\": \"/tmp/a\\u0000b\""),
                "line 1, column 72: \"alert_lock\" must be the path of a file",
            ),
            (
                full(", \"reflect_url\": []"),
                "line 1, column 73: \"reflect_url\" must be a string or a list of strings",
            ),
            (
                full(", \"reflect_url\": [\"https://a.example\", 7]"),
                "line 1, column 73: \"reflect_url\" must be a string or a list of strings",
            ),
            (
                full(", \"expected_networks\": [\"198.51.100.7/24\"]"),
                "line 1, column 79: \"expected_networks\" has host bits set, so it is not \
                 a network",
            ),
            (
                full(", \"ipv6_interface\": \"../eth0\""),
                "line 1, column 76: \"ipv6_interface\" must be the name of a network interface, \
                 as in eth0",
            ),
            (
                full(", \"heartbeat_fail\": \"https://h.example/?k=verysecret\""),
                "the key \"heartbeat_url\" is missing, which a URL in heartbeat_fail needs",
            ),
            (
                full(", \"heartbeat_fail\": 1"),
                "line 1, column 76: \"heartbeat_fail\" must be true, false or a URL",
            ),
            (
                full(", \"heartbeat_url\": \"http://kuma.lan/?k=verysecret\""),
                "line 1, column 75: \"heartbeat_url\" must be an https URL, or an http one with a \
                 private address as its host, as in http://192.168.1.5:3001/path",
            ),
            (
                full(", \"reflect_url\": \"https://user:8080/tail@host/\""),
                "line 1, column 73: \"reflect_url\" must be a URL with no @ after its host: in a \
                 password write / as %2F, ? as %3F and # as %23, and in a path write @ as %40",
            ),
        ] {
            assert_eq!(Config::parse(&text).unwrap_err().to_string(), problem, "{text}");
        }
    }
}
