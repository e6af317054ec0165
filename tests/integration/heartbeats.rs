//! The heartbeat. A good run sends one. A failed run reports its failure if the config says so. A
//! dry run sends none. A heartbeat that cannot be sent affects nothing else.

use serde_json::json;

use crate::support::expected::out_of_order;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_reflector::HOST;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};

const QUERY: &str = "token=h3artbeat%2FSecret";

/// A fixture with a `heartbeat_url` and this `heartbeat_fail`.
fn fixture(fail: Option<bool>) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.secret("h3artbeat%2FSecret");
    let base = fixture.reflector.server().url(HOST);
    fixture.configure(|config| {
        config["heartbeat_url"] = json!(format!("{base}/ping/1?{QUERY}"));
        if let Some(fail) = fail {
            config["heartbeat_fail"] = json!(fail);
        }
    });
    fixture.reflector.at(&format!("/ping/1?{QUERY}"), Response::text("OK"));
    fixture.reflector.at(&format!("/ping/1/fail?{QUERY}"), Response::text("OK"));
    fixture
}

fn heartbeats(fixture: &Fixture) -> Vec<String> {
    fixture.reflector.request_lines().into_iter().filter(|asked| asked.contains("/ping/")).collect()
}

#[test]
fn good_run_sends_a_heartbeat() {
    let fixture = fixture(None);
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, Change]);
    // A run with a change and a run without a change send one heartbeat each.
    assert_eq!(fixture.reflector.request_lines().last(), Some(&format!("GET /ping/1?{QUERY}")));
    fixture.run().assert_silent();
    assert_eq!(heartbeats(&fixture).len(), 2);
}

#[test]
fn failed_run_reports_failure_only_if_configured() {
    for (fail, expected) in [
        (None, vec![]),
        (Some(false), vec![]),
        (Some(true), vec![format!("POST /ping/1/fail?{QUERY}")]),
    ] {
        let fixture = fixture(fail);
        fixture.reflector.fails(Family::V4);
        fixture.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&["+ autodns.lock"]);
        assert_eq!(heartbeats(&fixture), expected, "{fail:?}");
        assert_eq!(fixture.aws.published().len(), 1);
    }
}

#[test]
fn failure_of_one_family_is_reported_as_failure() {
    let mut fixture = fixture(Some(true));
    fixture.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
    fixture.reflector.fails(Family::V6);
    fixture.run().assert(1, "", &out_of_order(Family::V6));
    assert_eq!(heartbeats(&fixture), [format!("POST /ping/1/fail?{QUERY}")]);
}

/// The content type and the body of each request to `/fail`.
fn posted(fixture: &Fixture) -> Vec<(Option<String>, String)> {
    let requests = fixture.reflector.server().requests();
    let failures = requests.iter().filter(|request| request.path().ends_with("/fail"));
    failures
        .map(|request| (request.header("content-type").map(Into::into), request.body_text()))
        .collect()
}

#[test]
fn failure_is_posted_with_the_lines_of_the_run() {
    let fixture = fixture(Some(true));
    fixture.reflector.fails(Family::V4);
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1));
    let lines = run.stderr.replace("{reflector}", &fixture.reflector.server().url(HOST));
    let lines = lines.replace("autodns: ", "");
    assert_eq!(posted(&fixture), [(Some("text/plain; charset=utf-8".into()), lines)]);
}

#[test]
fn setup_error_is_posted() {
    let mut fixture = fixture(Some(true));
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", "");
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(2));
    let posted = posted(&fixture);
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert_eq!(format!("autodns: {}", posted[0].1), run.stderr);
}

#[test]
fn posted_lines_are_truncated_at_10_kb() {
    let mut fixture = fixture(Some(true));
    let name = format!("{0}.{0}.{0}.example.com", "n".repeat(60));
    let names: Vec<String> = (0..100).map(|number| format!("{number}.{name}")).collect();
    fixture.configure(|config| config["dns_name"] = json!(names));
    fixture.reflector.fails(Family::V4);
    assert_eq!(fixture.run().status.code(), Some(1));
    let lengths: Vec<usize> = posted(&fixture).iter().map(|(_, body)| body.len()).collect();
    assert_eq!(lengths, [10_000]);
}

#[test]
fn redirect_302_is_followed_by_get_without_the_lines() {
    let fixture = fixture(Some(true));
    let moved = Response::redirect(302, "/ping/moved/fail");
    fixture.reflector.at(&format!("/ping/1/fail?{QUERY}"), moved);
    fixture.reflector.at("/ping/moved/fail", Response::text("OK"));
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &out_of_order(Family::V4));
    let asked = [format!("POST /ping/1/fail?{QUERY}"), "GET /ping/moved/fail".into()];
    assert_eq!(heartbeats(&fixture), asked);
    assert_eq!(posted(&fixture)[1], (None, String::new()));
}

#[test]
fn dry_run_sends_no_heartbeat() {
    let fixture = fixture(Some(true));
    let said = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    fixture.run_with(&["--dry-run"]).assert(0, said, "");
    fixture.reflector.fails(Family::V4);
    fixture.run_with(&["--dry-run"]).assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&fixture), Vec::<String>::new());
}

