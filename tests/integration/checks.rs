//! `autodns check` prints one line per requirement of a run, with advice, or JSON for programs. It
//! exits with the codes of a run and changes nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::ca::Certificate;
use crate::support::expected::untrusted_server;
use crate::support::fake_aws::FakeAws;
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{Fault, KEY_ID, key_section};
use crate::support::fake_reflector::{FakeReflector, HOST};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};
use crate::support::proxy::Proxy;
use crate::support::sandbox::Run;
use crate::support::server::{Listen, Protocol, Silent};
use crate::support::{assert_text, clock};

fn check(fixture: &Fixture, options: &[&str]) -> Run {
    let path = fixture.sandbox.path("autodns.json");
    let mut run = fixture.run_args(&[&["check"], options, &[path.as_str()]].concat());
    run.stdout = with_placeholders(&run.stdout);
    run
}

/// Replaces each number of milliseconds by `{ms}` and each time by a placeholder.
fn with_placeholders(text: &str) -> String {
    let mut shown = String::new();
    for (index, part) in clock::with_placeholders(text).split(" ms").enumerate() {
        if index > 0 {
            shown.push_str(" ms");
        }
        shown.push_str(part.trim_end_matches(|c: char| c.is_ascii_digit()));
    }
    // The clock may seem a second slow or fast, depending on when the second changes.
    for near in ["{seconds} slow", "{seconds} fast"] {
        shown = shown.replace(near, "{seconds} off");
    }
    shown
}

/// The output of a check of the usual fixture, with these replacements and the right counts.
fn expected(others: &[(&str, &str)]) -> String {
    let mut text = "\
ok          config       {home}/autodns.json: home.example.com A in hosted zone {zone}
ok          permissions  {home}/autodns.json has mode 0600
ok          credentials  key id ...ST07 from the environment
ok          alert_lock   {home}/autodns.lock: no alert is active
ok          address      {reflector}/reflect/v1 says 192.175.48.7 over IPv4 with TLS 1.3 in  ms
ok          route53      https://{aws} answered over IPv4 with TLS 1.3 in  ms
ok          zone         hosted zone {zone} is example.com, which can hold home.example.com
ok          record       home.example.com A is 192.175.48.1, and a run changes it to 192.175.48.7
ok          ttl          home.example.com A has TTL 300, which it keeps: ttl is not set
ok          public dns   this machine's resolver says 192.175.48.1 for home.example.com
ok          clock        this machine's clock is {seconds} off, which is close enough
not tested  change       whether this key may change records of {zone}; test it with --write, \
                         which writes each record as it is
not tested  topic        whether {topic} accepts messages; test it with --alert, which publishes \
                         a test message
"
    .to_owned();
    for (from, to) in others {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    counted(&text)
}

/// Adds the line with the counts to these lines.
fn counted(lines: &str) -> String {
    let count = |status: &str| {
        let begins = |line: &&str| line.starts_with(&format!("{status:10}  "));
        format!("{} {status}", lines.lines().filter(begins).count())
    };
    format!("{lines}{}\n", ["ok", "warning", "failed", "not tested"].map(count).join(", "))
}

/// The usual fixture with a config that other users cannot read, and a record that the resolver of
/// this machine finds.
fn fixture() -> Fixture {
    with_private_config(Fixture::new())
}

fn with_private_config(fixture: Fixture) -> Fixture {
    fixture.sandbox.set_mode("autodns.json", 0o600);
    fixture.sandbox.hosts("192.175.48.1 home.example.com");
    fixture
}

#[test]
fn check_of_a_good_setup_exits_0_and_changes_nothing() {
    let fixture = fixture();
    let run = check(&fixture, &[]);
    run.assert(0, &expected(&[]), "").assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, List]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.1");
    assert_eq!(fixture.reflector.request_lines().len(), 1);
    // `check` makes the requests of a run and no others.
    assert_eq!(
        (fixture.aws.server().connections(), fixture.reflector.server().connections()),
        (1, 1)
    );
}

