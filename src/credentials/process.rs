//! `credential_process`: a program of the user's that prints an access key. Runs it without a
//! shell and within a time limit, and reads what it prints. Nothing that it prints is ever shown,
//! nor is its command line: both can hold a secret.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::process::{kill_process_group, waitid};
use serde_json::Value;

use super::{Credentials, expiration};
use crate::clock::{calendar, duration};
use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::error::SetupError;

/// How long such a program may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The most bytes it may print.
const MAX_PRINTED: usize = 1 << 20;
/// How often it is looked at whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// Runs `command` (split as a shell would) and reads the credentials it prints. `place` names the
/// setting it is from. It has half a minute, or until `deadline` if that is sooner.
///
/// The program has this program's environment, no input, and a process group of its own, which is
/// killed when the answer is there or the time is over: no process of it is left.
pub fn run(
    command: &str,
    place: &str,
    now: SystemTime,
    deadline: Deadline,
) -> Result<Credentials, SetupError> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let Some((program, arguments)) = words.as_deref().and_then(<[String]>::split_first) else {
        return Err(SetupError::new(format!("{place}: it is not a command line"))
            .advise("check its quotes"));
    };
    if is_assignment(program) {
        let cause = format!("{place}: no shell runs it, so it cannot begin with NAME=VALUE");
        return Err(SetupError::new(cause)
            .advise("write a script that sets the variable, and name the script here"));
    }
    let mut command = Command::new(program);
    command.args(arguments);
    let printed = output(command, LIMIT.min(deadline.left())).map_err(|problem| match problem {
        Problem::CannotRun(error) => {
            SetupError::new(format!("{place}: its program cannot be run: {error}"))
                .advise("check its path, and that this user may run it")
        }
        Problem::Fruitless(problem) => SetupError::new(format!("{place}: {problem}"))
            .advise("run that command by hand to see why"),
    })?;
    read(&printed, place, now)
}

/// Reads what a program printed, without ever quoting it. `place` names the setting it is from.
pub fn read(printed: &[u8], place: &str, now: SystemTime) -> Result<Credentials, SetupError> {
    parse(printed, now)
        .map_err(|problem| {
            SetupError::new(format!("{place}: {problem}"))
                .advise("run that command by hand to see what it prints")
        })?
        .into_credentials(place)
}

/// Whether a shell would take the word for the setting of a variable. Its value may be a secret.
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// Why a program gave no answer.
enum Problem {
    CannotRun(io::Error),
    /// It ran. A phrase about it.
    Fruitless(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::CannotRun(error)
    }
}

/// A running program, the leader of its process group. The group ends with this value. Nobody waits
/// for that: a process that hangs in the kernel cannot be ended.
struct Helper(Child);

impl Helper {
    fn start(mut command: Command) -> io::Result<(Self, Option<ChildStdout>)> {
        // What it complains of may hold a secret (`set -x`), so it is not even read.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let output = child.stdout.take();
        Ok((Self(child), output))
    }

    fn id(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.0.id()).ok()?)
    }

    /// How it ended, if it has. It keeps its process id, so that the id is no other group's.
    fn status(&self) -> io::Result<Option<WaitIdStatus>> {
        let Some(id) = self.id() else { return Ok(None) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(id), options)?)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(id) = self.id() {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.0.try_wait();
    }
}

/// What a program prints that ends with 0 within `limit`. A whole answer is taken once the program
/// has ended: a process that it left behind may hold its output open.
fn output(command: Command, limit: Duration) -> Result<Vec<u8>, Problem> {
    let deadline = Deadline::after(limit);
    let (helper, pipe) = Helper::start(command)?;
    let chunks = detached::start(move |chunks| forward(pipe, &chunks))?;
    let (mut printed, mut is_open, mut is_whole) = (Vec::new(), true, false);
    loop {
        let status = helper.status()?;
        match detached::next(&chunks, Deadline::after(POLL)) {
            Ok(chunk) => {
                printed.extend(chunk);
                if printed.len() > MAX_PRINTED {
                    return Err(Problem::Fruitless("it printed more than a megabyte".into()));
                }
                is_whole = false;
            }
            Err(NoResult::Overdue) => {
                is_whole = is_whole
                    || status.is_some() && serde_json::from_slice::<Value>(&printed).is_ok();
            }
            Err(_) if is_open => is_open = false,
            Err(_) => thread::sleep(POLL),
        }
        let is_over = deadline.left().is_zero();
        match status {
            Some(status) if status.exit_status() != Some(0) => {
                return Err(Problem::Fruitless(shown(&status)));
            }
            Some(_) if is_whole || !is_open || is_over => return Ok(printed),
            None if is_over => {
                let shown = duration(limit + Duration::from_millis(500));
                return Err(Problem::Fruitless(format!("it did not end within {shown}")));
            }
            Some(_) | None => {}
        }
    }
}

/// Passes on what comes out of a pipe until it is closed or nobody takes it any more. What cannot
/// be read is missing from the answer, which then is no JSON.
fn forward(pipe: Option<ChildStdout>, chunks: &Sender<Vec<u8>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 1 << 14];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        if chunks.send(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

fn shown(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => format!("it ended with exit status {status}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended in an unknown way".into(),
    }
}

/// What such a program prints.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    key_id: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
}

