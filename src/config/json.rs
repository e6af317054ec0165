//! The JSON of a configuration: its keys, and the types of their values. An error has the line and
//! the column, and never quotes a value, because that may be a reflector's key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::SetupError;

/// Every key, in the order of the table in docs/configuration.md.
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
pub const SCHEMA: &str = "$schema";

/// The keys of a configuration with their values, which are not parsed yet.
pub struct Members<'a> {
    text: &'a str,
    entries: Vec<(String, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// Parses the whole text. The error begins with the line and the column.
    pub fn parse(text: &'a str) -> Result<Self, SetupError> {
        if text.trim_ascii().is_empty() {
            return Err("line 1, column 1: the file is empty; expected a JSON object".into());
        }
        let Entries(entries) = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        let members = Self { text, entries };
        for (index, (key, value)) in members.entries.iter().enumerate() {
            if !KEYS.iter().chain([&SCHEMA]).any(|known| known == key) {
                return Err(members.at(value, unknown_key(key)));
            }
            if members.entries[..index].iter().any(|(earlier, _)| earlier == key) {
                return Err(members.at(value, format!("\"{key}\" occurs twice").into()));
            }
        }
        Ok(members)
    }

    /// The value of `key`, parsed by `read` from its JSON, if the key is there. The error of `read`
    /// is a phrase about the value that follows the key.
    pub fn get<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, SetupError>,
    ) -> Result<Option<T>, SetupError> {
        let Some((_, value)) = self.entries.iter().find(|(known, _)| known == key) else {
            return Ok(None);
        };
        let about_key = |error: SetupError| self.at(value, error.prefixed(&format!("\"{key}\" ")));
        read(value.get()).map(Some).map_err(about_key)
    }

    /// Puts the line and the column of `value` before an error.
    fn at(&self, value: &RawValue, error: SetupError) -> SetupError {
        error.about(&place(self.text, value.get()))
    }
}

pub fn value(json: &str) -> Result<Value, SetupError> {
    serde_json::from_str(json).map_err(|error| without_place(&error).into())
}

pub fn string(json: &str) -> Result<String, SetupError> {
    match value(json)? {
        Value::String(text) => Ok(text),
        _ => Err("must be a string".into()),
    }
}

pub fn boolean(json: &str) -> Result<bool, SetupError> {
    value(json)?.as_bool().ok_or_else(|| "must be true or false".into())
}

/// A list of strings. `expected` is the error if it is something else.
pub fn strings(json: &str, expected: &str) -> Result<Vec<String>, SetupError> {
    let text = |value: &Value| value.as_str().map(Into::into);
    let list = value(json)?.as_array().and_then(|list| list.iter().map(text).collect());
    list.ok_or_else(|| expected.into())
}

/// One string, or a list of at least one.
pub fn one_or_more(json: &str) -> Result<Vec<String>, SetupError> {
    const SHAPE: &str = "must be a string or a list of strings";
    let texts = string(json).map(|one| vec![one]).or_else(|_| strings(json, SHAPE))?;
    if texts.is_empty() { Err(SHAPE.into()) } else { Ok(texts) }
}

/// The members of an object of strings, in order. `expected` is the error if it is something else.
pub fn strings_by_name(json: &str, expected: &str) -> Result<Vec<(String, String)>, SetupError> {
    let Entries(entries) = serde_json::from_str(json).map_err(|_| expected)?;
    let member = |(name, json): (String, &RawValue)| Some((name, string(json.get()).ok()?));
    let members: Option<Vec<_>> = entries.into_iter().map(member).collect();
    members.ok_or_else(|| expected.into())
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
