//! Publishes the messages of one run to its topic: the alert, the recovery message, and changed
//! addresses. `supervise` decides when, and how much time there is.

use std::cell::Cell;
use std::sync::Arc;
use std::time::SystemTime;

use super::job::Outcome;
use crate::aws;
use crate::commands::error::{RecordError, record_list};
use crate::config::{Alerts, Config};
use crate::deadline::Deadline;
use crate::environment::host_name;
use crate::notify::alert::{raise, withdraw};
use crate::notify::lock::AlertLock;
use crate::notify::message::{self, About};
use crate::paste;
use crate::record::{AddressRecord, RecordKey, RecordSet};
use crate::session::Session;

/// Everything that is needed to raise or withdraw the alert of one configuration.
pub struct Alert {
    pub lock: AlertLock,
    /// One line per error; empty if every record is right.
    pub errors: Vec<String>,
    /// Whether one of these lines says that there is no network.
    pub is_offline: bool,
    /// The current value of each record, one sentence per record.
    pub records: Vec<String>,
    /// The changed addresses to report: the record and a line about it.
    pub changes: Vec<(RecordKey, String)>,
    pub session: Arc<Session>,
    pub end: Deadline,
}

impl Alert {
    /// Raises the alert if there are errors, otherwise withdraws it. Returns lines to print.
    pub fn send(&self) -> Vec<String> {
        let Session { file, console, .. } = &*self.session;
        let Some(Alerts { topic, notify_recovery, .. }) = &file.config.alerts else {
            return Vec::new();
        };
        let now = SystemTime::now();
        let host = host_name();
        let names = file.config.name_list();
        let config = file.id.as_str();
        let command = paste::own_command(&["--dry-run", "--verbose", config]);
        let about = About { host: &host, config, names: &names, command: &command };
        let publish = |message: &message::Message| {
            let aws = self.session.aws();
            let sent = aws.publish(topic, &message.subject, &message.body, self.end)?;
            console.step(|| format!("published message {sent} to {topic}"));
            Ok(sent)
        };
        let changes: Vec<String> = self.changes.iter().map(|(_, line)| line.clone()).collect();
        // If an alert is withdrawn, the recovery message also reports the changes.
        let changes_reported = Cell::new(changes.is_empty());
        let mut lines = if self.errors.is_empty() {
            let compose = notify_recovery.then_some(|since| {
                changes_reported.set(true);
                message::recovery(about, since, now, &changes)
            });
            withdraw(&self.lock, self.end, compose, publish)
        } else {
            let compose = |lock_problem: Option<&str>| {
                message::failure(about, &self.errors, &self.records, now, lock_problem)
            };
            let is_reported = |error: &aws::Error| self.is_offline && error.is_no_network();
            raise(&self.lock, now, self.end, is_reported, compose, publish)
        };
        if !changes_reported.get() {
            let records = record_list(self.changes.iter().map(|(key, _)| key));
            if let Err(error) = publish(&message::change(about, &records, &changes)) {
                lines.push(format!("the message about the new address: {error}"));
            }
        }
        lines
    }
}

/// The current value of each record with an error, one sentence per record, because a reader wants
/// to know first whether visitors are affected.
pub fn record_lines(config: &Config, outcome: &Outcome) -> Vec<String> {
    let sentence = |key: RecordKey| {
        let of_key = |error: &&RecordError| error.records.contains(&key);
        let error = outcome.errors.iter().find(of_key)?;
        let unknown = error.outcome_unknown;
        let Some(record_sets) = outcome.record_sets.as_ref().filter(|_| !unknown) else {
            return Some(format!("It is not known what {key} says now."));
        };
        Some(match record_sets.iter().find(|record_set| record_set.is_of(&key)) {
            None => format!("{key} does not exist."),
            Some(RecordSet { values, ttl: Some(ttl), .. }) if !values.is_empty() => {
                format!("{key} still says {} (TTL {ttl}).", values.join(", "))
            }
            Some(_) => format!("{key} exists, but has no address of its own."),
        })
    };
    config.record_keys().filter_map(sentence).collect()
}

/// The changed addresses to report, if the configuration asks for it. A change of only the TTL is
/// not reported.
pub fn changes_to_report(config: &Config, outcome: &Outcome) -> Vec<(RecordKey, String)> {
    let is_wanted = config.alerts.as_ref().is_some_and(|alerts| alerts.notify_change);
    let moved = outcome.changed.iter().filter(|change| is_wanted && change.moves_address());
    moved
        .map(|change| {
            let AddressRecord { key, address, .. } = &change.to;
            let line = match &change.from {
                Some(from) => format!("{key}: {} -> {address}", from.value),
                None => format!("{key}: did not exist -> {address}"),
            };
            (key.clone(), line)
        })
        .collect()
}
