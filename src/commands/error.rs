//! The one type into which the commands convert the errors of all rooms. `Display` joins its parts
//! in the order of every message.

use std::fmt;

use crate::aws::route53::ZoneId;
use crate::error::{CHECK_THE_SYSTEM, UNFINISHED};
use crate::record::{DnsName, RecordKey};
use crate::{address, aws};

/// The records that are not up to date, and the error.
#[derive(Clone, Debug)]
pub struct RecordError {
    pub records: Vec<RecordKey>,
    /// What failed.
    pub what: String,
    /// Empty if `what` includes it.
    pub cause: String,
    /// One imperative sentence.
    pub advice: String,
    /// Whether a change may have been made, because its response was lost.
    pub outcome_unknown: bool,
    /// Whether this machine has no network at all.
    pub is_no_network: bool,
}

impl RecordError {
    fn new(what: String, cause: String, advice: impl Into<String>) -> Self {
        let (records, advice) = (Vec::new(), advice.into());
        Self { records, what, cause, advice, outcome_unknown: false, is_no_network: false }
    }

    /// Sets the records.
    pub fn about(self, records: Vec<RecordKey>) -> Self {
        Self { records, ..self }
    }

    /// `what`, a phrase such as "listing the records", did not end in time.
    pub fn unfinished(what: &str) -> Self {
        Self::new(format!("{what} {UNFINISHED}"), String::new(), CHECK_THE_SYSTEM)
    }

    /// The record cannot exist, because its name is outside the hosted zone.
    pub fn outside_zone(zone: &ZoneId, name: &DnsName) -> Self {
        Self::new(
            "cannot be created".into(),
            format!("hosted zone {zone} is {name}, and the name is not inside it"),
            "check hosted_zone_id and the names",
        )
    }

    /// The plan refuses to write the record.
    pub fn not_written(what: &str, cause: String, advice: &str) -> Self {
        Self::new(what.into(), cause, advice)
    }

    /// `what` and `cause`.
    pub fn detail(&self) -> String {
        let colon = if self.cause.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", self.what, self.cause)
    }
}

impl From<aws::Error> for RecordError {
    fn from(error: aws::Error) -> Self {
        Self {
            outcome_unknown: error.outcome_unknown(),
            is_no_network: error.is_no_network(),
            ..Self::new(error.what(), error.cause().to_string(), error.advice())
        }
    }
}

impl From<address::Error> for RecordError {
    fn from(error: address::Error) -> Self {
        let address::Error { what, cause, advice, is_no_network } = error;
        Self { is_no_network, ..Self::new(what, cause, advice) }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.records.is_empty() {
            write!(f, "{}: ", record_list(&self.records))?;
        }
        write!(f, "{}; {}", self.detail(), self.advice)
    }
}

/// The records for a message, as in "a.example A, AAAA, b.example A".
pub fn record_list<'a>(records: impl IntoIterator<Item = &'a RecordKey>) -> String {
    let mut last = None;
    let word = |key: &RecordKey| match last.replace(key.name.clone()) {
        Some(name) if name == key.name => key.record_type.to_string(),
        _ => key.to_string(),
    };
    let words: Vec<String> = records.into_iter().map(word).collect();
    words.join(", ")
}
