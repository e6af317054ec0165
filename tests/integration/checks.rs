//! `autodns check`: a line for each thing a run needs, ok or not, with what to do; exit statuses as
//! a run's; JSON for programs; and nothing changed by it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::aws::Aws;
use crate::support::aws::Call::{List, Publish};
use crate::support::ca::Certificate;
use crate::support::http::{Answer, Family};
use crate::support::proxy::Proxy;
use crate::support::reflector::{HOST, Reflector};
use crate::support::route53::Row;
use crate::support::sandbox::Run;
use crate::support::scene::Scene;
use crate::support::server::{Listen, Speak};
use crate::support::{assert_text, clock};

fn check(scene: &Scene, options: &[&str]) -> Run {
    let path = scene.sandbox.path("autodns.json");
    let mut run = scene.run_args(&[&["check"], options, &[path.as_str()]].concat());
    run.stdout = neutral(&run.stdout);
    run
}

/// Puts `{ms}` for each number of milliseconds, and placeholders for moments.
fn neutral(text: &str) -> String {
    let mut shown = String::new();
    for (index, part) in clock::neutral(text).split(" ms").enumerate() {
        if index > 0 {
            shown.push_str(" ms");
        }
        shown.push_str(part.trim_end_matches(|c: char| c.is_ascii_digit()));
    }
    // The second may just have turned.
    for near in ["{seconds} slow", "{seconds} fast"] {
        shown = shown.replace(near, "{seconds} off");
    }
    shown
}

