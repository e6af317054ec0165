//! The owner of an alert lock: the content of the lock, how it is recognised, and the file's name
//! in a folder with the locks of several configurations. Pure: touches no file.
//!
//! A lock belongs to a hosted zone and the names in it, because an alert is about these. The path
//! of the configuration does not identify the owner: the file can move (a link to a new version of
//! a system) and its content can change. The record types do not count either: a person who removes
//! AAAA during an alert about AAAA must still get the recovery message.

use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::{calendar, moment_of};
use crate::secrets::one_line;

/// How many bytes of the record's name are in the name of the lock's file. The digest covers all.
const MAX_READABLE: usize = 60;

/// The zone and names that a lock's alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    zone: String,
    /// Normalised, sorted and without duplicates.
    names: Vec<String>,
    /// The absolute path of the configuration, for a person who reads the lock. Earlier versions
    /// recognised their locks by it.
    config: String,
}

/// The content of a lock that belongs to this configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LockContent {
    /// The time of the alert, if it can be read.
    pub since: Option<SystemTime>,
    /// Whether the alert was about the same zone and names. Otherwise it was about names that the
    /// same configuration file had earlier.
    pub same_names: bool,
}

impl Owner {
    /// Expects normalised names without duplicates.
    pub fn new(config: &str, zone: &str, names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        Self { zone: zone.into(), names, config: config.into() }
    }

    /// The name of the lock's file: at most 98 bytes of `a-z0-9-_.`, different for each owner.
    pub fn file_name(&self) -> String {
        let name = self.names.first().map_or("", String::as_str);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let readable: String =
            name.chars().take(MAX_READABLE).map(|c| if plain(c) { c } else { '_' }).collect();
        let whole = format!("{}\n{}", self.zone, self.names.join("\n"));
        format!("{readable}-{}.lock", short_digest(whole.as_bytes()))
    }

    /// The content of the lock after an alert that was sent at `since`.
    pub(super) fn content(&self, since: SystemTime) -> String {
        let since = calendar(since).and_then(|since| since.format(&Rfc3339).ok());
        let content = json!({
            "config": self.config,
            "names": self.names,
            // Empty if the clock is beyond the calendar. The reader then uses the file's time.
            "since": since.unwrap_or_default(),
            "zone": self.zone,
        });
        format!("{content}\n")
    }

    /// Parses the content of a lock. The error is a phrase that follows the file's path: the file
    /// is not a lock of this owner.
    pub(super) fn read(&self, content: &[u8]) -> Result<LockContent, String> {
        let content: Value = serde_json::from_slice(content).unwrap_or_default();
        let config = content["config"].as_str();
        let same_file = config == Some(&self.config);
        let same_names = match (&content["zone"], &content["names"]) {
            // The form of earlier versions.
            (Value::Null, Value::Null) => same_file,
            (zone, names) => *zone == json!(self.zone) && *names == json!(self.names),
        };
        if !same_file && !same_names {
            return Err(match config {
                Some(other) => format!("belongs to another configuration, {}", one_line(other)),
                None => "is a file that autodns did not write".into(),
            });
        }
        let since = content["since"]
            .as_str()
            .and_then(|text| moment_of(OffsetDateTime::parse(text, &Rfc3339).ok()?));
        Ok(LockContent { since, same_names })
    }
}

/// 128 bits of the SHA-256 of `bytes`, in hexadecimal.
pub(super) fn short_digest(bytes: &[u8]) -> String {
    let whole = digest(&SHA256, bytes);
    let digits = whole.as_ref().iter().take(16).map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn owner(config: &str, zone: &str, names: &[&str]) -> Owner {
        Owner::new(config, zone, names.iter().map(ToString::to_string))
    }

    #[test]
    fn lock_is_recognised_by_zone_and_names_then_by_path() {
        let ours = owner("/etc/a.json", "Z1", &["b.example", "a.example"]);
        let written = |other: &Owner| other.content(SystemTime::UNIX_EPOCH);
        let foreign = |config: &str| Err(format!("belongs to another configuration, {config}"));
        let unknown = || Err("is a file that autodns did not write".to_owned());
        for (content, expected) in [
            (written(&ours), Ok(true)),
            (written(&owner("/new/a.json", "Z1", &["a.example", "b.example"])), Ok(true)),
            (written(&owner("/etc/a.json", "Z1", &["a.example"])), Ok(false)),
            (written(&owner("/etc/a.json", "Z2", &["a.example", "b.example"])), Ok(false)),
            (written(&owner("/etc/b.json", "Z1", &["a.example"])), foreign("/etc/b.json")),
            (written(&owner("/etc/b\nx.json", "Z1", &[])), foreign("/etc/b x.json")),
            (r#"{"config":"/etc/a.json","since":""}"#.into(), Ok(true)),
            (r#"{"config":"/etc/b.json","since":""}"#.into(), foreign("/etc/b.json")),
            (r#"{"config":"/etc/a.json","zone":7}"#.into(), Ok(false)),
            (r#"{"zone":"Z1","names":["a.example","b.example"]}"#.into(), Ok(true)),
            (r#"{"zone":"Z1","names":["a.example"]}"#.into(), unknown()),
            (r#"{"config":7}"#.into(), unknown()),
            ("[]".into(), unknown()),
            ("precious".into(), unknown()),
            ("[".repeat(100_000), unknown()),
        ] {
            let read = ours.read(content.as_bytes()).map(|content| content.same_names);
            assert_eq!(read, expected, "{content:.200}");
        }
    }

    #[test]
    fn since_is_none_beyond_the_calendar() {
        let ours = owner("/etc/a.json", "Z1", &["a.example"]);
        for seconds in [60, 999_999_999_999] {
            let since = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let read = ours.read(ours.content(since).as_bytes()).unwrap();
            assert_eq!(read.since, Some(since).filter(|_| seconds == 60));
        }
    }

    #[test]
    fn file_names_are_safe_bounded_and_differ() {
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        let owners = [
            owner("/a", "Z1", &["home.example.com"]),
            owner("/a", "Z2", &["home.example.com"]),
            owner("/a", "Z1", &["*.home.example.com"]),
            owner("/a", "Z1", &["_.home.example.com"]),
            owner("/a", "Z1", &["home.example.com", "vpn.example.com"]),
            owner("/a", "Z1", &[&long]),
            owner("/a", "Z1", &[&format!("{long}x")]),
            owner("/a", "Z1", &["\\057\\056\\056\\057.example"]),
        ];
        let mut names: Vec<String> = owners.iter().map(Owner::file_name).collect();
        assert_eq!(names[0], "home.example.com-76ceec5b460cea427067064ffa582bb9.lock");
        assert_eq!(owner("/b", "Z1", &["home.example.com"]).file_name(), names[0]);
        for name in &names {
            assert!(name.len() <= 98 && !name.starts_with('.'), "{name}");
            let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
            assert!(name.bytes().all(safe), "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), owners.len());
    }
}
