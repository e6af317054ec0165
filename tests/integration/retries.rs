//! Retries of reflectors, lists, changes and messages, within `AWS_MAX_ATTEMPTS`. Transient errors
//! are retried and permanent ones are not. If the response to a change was lost, a list shows
//! whether the change was made before it is sent again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::expected::{
    CHANGE_FAILED, IS_AN_ALIAS, LIST_FAILED, UNCONFIRMED, out_of_order,
};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{Fault, Operation};
use crate::support::fake_reflector::{Form, address_response};
use crate::support::fake_route53::{self, RecordSet};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};
use crate::support::latch::Latch;

fn transient_faults() -> Vec<(&'static str, Fault)> {
    let page = |status| Fault::Instead(Response::new(status, "text/html", "<html>").into());
    vec![
        ("reset", Fault::Instead(Reply::reset())),
        ("closed", Fault::Instead(Reply::nothing())),
        ("500", Fault::error(500, "InternalError", "x")),
        ("502", page(502)),
        ("503", Fault::error(503, "ServiceUnavailable", "x")),
        ("504", page(504)),
        ("507 of a CDN", page(507)),
        ("522 of a CDN", page(522)),
        ("599", page(599)),
        ("408", page(408)),
        ("425", page(425)),
        ("429", page(429)),
        ("throttled", Fault::error(400, "Throttling", "Rate exceeded")),
        ("not done", Fault::error(400, "PriorRequestNotComplete", "x")),
        ("timed out there", Fault::error(400, "RequestTimeout", "x")),
    ]
}

#[test]
fn transient_error_is_retried_and_the_run_succeeds() {
    for (what, fault) in transient_faults() {
        for operation in [List, Change] {
            let fixture = Fixture::new();
            fixture.aws.fault(operation, fault.clone());
            fixture.run().assert_silent().assert_wrote(&[]);
            let expected: &[Operation] = if operation == List {
                &[List, List, Change]
            } else {
                &[List, Change, List, Change]
            };
            assert_eq!(fixture.aws.operations(), expected, "{what}");
            assert_eq!(
                fixture.aws.record_sets()[0],
                "home.example.com. A 300 192.175.48.7",
                "{what}"
            );
        }
    }
}

#[test]
fn alert_with_a_transient_error_arrives_once() {
    for (what, fault) in transient_faults() {
        let fixture = Fixture::new();
        fixture.reflector.fails(Family::V4);
        fixture.aws.fault(Publish, fault);
        fixture.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&["+ autodns.lock"]);
        assert_eq!(fixture.aws.operations(), [List, Publish, Publish], "{what}");
        assert_eq!(fixture.aws.published().len(), 1, "{what}");
    }
}

#[test]
fn attempts_are_3_unless_aws_max_attempts_is_set() {
    for (limit, attempts) in [(None, 3), (Some("1"), 1), (Some("2"), 2)] {
        let mut fixture = Fixture::new();
        if let Some(limit) = limit {
            fixture.sandbox.set("AWS_MAX_ATTEMPTS", limit);
        }
        fixture.remove_from_config("topic_arn");
        fixture.aws.always(List, Fault::error(503, "ServiceUnavailable", "x"));
        fixture.run().assert(
            1,
            "",
            &format!(
                "{LIST_FAILED}ServiceUnavailable: x; wait for the next run, which tries again\n"
            ),
        );
        assert_eq!(fixture.aws.operations(), vec![List; attempts], "{limit:?}");
    }
}

#[test]
fn throttled_request_gets_more_attempts_than_failures() {
    let fixture = Fixture::new();
    for _ in 0..3 {
        fixture.aws.fault(List, Fault::error(400, "Throttling", "Rate exceeded"));
    }
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, List, List, List, Change]);
    // If AWS_MAX_ATTEMPTS is set, a throttled attempt counts.
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "2");
    fixture.remove_from_config("topic_arn");
    fixture.aws.always(List, Fault::error(400, "Throttling", "Rate exceeded"));
    let said = format!(
        "{LIST_FAILED}Throttling: Rate exceeded; wait for the next run: this AWS \
         account makes too many requests at once\n"
    );
    fixture.run().assert(1, "", &said);
    assert_eq!(fixture.aws.operations(), [List, List]);
}

#[test]
fn many_machines_of_one_account_all_succeed() {
    let fixture = Fixture::new();
    fixture.aws.state().rate = Some(2);
    let configs: Vec<String> = (0..6)
        .map(|number| {
            let mut config = fixture.config();
            config["dns_name"] = json!(format!("pi{number}.example.com"));
            config["alert_lock"] = json!(fixture.sandbox.path(&format!("lock{number}")));
            fixture.write_config(&format!("{number}.json"), &config)
        })
        .collect();
    let running: Vec<_> = configs.iter().map(|config| fixture.sandbox.spawn(&[config])).collect();
    for run in running {
        fixture.finish(run).assert_silent();
    }
    assert_eq!(
        fixture.aws.record_sets().iter().filter(|record| record.starts_with("pi")).count(),
        6
    );
    assert!(fixture.aws.state().throttled > 0);
    assert_eq!(fixture.aws.published(), []);
}

