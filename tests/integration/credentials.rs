//! The sources of the key: each source, their order, and the messages about a source that is
//! broken, incomplete or not supported. A message never quotes a value.

use crate::support::assert_text;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_aws::{KEY_ID, SECRET_KEY, key_section};
use crate::support::fixture::Fixture;
use crate::support::sandbox::Run;
use crate::support::sigv4::Secret;

/// A section with a key that the fake AWS does not know.
fn wrong_section(name: &str) -> String {
    format!(
        "[{name}]\naws_access_key_id = AKIANOBODY\naws_secret_access_key = no/one/in/particular\n"
    )
}

#[track_caller]
fn assert_works(fixture: &Fixture) {
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

/// The stderr of a run that exits with 2 and sends nothing.
#[track_caller]
fn setup_error(fixture: &Fixture) -> String {
    let run = fixture.run();
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""), "{run:?}");
    fixture.assert_untouched(&run);
    run.stderr
}

#[test]
fn session_token_of_the_environment_is_sent() {
    let mut fixture = Fixture::new();
    let token = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";
    let temporary =
        Secret { secret: "t3mporary/Secret+Of/an+hour".into(), token: Some(token.into()) };
    fixture.sandbox.secret(token);
    fixture.sandbox.secret(&temporary.secret);
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE");
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", temporary.secret.clone());
    fixture.sandbox.set("AWS_SESSION_TOKEN", token);
    fixture.aws.state().keys.insert("ASIAEXAMPLE".into(), temporary);
    assert_works(&fixture);
}

#[test]
fn empty_session_token_is_ignored() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_SESSION_TOKEN", "");
    assert_works(&fixture);
}

#[test]
fn key_of_the_shared_credentials_file_is_used() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write(".aws/credentials", key_section("default"));
    assert_works(&fixture);
}

#[test]
fn key_of_a_named_file_and_profile_is_used() {
    let mut fixture = Fixture::without_credentials();
    let path = fixture.sandbox.write("keys", wrong_section("default") + &key_section("pi"));
    fixture.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", path);
    fixture.sandbox.set("AWS_PROFILE", "pi");
    assert_works(&fixture);
}

#[test]
fn key_of_the_aws_config_file_is_used() {
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write(".aws/config", key_section("default"));
    assert_works(&fixture);

    fixture = Fixture::without_credentials();
    let path = fixture.sandbox.write("conf", wrong_section("default") + &key_section("profile pi"));
    fixture.sandbox.set("AWS_CONFIG_FILE", path);
    fixture.sandbox.set("AWS_PROFILE", "pi");
    assert_works(&fixture);
}

#[test]
fn file_beside_the_configuration_wins_over_the_users_files() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write("credentials", key_section("default"));
    fixture.sandbox.write(".aws/credentials", wrong_section("default"));
    let role = wrong_section("default") + "role_arn = arn:aws:iam::123456789012:role/pi\n";
    fixture.sandbox.write(".aws/config", role);
    assert_works(&fixture);

    let fixture = Fixture::new();
    fixture.sandbox.write("credentials", wrong_section("default"));
    assert_works(&fixture);

    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write("credentials", wrong_section("default") + &key_section("pi"));
    fixture.sandbox.set("AWS_PROFILE", "pi");
    assert_works(&fixture);

    // A file without a key for the profile is skipped, but its other settings are used.
    let mut fixture = Fixture::without_credentials();
    fixture.remove_from_config("topic_arn");
    fixture.remove_from_config("alert_lock");
    fixture.sandbox.write("credentials", "[default]\nregion = cn-north-1\n");
    fixture.sandbox.write(".aws/credentials", key_section("default") + "region = eu-west-1\n");
    fixture.aws.state().route53_region = "cn-northwest-1".into();
    assert_works(&fixture);
}

#[test]
fn policy_and_check_use_the_credentials_of_a_run() {
    let mut fixture = Fixture::without_credentials();
    fixture.remove_from_config("topic_arn");
    fixture.remove_from_config("alert_lock");
    fixture.sandbox.write("credentials", key_section("default") + "region = cn-north-1\n");
    fixture.aws.state().route53_region = "cn-northwest-1".into();
    let config = fixture.sandbox.path("autodns.json");
    let policy = fixture.run_args(&["policy", &config]).stdout;
    assert!(policy.contains("\"arn:aws-cn:route53:::hostedzone/{zone}\""), "{policy}");
    let checked = fixture.run_args(&["check", &config]).stdout;
    let row = "key id ...ST07 from [default] of {home}/credentials\n";
    assert!(checked.contains(row), "{checked}");
    fixture.run().assert_silent();
}

