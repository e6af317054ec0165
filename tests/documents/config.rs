//! Compares the example configurations and the keys of the schema with the parser.
//! `tests/aws/test_schema.py` validates the same examples against the schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use autodns::parts::{Config, ConfigFile, KEYS};
use serde_json::Value;

use crate::program::read;

/// The examples of one kind, sorted by name. Fails if fewer than `at_least` are found, since a lost
/// example would go unnoticed.
fn examples(kind: &str, at_least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(kind);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the examples").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= at_least, "only {} {kind} examples", paths.len());
    paths
}

fn schema() -> Value {
    serde_json::from_str(&read("schema/autodns.schema.json")).expect("the schema is JSON")
}

#[test]
fn good_examples_are_accepted() {
    for path in examples("good", 75) {
        if let Err(error) = ConfigFile::read(&path) {
            panic!("{error}");
        }
    }
}

#[test]
fn bad_examples_are_rejected() {
    for path in examples("bad", 210) {
        assert!(ConfigFile::read(&path).is_err(), "{} is accepted", path.display());
    }
}

#[test]
fn each_key_has_good_and_bad_examples() {
    let names = |kind| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        examples(kind, 1).iter().map(name).collect()
    };
    // The names of the files begin with the key or with one word of it.
    for key in KEYS {
        let word = match *key {
            "hosted_zone_id" => "zone",
            "dns_name" => "name",
            "topic_arn" => "topic",
            "alert_lock" => "lock",
            "reflect_url" => "reflector",
            "expected_networks" => "networks",
            "ipv6_interface" => "interface",
            "ipv6_hosts" => "hosts",
            "heartbeat_url" => "heartbeat",
            key => &key.replace('_', "-"),
        };
        for kind in ["good", "bad"] {
            assert!(
                names(kind).iter().any(|name| name.starts_with(word)),
                "tests/config/{kind} has no example of {key}"
            );
        }
    }
}

#[test]
fn complete_examples_are_accepted() {
    let mut examples: Vec<String> = vec![read("packaging/autodns.json")];
    examples.extend(schema()["examples"].as_array().unwrap().iter().map(ToString::to_string));
    assert_eq!(examples.len(), 3);
    for text in examples {
        if let Err(error) = Config::parse(&text) {
            panic!("{error}: {text}");
        }
    }
}

#[test]
fn each_value_that_the_schema_suggests_is_accepted() {
    let schema = schema();
    for (key, property) in schema["properties"].as_object().unwrap() {
        let mut values: Vec<&Value> =
            property["examples"].as_array().into_iter().flatten().collect();
        values.extend(property.get("default"));
        assert!(!values.is_empty(), "{key} has neither a default nor an example");
        for value in values {
            let mut config = schema["examples"][0].clone();
            config[key] = value.clone();
            if let Err(error) = Config::parse(&config.to_string()) {
                panic!("{error}: {config}");
            }
        }
    }
}

#[test]
fn schema_has_the_keys_of_the_parser() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    let known: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(known, KEYS.iter().copied().chain(["$schema"]).collect());
    for (key, property) in properties {
        for text in ["title", "description"] {
            assert!(property[text].is_string(), "{key} has no {text}");
        }
    }
    let with_all_keys = schema["examples"][1].as_object().unwrap();
    assert_eq!(with_all_keys.keys().collect::<BTreeSet<_>>(), properties.keys().collect());
}

#[test]
fn schema_has_the_defaults_of_the_parser() {
    let minimal = r#"{"hosted_zone_id": "Z1", "dns_name": "home.example.com", "alert_lock": "lock",
                      "topic_arn": "arn:aws:sns:eu-west-1:123456789012:t",
                      "heartbeat_url": "https://hc.example.net/"}"#;
    let parsed = |config: &Value| format!("{:?}", Config::parse(&config.to_string()).unwrap());
    let minimal: Value = serde_json::from_str(minimal).unwrap();
    let mut with_defaults = minimal.clone();
    let mut count = 0;
    for (key, property) in schema()["properties"].as_object().unwrap() {
        if let Some(default) = property.get("default") {
            with_defaults[key] = default.clone();
            count += 1;
        }
    }
    assert_eq!(count, 8);
    assert_eq!(parsed(&with_defaults), parsed(&minimal));
}
