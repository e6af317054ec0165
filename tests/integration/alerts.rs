//! Alerts. The first failing run sends one, the lock suppresses further ones, and a recovery
//! message follows. Also tested: the lock cannot be written, the message cannot be sent.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::ca::Certificate;
use crate::support::clock;
use crate::support::expected::{self, ALERT_SUBJECT, PUBLISH_FAILED, RECOVERY_SUBJECT};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{FakeAws, Fault, KEY_ID, TOPIC, ZONE_ID};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};
use crate::support::latch::Latch;
use crate::support::server::{Listen, Protocol};

const LOCK: &str = "autodns.lock";
const ONCE: &str = "The next message comes when everything is up to date again.\n";
/// The record before any change.
const OLD: &str = "home.example.com A still says 192.175.48.1 (TTL 300).";

/// A fixture whose reflector fails over IPv4.
fn failing() -> Fixture {
    let fixture = Fixture::new();
    fail_reflector(&fixture);
    fixture
}

fn fail_reflector(fixture: &Fixture) {
    fixture.reflector.fails(Family::V4);
}

fn repair_reflector(fixture: &Fixture) {
    fixture.reflector.says(Family::V4, "192.175.48.7");
}

fn out_of_order() -> String {
    expected::out_of_order(Family::V4)
}

/// The whole text of an alert about this config, with these lines of stderr and this last line.
fn alert_text(config: &str, stderr: &str, end: &str) -> String {
    let lines = stderr.replace("autodns: ", "  ");
    format!(
        "autodns on raspberrypi could not bring home.example.com up to date\nat {{time}} by that \
         host's clock.\n\n{OLD}\n\n{lines}\nautodns tries again at every run. To see each step, \
         log in to raspberrypi and run:\n\n  sudo {{program}} --dry-run --verbose \
         {{home}}/{config}\n\nHost:   raspberrypi\nConfig: {{home}}/{config}\n\n{end}"
    )
}

fn recovery_text(took: &str) -> String {
    format!(
        "home.example.com is up to date again, {took} after the alert of {{time}}.\n\nHost:   \
         raspberrypi\nConfig: {{home}}/autodns.json\n"
    )
}

/// Compares subjects and messages whole. Placeholders replace the texts that differ from run to
/// run.
#[track_caller]
fn assert_published(fixture: &Fixture, expected: &[(&str, &str)]) {
    let seen: Vec<(String, String)> = fixture
        .aws
        .published()
        .into_iter()
        .map(|published| {
            assert_eq!(published.topic, TOPIC);
            let message =
                clock::with_placeholders(&fixture.sandbox.with_placeholders(&published.message));
            (published.subject, message)
        })
        .collect();
    let same =
        seen.iter().map(|(one, two)| (one.as_str(), two.as_str())).eq(expected.iter().copied());
    assert!(same, "published:\n{seen:#?}\nexpected:\n{expected:#?}");
}

#[test]
fn alert_names_host_record_cause_start_and_advice() {
    let fixture = failing();
    fixture.run().assert(1, "", &out_of_order()).assert_wrote(&["+ autodns.lock"]);
    assert_published(
        &fixture,
        &[(ALERT_SUBJECT, &alert_text("autodns.json", &out_of_order(), ONCE))],
    );
    let lock = fixture.sandbox.read(LOCK).expect("the lock");
    let lock: Value = serde_json::from_str(&lock).expect("JSON in the lock");
    assert_eq!(lock["config"], fixture.sandbox.path("autodns.json"));
    assert_eq!(lock["zone"], ZONE_ID);
    assert_eq!(lock["names"], json!(["home.example.com"]));
}