#[test]
fn file_named_by_a_variable_replaces_both_default_files() {
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write("credentials", wrong_section("default"));
    fixture.sandbox.write(".aws/credentials", wrong_section("default"));
    let path = fixture.sandbox.write("keys", key_section("default"));
    fixture.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", path);
    assert_works(&fixture);
    fixture.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", "/none");
    fixture.sandbox.write(".aws/config", "[default]\n");
    assert_text(
        &fixture.run().stderr,
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, {home}/.aws/config has \
         no key for profile default, and there is no /none, {home}/.boto or /etc/boto.cfg; put an \
         access key into /none (mode 600)\n",
    );
}

#[test]
fn each_config_uses_the_credentials_of_its_folder() {
    let fixture = Fixture::without_credentials();
    let [home, host] = ["home", "host"].map(|name| {
        let mut config = fixture.config();
        config["dns_name"] = format!("{name}.example.com").into();
        config["alert_lock"] = fixture.sandbox.path(&format!("{name}.lock")).into();
        fixture.write_config(&format!("{name}/autodns.json"), &config)
    });
    fixture.sandbox.write("home/credentials", key_section("default"));
    fixture.sandbox.write("host/credentials", wrong_section("default"));
    let secret = Secret { secret: "no/one/in/particular".into(), token: None };
    fixture.aws.state().keys.insert("AKIANOBODY".into(), secret);
    fixture.aws.state().denied.push(("AKIANOBODY".into(), Change));
    let run = fixture.run_args(&[&home, &host]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(run.stderr.starts_with("autodns: host.example.com A: could not make"), "{run:?}");
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    // A config without credentials does not stop the other one.
    std::fs::remove_file(fixture.sandbox.path("host/credentials")).expect("it was there");
    fixture.aws.remove("home.example.com", "A");
    let run = fixture.run_args(&[&host, &home]);
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(run.stderr.starts_with("autodns: no AWS credentials found:"), "{run:?}");
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 600 192.175.48.7");
}

#[test]
fn folder_of_a_symlinked_config_is_that_of_the_link() {
    let fixture = Fixture::without_credentials();
    let config = std::fs::read(fixture.sandbox.path("autodns.json")).expect("a configuration");
    fixture.sandbox.write("releases/7/autodns.json", &config);
    fixture.sandbox.write("releases/7/credentials", key_section("default"));
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, fixture.sandbox.path(name)).expect("a link");
    };
    link("releases/7", "current");
    // The file is also found through a link to the folder.
    fixture.run_args(&["current/autodns.json"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    // If the config itself is a link, the folder is that of the link.
    fixture.sandbox.write("etc/credentials", key_section("default"));
    link("../releases/7/autodns.json", "etc/autodns.json");
    fixture.sandbox.write("releases/7/credentials", wrong_section("default"));
    fixture.run_args(&["etc/autodns.json"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change, List]);
    // A name without a folder is in the working directory.
    fixture.sandbox.write("credentials", key_section("default"));
    fixture.run_args(&["autodns.json"]).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change, List, List]);
}

#[test]
fn foreign_credentials_in_a_shared_folder_are_ignored() {
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write_foreign("credentials", &key_section("default"));
    // Any user may write to a folder of this mode, as to /tmp, and could put a credential_process
    // into the file.
    fixture.sandbox.set_mode("", 0o1777);
    assert_text(
        &fixture.run().stderr,
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, {home}/credentials \
         cannot be read (it belongs to another user (uid 65534), and others may write to its \
         folder), and there is no {home}/.aws/credentials, {home}/.aws/config, {home}/.boto or \
         /etc/boto.cfg; replace {home}/credentials by a file of your own with an access key (mode \
         600)\n",
    );
    fixture.sandbox.write(".aws/credentials", key_section("default"));
    assert_works(&fixture);
}

