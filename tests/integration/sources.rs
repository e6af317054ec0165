//! Where the address comes from: several reflectors, a second opinion before a change, expected
//! networks, the interface; and several names that follow one address.

use serde_json::json;

use crate::support::assert_text;
use crate::support::aws::Call::{Change, List, Publish};
use crate::support::http::{Answer, Family};
use crate::support::reflector::{HOST, Reflector};
use crate::support::route53::Row;
use crate::support::sandbox::Network;
use crate::support::scene::Scene;

/// The usual scene with a second reflector, on another host, behind the first in the list.
fn two() -> (Scene, Reflector) {
    let mut scene = Scene::new();
    let second = Reflector::start();
    let urls = json!([scene.reflector.url(), second.url_of("127.0.0.1")]);
    scene.configure(|config| config["reflect_url"] = urls);
    scene.sandbox.alias(&second.server().url("127.0.0.1"), "{second}");
    (scene, second)
}

const UNCHANGED: &str = "home.example.com. A 300 192.175.48.1";
const CHANGED: &str = "home.example.com. A 300 192.175.48.7";

#[test]
fn a_quiet_run_asks_the_first_alone() {
    let (scene, second) = two();
    scene.aws.put(Row::new("home.example.com", "A", 300, &["192.175.48.7"]));
    scene.run().assert_silent().assert_wrote(&[]);
    assert_eq!(scene.reflector.server().requests().len(), 1);
    assert_eq!(second.server().connections(), 0);
}

#[test]
fn a_change_that_a_second_source_confirms_is_made() {
    let (scene, second) = two();
    scene.run().assert_silent();
    assert_eq!(second.server().requests().len(), 1);
    assert_eq!(scene.aws.rows()[0], CHANGED);
}

#[test]
fn a_dry_run_asks_for_the_second_opinion_too() {
    let (scene, second) = two();
    let expected = "home.example.com A: 192.175.48.1 -> 192.175.48.7\n";
    scene.run_with(&["--dry-run"]).assert(0, expected, "");
    assert_eq!(second.server().requests().len(), 1);
}

#[test]
fn a_change_that_a_second_source_disputes_is_not_made() {
    let (scene, second) = two();
    second.says(Family::V4, "192.175.48.9");
    scene
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: nothing was changed: {reflector}/reflect/v1 says that \
         the address is 192.175.48.7, but {second}/reflect/v1 says 192.175.48.9; check which \
         is right\n",
        )
        .assert_wrote(&["+ autodns.lock"]);
    assert_eq!(scene.aws.rows()[0], UNCHANGED);
    assert_eq!(scene.aws.calls(), [List, Publish]);
}

#[test]
fn a_dispute_of_one_family_does_not_hold_up_the_other() {
    let (mut scene, second) = two();
    let urls = json!([scene.reflector.url(), second.url_of("only4.example.net")]);
    scene.configure(|config| {
        config["record_types"] = json!(["A", "AAAA"]);
        config["reflect_url"] = urls;
    });
    scene.sandbox.alias(&second.server().url("only4.example.net"), "{second}");
    second.says(Family::V4, "192.175.48.9");
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A: nothing was changed: {reflector}/reflect/v1 says that \
         the address is 192.175.48.7, but {second}/reflect/v1 says 192.175.48.9; check which \
         is right\n",
    );
    assert_eq!(scene.aws.rows()[..2], [UNCHANGED, "home.example.com. AAAA 600 2620:4f:8000::7"]);
}

#[test]
fn a_change_that_no_other_source_can_confirm_is_made_and_said_so() {
    let (scene, second) = two();
    second.replies(Family::V4, Answer::text("out of order"));
    let run = scene.run_with(&["--verbose"]);
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
         autodns: listing home.example.com in hosted zone {zone}\n\
         autodns: {reflector}/reflect/v1 answered 192.175.48.7\n\
         autodns: {second}/reflect/v1 over IPv4: it answered 12 bytes of text, not an address; check the reflector, and the key in reflect_url if it has one\n",
    );
    assert_eq!(scene.aws.rows()[0], CHANGED);
}