#[test]
fn check_reports_the_state_of_each_record() {
    let record = "ok          record       home.example.com A is 192.175.48.1, and a run changes \
                  it to 192.175.48.7";
    let fixture = fixture();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.7"]));
    let right = "ok          record       home.example.com A is 192.175.48.7, as it should be";
    let resolver = "ok          public dns   this machine's resolver says 192.175.48.1 for \
                    home.example.com";
    let other = "warning     public dns   this machine's resolver says 192.175.48.1 for \
                 home.example.com, and Route 53 has {has}: not delegated to this zone, a private \
                 zone, a local override, or a change younger than its TTL; compare the zone's NS \
                 record with the name servers at the domain's registrar";
    let differs = other.replace("{has}", "192.175.48.7");
    check(&fixture, &[]).assert(0, &expected(&[(record, right), (resolver, &differs)]), "");
    fixture.aws.remove("home.example.com", "A");
    let differs = other.replace("{has}", "no IPv4 address");
    let ttl = "ok          ttl          home.example.com A has TTL 300, which it keeps: ttl is not \
               set";
    let made = "ok          ttl          home.example.com A is created with TTL 600";
    let absent = "ok          record       home.example.com A does not exist, and a run creates it \
                  with 192.175.48.7";
    check(&fixture, &[]).assert(
        0,
        &expected(&[(record, absent), (resolver, &differs), (ttl, made)]),
        "",
    );
    fixture.aws.put(RecordSet::alias("home.example.com", "A", "elsewhere.example.com."));
    let foreign = "failed      record       home.example.com A is not overwritten: it is an \
                   alias; make it a simple record with one value, or use another name";
    let unknown = "not tested  public dns   home.example.com A: Route 53 \
                   has more than a simple record, so it is not compared";
    let not_ours = "not tested  ttl          home.example.com A is not overwritten";
    check(&fixture, &[]).assert(
        1,
        &expected(&[(record, foreign), (resolver, unknown), (ttl, not_ours)]),
        "",
    );
}

#[test]
fn public_dns_is_not_tested_when_resolver_fails() {
    let fixture = Fixture::new();
    fixture.sandbox.set_mode("autodns.json", 0o600);
    let resolver = "ok          public dns   this machine's resolver says 192.175.48.1 for \
                    home.example.com";
    let unknown = "not tested  public dns   home.example.com: no name server answered for the \
                   host's name; check the router, and the name servers in /etc/resolv.conf";
    check(&fixture, &[]).assert(0, &expected(&[(resolver, unknown)]), "");
}

