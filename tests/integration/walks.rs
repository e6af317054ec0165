//! Several names in one configuration, which one walk through the zone lists with few requests. A
//! name that the walk did not find must be listed alone before it counts as absent.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::fake_aws::{Fault, Operation};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::Response;
use crate::support::text::pairs;

const NOW: &str = "192.175.48.7";

/// A fixture with these names. Each has a record with the right address.
fn fixture(names: &[String]) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["dns_name"] = json!(names));
    for name in names {
        fixture.aws.put(RecordSet::new(name, "A", 300, &[NOW]));
    }
    fixture
}

fn hosts(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| format!("{host}.example.com")).collect()
}

/// Puts `count` TXT records into the zone. Their names sort directly after `host`.
fn fill(fixture: &Fixture, host: &str, count: usize) {
    for index in 0..count {
        let name = format!("{host}-{index:04}.example.com");
        fixture.aws.put(RecordSet::new(&name, "TXT", 60, &["\"x\""]));
    }
}

/// The first name, without the zone, and `maxitems` of each list request so far.
fn lists(fixture: &Fixture) -> Vec<(String, usize)> {
    let requests = fixture.aws.server().requests();
    let lists = requests.iter().filter(|request| request.method == "GET").map(|request| {
        let (_, query) = request.target.split_once('?').expect("a query");
        let asked: BTreeMap<_, _> = pairs(query, false).expect("pairs").into_iter().collect();
        let name = asked["name"].trim_end_matches('.').trim_end_matches(".example.com");
        (name.to_owned(), asked["maxitems"].parse().expect("a number"))
    });
    lists.collect()
}

#[track_caller]
fn assert_lists(fixture: &Fixture, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|&(name, size)| (name.to_owned(), size)).collect();
    assert_eq!(lists(fixture), expected);
}

#[test]
fn twenty_names_in_a_zone_of_100_need_one_list() {
    let names: Vec<String> = (0..20).map(|index| format!("h{}.example.com", index * 7)).collect();
    let fixture = fixture(&names);
    fill(&fixture, "k", 80);
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("h0", 300)]);
    assert_eq!(fixture.aws.operations(), [Operation::List]);
}

#[test]
fn one_name_asks_for_a_page_of_ten() {
    let fixture = fixture(&hosts(&["home"]));
    fill(&fixture, "home", 40);
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("home", 10)]);
}

#[test]
fn walk_skips_to_a_name_that_is_far_away() {
    let fixture = fixture(&hosts(&["a", "m", "n", "z"]));
    fill(&fixture, "b", 500);
    fill(&fixture, "o", 500);
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("a", 140), ("m", 28), ("z", 140)]);
}

#[test]
fn absent_name_is_listed_alone_and_created() {
    let mut fixture = fixture(&hosts(&["a", "c"]));
    fixture.configure(|config| config["dns_name"] = json!(hosts(&["a", "b", "c"])));
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("a", 130), ("b", 10)]);
    let expected = [
        format!("a.example.com. A 300 {NOW}"),
        format!("b.example.com. A 600 {NOW}"),
        format!("c.example.com. A 300 {NOW}"),
    ];
    for record in expected {
        let found = fixture.aws.record_sets();
        assert!(found.iter().any(|found| found.contains(&record)), "{record} in {found:?}");
    }
}

#[test]
fn wildcard_and_its_host_are_found_in_one_walk() {
    let fixture = fixture(&hosts(&["*.home", "home", "a", "a-b"]));
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("a-b", 140)]);
}

#[test]
fn record_sets_that_fill_several_pages_are_all_read() {
    let fixture = fixture(&hosts(&["a", "b"]));
    fixture.aws.state().route53.page = 3;
    for index in 0..10 {
        let name = "a.example.com";
        let identifier = format!("set-{index}");
        let weighted = RecordSet::new(name, "TXT", 60, &["\"x\""]);
        fixture.aws.add(weighted.with("SetIdentifier", &identifier).with("Weight", "1"));
    }
    fixture.aws.add(RecordSet::new("b.example.com", "CNAME", 60, &["a.example.com"]));
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(run.stderr.contains("b.example.com A: not overwritten: there is a CNAME"));
    assert_eq!(lists(&fixture).len(), 5, "{:?}", lists(&fixture));
}

#[test]
fn walk_without_progress_ends_and_lists_each_name() {
    let fixture = fixture(&hosts(&["b", "c"]));
    let stuck = "<ListResourceRecordSetsResponse><ResourceRecordSets/><IsTruncated>true\
                 </IsTruncated><NextRecordName>a.example.com.</NextRecordName><NextRecordType>A\
                 </NextRecordType><MaxItems>120</MaxItems></ListResourceRecordSetsResponse>";
    let reply = Response::new(200, "text/xml", stuck);
    fixture.aws.fault(Operation::List, Fault::Instead(reply.into()));
    fixture.run().assert_silent();
    assert_lists(&fixture, &[("b", 120), ("b", 10), ("c", 10)]);
}

#[test]
fn too_large_list_is_requested_in_smaller_pages() {
    let names = hosts(&["a", "b", "c"]);
    let fixture = fixture(&names);
    // 100 record sets of 12 kB each are more than 1 MiB.
    let long = format!("\"{}\"", "x".repeat(12_000));
    for index in 0..110 {
        let name = format!("a-{index:04}.example.com");
        fixture.aws.put(RecordSet::new(&name, "TXT", 60, &[&long]));
        let name = format!("ab-{index:04}.example.com");
        fixture.aws.put(RecordSet::new(&name, "TXT", 60, &[&long]));
    }
    fixture.run().assert_silent();
    let sizes: Vec<usize> = lists(&fixture).into_iter().map(|(_, size)| size).collect();
    assert!(sizes.starts_with(&[130, 26]), "{sizes:?}");
    assert!(sizes.len() <= 4, "{sizes:?}");
}

#[test]
fn list_of_too_many_elements_is_requested_in_smaller_pages() {
    let fixture = fixture(&hosts(&["a", "b", "c"]));
    let values: Vec<String> = (0..400).map(|index| format!("\"{index}\"")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    for index in 0..40 {
        let name = format!("a-{index:04}.example.com");
        fixture.aws.put(RecordSet::new(&name, "TXT", 60, &values));
        let name = format!("ab-{index:04}.example.com");
        fixture.aws.put(RecordSet::new(&name, "TXT", 60, &values));
    }
    fixture.run().assert_silent();
    let sizes: Vec<usize> = lists(&fixture).into_iter().map(|(_, size)| size).collect();
    assert!(sizes.starts_with(&[130, 26]), "{sizes:?}");
    assert!(sizes.len() <= 5, "{sizes:?}");
}
