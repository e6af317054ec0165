//! Invalid configs and command lines. The program exits with 2, sends nothing, and prints one line
//! with the file, the position and what was expected.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::assert_text;
use crate::support::fake_aws::Operation;
use crate::support::fixture::Fixture;

/// The stderr of a run with this text as config. The run must send and write nothing.
fn error_in_text(fixture: &Fixture, text: &[u8]) -> String {
    fixture.sandbox.write("autodns.json", text);
    let run = fixture.run();
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""), "{run:?}");
    fixture.assert_untouched(&run);
    run.stderr
}

fn errors_in_values(table: &[(&str, Value)]) -> String {
    let fixture = Fixture::new();
    let mut seen = String::new();
    for (key, value) in table {
        let mut config = fixture.config();
        config[*key] = value.clone();
        let said = error_in_text(&fixture, format!("{config:#}\n").as_bytes());
        seen += &format!("{value}\n    {said}");
    }
    seen
}

#[test]
fn unreadable_config_exits_2() {
    let fixture = Fixture::new();
    let mut seen = String::new();
    fs::create_dir(fixture.sandbox.path("directory")).expect("a directory");
    symlink(fixture.sandbox.path("nowhere"), fixture.sandbox.path("dangling")).expect("a symlink");
    fixture.sandbox.pipe("pipe.json");
    for name in
        ["missing.json", "directory", "dangling", "autodns.json/x", "pipe.json", "/dev/zero"]
    {
        let run = fixture.run_args(&[&fixture.sandbox.path(name)]);
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""), "{run:?}");
        fixture.assert_untouched(&run);
        seen += &run.stderr;
    }
    // There is no default config either.
    let run = fixture.run_args(&[]);
    assert_eq!(run.status.code(), Some(2));
    seen += &run.stderr;
    assert_text(
        &seen,
        "autodns: {home}/missing.json: cannot be read: No such file or directory (os error 2)\n\
         autodns: {home}/directory: cannot be read: Is a directory (os error 21)\n\
         autodns: {home}/dangling: cannot be read: No such file or directory (os error 2)\n\
         autodns: {home}/autodns.json/x: cannot be read: Not a directory (os error 20)\n\
         autodns: {home}/pipe.json: cannot be read: it is a named pipe, not a regular file\n\
         autodns: /dev/zero: cannot be read: it is a device, not a regular file\n\
         autodns: no configuration found: there is no {home}/.config/autodns/autodns.json, no \
         /etc/autodns/autodns.json, no /usr/local/etc/autodns.json; see autodns --help\n",
    );
}

#[test]
fn invalid_json_is_reported_with_line_and_column() {
    let fixture = Fixture::new();
    let mut seen = String::new();
    let good = format!("{:#}\n", fixture.config());
    let texts: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"{\"dns_name\": }".to_vec(),
        b"{\n    \"hosted_zone_id\": \"Z1\",\n    'dns_name': \"x\"\n}".to_vec(),
        b"{\n    \"hosted_zone_id\": \"Z1\",\n}".to_vec(),
        b"{\"hosted_zone_id\": \"Z1\" // a comment\n}".to_vec(),
        b"{\"hosted_zone_id\": \"Z\xff\"}".to_vec(),
        format!("{good}x").into_bytes(),
        format!("{good}{good}").into_bytes(),
        good.replace("\n}", ",\n  \"ttl\": 01\n}").into_bytes(),
        good.replace("\n}", ",\n  \"dns_name\": \"other.example.com\"\n}").into_bytes(),
        good.replace("\n}", ",\n  \"ttl\": 60,\n  \"ttl\": 60\n}").into_bytes(),
        [b"\xff\xfe".to_vec(), good.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
    ];
    for text in texts {
        seen += &error_in_text(&fixture, &text);
    }
    assert_text(
        &seen,
        "autodns: {home}/autodns.json: line 1, column 1: the file is empty; expected a JSON \
         object\n\
         autodns: {home}/autodns.json: line 1, column 1: the file ends too early: a }, a ] or \
         a \" is missing\n\
         autodns: {home}/autodns.json: line 1, column 1: expected a JSON object\n\
         autodns: {home}/autodns.json: line 1, column 4: expected a JSON object\n\
         autodns: {home}/autodns.json: the key \"hosted_zone_id\" is missing\n\
         autodns: {home}/autodns.json: line 1, column 14: this is not JSON: expected value\n\
         autodns: {home}/autodns.json: line 3, column 5: this is not JSON: key must be a \
         string\n\
         autodns: {home}/autodns.json: line 3, column 1: this is not JSON: trailing comma\n\
         autodns: {home}/autodns.json: line 1, column 25: this is not JSON: expected `,` or \
         `}`\n\
         autodns: {home}/autodns.json: line 1: is not UTF-8\n\
         autodns: {home}/autodns.json: line 8, column 1: this is not JSON: trailing characters\n\
         autodns: {home}/autodns.json: line 8, column 1: this is not JSON: trailing characters\n\
         autodns: {home}/autodns.json: line 7, column 11: this is not JSON: invalid number\n\
         autodns: {home}/autodns.json: line 7, column 15: \"dns_name\" occurs twice\n\
         autodns: {home}/autodns.json: line 8, column 10: \"ttl\" occurs twice\n\
         autodns: {home}/autodns.json: line 1: is not UTF-8\n",
    );
}

