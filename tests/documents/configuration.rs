//! The variables in docs/configuration.md, the keys in README.md, and the configurations and the
//! policy in any page.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use autodns::parts::{Config, KEYS};
use serde_json::Value;

use crate::pages::{blocks, guides};
use crate::program::{is_variable, read, variables};

const PAGE: &str = "docs/configuration.md";

/// The text under a heading, up to the next heading of the same or a higher rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let rank = heading.split(' ').next().unwrap().len();
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &text[start + heading.len() + 2..];
    let end = (1..=rank)
        .filter_map(|rank| body.find(&format!("\n{} ", "#".repeat(rank))))
        .min()
        .unwrap_or(body.len());
    &body[..end]
}

/// The texts between backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The keys in the first column of a table.
fn keys(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(key, _)| key).collect()
}

#[test]
fn keys_in_the_readme_exist() {
    let readme = read("README.md");
    let named = keys(section(&readme, "## Configuration"));
    assert_eq!(named.len(), 6, "{named:?}");
    for key in named {
        assert!(KEYS.contains(&key), "{key}");
    }
}

#[test]
fn page_names_each_variable_that_the_program_reads() {
    let page = read(PAGE);
    let text = format!("{}{}", section(&page, "## Credentials"), section(&page, "## Environment"));
    let named: BTreeSet<String> = code(&text)
        .map(|word| word.split('=').next().unwrap_or_default())
        .filter(|word| is_variable(word))
        .map(Into::into)
        .collect();
    assert_eq!(named, variables());
}

/// Completes a part of a configuration with the required keys. A whole one stays unchanged.
fn completed(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return text.into();
    }
    let mut base: Value =
        serde_json::json!({ "hosted_zone_id": "Z1", "dns_name": "home.example.com" });
    let part: Value = serde_json::from_str(&format!("{{{text}}}")).unwrap_or_else(|error| {
        panic!("neither a configuration nor a part of one: {error}: {text}")
    });
    for (key, value) in part.as_object().expect("an object") {
        base[key] = value.clone();
    }
    base.to_string()
}

#[test]
fn configurations_in_pages_are_valid() {
    let mut count = 0;
    for (page, text) in guides() {
        for block in blocks(&text).iter().filter(|block| block.language == "json") {
            let place = format!("{page}:{}", block.line);
            let comment = block.comment.as_deref().unwrap_or_default();
            if comment.starts_with("policy: ") {
                continue;
            }
            if let Some(key) = comment.strip_prefix("not parsed yet: ") {
                assert!(
                    !KEYS.contains(&key),
                    "{place}: the program has the key {key} now: remove the comment"
                );
                let value = serde_json::from_str::<Value>(&completed(&block.text)).expect("JSON");
                assert!(value.get(key).is_some(), "{place}: the block has no {key}");
                continue;
            }
            if let Err(error) = Config::parse(&completed(&block.text)) {
                panic!("{place}: {error}");
            }
            count += 1;
        }
    }
    assert!(count >= 5, "only {count} configurations are shown");
}

#[test]
fn policy_in_a_page_is_the_one_the_program_prints() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/autodns.json");
    let printed = Command::new(env!("CARGO_BIN_EXE_autodns"))
        .arg("policy")
        .arg(example)
        .env_clear()
        .output()
        .expect("autodns runs");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("a policy");
    let mut count = 0;
    for (page, text) in guides() {
        for block in blocks(&text).iter().filter(|block| {
            block.comment.as_deref().is_some_and(|comment| comment.starts_with("policy: "))
        }) {
            let shown: Value = serde_json::from_str(&block.text).expect("JSON");
            let (shown, printed) = (without_lists_of_one(&shown), without_lists_of_one(&printed));
            assert_eq!(shown, printed, "{page}:{}", block.line);
            count += 1;
        }
    }
    assert_eq!(count, 1);
}

/// Replaces each list of one element by that element. To IAM both mean the same.
fn without_lists_of_one(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.len() == 1 => without_lists_of_one(&items[0]),
        Value::Array(items) => Value::Array(items.iter().map(without_lists_of_one).collect()),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), without_lists_of_one(value))).collect()
        }
        value => value.clone(),
    }
}