#[test]
fn lasting_failure_is_printed_each_run_and_alerted_once() {
    let fixture = failing();
    fixture.run().assert(1, "", &out_of_order());
    for _ in 0..2 {
        fixture.run().assert(1, "", &out_of_order()).assert_wrote(&[]);
    }
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn empty_lock_of_autodns_py_suppresses_the_alert() {
    let fixture = failing();
    fixture.sandbox.write(LOCK, "");
    // The modification time of the lock is the time of the alert.
    let age = Duration::from_mins(3061);
    let lock = File::options().write(true).open(fixture.sandbox.path(LOCK)).expect("the lock");
    lock.set_modified(SystemTime::now() - age).expect("utimensat");
    fixture.run().assert(1, "", &out_of_order()).assert_wrote(&[]);
    assert_published(&fixture, &[]);
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_published(&fixture, &[(RECOVERY_SUBJECT, &recovery_text("2 days 3 hours"))]);
}

#[test]
fn recovery_removes_lock_and_sends_message() {
    let fixture = failing();
    fixture.run();
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    let alert = alert_text("autodns.json", &out_of_order(), ONCE);
    assert_published(
        &fixture,
        &[(ALERT_SUBJECT, &alert), (RECOVERY_SUBJECT, &recovery_text("{seconds}"))],
    );
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 2);
    // The next failure sends a new alert.
    fail_reflector(&fixture);
    fixture.run().assert(1, "", &out_of_order()).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.published().len(), 3);
}

