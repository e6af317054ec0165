//! Several configs on one command line, and several runs at the same time. No config affects
//! another, and no run affects another run of the same config.

use std::fs::File;

use serde_json::json;

use crate::support::expected::out_of_order;
use crate::support::fake_aws::Operation::Change;
use crate::support::fake_reflector::{Form, address_response};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply};
use crate::support::latch::Latch;

/// A second config for another name, with another lock.
fn second(fixture: &Fixture) -> String {
    let mut config = fixture.config();
    config["dns_name"] = json!("host.example.com");
    config["alert_lock"] = json!(fixture.sandbox.path("second.lock"));
    fixture.write_config("second.json", &config)
}

#[test]
fn each_config_updates_its_own_record() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.sandbox.path("autodns.json"), second(&fixture));
    fixture.run_args(&[&first, &second]).assert_silent().assert_wrote(&[]);
    assert_eq!(
        fixture.aws.record_sets(),
        ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.7"]
    );
}

#[test]
fn run_with_a_broken_config_exits_with_the_worst_code() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.sandbox.path("autodns.json"), second(&fixture));
    let broken = fixture.sandbox.write("broken.json", "{");
    let missing = fixture.sandbox.path("missing.json");
    fixture.run_args(&[&broken, &first, &missing, &second]).assert(
        2,
        "",
        "autodns: {home}/broken.json: line 1, column 1: the file ends too early: a }, a ] or \
         a \" is missing\n\
         autodns: {home}/missing.json: cannot be read: No such file or directory (os error 2)\n",
    );
    assert_eq!(
        fixture.aws.record_sets(),
        ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.7"]
    );
}

#[test]
fn failing_config_does_not_stop_the_next() {
    let fixture = Fixture::new();
    let mut config = fixture.config();
    config["hosted_zone_id"] = json!("ZNOSUCHZONE");
    config["alert_lock"] = json!(fixture.sandbox.path("first.lock"));
    let first = fixture.write_config("first.json", &config);
    let second = second(&fixture);
    fixture
        .run_args(&[&first, &second])
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not list the records of hosted zone ZNOSUCHZONE: \
         NoSuchHostedZone: No hosted zone found with ID: ZNOSUCHZONE; check hosted_zone_id, and \
         that the credentials are of the account of that zone\n",
        )
        .assert_wrote(&["+ first.lock"]);
    assert_eq!(fixture.aws.record_sets()[1], "host.example.com. A 300 192.175.48.7");
    let broken = fixture.sandbox.write("broken.json", "{");
    fixture.run_args(&[&first, &broken]).assert(
        2,
        "",
        "autodns: {home}/broken.json: line 1, column 1: the file ends too early: a }, a ] or \
         a \" is missing\n\
         autodns: home.example.com A: could not list the records of hosted zone ZNOSUCHZONE: \
         NoSuchHostedZone: No hosted zone found with ID: ZNOSUCHZONE; check hosted_zone_id, and \
         that the credentials are of the account of that zone\n",
    );
}

#[test]
fn two_configs_with_one_lock_are_rejected() {
    let fixture = Fixture::new();
    let mut config = fixture.config();
    config["dns_name"] = json!("host.example.com");
    let first = fixture.sandbox.path("autodns.json");
    let second = fixture.write_config("second.json", &config);
    fixture.assert_untouched(fixture.run_args(&[&first, &second]).assert(
        2,
        "",
        "autodns: {home}/autodns.json, {home}/second.json: all have the same alert_lock, \
         {home}/autodns.lock; give each its own\n",
    ));
    // Another spelling of the same path.
    config["alert_lock"] = json!(fixture.sandbox.path("./autodns.lock"));
    fixture.write_config("second.json", &config);
    fixture.assert_untouched(fixture.run_args(&[&first, &second]).assert(
        2,
        "",
        "autodns: {home}/autodns.json, {home}/second.json: all have the same alert_lock, \
         {home}/autodns.lock; give each its own\n",
    ));
}

