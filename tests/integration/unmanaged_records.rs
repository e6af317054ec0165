//! Records that the program must not overwrite: each stays unchanged, stderr has the cause and the
//! advice, and an alert is sent. The rejection of one family does not stop the other.

use serde_json::json;

use crate::support::assert_text;
use crate::support::expected::IS_AN_ALIAS;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;

const NAME: &str = "home.example.com";

fn simple(value: &str) -> RecordSet {
    RecordSet::new(NAME, "A", 300, &[value])
}

/// The name of each case and its record sets in the zone.
fn cases() -> Vec<(&'static str, Vec<RecordSet>)> {
    let weighted =
        |id: &str, value| vec![simple(value).with("SetIdentifier", id).with("Weight", "10")];
    vec![
        ("alias", vec![RecordSet::alias(NAME, "A", "d111111abcdef8.cloudfront.net.")]),
        ("weighted", weighted("blue", "192.175.48.1")),
        (
            "several weighted",
            [weighted("blue", "192.175.48.1"), weighted("green", "192.175.48.7")].concat(),
        ),
        (
            "latency",
            vec![simple("192.175.48.1").with("SetIdentifier", "x").with("Region", "eu-west-1")],
        ),
        (
            "failover",
            vec![simple("192.175.48.1").with("SetIdentifier", "x").with("Failover", "PRIMARY")],
        ),
        (
            "geolocation",
            vec![
                simple("192.175.48.1")
                    .with("SetIdentifier", "x")
                    .with("GeoLocation", "<ContinentCode>EU</ContinentCode>"),
            ],
        ),
        (
            "multivalue",
            vec![
                simple("192.175.48.1").with("SetIdentifier", "x").with("MultiValueAnswer", "true"),
            ],
        ),
        (
            "CIDR",
            vec![simple("192.175.48.1").with("SetIdentifier", "x").with(
                "CidrRoutingConfig",
                "<CollectionId>c</CollectionId><LocationName>l</LocationName>",
            )],
        ),
        (
            "geoproximity",
            vec![
                simple("192.175.48.1")
                    .with("SetIdentifier", "x")
                    .with("GeoProximityLocation", "<AWSRegion>eu-west-1</AWSRegion>"),
            ],
        ),
        ("several values", vec![RecordSet::new(NAME, "A", 300, &["192.175.48.1", "192.175.48.7"])]),
        ("health check", vec![simple("192.175.48.1").with("HealthCheckId", "abcdef11-2222")]),
        (
            "traffic policy",
            vec![simple("192.175.48.1").with("TrafficPolicyInstanceId", "abcdef11-2222")],
        ),
        ("CNAME", vec![RecordSet::new(NAME, "CNAME", 300, &["elsewhere.example.org"])]),
        ("unknown member", vec![simple("192.175.48.1").with("Brandnew", "<A>x</A>")]),
    ]
}

#[test]
fn unmanaged_record_is_left_unchanged_and_explained() {
    let mut seen = String::new();
    for (what, record_sets) in cases() {
        let fixture = Fixture::new();
        fixture.aws.remove(NAME, "A");
        for record_set in record_sets {
            fixture.aws.add(record_set);
        }
        let before = fixture.aws.record_sets();
        let run = fixture.run();
        assert_eq!(run.status.code(), Some(1), "{what}: {run:?}");
        run.assert_wrote(&["+ autodns.lock"]);
        assert_eq!(fixture.aws.record_sets(), before, "{what}");
        assert_eq!(fixture.aws.operations(), [List, Publish], "{what}");
        seen += &format!("{what}: {}{}", run.stdout, run.stderr);
    }
    assert_text(
        &seen,
        "alias: autodns: home.example.com A: not overwritten: it is an alias; make it a \
         simple record with one value, or use another name\n\
         weighted: autodns: home.example.com A: not overwritten: it is a weighted \
         record; make it a simple record with one value, or use another name\n\
         several weighted: autodns: home.example.com A: not overwritten: it is a \
         weighted record; make it a simple record with one value, or use another name\n\
         latency: autodns: home.example.com A: not overwritten: it is a latency record; \
         make it a simple record with one value, or use another name\n\
         failover: autodns: home.example.com A: not overwritten: it is a failover \
         record; make it a simple record with one value, or use another name\n\
         geolocation: autodns: home.example.com A: not overwritten: it is a geolocation \
         record; make it a simple record with one value, or use another name\n\
         multivalue: autodns: home.example.com A: not overwritten: it is a multivalue \
         answer record; make it a simple record with one value, or use another name\n\
         CIDR: autodns: home.example.com A: not overwritten: it is an IP-based routing \
         record; make it a simple record with one value, or use another name\n\
         geoproximity: autodns: home.example.com A: not overwritten: it is a \
         geoproximity record; make it a simple record with one value, or use another name\n\
         several values: autodns: home.example.com A: not overwritten: it has 2 values: \
         192.175.48.1, 192.175.48.7; reduce it to one value, or use another name\n\
         health check: autodns: home.example.com A: not overwritten: it has a health \
         check; remove the health check, or use another name\n\
         traffic policy: autodns: home.example.com A: not overwritten: it is a traffic \
         policy's record; make it a simple record with one value, or use another name\n\
         CNAME: autodns: home.example.com A: not overwritten: there is a CNAME of that \
         name; delete the CNAME, or use another name\n\
         unknown member: autodns: home.example.com A: not overwritten: it has Brandnew, \
         which autodns does not know; make it a simple record with one value, or use another \
         name\n",
    );
}

#[test]
fn unmanaged_record_with_right_address_is_rejected() {
    let fixture = Fixture::new();
    fixture.aws.put(simple("192.175.48.7").with("HealthCheckId", "abcdef11-2222"));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: not overwritten: it has a health check; remove \
         the health check, or use another name\n",
    );
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn rejection_of_one_family_does_not_stop_the_other() {
    let fixture = Fixture::with_both_families();
    fixture.aws.put(RecordSet::alias(NAME, "AAAA", "d111111abcdef8.cloudfront.net."));
    fixture.run().assert(1, "", &IS_AN_ALIAS.replace(" A:", " AAAA:"));
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    assert_eq!(fixture.aws.operations(), [List, Change, Publish]);
}

#[test]
fn dry_run_rejects_unmanaged_record_without_an_alert() {
    let fixture = Fixture::with_both_families();
    fixture.aws.put(RecordSet::alias(NAME, "A", "d111111abcdef8.cloudfront.net."));
    fixture
        .run_with(&["--dry-run"])
        .assert(1, "home.example.com AAAA: would be created with 2620:4f:8000::7\n", IS_AN_ALIAS)
        .assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, List]);
}

#[test]
fn alias_of_another_name_or_type_does_not_matter() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["record_types"] = json!(["A"]));
    fixture.aws.put(RecordSet::alias(NAME, "AAAA", "d111111abcdef8.cloudfront.net."));
    fixture.aws.put(RecordSet::new("homf.example.com", "CNAME", 300, &["elsewhere.example.org"]));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}