#[test]
fn recovery_sends_no_message_when_config_disables_it() {
    let mut fixture = failing();
    fixture.configure(|config| config["notify_recovery"] = json!(false));
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn recovery_of_one_family_keeps_the_lock() {
    let fixture = Fixture::with_both_families();
    for family in [Family::V4, Family::V6] {
        fixture.reflector.fails(family);
    }
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    fixture.run().assert(1, "", &expected::out_of_order(Family::V6)).assert_wrote(&[]);
    fixture.reflector.says(Family::V6, "2620:4f:8000::7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(fixture.aws.published().len(), 2);
}

#[test]
fn lock_is_removed_when_recovery_message_is_denied() {
    let fixture = failing();
    fixture.run();
    repair_reflector(&fixture);
    let denied = Fault::error(403, "AuthorizationError", "User is not authorized");
    fixture.aws.always(Publish, denied);
    let said = "autodns: home.example.com: the recovery message: could not publish \
                to {topic}: AuthorizationError: User is not authorized; "
        .to_owned()
        + expected::REPLACE_POLICY;
    fixture.run().assert(0, "", &said).assert_wrote(&["- autodns.lock"]);
    fixture.aws.clear_faults();
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn failed_alert_writes_no_lock_and_is_retried_next_run() {
    let unconfirmed = "autodns: home.example.com: the alert: could not confirm the message to \
                       {topic}: {aws}: the connection was closed before the response was whole; \
                       check the connection if the next run fails too\n";
    for (fault, said) in [
        (
            Fault::error(404, "NotFound", "Topic does not exist"),
            format!(
                "{PUBLISH_FAILED}NotFound: Topic does not exist; check topic_arn \
                 and its region\n"
            ),
        ),
        (
            Fault::error(403, "AuthorizationError", "User: x is not authorized"),
            format!(
                "{PUBLISH_FAILED}AuthorizationError: User: x is not authorized; {}",
                expected::REPLACE_POLICY
            ),
        ),
        (
            Fault::error(400, "KMSDisabled", "key is disabled"),
            format!(
                "{PUBLISH_FAILED}KMSDisabled: key is disabled; enable the KMS key of the topic\n"
            ),
        ),
        (
            Fault::error(400, "KMSAccessDenied", "x"),
            format!(
                "{PUBLISH_FAILED}KMSAccessDenied: x; allow this IAM user kms:GenerateDataKey* and \
                 kms:Decrypt in the policy of the topic's KMS key\n"
            ),
        ),
        (
            Fault::error(400, "KMSInvalidState", "x"),
            format!(
                "{PUBLISH_FAILED}KMSInvalidState: x; cancel the deletion of the topic's KMS key or \
                 complete its import, or give the topic another key\n"
            ),
        ),
        (
            Fault::error(400, "KMSNotFound", "x"),
            format!("{PUBLISH_FAILED}KMSNotFound: x; give the topic a KMS key that exists\n"),
        ),
        (
            Fault::error(403, "KMSOptInRequired", "x"),
            format!(
                "{PUBLISH_FAILED}KMSOptInRequired: x; activate KMS for the AWS account of the \
                 topic\n"
            ),
        ),
        (
            Fault::error(
                403,
                "AuthorizationError",
                "User: x is not authorized because no resource-based policy allows the action",
            ),
            format!(
                "{PUBLISH_FAILED}AuthorizationError: User: x is not authorized because no \
                 resource-based policy allows the action; ask the owner of the topic to allow this \
                 IAM user sns:Publish in the topic's access policy\n"
            ),
        ),
        (
            Fault::error(400, "InvalidParameter", "Invalid parameter: TopicArn"),
            format!(
                "{PUBLISH_FAILED}InvalidParameter: Invalid parameter: TopicArn; check \
                 topic_arn and its region\n"
            ),
        ),
        (Fault::Instead(Reply::nothing()), unconfirmed.to_owned()),
    ] {
        let mut fixture = failing();
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.aws.always(Publish, fault);
        // If the alert may have arrived, a pending file remains. A pending file is not a lock.
        let maybe = said.contains("could not confirm");
        let left: &[&str] = if maybe { &["+ .autodns.lock.pending"] } else { &[] };
        fixture.run().assert(1, "", &(out_of_order() + &said)).assert_wrote(left);
        fixture.aws.clear_faults();
        let moved: &[&str] = if maybe {
            &["- .autodns.lock.pending", "+ autodns.lock"]
        } else {
            &["+ autodns.lock"]
        };
        fixture.run().assert(1, "", &out_of_order()).assert_wrote(moved);
        assert_eq!(fixture.aws.published().len(), 1);
    }
}

#[test]
fn recovery_message_follows_alert_of_unknown_outcome() {
    let mut fixture = failing();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    fixture.aws.fault(Publish, Fault::After(Reply::reset()));
    fixture.run().assert_wrote(&["+ .autodns.lock.pending"]);
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&["- .autodns.lock.pending"]);
    let alert = alert_text("autodns.json", &out_of_order(), ONCE);
    assert_published(
        &fixture,
        &[(ALERT_SUBJECT, &alert), (RECOVERY_SUBJECT, &recovery_text("{seconds}"))],
    );
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 2);
}

/// A fixture after a failed run with an alert. The next run succeeds, with one attempt per request.
fn recovered() -> Fixture {
    let mut fixture = failing();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    fixture
}

/// Asserts that a run cannot send the recovery message, and that the next good run sends it.
#[track_caller]
fn assert_recovery_is_retried(mut fixture: Fixture, cause_error: impl FnOnce(&mut Fixture)) {
    cause_error(&mut fixture);
    let run = fixture.run();
    run.assert_wrote(&["+ .autodns.lock.pending", "- autodns.lock"]);
    assert_eq!((run.status.code(), run.stderr.lines().count()), (Some(0), 1), "{run:?}");
    let kept = "the recovery message: could not";
    assert!(run.stderr.contains(kept), "{run:?}");
    fixture.sandbox.unset("AWS_ENDPOINT_URL_SNS");
    fixture.run().assert_silent().assert_wrote(&["- .autodns.lock.pending"]);
    let alert = alert_text("autodns.json", &out_of_order(), ONCE);
    assert_published(
        &fixture,
        &[(ALERT_SUBJECT, &alert), (RECOVERY_SUBJECT, &recovery_text("{seconds}"))],
    );
}

#[test]
fn recovery_message_is_retried_after_a_transient_error() {
    let portal = "<html><body>Please sign in</body></html>";
    for fault in [
        Fault::error(503, "ServiceUnavailable", "x"),
        Fault::error(400, "Throttling", "x"),
        Fault::error(403, "ExpiredToken", "x"),
        Fault::error(403, "SignatureDoesNotMatch", "x"),
        Fault::error(403, "InvalidClientTokenId", "x"),
        Fault::error(400, "KMSThrottling", "x"),
        Fault::Instead(Reply::reset()),
        Fault::Instead(Response::new(403, "text/html", portal).into()),
        Fault::Instead(Response::new(404, "text/html", portal).into()),
        Fault::Instead(Response::new(511, "text/html", portal).into()),
        Fault::Instead(Response::new(200, "text/html", portal).into()),
        Fault::Instead(Response::new(403, "application/xml", "<Error/>").into()),
        Fault::Instead(Response::redirect(302, "https://portal.example/").into()),
    ] {
        assert_recovery_is_retried(recovered(), |fixture| fixture.aws.fault(Publish, fault));
    }
}

#[test]
fn recovery_message_is_retried_when_sns_is_unreachable() {
    for certificate in [Certificate::Untrusted, Certificate::Expired, Certificate::NotYetValid] {
        let portal = FakeAws::start_as(Listen::V4, Protocol::Tls(certificate));
        let url = portal.url();
        assert_recovery_is_retried(recovered(), |fixture| {
            fixture.sandbox.set("AWS_ENDPOINT_URL_SNS", url);
        });
    }
    // The name server answers NXDOMAIN once.
    assert_recovery_is_retried(recovered(), |fixture| {
        fixture.sandbox.etc("nsswitch.conf", "hosts: files\n");
        fixture.sandbox.set("AWS_ENDPOINT_URL_SNS", "https://sns.example.org");
    });
}

/// Asserts that each failing run prints why there is no lock, and sends the alert again.
#[track_caller]
fn assert_alert_repeats(fixture: &Fixture, why: &str) {
    let why = format!("{why}; every failing run repeats the alert until this is fixed");
    let stderr = out_of_order() + &format!("autodns: home.example.com: {why}\n");
    let end = format!("This message repeats: {why}.\n");
    let alert = alert_text("autodns.json", &out_of_order(), &end);
    for count in 1..=2 {
        fixture.run().assert(1, "", &stderr).assert_wrote(&[]);
        assert_published(fixture, &vec![(ALERT_SUBJECT, alert.as_str()); count]);
    }
}

#[test]
fn alert_repeats_when_lock_cannot_be_written() {
    for (place, why) in [
        ("missing", "No such file or directory (os error 2)"),
        ("autodns.json", "Not a directory (os error 20)"),
        ("read-only", "Read-only file system (os error 30)"),
        ("full", "No space left on device (os error 28)"),
    ] {
        let mut fixture = failing();
        match place {
            "read-only" | "full" => {
                fs::create_dir(fixture.sandbox.path(place)).expect("a directory");
            }
            _ => {}
        }
        match place {
            "read-only" => fixture.sandbox.make_read_only(place),
            "full" => fixture.sandbox.make_full(place),
            _ => {}
        }
        let lock = fixture.sandbox.path(&format!("{place}/autodns.lock"));
        fixture.configure(|config| config["alert_lock"] = json!(lock));
        let verb = if place == "autodns.json" { "read" } else { "written" };
        assert_alert_repeats(
            &fixture,
            &format!("alert_lock {{home}}/{place}/autodns.lock cannot be {verb}: {why}"),
        );
        // There is no lock, so recovery sends no message.
        repair_reflector(&fixture);
        if place != "autodns.json" {
            fixture.run().assert_silent().assert_wrote(&[]);
        }
        assert_eq!(fixture.aws.published().len(), 2, "{place}");
    }
}

#[test]
fn lock_that_cannot_be_removed_suppresses_no_alert() {
    for (is_pinned, error) in [
        (false, "Read-only file system (os error 30)"),
        // A single file mounted into a container.
        (true, "Device or resource busy (os error 16)"),
    ] {
        let mut fixture = failing();
        fs::create_dir(fixture.sandbox.path("disk")).expect("a directory");
        let lock = fixture.sandbox.path("disk/autodns.lock");
        fixture.configure(|config| config["alert_lock"] = json!(lock));
        fixture.run().assert_wrote(&["+ disk/autodns.lock"]);
        fixture.aws.state().sns.topics.insert(TOPIC.into(), Vec::new());
        if is_pinned {
            fixture.sandbox.pin("disk/autodns.lock");
        } else {
            fixture.sandbox.make_read_only("disk");
        }
        let why = format!("alert_lock {{home}}/disk/autodns.lock cannot be removed: {error}");
        assert_alert_repeats(&fixture, &why);
        // Without a lock to remove, every good run would send the message again.
        repair_reflector(&fixture);
        let said = format!(
            "autodns: home.example.com: {why}; until this is fixed, alerts repeat and no recovery \
             message is sent\n"
        );
        fixture.run().assert(0, "", &said).assert_wrote(&[]);
        assert_eq!(fixture.aws.published().len(), 2);
        // The next failure sends an alert.
        fail_reflector(&fixture);
        fixture.run().assert_wrote(&[]);
        assert_eq!(fixture.aws.published().len(), 3);
        fixture.sandbox.clear_setup();
        repair_reflector(&fixture);
        fixture.run().assert_silent().assert_wrote(&["- disk/autodns.lock"]);
        assert_eq!(fixture.aws.published().len(), 4);
        assert_eq!(fixture.aws.published()[3].subject, RECOVERY_SUBJECT);
    }
}

#[test]
fn lock_that_is_a_symlink_is_not_followed() {
    for target in ["precious", "not-there"] {
        let fixture = failing();
        fixture.sandbox.write("precious", "precious content");
        symlink(fixture.sandbox.path(target), fixture.sandbox.path(LOCK)).expect("a symlink");
        let why = "alert_lock {home}/autodns.lock is a symbolic link, which is never followed";
        assert_alert_repeats(&fixture, why);
        repair_reflector(&fixture);
        fixture.run().assert_silent().assert_wrote(&[]);
        assert_eq!(fixture.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!fixture.sandbox.exists("not-there"));
    }
}

#[test]
fn lock_that_is_a_directory_is_left_unchanged() {
    let fixture = failing();
    fs::create_dir(fixture.sandbox.path(LOCK)).expect("a directory");
    assert_alert_repeats(&fixture, "alert_lock {home}/autodns.lock is a directory");
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&[]);
}

