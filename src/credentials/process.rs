//! `credential_process`: a program of the user that prints an access key. Runs it without a shell
//! and with a time limit, and parses its output. Never shows the output or the command line,
//! because both can hold a secret.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::Credentials;
use crate::child::{self, CommandLine};
use crate::clock::calendar;
use crate::deadline::Deadline;
use crate::error::SetupError;

const LIMIT: Duration = Duration::from_secs(30);

/// Runs `command`, split into words like a shell does, and parses the credentials that it prints.
/// `place` names the setting in error messages. The time limit is 30 seconds or `deadline`,
/// whichever is sooner.
///
/// The program inherits the environment and gets no input. It runs in its own process group, which
/// is killed when the output is complete or the time is over, so that no process stays behind.
pub fn run(command: &str, place: &str, deadline: Deadline) -> Result<Credentials, SetupError> {
    let command = CommandLine::parse(command).map_err(|error| error.about(place))?.command();
    let is_whole = |printed: &[u8]| serde_json::from_slice::<Value>(printed).is_ok();
    let time = LIMIT.min(deadline.left());
    let printed = child::output(command, time, "run that command by hand to see why", is_whole)
        .map_err(|error| error.about(place))?;
    read(&printed, place, SystemTime::now())
}

/// Parses the output of the program. An error never quotes it; `place` names the setting.
pub fn read(printed: &[u8], place: &str, now: SystemTime) -> Result<Credentials, SetupError> {
    let wrong = |problem: String| {
        SetupError::new(format!("{place}: {problem}"))
            .advise("run that command by hand to see what it prints")
    };
    let json = parse(printed, now).map_err(wrong)?;
    Credentials::from_halves(
        json["AccessKeyId"].as_str(),
        json["SecretAccessKey"].as_str(),
        json["SessionToken"].as_str(),
        ["AccessKeyId", "SecretAccessKey"],
        place,
    )?
    .ok_or_else(|| wrong("it printed no AccessKeyId".into()))
}

/// The JSON, if its version is supported and its credentials have not expired. The error is a
/// phrase about the output.
fn parse(printed: &[u8], now: SystemTime) -> Result<Value, String> {
    if printed.trim_ascii().is_empty() {
        return Err("it printed nothing".into());
    }
    let json: Value = serde_json::from_slice(printed).map_err(|error| {
        format!("it printed broken JSON (line {}, column {})", error.line(), error.column())
    })?;
    if json["Version"].as_i64() != Some(1) {
        return Err("it printed JSON whose \"Version\" is not 1".into());
    }
    match &json["Expiration"] {
        Value::Null => {}
        Value::String(text) => {
            let end = expiration(text).ok_or_else(unreadable)?;
            if calendar(now).is_none_or(|now| end <= now) {
                return Err("it printed credentials that have expired".into());
            }
        }
        _ => return Err(unreadable()),
    }
    Ok(json)
}

/// Parses a time in the ISO 8601 forms that botocore accepts: `2030-01-31T12:00:00Z`, also with a
/// space instead of `T` or before the offset. `None` without an offset, because the time is then
/// ambiguous.
fn expiration(text: &str) -> Option<OffsetDateTime> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let text = format!("{date}T{}", time.replace(' ', "").to_ascii_uppercase());
    OffsetDateTime::parse(&text, &Iso8601::PARSING).ok()
}

fn unreadable() -> String {
    "it printed an \"Expiration\" that is not a time such as 2030-01-31T12:00:00Z".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_parsed_strictly() {
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
    fn each_form_is_parsed_as_the_same_time() {
        for text in [
            "2030-01-31T12:30:00Z",
            "2030-01-31T12:30:00z",
            "2030-01-31t12:30Z",
            "2030-01-31 12:30:00 +00:00",
            "2030-01-31T12:30:00+0000",
            "2030-01-31T12:30:00+00",
            "2030-01-31T12:30:00-00:00",
            "2030-01-31T13:30:00.123456789+01:00",
            "2030-01-31T12:30:00,5Z",
            "20300131T123000Z",
            "20300131T1230Z",
            "20300131T070000-0530",
            "2030-02-01T00:30:00+12:00",
            "2030-W05-4T12:30:00Z",
            "2030-031T12.5Z",
        ] {
            assert_eq!(
                expiration(text).map(OffsetDateTime::unix_timestamp),
                Some(1_896_093_000),
                "{text}"
            );
        }
    }

    #[test]
    fn text_without_a_definite_time_is_rejected() {
        for text in [
            "",
            "tomorrow",
            "2030-01-31",
            "2030-01-31T12:30:00",
            "2030-0131T12:30:00Z",
            "2030-13-31T12:30:00Z",
            "2030-02-30T12:30:00Z",
            "2030-01-31T25:30:00Z",
            "2030-01-31T12:30:00.Z",
            "2030-01-31T12:30:00Zx",
            "2030-01-31T12:30:00+1",
            "2030-01-31T12:30:00+99:00",
            "1896093000",
            "２０３０-01-31T12:30:00Z",
        ] {
            assert_eq!(expiration(text), None, "{text}");
        }
    }

    #[test]
    fn key_of_white_space_counts_as_missing() {
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
                "incomplete credentials: place lacks SecretAccessKey; set both halves, or neither"
            );
        }
    }
}
