//! What follows a change: the message that `notify_change` asks for, and `change_command`.

use serde_json::json;

use crate::support::expected::{RECOVERY_SUBJECT, out_of_order};
use crate::support::fake_aws::Fault;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply};

const CHANGED: &str = "autodns: new address of home.example.com A (raspberrypi)";
const BODY: &str = "autodns on raspberrypi has written a new address:\n\n  \
                    home.example.com A: 192.175.48.1 -> 192.175.48.7\n\nHost:   raspberrypi\n\
                    Config: {home}/autodns.json\n";

fn notifying() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["notify_change"] = json!(true));
    fixture
}

/// The subjects and texts that were published.
fn published(fixture: &Fixture) -> Vec<(String, String)> {
    let messages = fixture.aws.published().into_iter();
    messages
        .map(|message| (message.subject, fixture.sandbox.with_placeholders(&message.message)))
        .collect()
}

#[test]
fn change_message_is_sent_once_with_old_and_new_address() {
    let fixture = notifying();
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(published(&fixture), [(CHANGED.into(), BODY.into())]);
    fixture.run().assert_silent();
    assert_eq!(published(&fixture).len(), 1);
}

#[test]
fn change_message_is_not_sent_by_default_or_in_a_dry_run() {
    let fixture = Fixture::new();
    fixture.run().assert_silent();
    assert_eq!(published(&fixture), []);
    let said = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    let fixture = notifying();
    fixture.run_with(&["--dry-run"]).assert(0, said, "");
    assert_eq!(published(&fixture), []);
}

#[test]
fn changed_ttl_alone_sends_no_message() {
    let mut fixture = notifying();
    fixture.reflector.says(Family::V4, "192.175.48.1");
    fixture.configure(|config| config["ttl"] = json!(60));
    fixture.run().assert_silent();
    assert_eq!(published(&fixture), []);
}

#[test]
fn recovery_message_has_the_new_address() {
    let fixture = notifying();
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &out_of_order(Family::V4));
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    let published = published(&fixture);
    assert_eq!(published.len(), 2, "{published:#?}");
    let (subject, body) = &published[1];
    assert_eq!(subject, RECOVERY_SUBJECT);
    let (_, rest) = body.split_once(".\n\n").expect("a first sentence");
    assert_eq!(
        rest,
        "  home.example.com A: 192.175.48.1 -> 192.175.48.7\n\nHost:   raspberrypi\nConfig: \
         {home}/autodns.json\n"
    );
}

#[test]
fn change_message_says_that_a_created_record_did_not_exist() {
    let mut fixture = notifying();
    fixture.configure(|config| config["dns_name"] = json!("new.example.com"));
    fixture.run().assert_silent();
    let published = published(&fixture);
    assert!(
        published[0].1.contains("  new.example.com A: did not exist -> 192.175.48.7\n"),
        "{published:#?}"
    );
}

#[test]
fn denied_change_message_prints_one_line_and_exits_0() {
    let fixture = notifying();
    let error = Fault::error(403, "AuthorizationError", "not allowed");
    fixture.aws.always(Publish, error);
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let start =
        "autodns: home.example.com: the message about the new address: could not publish to ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
}

/// A fixture whose `change_command` is this script.
fn with_change_command(script: &str) -> Fixture {
    let mut fixture = Fixture::new();
    let path = fixture.sandbox.script("changed.sh", &format!("#!/bin/sh\n{script}\n"));
    fixture.configure(|config| config["change_command"] = json!(format!("{path} 'a word'")));
    fixture
}

const NOTE: &str = "echo \"$1|$AUTODNS_NAME|$AUTODNS_TYPE|$AUTODNS_OLD|$AUTODNS_NEW\" \
                    >>\"$HOME/changed.txt\"";

#[test]
fn change_command_is_run_once_per_changed_record() {
    let mut fixture = with_change_command(NOTE);
    fixture.configure(|config| {
        config["dns_name"] = json!(["home.example.com", "new.example.com"]);
    });
    fixture.run().assert_silent().assert_wrote(&["+ changed.txt"]);
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(
        fixture.sandbox.read("changed.txt").expect("what it noted"),
        "a word|home.example.com|A|192.175.48.1|192.175.48.7\n\
         a word|new.example.com|A||192.175.48.7\n"
    );
}

#[test]
fn change_command_is_not_run_in_a_dry_run_or_without_a_change() {
    let fixture = with_change_command(NOTE);
    let said = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    fixture.run_with(&["--dry-run"]).assert(0, said, "").assert_wrote(&[]);
    fixture.reflector.says(Family::V4, "192.175.48.1");
    fixture.run().assert_silent().assert_wrote(&[]);
}

#[test]
fn failed_change_command_exits_1_without_an_alert() {
    for (script, cause) in [
        ("echo hush; echo hush >&2; exit 3", "it ended with exit status 3"),
        ("kill -9 $$", "it was ended by signal 9"),
    ] {
        let fixture = with_change_command(script);
        let line = format!(
            "autodns: home.example.com A: change_command: {cause}; run it by hand to see why\n"
        );
        fixture.run().assert(1, "", &line).assert_wrote(&[]);
        assert_eq!(published(&fixture), []);
        fixture.run().assert_silent();
    }
}

#[test]
fn hanging_change_command_ends_with_the_run() {
    let fixture = with_change_command("sleep 600");
    let run = fixture.run_with(&["--deadline", "2"]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    let start = "autodns: home.example.com A: change_command: it did not end within ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
    assert_eq!(published(&fixture), []);
}

#[test]
fn output_of_change_command_is_discarded() {
    let fixture = with_change_command("yes | head -c 3000000; yes | head -c 3000000 >&2");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn missing_change_command_is_reported() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["change_command"] = json!("/no/such/program"));
    let line = "autodns: home.example.com A: change_command: its program cannot be run: No such file \
                or directory (os error 2); check its path, and that this user may run it\n";
    fixture.run().assert(1, "", line);
}

#[test]
fn change_command_is_run_after_a_confirmed_change() {
    let fixture = with_change_command(NOTE);
    fixture.aws.fault(Change, Fault::After(Reply::reset()));
    fixture.run().assert_silent();
    let noted = "a word|home.example.com|A|192.175.48.1|192.175.48.7\n";
    assert_eq!(fixture.sandbox.read("changed.txt").as_deref(), Some(noted));
}

/// Route 53 rejects a second change while the first one is being made.
#[test]
fn change_command_is_run_once_after_a_lost_attempt() {
    let fixture = with_change_command(NOTE);
    fixture.aws.fault(Change, Fault::Instead(Reply::reset()));
    let busy = "The request was rejected because Route 53 was still processing a prior request.";
    fixture.aws.fault(Change, Fault::error(400, "PriorRequestNotComplete", busy));
    fixture.run().assert_silent();
    let noted = "a word|home.example.com|A|192.175.48.1|192.175.48.7\n";
    assert_eq!(fixture.sandbox.read("changed.txt").as_deref(), Some(noted));
}
