//! The good cases: an unchanged address, a changed one, a missing record; one family or two. They
//! also count requests, connections and written files.

use serde_json::json;

use crate::support::assert_text;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_aws::{Fault, ZONE_ID};
use crate::support::fake_reflector::{FakeReflector, Form, SECRET_QUERY, address_response};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply};
use crate::support::latch::Latch;

#[test]
fn unchanged_address_prints_and_writes_nothing() {
    let fixture = Fixture::new();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List]);
    assert_eq!(
        fixture.reflector.request_lines(),
        [format!("GET /reflect/v1?apikey={SECRET_QUERY}")]
    );
    assert_eq!(fixture.aws.server().connections(), 1);
    assert_eq!(fixture.reflector.server().connections(), 1);
    assert_eq!(fixture.aws.published(), []);
}

#[test]
fn new_address_is_written_on_the_connection_of_the_list() {
    let fixture = Fixture::new();
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(
        fixture.aws.record_sets(),
        ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.99"]
    );
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!((fixture.aws.server().connections(), fixture.aws.server().handshakes()), (1, 1));
    let batches = fixture.aws.state().route53.batches.clone();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].len(), 1);
    assert_eq!(batches[0][0].action, "UPSERT");

    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
    assert_eq!(fixture.aws.published(), []);
}

#[test]
fn existing_record_keeps_its_ttl_without_the_key() {
    let fixture = Fixture::new();
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
}

#[test]
fn configured_ttl_is_written_with_the_address() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["ttl"] = json!(60));
    fixture.run_with(&["--dry-run"]).assert(
        0,
        "home.example.com A: 192.175.48.1 -> 192.175.48.7, TTL 300 -> 60\n",
        "",
    );
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 60 192.175.48.7");
}

#[test]
fn configured_ttl_is_written_when_the_address_is_right() {
    let mut fixture = Fixture::with_both_families();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    fixture.aws.put(RecordSet::new("home.example.com", "AAAA", 60, &["2620:4f:8000::7"]));
    fixture.configure(|config| config["ttl"] = json!(60));
    fixture.run_with(&["--dry-run"]).assert(
        0,
        "home.example.com A: TTL 300 -> 60\nhome.example.com AAAA: up to date\n",
        "",
    );
    for _ in 0..2 {
        fixture.run().assert_silent();
        assert_eq!(
            fixture.aws.record_sets()[..2],
            ["home.example.com. A 60 192.175.48.7", "home.example.com. AAAA 60 2620:4f:8000::7"]
        );
    }
    assert_eq!(fixture.aws.operations(), [List, List, Change, List]);
    assert_eq!(fixture.aws.state().route53.batches[0].len(), 1);
}

#[test]
fn changed_ttl_alone_asks_no_second_source() {
    let mut fixture = Fixture::new();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    let other = FakeReflector::start();
    other.says(Family::V4, "192.175.48.9");
    let urls = json!([fixture.reflector.url(), other.url_of("reflect2.example.net")]);
    fixture.configure(|config| {
        config["ttl"] = json!(60);
        config["reflect_url"] = urls;
    });
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 60 192.175.48.7");
    assert_eq!(other.request_lines().len(), 0);
}

#[test]
fn missing_record_is_created() {
    let mut fixture = Fixture::new();
    fixture.aws.remove("home.example.com", "A");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 600 192.175.48.7");

    fixture.aws.remove("home.example.com", "A");
    fixture.configure(|config| config["ttl"] = json!(2_147_483_647));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 2147483647 192.175.48.7");
}

#[test]
fn other_records_of_the_name_are_left_unchanged() {
    let fixture = Fixture::new();
    fixture.aws.put(RecordSet::new("home.example.com", "TXT", 300, &["\"kept <&> as it is\""]));
    fixture.aws.put(RecordSet::new("home.example.com", "AAAA", 300, &["2620:4f:8000::1"]));
    fixture.aws.put(RecordSet::alias("www.home.example.com", "A", "elsewhere.example.com."));
    fixture.run().assert_silent();
    assert_eq!(
        fixture.aws.record_sets(),
        [
            "home.example.com. A 300 192.175.48.7",
            "home.example.com. AAAA 300 2620:4f:8000::1",
            "home.example.com. TXT 300 \"kept <&> as it is\"",
            "host.example.com. A 300 192.175.48.99",
            "www.home.example.com. A - ",
        ]
    );
}

