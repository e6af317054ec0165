//! The sources of the address: several reflectors, confirmation by a second source, expected
//! networks, the interface. Also several names with one address.

use std::time::Duration;

use serde_json::json;

use crate::support::assert_text;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_reflector::{FakeReflector, Form, HOST, address_response};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply, Response};
use crate::support::sandbox::Network;
use crate::support::server::Silent;

/// The usual fixture with a second reflector on another host, after the first one in the list.
fn two_reflectors() -> (Fixture, FakeReflector) {
    let mut fixture = Fixture::new();
    let second = FakeReflector::start();
    let urls = json!([fixture.reflector.url(), second.url_of("127.0.0.1")]);
    fixture.configure(|config| config["reflect_url"] = urls);
    fixture.sandbox.placeholder(&second.server().url("127.0.0.1"), "{second}");
    (fixture, second)
}

const UNCHANGED: &str = "home.example.com. A 300 192.175.48.1";
const CHANGED: &str = "home.example.com. A 300 192.175.48.7";
/// The message if the second reflector of `two_reflectors` names 192.175.48.9.
const DISPUTED: &str = "autodns: home.example.com A: nothing was changed: {reflector}/reflect/v1 \
                        says that the address is 192.175.48.7, but {second}/reflect/v1 says \
                        192.175.48.9; check which is right\n";

#[test]
fn unchanged_address_asks_only_the_first_source() {
    let (fixture, second) = two_reflectors();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.reflector.server().requests().len(), 1);
    assert_eq!(second.server().connections(), 0);
}

#[test]
fn change_confirmed_by_second_source_is_made() {
    let (fixture, second) = two_reflectors();
    fixture.run().assert_silent();
    assert_eq!(second.server().requests().len(), 1);
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
}

#[test]
fn dry_run_asks_the_second_source() {
    let (fixture, second) = two_reflectors();
    let expected = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    fixture.run_with(&["--dry-run"]).assert(0, expected, "");
    assert_eq!(second.server().requests().len(), 1);
}

#[test]
fn change_is_not_made_when_second_source_disagrees() {
    let (fixture, second) = two_reflectors();
    second.says(Family::V4, "192.175.48.9");
    fixture.run().assert(1, "", DISPUTED).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn disagreement_on_one_family_does_not_stop_the_other() {
    let (mut fixture, second) = two_reflectors();
    let urls = json!([fixture.reflector.url(), second.url_of("only4.example.net")]);
    fixture.configure(|config| {
        config["record_types"] = json!(["A", "AAAA"]);
        config["reflect_url"] = urls;
    });
    fixture.sandbox.placeholder(&second.server().url("only4.example.net"), "{second}");
    second.says(Family::V4, "192.175.48.9");
    fixture.run().assert(1, "", DISPUTED);
    assert_eq!(
        fixture.aws.record_sets()[..2],
        [UNCHANGED, "home.example.com. AAAA 600 2620:4f:8000::7"]
    );
}

#[test]
fn unconfirmed_change_is_made_and_reported_verbosely() {
    let (fixture, second) = two_reflectors();
    second.fails(Family::V4);
    let run = fixture.run_with(&["--verbose"]);
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(0), ""));
    assert_text(
        &run.sorted_stderr(),
        "autodns: 192.175.48.7 is not confirmed: no other source answers\n\
         autodns: Route 53 accepted change C0123456789ABCDEFGHIJ, PENDING\n\
         autodns: Route 53 has A 192.175.48.1 for home.example.com\n\
         autodns: asking {reflector}/reflect/v1 over IPv4\n\
         autodns: asking {second}/reflect/v1 over IPv4\n\
         autodns: home.example.com A: 192.175.48.1 -> 192.175.48.7\n\
         autodns: home.example.com: key id ...ST07 from the environment\n\
         autodns: listing up to 10 record sets of hosted zone {zone} from home.example.com\n\
         autodns: {reflector}/reflect/v1 answered 192.175.48.7\n\
         autodns: {second}/reflect/v1 over IPv4: it answered 12 bytes of text, not an \
         address; check the reflector, and the key in reflect_url if it has one\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
}

