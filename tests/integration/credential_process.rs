//! `credential_process`: how the program runs the helper, and the messages when the helper fails.
//! The output of the helper is never quoted. A run leaves no process of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::assert_text;
use crate::support::fake_aws::Operation::{Change, List};
use crate::support::fake_aws::{KEY_ID, SECRET_KEY};
use crate::support::fixture::Fixture;
use crate::support::sandbox::Run;
use crate::support::sigv4::Secret;

/// A fixture with this `credential_process` in its profile.
fn with_process(command: &str) -> Fixture {
    let fixture = Fixture::without_credentials();
    fixture.sandbox.write(".aws/config", format!("[default]\ncredential_process = {command}\n"));
    fixture
}

/// A fixture whose `credential_process` is this script.
fn with_script(script: &str) -> Fixture {
    let fixture = with_process("keys.sh");
    let path = fixture.sandbox.script("keys.sh", &format!("#!/bin/sh\n{script}\n"));
    fixture.sandbox.write(".aws/config", format!("[default]\ncredential_process = {path}\n"));
    fixture
}

fn key_json() -> String {
    format!("{{\"Version\":1,\"AccessKeyId\":\"{KEY_ID}\",\"SecretAccessKey\":\"{SECRET_KEY}\"}}")
}

#[track_caller]
fn assert_works(fixture: &Fixture) {
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

/// The stderr of a run that exits with 2 and sends nothing.
#[track_caller]
fn setup_error(fixture: &Fixture, run: &Run) -> String {
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert_eq!(fixture.aws.server().connections(), 0, "connections to AWS");
    run.stderr.clone()
}

/// Waits until the processes whose ids are in the file have ended.
#[track_caller]
fn assert_processes_end(fixture: &Fixture, file: &str, count: usize) {
    let ids = fixture.sandbox.read(file).expect("ids of processes");
    assert_eq!(ids.lines().count(), count, "{ids}");
    let end = Instant::now() + Duration::from_secs(20);
    for id in ids.lines() {
        // A process stays in the table until its new parent waits for it.
        let lives = || {
            let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while lives() {
            assert!(Instant::now() < end, "process {id} still runs");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn command_line_is_split_and_run_without_a_shell() {
    let mut fixture = with_process("");
    let token = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";
    fixture.sandbox.secret(token);
    let secret = Secret { secret: SECRET_KEY.into(), token: Some(token.into()) };
    fixture.aws.state().keys.insert(KEY_ID.into(), secret);
    let script = fixture.sandbox.script(
        "bin dir/keys.sh",
        &format!(
            "#!/bin/sh\n[ \"$#\" = 3 ] && [ \"$1\" = 'a b' ] \
             && [ \"$2\" = '$HOME' ] && [ \"$3\" = c ] \
             || \
             exit 9\necho '{{\"Version\": 1, \"AccessKeyId\": \"{KEY_ID}\", \"SecretAccessKey\": \
             \"{SECRET_KEY}\", \"SessionToken\": \"{token}\", \"Expiration\": \
             \"2999-01-01T00:00:00Z\"}}'\n"
        ),
    );
    let config = format!("[default]\ncredential_process = \"{script}\" 'a b' $HOME \\c\n");
    fixture.sandbox.write(".aws/config", config);
    assert_works(&fixture);
}

/// The helper prints one line of compact JSON. It exits with 1 if an argument is missing.
#[test]
fn documented_line_of_iam_roles_anywhere_works() {
    let page = include_str!("../../docs/configuration.md");
    let line = page.lines().find(|line| line.contains("/aws_signing_helper credential-process"));
    let line = line.expect("the line of docs/configuration.md");
    let mut fixture = with_process("");
    let token = "IQoJb3JpZ2luX2VjEJr//t0ken/RolesAnywhere==";
    fixture.sandbox.secret(token);
    let secret = Secret { secret: SECRET_KEY.into(), token: Some(token.into()) };
    fixture.aws.state().keys.insert(KEY_ID.into(), secret);
    let helper = fixture.sandbox.script(
        "aws_signing_helper",
        &format!(
            "#!/bin/sh\n[ \"$1 $2 $4 $6 $8\" = 'credential-process --certificate --private-key \
             --trust-anchor-arn --profile-arn' ] && [ \"${{10}}\" = --role-arn ] && [ $# = 11 ] || \
             exit 1\necho '{{\"Version\":1,\"AccessKeyId\":\"{KEY_ID}\",\"SecretAccessKey\":\
             \"{SECRET_KEY}\",\"SessionToken\":\"{token}\",\"Expiration\":\
             \"2999-01-01T00:00:00Z\"}}'\n"
        ),
    );
    let line = line.replace("/usr/local/bin/aws_signing_helper", &helper);
    fixture.sandbox.write(".aws/config", format!("[default]\n{line}\n"));
    assert_works(&fixture);
}

#[test]
fn failing_process_is_named_by_file_and_line_only() {
    let printing = |json: &str| format!("echo '{json}'");
    let expiring = |expiration: &str| {
        printing(&key_json().replace('}', &format!(",\"Expiration\":\"{expiration}\"}}")))
    };
    let mut seen = String::new();
    for (what, script) in [
        ("a non-zero exit", "echo 'vault is sealed' >&2\nexit 3".to_owned()),
        ("a traced script", format!("set -x\nexport KEY={SECRET_KEY}\necho {SECRET_KEY}\nexit 1")),
        ("a signal", "kill -9 $$".to_owned()),
        ("nothing", String::new()),
        ("no JSON", printing(&format!("{SECRET_KEY} is my secret"))),
        ("cut off", printing(key_json().trim_end_matches('}'))),
        ("an old version", printing("{\"Version\": 2}")),
        ("a version as text", printing(&key_json().replace(":1,", ":\"1\","))),
        ("half a key", printing(&format!("{{\"Version\": 1, \"AccessKeyId\": \"{KEY_ID}\"}}"))),
        ("expired", expiring("2020-01-01T00:00:00Z")),
        ("no date", expiring(SECRET_KEY)),
        ("without end", "exec yes".to_owned()),
    ] {
        let fixture = with_script(&script);
        seen += &format!("{what}: {}", setup_error(&fixture, &fixture.run()));
    }
    for (what, command) in [
        ("not there", format!("/missing/keys --secret {SECRET_KEY}")),
        ("a secret as its name", SECRET_KEY.to_owned()),
        ("a variable", format!("PASSPHRASE={SECRET_KEY} /bin/echo")),
        ("an open quote", format!("\"/bin/echo {SECRET_KEY}")),
        ("a folder", "/bin".to_owned()),
        ("a wrong argument", format!("false {SECRET_KEY}")),
    ] {
        let fixture = with_process(&command);
        seen += &format!("{what}: {}", setup_error(&fixture, &fixture.run()));
    }
    let place = "autodns: credential_process in [default] of {home}/.aws/config, line 2";
    let look = "run that command by hand to see what it prints";
    assert_text(
        &seen.replace(place, "PLACE").replace(look, "LOOK"),
        "a non-zero exit: PLACE: it ended with exit status 3; run that command by hand to see why\n\
         a traced script: PLACE: it ended with exit status 1; run that command by hand to see why\n\
         a signal: PLACE: it was ended by signal 9; run that command by hand to see why\n\
         nothing: PLACE: it printed nothing; LOOK\n\
         no JSON: PLACE: it printed broken JSON (line 1, column 1); LOOK\n\
         cut off: PLACE: it printed broken JSON (line 2, column 0); LOOK\n\
         an old version: PLACE: it printed JSON whose \"Version\" is not 1; LOOK\n\
         a version as text: PLACE: it printed JSON whose \"Version\" is not 1; LOOK\n\
         half a key: autodns: incomplete credentials: credential_process in [default] of \
         {home}/.aws/config, line 2 lacks SecretAccessKey; set both halves, or neither\n\
         expired: PLACE: it printed credentials that have expired; LOOK\n\
         no date: PLACE: it printed an \"Expiration\" that is not a time such as \
         2030-01-31T12:00:00Z; LOOK\n\
         without end: PLACE: it printed more than a megabyte; run that command by hand to see why\n\
         not there: PLACE: its program cannot be run: No such file or directory (os error 2); \
         check its path, and that this user may run it\n\
         a secret as its name: PLACE: its program cannot be run: No such file or directory (os \
         error 2); check its path, and that this user may run it\n\
         a variable: PLACE: no shell runs it, so it cannot begin with NAME=VALUE; write a script \
         that sets the variable, and name the script here\n\
         an open quote: PLACE: it is not a command line; check its quotes\n\
         a folder: PLACE: its program cannot be run: Permission denied (os error 13); check its \
         path, and that this user may run it\n\
         a wrong argument: PLACE: it ended with exit status 1; run that command by hand to see \
         why\n",
    );
}

#[test]
fn failing_process_beside_the_config_is_named_with_its_line() {
    let fixture = with_process("false");
    let text = "# The helper:\n\n[default]\nregion = eu-west-1\ncredential_process = false\n";
    fixture.sandbox.write("credentials", text);
    assert_text(
        &setup_error(&fixture, &fixture.run()),
        "autodns: credential_process in [default] of {home}/credentials, line 5: it ended with \
         exit status 1; run that command by hand to see why\n",
    );
}

#[test]
fn output_is_used_when_an_agent_keeps_pipes_open() {
    let json = key_json();
    for script in [
        format!("sleep 600 & echo $! >ids; echo '{json}'"),
        format!("sleep 600 >&- & echo $! >ids; echo '{json}'; exec >&-"),
        format!("sleep 600 2>&- & echo $! >ids; echo '{json}'"),
        format!(
            "echo '{json}'; (sleep 600 & echo $! >ids; trap '' TERM HUP; wait) & \
                 while ! [ -s ids ]; do :; done"
        ),
    ] {
        let fixture = with_script(&script);
        let began = Instant::now();
        assert_works(&fixture);
        // The run must end before the time limit of a helper.
        assert!(began.elapsed() < Duration::from_secs(30), "{script}");
        assert_processes_end(&fixture, "ids", 1);
    }
}

#[test]
fn hanging_process_is_killed_with_its_children() {
    for script in [
        "trap '' TERM INT HUP; sleep 600 & echo $! >ids; echo $$ >>ids; wait",
        // The output is closed or complete long before the process ends.
        "echo $$ >ids; exec sleep 600 >&- 2>&-",
        "echo $$ >ids; echo '{}'; exec sleep 600",
        "echo $$ >ids; kill -STOP $$",
        // The process asks a question on the terminal.
        "echo $$ >ids; cat </dev/tty; sleep 600",
    ] {
        let fixture = with_script(script);
        let config = fixture.sandbox.path("autodns.json");
        let began = Instant::now();
        let run = fixture.run_args(&["--deadline", "4", &config]);
        assert!(began.elapsed() < Duration::from_secs(7), "{script}: {:?}", began.elapsed());
        assert_text(
            &setup_error(&fixture, &run),
            "autodns: credential_process in [default] of {home}/.aws/config, line 2: it did not \
             end within 3 seconds; run that command by hand to see why\n",
        );
        assert_processes_end(&fixture, "ids", if script.contains("trap") { 2 } else { 1 });
    }
}

#[test]
fn process_that_reads_stdin_gets_end_of_file() {
    assert_works(&with_script(&format!(
        "read -r answer\n[ -z \"$answer\" ] && echo '{}'",
        key_json()
    )));
}

#[test]
fn process_gets_the_environment_of_the_run_only() {
    let script = format!("cat /proc/$$/environ >environment; echo '{}'", key_json());
    let mut fixture = with_script(&script);
    fixture.sandbox.set("PASSPHRASE", "of the helper's own");
    assert_works(&fixture);
    let environment = fixture.sandbox.read("environment").expect("it was written");
    let names: Vec<&str> =
        environment.split_terminator('\0').filter_map(|one| Some(one.split_once('=')?.0)).collect();
    let mut names: Vec<&str> = names.into_iter().filter(|name| *name != "PWD").collect();
    names.sort_unstable();
    assert_eq!(names, ["AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "HOME", "PASSPHRASE", "PATH"]);
}