#[test]
fn missing_key_is_named() {
    let fixture = Fixture::new();
    let mut seen = String::new();
    for key in ["hosted_zone_id", "dns_name"] {
        let mut config = fixture.config();
        config.as_object_mut().expect("an object").remove(key);
        seen += &error_in_text(&fixture, config.to_string().as_bytes());
    }
    assert_text(
        &seen,
        "autodns: {home}/autodns.json: the key \"hosted_zone_id\" is missing\n\
         autodns: {home}/autodns.json: the key \"dns_name\" is missing\n",
    );
}

#[test]
fn unknown_key_is_reported_with_the_nearest_name() {
    let fixture = Fixture::new();
    let mut seen = String::new();
    for key in [
        "hosted_zone",
        "dnsname",
        "DNS_NAME",
        "topic",
        "alertlock",
        "reflecturl",
        "tll",
        "record_type",
        "notify_recover",
        "allow_nonpublic",
        "",
        "something else entirely",
        "\u{fc}",
    ] {
        let mut config = fixture.config();
        config[key] = json!("x");
        seen += &error_in_text(&fixture, format!("{config:#}").as_bytes());
    }
    let keys = "hosted_zone_id, dns_name, topic_arn, alert_lock, reflect_url, record_types, ttl, \
                allow_non_public, notify_recovery, notify_change, expected_networks, \
                require_confirmation, address_command, ipv6_interface, ipv6_hosts, change_command, \
                heartbeat_url, heartbeat_fail";
    assert_text(
        &seen.replace(keys, "{keys}"),
        "autodns: {home}/autodns.json: line 4, column 18: unknown key \"hosted_zone\"; did \
         you mean \"hosted_zone_id\"?\n\
         autodns: {home}/autodns.json: line 4, column 14: unknown key \"dnsname\"; did you \
         mean \"dns_name\"?\n\
         autodns: {home}/autodns.json: line 2, column 15: unknown key \"DNS_NAME\"; did you \
         mean \"dns_name\"?\n\
         autodns: {home}/autodns.json: line 6, column 12: unknown key \"topic\"; did you mean \
         \"topic_arn\"?\n\
         autodns: {home}/autodns.json: line 3, column 16: unknown key \"alertlock\"; did you \
         mean \"alert_lock\"?\n\
         autodns: {home}/autodns.json: line 6, column 17: unknown key \"reflecturl\"; did you \
         mean \"reflect_url\"?\n\
         autodns: {home}/autodns.json: line 6, column 10: unknown key \"tll\"; did you mean \
         \"ttl\"?\n\
         autodns: {home}/autodns.json: line 5, column 18: unknown key \"record_type\"; did \
         you mean \"record_types\"?\n\
         autodns: {home}/autodns.json: line 5, column 21: unknown key \"notify_recover\"; did \
         you mean \"notify_recovery\"?\n\
         autodns: {home}/autodns.json: line 3, column 22: unknown key \"allow_nonpublic\"; \
         did you mean \"allow_non_public\"?\n\
         autodns: {home}/autodns.json: line 2, column 7: unknown key \"\"; the keys are \
         {keys}\n\
         autodns: {home}/autodns.json: line 6, column 30: unknown key \"something else \
         entirely\"; the keys are {keys}\n\
         autodns: {home}/autodns.json: line 7, column 8: unknown key \"ü\"; the keys are \
         {keys}\n",
    );
}

