//! Checks of `config`: the file autodns.json.

use std::collections::BTreeSet;

use autodns::parts::SecretUrl;
use autodns::parts::route53::ZoneId;
use autodns::parts::sns::TopicArn;
use autodns::parts::{Config, KEYS};
use autodns::parts::{DnsName, Ttl};
use serde_json::Value;

/// A key in the query string of each URL. No output may contain it.
const PLANTED: &str = "planted-7f3a9c";

/// Every part of an accepted configuration is valid. An error names its position and quotes no
/// value.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match Config::parse(text) {
        Ok(config) => {
            assert_possible(&config);
            let again = Config::parse(text).map(|config| format!("{config:?}"));
            assert_eq!(again, Ok(format!("{config:?}")), "read twice");
            for beginning in super::beginnings(text) {
                // The beginning is accepted only if the rest is white space.
                assert!(Config::parse(beginning).is_err() || text[beginning.len()..].trim() == "");
            }
        }
        Err(problem) => assert_refusal(&problem.to_string()),
    }
    let Ok(Value::Object(mut json)) = serde_json::from_str(text) else { return };
    for key in ["reflect_url", "heartbeat_url", "heartbeat_fail"] {
        json.get_mut(key).map(plant);
    }
    let shown = match Config::parse(&Value::Object(json).to_string()) {
        Ok(config) => {
            let urls: Vec<String> =
                config.sources.reflectors.iter().map(ToString::to_string).collect();
            format!("{config:?} {urls:?} {}", config.name_list())
        }
        Err(problem) => problem.to_string(),
    };
    assert!(!shown.contains(PLANTED), "a key is shown: {shown}");
}

fn plant(urls: &mut Value) {
    match urls {
        Value::String(url) => {
            let url_without_fragment = url.split('#').next().unwrap_or_default();
            let joint = if url_without_fragment.contains('?') { '&' } else { '?' };
            *url = format!("{url_without_fragment}{joint}apikey={PLANTED}");
        }
        Value::Array(urls) => urls.iter_mut().for_each(plant),
        _ => {}
    }
}

fn assert_possible(config: &Config) {
    assert_eq!(ZoneId::parse(&config.zone.to_string()).as_ref(), Some(&config.zone));
    let keys: Vec<_> = config.record_keys().collect();
    let distinct: BTreeSet<_> = keys.iter().collect();
    assert!(!keys.is_empty() && distinct.len() == keys.len(), "no record, or a record twice");
    for name in &config.names() {
        assert_eq!(DnsName::from_config(name.normalised()).as_ref(), Ok(name));
        assert_eq!(DnsName::from_config(&name.to_string()).as_ref(), Ok(name));
        assert_eq!(DnsName::from_route53(&format!("{}.", name.normalised())).as_ref(), Ok(name));
    }
    let again = |ttl: Ttl| ttl.to_string().parse().ok().and_then(Ttl::new);
    assert_eq!(config.ttl.and_then(again), config.ttl);
    if let Some(alerts) = &config.alerts {
        assert_eq!(TopicArn::parse(&alerts.topic.to_string()).as_ref(), Ok(&alerts.topic));
        if let Some(path) = &alerts.lock {
            let lock = path.to_str().expect("JSON is UTF-8");
            assert!(path.file_name().is_some() && !lock.contains('\0'), "not a file: {lock:?}");
        }
    }
    let sources = &config.sources;
    assert!(!sources.reflectors.is_empty(), "no reflector");
    for reflector in &sources.reflectors {
        let shown = reflector.to_string();
        assert_shows_no_secret(&shown);
        assert!(SecretUrl::parse(&shown).is_ok_and(|shown| shown.host() == reflector.host()));
    }
    if let Some(heartbeat) = &config.heartbeat {
        heartbeat.urls().for_each(|url| assert_shows_no_secret(&url.to_string()));
        assert!(heartbeat.url.with_path("/fail").is_some(), "no URL for failures");
    }
    for network in &sources.expected_networks {
        let first = network.to_string();
        let first = first.split('/').next().and_then(|first| first.parse().ok());
        assert!(first.is_some_and(|first| network.contains(first)), "{network}");
    }
    let interface = sources.ipv6_interface.as_deref().unwrap_or("eth0");
    assert!((1..16).contains(&interface.len()) && !interface.contains(['/', '\0', ' ', '\n']));
}

