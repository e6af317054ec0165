//! A run ends by its deadline, whatever a server, a name server or a slow connection does. The
//! alert is sent in the reserved time, and the next config follows. Each server here continues for
//! longer than any run may take.

use std::time::Duration;

use serde_json::json;

use crate::support::assert_text;
use crate::support::expected::{
    LIST_FAILED, PUBLISH_FAILED, UNCONFIRMED, address_failed, out_of_order,
};
use crate::support::fake_aws::Fault;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_reflector::{Form, HOST, address_response};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};
use crate::support::server::Silent;

const CHECK: &str = "check the connection if the next run fails too\n";

/// A response sent at one byte per second, for more than ten minutes.
fn dripping(response: &Response) -> Reply {
    let mut bytes = response.to_bytes();
    bytes.resize(bytes.len() + 600, b' ');
    Reply::Drip(bytes, Duration::from_secs(1))
}

#[test]
fn run_with_slow_reflector_ends_in_time() {
    let fixture = Fixture::new();
    let lengthy =
        address_response(Form::YourIp, "192.175.48.7").with("X-Padding", &"x".repeat(600));
    fixture.reflector.replies(Family::V4, dripping(&lengthy));
    let said =
        format!("{}timed out while waiting for the response; {CHECK}", address_failed(Family::V4));
    fixture.run_with(&["--deadline", "4"]).assert(1, "", &said).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn run_with_slow_route_53_ends_in_time() {
    let page = Response::text("x".repeat(600));
    let mut seen = String::new();
    for (operation, beginning) in [(List, LIST_FAILED), (Change, UNCONFIRMED)] {
        let fixture = Fixture::new();
        fixture.aws.always(operation, Fault::After(dripping(&page)));
        let run = fixture.run_with(&["--deadline", "4"]);
        assert_eq!(run.status.code(), Some(1));
        seen += run.stderr.strip_prefix(beginning).unwrap_or(&run.stderr);
        assert_eq!(fixture.aws.published().len(), 1, "the alert is sent in the reserved time");
        run.assert_wrote(&["+ autodns.lock"]);
    }
    let said = format!("{{aws}}: timed out while waiting for the response; {CHECK}");
    assert_text(&seen, &said.repeat(2));
}

#[test]
fn run_with_slow_sns_ends_in_time() {
    let fixture = Fixture::new();
    fixture.reflector.fails(Family::V4);
    fixture.aws.always(Publish, Fault::After(dripping(&Response::text("x".repeat(600)))));
    let unconfirmed =
        PUBLISH_FAILED.replace("could not publish to", "could not confirm the message to");
    let said = format!(
        "{}{unconfirmed}{{aws}}: timed out while waiting for the response; {CHECK}",
        out_of_order(Family::V4)
    );
    let left = "+ .autodns.lock.pending";
    fixture.run_with(&["--deadline", "4"]).assert(1, "", &said).assert_wrote(&[left]);
}

#[test]
fn silent_tls_server_is_named() {
    let silent = Silent::start();
    let mut fixture = Fixture::new();
    fixture.sandbox.placeholder(&format!(":{}", silent.port()), ":{silent}");
    let url = format!("https://{HOST}:{}/", silent.port());
    fixture.configure(|config| config["reflect_url"] = json!(url));
    let said = "autodns: home.example.com A: could not get the public IPv4 address from \
                https://reflect.example.net:{silent}: timed out while agreeing on TLS with the \
                server; check the connection if the next run fails too\n";
    fixture.run_with(&["--deadline", "3"]).assert(1, "", said).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn run_with_hanging_name_lookup_ends_in_time() {
    let fixture = Fixture::new();
    fixture.sandbox.hang_name_lookups();
    let said = format!(
        "{}timed out while looking up the host's name; {CHECK}",
        address_failed(Family::V4)
    );
    fixture.run_with(&["--deadline", "3"]).assert(1, "", &said).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn hanging_ipv6_does_not_stop_the_change_of_ipv4() {
    let fixture = Fixture::with_both_families();
    fixture.reflector.replies(Family::V6, dripping(&Response::text("x".repeat(600))));
    let said =
        format!("{}timed out while waiting for the response; {CHECK}", address_failed(Family::V6));
    fixture.run_with(&["--deadline", "6"]).assert(1, "", &said);
    assert_eq!(fixture.aws.operations(), [List, Change, Publish]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn hanging_source_leaves_time_for_the_next() {
    let silent = Silent::start();
    let mut fixture = Fixture::new();
    let urls = [format!("https://127.0.0.1:{}/", silent.port()), fixture.reflector.url()];
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.run_with(&["--deadline", "8"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn hanging_second_source_leaves_time_for_the_change() {
    let silent = Silent::start();
    let mut fixture = Fixture::new();
    let urls = [fixture.reflector.url(), format!("https://127.0.0.1:{}/", silent.port())];
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.run_with(&["--deadline", "4"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn hanging_config_does_not_stop_the_next() {
    let silent = Silent::start();
    let fixture = Fixture::new();
    let mut config = fixture.config();
    config["reflect_url"] = json!(format!("https://127.0.0.1:{}/", silent.port()));
    config["dns_name"] = json!("host.example.com");
    config["alert_lock"] = json!(fixture.sandbox.path("first.lock"));
    let first = fixture.write_config("first.json", &config);
    let second = fixture.sandbox.path("autodns.json");
    let run = fixture.run_args(&["--deadline", "3", &first, &second]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert_eq!(fixture.aws.operations(), [List, Publish, List, Change]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}