#[test]
fn list_of_several_pages_is_read_to_the_end() {
    let fixture = Fixture::with_both_families();
    fixture.aws.put(RecordSet::new("home.example.com", "AAAA", 60, &["2620:4f:8000::1"]));
    fixture.aws.state().route53.page = 1;
    fixture.run().assert_silent();
    assert_eq!(
        fixture.aws.record_sets()[..2],
        ["home.example.com. A 300 192.175.48.7", "home.example.com. AAAA 60 2620:4f:8000::7"]
    );
    assert_eq!(fixture.aws.server().connections(), 1);
}

#[test]
fn name_matches_in_any_spelling() {
    let mut fixture = Fixture::new();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    for name in ["HOME.example.COM", "home.example.com."] {
        fixture.configure(|config| config["dns_name"] = json!(name));
        fixture.run().assert_silent();
    }
    fixture.configure(|config| config["dns_name"] = json!("*.home.example.com"));
    for _ in 0..2 {
        fixture.run().assert_silent();
    }
    assert_eq!(fixture.aws.operations(), [List, List, List, Change, List]);
    assert_eq!(fixture.aws.record_sets()[0], "\\052.home.example.com. A 600 192.175.48.7");
}

#[test]
fn zone_id_may_have_its_prefix() {
    let mut fixture = Fixture::new();
    for prefix in ["/hostedzone/", "hostedzone/"] {
        fixture.configure(|config| {
            config["hosted_zone_id"] = json!(format!("{prefix}{ZONE_ID}"));
        });
        fixture.run().assert_silent();
    }
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
}

#[test]
fn config_of_autodns_py_works_even_with_a_bom() {
    let fixture = Fixture::new();
    let config = fixture.sandbox.read("autodns.json").expect("the config");
    fixture.sandbox.write("autodns.json", format!("\u{feff}{config}"));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn config_path_may_be_relative_or_look_like_an_option() {
    let fixture = Fixture::new();
    fixture.run_args(&["autodns.json"]).assert_silent();
    fixture.write_config("--odd.json", &fixture.config());
    fixture.run_args(&["--", "--odd.json"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
}

#[test]
fn every_form_of_reflector_response_is_read() {
    for form in [Form::YourIp, Form::Ip, Form::Bare] {
        let fixture = Fixture::with_both_families();
        fixture.reflector.replies(Family::V4, address_response(form, "192.175.48.8"));
        fixture.reflector.replies(Family::V6, address_response(form, "2620:4f:8000::8"));
        fixture.run().assert_silent();
        assert_eq!(
            fixture.aws.record_sets()[..2],
            ["home.example.com. A 300 192.175.48.8", "home.example.com. AAAA 600 2620:4f:8000::8"],
            "{form:?}"
        );
    }
}

#[test]
fn both_families_are_changed_in_one_batch() {
    let fixture = Fixture::with_both_families();
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(
        fixture.aws.record_sets()[..2],
        ["home.example.com. A 300 192.175.48.7", "home.example.com. AAAA 600 2620:4f:8000::7"]
    );
    assert_eq!(fixture.aws.operations(), [List, Change]);
    assert_eq!(fixture.aws.state().route53.batches[0].len(), 2);
    let mut families: Vec<String> = fixture
        .reflector
        .server()
        .requests()
        .iter()
        .map(|request| format!("{:?}", request.family))
        .collect();
    families.sort();
    assert_eq!(families, ["V4", "V6"]);
}

#[test]
fn record_type_named_twice_is_one_record() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["record_types"] = json!(["A", "A"]));
    fixture.run_with(&["--dry-run"]).assert(
        0,
        "home.example.com A: 192.175.48.1 -> 192.175.48.7\n",
        "",
    );
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.state().route53.batches[0].len(), 1);
}

#[test]
fn reflector_for_aaaa_is_asked_over_ipv6_only() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["record_types"] = json!(["AAAA"]));
    fixture.run().assert_silent();
    assert_eq!(
        fixture.aws.record_sets()[..2],
        ["home.example.com. A 300 192.175.48.1", "home.example.com. AAAA 600 2620:4f:8000::7"]
    );
    let requests = fixture.reflector.server().requests();
    assert!(requests.iter().all(|request| request.family == Family::V6), "{requests:?}");
}

#[test]
fn address_matches_in_another_spelling() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["record_types"] = json!(["AAAA"]));
    fixture.aws.put(RecordSet::new(
        "home.example.com",
        "AAAA",
        300,
        &["2620:004F:8000:0:0:0:0:0007"],
    ));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List]);
}

