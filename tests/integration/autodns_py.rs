//! Tests what docs/from-other-tools.md promises to users of autodns.py: its configuration, key and
//! reflector work unchanged, without arguments or variables.

use std::fs;

use serde_json::{Value, json};

use crate::support::expected;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_aws::{TOPIC, ZONE_ID, key_section};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};

/// A machine with the setup of the Python script: the five configuration keys in the usual file,
/// the access key in ~/.boto, and a PHP script as reflector, whose default content type is HTML.
fn setup_of_autodns_py() -> Fixture {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write(".boto", key_section("Credentials"));
    let config = json!({
        "hosted_zone_id": ZONE_ID,
        "dns_name": "home.example.com",
        "topic_arn": TOPIC,
        "alert_lock": fixture.sandbox.path("autodns_alert.lock"),
        "reflect_url": fixture.reflector.url(),
    });
    fixture.sandbox.local_etc("autodns.json", format!("{config:#}\n"));
    fs::remove_file(fixture.sandbox.path("autodns.json")).expect("the fixture's own config");
    php_says(&fixture, &json!({ "error": "", "your_ip": "192.175.48.7" }));
    fixture
}

fn php_says(fixture: &Fixture, members: &Value) {
    let mut response = json!({ "forwarded": 0, "forwarded_for": "" });
    for (name, value) in members.as_object().expect("members") {
        response[name] = value.clone();
    }
    let response = Response::new(200, "text/html; charset=UTF-8", response.to_string());
    fixture.reflector.replies(Family::V4, response);
}

#[test]
fn setup_of_autodns_py_runs_without_arguments() {
    let fixture = setup_of_autodns_py();
    fixture.run_args(&[]).assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    fixture.run_args(&[]).assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
    assert_eq!(fixture.aws.published(), []);
}

#[test]
fn check_of_the_old_setup_reports_file_modes() {
    let fixture = setup_of_autodns_py();
    let run = fixture.run_args(&["check"]);
    let wrong: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("warning ")).collect();
    assert_eq!(
        wrong,
        [
            "warning     permissions  /usr/local/etc/autodns.json contains a secret, and other \
             users can access it: its mode is 0644; chmod 600 /usr/local/etc/autodns.json",
            "warning     permissions  {home}/.boto contains a secret, and other users can access \
             it: its mode is 0644; chmod 600 {home}/.boto",
        ]
    );
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.ends_with(" 2 warning, 0 failed, 3 not tested\n"), "{run:?}");
    for file in ["../local/autodns.json", ".boto"] {
        fixture.sandbox.set_mode(file, 0o600);
    }
    let run = fixture.run_args(&["check"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""), "{run:?}");
    run.assert_wrote(&[]);
    assert!(run.stdout.ends_with(" 0 warning, 0 failed, 3 not tested\n"), "{run:?}");
    assert_eq!(fixture.aws.operations(), [List, List, List, List]);
}

#[test]
fn alert_of_autodns_py_is_not_repeated() {
    let fixture = setup_of_autodns_py();
    fixture.sandbox.write("autodns_alert.lock", "");
    fixture.reflector.fails(Family::V4);
    fixture.run_args(&[]).assert(1, "", &expected::out_of_order(Family::V4)).assert_wrote(&[]);
    assert_eq!(fixture.aws.published(), []);
    php_says(&fixture, &json!({ "error": "", "your_ip": "192.175.48.7" }));
    fixture.run_args(&[]).assert_silent().assert_wrote(&["- autodns_alert.lock"]);
    let published = fixture.aws.published();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].subject, expected::RECOVERY_SUBJECT);
}

#[test]
fn error_of_the_php_reflector_is_quoted() {
    let fixture = setup_of_autodns_py();
    php_says(&fixture, &json!({ "error": "bad API key", "your_ip": "" }));
    fixture.run_args(&[]).assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"bad API key\"; check the reflector, and the key in \
         reflect_url if it has one\n",
    );
}
