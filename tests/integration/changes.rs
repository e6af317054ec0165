//! What follows a change: the message that `notify_change` asks for.

use serde_json::json;

use crate::support::expected::out_of_order;
use crate::support::fake_aws::Fault;
use crate::support::fake_aws::Operation::Publish;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};

const CHANGED: &str = "autodns: home.example.com A has a new address (raspberrypi)";
const BODY: &str = "autodns on raspberrypi has written a new address:\n\n  \
                    home.example.com A: 192.175.48.1 -> 192.175.48.7\n\nHost:   raspberrypi\n\
                    Config: {home}/autodns.json\n";

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["notify_change"] = json!(true));
    fixture
}

/// The subjects and texts that were published.
fn published(fixture: &Fixture) -> Vec<(String, String)> {
    let messages = fixture.aws.published().into_iter();
    messages.map(|message| (message.subject, fixture.sandbox.neutral(&message.message))).collect()
}

#[test]
fn changed_address_is_told_once_with_old_and_new() {
    let fixture = fixture();
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(published(&fixture), [(CHANGED.into(), BODY.into())]);
    fixture.run().assert_silent();
    assert_eq!(published(&fixture).len(), 1);
}

#[test]
fn changed_address_is_not_told_by_default_or_in_a_dry_run() {
    let fixture = Fixture::new();
    fixture.run().assert_silent();
    assert_eq!(published(&fixture), []);
    let said = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    let fixture = self::fixture();
    fixture.run_with(&["--dry-run"]).assert(0, said, "");
    assert_eq!(published(&fixture), []);
}

#[test]
fn changed_ttl_alone_is_not_told() {
    let mut fixture = fixture();
    fixture.reflector.says(Family::V4, "192.175.48.1");
    fixture.configure(|config| config["ttl"] = json!(60));
    fixture.run().assert_silent();
    assert_eq!(published(&fixture), []);
}

#[test]
fn recovery_message_says_the_new_address_too() {
    let fixture = fixture();
    fixture.reflector.replies(Family::V4, Response::text("out of order"));
    fixture.run().assert(1, "", &out_of_order(Family::V4));
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    let published = published(&fixture);
    assert_eq!(published.len(), 2, "{published:#?}");
    let (subject, body) = &published[1];
    assert_eq!(subject, "autodns: home.example.com is up to date again (raspberrypi)");
    let (_, rest) = body.split_once(".\n\n").expect("a first sentence");
    assert_eq!(
        rest,
        "  home.example.com A: 192.175.48.1 -> 192.175.48.7\n\nHost:   raspberrypi\nConfig: \
         {home}/autodns.json\n"
    );
}

#[test]
fn created_record_is_told_as_one_that_did_not_exist() {
    let mut fixture = fixture();
    fixture.configure(|config| config["dns_name"] = json!("new.example.com"));
    fixture.run().assert_silent();
    let published = published(&fixture);
    assert!(
        published[0].1.contains("  new.example.com A: did not exist -> 192.175.48.7\n"),
        "{published:#?}"
    );
}

#[test]
fn message_that_is_denied_is_a_line_and_exit_0() {
    let fixture = fixture();
    let error = Fault::error(403, "AuthorizationError", "not allowed");
    fixture.aws.always(Publish, error);
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let start =
        "autodns: home.example.com: the message about the new address: could not publish to ";
    assert!(run.stderr.starts_with(start), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1);
}
