//! docs/configuration.md's tables of keys, variables and exit statuses, README.md's few keys, and the
//! configurations and the policy that are shown in any page.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use autodns::parts::{Config, KEYS};
use serde_json::Value;

use crate::pages::{blocks, guides};
use crate::program::{is_variable, read, variables};

const PAGE: &str = "docs/configuration.md";

/// What is under a heading, up to the next one of the same rank or a higher one.
pub fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let rank = heading.split(' ').next().unwrap().len();
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &text[start + heading.len() + 2..];
    let end = (1..=rank)
        .filter_map(|rank| body.find(&format!("\n{} ", "#".repeat(rank))))
        .min()
        .unwrap_or(body.len());
    &body[..end]
}

/// What stands between backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The keys in the first column of a table.
fn keys(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|row| row.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(key, _)| key).collect()
}

#[test]
fn table_has_each_key_in_the_order_of_the_program() {
    let page = read(PAGE);
    let (_, table) = page.split_once("<!-- keys: begin -->\n").expect("its begin");
    let (table, _) = table.split_once("<!-- keys: end -->").expect("its end");
    assert_eq!(keys(table), KEYS);
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

/// A part of a configuration, or a whole one, as a whole one.
fn whole(text: &str) -> String {
    if text.trim_start().starts_with('{') {
        return text.into();
    }
    let mut base: Value =
        serde_json::json!({ "hosted_zone_id": "Z1", "dns_name": "home.example.com" });
    let part: Value = serde_json::from_str(&format!("{{{text}}}")).unwrap_or_else(|error| {
        panic!("this is neither a configuration nor a part of one: {error}: {text}")
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
                assert!(!KEYS.contains(&key), "{place}: {key} is there now: remove the comment");
                let value = serde_json::from_str::<Value>(&whole(&block.text)).expect("JSON");
                assert!(value.get(key).is_some(), "{place}: it has no {key}");
                continue;
            }
            if let Err(problem) = Config::parse(&whole(&block.text)) {
                panic!("{place}: {problem}");
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
            assert_eq!(as_sets(&shown), as_sets(&printed), "{page}:{}", block.line);
            count += 1;
        }
    }
    assert_eq!(count, 1);
}

/// A list of one is its element: IAM means the same.
fn as_sets(value: &Value) -> Value {
    match value {
        Value::Array(items) if items.len() == 1 => as_sets(&items[0]),
        Value::Array(items) => Value::Array(items.iter().map(as_sets).collect()),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), as_sets(value))).collect()
        }
        value => value.clone(),
    }
}