#[test]
fn value_of_the_wrong_type_is_rejected() {
    let seen = errors_in_values(&[
        ("hosted_zone_id", json!(7)),
        ("hosted_zone_id", json!(null)),
        ("dns_name", json!(["home.example.com", 7])),
        ("dns_name", json!({})),
        ("topic_arn", json!(true)),
        ("alert_lock", json!(1.5)),
        ("reflect_url", json!(null)),
        ("record_types", json!("A")),
        ("record_types", json!([1])),
        ("ttl", json!("600")),
        ("ttl", json!(60.5)),
        ("allow_non_public", json!("yes")),
        ("notify_recovery", json!(0)),
        ("require_confirmation", json!("true")),
        ("address_command", json!(["/bin/true"])),
        ("address_command", json!("")),
        ("address_command", json!("'/bin/true")),
        ("address_command", json!("KEY=verysecret /bin/true")),
    ]);
    assert_text(
        &seen,
        "7\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be a \
         string\n\
         null\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be a \
         string\n\
         [\"home.example.com\",7]\n\
         \x20   autodns: {home}/autodns.json: line 3, column 15: \"dns_name\" must be a \
         string or a list of strings\n\
         {}\n\
         \x20   autodns: {home}/autodns.json: line 3, column 15: \"dns_name\" must be a \
         string or a list of strings\n\
         true\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be a \
         string\n\
         1.5\n\
         \x20   autodns: {home}/autodns.json: line 2, column 17: \"alert_lock\" must be a \
         string\n\
         null\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         string or a list of strings\n\
         \"A\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 19: \"record_types\" must be a \
         list of \"A\" and \"AAAA\"\n\
         [1]\n\
         \x20   autodns: {home}/autodns.json: line 5, column 19: \"record_types\" must be a \
         list of \"A\" and \"AAAA\"\n\
         \"600\"\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         60.5\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         \"yes\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 23: \"allow_non_public\" must be \
         true or false\n\
         0\n\
         \x20   autodns: {home}/autodns.json: line 5, column 22: \"notify_recovery\" must be \
         true or false\n\
         \"true\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 27: \"require_confirmation\" must be \
         true or false\n\
         [\"/bin/true\"]\n\
         \x20   autodns: {home}/autodns.json: line 2, column 22: \"address_command\" must be a \
         string\n\
         \"\"\n\
         \x20   autodns: {home}/autodns.json: line 2, column 22: \"address_command\" cannot be \
         used: it is not a command line; check its quotes\n\
         \"'/bin/true\"\n\
         \x20   autodns: {home}/autodns.json: line 2, column 22: \"address_command\" cannot be \
         used: it is not a command line; check its quotes\n\
         \"KEY=verysecret /bin/true\"\n\
         \x20   autodns: {home}/autodns.json: line 2, column 22: \"address_command\" cannot be \
         used: no shell runs it, so it cannot begin with NAME=VALUE; write a script that sets the \
         variable, and name the script here\n",
    );
}

#[test]
fn invalid_change_command_is_rejected() {
    let seen = errors_in_values(&[
        ("change_command", json!("")),
        ("change_command", json!("'half")),
        ("change_command", json!("A=b run")),
        ("change_command", json!(["run"])),
    ]);
    assert_text(
        &seen,
        "\"\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 21: \"change_command\" cannot be used: \
         it is not a command line; check its quotes\n\
         \"'half\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 21: \"change_command\" cannot be used: \
         it is not a command line; check its quotes\n\
         \"A=b run\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 21: \"change_command\" cannot be used: \
         no shell runs it, so it cannot begin with NAME=VALUE; write a script that sets the \
         variable, and name the script here\n\
         [\"run\"]\n\
         \x20   autodns: {home}/autodns.json: line 3, column 21: \"change_command\" must be a \
         string\n",
    );
}

