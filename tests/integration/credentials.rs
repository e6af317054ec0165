//! Where the key comes from: every source, which one wins, and what is said of a source that is
//! broken, half or out of scope. No value of any of them is ever quoted.

use crate::support::assert_text;
use crate::support::aws::Call::{Change, List};
use crate::support::aws::{KEY_ID, SECRET_KEY};
use crate::support::scene::Scene;
use crate::support::sigv4::Secret;

/// A scene without a key in the environment.
fn keyless() -> Scene {
    let mut scene = Scene::new();
    scene.sandbox.unset("AWS_ACCESS_KEY_ID");
    scene.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    scene
}

fn section(name: &str) -> String {
    format!("[{name}]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET_KEY}\n")
}

fn other_section(name: &str) -> String {
    format!(
        "[{name}]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = no/one/in/particular\n"
    )
}

#[track_caller]
fn assert_works(scene: &Scene) {
    scene.run().assert_silent().assert_wrote(&[]);
    assert_eq!(scene.aws.calls(), [List, Change]);
}

/// What is said where nothing is tried.
#[track_caller]
fn said(scene: &Scene) -> String {
    let run = scene.run();
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""), "{run:?}");
    scene.assert_untouched(&run);
    run.stderr
}

#[test]
fn the_environment_with_a_session_token() {
    let mut scene = Scene::new();
    let token = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";
    let temporary =
        Secret { secret: "t3mporary/Secret+Of/an+hour".into(), token: Some(token.into()) };
    scene.sandbox.secret(token);
    scene.sandbox.secret(&temporary.secret);
    scene.sandbox.set("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE");
    scene.sandbox.set("AWS_SECRET_ACCESS_KEY", temporary.secret.clone());
    scene.sandbox.set("AWS_SESSION_TOKEN", token);
    scene.aws.world().keys.insert("ASIAEXAMPLE".into(), temporary);
    assert_works(&scene);
}

#[test]
fn an_empty_session_token_is_none() {
    let mut scene = Scene::new();
    scene.sandbox.set("AWS_SESSION_TOKEN", "");
    assert_works(&scene);
}

#[test]
fn the_shared_credentials_file() {
    let scene = keyless();
    scene.sandbox.write(".aws/credentials", section("default"));
    assert_works(&scene);
}

#[test]
fn the_shared_credentials_file_of_a_profile_elsewhere() {
    let mut scene = keyless();
    let path = scene.sandbox.write("keys", other_section("default") + &section("pi"));
    scene.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", path);
    scene.sandbox.set("AWS_PROFILE", "pi");
    assert_works(&scene);
}

#[test]
fn a_session_token_of_the_shared_credentials_file() {
    let mut scene = keyless();
    let token = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";
    scene.sandbox.secret(token);
    let secret = Secret { secret: SECRET_KEY.into(), token: Some(token.into()) };
    scene.aws.world().keys.insert(KEY_ID.into(), secret);
    let text = format!("{}aws_session_token = {token}\n", section("default"));
    scene.sandbox.write(".aws/credentials", text);
    assert_works(&scene);
}

#[test]
fn the_config_file() {
    let mut scene = keyless();
    scene.sandbox.write(".aws/config", section("default"));
    assert_works(&scene);

    scene = keyless();
    let path = scene.sandbox.write("conf", other_section("default") + &section("profile pi"));
    scene.sandbox.set("AWS_CONFIG_FILE", path);
    scene.sandbox.set("AWS_PROFILE", "pi");
    assert_works(&scene);
}

#[test]
fn ini_as_real_files_have_it() {
    let scene = keyless();
    scene.sandbox.write(
        ".aws/credentials",
        format!(
            "# a comment\r\n; another\r\n\r\n[other]\r\nx = y\r\n[ default ]\r\n\
             AWS_Access_Key_Id:{KEY_ID}\r\naws_secret_access_key={SECRET_KEY} # of the Pi\r\n\
             s3 =\r\n  max_concurrent_requests = 20\r\n"
        ),
    );
    assert_works(&scene);
}

#[test]
fn boto_files() {
    let boto = format!(
        "[Boto]\ndebug = 0\n[Credentials]\naws_access_key_id = {KEY_ID}\n\
         aws_secret_access_key = {SECRET_KEY}\n"
    );
    let nobody = other_section("Credentials");
    let scene = keyless();
    scene.sandbox.write(".boto", &boto);
    assert_works(&scene);

    let scene = keyless();
    scene.sandbox.etc("boto.cfg", &boto);
    assert_works(&scene);

    let scene = keyless();
    scene.sandbox.etc("boto.cfg", &nobody);
    scene.sandbox.write(".boto", &boto);
    assert_works(&scene);

    let mut scene = keyless();
    scene.sandbox.write(".boto", &nobody);
    let path = scene.sandbox.write("elsewhere", &boto);
    scene.sandbox.set("BOTO_CONFIG", path);
    assert_works(&scene);
}