#[test]
fn config_beside_the_users_credentials_reads_them_once() {
    let fixture = Fixture::without_credentials();
    let config = std::fs::read(fixture.sandbox.path("autodns.json")).expect("a configuration");
    let path = fixture.sandbox.write(".aws/autodns.json", config);
    assert_text(
        &fixture.run_args(&[&path]).stderr,
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, and there is no \
         {home}/.aws/credentials, {home}/.aws/config, {home}/.boto or /etc/boto.cfg; put an access \
         key into {home}/.aws/credentials (mode 600)\n",
    );
}

#[test]
fn ini_syntax_of_real_files_is_read() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write(
        ".aws/credentials",
        format!(
            "# a comment\r\n; another\r\n\r\n[other]\r\nx = y\r\n[ default ]\r\n\
             AWS_Access_Key_Id:{KEY_ID}\r\naws_secret_access_key={SECRET_KEY} # of the Pi\r\n\
             s3 =\r\n  max_concurrent_requests = 20\r\n"
        ),
    );
    assert_works(&fixture);
}

#[test]
fn key_of_boto_files_is_used() {
    let boto = format!(
        "[Boto]\ndebug = 0\n[Credentials]\naws_access_key_id = {KEY_ID}\n\
         aws_secret_access_key = {SECRET_KEY}\n"
    );
    let nobody = wrong_section("Credentials");
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write(".boto", &boto);
    assert_works(&fixture);

    let fixture = Fixture::without_credentials();
    fixture.sandbox.etc("boto.cfg", &boto);
    assert_works(&fixture);

    let fixture = Fixture::without_credentials();
    fixture.sandbox.etc("boto.cfg", &nobody);
    fixture.sandbox.write(".boto", &boto);
    assert_works(&fixture);

    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write(".boto", &nobody);
    let path = fixture.sandbox.write("elsewhere", &boto);
    fixture.sandbox.set("BOTO_CONFIG", path);
    assert_works(&fixture);
}

#[test]
fn boto_files_are_merged_key_by_key() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.etc("boto.cfg", wrong_section("Credentials").replace("AKIANOBODY", KEY_ID));
    let secret = format!("[Credentials]\naws_secret_access_key = {SECRET_KEY}\n");
    fixture.sandbox.write(".boto", secret);
    assert_works(&fixture);
}

#[test]
fn first_source_of_credentials_wins() {
    // Only the source of number `best` has a good key. The earlier ones have none, the later ones a
    // wrong one.
    let process = |fixture: &Fixture, key: &str, secret: &str| {
        let json =
            format!("{{\"Version\":1,\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"{secret}\"}}");
        fixture.sandbox.script("keys.sh", &format!("#!/bin/sh\necho '{json}'\n"))
    };
    for best in 0..5 {
        let mut fixture = Fixture::without_credentials();
        let pick = |source: usize| match source {
            source if source < best => None,
            source => Some(if source == best { key_section } else { wrong_section }),
        };
        if best == 0 {
            fixture.sandbox.set("AWS_ACCESS_KEY_ID", KEY_ID);
            fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        }
        if let Some(section_of) = pick(1) {
            fixture.sandbox.write(".aws/credentials", section_of("default"));
        }
        let mut config = String::from("[default]\n");
        if let Some(section_of) = pick(3) {
            config = section_of("default");
        }
        if best <= 2 {
            let (key, secret) =
                if best == 2 { (KEY_ID, SECRET_KEY) } else { ("AKIANOBODY", "no/one/at/all") };
            config += &format!("credential_process = {}\n", process(&fixture, key, secret));
        }
        fixture.sandbox.write(".aws/config", config);
        if let Some(section_of) = pick(4) {
            fixture.sandbox.write(".boto", section_of("Credentials"));
        }
        fixture.run().assert_silent();
        assert_eq!(fixture.aws.operations(), [List, Change], "source {best}");
    }
}

