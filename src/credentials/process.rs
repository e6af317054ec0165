//! `credential_process`: a program of the user's that prints an access key. Runs it without a
//! shell, and reads what it prints.

use std::io::{self, Read};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Credentials, wrong};
use crate::clock::{calendar, duration};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::secrets::Secrets;

/// How long such a program may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The most bytes it may print.
const LARGEST: u64 = 1 << 20;

/// Runs `command` (split as a shell would) and reads the credentials it prints. `place` names the
/// setting it is from. It has half a minute, or until `deadline` if that is sooner.
pub fn run(
    command: &str,
    place: &str,
    now: SystemTime,
    deadline: Deadline,
) -> Result<Credentials, Error> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let Some((program, arguments)) = words.as_deref().and_then(<[String]>::split_first) else {
        return Err(wrong(format!("{place} is no command line; check its quotes")));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let limit = LIMIT.min(deadline.left());
    let output = output_within(command, limit).map_err(|error| Error::Credentials {
        problem: format!("{place}: cannot run {program}: {error}"),
        source: Some(error.into()),
    })?;
    let Some(output) = output else {
        let limit = duration(limit);
        return Err(wrong(format!("{place}: {program}: it did not end within {limit}")));
    };
    if !output.status.success() {
        let said = Secrets::default().quote(&String::from_utf8_lossy(&output.stderr));
        let said = if said.is_empty() { "it printed no reason".into() } else { said };
        return Err(wrong(format!("{place}: {program}: {}: {said}", output.status)));
    }
    read(&output.stdout, program, place, now)
}

/// Reads what `program` printed, without ever quoting it. `place` names the setting it is from.
pub fn read(
    printed: &[u8],
    program: &str,
    place: &str,
    now: SystemTime,
) -> Result<Credentials, Error> {
    parse(printed, now)
        .map_err(|problem| wrong(format!("{place}: {program}: {problem}")))?
        .into_credentials(place)
}

/// Runs a command to its end, or kills it when `limit` has passed, which is `None`: a program that
/// waits for somebody would keep every later run waiting, too.
fn output_within(mut command: Command, limit: Duration) -> io::Result<Option<Output>> {
    let end = Instant::now() + limit;
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = gather(child.stdout.take())?;
    let stderr = gather(child.stderr.take())?;
    while Instant::now() < end {
        let status = child.try_wait()?;
        if let Some(status) = status.filter(|_| stdout.is_finished() && stderr.is_finished()) {
            let all = |pipe: JoinHandle<Vec<u8>>| pipe.join().unwrap_or_default();
            return Ok(Some(Output { status, stdout: all(stdout), stderr: all(stderr) }));
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Reads a pipe to its end, as far as it can be read: what is cut off is no JSON.
fn gather(pipe: Option<impl Read + Send + 'static>) -> io::Result<JoinHandle<Vec<u8>>> {
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|pipe| pipe.take(LARGEST).read_to_end(&mut bytes));
        bytes
    })
}

/// What such a program prints.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    key_id: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
}

impl Printed {
    fn into_credentials(self, place: &str) -> Result<Credentials, Error> {
        Credentials::from_halves(
            self.key_id.as_deref(),
            self.secret_key.as_deref(),
            self.session_token.as_deref(),
            ["AccessKeyId", "SecretAccessKey"],
            place,
        )?
        .ok_or_else(|| wrong(format!("{place}: it printed no AccessKeyId")))
    }
}

/// Reads the JSON. The error is a phrase about what was printed.
fn parse(printed: &[u8], now: SystemTime) -> Result<Printed, String> {
    let json: Value = serde_json::from_slice(printed).map_err(|error| {
        format!("it printed broken JSON (line {}, column {})", error.line(), error.column())
    })?;
    if json["Version"].as_i64() != Some(1) {
        return Err("it printed JSON whose \"Version\" is not 1".into());
    }
    let text = |key| json[key].as_str().filter(|text| !text.is_empty()).map(Into::into);
    match &json["Expiration"] {
        Value::Null => {}
        Value::String(expiration) => {
            let expiration = OffsetDateTime::parse(expiration, &Rfc3339)
                .map_err(|_| "it printed an \"Expiration\" that is no RFC 3339 time")?;
            if calendar(now).is_none_or(|now| expiration <= now) {
                return Err("it printed credentials that have expired".into());
            }
        }
        _ => return Err("it printed an \"Expiration\" that is no RFC 3339 time".into()),
    }
    Ok(Printed {
        key_id: text("AccessKeyId"),
        secret_key: text("SecretAccessKey"),
        session_token: text("SessionToken"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let run = |program: &str, arguments: &[&str], limit| {
            let mut command = Command::new(program);
            command.args(arguments);
            output_within(command, limit).unwrap()
        };
        assert!(run("sleep", &["600"], Duration::from_millis(20)).is_none());
        // Its output is closed long before it ends.
        let closed = ["-c", "exec sleep 600 >&- 2>&-"];
        assert!(run("sh", &closed, Duration::from_millis(20)).is_none());
        let output = run("sh", &["-c", "echo out; echo err >&2"], LIMIT).unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    }

    #[test]
    fn what_a_program_prints_is_read_strictly() {
        let key = r#""AccessKeyId": "AKID", "SecretAccessKey": "hush""#;
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        for (printed, problem) in [
            (format!("{{\"Version\": 1, {key}}}"), None),
            (format!("{{\"Version\": 1, {key}, \"Expiration\": \"2015-08-30T12:36:01Z\"}}"), None),
            (
                format!("{{\"Version\": 1, {key}, \"Expiration\": \"2015-08-30T12:36:00Z\"}}"),
                Some("it printed credentials that have expired"),
            ),
            (
                format!("{{\"Version\": 1, {key}, \"Expiration\": \"soon\"}}"),
                Some("it printed an \"Expiration\" that is no RFC 3339 time"),
            ),
            (
                format!("{{\"Version\": \"1\", {key}}}"),
                Some("it printed JSON whose \"Version\" is not 1"),
            ),
            (format!("{{{key}}}"), Some("it printed JSON whose \"Version\" is not 1")),
            ("hush".into(), Some("it printed broken JSON (line 1, column 1)")),
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
        let read = |secret: &str| {
            read(printed(secret).as_bytes(), "helper", "place", SystemTime::UNIX_EPOCH)
        };
        assert_eq!(read(" hush\n").map(|found| found.secret_key).ok().as_deref(), Some("hush"));
        for secret in ["", " ", "\n"] {
            assert_eq!(
                read(secret).unwrap_err().to_string(),
                "half a credential: place lacks SecretAccessKey; set both halves, or neither"
            );
        }
    }
}
