//! Errors of this machine and its network: unreachable addresses, a missing address family, names
//! that a DNS server blocks, limits of the process.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::expected::address_failed;
use crate::support::fake_reflector::HOST;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply};
use crate::support::sandbox::Network;
use crate::support::server::Refusing;

/// A fixture that asks `url` in a separate network without the fake servers.
fn isolated(url: &str, record_type: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.remove_from_config("topic_arn");
    fixture.configure(|config| {
        config["reflect_url"] = json!(url);
        config["record_types"] = json!([record_type]);
    });
    fixture.sandbox.network(Network::Route);
    fixture
}

#[test]
fn missing_ipv6_is_reported_once_and_tried_once() {
    let urls = json!(["https://[2001:db8::1]/", "https://[2001:db8::2]/"]);
    for prepare in
        ["true", "ip -6 route add prohibit default", "ip -6 route add unreachable default"]
    {
        let mut fixture = isolated("", "AAAA");
        fixture.configure(|config| config["reflect_url"] = urls.clone());
        fixture.sandbox.prepare(prepare);
        let run = fixture.run_with(&["--dry-run", "--verbose"]);
        let said = "autodns: home.example.com AAAA: could not get the public IPv6 address from \
                    https://[2001:db8::1]: this machine has no IPv6; set up \
                    IPv6, or remove ipv6_hosts and the AAAA in record_types\n";
        assert!(run.stderr.contains(said), "{prepare}: {run:?}");
        assert!(!run.stderr.contains("asking again"), "{prepare}: {run:?}");
        assert_eq!(run.stderr.matches("asking https://").count(), 1, "{prepare}: {run:?}");
    }
}

#[test]
fn prohibited_address_is_followed_by_the_next() {
    let mut fixture = Fixture::new();
    fixture.sandbox.hosts("2001:db8::9 two.example.net\n127.0.0.1 two.example.net");
    let url = fixture.aws.server().url("two.example.net");
    fixture.sandbox.set("AWS_ENDPOINT_URL", url);
    let run = fixture.run_with(&["--verbose"]);
    // The error of the certificate shows that the second address was reached.
    assert!(run.stderr.contains("not for \"two.example.net\""), "{run:?}");
}

#[test]
fn prohibited_connection_is_reported() {
    let mut fixture = isolated("https://198.51.100.1/", "A");
    fixture.sandbox.prepare("ip route add prohibit 198.51.100.0/24");
    let said = "autodns: home.example.com A: could not get the public IPv4 address from \
                https://198.51.100.1: this machine or a router prohibits the connection; check the \
                firewalls of this machine and of the router\n";
    let run = fixture.run_with(&["--dry-run"]);
    assert!(run.stderr.starts_with(said), "{run:?}");
}

#[test]
fn twenty_silent_addresses_end_by_the_deadline() {
    let mut fixture = Fixture::new();
    // Packets to these addresses go to the loopback of this network, where nothing accepts them.
    fixture.sandbox.network(Network::Route);
    let lost: Vec<String> = (1..=20).map(|n| format!("192.0.2.{n} twenty.example.net")).collect();
    fixture.sandbox.hosts(&lost.join("\n"));
    fixture.configure(|config| config["reflect_url"] = json!("https://twenty.example.net/"));
    let began = Instant::now();
    let config = fixture.sandbox.path("autodns.json");
    let run = fixture.run_args(&["check", "--deadline", "6", &config]);
    assert!(began.elapsed() < Duration::from_secs(9), "{:?} {run:?}", began.elapsed());
}

#[test]
fn name_blocked_by_dns_is_reported() {
    let blocked = |address: &str| {
        format!(
            "your DNS server blocks this name (Pi-hole, an ad blocker): it answers {address}; \
             allow the name in the settings of that DNS server\n"
        )
    };
    for (name, address, is_block) in [
        ("reflector.example.org", "0.0.0.0", true),
        ("api.ipify.org", "0.0.0.0", true),
        ("api.ipify.org", "127.0.0.1", true),
        ("route53.amazonaws.com", "127.0.0.1", true),
        // This may be a server of the user.
        ("reflector.example.org", "127.0.0.1", false),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.sandbox.hosts(&format!("{address} {name}"));
        let refusing = Refusing::new();
        let port = refusing.port();
        let url = format!("https://{name}:{port}");
        fixture.configure(|config| config["reflect_url"] = json!(url));
        fixture.sandbox.placeholder(&format!(":{port}"), ":{refusing}");
        let said = if is_block {
            blocked(address)
        } else {
            "connection refused; check the address and the port, and that the server runs\n".into()
        };
        let said = format!(
            "autodns: home.example.com A: could not get the public IPv4 address from \
             https://{name}:{{refusing}}: {said}"
        );
        fixture.run_with(&["--dry-run"]).assert(1, "", &said);
    }
}

