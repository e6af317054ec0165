//! `ipv6_hosts`: the AAAA records of other machines behind the same prefix, the requests that
//! change them, and the errors that prevent a change.

use serde_json::{Value, json};

use crate::support::fake_reflector::FakeReflector;
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::Family;

const CHANGED: &str = "home.example.com. A 300 192.175.48.7";
const NAS: &str = "nas.example.com. AAAA 600 2620:4f:8000:0:211:32ff:fe12:3456";

/// The usual fixture with these `ipv6_hosts`.
fn fixture(hosts: &Value) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["ipv6_hosts"] = hosts.clone());
    fixture
}

fn nas() -> Value {
    json!({"nas.example.com": "::211:32ff:fe12:3456"})
}

/// The names and types in each change request.
fn batches(fixture: &Fixture) -> Vec<Vec<String>> {
    let batches = fixture.aws.state().route53.batches.clone();
    let shown = |batch: &Vec<crate::support::fake_route53::Change>| {
        batch
            .iter()
            .map(|change| format!("{} {}", change.record_set.name, change.record_set.kind))
            .collect()
    };
    batches.iter().map(shown).collect()
}

#[test]
fn host_gets_the_prefix_and_its_own_suffix() {
    let fixture = fixture(&json!({
        "NAS.example.com.": "::211:32ff:fe12:3456",
        "cam.example.com": "::a3:0:0:0:9/48",
    }));
    fixture.run().assert_silent().assert_wrote(&[]);
    let records = fixture.aws.record_sets();
    for record in [CHANGED, NAS, "cam.example.com. AAAA 600 2620:4f:8000:a3::9"] {
        assert!(records.contains(&record.into()), "{records:#?}");
    }
    assert_eq!(fixture.reflector.request_lines().len(), 2);
    fixture.run().assert_silent();
    assert_eq!(batches(&fixture).len(), 2);
}

#[test]
fn each_change_request_fits_one_policy_statement() {
    let mut fixture = fixture(&json!({"nas.example.com": "::5", "home.example.com": "::6"}));
    fixture.configure(|config| {
        config["dns_name"] = json!(["home.example.com", "www.example.com", "vpn.example.com"]);
    });
    let policy = fixture.run_args(&["policy", &fixture.sandbox.path("autodns.json")]);
    let policy: Value = serde_json::from_str(&policy.stdout).expect("a policy");
    let allowed: Vec<(Value, Value)> = policy["Statement"]
        .as_array()
        .expect("statements")
        .iter()
        .filter_map(|statement| statement["Condition"].get("ForAllValues:StringEquals"))
        .map(|condition| {
            let of =
                |key: &str| condition[format!("route53:ChangeResourceRecordSets{key}")].clone();
            (of("NormalizedRecordNames"), of("RecordTypes"))
        })
        .collect();
    assert_eq!(
        allowed,
        [
            (json!(["vpn.example.com", "www.example.com"]), json!(["A"])),
            (json!(["home.example.com"]), json!(["A", "AAAA"])),
            (json!(["nas.example.com"]), json!(["AAAA"])),
        ]
    );
    fixture.run().assert_silent();
    assert_eq!(
        batches(&fixture),
        [
            vec!["www.example.com. A", "vpn.example.com. A"],
            vec!["home.example.com. A", "home.example.com. AAAA"],
            vec!["nas.example.com. AAAA"],
        ]
    );
}

#[test]
fn host_changes_only_when_the_prefix_changes() {
    let fixture = fixture(&nas());
    fixture.run().assert_silent();
    fixture.reflector.says(Family::V6, "2620:4f:8000::ffff");
    fixture.run().assert_silent();
    assert_eq!(batches(&fixture).len(), 2);
    fixture.reflector.says(Family::V6, "2620:4f:8000:1::7");
    fixture.run_with(&["--dry-run"]).assert(
        0,
        "home.example.com A: up to date\n\
         nas.example.com AAAA: 2620:4f:8000:0:211:32ff:fe12:3456 -> \
         2620:4f:8000:1:211:32ff:fe12:3456\n",
        "",
    );
}

#[test]
fn unknown_prefix_fails_only_the_host() {
    let fixture = fixture(&nas());
    fixture.reflector.fails(Family::V6);
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let start = "autodns: nas.example.com AAAA: could not get the public IPv6 address from ";
    assert!(run.stderr.starts_with(start), "{run:?}");
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    let message = &fixture.aws.published()[0].message;
    assert!(message.contains("nas.example.com AAAA does not exist."), "{message}");
}

#[test]
fn disputed_prefix_is_not_written_for_a_host() {
    let mut fixture = fixture(&nas());
    let second = FakeReflector::start();
    let urls = json!([fixture.reflector.url(), second.url_of("only6.example.net")]);
    fixture.configure(|config| config["reflect_url"] = urls);
    second.says(Family::V6, "2620:4f:8000:1::7");
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let start = "autodns: nas.example.com AAAA: nothing was changed: {reflector}/reflect/v1 says \
                 that the address is 2620:4f:8000::7, but ";
    assert!(run.stderr.starts_with(start), "{run:?}");
    assert_eq!(batches(&fixture), [["home.example.com. A"]]);
}

