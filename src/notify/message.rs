//! The text of the messages that are published. Pure.

use std::time::SystemTime;

use crate::clock::{duration, timestamp};

/// A message to a topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Of any length and characters: `aws::sns` fits it to the limits of SNS.
    pub subject: String,
    pub body: String,
}

/// The host and the configuration that a message is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub host: &'a str,
    /// The configuration file's absolute path.
    pub config: &'a str,
    /// The names of the configuration's records, as in "a.example, b.example".
    pub names: &'a str,
    /// The command that shows each step, for pasting on that host.
    pub command: &'a str,
}

impl About<'_> {
    fn is_or_are(&self) -> &'static str {
        if self.names.contains(", ") { "are" } else { "is" }
    }
}

/// The alert of a failed run. `records` has one sentence per record about its value now, and comes
/// first because a reader wants to know whether visitors are affected. `errors` has one line per
/// error. `repeats` gives the reason if the alert will repeat.
pub fn failure(
    about: About<'_>,
    errors: &[String],
    records: &[String],
    now: SystemTime,
    repeats: Option<&str>,
) -> Message {
    let About { host, config, names, command } = about;
    let next = match repeats {
        None => "The next message comes when everything is up to date again.".into(),
        Some(why) => format!("This message repeats: {why}."),
    };
    let (now, records, errors) = (timestamp(now), lines("", records), lines("  ", errors));
    let body = format!(
        "autodns on {host} could not bring {names} up to date\n\
         at {now} by that host's clock.\n\n{records}\n{errors}\n\
         autodns tries again at every run. To see each step, log in to {host} and run:\n\n  \
         {command}\n\nHost:   {host}\nConfig: {config}\n\n{next}\n"
    );
    Message {
        subject: format!("autodns: {names} {} not up to date ({host})", about.is_or_are()),
        body,
    }
}

/// The message with which a person tests a topic.
pub fn test(about: About<'_>) -> Message {
    let About { host, config, names, .. } = about;
    Message {
        subject: format!("autodns: a test from {host}"),
        body: format!(
            "autodns on {host} can reach you. If it cannot keep {names} up to date, it sends one \
             alert here.\n\nHost:   {host}\nConfig: {config}\n"
        ),
    }
}

/// The message about changed records. `records` are their names and types; `changes` has one line
/// per record with its old and new address.
pub fn change(about: About<'_>, records: &str, changes: &[String]) -> Message {
    let About { host, config, .. } = about;
    let lines = lines("  ", changes);
    Message {
        subject: format!("autodns: new address of {records} ({host})"),
        body: format!(
            "autodns on {host} has written a new address:\n\n{lines}\nHost:   {host}\n\
             Config: {config}\n"
        ),
    }
}

fn lines(indent: &str, lines: &[String]) -> String {
    lines.iter().map(|line| format!("{indent}{line}\n")).collect::<Vec<_>>().concat()
}

/// The recovery message after an alert that was sent at `since`. `changes` has one line per record
/// that this run changed, if these are to be reported.
pub fn recovery(
    about: About<'_>,
    since: SystemTime,
    now: SystemTime,
    changes: &[String],
) -> Message {
    let About { host, config, names, .. } = about;
    let verb = about.is_or_are();
    let changes = match changes {
        [] => String::new(),
        changes => format!("{}\n", lines("  ", changes)),
    };
    // The clock may have been set back in between, for example after a power cut.
    let took = match now.duration_since(since) {
        Ok(took) => format!("{} after", duration(took)),
        Err(_) => "after".into(),
    };
    let body = format!(
        "{names} {verb} up to date again, {took} the alert of {}.\n\n{changes}Host:   {host}\n\
         Config: {config}\n",
        timestamp(since)
    );
    Message { subject: format!("autodns: {names} {verb} up to date again ({host})"), body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ABOUT: About<'_> = About {
        host: "pi",
        config: "/home/pi/autodns.json",
        names: "home.example.com",
        command: "/usr/bin/autodns --dry-run --verbose /home/pi/autodns.json",
    };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn alert_says_what_failed_since_when_and_what_records_say() {
        let errors = ["home.example.com A: no network".into()];
        let records = ["home.example.com A still says 192.0.2.7 (TTL 300).".into()];
        let message = failure(ABOUT, &errors, &records, at(1_440_938_160), None);
        assert_eq!(message.subject, "autodns: home.example.com is not up to date (pi)");
        assert_eq!(
            message.body,
            "autodns on pi could not bring home.example.com up to date\n\
             at 2015-08-30 12:36:00 UTC by that host's clock.\n\n\
             home.example.com A still says 192.0.2.7 (TTL 300).\n\n  \
             home.example.com A: no network\n\n\
             autodns tries again at every run. To see each step, log in to pi and run:\n\n  \
             /usr/bin/autodns --dry-run --verbose /home/pi/autodns.json\n\n\
             Host:   pi\nConfig: /home/pi/autodns.json\n\n\
             The next message comes when everything is up to date again.\n"
        );
        let repeated = failure(ABOUT, &[], &[], at(0), Some("the disk is full"));
        assert!(repeated.body.ends_with("\n\nThis message repeats: the disk is full.\n"));
    }

    #[test]
    fn recovery_message_says_how_long_it_took() {
        let message = recovery(ABOUT, at(1_440_938_160), at(1_440_938_160 + 7500), &[]);
        assert_eq!(message.subject, "autodns: home.example.com is up to date again (pi)");
        assert_eq!(
            message.body,
            "home.example.com is up to date again, 2 hours 5 minutes after the alert of \
             2015-08-30 12:36:00 UTC.\n\nHost:   pi\nConfig: /home/pi/autodns.json\n"
        );
        assert!(
            recovery(ABOUT, at(60), at(0), &[]).body.contains("again, after the alert of 1970")
        );
    }
}
