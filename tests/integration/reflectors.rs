//! Valid and invalid responses of a reflector. Every failure is reported, sends an alert, and
//! leaves the record unchanged. Only a public address of the requested family is published.

use std::time::Duration;

use serde_json::json;

use crate::support::ca::Certificate;
use crate::support::expected::{self, address_failed};
use crate::support::fake_aws::FakeAws;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_reflector::{FakeReflector, Form, HOST, SECRET_QUERY, address_response};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{End, Family, Reply, Response};
use crate::support::sandbox::Run;
use crate::support::server::{Listen, Protocol, Refusing, Server};
use crate::support::{assert_text, ca, clock};

/// The message of a dry run for each reply. A dry run asks the reflector as a real run does, but
/// sends no alert.
fn errors_for(replies: Vec<(&str, Reply)>) -> String {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    let mut seen = String::new();
    for (what, reply) in replies {
        fixture.reflector.replies(Family::V4, reply);
        let run = fixture.run_with(&["--dry-run"]);
        seen += &format!("{what}: {}", cause(Family::V4, &run));
    }
    seen
}

/// The cause of the usual reflector's failure, or the whole stderr if it is another failure.
fn cause(family: Family, run: &Run) -> String {
    match (run.status.code(), run.stdout.as_str(), run.stderr.strip_prefix(&address_failed(family)))
    {
        (Some(1), "", Some(cause)) => cause.to_owned(),
        _ => format!("{run:?}\n"),
    }
}