#[test]
fn lock_with_foreign_content_is_left_unchanged() {
    for content in ["my notes\n", "{\"config\": 7}\n", "[]"] {
        let fixture = failing();
        fixture.sandbox.write(LOCK, content);
        let why = "alert_lock {home}/autodns.lock is a file that autodns did not write";
        assert_alert_repeats(&fixture, why);
        repair_reflector(&fixture);
        fixture.run().assert_silent().assert_wrote(&[]);
    }
}

#[test]
fn lock_of_another_config_is_ignored_and_kept() {
    let fixture = failing();
    let mut config = fixture.config();
    config["dns_name"] = json!("host.example.com");
    let other = fixture.write_config("other.json", &config);
    fixture.run_args(&[&other]).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.published().len(), 1);
    let lock = fixture.sandbox.read(LOCK);
    fixture.aws.state().sns.topics.insert(TOPIC.into(), Vec::new());
    assert_alert_repeats(
        &fixture,
        "alert_lock {home}/autodns.lock belongs to another configuration, {home}/other.json",
    );
    repair_reflector(&fixture);
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.sandbox.read(LOCK), lock);
    fixture.run_args(&[&other]).assert_silent().assert_wrote(&["- autodns.lock"]);
}

#[test]
fn failure_without_topic_writes_no_lock() {
    let mut fixture = failing();
    fixture.remove_from_config("topic_arn");
    fixture.run().assert(1, "", &out_of_order()).assert_wrote(&[]);
    fixture.remove_from_config("alert_lock");
    fixture.run().assert(1, "", &out_of_order()).assert_wrote(&[]);
    repair_reflector(&fixture);
    fixture.run().assert_silent();
    assert!(!fixture.aws.operations().contains(&Publish));
}