#[test]
fn missing_credentials_name_all_places_searched() {
    assert_text(
        &setup_error(&Fixture::without_credentials()),
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, and there is no \
         {home}/credentials, {home}/.aws/credentials, {home}/.aws/config, {home}/.boto or \
         /etc/boto.cfg; put an access key into {home}/credentials (mode 600)\n",
    );
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", "");
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", "");
    fixture.sandbox.set("AWS_SHARED_CREDENTIALS_FILE", "/elsewhere/credentials");
    fixture.sandbox.set("AWS_CONFIG_FILE", "/elsewhere/config");
    fixture.sandbox.set("BOTO_CONFIG", "/elsewhere/boto");
    assert_text(
        &setup_error(&fixture),
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, and there is no \
         /elsewhere/credentials, /elsewhere/config or /elsewhere/boto; put an access key into \
         /elsewhere/credentials (mode 600)\n",
    );
    fixture.sandbox.unset("HOME");
    fixture.sandbox.unset("AWS_SHARED_CREDENTIALS_FILE");
    fixture.sandbox.unset("AWS_CONFIG_FILE");
    fixture.sandbox.unset("BOTO_CONFIG");
    assert_text(
        &setup_error(&fixture),
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, HOME is not set, and \
         there is no {home}/credentials or /etc/boto.cfg; put an access key into \
         {home}/credentials (mode 600)\n",
    );
}

#[test]
fn file_without_a_key_differs_from_a_missing_file() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write("credentials", "# the key goes here\n");
    fixture.sandbox.write(".aws/config", "[default]\nregion = eu-west-1\n");
    assert_text(
        &setup_error(&fixture),
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, {home}/credentials has \
         no key for profile default, {home}/.aws/config has no key for profile default, and there \
         is no {home}/.aws/credentials, {home}/.boto or /etc/boto.cfg; put an access key into \
         {home}/credentials (mode 600)\n",
    );
}

#[test]
fn half_a_credential_is_an_error_in_every_source() {
    let mut seen = String::new();
    let halves = [
        format!("aws_access_key_id = {KEY_ID}\n"),
        format!("aws_secret_access_key = {SECRET_KEY}\n"),
        format!("aws_access_key_id = {KEY_ID}\naws_secret_access_key =\n"),
    ];
    for (name, value) in [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)] {
        let mut fixture = Fixture::without_credentials();
        fixture.sandbox.set(name, value);
        fixture.sandbox.write(".aws/credentials", key_section("default"));
        seen += &setup_error(&fixture);
    }
    for half in &halves {
        for (file, name) in
            [(".aws/credentials", "default"), (".aws/config", "default"), (".boto", "Credentials")]
        {
            let fixture = Fixture::without_credentials();
            fixture.sandbox.write(file, format!("[{name}]\n{half}"));
            seen += &setup_error(&fixture);
        }
    }
    assert_text(
        &seen,
        "autodns: incomplete credentials: the environment lacks AWS_SECRET_ACCESS_KEY; set both \
         halves, or neither\n\
         autodns: incomplete credentials: the environment lacks AWS_ACCESS_KEY_ID; set both \
         halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/credentials lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/config lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: incomplete credentials: [Credentials] of {home}/.boto lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/credentials lacks \
         aws_access_key_id; set both halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/config lacks aws_access_key_id; \
         set both halves, or neither\n\
         autodns: incomplete credentials: [Credentials] of {home}/.boto lacks aws_access_key_id; \
         set both halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/credentials lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: incomplete credentials: [default] of {home}/.aws/config lacks \
         aws_secret_access_key; set both halves, or neither\n\
         autodns: incomplete credentials: [Credentials] of {home}/.boto lacks \
         aws_secret_access_key; set both halves, or neither\n",
    );
}

#[test]
fn unknown_profile_is_named() {
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write(".aws/credentials", key_section("default"));
    fixture.sandbox.write(".boto", key_section("Credentials"));
    fixture.sandbox.set("AWS_PROFILE", "pie");
    let unknown = "autodns: no profile pie (from AWS_PROFILE): {home}/.aws/credentials has no such \
                   profile, and there is no {home}/credentials or {home}/.aws/config; correct \
                   AWS_PROFILE\n";
    assert_text(&setup_error(&fixture), unknown);
    // An unknown profile is an error even if the environment has a key.
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", KEY_ID);
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    fixture.run().assert(2, "", unknown);
}

