//! Runs against moto, which checks signatures and policies with the code of botocore: with a good
//! key, a wrong secret, an unknown key id, and users who lack one action.

use serde_json::{Value, json};

use crate::support::expected::{ALERT_SUBJECT, RECOVERY_SUBJECT, out_of_order};
use crate::support::fake_reflector::{FakeReflector, HOST};
use crate::support::http::Family;
use crate::support::moto::{self, MotoResources};
use crate::support::sandbox::Sandbox;

struct MotoFixture {
    moto: MotoResources,
    reflector: FakeReflector,
    sandbox: Sandbox,
    config: Value,
}

impl MotoFixture {
    fn new(user: &str, arguments: &[&str]) -> Self {
        let moto = MotoResources::create(arguments);
        let reflector = FakeReflector::start();
        let mut sandbox = Sandbox::new();
        let (key_id, secret) = moto.key(user);
        sandbox.secret(&secret);
        sandbox.set("AWS_ACCESS_KEY_ID", key_id);
        sandbox.set("AWS_SECRET_ACCESS_KEY", secret);
        sandbox.set("AWS_ENDPOINT_URL", moto::url());
        sandbox.placeholder(&moto.topic_arn, "{topic}");
        sandbox.placeholder(&moto.zone_id, "{zone}");
        sandbox.placeholder(&reflector.server().url(HOST), "{reflector}");
        let config = json!({
            "hosted_zone_id": moto.zone_id,
            "dns_name": "home.example.com",
            "topic_arn": moto.topic_arn,
            "alert_lock": sandbox.path("autodns.lock"),
            "reflect_url": reflector.url(),
        });
        let fixture = Self { moto, reflector, sandbox, config };
        fixture.write();
        fixture
    }

    fn write(&self) {
        self.sandbox.write("autodns.json", self.config.to_string());
    }

    #[track_caller]
    fn run(&self) -> crate::support::sandbox::Run {
        let mut run = self.sandbox.run(&[&self.sandbox.path("autodns.json")]);
        run.stderr = without_suffix(&run.stderr);
        run
    }
}

/// The emulator's users have a random suffix, `user/no_list-8faf0d0e`.
fn without_suffix(text: &str) -> String {
    let expected = text.split(' ').map(|word| match word.split_once(":user/") {
        Some((account, user)) => {
            format!("{account}:user/{}", user.rsplit_once('-').map_or(user, |(name, _)| name))
        }
        None => word.into(),
    });
    expected.collect::<Vec<_>>().join(" ")
}

fn record(kind: &str, ttl: u32, value: &str) -> Value {
    json!({ "name": "home.example.com.", "type": kind, "ttl": ttl, "values": [value] })
}

#[test]
fn good_key_changes_the_record_alerts_and_recovers() {
    let mut fixture = MotoFixture::new("good", &["--address", "192.175.48.1"]);
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.moto.records(), json!([record("A", 300, "192.175.48.7")]));
    fixture.run().assert_silent();

    fixture.config["record_types"] = json!(["A", "AAAA"]);
    fixture.write();
    fixture.reflector.says(Family::V4, "192.175.48.8");
    fixture.run().assert_silent();
    assert_eq!(
        fixture.moto.records(),
        json!([record("A", 300, "192.175.48.8"), record("AAAA", 600, "2620:4f:8000::7")])
    );
    assert_eq!(fixture.moto.messages(), json!([]));

    fixture.reflector.fails(Family::V6);
    for _ in 0..2 {
        fixture.run().assert(1, "", &out_of_order(Family::V6));
    }
    let messages = fixture.moto.messages();
    assert_eq!(messages.as_array().map(Vec::len), Some(1), "{messages}");
    assert_eq!(messages[0]["subject"], ALERT_SUBJECT);
    fixture.reflector.says(Family::V6, "2620:4f:8000::7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    let messages = fixture.moto.messages();
    assert_eq!(messages.as_array().map(Vec::len), Some(1), "{messages}");
    assert_eq!(messages[0]["subject"], RECOVERY_SUBJECT);
}

#[test]
fn missing_record_is_created() {
    let fixture = MotoFixture::new("good", &["--no-record"]);
    fixture.run().assert_silent();
    assert_eq!(fixture.moto.records(), json!([record("A", 600, "192.175.48.7")]));
}