#[test]
fn host_outside_the_expected_networks_is_not_written() {
    let mut fixture = fixture(&json!({"nas.example.com": "::ff:0:0:0:5/48"}));
    fixture.configure(|config| config["expected_networks"] = json!(["2620:4f:8000::/56"]));
    fixture.aws.put(RecordSet::new("nas.example.com", "AAAA", 300, &["2620:4f:8000::9"]));
    fixture.run().assert(0, "", "");
    fixture.configure(|config| config["expected_networks"] = json!(["2620:4f:8000::/60"]));
    fixture.run().assert(
        1,
        "",
        "autodns: nas.example.com AAAA: not published: its address would be 2620:4f:8000:ff::5, \
         which is outside the expected networks 2620:4f:8000::/60; check ipv6_hosts and \
         expected_networks\n",
    );
}

#[test]
fn rejected_host_does_not_stop_the_address_record() {
    let fixture = fixture(&nas());
    fixture.aws.state().route53.rejected_values.push("2620:4f:8000:0:211:32ff:fe12:3456".into());
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(run.stderr.starts_with("autodns: nas.example.com AAAA: could not make"), "{run:?}");
    assert_eq!(fixture.aws.record_sets()[0], CHANGED);
    assert_eq!(batches(&fixture).len(), 2);
}

#[test]
fn check_writes_the_host_in_its_own_request() {
    let fixture = fixture(&json!({"nas.example.com": "::5", "nas.example.net": "::5"}));
    fixture.aws.put(RecordSet::new("nas.example.com", "AAAA", 300, &["2620:4f:8000::9"]));
    let run = fixture.run_args(&["check", "--write", &fixture.sandbox.path("autodns.json")]);
    for line in [
        "ok          record       nas.example.com AAAA is 2620:4f:8000::9, and a run changes \
         it to 2620:4f:8000::5\n",
        "failed      zone         hosted zone {zone} is example.com, which cannot hold \
         nas.example.net; check hosted_zone_id and the names\n",
        "ok          change       home.example.com A was written as it is: 192.175.48.1, TTL \
         300\n",
        "ok          change       nas.example.com AAAA was written as it is: 2620:4f:8000::9, TTL \
         300\n",
    ] {
        assert!(run.stdout.contains(line), "{line}{run:?}");
    }
    assert_eq!(batches(&fixture), [["home.example.com. A"], ["nas.example.com. AAAA"]]);
    let record = &fixture.aws.record_sets()[2];
    assert_eq!(record, "nas.example.com. AAAA 300 2620:4f:8000::9");
}

#[test]
fn invalid_hosts_are_rejected() {
    let start = "autodns: {home}/autodns.json: ";
    let shape = "must be an address without its prefix, as in ::211:32ff:fe12:3456, or \
                 ::1:211:32ff:fe12:3456/56 behind a prefix of 56 bits";
    let object = "must be an object of names and suffixes, as in {\"nas.example.com\": \
                  \"::211:32ff:fe12:3456\"}";
    for (hosts, error) in [
        ("[]", object.to_owned()),
        ("null", object.to_owned()),
        ("{\"nas.example.com\": 5}", object.to_owned()),
        (
            "{\"nas..example.com\": \"::5\"}",
            "has a name that has an empty label (two dots in a \
          row, or one in front)"
                .into(),
        ),
        ("{\"nas.example.com\": \"5\"}", format!("has a suffix for nas.example.com that {shape}")),
        (
            "{\"nas.example.com\": \"2620:4f:8000::5\"}",
            "has a suffix for nas.example.com that must have only zeros in the 64 bits of the \
             prefix"
                .into(),
        ),
        (
            "{\"nas.example.com\": \"::5\", \"NAS.example.com.\": \"::6\"}",
            "has nas.example.com twice".into(),
        ),
    ] {
        let fixture = Fixture::new();
        let text = format!(
            "{{\"hosted_zone_id\": \"Z1\", \"dns_name\": \"home.example.com\",\n\
             \"ipv6_hosts\": {hosts}}}"
        );
        fixture.sandbox.write("autodns.json", &text);
        let expected = format!("{start}line 2, column 15: \"ipv6_hosts\" {error}\n");
        fixture.run().assert(2, "", &expected);
    }
    let mut fixture = fixture(&json!({"home.example.com": "::5"}));
    fixture.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
    fixture.run().assert(
        2,
        "",
        "autodns: {home}/autodns.json: \"ipv6_hosts\" names home.example.com, which has an AAAA \
         record by dns_name and record_types\n",
    );
}