#[test]
fn unsupported_profile_advises_what_is_supported() {
    let mut seen = String::new();
    for lines in [
        "role_arn = arn:aws:iam::123456789012:role/pi\nsource_profile = base\n",
        "sso_start_url = https://example.awsapps.com/start\nsso_account_id = 123456789012\n",
        "sso_session = home\nsso_account_id = 123456789012\n",
        "web_identity_token_file = /token\nrole_arn = arn:aws:iam::123456789012:role/pi\n",
    ] {
        let fixture = Fixture::without_credentials();
        fixture.sandbox.write(".aws/config", format!("[default]\n{lines}"));
        seen += &setup_error(&fixture);
    }
    assert_text(
        &seen,
        "autodns: profile default in {home}/.aws/config assumes a role (role_arn), which \
         autodns does not support; use an access key of an IAM user, or a credential_process such \
         as aws configure export-credentials\n\
         autodns: profile default in {home}/.aws/config signs in through SSO, which autodns \
         does not support; use an access key of an IAM user, or a credential_process such as aws \
         configure export-credentials\n\
         autodns: profile default in {home}/.aws/config signs in through SSO, which autodns \
         does not support; use an access key of an IAM user, or a credential_process such as aws \
         configure export-credentials\n\
         autodns: profile default in {home}/.aws/config assumes a role (role_arn), which \
         autodns does not support; use an access key of an IAM user, or a credential_process such \
         as aws configure export-credentials\n",
    );
}

#[test]
fn broken_ini_file_is_reported_by_line_without_values() {
    let mut seen = String::new();
    let good = key_section("default");
    let broken: [Vec<u8>; 5] = [
        format!("{good}{SECRET_KEY}\n").into_bytes(),
        format!("aws_secret_access_key = {SECRET_KEY}\n{good}").into_bytes(),
        format!("[default\naws_secret_access_key = {SECRET_KEY}\n").into_bytes(),
        [good.clone().into_bytes(), b"note = \xff\n".to_vec()].concat(),
        format!("[default]\n= {SECRET_KEY}\n").into_bytes(),
    ];
    for file in [".aws/credentials", ".aws/config", ".boto"] {
        for text in &broken {
            let fixture = Fixture::without_credentials();
            fixture.sandbox.write(file, text);
            seen += &setup_error(&fixture);
        }
    }
    assert_text(
        &seen,
        "autodns: {home}/.aws/credentials: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.aws/credentials: line 1: a key before any section; write the header of \
         its section above it, such as [default]\n\
         autodns: {home}/.aws/credentials: line 1: a section lacks its ]\n\
         autodns: {home}/.aws/credentials: line 4: is not UTF-8\n\
         autodns: {home}/.aws/credentials: line 2: expected KEY = VALUE, found no key\n\
         autodns: {home}/.aws/config: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.aws/config: line 1: a key before any section; write the header of its \
         section above it, such as [default]\n\
         autodns: {home}/.aws/config: line 1: a section lacks its ]\n\
         autodns: {home}/.aws/config: line 4: is not UTF-8\n\
         autodns: {home}/.aws/config: line 2: expected KEY = VALUE, found no key\n\
         autodns: {home}/.boto: line 4: expected KEY = VALUE, found no =\n\
         autodns: {home}/.boto: line 1: a key before any section; write the header of its section \
         above it, such as [default]\n\
         autodns: {home}/.boto: line 1: a section lacks its ]\n\
         autodns: {home}/.boto: line 4: is not UTF-8\n\
         autodns: {home}/.boto: line 2: expected KEY = VALUE, found no key\n",
    );
}

/// Runs a command without the right of root to read every file.
const UNPRIVILEGED: [&str; 3] = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];

/// Runs the program without the right of root to read every file.
#[track_caller]
fn run_unprivileged(fixture: &Fixture) -> Run {
    let config = fixture.sandbox.path("autodns.json");
    fixture.finish(fixture.sandbox.spawn_by(&UNPRIVILEGED, &[&config]))
}