#[test]
fn second_url_of_one_host_confirms_nothing() {
    for host in [HOST.to_uppercase(), format!("{HOST}.")] {
        let mut fixture = Fixture::new();
        let second = FakeReflector::start();
        second.says(Family::V4, "192.175.48.9");
        let urls = json!([fixture.reflector.url(), second.url_of(&host)]);
        fixture.configure(|config| config["reflect_url"] = urls);
        fixture.run().assert_silent();
        assert_eq!(second.server().connections(), 0, "{host}");
        assert_eq!(fixture.aws.record_sets()[0], CHANGED, "{host}");
    }
}

#[test]
fn failed_source_is_replaced_by_the_next() {
    let (fixture, second) = two_reflectors();
    for broken in ["out of order", "10.1.2.3\n", "2620:4f:8000::7\n", ""] {
        fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.1"]));
        fixture.reflector.replies(Family::V4, Response::text(broken));
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.record_sets()[0], CHANGED, "{broken:?}");
    }
    assert_eq!(second.server().requests().len(), 4);
}

#[test]
fn unusable_address_of_second_source_stops_the_change() {
    let (fixture, second) = two_reflectors();
    for address in ["100.64.0.1", "10.1.2.3", "0.0.0.0", "2620:4f:8000::7"] {
        second.says(Family::V4, address);
        let said = format!(
            "autodns: home.example.com A: nothing was changed: {{reflector}}/reflect/v1 says that \
             the address is 192.175.48.7, but {{second}}/reflect/v1 says {address}; check which is \
             right\n"
        );
        fixture.run().assert(1, "", &said);
    }
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn second_address_outside_networks_stops_the_change() {
    let (mut fixture, second) = two_reflectors();
    fixture.configure(|config| config["expected_networks"] = json!(["192.175.48.0/29"]));
    second.says(Family::V4, "192.175.48.9");
    fixture.run().assert(1, "", DISPUTED);
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn two_agreeing_sources_outvote_an_unusable_address() {
    let (mut fixture, second) = two_reflectors();
    let third = FakeReflector::start();
    let urls = json!([
        fixture.reflector.url(),
        second.url_of("127.0.0.1"),
        third.url_of("reflect2.example.net")
    ]);
    fixture.configure(|config| config["reflect_url"] = urls);
    fixture.reflector.says(Family::V4, "100.64.0.1");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
}

#[test]
fn second_source_with_a_transient_error_is_retried() {
    for reply in [Reply::reset(), Response::new(503, "text/plain", "").into(), Reply::nothing()] {
        let (fixture, second) = two_reflectors();
        second.once(Family::V4, reply.clone());
        second.says(Family::V4, "192.175.48.9");
        fixture.run().assert(1, "", DISPUTED);
        assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
        assert_eq!(second.server().requests().len(), 2);

        second.once(Family::V4, reply);
        second.says(Family::V4, "192.175.48.7");
        let run = fixture.run();
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
        assert_eq!(fixture.aws.record_sets()[0], CHANGED);
        assert_eq!(second.server().requests().len(), 4);
    }
}

#[test]
fn first_source_with_a_transient_error_is_retried() {
    for reply in [Reply::reset(), Response::new(503, "text/plain", "").into()] {
        let (fixture, second) = two_reflectors();
        fixture.reflector.once(Family::V4, reply);
        second.says(Family::V4, "192.175.48.9");
        fixture.run().assert(
            1,
            "",
            "autodns: home.example.com A: nothing was changed: {second}/reflect/v1 says that the \
             address is 192.175.48.9, but {reflector}/reflect/v1 says 192.175.48.7; check which is \
             right\n",
        );
        assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
        assert_eq!(fixture.reflector.request_lines().len(), 2);
    }
}

#[test]
fn source_with_a_permanent_error_is_not_retried() {
    let (fixture, second) = two_reflectors();
    fixture.reflector.replies(Family::V4, Response::new(404, "text/plain", ""));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    assert_eq!((fixture.reflector.request_lines().len(), second.request_lines().len()), (1, 1));
}

/// `two_reflectors` with `require_confirmation`.
fn two_reflectors_that_must_agree() -> (Fixture, FakeReflector) {
    let (mut fixture, second) = two_reflectors();
    fixture.configure(|config| config["require_confirmation"] = json!(true));
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "2");
    (fixture, second)
}

#[test]
fn required_confirmation_that_is_missing_stops_the_change() {
    let unconfirmed = "autodns: home.example.com A: nothing was changed: {reflector}/reflect/v1 \
                       says that the address is 192.175.48.7, and it is not confirmed by \
                       {second}/reflect/v1: ";
    let (fixture, second) = two_reflectors_that_must_agree();
    for (reply, cause, asked) in [
        (
            Reply::from(Response::text("out of order")),
            "it answered 12 bytes of text, not an address; check the reflector, and the key in \
             reflect_url if it has one\n",
            1,
        ),
        (
            Reply::reset(),
            "the connection was closed before the response was whole; check the connection if \
             the next run fails too\n",
            2,
        ),
        (
            Response::redirect(302, &fixture.reflector.url()).into(),
            "its response is from reflect.example.net, which named the address already; name a \
             source on another host\n",
            1,
        ),
    ] {
        let before = second.request_lines().len();
        second.replies(Family::V4, reply);
        fixture.run().assert(1, "", &format!("{unconfirmed}{cause}"));
        assert_eq!(second.request_lines().len(), before + asked, "{cause}");
    }
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn missing_confirmation_names_the_source_that_failed() {
    let (fixture, _second) = two_reflectors_that_must_agree();
    fixture.reflector.replies(Family::V4, Response::new(404, "text/plain", ""));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: nothing was changed: {second}/reflect/v1 says that the \
         address is 192.175.48.7, and it is not confirmed by {reflector}/reflect/v1: it \
         answered 404; check the reflector, and the key in reflect_url if it has one\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn required_confirmation_that_is_given_allows_the_change() {
    let (fixture, second) = two_reflectors_that_must_agree();
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    // Without a change no confirmation is needed.
    second.fails(Family::V4);
    fixture.run().assert_silent();
    assert_eq!(second.request_lines().len(), 1);
}

#[test]
fn interface_address_needs_no_confirmation() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| {
        config["record_types"] = json!(["AAAA"]);
        config["ipv6_interface"] = json!("eth0");
        config["require_confirmation"] = json!(true);
    });
    mount_address_table(&mut fixture, ADDRESS_TABLE);
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[1], "home.example.com. AAAA 600 2620:4f:8000::3");
}