/// The output of a run that may open one file besides the three standard streams. The response of
/// the reflector does not end, and the connection of the list stays open for the change, so the
/// second of them gets no file.
pub fn out_of_files() -> String {
    let mut fixture = Fixture::new();
    fixture.remove_from_config("topic_arn");
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    // A numeric address needs no lookup. For a lookup the C library would open files.
    let url = fixture.reflector.url().replace(HOST, "127.0.0.1");
    fixture.configure(|config| config["reflect_url"] = json!(url));
    let slow = Reply::Drip(b"HTTP/1.1 200 OK".to_vec(), Duration::from_secs(1));
    fixture.reflector.replies(Family::V4, slow);
    let arguments = ["--deadline", "4", &fixture.sandbox.path("autodns.json")];
    fixture.finish(fixture.sandbox.spawn_by(&["prlimit", "--nofile=4"], &arguments)).stderr
}

#[test]
fn ipv6_only_machine_uses_dual_stack_endpoints() {
    for (setting, host) in [
        (None, "route53.global.api.aws"),
        (Some("false"), "route53.amazonaws.com"),
        (Some("true"), "route53.global.api.aws"),
    ] {
        let mut fixture = isolated("https://[2001:db8::1]/", "AAAA");
        fixture.sandbox.network(Network::None);
        fixture.sandbox.prepare("ip -6 route add default dev lo");
        fixture.sandbox.unset("AWS_ENDPOINT_URL");
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        if let Some(setting) = setting {
            fixture.sandbox.set("AWS_USE_DUALSTACK_ENDPOINT", setting);
        }
        let run = fixture.run_with(&["--verbose", "--deadline", "4"]);
        let note = "autodns: this machine has only IPv6, so AWS is called at its dual-stack \
                    endpoints\n";
        assert_eq!(run.stderr.matches(note).count(), usize::from(setting.is_none()), "{run:?}");
        assert!(run.stderr.contains(&format!("{host}: ")), "{setting:?}: {run:?}");
    }
}

#[test]
fn exhausted_file_descriptors_are_reported() {
    let seen = out_of_files();
    let said = "this machine could not open another file: no file descriptor is left; check the \
                limit that ulimit -n shows, and which program has so many files open\n";
    assert!(seen.contains(said), "{seen}");
    assert!(!seen.contains("no network") && !seen.contains("no name server"), "{seen}");
}

#[test]
fn exhausted_threads_are_reported() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    let config = fixture.sandbox.path("autodns.json");
    // The stack of a thread takes 2 MiB. At one of these limits the first threads of a run have
    // memory and the next has none. At lower limits the run ends earlier, with another message.
    let seen: Vec<bool> = (0..16)
        .map(|step| {
            let limit = format!("--data={}", 1_000_000 + step * 700_000);
            let run = fixture.finish(fixture.sandbox.spawn_by(&["prlimit", &limit], &[&config]));
            assert!(!run.stderr.contains("timed out"), "{run:?}");
            run.stderr.contains(
                "this machine could not start another thread; check its memory, and the limit that \
                 ulimit -u shows\n",
            )
        })
        .collect();
    assert!(seen.contains(&true), "{seen:?}");
}

#[test]
fn run_with_slow_headers_or_bodies_ends_in_time() {
    let pause = Duration::from_millis(300);
    let interim = [b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100), b"HTTP/1.1 200 OK".to_vec()];
    let trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1.2.3\r\n0\r\n";
    let trailers = format!("{trailers}X-Trailer: {}\r\n\r\n", "x".repeat(600));
    let sizes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sizes = format!("{sizes}1;{}\r\n", "x".repeat(600));
    for bytes in [interim.concat(), trailers.into_bytes(), sizes.into_bytes()] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.reflector.replies(Family::V4, Reply::Drip(bytes, pause));
        let began = Instant::now();
        let run = fixture.run_with(&["--deadline", "3"]);
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        assert!(run.stderr.starts_with(&address_failed(Family::V4)), "{run:?}");
        assert!(run.stderr.contains("timed out while"), "{run:?}");
    }
}

#[test]
fn missing_network_is_reported_in_one_line() {
    let mut fixture = Fixture::with_both_families();
    fixture.sandbox.network(Network::None);
    fixture.sandbox.unset("AWS_ENDPOINT_URL");
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    fixture.configure(|config| {
        config["reflect_url"] =
            json!(["https://reflect.example.org/", "https://reflect.example.com/"]);
        config["dns_name"] = json!(["home.example.com", "host.example.com"]);
    });
    fixture.run_with(&["--deadline", "10"]).assert(
        1,
        "",
        "autodns: home.example.com A, AAAA, host.example.com A, AAAA: no network: this machine has \
         no route to the Internet; check the cable or the Wi-Fi, and the router\n",
    );
}