#[test]
fn unreadable_file_at_a_default_path_is_ignored() {
    for key_in_environment in [true, false] {
        let fixture =
            if key_in_environment { Fixture::new() } else { Fixture::without_credentials() };
        std::fs::create_dir_all(fixture.sandbox.path(".aws/credentials")).expect("a folder");
        fixture.sandbox.pipe("credentials");
        fixture.sandbox.write(".aws/config", wrong_section("default"));
        fixture.sandbox.set_mode(".aws/config", 0o000);
        fixture.sandbox.write(".boto", wrong_section("Credentials"));
        fixture.sandbox.set_mode(".boto", 0o000);
        let run = run_unprivileged(&fixture);
        if key_in_environment {
            run.assert_silent();
            assert_eq!(fixture.aws.operations(), [List, Change]);
            continue;
        }
        run.assert(
            2,
            "",
            "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, {home}/credentials \
             cannot be read (it is a named pipe, not a regular file), {home}/.aws/credentials \
             cannot be read (Is a directory (os error 21)), {home}/.aws/config cannot be \
             read (Permission denied (os error 13)), {home}/.boto cannot be read (Permission \
             denied (os error 13)), and there is no /etc/boto.cfg; replace {home}/credentials by a \
             file of your own with an access key (mode 600)\n",
        );
        fixture.assert_untouched(&run);
    }
}

#[test]
fn home_of_another_user_is_ignored() {
    let mut fixture = Fixture::without_credentials();
    fixture.sandbox.write("other/.aws/credentials", wrong_section("default"));
    fixture.sandbox.set("HOME", fixture.sandbox.path("other"));
    fixture.sandbox.write("credentials", key_section("default"));
    fixture.sandbox.set_mode("other", 0o000);
    run_unprivileged(&fixture).assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
    // With this mode a user other than root can remove the folder.
    fixture.sandbox.set_mode("other", 0o755);
}

#[test]
fn unreadable_credentials_are_named_with_advice() {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write("credentials", key_section("default"));
    fixture.sandbox.set_mode("credentials", 0o000);
    run_unprivileged(&fixture).assert(
        2,
        "",
        "autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, {home}/credentials \
         cannot be read (Permission denied (os error 13)), and there is no \
         {home}/.aws/credentials, {home}/.aws/config, {home}/.boto or /etc/boto.cfg; run autodns \
         as the user who may read {home}/credentials\n",
    );
}

#[test]
fn unreadable_file_named_by_a_variable_is_an_error() {
    let mut seen = String::new();
    for variable in ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"] {
        let mut fixture = Fixture::without_credentials();
        let folder = fixture.sandbox.path("folder");
        std::fs::create_dir(&folder).expect("a folder");
        fixture.sandbox.set(variable, folder);
        seen += &setup_error(&fixture);
        let file = fixture.sandbox.write("file", key_section("default"));
        fixture.sandbox.set_mode("file", 0o000);
        fixture.sandbox.set(variable, file);
        seen += &run_unprivileged(&fixture).stderr;
    }
    let lines = "autodns: {home}/folder: cannot be read: Is a directory (os error 21)\n\
                 autodns: {home}/file: cannot be read: Permission denied (os error 13)\n";
    assert_text(&seen, &lines.repeat(3));
}

#[test]
fn quotes_around_a_key_are_reported_in_every_source() {
    let mut seen = String::new();
    for (name, value) in [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)] {
        let mut fixture = Fixture::new();
        fixture.sandbox.set(name, format!("\"{value}\""));
        seen += &setup_error(&fixture);
    }
    for (file, name) in [("credentials", "default"), (".boto", "Credentials")] {
        let fixture = Fixture::without_credentials();
        fixture
            .sandbox
            .write(file, key_section(name).replace(SECRET_KEY, &format!("'{SECRET_KEY}'")));
        seen += &setup_error(&fixture);
    }
    assert_text(
        &seen,
        "autodns: the value of AWS_ACCESS_KEY_ID in the environment has quotes around it; remove \
         them\n\
         autodns: the value of AWS_SECRET_ACCESS_KEY in the environment has quotes around it; \
         remove them\n\
         autodns: the value of aws_secret_access_key in [default] of {home}/credentials has quotes \
         around it; remove them\n\
         autodns: the value of aws_secret_access_key in [Credentials] of {home}/.boto has quotes \
         around it; remove them\n",
    );
}

#[test]
fn broken_file_that_is_not_needed_is_ignored() {
    let fixture = Fixture::new();
    fixture.sandbox.write(".boto", "nonsense\n");
    assert_works(&fixture);
}

#[test]
fn dry_run_needs_credentials() {
    let fixture = Fixture::without_credentials();
    let real = setup_error(&fixture);
    fixture.assert_untouched(fixture.run_with(&["--dry-run"]).assert(2, "", &real));
}