#[test]
fn required_confirmation_with_one_host_is_rejected() {
    let (mut fixture, second) = two_reflectors();
    let base = fixture.reflector.server().url(HOST);
    for urls in [
        json!(fixture.reflector.url()),
        json!([
            fixture.reflector.url(),
            format!("{}/2", base.to_uppercase().replace("HTTPS", "https"))
        ]),
        json!([fixture.reflector.url(), second.url_of(&format!("{HOST}."))]),
    ] {
        fixture.configure(|config| {
            config["require_confirmation"] = json!(true);
            config["reflect_url"] = urls;
        });
        let run = fixture.run();
        run.assert(
            2,
            "",
            "autodns: {home}/autodns.json: \"require_confirmation\" needs reflectors on two \
             different hosts in \"reflect_url\", or one beside \"address_command\"\n",
        );
        fixture.assert_untouched(&run);
    }
}

#[test]
fn two_sources_redirecting_to_one_host_count_once() {
    let (mut fixture, second) = two_reflectors();
    let common = FakeReflector::start();
    let target = common.url_of("only4.example.net");
    for reflector in [&fixture.reflector, &second] {
        reflector.replies(Family::V4, Response::redirect(302, &target));
    }
    common.says(Family::V4, "192.175.48.9");
    fixture.configure(|config| config["require_confirmation"] = json!(true));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: nothing was changed: {reflector}/reflect/v1 says that the \
         address is 192.175.48.9, and it is not confirmed by {second}/reflect/v1: its \
         response is from only4.example.net, which named the address already; name a source on \
         another host\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn each_of_many_slow_sources_gets_enough_time() {
    let mut fixture = Fixture::new();
    // One second is eight times an equal share of the time.
    let bytes = address_response(Form::Bare, "192.175.48.7").to_bytes();
    let pause = Duration::from_secs(1) / u32::try_from(bytes.len()).expect("a small number");
    fixture.reflector.replies(Family::V4, Reply::Drip(bytes, pause));
    let urls: Vec<String> = (0..60).map(|n| format!("{}&n={n}", fixture.reflector.url())).collect();
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.run_with(&["--deadline", "20"]).assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
}

#[test]
fn second_of_many_sources_gets_enough_time() {
    let (mut fixture, second) = two_reflectors();
    second.says(Family::V4, "192.175.48.9");
    let silent = Silent::start();
    let mut urls = vec![fixture.reflector.url()];
    urls.extend((0..30).map(|n| format!("https://only4.example.net:{}/{n}", silent.port())));
    urls.push(second.url_of("127.0.0.1"));
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.run_with(&["--deadline", "20"]).assert(1, "", DISPUTED);
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
}

#[test]
fn source_after_many_that_hang_is_used() {
    let mut fixture = Fixture::new();
    let silent = Silent::start();
    let mut urls: Vec<String> =
        (0..30).map(|n| format!("https://only4.example.net:{}/{n}", silent.port())).collect();
    urls.push(fixture.reflector.url());
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.run_with(&["--deadline", "20"]).assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
}

#[test]
fn hanging_source_does_not_stop_a_retry_of_another() {
    let mut fixture = Fixture::new();
    let silent = Silent::start();
    let urls = [format!("https://only4.example.net:{}/", silent.port()), fixture.reflector.url()];
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    fixture.reflector.once(Family::V4, Reply::reset());
    let run = fixture.run_with(&["--deadline", "20", "--dry-run"]);
    run.assert(0, "home.example.com A: 192.175.48.1 -> 192.175.48.7\n", "");
    assert_eq!(fixture.reflector.request_lines().len(), 2);
}

#[test]
fn message_has_the_cause_of_each_source_when_all_fail() {
    let (fixture, second) = two_reflectors();
    fixture.reflector.fails(Family::V4);
    second.replies(Family::V4, Response::text("10.1.2.3\n"));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not get the public IPv4 address from \
         {second}/reflect/v1: it answered 10.1.2.3, which is not a public address: private; check \
         the route to the reflector, or set allow_non_public\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], UNCHANGED);
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn address_outside_expected_networks_is_rejected() {
    let (mut fixture, second) = two_reflectors();
    fixture.configure(|config| config["expected_networks"] = json!(["192.175.48.8/29"]));
    second.says(Family::V4, "192.175.48.9");
    // The first address is outside the networks, the second inside.
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.9");

    let mut fixture = Fixture::with_both_families();
    fixture.configure(|config| config["expected_networks"] = json!(["192.175.49.0/24"]));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 192.175.48.7, which is outside the expected \
         networks 192.175.49.0/24; check for a VPN or another route, or correct \
         expected_networks\n",
    );
    // No network of IPv6 is listed, so IPv6 is not restricted.
    assert_eq!(
        fixture.aws.record_sets()[..2],
        [UNCHANGED, "home.example.com. AAAA 600 2620:4f:8000::7"]
    );
}