impl Printed {
    fn into_credentials(self, place: &str) -> Result<Credentials, SetupError> {
        Credentials::from_halves(
            self.key_id.as_deref(),
            self.secret_key.as_deref(),
            self.session_token.as_deref(),
            ["AccessKeyId", "SecretAccessKey"],
            place,
        )?
        .ok_or_else(|| SetupError::new(format!("{place}: it printed no AccessKeyId")))
    }
}

/// Reads the JSON. The error is a phrase about what was printed.
fn parse(printed: &[u8], now: SystemTime) -> Result<Printed, String> {
    if printed.trim_ascii().is_empty() {
        return Err("it printed nothing".into());
    }
    let json: Value = serde_json::from_slice(printed).map_err(|error| {
        format!("it printed broken JSON (line {}, column {})", error.line(), error.column())
    })?;
    if json["Version"].as_i64() != Some(1) {
        return Err("it printed JSON whose \"Version\" is not 1".into());
    }
    let text = |key| json[key].as_str().filter(|text| !text.is_empty()).map(Into::into);
    match &json["Expiration"] {
        Value::Null => {}
        Value::String(moment) => {
            let moment = expiration::parse(moment).ok_or_else(unreadable)?;
            if calendar(now).is_none_or(|now| moment <= now) {
                return Err("it printed credentials that have expired".into());
            }
        }
        _ => return Err(unreadable()),
    }
    Ok(Printed {
        key_id: text("AccessKeyId"),
        secret_key: text("SecretAccessKey"),
        session_token: text("SessionToken"),
    })
}

fn unreadable() -> String {
    "it printed an \"Expiration\" that is not a time such as 2030-01-31T12:00:00Z".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn sh(script: &str, limit: Duration) -> Result<String, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        match output(command, limit) {
            Ok(printed) => Ok(String::from_utf8(printed).unwrap()),
            Err(Problem::Fruitless(text)) => Err(text),
            Err(Problem::CannotRun(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let soon = Duration::from_millis(20);
        for script in ["exec sleep 600", "exec sleep 600 >&- 2>&-", "echo '{}'; exec sleep 600"] {
            assert_eq!(sh(script, soon), Err("it did not end within 0 seconds".into()));
        }
        assert_eq!(sh("echo out; echo err >&2", LIMIT), Ok("out\n".into()));
        assert_eq!(sh("exec yes", LIMIT), Err("it printed more than a megabyte".into()));
        assert_eq!(sh("echo out; exit 3", LIMIT), Err("it ended with exit status 3".into()));
        assert_eq!(sh("kill -9 $$", LIMIT), Err("it was ended by signal 9".into()));
    }

    #[test]
    fn a_whole_answer_is_taken_though_a_child_holds_the_output() {
        let began = Instant::now();
        assert_eq!(sh("sleep 600 & echo '{\"a\": 1}'", LIMIT), Ok("{\"a\": 1}\n".into()));
        // An answer that a child completes is waited for.
        let late = "printf '{\"a\":'; { sleep 0.1; printf 1}; sleep 600; } &";
        assert_eq!(sh(late, LIMIT), Ok("{\"a\":1}".into()));
        assert!(began.elapsed() < LIMIT);
    }

    #[test]
    fn what_a_program_prints_is_read_strictly() {
        let key = r#""AccessKeyId": "AKID", "SecretAccessKey": "hush""#;
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        let not_a_time =
            "it printed an \"Expiration\" that is not a time such as 2030-01-31T12:00:00Z";
        for (printed, problem) in [
            (format!("{{\"Version\": 1, {key}}}"), None),
            (format!("{{\"Version\": 1, {key}, \"Expiration\": \"2015-08-30T12:36:01Z\"}}"), None),
            (
                format!("{{\"Version\": 1, {key}, \"Expiration\": \"2015-08-30T12:36:00Z\"}}"),
                Some("it printed credentials that have expired"),
            ),
            (format!("{{\"Version\": 1, {key}, \"Expiration\": \"soon\"}}"), Some(not_a_time)),
            (format!("{{\"Version\": 1, {key}, \"Expiration\": 1440938160}}"), Some(not_a_time)),
            (
                format!("{{\"Version\": \"1\", {key}}}"),
                Some("it printed JSON whose \"Version\" is not 1"),
            ),
            (format!("{{{key}}}"), Some("it printed JSON whose \"Version\" is not 1")),
            ("hush".into(), Some("it printed broken JSON (line 1, column 1)")),
            (" \n".into(), Some("it printed nothing")),
        ] {
            assert_eq!(parse(printed.as_bytes(), now).err().as_deref(), problem, "{printed}");
        }
    }

    #[test]
    fn a_key_of_blanks_is_none() {
        let printed = |secret: &str| {
            format!(
                "{{\"Version\": 1, \"AccessKeyId\": \"AKID\", \"SecretAccessKey\": {secret:?}}}"
            )
        };
        let read = |secret: &str| read(printed(secret).as_bytes(), "place", SystemTime::UNIX_EPOCH);
        assert_eq!(read(" hush\n").map(|found| found.secret_key).ok().as_deref(), Some("hush"));
        for secret in ["", " ", "\n"] {
            assert_eq!(
                read(secret).unwrap_err().to_string(),
                "half a credential: place lacks SecretAccessKey; set both halves, or neither"
            );
        }
    }
}
