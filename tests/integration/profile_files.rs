//! Compares autodns with botocore in reading the profile files of AWS. For each case of files and
//! variables, autodns uses the key, the token and the partition that botocore finds, and rejects
//! what botocore rejects. The tables name each intended difference with its reason.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::assert_text;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fixture::Fixture;
use crate::support::moto;
use crate::support::sigv4::Secret;

/// Prints the result of botocore for each case on its standard input.
const BOTOCORE: &str = r#"
import json, os, pathlib, sys, tempfile
import botocore.session

base = dict(os.environ)

def find(case):
    with tempfile.TemporaryDirectory() as home:
        for name, text in case["files"]:
            path = pathlib.Path(home, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        os.environ.clear()
        os.environ.update(base, HOME=home, AWS_EC2_METADATA_DISABLED="true", BOTO_CONFIG="/none")
        os.environ.update(case["environment"])
        try:
            session = botocore.session.Session()
            region = session.get_config_variable("region")
            session.get_scoped_config()
            found = session.get_credentials()
            if found is None:
                return None
            found = found.get_frozen_credentials()
        except Exception as error:
            print(repr(error), file=sys.stderr)
            return None
        partition = session.get_partition_for_region(region) if region else "aws"
        return [found.access_key, found.secret_key, found.token, partition]

json.dump([find(case) for case in json.load(sys.stdin)], sys.stdout)
"#;

/// How the result of autodns compares with botocore's.
enum Strictness {
    /// The result is the same.
    Same,
    /// autodns rejects a key that botocore accepts, since such a key cannot be valid.
    Stricter(&'static str),
    /// autodns accepts the key of that number. botocore rejects the file or uses a wrong key.
    Laxer(usize, &'static str),
}
use Strictness::{Laxer, Same, Stricter};

/// A name, the files in the home directory, the variables, and the expected comparison.
type Case<'a> = (&'a str, &'a [(&'a str, String)], &'a [(&'a str, &'a str)], Strictness);

const CREDENTIALS: &str = ".aws/credentials";
const CONFIG: &str = ".aws/config";
/// A secret like `sEcret/number+N%of=the;key#s` has every character that may be taken for syntax.
const SECRETS: [&str; 4] = [
    "zer0/Secret+aB%cD=eF;gH#iJ",
    "0ne/Secret+kL%mN=oP;qR#sT",
    "tw0/Secret+uV%wX=yZ;aC#bD",
    "thr33/Secret+eG%fH=iK;jL#mO",
];

fn id(number: usize) -> String {
    format!("AKIAEXAMPLENUMBER{number:03}")
}

/// The lines of the key of that number.
fn key(number: usize) -> String {
    let secret = SECRETS[number];
    format!("aws_access_key_id = {}\naws_secret_access_key = {secret}\n", id(number))
}

/// A command that prints the key of that number, in JSON with further members.
fn printing(number: usize, more: &str) -> String {
    let (id, secret) = (id(number), SECRETS[number]);
    format!(
        "credential_process = echo '{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \
         \"SecretAccessKey\": \"{secret}\"{more}}}'\n"
    )
}

/// The key id, secret key, token and partition that botocore finds in each case, if any.
fn botocore(cases: &[Case<'_>]) -> Vec<Option<[Option<String>; 4]>> {
    let input: Vec<Value> = cases
        .iter()
        .map(|(_, files, environment, _)| {
            let environment: serde_json::Map<String, Value> =
                environment.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
            json!({ "files": files, "environment": environment })
        })
        .collect();
    let mut child = Command::new(moto::python())
        .args(["-c", BOTOCORE])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python runs");
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(Value::from(input).to_string().as_bytes()).expect("python reads");
    drop(pipe);
    let output = child.wait_with_output().expect("python ends");
    let found: Vec<Option<[Option<String>; 4]>> =
        serde_json::from_slice(&output.stdout).expect("JSON from botocore");
    assert_eq!(found.len(), cases.len());
    found
}

/// Runs all cases and returns the messages of the rejected ones.
#[track_caller]
fn rejections(cases: &[Case<'_>]) -> String {
    let mut said = String::new();
    for ((name, files, environment, strictness), found) in cases.iter().zip(botocore(cases)) {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.remove_from_config("alert_lock");
        fixture.unset_credentials();
        for secret in SECRETS {
            fixture.sandbox.secret(secret);
        }
        for (name, text) in *files {
            fixture.sandbox.write(name, text);
        }
        for (name, value) in *environment {
            fixture.sandbox.set(name, *value);
        }
        let found = match strictness {
            Same => found,
            Stricter(why) => {
                assert!(found.is_some(), "{name}: {why}, but botocore finds nothing either");
                None
            }
            Laxer(number, why) => {
                let key = [Some(id(*number)), Some(SECRETS[*number].into()), None, None];
                assert_ne!(
                    found.as_ref().map(|found| &found[..2]),
                    Some(&key[..2]),
                    "{name}: {why}"
                );
                Some(key)
            }
        };
        let Some([id, secret, token, partition]) = found else {
            let run = fixture.run();
            assert_eq!((run.status.code(), &*run.stdout), (Some(2), ""), "{name}: {run:?}");
            fixture.assert_untouched(&run);
            write!(said, "{name}: {}", run.stderr).expect("a String takes everything");
            continue;
        };
        {
            // The fake AWS accepts only this key and this partition's region.
            let mut state = fixture.aws.state();
            state.keys.clear();
            let secret = Secret { secret: secret.expect("a secret key"), token };
            state.keys.insert(id.expect("a key id"), secret);
            state.route53_region = match partition.as_deref() {
                Some("aws-cn") => "cn-northwest-1".into(),
                Some("aws-us-gov") => "us-gov-west-1".into(),
                _ => "us-east-1".into(),
            };
        }
        let run = fixture.run();
        assert_eq!((run.status.code(), &*run.stderr), (Some(0), ""), "{name}");
        assert_eq!(fixture.aws.operations(), [List, Change], "{name}");
    }
    said
}

#[test]
fn profile_is_found_where_botocore_finds_it() {
    let default = |number| format!("[default]\n{}", key(number));
    let pi = |number| format!("[pi]\n{}", key(number));
    let section = |header: &str| format!("[default]\n{}{header}\n{}", key(0), key(1));
    let cases: &[Case<'_>] = &[
        ("default", &[(CREDENTIALS, default(0))], &[], Same),
        ("a profile", &[(CREDENTIALS, default(0) + &pi(1))], &[("AWS_PROFILE", "pi")], Same),
        (
            "AWS_DEFAULT_PROFILE",
            &[(CREDENTIALS, default(0) + &pi(1))],
            &[("AWS_DEFAULT_PROFILE", "pi")],
            Same,
        ),
        (
            "both variables",
            &[(CREDENTIALS, default(0) + &pi(1) + "[other]\n" + &key(2))],
            &[("AWS_DEFAULT_PROFILE", "pi"), ("AWS_PROFILE", "other")],
            Same,
        ),
        (
            "an empty AWS_DEFAULT_PROFILE",
            &[(CREDENTIALS, default(0) + &pi(1))],
            &[("AWS_DEFAULT_PROFILE", ""), ("AWS_PROFILE", "pi")],
            Laxer(1, "an empty variable counts as not set"),
        ),
        ("missing", &[(CREDENTIALS, default(0))], &[("AWS_PROFILE", "pi")], Same),
        ("missing", &[(CREDENTIALS, default(0))], &[("AWS_DEFAULT_PROFILE", "pi")], Same),
        ("missing default", &[(CREDENTIALS, pi(0))], &[("AWS_PROFILE", "default")], Same),
        (
            "missing, with a key in the environment",
            &[(CREDENTIALS, default(0))],
            &[
                ("AWS_PROFILE", "pi"),
                ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLENUMBER001"),
                ("AWS_SECRET_ACCESS_KEY", SECRETS[1]),
            ],
            Same,
        ),
        ("default of the config", &[(CONFIG, default(0))], &[], Same),
        ("in the config", &[(CONFIG, section("[profile pi]"))], &[("AWS_PROFILE", "pi")], Same),
        (
            "blanks around it",
            &[(CONFIG, section("[ profile pi ]"))],
            &[("AWS_PROFILE", "pi")],
            Laxer(1, "AWS's SDKs take it"),
        ),
        (
            "blanks around it, in the credentials",
            &[(CREDENTIALS, section("[ pi ]"))],
            &[("AWS_PROFILE", "pi")],
            Laxer(1, "AWS's SDKs take it"),
        ),
        ("two blanks", &[(CONFIG, section("[profile  pi]"))], &[("AWS_PROFILE", "pi")], Same),
        ("a tab", &[(CONFIG, section("[profile\tpi]"))], &[("AWS_PROFILE", "pi")], Same),
        ("quotes", &[(CONFIG, section("[profile \"my pi\"]"))], &[("AWS_PROFILE", "my pi")], Same),
        (
            "single quotes",
            &[(CONFIG, section("[profile 'my pi']"))],
            &[("AWS_PROFILE", "my pi")],
            Same,
        ),
        (
            "a backslash",
            &[(CONFIG, section("[profile my\\ pi]"))],
            &[("AWS_PROFILE", "my pi")],
            Same,
        ),
        ("no quotes", &[(CONFIG, section("[profile my pi]"))], &[("AWS_PROFILE", "my pi")], Same),
        (
            "a blank in the credentials",
            &[(CREDENTIALS, section("[my pi]"))],
            &[("AWS_PROFILE", "my pi")],
            Same,
        ),
        ("other case", &[(CREDENTIALS, section("[Pi]"))], &[("AWS_PROFILE", "pi")], Same),
        ("no word profile", &[(CONFIG, section("[pi]"))], &[("AWS_PROFILE", "pi")], Same),
        (
            "the word profile in the credentials",
            &[(CREDENTIALS, section("[profile pi]"))],
            &[("AWS_PROFILE", "pi")],
            Same,
        ),
        (
            "two spellings",
            &[(CONFIG, section("[profile pi]") + "[profile \"pi\"]\n" + &key(2))],
            &[("AWS_PROFILE", "pi")],
            Same,
        ),
        (
            "default last",
            &[(CONFIG, "[profile default]\n".to_owned() + &key(1) + &default(0))],
            &[],
            Same,
        ),
        ("profile default last", &[(CONFIG, section("[profile default]"))], &[], Same),
        (
            "a comment after the header",
            &[(CREDENTIALS, format!("[default] ; of the Pi\n{}", key(0)))],
            &[],
            Same,
        ),
        (
            "another comment after the header",
            &[(CONFIG, format!("[default]\t# of the Pi\n{}", key(0)))],
            &[],
            Same,
        ),
        ("text after the header", &[(CREDENTIALS, format!("[default]x\n{}", key(0)))], &[], Same),
        (
            "[DEFAULT]",
            &[(CREDENTIALS, format!("[DEFAULT]\n{}[default]\nk = v\n", key(0)))],
            &[],
            Same,
        ),
        ("[DEFAULT] alone", &[(CREDENTIALS, format!("[DEFAULT]\n{}", key(0)))], &[], Same),
        ("section twice", &[(CREDENTIALS, default(0) + &default(1))], &[], Same),
        ("another section twice", &[(CONFIG, default(0) + "[x]\n[x]\n")], &[], Same),
        ("key twice", &[(CREDENTIALS, default(0) + &key(1))], &[], Same),
        ("nothing", &[], &[], Same),
        ("nothing in the profile", &[(CREDENTIALS, "[default]\n".into())], &[], Same),
        ("another profile only", &[(CREDENTIALS, pi(0))], &[], Same),
        (
            "files named by variables",
            &[("keys", pi(1)), ("conf", "[profile pi]\nregion = cn-north-1\n".into())],
            &[
                ("AWS_SHARED_CREDENTIALS_FILE", "~/keys"),
                ("AWS_CONFIG_FILE", "~/conf"),
                ("AWS_PROFILE", "pi"),
            ],
            Same,
        ),
        (
            "no file named by a variable",
            &[(CREDENTIALS, default(0))],
            &[("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")],
            Same,
        ),
    ];
    assert_text(
        &rejections(cases),
        "missing: autodns: no profile pi (from AWS_PROFILE): {home}/.aws/credentials has no \
         such profile, and there is no {home}/credentials or {home}/.aws/config; correct \
         AWS_PROFILE\n\
         missing: autodns: no profile pi (from AWS_DEFAULT_PROFILE): {home}/.aws/credentials \
         has no such profile, and there is no {home}/credentials or {home}/.aws/config; \
         correct AWS_DEFAULT_PROFILE\n\
         missing default: autodns: no profile default (from AWS_PROFILE): \
         {home}/.aws/credentials has no such profile, and there is no {home}/credentials or \
         {home}/.aws/config; correct AWS_PROFILE\n\
         missing, with a key in the environment: autodns: no profile pi (from AWS_PROFILE): \
         {home}/.aws/credentials has no such profile, and there is no {home}/credentials or \
         {home}/.aws/config; correct AWS_PROFILE\n\
         no quotes: autodns: no profile my pi (from AWS_PROFILE): {home}/.aws/config has no \
         such profile, and there is no {home}/credentials or {home}/.aws/credentials; correct \
         AWS_PROFILE\n\
         other case: autodns: no profile pi (from AWS_PROFILE): {home}/.aws/credentials has \
         no such profile, and there is no {home}/credentials or {home}/.aws/config; correct \
         AWS_PROFILE\n\
         no word profile: autodns: no profile pi (from AWS_PROFILE): {home}/.aws/config has \
         no such profile, and there is no {home}/credentials or {home}/.aws/credentials; \
         correct AWS_PROFILE\n\
         the word profile in the credentials: autodns: no profile pi (from AWS_PROFILE): \
         {home}/.aws/credentials has no such profile, and there is no {home}/credentials or \
         {home}/.aws/config; correct AWS_PROFILE\n\
         [DEFAULT] alone: autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, \
         {home}/.aws/credentials has no key for profile default, and there is no \
         {home}/credentials, {home}/.aws/config, {home}/.boto or /etc/boto.cfg; put an access \
         key into {home}/credentials (mode 600)\n\
         section twice: autodns: {home}/.aws/credentials: line 4: line 1 has this section \
         already; remove one of the two\n\
         another section twice: autodns: {home}/.aws/config: line 5: line 4 has this section \
         already; remove one of the two\n\
         key twice: autodns: {home}/.aws/credentials: line 4: line 2 has this key already; \
         remove one of the two\n\
         nothing: autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not set, and there \
         is no {home}/credentials, {home}/.aws/credentials, {home}/.aws/config, {home}/.boto \
         or /etc/boto.cfg; put an access key into {home}/credentials (mode 600)\n\
         nothing in the profile: autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not \
         set, {home}/.aws/credentials has no key for profile default, and there is no \
         {home}/credentials, {home}/.aws/config, {home}/.boto or /etc/boto.cfg; put an access \
         key into {home}/credentials (mode 600)\n\
         another profile only: autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is not \
         set, {home}/.aws/credentials has no key for profile default, and there is no \
         {home}/credentials, {home}/.aws/config, {home}/.boto or /etc/boto.cfg; put an access \
         key into {home}/credentials (mode 600)\n\
         no file named by a variable: autodns: no AWS credentials found: AWS_ACCESS_KEY_ID is \
         not set, /dev/null has no key for profile default, and there is no \
         {home}/.aws/config, {home}/.boto or /etc/boto.cfg; set \
         AWS_SHARED_CREDENTIALS_FILE to a file with an access key\n",
    );
}

#[test]
fn values_are_read_as_botocore_reads_them() {
    let (id, secret) = (id(0), SECRETS[0]);
    let default = |text: &str| format!("[default]\n{text}");
    let with = |text: &str| default(&(key(0) + text));
    let token = "t0ken/With+Every=Char==";
    let cases: &[Case<'_>] = &[
        (
            "comment after a value",
            &[(CREDENTIALS, default(&key(0).replace('\n', " # mine\n")))],
            &[],
            Laxer(0, "AWS's SDKs strip it, and no key has a blank in it"),
        ),
        (
            "semicolon after a value",
            &[(CREDENTIALS, default(&key(0).replace('\n', "\t; mine\n")))],
            &[],
            Laxer(0, "AWS's SDKs strip it, and no key has a blank in it"),
        ),
        (
            "lines of comments",
            &[(
                CREDENTIALS,
                format!("# a\n; b\n\n{}", with("  # c\n").replace('\n', "\n\n ; d\n")),
            )],
            &[],
            Same,
        ),
        ("keys in any case", &[(CREDENTIALS, with("").replace("aws_", "AWS_"))], &[], Same),
        ("colons", &[(CREDENTIALS, with("").replace(" = ", ": "))], &[], Same),
        ("no blanks", &[(CREDENTIALS, with("").replace(" = ", "="))], &[], Same),
        ("many blanks", &[(CREDENTIALS, with("").replace(" = ", " \t =\t  "))], &[], Same),
        ("blanks at the end", &[(CREDENTIALS, with("").replace('\n', " \t\n"))], &[], Same),
        ("CRLF", &[(CREDENTIALS, with("").replace('\n', "\r\n"))], &[], Same),
        ("no line end", &[(CREDENTIALS, with("").trim_end().into())], &[], Same),
        ("all indented", &[(CREDENTIALS, with("").replace("\na", "\n  a"))], &[], Same),
        (
            "byte order mark",
            &[(CREDENTIALS, format!("\u{feff}{}", with("")))],
            &[],
            Laxer(0, "Windows writes it"),
        ),
        (
            "nested settings",
            &[(
                CONFIG,
                with("s3 =\n  max_concurrent_requests = 20\n\n  a = b\nregion = cn-north-1\n"),
            )],
            &[],
            Same,
        ),
        ("nested nonsense", &[(CONFIG, with("s3 =\n  nonsense\n"))], &[], Same),
        ("nested colon", &[(CONFIG, with("s3 =\n  a: b\n"))], &[], Same),
        (
            "value of two lines",
            &[(
                CREDENTIALS,
                default(&format!(
                    "aws_access_key_id = {id}\n  more\naws_secret_access_key = {secret}\n"
                )),
            )],
            &[],
            Stricter("no key has a line end in it"),
        ),
        (
            "double quotes",
            &[(
                CREDENTIALS,
                default(&format!(
                    "aws_access_key_id = {id}\naws_secret_access_key = \"{secret}\"\n"
                )),
            )],
            &[],
            Stricter("no key has quotes in it"),
        ),
        (
            "single quotes",
            &[(
                CONFIG,
                default(&format!("aws_access_key_id = '{id}'\naws_secret_access_key = {secret}\n")),
            )],
            &[],
            Stricter("no key has quotes in it"),
        ),
        (
            "blank in a key",
            &[(
                CREDENTIALS,
                default(&format!("aws_access_key_id = {id} x\naws_secret_access_key = {secret}\n")),
            )],
            &[],
            Stricter("no key has a blank in it"),
        ),
        (
            "empty values",
            &[
                (CREDENTIALS, default("aws_access_key_id =\naws_secret_access_key =\n")),
                (CONFIG, default(&key(1))),
            ],
            &[],
            Laxer(1, "an empty value counts as not set"),
        ),
        ("key before any section", &[(CREDENTIALS, key(0) + &with(""))], &[], Same),
        ("line without =", &[(CREDENTIALS, with("nonsense\n"))], &[], Same),
        ("line without a key", &[(CONFIG, with("= x\n"))], &[], Same),
        ("header without ]", &[(CREDENTIALS, with("[other\n"))], &[], Same),
        ("token", &[(CREDENTIALS, with(&format!("aws_session_token = {token}\n")))], &[], Same),
        (
            "old name of the token",
            &[(CONFIG, with(&format!("aws_security_token = {token}\n")))],
            &[],
            Same,
        ),
        (
            "both tokens",
            &[(
                CREDENTIALS,
                with(&format!("aws_session_token = other\naws_security_token = {token}\n")),
            )],
            &[],
            Same,
        ),
        (
            "token of another source",
            &[
                (CREDENTIALS, with("")),
                (CONFIG, default(&format!("aws_session_token = {token}\n"))),
            ],
            &[("AWS_SESSION_TOKEN", "other")],
            Same,
        ),
        ("region", &[(CONFIG, with("region = cn-north-1\n"))], &[], Same),
        ("region of GovCloud", &[(CONFIG, with("region = us-gov-east-1\n"))], &[], Same),
        ("region beside the key", &[(CREDENTIALS, with("region = cn-north-1\n"))], &[], Same),
        (
            "region in both",
            &[
                (CREDENTIALS, with("region = cn-north-1\n")),
                (CONFIG, default("region = us-gov-east-1\n")),
            ],
            &[],
            Same,
        ),
        (
            "region of another profile",
            &[(CONFIG, with("[profile pi]\nregion = cn-north-1\n"))],
            &[],
            Same,
        ),
        (
            "region of the profile",
            &[(
                CONFIG,
                with("region = us-gov-east-1\n[profile pi]\nregion = cn-north-1\n") + &key(1),
            )],
            &[("AWS_DEFAULT_PROFILE", "pi")],
            Same,
        ),
        (
            "AWS_DEFAULT_REGION",
            &[(CONFIG, with("region = cn-north-1\n"))],
            &[("AWS_DEFAULT_REGION", "us-gov-west-1")],
            Same,
        ),
        (
            "region of a key in the environment",
            &[(CONFIG, default("region = cn-north-1\n"))],
            &[("AWS_ACCESS_KEY_ID", &id), ("AWS_SECRET_ACCESS_KEY", secret)],
            Same,
        ),
        (
            "isolated region",
            &[(CONFIG, with("region = us-iso-east-1\n"))],
            &[],
            Stricter("out of scope"),
        ),
    ];
    assert_text(
        &rejections(cases),
        "nested nonsense: autodns: {home}/.aws/config: line 5: expected KEY = VALUE, found no \
         =\n\
         nested colon: autodns: {home}/.aws/config: line 5: expected KEY = VALUE, found no \
         =\n\
         value of two lines: autodns: aws_access_key_id in [default] of \
         {home}/.aws/credentials contains a space or another character that no key has; remove it\n\
         double quotes: autodns: the value of aws_secret_access_key in [default] of \
         {home}/.aws/credentials has quotes around it; remove them\n\
         single quotes: autodns: the value of aws_access_key_id in [default] of \
         {home}/.aws/config has quotes around it; remove them\n\
         blank in a key: autodns: aws_access_key_id in [default] of {home}/.aws/credentials \
         contains a space or another character that no key has; remove it\n\
         key before any section: autodns: {home}/.aws/credentials: line 1: a key before any \
         section; write the header of its section above it, such as [default]\n\
         line without =: autodns: {home}/.aws/credentials: line 4: expected KEY = VALUE, \
         found no =\n\
         line without a key: autodns: {home}/.aws/config: line 4: expected KEY = VALUE, found \
         no key\n\
         header without ]: autodns: {home}/.aws/credentials: line 4: a section lacks its ]\n\
         isolated region: autodns: region in [default] of {home}/.aws/config names a region \
         of AWS's isolated partitions, which autodns cannot reach\n",
    );
}

#[test]
fn first_source_is_that_of_botocore() {
    let default = |text: &str| format!("[default]\n{text}");
    let (zero, one) = (id(0), id(1));
    let token = "t0ken/With+Every=Char==";
    let environment = [("AWS_ACCESS_KEY_ID", &*one), ("AWS_SECRET_ACCESS_KEY", SECRETS[1])];
    let with = |more: &[(&'static str, &'static str)]| [&environment[..], more].concat();
    let cases: &[Case<'_>] = &[
        ("environment", &[(CREDENTIALS, default(&key(0)))], &environment, Same),
        ("token of the environment", &[], &with(&[("AWS_SESSION_TOKEN", token)]), Same),
        (
            "old name of the token in the environment",
            &[],
            &with(&[("AWS_SECURITY_TOKEN", token)]),
            Same,
        ),
        (
            "both tokens of the environment",
            &[],
            &with(&[("AWS_SECURITY_TOKEN", token), ("AWS_SESSION_TOKEN", "other")]),
            Same,
        ),
        (
            "empty token under its old name",
            &[],
            &with(&[("AWS_SECURITY_TOKEN", ""), ("AWS_SESSION_TOKEN", token)]),
            Same,
        ),
        ("half in the environment", &[(CREDENTIALS, default(&key(0)))], &environment[..1], Same),
        (
            "other half in the environment",
            &[(CREDENTIALS, default(&key(0)))],
            &environment[1..],
            Stricter("half a key is a slip"),
        ),
        (
            "credentials and config",
            &[(CREDENTIALS, default(&key(0))), (CONFIG, default(&key(1)))],
            &[],
            Same,
        ),
        (
            "a key in the credentials, a program in the config",
            &[(CREDENTIALS, default(&key(0))), (CONFIG, default(&printing(1, "")))],
            &[],
            Same,
        ),
        (
            "a program in the credentials, a key in the config",
            &[(CREDENTIALS, default(&printing(0, ""))), (CONFIG, default(&key(1)))],
            &[],
            Same,
        ),
        (
            "a program and a key in the config",
            &[(CONFIG, default(&(key(1) + &printing(0, ""))))],
            &[],
            Same,
        ),
        (
            "a program and a key in the credentials",
            &[(CREDENTIALS, default(&(printing(1, "") + &key(0))))],
            &[],
            Same,
        ),
        (
            "two programs",
            &[(CREDENTIALS, default(&printing(0, ""))), (CONFIG, default(&printing(1, "")))],
            &[],
            Same,
        ),
        (
            "a half in each",
            &[
                (CREDENTIALS, default(&format!("aws_access_key_id = {zero}\n"))),
                (CONFIG, default(&format!("aws_secret_access_key = {}\n", SECRETS[0]))),
            ],
            &[],
            Same,
        ),
        (
            "the other half in each",
            &[
                (CREDENTIALS, default(&format!("aws_secret_access_key = {}\n", SECRETS[0]))),
                (CONFIG, default(&format!("aws_access_key_id = {zero}\n"))),
            ],
            &[],
            Same,
        ),
        (
            "half and whole",
            &[
                (CREDENTIALS, default(&format!("aws_secret_access_key = {}\n", SECRETS[0]))),
                (CONFIG, default(&key(1))),
            ],
            &[],
            Stricter("half a key is a slip"),
        ),
        (
            "a role in the config",
            &[
                (CREDENTIALS, default(&key(0))),
                (CONFIG, default("role_arn = arn:aws:iam::123456789012:role/pi\n")),
            ],
            &[],
            Same,
        ),
        (
            "single sign-on in the config",
            &[
                (CREDENTIALS, default(&key(0))),
                (CONFIG, default("sso_account_id = 123456789012\nsso_role_name = pi\n")),
            ],
            &[],
            Same,
        ),
        (
            "a login beside a program",
            &[(CONFIG, default(&format!("login_session = arn\n{}", printing(0, ""))))],
            &[],
            Same,
        ),
        (
            "boto's file",
            &[("boto", format!("[Credentials]\n{}", key(0)))],
            &[("BOTO_CONFIG", "~/boto")],
            Same,
        ),
        (
            "boto's file last",
            &[("boto", format!("[Credentials]\n{}", key(1))), (CONFIG, default(&key(0)))],
            &[("BOTO_CONFIG", "~/boto")],
            Same,
        ),
        (
            "broken config",
            &[(CREDENTIALS, default(&key(0))), (CONFIG, "nonsense\n".into())],
            &[],
            Same,
        ),
        ("broken config, key elsewhere", &[(CONFIG, "nonsense\n".into())], &environment, Same),
        ("broken credentials, key elsewhere", &[(CREDENTIALS, "x\n".into())], &environment, Same),
    ];
    assert_text(
        &rejections(cases),
        "half in the environment: autodns: incomplete credentials: the environment lacks \
         AWS_SECRET_ACCESS_KEY; set both halves, or neither\n\
         other half in the environment: autodns: incomplete credentials: the environment lacks \
         AWS_ACCESS_KEY_ID; set both halves, or neither\n\
         a half in each: autodns: incomplete credentials: [default] of {home}/.aws/credentials \
         lacks aws_secret_access_key; set both halves, or neither\n\
         the other half in each: autodns: incomplete credentials: [default] of \
         {home}/.aws/credentials lacks aws_access_key_id; set both halves, or neither\n\
         half and whole: autodns: incomplete credentials: [default] of {home}/.aws/credentials \
         lacks aws_access_key_id; set both halves, or neither\n\
         a role in the config: autodns: profile default in {home}/.aws/config assumes a role \
         (role_arn), which autodns does not support; use an access key of an IAM user, or a \
         credential_process such as aws configure export-credentials\n\
         single sign-on in the config: autodns: profile default in {home}/.aws/config signs \
         in through SSO, which autodns does not support; use an access key of an IAM user, or a \
         credential_process such as aws configure export-credentials\n\
         a login beside a program: autodns: profile default in {home}/.aws/config signs in \
         through aws login, which autodns does not support; use an access key of an IAM user, or a \
         credential_process such as aws configure export-credentials\n\
         broken config: autodns: {home}/.aws/config: line 1: a key before any section; write the \
         header of its section above it, such as [default]\n\
         broken config, key elsewhere: autodns: {home}/.aws/config: line 1: a key before any \
         section; write the header of its section above it, such as [default]\n\
         broken credentials, key elsewhere: autodns: {home}/.aws/credentials: line 1: a key before \
         any section; write the header of its section above it, such as [default]\n",
    );
}

#[test]
fn expiration_is_read_as_botocore_reads_it() {
    let file = |expiration: &str| {
        let more = format!(", \"Expiration\": \"{expiration}\"");
        [(CONFIG, format!("[default]\n{}", printing(0, &more)))]
    };
    let expirations = [
        "2999-01-31T12:00:00Z",
        "2999-01-31T12:00:00z",
        "2999-01-31t12:00:00Z",
        "2999-01-31T12:00:00+00:00",
        "2999-01-31T12:00:00+0000",
        "2999-01-31T12:00:00-08",
        "2999-01-31T12:00:00.123Z",
        "2999-01-31T12:00:00.123456789+0100",
        "2999-01-31T12:00:00,5Z",
        "2999-01-31T12:00Z",
        "29990131T120000Z",
        "29990131T1200+0100",
        "2999-01-31 12:00:00 +0000",
        "2020-01-31T12:00:00Z",
        "20200131T120000.5+0000",
        "2999-01-31T12:00:00",
        "2999-01-31T25:00:00Z",
        "tomorrow",
        "",
        "31 Jan 2999 12:00:00 UTC",
    ];
    let files = expirations.map(file);
    let cases: Vec<Case<'_>> = expirations
        .iter()
        .zip(&files)
        .map(|(expiration, files)| {
            let strictness = match *expiration {
                "31 Jan 2999 12:00:00 UTC" => Stricter("AWS documents ISO 8601"),
                _ => Same,
            };
            (*expiration, &files[..], &[][..], strictness)
        })
        .collect();
    assert_text(
        &rejections(&cases),
        "2020-01-31T12:00:00Z: autodns: credential_process in [default] of \
         {home}/.aws/config, line 2: it printed credentials that have expired; run that \
         command by hand to see what it prints\n\
         20200131T120000.5+0000: autodns: credential_process in [default] of \
         {home}/.aws/config, line 2: it printed credentials that have expired; run that \
         command by hand to see what it prints\n\
         2999-01-31T12:00:00: autodns: credential_process in [default] of {home}/.aws/config, \
         line 2: it printed an \"Expiration\" that is not a time such as \
         2030-01-31T12:00:00Z; run that command by hand to see what it prints\n\
         2999-01-31T25:00:00Z: autodns: credential_process in [default] of \
         {home}/.aws/config, line 2: it printed an \"Expiration\" that is not a time such as \
         2030-01-31T12:00:00Z; run that command by hand to see what it prints\n\
         tomorrow: autodns: credential_process in [default] of {home}/.aws/config, line 2: it \
         printed an \"Expiration\" that is not a time such as 2030-01-31T12:00:00Z; run that \
         command by hand to see what it prints\n\
         : autodns: credential_process in [default] of {home}/.aws/config, line 2: it printed \
         an \"Expiration\" that is not a time such as 2030-01-31T12:00:00Z; run that command \
         by hand to see what it prints\n\
         31 Jan 2999 12:00:00 UTC: autodns: credential_process in [default] of \
         {home}/.aws/config, line 2: it printed an \"Expiration\" that is not a time such as \
         2030-01-31T12:00:00Z; run that command by hand to see what it prints\n",
    );
}

#[test]
fn command_line_is_split_as_botocore_splits_it() {
    let line = |command: &str| format!("[default]\ncredential_process = {command}\n");
    let (id, secret) = (id(0), SECRETS[0]);
    let json =
        format!("{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}");
    let cases: &[Case<'_>] = &[
        ("single quotes", &[(CONFIG, line(&format!("printf '%s' '{json}'")))], &[], Same),
        (
            "double quotes and backslashes",
            &[(CONFIG, line(&format!("echo \"{}\"", json.replace('"', "\\\""))))],
            &[],
            Same,
        ),
        (
            "a shell's own semicolon and hash",
            &[(
                CONFIG,
                line(&format!("sh -c \"true ; echo '{}' # x\"", json.replace('"', "\\\""))),
            )],
            &[],
            Same,
        ),
        (
            "a comment",
            &[(CONFIG, line(&format!("echo '{json}' # of the Pi")))],
            &[],
            Laxer(0, "no shell would pass it on"),
        ),
        (
            "whole version",
            &[(CONFIG, line(&format!("echo '{}'", json.replace('1', "2"))))],
            &[],
            Same,
        ),
        ("nothing printed", &[(CONFIG, line("true"))], &[], Same),
        ("a failure", &[(CONFIG, line(&format!("sh -c 'echo {id}; exit 1'")))], &[], Same),
        ("no such program", &[(CONFIG, line("/none"))], &[], Same),
        ("an open quote", &[(CONFIG, line("\"/none"))], &[], Same),
        ("a variable in front", &[(CONFIG, line(&format!("KEY={secret} sh -c true")))], &[], Same),
    ];
    assert_text(
        &rejections(cases),
        "whole version: autodns: credential_process in [default] of {home}/.aws/config, line \
         2: it printed JSON whose \"Version\" is not 1; run that command by hand to see what \
         it prints\n\
         nothing printed: autodns: credential_process in [default] of {home}/.aws/config, \
         line 2: it printed nothing; run that command by hand to see what it prints\n\
         a failure: autodns: credential_process in [default] of {home}/.aws/config, line 2: \
         it ended with exit status 1; run that command by hand to see why\n\
         no such program: autodns: credential_process in [default] of {home}/.aws/config, \
         line 2: its program cannot be run: No such file or directory (os error 2); check its \
         path, and that this user may run it\n\
         an open quote: autodns: credential_process in [default] of {home}/.aws/config, line \
         2: it is not a command line; check its quotes\n\
         a variable in front: autodns: credential_process in [default] of {home}/.aws/config, \
         line 2: no shell runs it, so it cannot begin with NAME=VALUE; write a script that \
         sets the variable, and name the script here\n",
    );
}
