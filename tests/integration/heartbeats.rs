//! The heartbeat: sent after a run in which all is right, or as a failure where the config asks for
//! it; never in a dry run, and never of consequence for anything else.

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
        (Answer::new(302, "text/plain", "").into(), "it answered 302; check heartbeat_url"),
        (
            Answer::redirect(302, "http://192.175.48.7/").into(),
            "it redirects to what is no https URL; check heartbeat_url",
        ),
        (
            Answer::redirect(302, "http://127.0.0.1/").into(),
            "it redirects from https to plain http; check heartbeat_url",
        ),
        (
            Answer::redirect(302, &format!("/ping/1?{QUERY}")).into(),
            "it redirects more than 2 times; check heartbeat_url",
        ),
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
        let said = format!("autodns: warning: the heartbeat to {{reflector}}/[hidden]: {warning}");
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

/// Uptime Kuma takes whatever is below its URL for a success.
#[test]
fn failure_goes_to_a_url_of_its_own_where_the_config_has_one() {
    let mut scene = scene(None);
    let base = scene.reflector.server().url(HOST);
    let down = "status=down&msg=3rrorSecret";
    scene.sandbox.secret("3rrorSecret");
    scene.configure(|config| config["heartbeat_fail"] = json!(format!("{base}/ping/1?{down}")));
    scene.reflector.at(&format!("/ping/1?{down}"), Answer::text("OK"));
    scene.run().assert_silent();
    assert_eq!(heartbeats(&scene), [format!("GET /ping/1?{QUERY}")]);
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene.run().assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&scene)[1..], [format!("GET /ping/1?{down}")]);
    scene.reflector.at(&format!("/ping/1?{down}"), Answer::new(404, "text/plain", ""));
    let run = scene.run_with(&["--verbose"]);
    let warning = "autodns: warning: the heartbeat to {reflector}/[hidden]: it answered 404; check \
                   heartbeat_fail";
    assert_eq!(run.stderr.lines().last(), Some(warning));
}

#[test]
fn redirects_of_a_heartbeat_are_followed() {
    let scene = scene(Some(true));
    for (ping, target) in [
        (format!("/ping/1?{QUERY}"), "/ping/moved"),
        (format!("/ping/1/fail?{QUERY}"), "/ping/moved/fail"),
    ] {
        let url = scene.reflector.server().url("reflect2.example.net") + target;
        scene.reflector.at(&ping, Answer::redirect(308, &url));
        scene.reflector.at(target, Answer::text("OK"));
    }
    scene.run().assert_silent();
    assert_eq!(heartbeats(&scene)[1..], ["GET /ping/moved"]);
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene.run().assert(1, "", &out_of_order(Family::V4));
    assert_eq!(heartbeats(&scene)[3..], ["GET /ping/moved/fail"]);
}

#[test]
fn path_of_a_heartbeat_is_a_secret() {
    let mut scene = scene(None);
    let key = "550e8400-e29b-41d4-a716-446655440000";
    scene.sandbox.secret(key);
    scene.without("topic_arn");
    let base = scene.reflector.server().url(HOST);
    scene.configure(|config| {
        config["heartbeat_url"] = json!(format!("{base}/{key}"));
        config["reflect_url"] = json!(format!("{base}/plain"));
    });
    scene.reflector.at(&format!("/{key}"), Answer::text("OK"));
    scene.reflector.at("/plain", Answer::text("192.175.48.7\n"));
    let run = scene.run_with(&["--verbose"]);
    let said = "autodns: heartbeat: {reflector}/[hidden] has it";
    assert_eq!((run.status.code(), run.stderr.lines().last()), (Some(0), Some(said)));
    // Others must not read it, so its file's mode is looked at.
    let run = scene.run_args(&["check", &scene.sandbox.path("autodns.json")]);
    assert!(run.stdout.contains("autodns.json has a secret in it"), "{}", run.stdout);
}