#[test]
fn another_url_of_the_same_host_is_no_second_opinion() {
    let mut scene = Scene::new();
    let second = Reflector::start();
    second.says(Family::V4, "192.175.48.9");
    let urls = json!([scene.reflector.url(), second.url_of(&HOST.to_uppercase())]);
    scene.configure(|config| config["reflect_url"] = urls);
    scene.run().assert_silent();
    assert_eq!(second.server().connections(), 0);
    assert_eq!(scene.aws.rows()[0], CHANGED);
}

#[test]
fn a_source_that_fails_passes_on_to_the_next() {
    let (scene, second) = two();
    for broken in ["out of order", "10.1.2.3\n", "2620:4f:8000::7\n", ""] {
        scene.aws.put(Row::new("home.example.com", "A", 300, &["192.175.48.1"]));
        scene.reflector.replies(Family::V4, Answer::text(broken));
        scene.run().assert_silent();
        assert_eq!(scene.aws.rows()[0], CHANGED, "{broken:?}");
    }
    assert_eq!(second.server().requests().len(), 4);
}

#[test]
fn when_all_sources_fail_one_line_has_the_reason_of_each() {
    let (scene, second) = two();
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    second.replies(Family::V4, Answer::text("10.1.2.3\n"));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one; nor from {second}/reflect/v1: \
         it answered 10.1.2.3, which is not a public address: private; check the way to the \
         reflector, or set allow_non_public\n",
    );
    assert_eq!(scene.aws.rows()[0], UNCHANGED);
    assert_eq!(scene.aws.published().len(), 1);
}

#[test]
fn an_address_outside_the_expected_networks_is_refused() {
    let (mut scene, second) = two();
    scene.configure(|config| config["expected_networks"] = json!(["192.175.48.8/29"]));
    second.says(Family::V4, "192.175.48.9");
    // The first one's is outside, the second one's inside.
    scene.run().assert_silent();
    assert_eq!(scene.aws.rows()[0], "home.example.com. A 300 192.175.48.9");

    let mut scene = Scene::both();
    scene.configure(|config| config["expected_networks"] = json!(["192.175.49.0/24"]));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 192.175.48.7, which is outside the expected \
         networks 192.175.49.0/24; check which way the traffic goes, or expected_networks\n",
    );
    // IPv6 has no network listed, so it is not restricted.
    assert_eq!(scene.aws.rows()[..2], [UNCHANGED, "home.example.com. AAAA 600 2620:4f:8000::7"]);
}

/// A table of the kernel's in the place of its own, for the program alone.
fn with_table(scene: &mut Scene, table: &str) {
    scene.sandbox.write("net/if_inet6", table);
    // The kernel looks each file in there up anew, so the folder as a whole is taken over.
    scene.sandbox.mount_over("net", "/proc/self/net");
}

const TABLE: &str = "\
2620004f800000000000000000000001 02 40 00 01     eth0
2620004f800000000000000000000002 02 40 00 20     eth0
2620004f800000000000000000000003 02 40 00 00     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
";

#[test]
fn the_interface_names_the_ipv6_address_and_no_reflector_is_asked_for_it() {
    let mut scene = Scene::both();
    scene.configure(|config| config["ipv6_interface"] = json!("eth0"));
    with_table(&mut scene, TABLE);
    scene.run().assert_silent();
    assert_eq!(scene.aws.rows()[..2], [CHANGED, "home.example.com. AAAA 600 2620:4f:8000::3"]);
    assert_eq!(scene.reflector.server().requests().len(), 1);
}

