//! Compares the table of messages in docs/troubleshooting.md with real runs. A run prints each
//! message of the table, and the table has each message that is tested here.

use std::collections::BTreeSet;

use serde_json::json;

use crate::connections;
use crate::support::ca::Certificate;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{DateHeader, FakeAws, Fault, KEY_ID};
use crate::support::fake_reflector::{FakeReflector, HOST};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};
use crate::support::kill_at::run_traced;
use crate::support::openssl::{OpenSsl, make};
use crate::support::proxy::Proxy;
use crate::support::sandbox::Network;
use crate::support::server::{Listen, Protocol, Refusing, Silent};

/// Runs the program and returns its stderr.
type Scenario<'a> = Box<dyn Fn() -> String + 'a>;

/// The messages in the first column of the table.
fn messages_of_the_page() -> BTreeSet<&'static str> {
    let page = include_str!("../../docs/troubleshooting.md");
    let section = page.split("\n## Messages\n").nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its end");
    section
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.split_once("` |"))
        .map(|(message, _)| message)
        .collect()
}

fn asking(url: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["reflect_url"] = json!(url));
    fixture
}

fn said(fixture: &Fixture) -> String {
    let run = fixture.run_with(&["--deadline", "4"]);
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{run:?}");
    run.stderr
}

fn isolated(network: Network, url: &str) -> String {
    let mut fixture = asking(url);
    fixture.sandbox.network(network);
    fixture.sandbox.unset("AWS_ENDPOINT_URL");
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    said(&fixture)
}

fn with_certificate(certificate: Certificate) -> String {
    said(&Fixture::with(
        FakeAws::start_as(Listen::V4, Protocol::Tls(certificate)),
        FakeReflector::start(),
    ))
}

fn with(operation: crate::support::fake_aws::Operation, fault: Fault) -> String {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    if operation == Publish {
        fixture.reflector.fails(Family::V4);
    }
    fixture.aws.always(operation, fault);
    said(&fixture)
}

fn error(
    operation: crate::support::fake_aws::Operation,
    status: u16,
    code: &'static str,
) -> String {
    with(operation, Fault::error(status, code, "x"))
}