#[test]
fn boto_files_are_merged_key_by_key() {
    let scene = keyless();
    scene.sandbox.etc("boto.cfg", other_section("Credentials").replace("AKIANOBODY", KEY_ID));
    let secret = format!("[Credentials]\naws_secret_access_key = {SECRET_KEY}\n");
    scene.sandbox.write(".boto", secret);
    assert_works(&scene);
}

#[test]
fn the_first_source_wins() {
    // Each source in its turn is the best that there is, and those behind it hold a useless key.
    let process = |scene: &Scene, key: &str, secret: &str| {
        let json =
            format!("{{\"Version\":1,\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"{secret}\"}}");
        scene.sandbox.script("keys.sh", &format!("#!/bin/sh\necho '{json}'\n"))
    };
    for best in 0..5 {
        let mut scene = keyless();
        let pick = |source: usize| match source {
            source if source < best => None,
            source => Some(if source == best { section } else { other_section }),
        };
        if let Some(_section) = pick(0) {
            scene.sandbox.set("AWS_ACCESS_KEY_ID", KEY_ID);
            scene.sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        }
        if let Some(section) = pick(1) {
            scene.sandbox.write(".aws/credentials", section("default"));
        }
        let mut config = String::from("[default]\n");
        if let Some(section) = pick(3) {
            config = section("default");
        }
        if best <= 2 {
            let (key, secret) =
                if best == 2 { (KEY_ID, SECRET_KEY) } else { ("AKIANOBODY", "no/one/at/all") };
            config += &format!("credential_process = {}\n", process(&scene, key, secret));
        }
        scene.sandbox.write(".aws/config", config);
        if let Some(section) = pick(4) {
            scene.sandbox.write(".boto", section("Credentials"));
        }
        scene.run().assert_silent();
        assert_eq!(scene.aws.calls(), [List, Change], "source {best}");
    }
}

#[test]
fn no_credentials_at_all_says_where_was_looked() {
    assert_text(
        &said(&keyless()),
        "autodns: no AWS credentials found; looked in the environment (AWS_ACCESS_KEY_ID), \
         profile default of {home}/.aws/credentials (no such file), profile default of \
         {home}/.aws/config (no such file), {home}/.boto (no such file), /etc/boto.cfg (no \
         such file); put an access key into one of them\n",
    );
    let mut scene = keyless();
    scene.sandbox.set("AWS_ACCESS_KEY_ID", "");
    scene.sandbox.set("AWS_SECRET_ACCESS_KEY", "");
    scene.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", "/elsewhere/credentials");
    scene.sandbox.set("AWS_CONFIG_FILE", "/elsewhere/config");
    scene.sandbox.set("BOTO_CONFIG", "/elsewhere/boto");
    assert_text(
        &said(&scene),
        "autodns: no AWS credentials found; looked in the environment (AWS_ACCESS_KEY_ID), \
         profile default of /elsewhere/credentials (no such file), profile default of \
         /elsewhere/config (no such file), /elsewhere/boto (no such file); put an access key \
         into one of them\n",
    );
    scene.sandbox.unset("HOME");
    scene.sandbox.unset("AWS_SHARED_CREDENTIALS_FILE");
    scene.sandbox.unset("AWS_CONFIG_FILE");
    scene.sandbox.unset("BOTO_CONFIG");
    assert_text(
        &said(&scene),
        "autodns: no AWS credentials found; looked in the environment (AWS_ACCESS_KEY_ID), \
         profile default of ~/.aws/credentials (HOME is not set), profile default of \
         ~/.aws/config (HOME is not set), ~/.boto (HOME is not set), /etc/boto.cfg (no such \
         file); put an access key into one of them\n",
    );
}

#[test]
fn half_a_credential_is_an_error_wherever_it_stands() {
    let mut seen = String::new();
    let halves = [
        format!("aws_access_key_id = {KEY_ID}\n"),
        format!("aws_secret_access_key = {SECRET_KEY}\n"),
        format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key =\n"),
    ];
    for (name, value) in [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)] {
        let mut scene = keyless();
        scene.sandbox.set(name, value);
        scene.sandbox.write(".aws/credentials", section("default"));
        seen += &said(&scene);
    }
    for half in &halves {
        for (file, name) in
            [(".aws/credentials", "default"), (".aws/config", "default"), (".boto", "Credentials")]
        {
            let scene = keyless();
            scene.sandbox.write(file, format!("[{name}]\n{half}"));
            seen += &said(&scene);
        }
    }
    assert_text(
        &seen,
        "autodns: half a credential: the environment lacks AWS_SECRET_ACCESS_KEY; set both \
         halves, or neither\n\
         autodns: half a credential: the environment lacks AWS_ACCESS_KEY_ID; set both \
         halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/credentials lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/config lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: half a credential: [Credentials] of {home}/.boto lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/credentials lacks \
         aws_access_key_id; set both halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/config lacks aws_access_key_id; \
         set both halves, or neither\n\
         autodns: half a credential: [Credentials] of {home}/.boto lacks aws_access_key_id; \
         set both halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/credentials lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: half a credential: [default] of {home}/.aws/config lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: half a credential: [Credentials] of {home}/.boto lacks \
         aws_secret_access_key; set both halves, or neither\n",
    );
}