#[test]
fn the_kernels_own_table_is_read() {
    let mut scene = Scene::new();
    scene.configure(|config| {
        config["record_types"] = json!(["AAAA"]);
        config["ipv6_interface"] = json!("lo");
        config["allow_non_public"] = json!(true);
    });
    scene.run().assert_silent();
    assert_eq!(scene.aws.rows()[1], "home.example.com. AAAA 600 ::1");
}

#[test]
fn prefix_that_the_kernel_sends_from_is_published() {
    // While a provider replaces one prefix by the other, both are valid.
    let (old, new) = ("2a02:810d:a4:1c00::7", "2a02:810d:b5:2d00::7");
    for source in [old, new] {
        let mut scene = Scene::new();
        scene.configure(|config| {
            config["record_types"] = json!(["AAAA"]);
            config["ipv6_interface"] = json!("lo");
        });
        scene.sandbox.network(Network::None);
        scene.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        for address in [old, new] {
            scene.sandbox.set_up(&format!("ip address add {address}/64 dev lo nodad"));
        }
        scene.sandbox.set_up(&format!("ip -6 route add default dev lo src {source}"));
        // AWS cannot be reached from there, but what would be published is told before.
        let run = scene.run_with(&["--verbose", "--dry-run"]);
        let step = format!("autodns: interface lo has {source}");
        assert!(run.stderr.lines().any(|line| line == step), "{run:?}");
    }
}

#[test]
fn interface_address_that_no_host_has_is_never_published() {
    let mut scene = Scene::new();
    scene.configure(|config| {
        config["record_types"] = json!(["AAAA"]);
        config["ipv6_interface"] = json!("eth0");
        config["allow_non_public"] = json!(true);
    });
    with_table(&mut scene, "00000000000000000000ffffc0af3007 02 40 00 80     eth0\n");
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not learn the public IPv6 address from interface \
         eth0: none of its addresses will do: ::ffff:192.175.48.7 (IPv4-mapped); check \
         ipv6_interface\n",
    );
}

#[test]
fn an_interface_that_will_not_do_is_described() {
    let mut scene = Scene::both();
    scene.configure(|config| config["ipv6_interface"] = json!("eth0"));
    with_table(&mut scene, &TABLE.replace("40 00 00     eth0", "40 00 40     eth0"));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com AAAA: could not learn the public IPv6 address from \
         interface eth0: none of its addresses will do: 2620:4f:8000::1 (temporary), \
         2620:4f:8000::2 (deprecated), 2620:4f:8000::3 (tentative), fe80::1 (link-local); check \
         ipv6_interface\n",
    );
    assert_eq!(scene.aws.rows()[0], CHANGED);

    let mut scene = Scene::both();
    scene.configure(|config| config["ipv6_interface"] = json!("eth7"));
    let run = scene.run();
    // Which interfaces there are is this machine's affair.
    let (said, there) = run.stderr.split_once("there are ").expect("a list of interfaces");
    assert_eq!(
        said,
        "autodns: home.example.com AAAA: could not learn the public IPv6 address from \
         interface eth7: there is no such interface; "
    );
    assert!(there.split([',', ';', ' ']).any(|name| name == "lo"), "{there}");
}

#[test]
fn several_names_are_listed_one_by_one_and_changed_in_one_batch() {
    let mut scene = Scene::both();
    let names = json!(["home.example.com", "*.home.example.com"]);
    scene.configure(|config| config["dns_name"] = names);
    scene.run().assert_silent();
    assert_eq!(scene.aws.calls(), [List, List, Change]);
    assert_eq!(scene.aws.server().connections(), 1);
    let sizes: Vec<_> = scene.aws.world().route53.batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4]);
    scene.run().assert_silent();
    assert_eq!(scene.aws.calls(), [List, List, Change, List, List]);

    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A, *.home.example.com A: could not learn the public IPv4 \
         address from {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the reflector, and the key in reflect_url if it has one\n",
    );
    assert_eq!(
        scene.aws.published()[0].subject,
        "autodns: home.example.com, *.home.example.com are not up to date (raspberrypi)"
    );
}