#[test]
fn dry_run_sends_nothing_and_keeps_the_lock() {
    let fixture = failing();
    fixture.run_with(&["--dry-run"]).assert(1, "", &out_of_order()).assert_wrote(&[]);
    assert_published(&fixture, &[]);
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    fixture
        .run_with(&["--dry-run"])
        .assert(0, "home.example.com A: 192.175.48.1 -> 192.175.48.7\n", "")
        .assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn route_53_failure_sends_an_alert() {
    let fixture = Fixture::new();
    fixture.aws.state().denied.push((KEY_ID.into(), Change));
    let said = expected::denied(Change);
    fixture.run().assert(1, "", &said).assert_wrote(&["+ autodns.lock"]);
    assert_published(&fixture, &[(ALERT_SUBJECT, &alert_text("autodns.json", &said, ONCE))]);
    fixture.aws.state().denied.clear();
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(fixture.aws.operations(), [List, Change, Publish, List, Change, Publish]);
}

#[test]
fn subject_is_short_printable_ascii_for_any_name() {
    let mut fixture = failing();
    let label = "a".repeat(63);
    let name = format!("{label}.{label}.{label}.example.com");
    fixture.configure(|config| config["dns_name"] = json!(name));
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    fixture.run().assert_silent();
    // The fake SNS rejects a subject that SNS would reject.
    let published = fixture.aws.published();
    assert_eq!(published.len(), 2);
    for alert in published {
        assert!(alert.subject.len() <= 99, "{}", alert.subject);
        assert!(alert.message.contains(&name), "{}", alert.message);
    }
}

#[test]
fn alert_is_sent_again_after_a_killed_run() {
    let fixture = failing();
    let latch = Latch::default();
    fixture.aws.fault(Publish, Fault::Held(latch.clone()));
    let mut first = fixture.spawn();
    latch.wait_for(1);
    first.kill();
    drop(first);
    latch.open();
    // A duplicate alert is better than a missed one.
    fixture.run().assert(1, "", &out_of_order());
    let alert = alert_text("autodns.json", &out_of_order(), ONCE);
    assert_published(&fixture, &[(ALERT_SUBJECT, &alert), (ALERT_SUBJECT, &alert)]);
    assert_eq!(files_like_a_lock(&fixture), [LOCK]);
    repair_reflector(&fixture);
    fixture.run().assert_silent();
    assert_eq!(files_like_a_lock(&fixture), Vec::<String>::new());
}

#[test]
fn recovery_message_is_sent_again_after_a_killed_run() {
    let fixture = failing();
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    repair_reflector(&fixture);
    let latch = Latch::default();
    // The message never arrives.
    fixture.aws.fault(Publish, Fault::Instead(Reply::held(&latch, Reply::nothing())));
    let mut second = fixture.spawn();
    latch.wait_for(1);
    second.kill();
    drop(second);
    latch.open();
    fixture.run().assert_silent();
    let alert = alert_text("autodns.json", &out_of_order(), ONCE);
    assert_published(
        &fixture,
        &[(ALERT_SUBJECT, &alert), (RECOVERY_SUBJECT, &recovery_text("{seconds}"))],
    );
    assert_eq!(files_like_a_lock(&fixture), Vec::<String>::new());
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.published().len(), 2);
}

fn files_like_a_lock(fixture: &Fixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.sandbox.home()).expect("the home");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    names.map(|name| name.expect("UTF-8")).filter(|name| name.contains("lock")).collect()
}