#[test]
fn throttled_request_is_retried_until_the_deadline() {
    let mut fixture = Fixture::new();
    fixture.remove_from_config("topic_arn");
    fixture.aws.always(Change, Fault::error(400, "PriorRequestNotComplete", "x"));
    let said = format!(
        "{CHANGE_FAILED}PriorRequestNotComplete: x; wait for the next run, which tries again\n"
    );
    fixture.run_with(&["--deadline", "4"]).assert(1, "", &said);
    assert!(fixture.aws.operations().len() > 2, "{:?}", fixture.aws.operations());
}

#[test]
fn permanent_error_is_not_retried() {
    for fault in [
        Fault::error(403, "AccessDenied", "x"),
        Fault::error(404, "NoSuchHostedZone", "x"),
        Fault::error(400, "InvalidInput", "x"),
        Fault::error(501, "NotImplemented", "x"),
        Fault::Instead(Response::new(501, "text/html", "<html>").into()),
        Fault::Instead(Response::new(505, "text/html", "<html>").into()),
        Fault::Instead(Response::new(511, "text/html", "<html>").into()),
        Fault::Instead(Response::new(200, "text/html", "<html>").into()),
        Fault::Instead(Reply::Endless),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.aws.always(List, fault);
        assert_eq!(fixture.run().status.code(), Some(1));
        assert_eq!(fixture.aws.operations(), [List]);
    }
}

#[test]
fn change_with_a_lost_response_is_confirmed_by_a_list() {
    let fixture = Fixture::new();
    fixture.aws.fault(Change, Fault::After(Reply::reset()));
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn change_with_lost_response_and_no_list_is_unconfirmed() {
    let fixture = Fixture::new();
    fixture.aws.fault(Change, Fault::After(Reply::reset()));
    // The first list succeeds, the list that confirms the change fails.
    fixture.aws.fault(List, Fault::Pass);
    fixture.aws.always(List, Fault::error(403, "AccessDenied", "no"));
    let said = format!(
        "{UNCONFIRMED}{{aws}}: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n"
    );
    fixture.run().assert(1, "", &said);
    // A throttled change was not carried out.
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "2");
    fixture.aws.always(Change, Fault::error(400, "Throttling", "Rate exceeded"));
    assert!(fixture.run().stderr.starts_with(CHANGE_FAILED));
}

#[test]
fn record_that_became_an_alias_before_a_retry_is_kept() {
    let fixture = Fixture::new();
    let latch = Latch::default();
    let not_yet = fake_route53::error("Sender", 400, "PriorRequestNotComplete", "x");
    fixture.aws.fault(Change, Fault::Instead(Reply::held(&latch, not_yet)));
    let run = fixture.spawn();
    latch.wait_for(1);
    fixture.aws.put(RecordSet::alias("home.example.com", "A", "dualstack.lb.example.com."));
    latch.open();
    fixture.finish(run).assert(1, "", IS_AN_ALIAS);
    assert_eq!(fixture.aws.operations(), [List, Change, List, Publish]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A - ");
}

#[test]
fn record_that_became_an_alias_during_a_lookup_is_kept() {
    let fixture = Fixture::new();
    let bytes = address_response(Form::YourIp, "192.175.48.7").to_bytes();
    let pause = Duration::from_millis(5500) / u32::try_from(bytes.len()).expect("few");
    fixture.reflector.replies(Family::V4, Reply::Drip(bytes, pause));
    let run = fixture.spawn();
    fixture.aws.wait_for(List);
    fixture.aws.put(RecordSet::alias("home.example.com", "A", "dualstack.lb.example.com."));
    fixture.finish(run).assert(1, "", IS_AN_ALIAS);
    assert_eq!(fixture.aws.operations(), [List, List, Publish]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A - ");
}

#[test]
fn message_with_a_lost_response_is_sent_again() {
    let fixture = Fixture::new();
    fixture.reflector.fails(Family::V4);
    fixture.aws.fault(Publish, Fault::After(Reply::reset()));
    fixture.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.published().len(), 2);
    fixture.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 2);
}

#[test]
fn reflector_with_a_transient_error_is_retried() {
    for reply in [
        Reply::reset(),
        Reply::nothing(),
        Reply::truncated(&address_response(Form::YourIp, "192.175.48.7")),
        Response::new(503, "text/plain", "").into(),
        Response::new(522, "text/plain", "").into(),
        Response::new(599, "text/plain", "").into(),
        Response::new(408, "text/plain", "").into(),
        Response::new(425, "text/plain", "").into(),
        Response::new(429, "text/plain", "").into(),
    ] {
        let fixture = Fixture::new();
        fixture.reflector.once(Family::V4, reply);
        fixture.run().assert_silent();
        assert_eq!(fixture.reflector.request_lines().len(), 2);
        assert_eq!(fixture.aws.operations(), [List, Change]);
    }
}