#[test]
fn each_message_of_the_page_is_printed_by_a_run() {
    let silent = Silent::start();
    let refusing = Refusing::new();
    let far = "https://reflect.example.org/";
    let cases: Vec<(&str, Scenario<'_>)> = vec![
        ("no network", Box::new(|| isolated(Network::None, far))),
        ("no name server answered", Box::new(|| isolated(Network::Route, far))),
        (
            "there is no host of that name",
            Box::new(|| {
                let fixture = asking(far);
                fixture.sandbox.etc("nsswitch.conf", "hosts: files\n");
                said(&fixture)
            }),
        ),
        (
            "the host's name has no IPv6 address",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let url = fixture.reflector.url_of("only4.example.net");
                fixture.configure(|config| {
                    config["reflect_url"] = json!(url);
                    config["record_types"] = json!(["AAAA"]);
                });
                said(&fixture)
            }),
        ),
        (
            "network unreachable",
            Box::new(|| {
                let mut fixture = asking("https://198.51.100.1/");
                fixture.sandbox.network(Network::Route);
                fixture.sandbox.prepare("ip route add unreachable 198.51.100.0/24");
                fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
                said(&fixture)
            }),
        ),
        (
            "this machine has no IPv6",
            Box::new(|| {
                let mut fixture = asking("https://[2001:db8::1]/");
                fixture.configure(|config| config["record_types"] = json!(["AAAA"]));
                fixture.sandbox.network(Network::Route);
                fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
                said(&fixture)
            }),
        ),
        (
            "this machine or a router prohibits the connection",
            Box::new(|| {
                let mut fixture = asking("https://198.51.100.1/");
                fixture.sandbox.network(Network::Route);
                fixture.sandbox.prepare("ip route add prohibit 198.51.100.0/24");
                fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
                said(&fixture)
            }),
        ),
        (
            "your DNS server blocks this name",
            Box::new(|| {
                let fixture = asking(&format!("https://api.ipify.org:{}/", refusing.port()));
                fixture.sandbox.hosts("0.0.0.0 api.ipify.org");
                said(&fixture)
            }),
        ),
        ("no file descriptor is left", Box::new(connections::out_of_files)),
        (
            "it asks for a user name and a password (407)",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let proxy = Proxy::with_password(&[]);
                fixture.sandbox.set("HTTPS_PROXY", proxy.url());
                said(&fixture)
            }),
        ),
        (
            "it did not connect to the host",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let proxy = Proxy::start(&[]);
                fixture.sandbox.set("HTTPS_PROXY", proxy.url());
                fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
                said(&fixture)
            }),
        ),
        ("the server's certificate is for", Box::new(|| with_certificate(Certificate::WrongName))),
        (
            "create a new one for the server",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let script = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=reflector \
                              -addext subjectAltName=DNS:reflect.example.net -keyout key.pem \
                              -out cert.pem";
                make(&fixture.sandbox.home(), script);
                let server = OpenSsl::serve(&fixture.sandbox.home(), &[]);
                let url = format!("https://{HOST}:{}/", server.port());
                fixture.configure(|config| config["reflect_url"] = json!(url));
                let bundle = fixture.sandbox.path("cert.pem");
                fixture.sandbox.set("AWS_CA_BUNDLE", bundle);
                said(&fixture)
            }),
        ),
        (
            "connection refused",
            Box::new(|| said(&asking(&format!("https://127.0.0.1:{}/", refusing.port())))),
        ),
        (
            "timed out while",
            Box::new(|| said(&asking(&format!("https://127.0.0.1:{}/", silent.port())))),
        ),
        (
            "the connection was closed before the response was whole",
            Box::new(|| with(List, Fault::Instead(Reply::reset()))),
        ),
        (
            "the server's certificate is not trusted: it is issued by",
            Box::new(|| with_certificate(Certificate::Untrusted)),
        ),
        (
            "this machine's clock is likely wrong",
            Box::new(|| with_certificate(Certificate::NotYetValid)),
        ),
        (
            "the server's certificate expired on",
            Box::new(|| with_certificate(Certificate::Expired)),
        ),
        (
            "check who answers there",
            Box::new(|| {
                let portal = Response::new(200, "text/html", "<html><body>Welcome</body></html>");
                with(List, Fault::Instead(portal.into()))
            }),
        ),
        (
            "InvalidClientTokenId",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.sandbox.set("AWS_ACCESS_KEY_ID", "AKIANOBODY");
                said(&fixture)
            }),
        ),
        (
            "check the secret access key",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", "another");
                said(&fixture)
            }),
        ),
        (
            "Signature expired",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.aws.state().ahead = time::Duration::minutes(10);
                fixture.aws.state().date = DateHeader::None;
                said(&fixture)
            }),
        ),
        ("ExpiredToken", Box::new(|| error(List, 403, "ExpiredToken"))),
        (
            "AccessDenied",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.aws.state().denied.push((KEY_ID.into(), Change));
                said(&fixture)
            }),
        ),
        (
            "explicit deny",
            Box::new(|| {
                let message = "User: x is not authorized with an explicit deny in a service \
                               control policy";
                with(Change, Fault::error(403, "AccessDenied", message))
            }),
        ),
        (
            "permissions boundary",
            Box::new(|| {
                let message = "User: x is not authorized because no permissions boundary allows it";
                with(Change, Fault::error(403, "AccessDenied", message))
            }),
        ),
        ("KMS", Box::new(|| error(Publish, 400, "KMSDisabled"))),
        ("RequestExpired", Box::new(|| error(List, 400, "RequestExpired"))),
        (
            "AuthorizationError",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.reflector.fails(Family::V4);
                fixture.aws.state().denied.push((KEY_ID.into(), Publish));
                said(&fixture)
            }),
        ),
        (
            "NoSuchHostedZone",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.configure(|config| config["hosted_zone_id"] = json!("ZNOSUCHZONE"));
                said(&fixture)
            }),
        ),
        (
            "cannot be created",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.configure(|config| config["dns_name"] = json!("home.exmaple.com"));
                let run = fixture.run_with(&["--dry-run"]);
                assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{run:?}");
                run.stderr
            }),
        ),
        (
            "InvalidChangeBatch",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.configure(|config| config["dns_name"] = json!("home.example.org"));
                said(&fixture)
            }),
        ),
        ("NotFound", Box::new(|| error(Publish, 404, "NotFound"))),
        ("InvalidParameter", Box::new(|| error(Publish, 400, "InvalidParameter"))),
        ("Throttling", Box::new(|| error(List, 400, "Throttling"))),
        ("PriorRequestNotComplete", Box::new(|| error(Change, 400, "PriorRequestNotComplete"))),
        ("could not confirm", Box::new(|| with(Change, Fault::After(Reply::reset())))),
        (
            "did not end in time",
            Box::new(|| {
                // The thread that does the work is held where it opens its first file.
                let number = libc::SYS_openat.to_string();
                let words = ["hold", "1.2", &number, "1"];
                run_traced(&Fixture::new(), &words, &["--deadline", "4"]).stderr
            }),
        ),
        (
            "not overwritten",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.aws.put(RecordSet::alias(
                    "home.example.com",
                    "A",
                    "elsewhere.example.com.",
                ));
                said(&fixture)
            }),
        ),
        (
            "not published: its address would be",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.configure(|config| {
                    config["ipv6_hosts"] = json!({"nas.example.com": "::ff:0:0:0:5/48"});
                    config["expected_networks"] = json!(["2620:4f:8000::/60"]);
                });
                said(&fixture)
            }),
        ),
        (
            "nothing was changed:",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let other = fixture.reflector.server().url("reflect2.example.net");
                fixture.reflector.at("/other", Response::text("192.175.48.8"));
                let urls = [fixture.reflector.url(), format!("{other}/other")];
                fixture.configure(|config| config["reflect_url"] = json!(urls));
                said(&fixture)
            }),
        ),
        (
            "it is not confirmed by",
            Box::new(|| {
                let mut fixture = Fixture::new();
                let other = fixture.reflector.server().url("reflect2.example.net");
                fixture.reflector.at("/other", Response::new(404, "text/plain", ""));
                let urls = [fixture.reflector.url(), format!("{other}/other")];
                fixture.configure(|config| {
                    config["reflect_url"] = json!(urls);
                    config["require_confirmation"] = json!(true);
                });
                said(&fixture)
            }),
        ),
        (
            "from address_command",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.remove_from_config("reflect_url");
                fixture.configure(|config| config["address_command"] = json!("false"));
                said(&fixture)
            }),
        ),
        (
            "no public IPv4 address of its own",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.reflector.says(Family::V4, "100.64.0.1");
                said(&fixture)
            }),
        ),
        (
            "which is not a public address",
            Box::new(|| {
                let fixture = Fixture::new();
                fixture.reflector.says(Family::V4, "10.1.2.3");
                said(&fixture)
            }),
        ),
        (
            "every failing run repeats the alert",
            Box::new(|| {
                let mut fixture = Fixture::new();
                fixture.reflector.fails(Family::V4);
                let lock = fixture.sandbox.path("missing/autodns.lock");
                fixture.configure(|config| config["alert_lock"] = json!(lock));
                said(&fixture)
            }),
        ),
    ];
    let tested: BTreeSet<&str> = cases.iter().map(|(message, _)| *message).collect();
    assert_eq!(tested, messages_of_the_page());
    for (message, run) in &cases {
        let seen = run();
        assert!(seen.contains(message), "{message} is not in:\n{seen}");
    }
}
