//! The sign of life: sent after a run in which all is right, or as a failure where the config asks
//! for it; never in a dry run, and never of consequence for anything else.

use serde_json::json;

use crate::support::aws::Call::{Change, List};
use crate::support::http::{Answer, Family, Reply};
use crate::support::reflector::HOST;
use crate::support::scene::Scene;
use crate::support::words::out_of_order;

const QUERY: &str = "token=h3artbeat%2FSecret";

/// A scene with a heartbeat at `/ping/1`, and what the config says of it besides.
fn scene(fail: Option<bool>) -> Scene {
    let mut scene = Scene::new();
    scene.sandbox.secret("h3artbeat%2FSecret");
    let base = scene.reflector.server().url(HOST);
    scene.configure(|config| {
        config["heartbeat_url"] = json!(format!("{base}/ping/1?{QUERY}"));
        if let Some(fail) = fail {
            config["heartbeat_fail"] = json!(fail);
        }
    });
    scene.reflector.at(&format!("/ping/1?{QUERY}"), Answer::text("OK"));
    scene.reflector.at(&format!("/ping/1/fail?{QUERY}"), Answer::text("OK"));
    scene
}

fn heartbeats(scene: &Scene) -> Vec<String> {
    scene.reflector.asked().into_iter().filter(|asked| asked.contains("/ping/")).collect()
}

#[test]
fn a_run_in_which_all_is_right_sends_one() {
    let scene = scene(None);
    scene.run().assert_silent().assert_wrote(&[]);
    assert_eq!(scene.aws.calls(), [List, Change]);
    // After the change; and after a run that had nothing to do.
    assert_eq!(scene.reflector.asked().last(), Some(&format!("GET /ping/1?{QUERY}")));
    scene.run().assert_silent();
    assert_eq!(heartbeats(&scene).len(), 2);
}

#[test]
fn a_run_that_fails_sends_none_or_tells_the_failure() {
    for (fail, expected) in [
        (None, vec![]),
        (Some(false), vec![]),
        (Some(true), vec![format!("GET /ping/1/fail?{QUERY}")]),
    ] {
        let scene = scene(fail);
        scene.reflector.replies(Family::V4, Answer::text("out of order"));
        scene.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&["+ autodns.lock"]);
        assert_eq!(heartbeats(&scene), expected, "{fail:?}");
        assert_eq!(scene.aws.published().len(), 1);
    }
}

#[test]
fn one_family_that_fails_is_a_failure() {
    let mut scene = scene(Some(true));
    scene.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
    scene.reflector.replies(Family::V6, Answer::text("out of order"));
    scene.run().assert(1, "", &out_of_order(Family::V6));
    assert_eq!(heartbeats(&scene), [format!("GET /ping/1/fail?{QUERY}")]);
}

#[test]
fn a_dry_run_sends_none() {
    let scene = scene(Some(true));
    let said = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    scene.run_with(&["--dry-run"]).assert(0, said, "");
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene.run_with(&["--dry-run"]).assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&scene), Vec::<String>::new());
}

#[test]
fn one_that_does_not_arrive_is_a_warning_of_verbose_and_nothing_else() {
    for (reply, warning) in [
        (Answer::new(404, "text/plain", QUERY).into(), "it answered 404; check heartbeat_url"),
        (Answer::redirect(302, "/login").into(), "it answered 302; check heartbeat_url"),
        (
            Reply::reset(),
            "the connection was closed before the answer was whole; check the connection; the \
             next run tries again",
        ),
        (Reply::Endless, "the answer is too large; check who answers there"),
    ] {
        let mut scene = scene(None);
        scene.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        scene.reflector.at(&format!("/ping/1?{QUERY}"), reply);
        scene.run().assert_silent().assert_wrote(&[]);
        let run = scene.run_with(&["--verbose"]);
        assert_eq!(run.status.code(), Some(0));
        let said = format!("autodns: warning: the heartbeat to {{reflector}}/ping/1: {warning}");
        assert_eq!(run.stderr.lines().last(), Some(said.as_str()));
    }
}

#[test]
fn one_that_meets_what_passes_is_sent_again() {
    let mut scene = scene(None);
    let base = scene.reflector.server().url("only4.example.net");
    // A path without a reply of its own, whose next answers can be scripted.
    scene.configure(|config| config["heartbeat_url"] = json!(format!("{base}/ping/other")));
    scene.reflector.once(Family::V4, Answer::text("192.175.48.7"));
    scene.reflector.once(Family::V4, Answer::new(503, "text/plain", ""));
    scene.run().assert_silent();
    assert_eq!(heartbeats(&scene), ["GET /ping/other", "GET /ping/other"]);
}