#[test]
fn config_named_twice_is_rejected() {
    let mut fixture = Fixture::new();
    let path = fixture.sandbox.path("autodns.json");
    let other_spelling = fixture.sandbox.path("./autodns.json");
    for (second, names) in [
        (&path, "{home}/autodns.json"),
        (&other_spelling, "{home}/autodns.json, {home}/./autodns.json"),
    ] {
        let said = format!("autodns: {names}: the same file is named twice; name it once\n");
        fixture.assert_untouched(fixture.run_args(&[&path, second]).assert(2, "", &said));
    }
    // Without a topic a config has no lock, but the error is the same.
    fixture.remove_from_config("topic_arn");
    let said = "autodns: {home}/autodns.json: the same file is named twice; name it once\n";
    fixture.assert_untouched(fixture.run_args(&[&path, &path]).assert(2, "", said));
}

#[test]
fn configs_without_topic_may_name_the_same_lock() {
    let fixture = Fixture::new();
    let mut config = fixture.config();
    config.as_object_mut().expect("an object").remove("topic_arn");
    let first = fixture.write_config("first.json", &config);
    config["dns_name"] = json!("host.example.com");
    let second = fixture.write_config("second.json", &config);
    fixture.run_args(&[&first, &second]).assert_silent();
}

#[test]
fn flock_on_a_config_does_not_delay_a_run() {
    // Any user who may read the file can take this lock, for example by `flock autodns.json …`.
    let fixture = Fixture::new();
    let config = File::open(fixture.sandbox.path("autodns.json")).expect("the config");
    config.lock().expect("flock");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn dry_run_beside_a_run_succeeds() {
    let fixture = Fixture::new();
    let latch = Latch::default();
    let reply = Reply::held(&latch, address_response(Form::Bare, "192.175.48.7"));
    fixture.reflector.once(Family::V4, reply);
    let dry = fixture.sandbox.spawn(&["--dry-run", &fixture.sandbox.path("autodns.json")]);
    latch.wait_for(1);
    // A real run succeeds while the dry run waits for its reflector.
    fixture.run().assert_silent();
    assert!(fixture.aws.operations().contains(&Change));
    latch.open();
    assert_eq!(fixture.finish(dry).status.code(), Some(0));
}

#[test]
fn two_concurrent_runs_both_succeed() {
    let fixture = Fixture::new();
    let latch = Latch::default();
    fixture
        .reflector
        .once(Family::V4, Reply::held(&latch, address_response(Form::Bare, "192.175.48.7")));
    let first = fixture.spawn();
    latch.wait_for(1);
    fixture.run().assert_silent();
    latch.open();
    fixture.finish(first).assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn run_after_a_killed_run_changes_the_record() {
    let fixture = Fixture::new();
    let latch = Latch::default();
    fixture
        .reflector
        .once(Family::V4, Reply::held(&latch, address_response(Form::Bare, "192.175.48.8")));
    let mut first = fixture.spawn();
    latch.wait_for(1);
    first.kill();
    drop(first);
    latch.open();
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn each_failing_config_sends_its_own_alert() {
    let fixture = Fixture::new();
    let of_home = out_of_order(Family::V4);
    fixture.reflector.fails(Family::V4);
    let (first, second) = (fixture.sandbox.path("autodns.json"), second(&fixture));
    fixture
        .run_args(&[&first, &second])
        .assert(1, "", &(of_home.clone() + &of_home.replace("home.", "host.")))
        .assert_wrote(&["+ autodns.lock", "+ second.lock"]);
    assert_eq!(fixture.aws.published().len(), 2);
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture
        .run_args(&[&first, &second])
        .assert_silent()
        .assert_wrote(&["- autodns.lock", "- second.lock"]);
    assert_eq!(fixture.aws.published().len(), 4);
}