/// Asserts that a shown URL is only a scheme, a host and a path.
fn assert_shows_no_secret(url: &str) {
    assert!(!url.contains(['?', '#']), "a query is shown: {url}");
    let without_scheme = url.split_once("://").expect("a scheme").1;
    let authority = without_scheme.split('/').next().unwrap_or_default();
    assert!(!authority.is_empty() && !authority.contains('@'), "more than a host: {url}");
}

fn assert_refusal(problem: &str) {
    super::assert_phrase(problem);
    // Four errors quote a word of the file: an unknown key, a region, a character, a host.
    let quoting =
        ["unknown key \"", " names the region ", " has the character '", "\"ipv6_hosts\" "];
    if quoting.iter().any(|start| problem.contains(start)) {
        assert!(problem.chars().count() < 500, "{problem}");
        return;
    }
    let Some(("line", _)) = problem.split_once(' ') else {
        return super::assert_is_one_of(problem, MISSING);
    };
    let (_, mut what) = problem.split_once(": ").expect("an error after the position");
    if let Some(rest) = KEYS.iter().find_map(|key| what.strip_prefix(&format!("\"{key}\" "))) {
        what = rest;
    }
    super::assert_is_one_of(what, REJECTIONS);
}

const MISSING: &[&str] = &[
    "the key \"hosted_zone_id\" is missing",
    "the key \"dns_name\" is missing",
    "\"require_confirmation\" needs reflectors on two different hosts in \"reflect_url\", \
     or one beside \"address_command\"",
    "the key \"heartbeat_url\" is missing, which a URL in heartbeat_fail needs",
    "the key \"topic_arn\" is missing, which notify_change needs",
];

const REJECTIONS: &[&str] = &[
    "the file is empty; expected a JSON object",
    "the file ends too early: a }, a ] or a \" is missing",
    "expected a JSON object",
    "occurs twice",
    "must be a string",
    "must be true or false",
    "must be true, false or a URL",
    "must be a string or a list of strings",
    "must be a list of strings",
    "must be a list of \"A\" and \"AAAA\"",
    "must be a whole number of seconds from # to #",
    "must be the id of a hosted zone: up to # letters and digits",
    "is not ASCII; write the name in its xn-- form",
    "is empty",
    "is longer than # bytes",
    "has an empty label (two dots in a row, or one in front)",
    "has a label of over # bytes",
    "has a * that is not the whole of its first label",
    "has a \\ that no three octal digits follow",
    "must be the ARN of an SNS topic, as in arn:aws:sns:eu-west-#:#:my-topic",
    "is in one of AWS's isolated partitions, which autodns cannot reach",
    "is a FIFO topic, which cannot deliver to e-mail or SMS; make a standard topic",
    "must be the path of a file",
    "cannot be used: it is not a command line; check its quotes",
    "cannot be used: no shell runs it, so it cannot begin with NAME=VALUE; write a script that \
     sets the variable, and name the script here",
    "must be a URL, as in https://host/path",
    "must be a URL whose port is # to #",
    "must be an https URL: over plain http, anyone on the way can read the request and forge the \
     response",
    "must be an https URL, or an http one with a private address as its host, as in \
     http://#.#.#.#:#/path",
    "must be a URL with no @ after its host: in a password write / as %#F, ? as %#F and # as %#, \
     and in a path write @ as %#",
    "is not a network, as in #.#.#.#/# or #:db#::/#",
    "has host bits set, so it is not a network",
    "must be the name of a network interface, as in eth#",
    // The errors of serde_json about invalid JSON. They quote nothing either.
    "this is not JSON: control character (\\u#-\\u#F) found while parsing a string",
    "this is not JSON: expected `,` or `]`",
    "this is not JSON: expected `,` or `}`",
    "this is not JSON: expected `:`",
    "this is not JSON: expected ident",
    "this is not JSON: expected value",
    "this is not JSON: invalid escape",
    "this is not JSON: invalid number",
    "this is not JSON: invalid unicode code point",
    "this is not JSON: key must be a string",
    "this is not JSON: lone leading surrogate in hex escape",
    "this is not JSON: number out of range",
    "this is not JSON: recursion limit exceeded",
    "this is not JSON: trailing characters",
    "this is not JSON: trailing comma",
    "this is not JSON: unexpected end of hex escape",
];