#[test]
fn invalid_name_is_rejected() {
    // The unit test of `DnsName` asserts the other causes.
    let seen =
        errors_in_values(&[("dns_name", json!("")), ("dns_name", json!("home.example.com\n"))]);
    assert_text(
        &seen,
        "\"\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 15: \"dns_name\" is empty\n\
         \"home.example.com\\n\"\n\
         \x20   autodns: {home}/autodns.json: line 3, column 15: \"dns_name\" has the \
         character '\\n', which no host name has\n",
    );
}

#[test]
fn invalid_zone_id_or_arn_is_rejected() {
    let seen = errors_in_values(&[
        ("hosted_zone_id", json!("")),
        ("hosted_zone_id", json!("/hostedzone/")),
        ("hosted_zone_id", json!("example.com")),
        ("hosted_zone_id", json!("Z0123456789ABCDEFGHIJ/rrset")),
        ("hosted_zone_id", json!("Z".repeat(33))),
        ("hosted_zone_id", json!("/change/C0123456789")),
        ("topic_arn", json!("")),
        ("topic_arn", json!("dyndns-status")),
        ("topic_arn", json!("arn:aws:sqs:eu-west-1:123456789012:dyndns-status")),
        ("topic_arn", json!("arn:aws:sns:eu-west-1:123456789012:")),
        ("topic_arn", json!("arn:aws:sns::123456789012:dyndns-status")),
        ("topic_arn", json!("arn:aws:sns:eu-west-1:12345:dyndns-status")),
        ("topic_arn", json!("arn:aws:sns:eu-west-1:123456789012:dyndns-status:sub-id")),
        ("topic_arn", json!("arn:aws:sns:eu-west-1:123456789012:dyndns-status.fifo")),
        ("topic_arn", json!("arn:aws-iso:sns:us-iso-east-1:123456789012:dyndns-status")),
        ("topic_arn", json!("arn:aws:sns:eu-west-1.evil.example:123456789012:x")),
    ]);
    assert_text(
        &seen,
        "\"\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"/hostedzone/\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"example.com\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"Z0123456789ABCDEFGHIJ/rrset\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"/change/C0123456789\"\n\
         \x20   autodns: {home}/autodns.json: line 4, column 21: \"hosted_zone_id\" must be \
         the id of a hosted zone: up to 32 letters and digits\n\
         \"\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"dyndns-status\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sqs:eu-west-1:123456789012:dyndns-status\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sns:eu-west-1:123456789012:\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sns::123456789012:dyndns-status\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sns:eu-west-1:12345:dyndns-status\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sns:eu-west-1:123456789012:dyndns-status:sub-id\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n\
         \"arn:aws:sns:eu-west-1:123456789012:dyndns-status.fifo\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" is a FIFO \
         topic, which cannot deliver to e-mail or SMS; make a standard topic\n\
         \"arn:aws-iso:sns:us-iso-east-1:123456789012:dyndns-status\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" is in one of \
         AWS's isolated partitions, which autodns cannot reach\n\
         \"arn:aws:sns:eu-west-1.evil.example:123456789012:x\"\n\
         \x20   autodns: {home}/autodns.json: line 6, column 16: \"topic_arn\" must be the \
         ARN of an SNS topic, as in arn:aws:sns:eu-west-1:123456789012:my-topic\n",
    );
}

#[test]
fn invalid_ttl_or_record_types_are_rejected() {
    let seen = errors_in_values(&[
        ("ttl", json!(0)),
        ("ttl", json!(-1)),
        ("ttl", json!(2_147_483_648_u64)),
        ("ttl", serde_json::from_str("1e99").expect("a number")),
        ("record_types", json!([])),
        ("record_types", json!(["A", "MX"])),
    ]);
    assert_text(
        &seen,
        "0\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         -1\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         2147483648\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         1e+99\n\
         \x20   autodns: {home}/autodns.json: line 7, column 10: \"ttl\" must be a whole \
         number of seconds from 1 to 2147483647\n\
         []\n\
         \x20   autodns: {home}/autodns.json: line 5, column 19: \"record_types\" must be a \
         list of \"A\" and \"AAAA\"\n\
         [\"A\",\"MX\"]\n\
         \x20   autodns: {home}/autodns.json: line 5, column 19: \"record_types\" must be a \
         list of \"A\" and \"AAAA\"\n",
    );
}