/// What a check of the usual scene prints, with other lines put in place of some.
fn expected(others: &[(&str, &str)]) -> String {
    let mut text = "\
ok      config       {home}/autodns.json: home.example.com A in hosted zone {zone}
ok      permissions  {home}/autodns.json has mode 0600
ok      credentials  key id ...ST07 from the environment
ok      alert_lock   {home}/autodns.lock: no alert is out
ok      dns          reflect.example.net is 127.0.0.1, ::1
ok      tls          reflect.example.net is trusted, TLS 1.3, in  ms
ok      tls          127.0.0.1 is trusted, TLS 1.3, in  ms
ok      address      {reflector}/reflect/v1 says 192.175.48.7, in  ms
ok      record       home.example.com A is 192.175.48.1, and a run makes it 192.175.48.7
ok      clock        {seconds} off by AWS's clock, which is near enough
ok      change       whether this key may change records of {zone} is known only when it does; \
                         autodns policy prints what it needs
ok      topic        {topic} was not tried; --alert sends it a message
"
    .to_owned();
    for (from, to) in others {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

/// The usual scene, whose config nobody else can read.
fn scene() -> Scene {
    private(Scene::new())
}

fn private(scene: Scene) -> Scene {
    set_mode(&scene, "autodns.json", 0o600);
    scene
}

fn set_mode(scene: &Scene, name: &str, mode: u32) {
    fs::set_permissions(scene.sandbox.path(name), fs::Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn all_is_well_and_nothing_is_changed() {
    let scene = scene();
    let run = check(&scene, &[]);
    run.assert(0, &expected(&[]), "").assert_wrote(&[]);
    assert_eq!(scene.aws.calls(), [List]);
    assert_eq!(scene.aws.rows()[0], "home.example.com. A 300 192.175.48.1");
    assert_eq!(scene.reflector.asked().len(), 1);
}

#[test]
fn a_record_that_is_right_or_not_there_or_not_ours_is_said_so() {
    let record = "ok      record       home.example.com A is 192.175.48.1, and a run makes it \
                  192.175.48.7";
    let scene = scene();
    scene.aws.put(Row::new("home.example.com", "A", 300, &["192.175.48.7"]));
    let right = "ok      record       home.example.com A is 192.175.48.7, as it should be";
    check(&scene, &[]).assert(0, &expected(&[(record, right)]), "");
    scene.aws.remove("home.example.com", "A");
    let absent =
        "ok      record       home.example.com A is not there, and a run makes it 192.175.48.7";
    check(&scene, &[]).assert(0, &expected(&[(record, absent)]), "");
    scene.aws.put(Row::alias("home.example.com", "A", "elsewhere.example.com."));
    let foreign = "not ok  record       home.example.com A is not ours to overwrite: it is an \
                   alias; make it a simple record with one value, or use another name";
    check(&scene, &[]).assert(1, &expected(&[(record, foreign)]), "");
}

#[test]
fn with_alert_a_test_message_is_published() {
    let scene = scene();
    let said = "{topic} took the test message 567910cd-659e-55d4-8ccb-5aaf14679dc0";
    let untried = "{topic} was not tried; --alert sends it a message";
    check(&scene, &["--alert"]).assert(0, &expected(&[(untried, said)]), "");
    assert_eq!(scene.aws.calls(), [List, Publish]);
    let published = scene.aws.published();
    assert_eq!(published[0].subject, "autodns: a test from raspberrypi");
    assert_text(
        &scene.sandbox.neutral(&published[0].message),
        "autodns on raspberrypi can reach you. Should it fail to keep home.example.com up to \
         date, it tells you here, once.\n\nHost:   raspberrypi\nConfig: {home}/autodns.json\n",
    );
}

#[test]
fn files_that_others_may_read_are_said() {
    let mut scene = scene();
    set_mode(&scene, "autodns.json", 0o644);
    scene.sandbox.unset("AWS_ACCESS_KEY_ID");
    scene.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    scene.sandbox.write(
        ".aws/credentials",
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            crate::support::aws::KEY_ID,
            crate::support::aws::SECRET_KEY
        ),
    );
    set_mode(&scene, ".aws/credentials", 0o640);
    let config = "not ok  permissions  {home}/autodns.json has a secret in it, and other users may \
                  use it: its mode is 0644; chmod 600 {home}/autodns.json\n\
                  ok      permissions  {home}/.aws/credentials has mode 0640";
    let source = "key id ...ST07 from [default] of {home}/.aws/credentials";
    check(&scene, &[]).assert(
        1,
        &expected(&[
            ("ok      permissions  {home}/autodns.json has mode 0600", config),
            ("key id ...ST07 from the environment", source),
        ]),
        "",
    );
    set_mode(&scene, ".aws/credentials", 0o604);
    let run = check(&scene, &[]);
    assert!(run.stdout.contains("not ok  permissions  {home}/.aws/credentials has a secret in it"));
}

#[test]
fn a_config_without_a_secret_may_be_read_by_all() {
    let mut scene = scene();
    let url = format!("{}/reflect/v1", scene.reflector.server().url(HOST));
    scene.configure(|config| config["reflect_url"] = json!(url));
    scene.reflector.at("/reflect/v1", Answer::text("192.175.48.7"));
    set_mode(&scene, "autodns.json", 0o644);
    let run = check(&scene, &[]);
    assert_eq!((run.status.code(), run.stdout.contains("permissions")), (Some(0), false));
}

#[test]
fn every_source_is_asked_and_held_against_the_others() {
    let mut scene = Scene::both();
    let other = Reflector::start();
    other.says(Family::V4, "192.175.48.9");
    other.replies(Family::V6, Answer::new(503, "text/plain", ""));
    scene.sandbox.alias(&other.server().url("reflect2.example.net"), "{other}");
    let urls = json!([scene.reflector.url(), other.url_of("reflect2.example.net")]);
    scene.configure(|config| config["reflect_url"] = urls);
    let run = check(&private(scene), &[]);
    assert_eq!(run.status.code(), Some(1));
    let addresses: Vec<&str> =
        run.stdout.lines().filter(|line| line.contains("  address  ")).collect();
    assert_text(
        &(addresses.join("\n") + "\n"),
        "ok      address      {reflector}/reflect/v1 says 192.175.48.7, in  ms\n\
         ok      address      {other}/reflect/v1 says 192.175.48.9, in  ms\n\
         not ok  address      {reflector}/reflect/v1 says 192.175.48.7, but {other}/reflect/v1 \
         says 192.175.48.9; nothing would be changed: check which is right\n\
         ok      address      {reflector}/reflect/v1 says 2620:4f:8000::7, in  ms\n\
         not ok  address      {other}/reflect/v1 over IPv6: it answered 503; the next run tries \
         again\n",
    );
}

#[test]
fn a_wrong_clock_and_a_lock_that_holds_or_cannot_are_said() {
    let mut scene = scene();
    scene.aws.world().ahead = time::Duration::hours(3) + time::Duration::seconds(30);
    scene.sandbox.write("autodns.lock", "");
    let run = check(&scene, &[]);
    run.assert(
        1,
        &expected(&[
            ("no alert is out", "an alert is out since {time}"),
            (
                "ok      clock        {seconds} off by AWS's clock, which is near enough",
                "not ok  clock        this machine's clock is 3 hours slow; set it (timedatectl \
                 shows it); a run corrects its signatures until then",
            ),
        ]),
        "",
    );
    scene.aws.world().ahead = time::Duration::ZERO;
    scene.sandbox.write("autodns.lock", "notes");
    let unusable = "not ok  alert_lock   {home}/autodns.lock is a file that autodns did not \
                    write; alerts would repeat at every failing run: name another file";
    let held = "ok      alert_lock   {home}/autodns.lock: no alert is out";
    check(&scene, &[]).assert(1, &expected(&[(held, unusable)]), "");
    let lock = scene.sandbox.path("missing/lock");
    scene.configure(|config| config["alert_lock"] = json!(lock));
    let missing = "not ok  alert_lock   alert_lock {home}/missing/lock: there is no folder \
                   {home}/missing; make it, or name another place";
    check(&private(scene), &[]).assert(1, &expected(&[(held, missing)]), "");
}

#[test]
fn an_aws_that_is_not_trusted_is_said_at_each_step() {
    let aws = Aws::start_as(Listen::V4, Speak::Tls(Certificate::Untrusted));
    let scene = private(Scene::with(aws, Reflector::start()));
    let why = "the server's certificate is not trusted: it is issued by \"autodns other CA\", \
               which is not a trusted root; check who answers there; a CA of your own goes into \
               AWS_CA_BUNDLE";
    let usual = expected(&[]);
    let until_record = usual.split("ok      record").next().expect("a beginning");
    let said = until_record.replace(
        "ok      tls          127.0.0.1 is trusted, TLS 1.3, in  ms",
        &format!("not ok  tls          127.0.0.1: {why}"),
    ) + &format!(
        "not ok  route53      could not list the records of hosted zone {{zone}}: {{aws}}: {why}\n\
         not ok  clock        no answer of AWS to hold this machine's clock against; mend what \
         keeps AWS from answering\n\
         ok      topic        {{topic}} was not tried; --alert sends it a message\n"
    );
    check(&scene, &[]).assert(1, &said, "");
}

#[test]
fn a_proxy_is_named_and_looks_names_up_itself() {
    let mut scene = scene();
    let proxy = Proxy::start(&[("*", scene.aws.server().port())]);
    let shown = proxy.url().trim_start_matches("http://").to_owned();
    scene.sandbox.alias(&shown, "{proxy}");
    scene.sandbox.set("HTTPS_PROXY", proxy.url());
    let direct = "ok      tls          127.0.0.1 is trusted, TLS 1.3, in  ms";
    let through = "ok      proxy        127.0.0.1 is reached through {proxy}";
    check(&scene, &[]).assert(0, &expected(&[(direct, through)]), "");
}

#[test]
fn what_keeps_a_run_from_being_tried_is_exit_status_2() {
    let mut scene = scene();
    scene.sandbox.write("broken.json", "{");
    let broken = scene.sandbox.path("broken.json");
    let good = scene.sandbox.path("autodns.json");
    let run = scene.run_args(&["check", &broken, &good]);
    let said = "not ok  config       {home}/broken.json: line 1, column 1: the file ends too \
                early: a }, a ] or a \" is missing\n";
    assert_eq!(run.status.code(), Some(2));
    assert_text(&neutral(&run.stdout), &(said.to_owned() + &expected(&[])));
    scene.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    let run = check(&scene, &[]);
    run.assert(
        2,
        "ok      config       {home}/autodns.json: home.example.com A in hosted zone {zone}\n\
         not ok  credentials  half a credential: the environment lacks AWS_SECRET_ACCESS_KEY; set \
         both halves, or neither\n",
        "",
    );
}

#[test]
fn a_terminal_is_written_on_in_colour_unless_no_color_is_set() {
    // A terminal of its own for the program, which `script` of util-linux makes.
    let terminal = ["sh", "-c", "exec script --quiet --return --command \"$*\" /dev/null", "sh"];
    let (good, bad) = ("\u{1b}[32mok    \u{1b}[0m  ", "\u{1b}[31mnot ok\u{1b}[0m  ");
    for (variables, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "")], true),
        (&[("TERM", "dumb")], false),
    ] {
        let mut scene = scene();
        set_mode(&scene, "autodns.json", 0o644);
        for (name, value) in variables {
            scene.sandbox.set(name, *value);
        }
        let config = scene.sandbox.path("autodns.json");
        let run = scene.finish(scene.sandbox.spawn_by(&terminal, &["check", &config]));
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        for (verdict, plain) in [(good, "ok      "), (bad, "not ok  ")] {
            let begins = |start: &str| run.stdout.lines().any(|line| line.starts_with(start));
            assert_eq!((begins(verdict), begins(plain)), (coloured, !coloured), "{run:?}");
        }
    }
    // A pipe is not.
    assert!(!check(&scene(), &[]).stdout.contains('\u{1b}'));
}

#[test]
fn json_is_one_object_with_the_same_findings() {
    let scene = scene();
    let run = check(&scene, &["--json"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(json["ok"], true);
    let checks = json["checks"].as_array().expect("a list");
    let lines: String = checks
        .iter()
        .map(|check| {
            assert_eq!(check["hint"], Value::Null);
            let text = |key: &str| check[key].as_str().expect("a text").to_owned();
            format!("ok      {:11}  {}\n", text("name"), text("detail"))
        })
        .collect();
    assert_text(&lines, &expected(&[]));
    scene.aws.put(Row::alias("home.example.com", "A", "elsewhere.example.com."));
    let run = check(&scene, &["--json"]);
    let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((run.status.code(), &json["ok"]), (Some(1), &json!(false)));
    let bad: Vec<&Value> = json["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["ok"] == false)
        .collect();
    let expected = json!({
        "name": "record", "ok": false,
        "detail": "home.example.com A is not ours to overwrite: it is an alias",
        "hint": "make it a simple record with one value, or use another name",
    });
    assert_eq!(bad, [&expected]);
}
