//! `address_command`: when it runs and with which variables, which output is valid, and which
//! source confirms or replaces it. A run leaves no process of it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::assert_text;
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::Family;

/// A fixture with this script as `address_command` and without `reflect_url`.
fn command_only(script: &str) -> Fixture {
    let mut fixture = command_and_reflector(script);
    fixture.remove_from_config("reflect_url");
    fixture
}

/// A fixture with this script as `address_command` and with `reflect_url`.
fn command_and_reflector(script: &str) -> Fixture {
    let mut fixture = Fixture::new();
    let path = fixture.sandbox.script("address.sh", &format!("#!/bin/sh\n{script}\n"));
    fixture.configure(|config| config["address_command"] = json!(path));
    fixture
}

const CHANGED: &str = "home.example.com. A 300 192.175.48.7";
const ANSWER_BOTH_FAMILIES: &str = "echo run >>runs
case $AUTODNS_FAMILY in
4) echo ' 192.175.48.7' ;;
6) printf 2620:4f:8000::7 ;;
esac";

#[test]
fn command_replaces_the_reflectors() {
    let mut fixture = command_only(ANSWER_BOTH_FAMILIES);
    fixture.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
    fixture.run().assert_silent();
    let records = fixture.aws.record_sets();
    assert_eq!(records[..2], [CHANGED, "home.example.com. AAAA 600 2620:4f:8000::7"]);
    assert_eq!(fixture.sandbox.read("runs").as_deref(), Some("run\nrun\n"));
    assert_eq!(fixture.reflector.request_lines(), Vec::<String>::new());
}

#[test]
fn reflector_confirms_the_command_before_a_change_only() {
    let mut fixture = command_and_reflector("echo 192.175.48.7");
    fixture.configure(|config| config["require_confirmation"] = json!(true));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    assert_eq!(fixture.reflector.request_lines().len(), 1);
    fixture.run().assert_silent();
    assert_eq!(fixture.reflector.request_lines().len(), 1);
}

#[test]
fn reflector_that_disagrees_with_the_command_stops_the_change() {
    let fixture = command_and_reflector("echo 192.175.48.9");
    fixture.run_with(&["--dry-run"]).assert(
        1,
        "",
        "autodns: home.example.com A: nothing was changed: address_command says that the address \
         is 192.175.48.9, but {reflector}/reflect/v1 says 192.175.48.7; check which is right\n",
    );
}

#[test]
fn reflector_replaces_a_failed_command() {
    let fixture = command_and_reflector("echo run >>runs; echo verysecret; exit 3");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    // The command is not run again to confirm the reflector.
    assert_eq!(fixture.sandbox.read("runs").as_deref(), Some("run\n"));
}

#[test]
fn command_with_an_interface_is_for_ipv4_only() {
    let mut fixture = command_only(ANSWER_BOTH_FAMILIES);
    fixture.configure(|config| {
        config["record_types"] = json!(["A", "AAAA"]);
        config["ipv6_interface"] = json!("no-such-one");
    });
    let run = fixture.run_with(&["--dry-run"]);
    assert_eq!(run.stdout, "home.example.com A: 192.175.48.1 -> 192.175.48.7\n", "{run:?}");
    assert!(run.stderr.contains("IPv6 address from interface no-such-one"), "{run:?}");
    assert_eq!(fixture.sandbox.read("runs").as_deref(), Some("run\n"));
}

#[test]
fn command_without_an_address_is_reported_unquoted() {
    let mut seen = String::new();
    for script in [
        "echo verysecret >&2; echo verysecret; exit 3",
        "kill -9 $$",
        "true",
        "echo verysecret",
        "echo 192.175.48.7 verysecret",
        "echo 2620:4f:8000::7",
        "echo 192.168.1.2",
        "echo 0.0.0.0",
    ] {
        let run = command_only(script).run_with(&["--dry-run"]);
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(!run.stderr.contains("verysecret"), "{run:?}");
        let start = "autodns: home.example.com A: could not get the public IPv4 address from \
                     address_command: ";
        seen += run.stderr.strip_prefix(start).unwrap_or(&run.stderr);
    }
    let mut missing = Fixture::new();
    missing.remove_from_config("reflect_url");
    missing.configure(|config| config["address_command"] = json!("/no/such/program verysecret"));
    seen += &missing.run_with(&["--dry-run"]).stderr;
    assert_text(
        &seen,
        "it ended with exit status 3; run that command by hand, with AUTODNS_FAMILY=4 set, to see \
         why\n\
         it was ended by signal 9; run that command by hand, with AUTODNS_FAMILY=4 set, to see \
         why\n\
         it printed nothing; run that command by hand, with AUTODNS_FAMILY=4 set, to see what it \
         prints\n\
         it printed 10 bytes of text, not an address; run that command by hand, with \
         AUTODNS_FAMILY=4 set, to see what it prints\n\
         it printed 23 bytes of text, not an address; run that command by hand, with \
         AUTODNS_FAMILY=4 set, to see what it prints\n\
         it printed an IPv6 address; run that command by hand, with AUTODNS_FAMILY=4 set, to see \
         what it prints\n\
         it answered 192.168.1.2, which is not a public address: private; check address_command, or \
         set allow_non_public\n\
         it answered 0.0.0.0, which is not a public address: \"this network\"; check address_command\n\
         autodns: home.example.com A: could not get the public IPv4 address from \
         address_command: its program cannot be run: No such file or directory (os error 2); \
         check its path, and that this user may run it\n",
    );
}

#[test]
fn hanging_command_is_killed_and_the_reflector_asked() {
    let fixture = command_and_reflector("echo $$ >id; exec sleep 600");
    let began = Instant::now();
    fixture.run_with(&["--deadline", "14"]).assert_silent();
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    let id = fixture.sandbox.read("id").expect("the id of the process");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    assert!(
        stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")),
        "the process still runs"
    );
}

#[test]
fn check_shows_the_command_as_a_source() {
    let fixture = command_and_reflector("echo 192.175.48.7");
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    fixture.reflector.says(Family::V4, "192.175.48.9");
    let run = fixture.run_args(&["check", &fixture.sandbox.path("autodns.json")]);
    assert!(run.stdout.contains(" address_command says 192.175.48.7 in "), "{run:?}");
    assert!(
        run.stdout.contains("address_command says 192.175.48.7, but ")
            && run.stdout.contains(" says 192.175.48.9"),
        "{run:?}"
    );
}