#[test]
fn invalid_reflector_or_lock_is_rejected() {
    let seen = errors_in_values(&[
        ("reflect_url", json!("")),
        ("reflect_url", json!("reflect.example.net/ip")),
        ("reflect_url", json!("http://reflect.example.net/ip?apikey=v3ry%2FSecret%2BValue")),
        ("reflect_url", json!("http://127.0.0.1.example.net/ip")),
        ("reflect_url", json!("http://192.175.48.9/ip")),
        ("reflect_url", json!("ftp://reflect.example.net/ip")),
        ("reflect_url", json!("https://")),
        ("reflect_url", json!("https://reflect.example.net:99999/ip")),
        ("reflect_url", json!("https://reflect.example.net/a b?apikey=v3ry%2FSecret%2BValue")),
        ("alert_lock", json!("")),
    ]);
    assert_text(
        &seen,
        "\"\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL, as in https://host/path\n\
         \"reflect.example.net/ip\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL, as in https://host/path\n\
         \"http://reflect.example.net/ip?apikey=v3ry%2FSecret%2BValue\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be an \
         https URL: over plain http, anyone on the way can read the request and forge the \
         response\n\
         \"http://127.0.0.1.example.net/ip\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be an \
         https URL: over plain http, anyone on the way can read the request and forge the \
         response\n\
         \"http://192.175.48.9/ip\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be an \
         https URL: over plain http, anyone on the way can read the request and forge the \
         response\n\
         \"ftp://reflect.example.net/ip\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL, as in https://host/path\n\
         \"https://\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL, as in https://host/path\n\
         \"https://reflect.example.net:99999/ip\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL whose port is 1 to 65535\n\
         \"https://reflect.example.net/a b?apikey=v3ry%2FSecret%2BValue\"\n\
         \x20   autodns: {home}/autodns.json: line 5, column 18: \"reflect_url\" must be a \
         URL, as in https://host/path\n\
         \"\"\n\
         \x20   autodns: {home}/autodns.json: line 2, column 17: \"alert_lock\" must be the \
         path of a file\n",
    );
}

#[test]
fn inaccessible_config_advises_a_user_who_may_read_it() {
    let fixture = Fixture::new();
    let config = fixture.config().to_string();
    fixture.sandbox.etc("autodns/autodns.json", &config);
    // A config later in the search order must not replace it.
    fixture.sandbox.local_etc("autodns.json", &config);
    fixture.sandbox.etc_mode("autodns", 0o000);
    // With its capabilities root could enter this folder, so they are removed.
    let powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let run = fixture.finish(fixture.sandbox.spawn_by(&powerless, &["check", "--json"]));
    fixture.sandbox.etc_mode("autodns", 0o700);
    let said = "autodns: /etc/autodns/autodns.json: cannot be examined: Permission denied (os \
                error 13); run it as a user who may read it: sudo -u autodns {program} check \
                --json\n";
    fixture.assert_untouched(run.assert(2, "", said));
    // If the file is named, the advice is to check that file.
    fixture.sandbox.etc_mode("autodns", 0o000);
    let named = ["--verbose", "/etc/autodns/autodns.json"];
    let run = fixture.finish(fixture.sandbox.spawn_by(&powerless, &named));
    fixture.sandbox.etc_mode("autodns", 0o700);
    let said = "autodns: /etc/autodns/autodns.json: cannot be read: Permission denied (os error \
                13); run it as a user who may read it: sudo -u autodns {program} check \
                /etc/autodns/autodns.json\n";
    fixture.assert_untouched(run.assert(2, "", said));
}

#[test]
fn json_error_beside_a_url_hides_its_secret() {
    let fixture = Fixture::new();
    let text = "{\"reflect_url\": \"https://reflect.example.net/?apikey=v3ry%2FSecret%2BValue\"x}";
    assert_text(
        &error_in_text(&fixture, text.as_bytes()),
        "autodns: {home}/autodns.json: line 1, column 76: this is not JSON: expected `,` or \
         `}`\n",
    );
}