#[test]
fn an_unknown_profile_is_named() {
    let mut scene = keyless();
    scene.sandbox.write(".aws/credentials", section("default"));
    scene.sandbox.write(".boto", section("Credentials"));
    scene.sandbox.set("AWS_PROFILE", "pie");
    assert_text(
        &said(&scene),
        "autodns: no profile pie (from AWS_PROFILE) in {home}/.aws/credentials or \
         {home}/.aws/config (no such file)\n",
    );
    // A key in the environment does not make it right.
    scene.sandbox.set("AWS_ACCESS_KEY_ID", KEY_ID);
    scene.sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    scene.run().assert(
        2,
        "",
        "autodns: no profile pie (from AWS_PROFILE) in {home}/.aws/credentials or \
         {home}/.aws/config (no such file)\n",
    );
}

#[test]
fn a_profile_that_needs_what_is_out_of_scope_says_what_works() {
    let mut seen = String::new();
    for lines in [
        "role_arn = arn:aws:iam::123456789012:role/pi\nsource_profile = base\n",
        "sso_start_url = https://example.awsapps.com/start\nsso_account_id = 123456789012\n",
        "sso_session = home\nsso_account_id = 123456789012\n",
        "web_identity_token_file = /token\nrole_arn = arn:aws:iam::123456789012:role/pi\n",
    ] {
        let scene = keyless();
        scene.sandbox.write(".aws/config", format!("[default]\n{lines}"));
        seen += &said(&scene);
    }
    assert_text(
        &seen,
        "autodns: profile default in {home}/.aws/config assumes a role (role_arn), which \
         autodns does not do; use an access key of an IAM user, or a credential_process such \
         as aws configure export-credentials\n\
         autodns: profile default in {home}/.aws/config signs in through SSO, which autodns \
         does not do; use an access key of an IAM user, or a credential_process such as aws \
         configure export-credentials\n\
         autodns: profile default in {home}/.aws/config signs in through SSO, which autodns \
         does not do; use an access key of an IAM user, or a credential_process such as aws \
         configure export-credentials\n\
         autodns: profile default in {home}/.aws/config assumes a role (role_arn), which \
         autodns does not do; use an access key of an IAM user, or a credential_process such \
         as aws configure export-credentials\n",
    );
}

#[test]
fn a_broken_ini_file_is_named_with_the_line_and_never_a_value() {
    let mut seen = String::new();
    let good = section("default");
    let broken: [Vec<u8>; 5] = [
        format!("{good}{SECRET_KEY}\n").into_bytes(),
        format!("aws_secret_access_key = {SECRET_KEY}\n{good}").into_bytes(),
        format!("[default\naws_secret_access_key = {SECRET_KEY}\n").into_bytes(),
        [good.clone().into_bytes(), b"note = \xff\n".to_vec()].concat(),
        format!("[default]\n= {SECRET_KEY}\n").into_bytes(),
    ];
    for file in [".aws/credentials", ".aws/config", ".boto"] {
        for text in &broken {
            let scene = keyless();
            scene.sandbox.write(file, text);
            seen += &said(&scene);
        }
    }
    assert_text(
        &seen,
        "autodns: {home}/.aws/credentials: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.aws/credentials: line 1: a key before any section; expected \
         [default] or the like\n\
         autodns: {home}/.aws/credentials: line 1: a section lacks its ]\n\
         autodns: {home}/.aws/credentials: line 4: is not UTF-8\n\
         autodns: {home}/.aws/credentials: line 2: expected KEY = VALUE, found no key\n\
         autodns: {home}/.aws/config: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.aws/config: line 1: a key before any section; expected [default] or \
         the like\n\
         autodns: {home}/.aws/config: line 1: a section lacks its ]\n\
         autodns: {home}/.aws/config: line 4: is not UTF-8\n\
         autodns: {home}/.aws/config: line 2: expected KEY = VALUE, found no key\n\
         autodns: {home}/.boto: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.boto: line 1: a key before any section; expected [default] or the \
         like\n\
         autodns: {home}/.boto: line 1: a section lacks its ]\n\
         autodns: {home}/.boto: line 4: is not UTF-8\n\
         autodns: {home}/.boto: line 2: expected KEY = VALUE, found no key\n",
    );
}

#[test]
fn a_credentials_file_that_cannot_be_read_is_said() {
    let scene = keyless();
    std::fs::create_dir_all(scene.sandbox.path(".aws/credentials")).expect("a directory");
    assert_text(
        &said(&scene),
        "autodns: {home}/.aws/credentials: cannot be read: Is a directory (os error 21)\n",
    );
}

#[test]
fn a_broken_file_that_is_not_needed_is_no_hindrance() {
    let scene = Scene::new();
    scene.sandbox.write(".boto", "nonsense\n");
    assert_works(&scene);
}

#[test]
fn a_dry_run_needs_credentials_too() {
    let scene = keyless();
    let real = said(&scene);
    scene.assert_untouched(scene.run_with(&["--dry-run"]).assert(2, "", &real));
}