/// Replaces the kernel's table of IPv6 addresses, for the program only.
fn mount_address_table(fixture: &mut Fixture, table: &str) {
    fixture.sandbox.write("net/if_inet6", table);
    // The kernel makes the files in this folder on each access, so the mount is on the folder.
    fixture.sandbox.mount_over("net", "/proc/self/net");
}

const ADDRESS_TABLE: &str = "\
2620004f800000000000000000000001 02 40 00 01     eth0
2620004f800000000000000000000002 02 40 00 20     eth0
2620004f800000000000000000000003 02 40 00 00     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
";

#[test]
fn interface_address_is_used_instead_of_reflectors() {
    let mut fixture = Fixture::with_both_families();
    fixture.configure(|config| config["ipv6_interface"] = json!("eth0"));
    mount_address_table(&mut fixture, ADDRESS_TABLE);
    fixture.run().assert_silent();
    assert_eq!(
        fixture.aws.record_sets()[..2],
        [CHANGED, "home.example.com. AAAA 600 2620:4f:8000::3"]
    );
    assert_eq!(fixture.reflector.server().requests().len(), 1);
}

#[test]
fn interface_address_is_read_from_the_kernel() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| {
        config["record_types"] = json!(["AAAA"]);
        config["ipv6_interface"] = json!("lo");
        config["allow_non_public"] = json!(true);
    });
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[1], "home.example.com. AAAA 600 ::1");
}