#[test]
fn invalid_command_line_exits_2() {
    let fixture = Fixture::new();
    let mut seen = String::new();
    for arguments in [
        &["--dryrun"][..],
        &["-x"],
        &["--dry-run=yes"],
        &[""],
        &["--verbose", "--config", "autodns.json"],
        &["chekc", "autodns.json"],
        &["--verbose", "autodns.json", "chekc"],
        &["autodns.json", "check"],
        &["--verbose", "policy", "autodns.json"],
        &["--dry-run", "check", "autodns.json"],
    ] {
        let run = fixture.run_args(arguments);
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""));
        fixture.assert_untouched(&run);
        seen += &run.stderr;
    }
    assert_text(
        &seen,
        "autodns: invalid option '--dryrun'; see autodns --help\n\
         autodns: invalid option '-x'; see autodns --help\n\
         autodns: unexpected argument for option '--dry-run': \"yes\"; see autodns --help\n\
         autodns: the name of a configuration file is empty; see autodns --help\n\
         autodns: invalid option '--config'; see autodns --help\n\
         autodns: \"chekc\" is neither a command (check, policy, help, version) nor an existing \
         file; see autodns --help\n\
         autodns: \"chekc\" is neither a command (check, policy, help, version) nor an existing \
         file; see autodns --help\n\
         autodns: check is a command, and only the first word can be one; write a configuration \
         file of that name as ./check\n\
         autodns: --verbose is not an option of autodns policy; see autodns --help\n\
         autodns: --dry-run is not an option of autodns check; see autodns --help\n",
    );
}

#[test]
fn command_after_options_is_recognised() {
    let fixture = Fixture::new();
    let before = fixture.aws.record_sets();
    let config = fixture.sandbox.path("autodns.json");
    fixture.sandbox.set_mode("autodns.json", 0o600);
    // A file in the working directory does not hide the command of the same name.
    fixture.write_config("check", &fixture.config());
    for arguments in [
        &["--verbose", "check", &config][..],
        &["--deadline", "60", "check", &config],
        &["--json", "check", &config],
        &["check", &config, "--json"],
    ] {
        let run = fixture.run_args(arguments);
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        assert!(run.stdout.contains("config"), "{run:?}");
        assert_eq!(fixture.aws.record_sets(), before);
        assert!(!fixture.aws.operations().contains(&Operation::Change), "{arguments:?}");
    }
    let list_alone = fixture.aws.operations();
    let run = fixture.run_args(&["policy", "autodns.json"]);
    assert_eq!((run.status.code(), run.stdout.starts_with('{')), (Some(0), true), "{run:?}");
    assert_eq!(fixture.aws.operations(), list_alone);
    // A name with its folder, or after `--`, is the name of a config.
    for arguments in [&["--dry-run", "./check"][..], &["--dry-run", "--", "check"]] {
        fixture.run_args(arguments).assert(
            0,
            "home.example.com A: 192.175.48.1 -> 192.175.48.7\n",
            "",
        );
    }
}

#[test]
fn output_that_cannot_be_written_exits_1() {
    let mut fixture = Fixture::new();
    let config = fixture.sandbox.path("autodns.json");
    fixture.sandbox.placeholder(&config, "{config}");
    let full = ["sh", "-c", "exec \"$@\" >/dev/full", "sh"];
    for arguments in [
        &["policy", &config][..],
        &["check", &config],
        &["check", "--json", &config],
        &["--dry-run", &config],
        &["--help"],
        &["help", "check"],
        &["--version"],
    ] {
        let run = fixture.finish(fixture.sandbox.spawn_by(&full, arguments));
        run.assert(
            1,
            "",
            "autodns: standard output cannot be written to: No space left on device (os error \
             28)\n",
        );
    }
}

#[test]
fn closed_pipe_exits_1() {
    let fixture = Fixture::new();
    let config = fixture.sandbox.path("autodns.json");
    let closed = "mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; exec \"$@\" >&4 4>&-";
    for arguments in [&["policy", &config][..], &["--help"], &["check", "--json", &config]] {
        drop(fs::remove_file(fixture.sandbox.path("pipe")));
        let run = fixture.finish(fixture.sandbox.spawn_by(&["sh", "-c", closed, "sh"], arguments));
        assert_eq!(run.status.code(), Some(1), "{run:?}");
    }
}