/// The emulator sorts names in another order than Route 53.
#[test]
fn several_names_are_listed_in_one_walk() {
    let mut fixture = MotoFixture::new("good", &["--address", "192.175.48.7"]);
    let hosts = ["*.home", "a", "a-b", "home", "x.a", "zoo"];
    for host in &hosts[..5] {
        fixture.moto.upsert(&json!({
            "Name": format!("{host}.example.com"), "Type": "A", "TTL": 300,
            "ResourceRecords": [{ "Value": "192.175.48.7" }],
        }));
    }
    let names: Vec<String> = hosts.iter().map(|host| format!("{host}.example.com")).collect();
    fixture.config["dns_name"] = json!(names);
    fixture.write();
    let path = fixture.sandbox.path("autodns.json");
    for (new, up_to_date) in [(1, 5), (0, 6)] {
        let run = fixture.sandbox.run(&["--verbose", &path]);
        assert!(run.status.success(), "{run:?}");
        let count = |text: &str| run.stderr.matches(text).count();
        assert_eq!(count("listing up to 160 record sets"), 1, "{run:?}");
        assert_eq!(count("listing "), 2 + new, "{run:?}");
        assert_eq!(count("A: does not exist -> 192.175.48.7"), new, "{run:?}");
        assert_eq!(count("A: up to date"), up_to_date, "{run:?}");
    }
}

#[test]
fn unmanaged_records_are_left_unchanged() {
    let fixture = MotoFixture::new("good", &["--no-record"]);
    fixture.moto.upsert(&json!({
        "Name": "home.example.com", "Type": "A", "SetIdentifier": "blue", "Weight": 10, "TTL": 60,
        "ResourceRecords": [{ "Value": "192.175.48.1" }],
    }));
    let before = fixture.moto.records();
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: not overwritten: it is a weighted record; make it \
         a simple record with one value, or use another name\n",
    );
    assert_eq!(fixture.moto.records(), before);
    fixture.moto.delete("home.example.com", "A");
    fixture.run().assert_silent();
    assert_eq!(fixture.moto.records(), json!([record("A", 600, "192.175.48.7")]));
}

#[test]
fn wrong_secret_is_reported() {
    let mut fixture = MotoFixture::new("good", &["--address", "192.175.48.1"]);
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", "an0ther/secret+altogether");
    fixture.sandbox.secret("an0ther/secret+altogether");
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         SignatureDoesNotMatch: The request signature we calculated does not match the \
         signature you provided. Check your AWS Secret Access Key and signing method. Consult \
         the service documentation for details; check the secret access key from the environment, \
         which wins over every file\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The request signature we calculated does not match the \
         signature you provided. Check your AWS Secret Access Key and signing method. Consult \
         the service documentation for details; check the secret access key from the environment, \
         which wins over every file\n",
        )
        .assert_wrote(&[]);
    assert_eq!(fixture.moto.records(), json!([record("A", 300, "192.175.48.1")]));
    assert_eq!(fixture.moto.messages(), json!([]));
}

#[test]
fn unknown_key_id_is_reported() {
    let mut fixture = MotoFixture::new("good", &["--address", "192.175.48.1"]);
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", "AKIANOBODYATALL00000");
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         InvalidClientTokenId: The security token included in the request is invalid; check \
         the access key id from the environment, which wins over every file, and that the key is \
         active\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         InvalidClientTokenId: The security token included in the request is invalid; check \
         the access key id from the environment, which wins over every file, and that the key is \
         active\n",
        )
        .assert_wrote(&[]);
}

#[test]
fn denied_list_is_reported_and_alerted() {
    let fixture = MotoFixture::new("no_list", &["--address", "192.175.48.1"]);
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         AccessDenied: User: arn:aws:iam::123456789012:user/no_list is not \
         authorized to perform: route53:ListResourceRecordSets; replace the policy of this IAM \
         user by what this command prints: sudo {program} policy {home}/autodns.json\n",
        )
        .assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.moto.records(), json!([record("A", 300, "192.175.48.1")]));
    assert_eq!(fixture.moto.messages().as_array().map(Vec::len), Some(1));
}

#[test]
fn denied_change_is_reported_and_alerted() {
    let fixture = MotoFixture::new("no_change", &["--address", "192.175.48.1"]);
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not make the change in hosted zone {zone}: \
         AccessDenied: User: arn:aws:iam::123456789012:user/no_change is not \
         authorized to perform: route53:ChangeResourceRecordSets; replace the policy of this IAM \
         user by what this command prints: sudo {program} policy {home}/autodns.json\n",
        )
        .assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.moto.records(), json!([record("A", 300, "192.175.48.1")]));
    assert_eq!(fixture.moto.messages().as_array().map(Vec::len), Some(1));
}

#[test]
fn denied_publish_is_reported_each_run() {
    let fixture = MotoFixture::new("no_publish", &["--address", "192.175.48.1"]);
    fixture.run().assert_silent();
    fixture.reflector.fails(Family::V4);
    for _ in 0..2 {
        fixture
            .run()
            .assert(
                1,
                "",
                "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: the alert: could not publish to {topic}: AccessDenied: \
         User: arn:aws:iam::123456789012:user/no_publish is not authorized to \
         perform: sns:Publish; replace the policy of this IAM user by what this command prints: \
         sudo {program} policy {home}/autodns.json\n",
            )
            .assert_wrote(&[]);
    }
    assert_eq!(fixture.moto.messages(), json!([]));
}