#[test]
fn reflector_with_an_invalid_response_is_not_retried() {
    for reply in [
        Response::text("192.168.1.1"),
        Response::text("<html>"),
        Response::new(403, "text/plain", ""),
        Response::new(404, "text/plain", ""),
        Response::new(501, "text/plain", ""),
        Response::new(505, "text/plain", ""),
        Response::new(511, "text/plain", ""),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.reflector.replies(Family::V4, reply);
        assert_eq!(fixture.run().status.code(), Some(1));
        assert_eq!(fixture.reflector.request_lines().len(), 1);
    }
}

#[test]
fn retry_after_delays_every_kind_of_request() {
    let busy = |value: &str| Response::new(503, "text/plain", "").with("Retry-After", value);
    let at_least = Duration::from_millis(1900);
    let fixture = Fixture::new();
    fixture.reflector.once(Family::V4, busy("2"));
    let began = Instant::now();
    fixture.run().assert_silent();
    assert!(began.elapsed() >= at_least, "{:?}", began.elapsed());
    for operation in [List, Change] {
        let fixture = Fixture::new();
        fixture.aws.fault(operation, Fault::Instead(busy("2").into()));
        let began = Instant::now();
        fixture.run().assert_silent();
        assert!(began.elapsed() >= at_least, "{:?}", began.elapsed());
    }
}

#[test]
fn retry_after_beyond_the_deadline_ends_the_run() {
    for value in ["60", "99999999999999999999999", "Fri, 31 Dec 2999 23:59:59 GMT"] {
        let busy = || Response::new(503, "text/plain", "").with("Retry-After", value);
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.reflector.replies(Family::V4, busy());
        let began = Instant::now();
        assert_eq!(fixture.run_with(&["--deadline", "20"]).status.code(), Some(1));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(fixture.reflector.request_lines().len(), 1, "{value}");
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.aws.always(List, Fault::Instead(busy().into()));
        assert_eq!(fixture.run_with(&["--deadline", "20"]).status.code(), Some(1));
        assert_eq!(fixture.aws.operations(), [List], "{value}");
    }
}

#[test]
fn long_retry_after_of_one_reflector_asks_the_next() {
    let mut fixture = Fixture::new();
    let base = fixture.reflector.server().url("reflect.example.net");
    let other = fixture.reflector.server().url("reflect2.example.net");
    fixture.configure(|config| {
        config["reflect_url"] = json!([format!("{base}/a"), format!("{other}/b")]);
    });
    let busy = Response::new(503, "text/plain", "").with("Retry-After", "3600");
    fixture.reflector.at("/a", busy);
    fixture.reflector.once(Family::V4, Response::new(503, "text/plain", ""));
    fixture.run().assert_silent();
    assert_eq!(fixture.reflector.request_lines(), ["GET /a", "GET /b", "GET /b"]);
}

#[test]
fn reflectors_are_retried_only_after_all_have_failed() {
    let mut fixture = Fixture::new();
    let base = fixture.reflector.server().url("reflect.example.net");
    let other = fixture.reflector.server().url("reflect2.example.net");
    fixture.configure(|config| {
        config["reflect_url"] = json!([format!("{base}/a"), format!("{other}/b")]);
    });
    // The first error is permanent. The second reflector fails twice, then answers.
    fixture.reflector.at("/a", Response::text("<html>"));
    for _ in 0..2 {
        fixture.reflector.once(Family::V4, Response::new(503, "text/plain", ""));
    }
    fixture.run().assert_silent();
    assert_eq!(fixture.reflector.request_lines(), ["GET /a", "GET /b", "GET /b", "GET /b"]);
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn verbose_prints_each_failure_that_is_retried() {
    let fixture = Fixture::new();
    fixture.aws.fault(List, Fault::error(503, "ServiceUnavailable", "x"));
    let run = fixture.run_with(&["--verbose"]);
    let line = run.stderr.lines().find(|line| line.contains("again")).expect("a line");
    let (before, after) = line.split_once(" in ").expect("a delay");
    assert_eq!(before, "autodns: ServiceUnavailable: x; trying again");
    let delay: u64 = after.strip_suffix(" ms").expect("ms").parse().expect("a number");
    assert!(delay <= 1000, "{delay}");
}

#[test]
fn invalid_aws_max_attempts_exits_2() {
    for value in ["0", "three", "-1"] {
        let mut fixture = Fixture::new();
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", value);
        let said = "autodns: AWS_MAX_ATTEMPTS must be a whole number of at least 1\n";
        fixture.assert_untouched(fixture.run().assert(2, "", said));
    }
}