#[test]
fn response_without_address_is_described() {
    let json = |text: &str| Reply::from(Response::new(200, "application/json", text));
    let text = |text: &str| Reply::from(Response::text(text));
    let of = |status, text: &str| Reply::from(Response::new(status, "application/json", text));
    let seen = errors_for(vec![
        ("its error", json(r#"{"error":"quota exceeded","your_ip":"192.175.48.7"}"#)),
        (
            "its error of several lines",
            json("{\"error\":\"first\\r\\n  second\\u0000\\u001b[31m\"}"),
        ),
        ("503 with an error", of(503, r#"{"error":"out of order","your_ip":""}"#)),
        ("403 with an error", of(403, r#"{"error":"wrong apikey","your_ip":"192.175.48.7"}"#)),
        ("503 with an address", of(503, r#"{"error":"","your_ip":"192.175.48.7"}"#)),
        ("404 with a page", of(404, "<html><body>192.175.48.7</body></html>")),
        ("429", of(429, "slow down")),
        ("204", Reply::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), End::Close)),
        // A part of an address is not accepted.
        ("206", of(206, "192.175.48.7\n")),
        ("201", of(201, "192.175.48.7\n")),
        ("an error that is true", json(r#"{"error":true,"ip":"192.175.48.7"}"#)),
        ("an error that is an object", json(r#"{"error":{"code":7},"ip":"192.175.48.7"}"#)),
        ("no address", json(r#"{"error":""}"#)),
        ("an empty address", json(r#"{"error":"","your_ip":""}"#)),
        ("a number", json(r#"{"error":"","your_ip":7}"#)),
        ("a list", json(r#"["192.175.48.7"]"#)),
        ("JSON and more", json(r#"{"your_ip":"192.175.48.7"} x"#)),
        ("half of JSON", json(r#"{"error":"","your_ip":"192.175.48.7"#)),
        ("nothing", text("")),
        ("a page", text("<!DOCTYPE html><p>Your address is 192.175.48.7</p>")),
        ("two addresses", text("192.175.48.7, 10.0.0.1")),
        ("two lines", text("192.175.48.7\n192.175.48.8\n")),
        ("a port", text("192.175.48.7:443")),
        ("leading zeros", text("192.175.048.007")),
        ("a piece", text("192.175.48.")),
        ("a NUL", text("192.175.48.7\0")),
        ("not UTF-8", Response::text(b"192.175.48.7 \xff".to_vec()).into()),
        ("the other family", text("2620:4f:8000::7")),
    ]);
    assert_text(
        &seen,
        "its error: it reported \"quota exceeded\"; check the reflector, and the key in \
         reflect_url if it has one\n\
         its error of several lines: it reported \"first second [31m\"; check the reflector, \
         and the key in reflect_url if it has one\n\
         503 with an error: it answered 503: \"out of order\"; wait for the next run, \
         which tries again\n\
         403 with an error: it answered 403: \"wrong apikey\"; check the reflector, and the key \
         in reflect_url if it has one\n\
         503 with an address: it answered 503; wait for the next run, which tries again\n\
         404 with a page: it answered 404; check the reflector, and the key in reflect_url if \
         it has one\n\
         429: it answered 429; wait for the next run, which tries again\n\
         204: it answered 204; check the reflector, and the key in reflect_url if it has one\n\
         206: it answered 206; check the reflector, and the key in reflect_url if it has one\n\
         201: it answered 201; check the reflector, and the key in reflect_url if it has one\n\
         an error that is true: it reported an error; check the reflector, and the key in \
         reflect_url if it has one\n\
         an error that is an object: it reported an error; check the reflector, and the key in \
         reflect_url if it has one\n\
         no address: it answered JSON without an address in \"your_ip\" or \"ip\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         an empty address: it answered nothing; check the reflector, and the key in reflect_url \
         if it has one\n\
         a number: it answered JSON without an address in \"your_ip\" or \"ip\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         a list: it answered 16 bytes of JSON, not an address; check the reflector, and the key \
         in reflect_url if it has one\n\
         JSON and more: it answered broken JSON; check the reflector, and the key in \
         reflect_url if it has one\n\
         half of JSON: it answered broken JSON; check the reflector, and the key in reflect_url \
         if it has one\n\
         nothing: it answered nothing; check the reflector, and the key in reflect_url if it \
         has one\n\
         a page: it answered 50 bytes of HTML, not an address; check the reflector, and the key \
         in reflect_url if it has one\n\
         two addresses: it answered 22 bytes of text, not an address; check the reflector, and \
         the key in reflect_url if it has one\n\
         two lines: it answered 25 bytes of text, not an address; check the reflector, and the \
         key in reflect_url if it has one\n\
         a port: it answered 16 bytes of text, not an address; check the reflector, and the key \
         in reflect_url if it has one\n\
         leading zeros: it answered 15 bytes of text, not an address; check the reflector, and \
         the key in reflect_url if it has one\n\
         a piece: it answered 11 bytes of text, not an address; check the reflector, and the \
         key in reflect_url if it has one\n\
         a NUL: it answered 13 bytes of text with control characters, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         not UTF-8: the response is not UTF-8; check who answers there\n\
         the other family: it answered 2620:4f:8000::7, which is not an IPv4 address; use a \
         reflector that answers with the address it was called from\n",
    );
}

#[test]
fn incomplete_response_is_rejected() {
    let good = address_response(Form::YourIp, "192.175.48.7");
    let raw = |text: &str, end| Reply::Raw(text.as_bytes().to_vec(), end);
    let large = format!("{{\"your_ip\":\"192.175.48.7\",\"x\":\"{}\"}}", "x".repeat(4096));
    let seen = errors_for(vec![
        ("more than 4 KiB", Response::new(200, "application/json", large).into()),
        ("closed", Reply::nothing()),
        ("cut", Reply::Raw(Vec::new(), End::Cut)),
        ("reset", Reply::reset()),
        ("truncated", Reply::truncated(&good)),
        (
            "cut inside the address",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n192.175.48.", End::Cut),
        ),
        (
            "cut with no length given",
            raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n192.175.48.7", End::Cut),
        ),
        ("not HTTP", raw("220 mail.example.net ESMTP\r\n", End::Close)),
        ("an invalid length", raw("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n1", End::Close)),
        (
            "half a chunk",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n192.175", End::Close),
        ),
    ]);
    assert_text(
        &seen,
        "more than 4 KiB: the response is too large; check who answers there\n\
         closed: the connection was closed before the response was whole; check the connection \
         if the next run fails too\n\
         cut: the connection was closed before the response was whole; check the connection \
         if the next run fails too\n\
         reset: the connection was closed before the response was whole; check the connection \
         if the next run fails too\n\
         truncated: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         cut inside the address: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         cut with no length given: it answered text without saying how long it is, which may \
         be cut off; check the reflector, and the key in reflect_url if it has one\n\
         not HTTP: the response is not HTTP; check who answers there\n\
         an invalid length: the response is not HTTP; check who answers there\n\
         half a chunk: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n",
    );
}

/// Each reply is the text 192.175.48.76 without its last digit. The headers decide whether the
/// program can detect that it is truncated.
#[test]
fn truncated_text_is_rejected_whatever_its_headers() {
    let cut = |version: &str, headers: &str, body: &str| {
        let text = format!("HTTP/{version} 200 OK\r\n{headers}\r\n{body}");
        Reply::Raw(text.into_bytes(), End::Close)
    };
    let chunk = "c\r\n192.175.48.7\r\n";
    let coding =
        |coding: &str, body: &str| cut("1.1", &format!("Transfer-Encoding: {coding}\r\n"), body);
    let unseen = "it answered text without saying how long it is, which may be cut off; check the \
                  reflector, and the key in reflect_url if it has one\n";
    let seen = "the connection was closed before the response was whole; check the connection if \
                the next run fails too\n";
    let text = "192.175.48.7";
    for (what, reply, expected) in [
        ("identity", coding("identity", text), unseen),
        ("gzip", coding("gzip", text), unseen),
        ("deflate", coding("deflate", text), unseen),
        ("an unknown coding", coding("x-chunked", text), unseen),
        ("an empty coding", coding("", text), unseen),
        ("chunked by HTTP/1.0", cut("1.0", "Transfer-Encoding: chunked\r\n", text), unseen),
        ("no header", cut("1.1", "", text), unseen),
        ("chunked", coding("chunked", chunk), seen),
        (
            "chunked with a length",
            cut("1.1", "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", chunk),
            seen,
        ),
        (
            "identity and the length of the rest",
            cut("1.1", "Content-Length: 12\r\nTransfer-Encoding: identity\r\n", text),
            unseen,
        ),
        // The last chunk shows the end of the chunks, but not the end of the other coding.
        ("gzip, chunked", coding("gzip, chunked", &format!("{chunk}0\r\n\r\n")), unseen),
        ("chunked, gzip", coding("chunked, gzip", &format!("{chunk}0\r\n\r\n")), unseen),
        (
            "two codings",
            cut(
                "1.1",
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                &format!("{chunk}0\r\n\r\n"),
            ),
            unseen,
        ),
        ("a length", cut("1.1", "Content-Length: 13\r\n", text), seen),
        (
            "the same length twice",
            cut("1.1", "Content-Length: 13\r\nContent-Length: 13\r\n", text),
            seen,
        ),
        ("a length in HTTP/1.0", cut("1.0", "Content-Length: 13\r\n", text), seen),
    ] {
        assert_text(&errors_for(vec![(what, reply)]), &format!("{what}: {expected}"));
    }
}

#[test]
fn complete_text_is_accepted_in_each_framing() {
    for (what, head, body) in [
        ("a length", "1.1 200 OK\r\nContent-Length: 12\r\n", "192.175.48.7"),
        (
            "the same length twice",
            "1.1 200 OK\r\nContent-Length: 12\r\nContent-Length: 12\r\n",
            "192.175.48.7",
        ),
        (
            "chunked",
            "1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n",
            "b\r\n192.175.48.\r\n1\r\n7\r\n0\r\n\r\n",
        ),
        ("a line", "1.1 200 OK\r\n", "192.175.48.7\n"),
        ("a line of HTTP/1.0", "1.0 200 OK\r\n", "192.175.48.7\r\n"),
        ("JSON", "1.0 200 OK\r\n", r#"{"ip":"192.175.48.7"}"#),
    ] {
        let fixture = Fixture::new();
        let reply = format!("HTTP/{head}\r\n{body}");
        fixture.reflector.replies(Family::V4, Reply::Raw(reply.into_bytes(), End::Close));
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7", "{what}");
    }
}

#[test]
fn response_of_exactly_4_kib_is_read() {
    let fixture = Fixture::new();
    let frame = r#"{"error":"","your_ip":"192.175.48.7","x":""}"#;
    let body = frame.replace(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(4096 - frame.len())));
    assert_eq!(body.len(), 4096);
    fixture.reflector.replies(Family::V4, Response::new(200, "application/json", body));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn response_in_several_packets_is_read_whole() {
    let fixture = Fixture::new();
    let bytes = address_response(Form::Bare, "192.175.48.76").to_bytes();
    fixture.reflector.replies(Family::V4, Reply::Drip(bytes, Duration::from_millis(1)));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.76");
}

#[test]
fn your_ip_wins_and_other_members_are_ignored() {
    let table = [
        (r#"{"ip":"192.175.48.9","your_ip":"192.175.48.8"}"#, "192.175.48.8"),
        (r#"{"your_ip":"192.175.48.8","ip":"nonsense"}"#, "192.175.48.8"),
        (r#"{"ip":"192.175.48.9","error":"","x":[1,{"y":null}]}"#, "192.175.48.9"),
        (r#"{"ip":"192.175.48.9","error":false}"#, "192.175.48.9"),
        (r#"{"ip":"192.175.48.9","error":0}"#, "192.175.48.9"),
        (r#"{"ip":"192.175.48.9","error":{}}"#, "192.175.48.9"),
        (" \r\n 192.175.48.10 \r\n", "192.175.48.10"),
    ];
    for (body, address) in table {
        let fixture = Fixture::new();
        fixture.reflector.replies(Family::V4, Response::text(body));
        fixture.run().assert_silent();
        assert_eq!(
            fixture.aws.record_sets()[0],
            format!("home.example.com. A 300 {address}"),
            "{body}"
        );
    }
}

#[test]
fn non_public_address_is_rejected_and_its_kind_named() {
    let v4 = [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.254",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
    ];
    let v6 = [
        "::",
        "::1",
        "::ffff:192.175.48.7",
        "64:ff9b::c0af:3007",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:c0af:3007::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
    ];
    let mut fixture = Fixture::new();
    let mut seen = String::new();
    for (family, types, addresses) in
        [(Family::V4, json!(["A"]), &v4[..]), (Family::V6, json!(["AAAA"]), &v6[..])]
    {
        fixture.configure(|config| config["record_types"] = types);
        for address in addresses {
            fixture.reflector.says(family, address);
            let run = fixture.run_with(&["--dry-run"]);
            let cause = cause(family, &run);
            let said = cause
                .strip_prefix(&format!("it answered {address}, which is not a public address: "))
                .unwrap_or(&cause)
                .replace("; check the route to the reflector, or set allow_non_public", "");
            seen += &format!("{address}: {said}");
        }
    }
    assert_text(
        &seen,
        "0.0.0.0: \"this network\"; check the reflector\n\
         0.1.2.3: \"this network\"; check the reflector\n\
         10.1.2.3: private\n\
         100.64.0.1: CGNAT (shared with the provider's other customers), so this \
         connection has no public IPv4 address of its own; ask the provider for one, or use IPv6 \
         (record_types) or a tunnel\n\
         100.127.255.254: CGNAT (shared with the provider's other customers), so this \
         connection has no public IPv4 address of its own; ask the provider for one, or use IPv6 \
         (record_types) or a tunnel\n\
         127.0.0.1: loopback\n\
         169.254.1.1: link-local\n\
         172.16.0.1: private\n\
         172.31.255.254: private\n\
         192.0.0.1: reserved for protocol assignments\n\
         192.0.2.1: documentation\n\
         192.88.99.1: 6to4 relay\n\
         192.168.1.1: private\n\
         198.18.0.1: benchmarking\n\
         198.19.255.254: benchmarking\n\
         198.51.100.1: documentation\n\
         203.0.113.1: documentation\n\
         224.0.0.1: multicast; check the reflector\n\
         239.255.255.250: multicast; check the reflector\n\
         240.0.0.1: reserved; check the reflector\n\
         255.255.255.255: broadcast; check the reflector\n\
         ::: unspecified; check the reflector\n\
         ::1: loopback\n\
         ::ffff:192.175.48.7: IPv4-mapped; check the reflector\n\
         64:ff9b::c0af:3007: IPv4/IPv6 translation\n\
         64:ff9b:1::1: IPv4/IPv6 translation\n\
         100::1: discard-only\n\
         2001::1: Teredo\n\
         2001:2::1: benchmarking\n\
         2001:10::1: reserved for protocol assignments\n\
         2001:db8::1: documentation\n\
         2002:c0af:3007::1: 6to4\n\
         3fff::1: documentation\n\
         4000::1: outside the global unicast space 2000::/3\n\
         5f00::1: outside the global unicast space 2000::/3\n\
         fd00::1: unique-local\n\
         fe80::1: link-local\n\
         ff02::1: multicast; check the reflector\n",
    );
}

#[test]
fn addresses_just_outside_special_ranges_are_public() {
    let v4 = [
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "172.32.0.0",
        "192.0.1.0",
        "192.31.196.1",
        "192.52.193.1",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
    ];
    let v6 = [
        "2001:200::1",
        "2001:4:112::1",
        "2000::1",
        "2001:db9::1",
        "2003::1",
        "3ffe::1",
        "3fff:1000::1",
    ];
    let mut fixture = Fixture::new();
    for (family, kind, addresses) in [(Family::V4, "A", &v4[..]), (Family::V6, "AAAA", &v6[..])] {
        fixture.configure(|config| config["record_types"] = json!([kind]));
        for address in addresses {
            fixture.reflector.says(family, address);
            fixture.aws.put(RecordSet::new("home.example.com", kind, 60, &[address]));
            let expected = format!("home.example.com {kind}: up to date\n");
            fixture.run_with(&["--dry-run"]).assert(0, &expected, "");
        }
    }
}

#[test]
fn non_public_address_is_used_when_config_allows_it() {
    let mut fixture = Fixture::with_both_families();
    fixture.configure(|config| config["allow_non_public"] = json!(true));
    fixture.reflector.says(Family::V4, "10.1.2.3");
    fixture.reflector.says(Family::V6, "fd00::7");
    fixture.run().assert_silent();
    assert_eq!(
        fixture.aws.record_sets()[..2],
        ["home.example.com. A 300 10.1.2.3", "home.example.com. AAAA 600 fd00::7"]
    );
}

#[test]
fn unusable_address_is_rejected_with_allow_non_public() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["allow_non_public"] = json!(true));
    for (family, types, addresses) in [
        (
            Family::V4,
            json!(["A"]),
            &["0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255"][..],
        ),
        (Family::V6, json!(["AAAA"]), &["::", "::ffff:192.175.48.7", "ff02::1"][..]),
    ] {
        fixture.configure(|config| config["record_types"] = types);
        for address in addresses {
            fixture.reflector.says(family, address);
            let run = fixture.run();
            let cause = cause(family, &run);
            let start = format!("it answered {address}, which is not a public address: ");
            assert!(cause.starts_with(&start), "{cause}");
            assert!(cause.ends_with("; check the reflector\n"), "{cause}");
        }
    }
    assert!(!fixture.aws.operations().contains(&Change));
}

#[test]
fn reflector_failure_keeps_the_record_and_alerts_once() {
    let fixture = Fixture::new();
    fixture.reflector.replies(Family::V4, Response::text("<html>"));
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 6 bytes of HTML, not an address; check the \
         reflector, and the key in reflect_url if it has one\n",
        )
        .assert_wrote(&["+ autodns.lock"]);
    let first = fixture.aws.operations();
    assert!(!first.contains(&Change), "{first:?}");
    assert_eq!(first.iter().filter(|operation| **operation == Publish).count(), 1);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.1");
}

#[test]
fn failure_of_one_family_does_not_stop_the_other() {
    let fixture = Fixture::with_both_families();
    fixture.reflector.replies(Family::V6, Reply::reset());
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not get the public IPv6 address from \
         {reflector}/reflect/v1: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n",
    );
    assert_eq!(
        fixture.aws.record_sets(),
        ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.99"]
    );
    assert_eq!(fixture.aws.operations(), [List, Change, Publish]);

    let fixture = Fixture::with_both_families();
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &expected::out_of_order(Family::V4));
    assert_eq!(
        fixture.aws.record_sets()[..2],
        ["home.example.com. A 300 192.175.48.1", "home.example.com. AAAA 600 2620:4f:8000::7"]
    );
}

#[test]
fn failure_of_both_families_prints_two_lines_and_alerts_once() {
    let fixture = Fixture::with_both_families();
    fixture.reflector.fails(Family::V4);
    fixture.reflector.says(Family::V6, "fe80::1");
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com AAAA: could not get the public IPv6 address from \
         {reflector}/reflect/v1: it answered fe80::1, which is not a public address: \
         link-local; check the route to the reflector, or set allow_non_public\n",
    );
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn host_without_an_address_of_the_family_is_named() {
    let mut fixture = Fixture::with_both_families();
    let url = fixture.reflector.url_of("only4.example.net");
    fixture.configure(|config| config["reflect_url"] = json!(url));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not get the public IPv6 address from \
         https://only4.example.net:{port}/reflect/v1: the host's name has no IPv6 address (no AAAA \
         record); use a server that has one, or remove AAAA from record_types\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    let url = fixture.reflector.url_of("only6.example.net");
    fixture.configure(|config| {
        config["reflect_url"] = json!(url);
        config["alert_lock"] = json!(format!("{}2", config["alert_lock"].as_str().expect("text")));
    });
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         https://only6.example.net:{port}/reflect/v1: the host's name has no IPv4 address (no A \
         record); use a server that has one, or remove A from record_types\n",
    );
}

#[test]
fn unreachable_host_is_named_with_the_cause() {
    let mut fixture = Fixture::new();
    let refusing = Refusing::new();
    fixture.sandbox.placeholder(&format!(":{}", refusing.port()), ":{refusing}");
    let closed = format!("https://{HOST}:{}/?k={SECRET_QUERY}", refusing.port());
    let mut seen = String::new();
    for url in [closed.as_str(), "https://nowhere.example.net/ip"] {
        fixture.configure(|config| config["reflect_url"] = json!(url));
        let run = fixture.run_with(&["--dry-run"]);
        seen += &format!("{:?} {}{}", run.status.code(), run.stdout, run.stderr);
    }
    assert_text(
        &seen,
        "Some(1) autodns: home.example.com A: could not get the public IPv4 address from \
         https://reflect.example.net:{refusing}: connection refused; check the address and \
         the port, and that the server runs\n\
         Some(1) autodns: home.example.com A: could not get the public IPv4 address from \
         https://nowhere.example.net/ip: no name server answered for the host's name; check \
         the router, and the name servers in /etc/resolv.conf\n",
    );
}

#[test]
fn user_and_password_of_the_url_are_sent_and_hidden() {
    let mut fixture = Fixture::new();
    fixture.sandbox.secret("Us3rs/Passw0rd");
    let url = fixture.reflector.url().replace("https://", "https://pi:Us3rs%2FPassw0rd@");
    fixture.configure(|config| config["reflect_url"] = json!(url));
    fixture.run().assert_silent();
    let requests = fixture.reflector.server().requests();
    // `pi:Us3rs/Passw0rd`: the percent-encoding is that of the URL, not of the password.
    assert_eq!(requests[0].header("authorization"), Some("Basic cGk6VXMzcnMvUGFzc3cwcmQ="));
    // The password is hidden in an echo in any encoding.
    for echo in ["Us3rs/Passw0rd", "Us3rs%2FPassw0rd", "pi:Us3rs/Passw0rd"] {
        let error = json!({ "error": format!("not you, {echo}!") });
        fixture.reflector.replies(Family::V4, Response::json(&error));
        let run = fixture.run_with(&["--verbose"]);
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        assert!(run.stderr.contains("it reported \"not you, "), "{run:?}");
    }
}

#[test]
fn redirect_sends_user_and_password_to_the_same_server_only() {
    let mut fixture = Fixture::new();
    fixture.sandbox.secret("Us3rs/Passw0rd");
    let port = fixture.reflector.server().port();
    let url = |host: &str| format!("https://{host}:{port}");
    let with_user = |url: &str| url.replace("https://", "https://pi:Us3rs%2FPassw0rd@");
    let start = with_user(&url(HOST)) + "/start";
    let elsewhere = FakeReflector::start();
    let capitals = url(&HOST.to_uppercase()) + "/2";
    for (location, kept) in [
        ("/2".to_owned(), true),
        (url(HOST) + "/2", true),
        (capitals, true),
        (url("reflect2.example.net") + "/2", false),
        (elsewhere.server().url(HOST) + "/2", false),
    ] {
        fixture.reflector.at("/start", Response::redirect(302, &location));
        for reflector in [&fixture.reflector, &elsewhere] {
            reflector.at("/2", address_response(Form::Bare, "192.175.48.7"));
        }
        fixture.configure(|config| config["reflect_url"] = json!(start));
        fixture.run().assert_silent();
        let requests =
            [fixture.reflector.server().requests(), elsewhere.server().requests()].concat();
        let last = requests.iter().rev().find(|request| request.target == "/2").expect("followed");
        let sent = last.header("authorization");
        let expected = kept.then_some("Basic cGk6VXMzcnMvUGFzc3cwcmQ=");
        assert_eq!(sent, expected, "{location}");
    }
    // After a redirect to another server the password is not sent again, not even to the first
    // server.
    let back = url(HOST) + "/3";
    fixture.reflector.at("/start", Response::redirect(302, &(url("reflect2.example.net") + "/2")));
    fixture.reflector.at("/2", Response::redirect(302, &back));
    fixture.reflector.at("/3", address_response(Form::Bare, "192.175.48.7"));
    fixture.run().assert_silent();
    let requests = fixture.reflector.server().requests();
    assert_eq!(requests.last().expect("asked").target, "/3");
    assert_eq!(requests.last().expect("asked").header("authorization"), None);
}

#[test]
fn default_reflectors_are_those_of_aws_and_cloudflare() {
    let mut fixture = Fixture::new();
    fixture.remove_from_config("reflect_url");
    // The names resolve to a loopback address where nothing listens.
    let blocked = "your DNS server blocks this name (Pi-hole, an ad blocker): it answers \
                   127.0.77.1; allow the name in the settings of that DNS server";
    fixture.run_with(&["--dry-run"]).assert(
        1,
        "",
        &format!(
            "autodns: home.example.com A: could not get the public IPv4 address from \
             https://checkip.global.api.aws and https://icanhazip.com: {blocked}\n"
        ),
    );
    // The default reflectors are on two hosts, so one can confirm the other.
    fixture.configure(|config| config["require_confirmation"] = json!(true));
    assert_eq!(fixture.run_with(&["--dry-run"]).status.code(), Some(1));
}

#[test]
fn wrong_certificate_of_a_reflector_is_reported() {
    let mut seen = String::new();
    for certificate in [
        Certificate::Untrusted,
        Certificate::WrongName,
        Certificate::Expired,
        Certificate::NotYetValid,
    ] {
        let reflector = FakeReflector::start_as(Listen::V4, Protocol::Tls(certificate));
        let fixture = Fixture::with(FakeAws::start(), reflector);
        let run = fixture.run_with(&["--dry-run"]);
        let cause = clock::with_placeholders(&cause(Family::V4, &run));
        seen += &format!("{certificate:?}: {cause}");
        assert_eq!(fixture.reflector.request_lines(), Vec::<String>::new());
    }
    assert_text(
        &seen,
        "Untrusted: the server's certificate is not trusted: it is issued by \"autodns other CA\", \
         which is not a trusted root; check who answers there, or add a CA of your own \
         to the file that AWS_CA_BUNDLE names\n\
         WrongName: the server's certificate is for \"elsewhere.example.org\", not for \
         \"reflect.example.net\"; check the name in the URL, and who answers there\n\
         Expired: the server's certificate expired on {time}, and this machine's clock says \
         {time}; check this machine's clock, then the certificate\n\
         NotYetValid: this machine's clock is likely wrong: it says {time}, and the server's \
         certificate is not valid before {time}; set the clock (timedatectl shows it)\n",
    );
}

#[test]
fn server_without_tls_is_reported() {
    let mut fixture = Fixture::new();
    let plain = Server::start(Listen::V4, Protocol::Plain, |_| Reply::nothing());
    fixture.sandbox.placeholder(&format!(":{}", plain.port()), ":{plain}");
    let url = plain.url(HOST).replace("http://", "https://");
    fixture.configure(|config| config["reflect_url"] = json!(url));
    fixture.run_with(&["--dry-run"]).assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         https://reflect.example.net:{plain}: the connection was closed before the response was \
         whole; check the connection if the next run fails too\n",
    );
}

#[test]
fn plain_http_is_allowed_on_loopback() {
    for host in ["127.0.0.1", "localhost"] {
        let mut fixture =
            Fixture::with(FakeAws::start(), FakeReflector::start_as(Listen::Both, Protocol::Plain));
        let url = fixture.reflector.url_of(host);
        fixture.configure(|config| config["reflect_url"] = json!(url));
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.operations(), [List, Change], "{host}");
    }
    let mut fixture =
        Fixture::with(FakeAws::start(), FakeReflector::start_as(Listen::Both, Protocol::Plain));
    let url = fixture.reflector.url_of("[::1]");
    fixture.configure(|config| {
        config["reflect_url"] = json!(url);
        config["record_types"] = json!(["AAAA"]);
    });
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn third_redirect_is_rejected() {
    let mut fixture = Fixture::new();
    let usual = format!("/reflect/v1?apikey={SECRET_QUERY}");
    let other_host = format!("{}/2", fixture.reflector.server().url("reflect2.example.net"));
    fixture.reflector.at("/0", Response::redirect(308, "/1"));
    fixture.reflector.at("/1", Response::redirect(301, &other_host));
    fixture.reflector.at("/2", Response::redirect(307, &usual));
    let base = fixture.reflector.server().url(HOST);
    fixture.configure(|config| config["reflect_url"] = json!(format!("{base}/1")));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!(
        fixture.reflector.request_lines(),
        ["GET /1".into(), "GET /2".into(), format!("GET {usual}")]
    );

    fixture.configure(|config| config["reflect_url"] = json!(format!("{base}/0")));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/0: it redirects more than 2 times; check reflect_url\n",
    );
    let asked = fixture.reflector.request_lines();
    assert_eq!(asked[3..6], ["GET /0", "GET /1", "GET /2"]);
    assert!(!asked[3..].contains(&format!("GET {usual}")), "{asked:?}");
}

#[test]
fn each_redirect_status_is_followed() {
    let mut fixture = Fixture::new();
    let base = fixture.reflector.server().url(HOST);
    fixture.configure(|config| config["reflect_url"] = json!(format!("{base}/start")));
    for status in [301, 302, 303, 307, 308] {
        fixture.reflector.at("/start", Response::redirect(status, "v1"));
        fixture.run().assert_silent();
    }
    let mut seen = String::new();
    for (what, response) in [
        ("no Location", Response::new(302, "text/plain", "192.175.48.7")),
        ("an empty one", Response::redirect(302, "")),
        ("no URL", Response::redirect(302, "https://[")),
        ("another scheme", Response::redirect(302, "ftp://reflect.example.net/")),
        ("not modified", Response::new(304, "text/plain", "")),
    ] {
        fixture.reflector.at("/start", response);
        let run = fixture.run_with(&["--dry-run"]);
        let from = address_failed(Family::V4).replace("/reflect/v1", "/start");
        let cause = match (run.status.code(), run.stderr.strip_prefix(&from)) {
            (Some(1), Some(cause)) => cause.to_owned(),
            _ => format!("{run:?}\n"),
        };
        seen += &format!("{what}: {cause}");
    }
    assert_text(
        &seen,
        "no Location: it answered 302; check the reflector, and the key in reflect_url if it \
         has one\n\
         an empty one: it answered 302; check the reflector, and the key in reflect_url if it \
         has one\n\
         no URL: it redirects to a place that is not an https URL; check reflect_url\n\
         another scheme: it redirects to a place that is not an https URL; check reflect_url\n\
         not modified: it answered 304; check the reflector, and the key in reflect_url if it \
         has one\n",
    );
}

#[test]
fn redirect_to_plain_http_is_rejected() {
    let mut fixture = Fixture::new();
    let plain = Server::start(Listen::V4, Protocol::Plain, |_| {
        address_response(Form::Bare, "192.175.48.66").into()
    });
    fixture.sandbox.placeholder(&format!(":{}", plain.port()), ":{plain}");
    let target = format!("{}/?k={SECRET_QUERY}", plain.url("127.0.0.1"));
    fixture.reflector.replies(Family::V4, Response::redirect(302, &target));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it redirects from https to plain http; check reflect_url\n",
    );
    assert_eq!(plain.connections(), 0);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.1");
}

#[test]
fn bundle_with_another_ca_trusts_no_reflector() {
    let mut fixture = Fixture::new();
    let bundle = fixture.sandbox.write("other.pem", ca::untrusted_pem());
    fixture.sandbox.set("AWS_CA_BUNDLE", bundle);
    fixture.run().assert(1, "", &expected::nothing_trusted("autodns test CA")).assert_wrote(&[]);
    assert_eq!(fixture.aws.server().requests().len() + fixture.reflector.request_lines().len(), 0);
}
