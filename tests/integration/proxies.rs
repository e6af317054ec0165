//! The proxy for AWS: its responses to CONNECT, its time limits, and the hosts that `NO_PROXY`
//! excludes.

use std::time::{Duration, Instant};

use crate::endpoints::by_proxy;
use crate::support::ca::{self, Certificate};
use crate::support::expected::{LIST_FAILED, untrusted_server};
use crate::support::fake_aws::FakeAws;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_reflector::FakeReflector;
use crate::support::fixture::Fixture;
use crate::support::http::{End, Reply, Response};
use crate::support::proxy::{Proxy, USER_PASSWORD};
use crate::support::server::{Listen, Protocol, Refusing};

/// A fixture that reaches AWS through that proxy.
fn behind_proxy(proxy: &Proxy) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    fixture.sandbox.placeholder(&proxy.address(), "{proxy}");
    fixture
}

/// A proxy whose tunnels all lead to one port.
fn proxy_to(port: u16) -> Proxy {
    Proxy::start(&[("*", port)])
}

#[test]
fn failing_proxy_is_named_without_its_password() {
    let mut fixture = Fixture::new();
    let proxy = Proxy::with_password(&[]);
    fixture.sandbox.set("HTTPS_PROXY", proxy.url_with("pi:wr0ng%2FP%40ssword"));
    fixture.sandbox.secret("wr0ng/P@ssword");
    fixture.sandbox.placeholder(&proxy.address(), "{proxy}");
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         {aws}: the proxy {proxy}: it asks for a user name and a password (407); check the user \
         name and the password in HTTPS_PROXY\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the proxy \
         {proxy}: it asks for a user name and a password (407); check the user name and the \
         password in HTTPS_PROXY\n",
        )
        .assert_wrote(&[]);
    // The password is right, but the proxy cannot reach the host.
    fixture.sandbox.set("HTTPS_PROXY", proxy.url_with(USER_PASSWORD));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         {aws}: the proxy {proxy}: it did not connect to the host (502); check the proxy \
         if the next run fails too\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the proxy \
         {proxy}: it did not connect to the host (502); check the proxy if the next \
         run fails too\n",
    );
    assert_eq!(fixture.aws.server().connections(), 0);
    // The proxy does not listen.
    let refusing = Refusing::new();
    fixture.sandbox.placeholder(&format!("127.0.0.1:{}", refusing.port()), "{refusing}");
    fixture.sandbox.set("HTTPS_PROXY", format!("http://127.0.0.1:{}", refusing.port()));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         {aws}: the proxy {refusing}: connection refused; check HTTPS_PROXY and NO_PROXY\n\
         autodns: home.example.com: the alert: could not publish to {topic}: {aws}: the proxy \
         {refusing}: connection refused; check HTTPS_PROXY and NO_PROXY\n",
    );
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    for (exceptions, through) in [
        ("127.0.0.1", false),
        ("*", false),
        ("example.net, 127.0.0.1", false),
        ("example.net", true),
        ("", true),
        ("7.0.0.1", true),
    ] {
        let mut fixture = Fixture::new();
        let proxy = Proxy::start(&[("*", fixture.aws.server().port())]);
        fixture.sandbox.set("HTTPS_PROXY", proxy.url());
        fixture.sandbox.set("NO_PROXY", exceptions);
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.operations(), [List, Change]);
        assert_eq!(!proxy.request_lines().is_empty(), through, "{exceptions}");
    }
    // A host includes its subdomains, as in AWS's own tools.
    for (exceptions, through) in
        [("amazonaws.com", false), (".amazonaws.com", false), ("azonaws.com", true)]
    {
        let (mut fixture, proxy) = by_proxy();
        fixture.sandbox.set("NO_PROXY", exceptions);
        let run = fixture.run();
        assert_eq!(!proxy.request_lines().is_empty(), through, "{exceptions}: {run:?}");
    }
}

#[test]
fn rejected_connect_is_reported_with_its_status() {
    let proxy = Proxy::start(&[]);
    for (status, attempts, said) in [
        (
            403,
            1,
            "it forbids connections to this host (403); allow the host in the proxy, or name it in \
             NO_PROXY\n",
        ),
        (400, 1, "it did not connect (400); check HTTPS_PROXY and NO_PROXY\n"),
        (404, 1, "it did not connect (404); check HTTPS_PROXY and NO_PROXY\n"),
        (302, 1, "it did not connect (302); check HTTPS_PROXY and NO_PROXY\n"),
        (501, 1, "it did not connect to the host (501); check HTTPS_PROXY and NO_PROXY\n"),
        (
            511,
            1,
            "it wants you to sign in before it lets anything through (511); sign in to this \
             network\n",
        ),
        (
            503,
            3,
            "it did not connect to the host (503); check the proxy if the next run fails too\n",
        ),
        (
            522,
            3,
            "it did not connect to the host (522); check the proxy if the next run fails too\n",
        ),
    ] {
        let mut fixture = behind_proxy(&proxy);
        fixture.remove_from_config("topic_arn");
        proxy.always(Response::new(status, "text/html", "<html>"));
        let before = proxy.request_lines().len();
        let said = format!("{LIST_FAILED}{{aws}}: the proxy {{proxy}}: {said}");
        fixture.run().assert(1, "", &said);
        assert_eq!(proxy.request_lines().len() - before, attempts, "{status}");
    }
}