#[test]
fn first_default_config_that_exists_is_used() {
    let mut fixture = Fixture::new();
    let dry = |fixture: &Fixture| fixture.run_args(&["-n"]).stdout;
    let config = |name: &str| {
        let mut config = fixture.config();
        config["dns_name"] = json!(format!("{name}.example.com"));
        config.to_string()
    };
    let line = |name: &str| format!("{name}.example.com A: would be created with 192.175.48.7\n");
    let texts = ["local", "etc", "user", "xdg"].map(config);
    fixture.sandbox.local_etc("autodns.json", &texts[0]);
    assert_eq!(dry(&fixture), line("local"));
    fixture.sandbox.etc("autodns/autodns.json", &texts[1]);
    assert_eq!(dry(&fixture), line("etc"));
    fixture.sandbox.write(".config/autodns/autodns.json", &texts[2]);
    assert_eq!(dry(&fixture), line("user"));
    fixture.sandbox.write("xdg/autodns/autodns.json", &texts[3]);
    let folder = fixture.sandbox.path("xdg");
    fixture.sandbox.set("XDG_CONFIG_HOME", folder);
    assert_eq!(dry(&fixture), line("xdg"));
}

#[test]
fn help_and_version_go_to_stdout() {
    let fixture = Fixture::new();
    let version = format!("autodns {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [&["--version"][..], &["-V"], &["version"], &["--version", "missing.json"]] {
        fixture.assert_untouched(fixture.run_args(arguments).assert(0, &version, ""));
    }
    let help = fixture.run_args(&["--help"]);
    assert_eq!((help.status.code(), help.stderr.as_str()), (Some(0), ""));
    for part in ["--dry-run", "--verbose", "--version", "/usr/local/etc/autodns.json"] {
        assert!(help.stdout.contains(part), "{part} is not in:\n{}", help.stdout);
    }
    assert!(!help.stdout.contains("*/5"));
    for arguments in [&["-h"][..], &["help"], &["help", "help"]] {
        assert_eq!(fixture.run_args(arguments).stdout, help.stdout);
    }
    let of_check = fixture.run_args(&["check", "--help"]);
    for part in ["--write", "--alert", "--json", "--verbose", "--deadline", "not tested"] {
        assert!(of_check.stdout.contains(part), "{part} is not in:\n{}", of_check.stdout);
    }
    for arguments in [&["help", "check"][..], &["--help", "check"], &["-v", "check", "-h"]] {
        fixture.assert_untouched(fixture.run_args(arguments).assert(0, &of_check.stdout, ""));
    }
    assert!(fixture.run_args(&["policy", "--help"]).stdout.contains("autodns policy"));
}

#[test]
fn invalid_environment_variables_are_rejected() {
    let mut seen = String::new();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "route53.example.net"),
        ("AWS_ENDPOINT_URL_ROUTE_53", "ftp://route53.example.net"),
        ("AWS_ENDPOINT_URL_SNS", "https://"),
        ("HTTPS_PROXY", "socks5://pi:pr0xy%2FP%40ss@proxy.example.net"),
        ("HTTPS_PROXY", "http://pi:pr0xy%2FP%40ss@"),
    ] {
        let mut fixture = Fixture::new();
        fixture.sandbox.set(name, value);
        let run = fixture.run();
        fixture.assert_untouched(&run);
        seen += &format!("{:?} {}{}", run.status.code(), run.stdout, run.stderr);
    }
    assert_text(
        &seen,
        "Some(2) autodns: AWS_ENDPOINT_URL is not the URL of an endpoint, as in \
         https://route53.amazonaws.com or http://127.0.0.1:5000\n\
         Some(2) autodns: AWS_ENDPOINT_URL_ROUTE_53 is not the URL of an endpoint, as in \
         https://route53.amazonaws.com or http://127.0.0.1:5000\n\
         Some(2) autodns: AWS_ENDPOINT_URL_SNS is not the URL of an endpoint, as in \
         https://route53.amazonaws.com or http://127.0.0.1:5000\n\
         Some(2) autodns: HTTPS_PROXY is not the URL of an HTTP proxy, as in \
         http://proxy.example:3128\n\
         Some(2) autodns: HTTPS_PROXY is not the URL of an HTTP proxy, as in \
         http://proxy.example:3128\n",
    );
}