#[test]
fn name_outside_the_zone_fails_the_check() {
    let mut fixture = fixture();
    fixture.configure(|config| config["dns_name"] = json!("home.exmaple.com"));
    let run = check(&fixture, &[]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let outside = "failed      zone         hosted zone {zone} is example.com, which \
                   cannot hold home.exmaple.com; check hosted_zone_id and the names\n";
    assert!(run.stdout.contains(outside), "{run:?}");
    for row in ["record", "ttl", "public dns"] {
        assert!(!run.stdout.contains(&format!("  {row:11}  ")), "{row}: {run:?}");
    }
    let said = "autodns: home.exmaple.com A: cannot be created: hosted zone {zone} is \
                example.com, and the name is not inside it; check hosted_zone_id and the names\n";
    fixture.run_with(&["--dry-run"]).assert(1, "", said);
    fixture.configure(|config| {
        config["dns_name"] = json!(["home.exmaple.com", "host.example.com"]);
    });
    let run = check(&fixture, &[]);
    assert!(run.stdout.contains(outside), "{run:?}");
    let inside = "ok          zone         hosted zone {zone} is example.com, which \
                  can hold host.example.com\n";
    assert!(run.stdout.contains(inside), "{run:?}");
}

#[test]
fn check_compares_ttl_with_the_configured_one() {
    let mut fixture = fixture();
    let ttl = "ok          ttl          home.example.com A has TTL 300, which it keeps: ttl is not \
               set";
    for (seconds, said) in [
        (300, "ok          ttl          home.example.com A has TTL 300, as configured"),
        (60, "ok          ttl          home.example.com A has TTL 300, and a run changes it to 60"),
    ] {
        fixture.configure(|config| config["ttl"] = json!(seconds));
        fixture.sandbox.set_mode("autodns.json", 0o600);
        check(&fixture, &[]).assert(0, &expected(&[(ttl, said)]), "");
    }
}

const UNTRIED: &str = "not tested  change       whether this key may change records of {zone}; \
                       test it with --write, which writes each record as it is";

#[test]
fn check_write_writes_each_record_unchanged() {
    let fixture = with_private_config(Fixture::with_both_families());
    fixture.aws.put(RecordSet::new("home.example.com", "A", 120, &["192.175.48.1"]));
    let before = fixture.aws.record_sets();
    let run = check(&fixture, &["--write"]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    let changes: Vec<&str> =
        run.stdout.lines().filter(|line| line.contains("  change       ")).collect();
    assert_eq!(
        changes,
        [
            "ok          change       home.example.com A was written as it is: 192.175.48.1, TTL \
             120",
            "not tested  change       home.example.com AAAA was not written: it does not exist, \
             or is not a simple record",
        ]
    );
    assert_eq!(fixture.aws.record_sets(), before);
    assert_eq!(fixture.aws.operations(), [List, List, List, Change]);
    let batches = fixture.aws.state().route53.batches.clone();
    assert_eq!((batches.len(), batches[0].len()), (1, 1));
    assert_eq!(batches[0][0].action, "UPSERT");
}

#[test]
fn check_write_leaves_unmanaged_records_unchanged() {
    let fixture = fixture();
    fixture.aws.put(RecordSet::new(
        "home.example.com",
        "A",
        300,
        &["192.175.48.1", "192.175.48.2"],
    ));
    let run = check(&fixture, &["--write"]);
    assert!(
        run.stdout.contains(
            "not tested  change       home.example.com A was not written: it does not exist, \
             or is not a simple record\n"
        ),
        "{run:?}"
    );
    assert!(!fixture.aws.operations().contains(&Change));
}

#[test]
fn check_write_fails_when_change_is_denied() {
    let fixture = fixture();
    fixture.aws.state().denied.push((KEY_ID.into(), Change));
    let before = fixture.aws.record_sets();
    check(&fixture, &[]).assert(0, &expected(&[]), "");
    let run = check(&fixture, &["--write"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let said = "failed      change       home.example.com A: could not make the change in hosted \
                zone {zone}: AccessDenied";
    assert!(run.stdout.contains(said), "{run:?}");
    assert!(!run.stdout.contains(UNTRIED));
    assert_eq!(fixture.aws.record_sets(), before);
}

#[test]
fn check_write_lists_again_after_throttled_change() {
    let fixture = fixture();
    fixture.aws.fault(Change, Fault::error(400, "Throttling", "Rate exceeded"));
    let run = check(&fixture, &["--write"]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert_eq!(fixture.aws.operations(), [List, List, List, Change, List, Change]);
}

#[test]
fn check_write_names_each_rejected_record() {
    let fixture = with_private_config(Fixture::with_both_families());
    fixture.aws.put(RecordSet::new("home.example.com", "AAAA", 300, &["2620:4f:8000::1"]));
    fixture.aws.state().route53.rejected_values = vec!["2620:4f:8000::1".into()];
    let run = check(&fixture, &["--write"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    for said in [
        "ok          change       home.example.com A was written as it is: 192.175.48.1, TTL 300\n",
        "failed      change       home.example.com AAAA: could not make the change in hosted \
         zone {zone}: InvalidChangeBatch",
    ] {
        assert!(run.stdout.contains(said), "{run:?}");
    }
}

#[test]
fn check_alert_publishes_a_test_message() {
    let fixture = fixture();
    let said = "{topic} accepted the test message 567910cd-659e-55d4-8ccb-5aaf14679dc0 \
                over IPv4 with TLS 1.3 in  ms";
    let said = format!("ok          topic        {said}");
    let untried = "not tested  topic        whether {topic} accepts messages; test it with \
                   --alert, which publishes a test message";
    check(&fixture, &["--alert"]).assert(0, &expected(&[(untried, &said)]), "");
    assert_eq!(fixture.aws.operations(), [List, List, Publish]);
    let published = fixture.aws.published();
    assert_eq!(published[0].subject, "autodns: a test from raspberrypi");
    assert_text(
        &fixture.sandbox.with_placeholders(&published[0].message),
        "autodns on raspberrypi can reach you. If it cannot keep home.example.com up to date, it \
         sends one alert here.\n\nHost:   raspberrypi\nConfig: {home}/autodns.json\n",
    );
}

#[test]
fn check_reports_secret_files_that_others_can_read() {
    let mut fixture = fixture();
    fixture.sandbox.set_mode("autodns.json", 0o644);
    fixture.unset_credentials();
    fixture.sandbox.write(".aws/credentials", key_section("default"));
    fixture.sandbox.set_mode(".aws/credentials", 0o640);
    let config = "warning     permissions  {home}/autodns.json contains a secret, and \
                  other users can access it: its mode is 0644; chmod 600 {home}/autodns.json\n\
                  ok          permissions  {home}/.aws/credentials has mode 0640";
    let source = "key id ...ST07 from [default] of {home}/.aws/credentials";
    check(&fixture, &[]).assert(
        0,
        &expected(&[
            ("ok          permissions  {home}/autodns.json has mode 0600", config),
            ("key id ...ST07 from the environment", source),
        ]),
        "",
    );
    fixture.sandbox.set_mode(".aws/credentials", 0o604);
    let run = check(&fixture, &[]);
    assert!(
        run.stdout.contains("warning     permissions  {home}/.aws/credentials contains a secret")
    );
}

#[test]
fn advised_command_has_an_absolute_quoted_path() {
    let fixture = fixture();
    let config = fixture.sandbox.write("my dns's.json", fixture.config().to_string());
    let run = fixture.run_args(&["check", "my dns's.json"]);
    let path = config.replace('\'', "'\\''");
    let said = format!("its mode is 0644; chmod 600 '{path}'\n");
    assert!(run.stdout.contains(&fixture.sandbox.with_placeholders(&said)), "{run:?}");
}

#[test]
fn config_without_a_secret_may_be_world_readable() {
    let mut fixture = fixture();
    let url = format!("{}/reflect/v1", fixture.reflector.server().url(HOST));
    fixture.configure(|config| config["reflect_url"] = json!(url));
    fixture.reflector.at("/reflect/v1", Response::text("192.175.48.7"));
    fixture.sandbox.set_mode("autodns.json", 0o644);
    let run = check(&fixture, &[]);
    assert_eq!((run.status.code(), run.stdout.contains("permissions")), (Some(0), false));
}

#[test]
fn check_compares_the_addresses_of_all_sources() {
    let mut fixture = Fixture::with_both_families();
    let other = FakeReflector::start();
    other.says(Family::V4, "192.175.48.9");
    other.replies(Family::V6, Response::new(503, "text/plain", ""));
    fixture.sandbox.placeholder(&other.server().url("reflect2.example.net"), "{other}");
    let urls = json!([fixture.reflector.url(), other.url_of("reflect2.example.net")]);
    fixture.configure(|config| config["reflect_url"] = urls);
    let run = check(&with_private_config(fixture), &[]);
    assert_eq!(run.status.code(), Some(1));
    let addresses: Vec<&str> =
        run.stdout.lines().filter(|line| line.contains("  address  ")).collect();
    assert_text(
        &(addresses.join("\n") + "\n"),
        "ok          address      {reflector}/reflect/v1 says 192.175.48.7 over IPv4 with TLS 1.3 \
         in  ms\n\
         ok          address      {other}/reflect/v1 says 192.175.48.9 over IPv4 with TLS 1.3 in  \
         ms\n\
         failed      address      {reflector}/reflect/v1 says 192.175.48.7, but {other}/reflect/v1 \
         says 192.175.48.9; check which is right\n\
         ok          address      {reflector}/reflect/v1 says 2620:4f:8000::7 over IPv6 with TLS \
         1.3 in  ms\n\
         failed      address      {other}/reflect/v1 over IPv6: it answered 503; wait for the \
         next run, which tries again\n",
    );
}

#[test]
fn check_reports_a_wrong_clock_and_the_lock() {
    let mut fixture = fixture();
    fixture.aws.state().ahead = time::Duration::hours(3) + time::Duration::seconds(30);
    fixture.sandbox.write("autodns.lock", "");
    let run = check(&fixture, &[]);
    run.assert(
        0,
        &expected(&[
            ("no alert is active", "an alert is active since {time}"),
            (
                "ok          clock        this machine's clock is {seconds} off, which is close \
                 enough",
                "warning     clock        this machine's clock is 3 hours slow, which a run \
                 corrects in its signatures; set the clock (timedatectl shows it)",
            ),
        ]),
        "",
    );
    fixture.aws.state().ahead = time::Duration::ZERO;
    fixture.sandbox.write("autodns.lock", "notes");
    let unusable = "failed      alert_lock   {home}/autodns.lock is a file that autodns did not \
                    write, so every failing run would repeat the alert; set another path in \
                    alert_lock";
    let held = "ok          alert_lock   {home}/autodns.lock: no alert is active";
    check(&fixture, &[]).assert(1, &expected(&[(held, unusable)]), "");
    let lock = fixture.sandbox.path("missing/lock");
    fixture.configure(|config| config["alert_lock"] = json!(lock));
    let missing = "failed      alert_lock   {home}/missing/lock: there is no folder \
                   {home}/missing; mkdir -p {home}/missing";
    check(&with_private_config(fixture), &[]).assert(1, &expected(&[(held, missing)]), "");
}

#[test]
fn check_reports_untrusted_aws_at_each_step() {
    let aws = FakeAws::start_as(Listen::V4, Protocol::Tls(Certificate::Untrusted));
    let fixture = with_private_config(Fixture::with(aws, FakeReflector::start()));
    let why = untrusted_server("autodns other CA");
    let why = why.trim_end();
    let usual = expected(&[]);
    let before = usual.split("ok          route53").next().expect("a beginning");
    let said = format!(
        "{before}failed      route53      could not list the records of hosted zone {{zone}}: \
         {{aws}}: {why}\n\
         not tested  zone         the records could not be listed\n\
         not tested  record       the records could not be listed\n\
         not tested  ttl          the records could not be listed\n\
         not tested  public dns   the records could not be listed\n\
         not tested  clock        no response of AWS had a time to compare with\n\
         not tested  change       the records could not be listed\n\
         not tested  topic        whether {{topic}} accepts messages; test it with --alert, which \
         publishes a test message\n"
    );
    check(&fixture, &[]).assert(1, &counted(&said), "");
}

#[test]
fn check_names_the_proxy_and_lets_it_resolve_names() {
    let mut fixture = fixture();
    let proxy = Proxy::start(&[("*", fixture.aws.server().port())]);
    fixture.sandbox.placeholder(&proxy.address(), "{proxy}");
    fixture.sandbox.set("HTTPS_PROXY", proxy.url());
    let direct = "https://{aws} answered over";
    let through = "https://{aws} answered through the proxy {proxy} over";
    check(&fixture, &[]).assert(0, &expected(&[(direct, through)]), "");
}

#[test]
fn check_reports_the_connection_of_each_exchange() {
    let mut fixture = Fixture::with(
        FakeAws::start_as(Listen::V6, Protocol::Tls(Certificate::GoodTls12)),
        FakeReflector::start_as(Listen::Both, Protocol::Plain),
    );
    let aws = fixture.aws.server().url("localhost");
    fixture.sandbox.set("AWS_ENDPOINT_URL", &aws);
    fixture.sandbox.placeholder(&aws, "{localhost}");
    let plain = fixture.reflector.server().url("127.0.0.1");
    fixture.sandbox.placeholder(&plain, "{plain}");
    // After a redirect, `check` describes the server that names the address.
    let moved = FakeReflector::start_as(Listen::V4, Protocol::Tls(Certificate::GoodTls12));
    let target = moved.server().url("reflect2.example.net") + "/moved";
    moved.at("/moved", Response::text("192.175.48.7"));
    fixture.reflector.at("/away", Response::redirect(302, &target));
    fixture.reflector.at("/here", Response::text("192.175.48.7"));
    let command = fixture.sandbox.script("address", "#!/bin/sh\necho 192.175.48.7\n");
    fixture.configure(|config| {
        config["reflect_url"] = json!([format!("{plain}/here"), format!("{plain}/away")]);
        config["address_command"] = json!(command);
    });
    let run = check(&with_private_config(fixture), &["--alert"]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    for said in [
        "ok          address      address_command says 192.175.48.7 in  ms\n",
        "ok          address      {plain}/here says 192.175.48.7 over IPv4 without TLS in  ms\n",
        "ok          address      {plain}/away says 192.175.48.7 over IPv4 with TLS 1.2 in  ms\n",
        "ok          route53      {localhost} answered over IPv6 with TLS 1.2 in  ms\n",
        "5aaf14679dc0 over IPv6 with TLS 1.2 in  ms\n",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
}

#[test]
fn broken_ipv6_fails_beside_working_ipv4() {
    let mut fixture = Fixture::with(
        FakeAws::start(),
        FakeReflector::start_as(Listen::V4, Protocol::Tls(Certificate::Good)),
    );
    fixture.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
    let run = check(&with_private_config(fixture), &[]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    for said in [
        "ok          address      {reflector}/reflect/v1 says 192.175.48.7 over IPv4 with TLS 1.3",
        "failed      address      {reflector}/reflect/v1 over IPv6: connection refused; ",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
}

#[test]
fn check_exits_2_on_setup_errors() {
    let mut fixture = fixture();
    fixture.sandbox.write("broken.json", "{");
    let broken = fixture.sandbox.path("broken.json");
    let good = fixture.sandbox.path("autodns.json");
    let run = fixture.run_args(&["check", &broken, &good]);
    let said = "failed      config       {home}/broken.json: line 1, column 1: the file ends too \
                early: a }, a ] or a \" is missing\n";
    assert_eq!(run.status.code(), Some(2));
    let usual = expected(&[]);
    let (lines, _) = usual.trim_end().rsplit_once('\n').expect("lines");
    assert_text(&with_placeholders(&run.stdout), &counted(&format!("{said}{lines}\n")));
    fixture.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    let run = check(&fixture, &[]);
    run.assert(
        2,
        "ok          config       {home}/autodns.json: home.example.com A in hosted zone {zone}\n\
         failed      credentials  incomplete credentials: the environment lacks \
         AWS_SECRET_ACCESS_KEY; set both halves, or neither\n\
         1 ok, 0 warning, 1 failed, 0 not tested\n",
        "",
    );
}

#[test]
fn terminal_output_is_coloured_unless_no_color_is_set() {
    // `script` of util-linux runs the program on a terminal.
    let terminal = ["sh", "-c", "exec script --quiet --return --command \"$*\" /dev/null", "sh"];
    let statuses = [
        ("\u{1b}[32mok        \u{1b}[0m  ", "ok          "),
        ("\u{1b}[33mwarning   \u{1b}[0m  ", "warning     "),
        ("\u{1b}[31mfailed    \u{1b}[0m  ", "failed      "),
        ("\u{1b}[35mnot tested\u{1b}[0m  ", "not tested  "),
    ];
    for (variables, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "")], true),
        (&[("TERM", "dumb")], false),
    ] {
        let mut fixture = fixture();
        fixture.sandbox.set_mode("autodns.json", 0o644);
        fixture.aws.put(RecordSet::alias("home.example.com", "A", "elsewhere.example.com."));
        for (name, value) in variables {
            fixture.sandbox.set(name, *value);
        }
        let config = fixture.sandbox.path("autodns.json");
        let run = fixture.finish(fixture.sandbox.spawn_by(&terminal, &["check", &config]));
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        for (status, plain) in statuses {
            let begins = |start: &str| run.stdout.lines().any(|line| line.starts_with(start));
            assert_eq!((begins(status), begins(plain)), (coloured, !coloured), "{run:?}");
        }
    }
    // The output to a pipe has no colour.
    assert!(!check(&fixture(), &[]).stdout.contains('\u{1b}'));
}

#[test]
fn check_json_prints_one_object_with_the_same_findings() {
    let fixture = fixture();
    let run = check(&fixture, &["--json"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(json["ok"], true);
    let checks = json["checks"].as_array().expect("a list");
    let lines: String = checks
        .iter()
        .map(|check| {
            let text = |key: &str| check[key].as_str().expect("a text").to_owned();
            let hint = check["hint"].as_str().map_or(String::new(), |hint| format!("; {hint}"));
            assert_eq!(check.get("config"), None);
            format!("{:10}  {:11}  {}{hint}\n", text("status"), text("name"), text("detail"))
        })
        .collect();
    assert_text(&counted(&lines), &expected(&[]));
    let counts = json!({ "ok": 11, "warning": 0, "failed": 0, "not tested": 2 });
    assert_eq!(json["counts"], counts);
    fixture.aws.put(RecordSet::alias("home.example.com", "A", "elsewhere.example.com."));
    let run = check(&fixture, &["--json"]);
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((run.status.code(), &json["ok"]), (Some(1), &json!(false)));
    let bad: Vec<&Value> = json["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["status"] == "failed")
        .collect();
    let expected = json!({
        "name": "record", "status": "failed",
        "detail": "home.example.com A is not overwritten: it is an alias",
        "hint": "make it a simple record with one value, or use another name",
    });
    assert_eq!(bad, [&expected]);
}

#[test]
fn check_json_keeps_cause_and_advice_of_a_config_apart() {
    let mut fixture = fixture();
    fixture.configure(|config| config["dnsname"] = json!("home.example.com"));
    let run = check(&fixture, &["--json"]);
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    let finding = &json["checks"][0];
    let detail = finding["detail"].as_str().expect("a detail");
    assert!(detail.ends_with(": unknown key \"dnsname\""), "{detail}");
    assert_eq!(finding["hint"], "did you mean \"dns_name\"?");
}

#[test]
fn check_json_keeps_cause_and_advice_of_a_key_file_apart() {
    let fixture = fixture();
    for (text, cause, advice) in [
        ("[a]\nk = 1\nk = 2\n", "line 3: line 2 has this key already", "remove one of the two"),
        ("[a]\nk = 1\n[a]\n", "line 3: line 1 has this section already", "remove one of the two"),
        (
            "k = 1\n",
            "line 1: a key before any section",
            "write the header of its section above it, such as [default]",
        ),
    ] {
        fixture.sandbox.write(".aws/credentials", text);
        let run = check(&fixture, &["--json"]);
        let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(run.status.code(), Some(2), "{run:?}");
        let expected = json!({
            "name": "credentials", "status": "failed", "hint": advice,
            "detail": format!("{{home}}/.aws/credentials: {cause}"),
        });
        assert_eq!(json["checks"][1], expected);
    }
}

#[test]
fn check_json_gives_config_and_counts_of_findings() {
    let fixture = fixture();
    let (first, broken) =
        (fixture.sandbox.path("autodns.json"), fixture.sandbox.write("broken.json", "{"));
    let run = fixture.run_args(&["check", "--json", &first, &broken]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(2), ""));
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let checks = json["checks"].as_array().expect("a list");
    let of = |config: &str| checks.iter().filter(|check| check["config"] == config).count();
    assert_eq!((of("{home}/autodns.json"), of("{home}/broken.json")), (13, 1));
    let counts = json!({ "ok": 11, "warning": 0, "failed": 1, "not tested": 2 });
    assert_eq!((&json["counts"], &json["ok"]), (&counts, &json!(false)));
}

#[test]
fn change_command_and_heartbeat_are_not_tested() {
    let mut fixture = fixture();
    let url = format!("{}/ping/1?key=x", fixture.reflector.server().url(HOST));
    let of_failure = format!("{}/ping/2", fixture.reflector.server().url(HOST));
    fixture.configure(|config| {
        config["heartbeat_url"] = json!(url);
        config["heartbeat_fail"] = json!(of_failure);
        config["change_command"] = json!("/bin/false");
    });
    let run = check(&with_private_config(fixture), &[]);
    let said = "\nnot tested  command      change_command runs only after a change\n";
    assert!(run.stdout.contains(said), "{run:?}");
    for by in ["a real run", "a failed run"] {
        let said = format!("\nnot tested  heartbeat    only {by} fetches {{reflector}}/[hidden]\n");
        assert!(run.stdout.contains(&said), "{said}: {run:?}");
    }
}

/// Runs a check with a deadline of 3 s, and fails if it takes more than 6 s.
fn check_in_time(fixture: &Fixture, wrapper: &[&str]) -> Run {
    let path = fixture.sandbox.path("autodns.json");
    let began = Instant::now();
    let arguments = ["check", "--deadline", "3", &path];
    let run = fixture.finish(fixture.sandbox.spawn_by(wrapper, &arguments));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}: {run:?}", began.elapsed());
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    run
}

#[test]
fn check_with_hanging_name_lookup_ends_in_time() {
    let fixture = fixture();
    fixture.sandbox.hang_name_lookups();
    let run = check_in_time(&fixture, &[]);
    for said in [
        "failed      address      {reflector}/reflect/v1 over IPv4: timed out while looking",
        "ok          zone         ",
        "not tested  public dns   home.example.com: timed out while looking up the host's name",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
}

#[test]
fn check_with_silent_servers_ends_in_time() {
    let mut fixture = fixture();
    let silent: Vec<Silent> = (0..12).map(|_| Silent::start()).collect();
    let mut urls: Vec<String> =
        silent.iter().map(|one| format!("https://127.0.0.1:{}/", one.port())).collect();
    urls.push(fixture.reflector.url());
    fixture.configure(|config| config["reflect_url"] = json!(urls));
    let run = check_in_time(&fixture, &[]);
    // Servers that respond still get their time.
    for said in
        ["ok          address      {reflector}/reflect/v1 says", "ok          record       home"]
    {
        assert!(run.stdout.contains(said), "{said}: {run:?}");
    }
}

#[test]
fn check_with_unread_output_ends_in_time() {
    let fixture = fixture();
    // The pipe is full and stays open for reading.
    let full = "mkfifo full; exec 3<>full; dd if=/dev/zero of=full bs=64k count=1 2>/dev/null; \
                exec \"$@\" >full";
    let run = check_in_time(&fixture, &["sh", "-c", full, "sh"]);
    assert!(run.stderr.contains("standard output"), "{run:?}");
}