#[test]
fn failed_heartbeat_is_only_a_verbose_warning() {
    for (reply, warning) in [
        (Response::new(404, "text/plain", QUERY).into(), "it answered 404; check heartbeat_url"),
        (Response::new(302, "text/plain", "").into(), "it answered 302; check heartbeat_url"),
        (
            Response::redirect(302, "http://192.175.48.7/").into(),
            "it redirects to a place that is not an https URL; check heartbeat_url",
        ),
        (
            Response::redirect(302, "http://127.0.0.1/").into(),
            "it redirects from https to plain http; check heartbeat_url",
        ),
        (
            Response::redirect(302, &format!("/ping/1?{QUERY}")).into(),
            "it redirects more than 2 times; check heartbeat_url",
        ),
        (
            Reply::reset(),
            "the connection was closed before the response was whole; check the connection if \
             the next run fails too",
        ),
        (Reply::Endless, "the response is too large; check who answers there"),
    ] {
        let mut fixture = fixture(None);
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.reflector.at(&format!("/ping/1?{QUERY}"), reply);
        fixture.run().assert_silent().assert_wrote(&[]);
        let run = fixture.run_with(&["--verbose"]);
        assert_eq!(run.status.code(), Some(0));
        let said = format!("autodns: warning: the heartbeat to {{reflector}}/[hidden]: {warning}");
        assert_eq!(run.stderr.lines().last(), Some(said.as_str()));
    }
}

#[test]
fn heartbeat_is_retried_after_a_transient_error() {
    let mut fixture = fixture(None);
    let base = fixture.reflector.server().url("only4.example.net");
    // A path without a fixed reply, so that the next replies can be scripted.
    fixture.configure(|config| config["heartbeat_url"] = json!(format!("{base}/ping/other")));
    fixture.reflector.once(Family::V4, Response::text("192.175.48.7"));
    fixture.reflector.once(Family::V4, Response::new(503, "text/plain", ""));
    fixture.run().assert_silent();
    assert_eq!(heartbeats(&fixture), ["GET /ping/other", "GET /ping/other"]);
}

/// Uptime Kuma counts every request below the URL of a monitor as a success, even `/fail`.
#[test]
fn failure_is_sent_to_its_own_url_if_configured() {
    let mut fixture = fixture(None);
    let base = fixture.reflector.server().url(HOST);
    let down = "status=down&msg=3rrorSecret";
    fixture.sandbox.secret("3rrorSecret");
    fixture.configure(|config| config["heartbeat_fail"] = json!(format!("{base}/ping/1?{down}")));
    fixture.reflector.at(&format!("/ping/1?{down}"), Response::text("OK"));
    fixture.run().assert_silent();
    assert_eq!(heartbeats(&fixture), [format!("GET /ping/1?{QUERY}")]);
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&fixture)[1..], [format!("GET /ping/1?{down}")]);
    fixture.reflector.at(&format!("/ping/1?{down}"), Response::new(404, "text/plain", ""));
    let run = fixture.run_with(&["--verbose"]);
    let warning = "autodns: warning: the heartbeat to {reflector}/[hidden]: it answered 404; check \
                   heartbeat_fail";
    assert_eq!(run.stderr.lines().last(), Some(warning));
}

#[test]
fn heartbeat_redirects_are_followed() {
    let fixture = fixture(Some(true));
    for (ping, target) in [
        (format!("/ping/1?{QUERY}"), "/ping/moved"),
        (format!("/ping/1/fail?{QUERY}"), "/ping/moved/fail"),
    ] {
        let url = fixture.reflector.server().url("reflect2.example.net") + target;
        fixture.reflector.at(&ping, Response::redirect(308, &url));
        fixture.reflector.at(target, Response::text("OK"));
    }
    fixture.run().assert_silent();
    assert_eq!(heartbeats(&fixture)[1..], ["GET /ping/moved"]);
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&fixture)[3..], ["POST /ping/moved/fail"]);
}

#[test]
fn heartbeat_path_is_hidden() {
    let mut fixture = fixture(None);
    let key = "550e8400-e29b-41d4-a716-446655440000";
    fixture.sandbox.secret(key);
    fixture.remove_from_config("topic_arn");
    let base = fixture.reflector.server().url(HOST);
    fixture.configure(|config| {
        config["heartbeat_url"] = json!(format!("{base}/{key}"));
        config["reflect_url"] = json!(format!("{base}/plain"));
    });
    fixture.reflector.at(&format!("/{key}"), Response::text("OK"));
    fixture.reflector.at("/plain", Response::text("192.175.48.7\n"));
    let run = fixture.run_with(&["--verbose"]);
    let said = "autodns: heartbeat: delivered to {reflector}/[hidden]";
    assert_eq!((run.status.code(), run.stderr.lines().last()), (Some(0), Some(said)));
    // `check` looks at the mode of a config with a secret.
    let run = fixture.run_args(&["check", &fixture.sandbox.path("autodns.json")]);
    assert!(run.stdout.contains("autodns.json contains a secret"), "{}", run.stdout);
}