#[test]
fn source_address_of_the_default_route_is_published() {
    // While a provider replaces one prefix by another, both are valid.
    let (old, new) = ("2a02:810d:a4:1c00::7", "2a02:810d:b5:2d00::7");
    for source in [old, new] {
        let mut fixture = Fixture::new();
        fixture.configure(|config| {
            config["record_types"] = json!(["AAAA"]);
            config["ipv6_interface"] = json!("lo");
        });
        fixture.sandbox.network(Network::None);
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        for address in [old, new] {
            fixture.sandbox.prepare(&format!("ip address add {address}/64 dev lo nodad"));
        }
        fixture.sandbox.prepare(&format!("ip -6 route add default dev lo src {source}"));
        // AWS cannot be reached from this network, but the address is printed before that.
        let run = fixture.run_with(&["--verbose", "--dry-run"]);
        let step = format!("autodns: interface lo has {source}");
        assert!(run.stderr.lines().any(|line| line == step), "{run:?}");
    }
}

#[test]
fn special_interface_address_is_never_published() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| {
        config["record_types"] = json!(["AAAA"]);
        config["ipv6_interface"] = json!("eth0");
        config["allow_non_public"] = json!(true);
    });
    mount_address_table(&mut fixture, "00000000000000000000ffffc0af3007 02 40 00 80     eth0\n");
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not get the public IPv6 address from interface \
         eth0: none of its addresses can be published: ::ffff:192.175.48.7 (IPv4-mapped); check \
         ipv6_interface\n",
    );
}

#[test]
fn unusable_interface_is_reported_with_its_cause() {
    let mut fixture = Fixture::with_both_families();
    fixture.configure(|config| config["ipv6_interface"] = json!("eth0"));
    mount_address_table(
        &mut fixture,
        &ADDRESS_TABLE.replace("40 00 00     eth0", "40 00 40     eth0"),
    );
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not get the public IPv6 address from \
         interface eth0: none of its addresses can be published: 2620:4f:8000::1 (temporary), \
         2620:4f:8000::2 (deprecated), 2620:4f:8000::3 (tentative), fe80::1 (link-local); check \
         ipv6_interface\n",
    );
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);

    let mut fixture = Fixture::with_both_families();
    fixture.configure(|config| config["ipv6_interface"] = json!("eth7"));
    let run = fixture.run();
    // The list of interfaces depends on this machine.
    let (said, there) = run.stderr.split_once("there are ").expect("a list of interfaces");
    assert_eq!(
        said,
        "autodns: home.example.com AAAA: could not get the public IPv6 address from \
         interface eth7: there is no such interface; "
    );
    assert!(there.split([',', ';', ' ']).any(|name| name == "lo"), "{there}");
}

#[test]
fn several_names_are_changed_in_one_batch() {
    let mut fixture = Fixture::with_both_families();
    let names = json!(["home.example.com", "*.home.example.com"]);
    fixture.configure(|config| config["dns_name"] = names);
    fixture.run().assert_silent();
    // The walk did not find the wildcard, so a second list asked for it alone.
    assert_eq!(fixture.aws.operations(), [List, List, Change]);
    assert_eq!(fixture.aws.server().connections(), 1);
    let sizes: Vec<_> = fixture.aws.state().route53.batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4]);
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, List, Change, List]);

    fixture.reflector.fails(Family::V4);
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A, *.home.example.com A: could not get the public IPv4 \
         address from {reflector}/reflect/v1: it answered 12 bytes of text, not an \
         address; check the reflector, and the key in reflect_url if it has one\n",
    );
    assert_eq!(
        fixture.aws.published()[0].subject,
        "autodns: home.example.com, *.home.example.com are not up to date (raspberrypi)"
    );
}