#[test]
fn dry_run_prints_the_change_and_makes_none() {
    let fixture = Fixture::with_both_families();
    fixture.aws.put(RecordSet::new("home.example.com", "AAAA", 300, &["2620:4f:8000::7"]));
    let before = fixture.aws.record_sets();
    fixture
        .run_with(&["--dry-run"])
        .assert(
            0,
            "home.example.com A: 192.175.48.1 -> 192.175.48.7\n\
             home.example.com AAAA: up to date\n",
            "",
        )
        .assert_wrote(&[]);
    fixture.aws.remove("home.example.com", "AAAA");
    fixture
        .run_with(&["--dry-run"])
        .assert(
            0,
            "home.example.com A: 192.175.48.1 -> 192.175.48.7\n\
             home.example.com AAAA: would be created with 2620:4f:8000::7\n",
            "",
        )
        .assert_wrote(&[]);
    assert_eq!(fixture.aws.record_sets()[0], before[0]);
    // The third request reads the zone's name, since the run would create a record.
    assert_eq!(fixture.aws.operations(), [List, List, List]);
    assert_eq!(fixture.reflector.request_lines().len(), 4);
}

/// Sorts the steps that run at the same time: requests first, then responses.
fn in_order(stderr: &str) -> String {
    let mut lines: Vec<&str> = stderr.lines().collect();
    let rank = |line: &&str| match line {
        line if line.contains(" key id ") => 0,
        line if line.contains(" asking ") => 1,
        line if line.contains(" listing ") => 2,
        line if line.contains(" has ") => 3,
        line if line.contains(" answered ") => 4,
        _ => 5,
    };
    // The sort is stable, so the later steps keep their order.
    lines.sort_by_key(|line| (rank(line), if rank(line) < 5 { *line } else { "" }));
    lines.join("\n") + "\n"
}

#[test]
fn verbose_prints_each_step() {
    let fixture = Fixture::new();
    let first = fixture.run_with(&["--verbose"]);
    assert_eq!((first.status.code(), first.stdout.as_str()), (Some(0), ""), "{first:?}");
    assert_text(
        &in_order(&first.stderr),
        "\
autodns: home.example.com: key id ...ST07 from the environment
autodns: asking {reflector}/reflect/v1 over IPv4
autodns: listing up to 10 record sets of hosted zone {zone} from home.example.com
autodns: Route 53 has A 192.175.48.1 for home.example.com
autodns: {reflector}/reflect/v1 answered 192.175.48.7
autodns: home.example.com A: 192.175.48.1 -> 192.175.48.7
autodns: Route 53 accepted change C0123456789ABCDEFGHIJ, PENDING
",
    );
    assert_eq!(first.step_times.len(), first.stderr.lines().count());
    assert!(first.step_times.is_sorted(), "{:?}", first.step_times);
    let second = fixture.run_with(&["--verbose"]);
    assert_eq!((second.status.code(), second.stdout.as_str()), (Some(0), ""), "{second:?}");
    assert_text(
        &in_order(&second.stderr),
        "\
autodns: home.example.com: key id ...ST07 from the environment
autodns: asking {reflector}/reflect/v1 over IPv4
autodns: listing up to 10 record sets of hosted zone {zone} from home.example.com
autodns: Route 53 has A 192.175.48.7 for home.example.com
autodns: {reflector}/reflect/v1 answered 192.175.48.7
autodns: home.example.com A: up to date
",
    );
}

#[test]
fn verbose_dry_run_prints_each_step_and_the_change() {
    let fixture = Fixture::with_both_families();
    let run = fixture.run_with(&["--dry-run", "--verbose"]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert_text(
        &run.stdout,
        "\
home.example.com A: 192.175.48.1 -> 192.175.48.7
home.example.com AAAA: would be created with 2620:4f:8000::7
",
    );
    assert_text(
        &in_order(&run.stderr),
        "\
autodns: home.example.com: key id ...ST07 from the environment
autodns: asking {reflector}/reflect/v1 over IPv4
autodns: asking {reflector}/reflect/v1 over IPv6
autodns: listing up to 10 record sets of hosted zone {zone} from home.example.com
autodns: Route 53 has A 192.175.48.1 for home.example.com
autodns: {reflector}/reflect/v1 answered 192.175.48.7
autodns: {reflector}/reflect/v1 answered 2620:4f:8000::7
",
    );
}

#[test]
fn reflector_and_route_53_are_asked_concurrently() {
    let fixture = Fixture::with_both_families();
    let latch = Latch::default();
    for (family, address) in [(Family::V4, "192.175.48.7"), (Family::V6, "2620:4f:8000::7")] {
        fixture
            .reflector
            .replies(family, Reply::held(&latch, address_response(Form::Bare, address)));
    }
    fixture.aws.fault(List, Fault::Held(latch.clone()));
    let run = fixture.spawn();
    // If the requests were sequential, the second would not arrive while the first is held.
    latch.wait_for(3);
    latch.open();
    fixture.finish(run).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}