#[test]
fn proxy_with_a_transient_error_is_retried() {
    for reply in [
        Reply::from(Response::new(502, "text/plain", "")),
        Response::new(503, "text/plain", "").into(),
        Response::new(504, "text/plain", "").into(),
        Response::new(429, "text/plain", "").into(),
        Reply::nothing(),
    ] {
        let mut fixture = Fixture::new();
        let proxy = proxy_to(fixture.aws.server().port());
        fixture.sandbox.set("HTTPS_PROXY", proxy.url());
        proxy.once(reply);
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.operations(), [List, Change]);
        assert_eq!(proxy.request_lines().len(), 2);
    }
}

#[test]
fn interim_response_to_connect_is_skipped() {
    let mut fixture = Fixture::new();
    let proxy = proxy_to(fixture.aws.server().port());
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n";
    proxy.once(Reply::Raw(interim.to_vec(), End::Close));
    fixture.run().assert_silent();
    assert_eq!(proxy.request_lines().len(), 2);
}

#[test]
fn run_with_slow_proxy_ends_in_time() {
    let head = format!("HTTP/1.1 200 OK\r\nX-Padding: {}\r\n\r\n", "x".repeat(600));
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(200);
    for bytes in [head.into_bytes(), interim] {
        let proxy = Proxy::start(&[]);
        proxy.always(Reply::Drip(bytes, Duration::from_millis(400)));
        let fixture = behind_proxy(&proxy);
        let began = Instant::now();
        let run = fixture.run_with(&["--deadline", "5"]);
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        let said = "{aws}: the proxy {proxy}: timed out while connecting; check HTTPS_PROXY and \
                    NO_PROXY\n";
        assert_eq!(run.status.code(), Some(1));
        assert!(run.stderr.starts_with(&format!("{LIST_FAILED}{said}")), "{run:?}");
    }
}

#[test]
fn proxy_without_http_is_reported() {
    let proxy = Proxy::start(&[]);
    for bytes in
        [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nx"]
    {
        proxy.always(Reply::Raw(bytes.to_vec(), End::Close));
        let mut fixture = behind_proxy(&proxy);
        fixture.remove_from_config("topic_arn");
        let said = "{aws}: the proxy {proxy}: the response is not HTTP; check HTTPS_PROXY and \
                    NO_PROXY\n";
        fixture.run().assert(1, "", &format!("{LIST_FAILED}{said}"));
    }
    proxy.always(Reply::Forever(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-More: x\r\n".to_vec()));
    let mut fixture = behind_proxy(&proxy);
    fixture.remove_from_config("topic_arn");
    assert!(fixture.run().stderr.contains("the proxy {proxy}: the response is not HTTP"));
}

#[test]
fn https_proxy_is_used_and_its_certificate_checked() {
    let mut fixture = Fixture::new();
    let port = fixture.aws.server().port();
    let proxy = Proxy::behind_tls(&[("*", port)], Certificate::Good);
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!(proxy.request_lines(), [format!("CONNECT 127.0.0.1:{port}")]);
    fixture.remove_from_config("topic_arn");
    let untrusted = Proxy::behind_tls(&[("*", port)], Certificate::Untrusted);
    fixture.sandbox.set("HTTPS_PROXY", untrusted.url());
    fixture.sandbox.placeholder(&untrusted.address(), "{untrusted}");
    let cause = untrusted_server("autodns other CA");
    let said = format!("{LIST_FAILED}{{aws}}: the proxy {{untrusted}}: {cause}");
    fixture.run().assert(1, "", &said);
    assert_eq!(untrusted.request_lines(), Vec::<String>::new());
}

#[test]
fn no_proxy_accepts_addresses_networks_and_ports() {
    let v6 = || FakeAws::start_as(Listen::V6, Protocol::Tls(Certificate::Good));
    for (host, exceptions, through) in [
        ("127.0.0.1", "127.0.0.0/8", false),
        ("127.0.0.1", "10.0.0.0/8", true),
        ("127.0.0.1", "127.0.0.1:{port}", false),
        ("127.0.0.1", "127.0.0.1:1", true),
        ("localhost", "LocalHost.", false),
        ("[::1]", "::1", false),
        ("[::1]", "[::1]", false),
        ("[::1]", "[::1]:{port}", false),
        ("[::1]", "::/96", false),
        ("[::1]", "fd00::/8", true),
    ] {
        let aws = if host == "[::1]" { v6() } else { FakeAws::start() };
        let mut fixture = Fixture::with(aws, FakeReflector::start());
        let port = fixture.aws.server().port();
        let url = fixture.aws.server().url(host);
        fixture.sandbox.set("AWS_ENDPOINT_URL", url);
        fixture.sandbox.set("NO_PROXY", exceptions.replace("{port}", &port.to_string()));
        let proxy = Proxy::start(&[]);
        fixture.sandbox.set("HTTPS_PROXY", proxy.url());
        fixture.remove_from_config("topic_arn");
        let run = fixture.run();
        assert_eq!(!proxy.request_lines().is_empty(), through, "{exceptions}: {run:?}");
        assert_eq!(run.status.code(), Some(i32::from(through)), "{exceptions}: {run:?}");
    }
}

#[test]
fn ignored_no_proxy_entry_is_reported_verbosely() {
    let mut fixture = Fixture::new();
    let proxy = proxy_to(fixture.aws.server().port());
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    fixture.sandbox.set("NO_PROXY", "10.0.0.0/33,192.168.*");
    fixture.run().assert_silent();
    let run = fixture.run_with(&["--verbose"]);
    for entry in ["10.0.0.0/33", "192.168.*"] {
        let note = format!(
            "autodns: NO_PROXY: \"{entry}\" is not a host, an address or a CIDR, and is ignored\n"
        );
        assert!(run.stderr.contains(&note), "{run:?}");
    }
    // Every certificate of the bundle could be read.
    assert!(!run.stderr.contains("cannot be read"), "{run:?} {}", ca::pem());
}
