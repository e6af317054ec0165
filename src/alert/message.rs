//! What an alert says: host, names, what failed, since when, what to do. Pure text.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

/// A message to a topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The subject; SNS takes at most 99 characters of printable ASCII, and cuts are made there.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// Whom a message is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The host this runs on.
    pub host: &'a str,
    /// The configuration file's absolute path.
    pub config: &'a str,
    /// The names of the configuration's records, as in "home.example.com".
    pub names: &'a str,
}

/// The alert that these `troubles` (one line each) keep records from being right.
#[must_use]
pub fn failure(
    about: About<'_>,
    troubles: &[String],
    now: SystemTime,
    repeats: Option<&str>,
) -> Message {
    let About { host, config, names } = about;
    let mut body = format!("autodns on {host} could not bring {names} up to date:\n\n");
    for trouble in troubles {
        let _ = writeln!(body, "  {trouble}");
    }
    let _ = write!(
        body,
        "\nSince:  {} by that host's clock\nHost:   {host}\nConfig: {config}\n\n\
         autodns tries again at every run. To see each step, run there:\n\n  \
         autodns --dry-run --verbose {config}\n\n",
        timestamp(now)
    );
    match repeats {
        None => body.push_str("You will hear of this again only when all is well.\n"),
        Some(why) => {
            let _ = writeln!(body, "This message repeats: {why}.");
        }
    }
    Message { subject: format!("autodns: {names} is not up to date ({host})"), body }
}

/// The message that all is well again after an alert that was sent at `since`.
#[must_use]
pub fn recovery(about: About<'_>, since: SystemTime, now: SystemTime) -> Message {
    let About { host, config, names } = about;
    // The clock may have been set in between, as it is after a power cut.
    let took = match now.duration_since(since) {
        Ok(took) => format!("{} after", duration(took)),
        Err(_) => "after".into(),
    };
    let body = format!(
        "{names} is up to date again, {took} the alert of {}.\n\nHost:   {host}\n\
         Config: {config}\n",
        timestamp(since)
    );
    Message { subject: format!("autodns: {names} is up to date again ({host})"), body }
}

/// A moment as `2026-01-31 23:59:59 UTC`.
#[must_use]
pub fn timestamp(moment: SystemTime) -> String {
    let moment = OffsetDateTime::from(moment);
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", u8::from(month))
}

/// A length of time in the two largest units it has: "3 days 4 hours", "50 seconds".
fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [
        (seconds / 86400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let first = units.iter().position(|&(count, _)| count > 0).unwrap_or(units.len() - 1);
    let words: Vec<String> = units[first..]
        .iter()
        .take(2)
        .filter(|&&(count, _)| count > 0 || first == units.len() - 1)
        .map(|&(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> =
        About { host: "pi", config: "/home/pi/autodns.json", names: "home.example.com" };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_alert_says_all_that_is_needed() {
        let message =
            failure(ABOUT, &["home.example.com A: no network".into()], at(1_440_938_160), None);
        assert_eq!(message.subject, "autodns: home.example.com is not up to date (pi)");
        assert_eq!(
            message.body,
            "autodns on pi could not bring home.example.com up to date:\n\n  \
             home.example.com A: no network\n\nSince:  2015-08-30 12:36:00 UTC by that host's clock\n\
             Host:   pi\nConfig: /home/pi/autodns.json\n\nautodns tries again at every run. To see \
             each step, run there:\n\n  autodns --dry-run --verbose /home/pi/autodns.json\n\nYou \
             will hear of this again only when all is well.\n"
        );
        let repeated = failure(ABOUT, &[], at(0), Some("the disk is full"));
        assert!(repeated.body.ends_with("\n\nThis message repeats: the disk is full.\n"));
    }

    #[test]
    fn a_recovery_says_how_long_it_took() {
        let message = recovery(ABOUT, at(1_440_938_160), at(1_440_938_160 + 7500));
        assert_eq!(message.subject, "autodns: home.example.com is up to date again (pi)");
        assert_eq!(
            message.body,
            "home.example.com is up to date again, 2 hours 5 minutes after the alert of \
             2015-08-30 12:36:00 UTC.\n\nHost:   pi\nConfig: /home/pi/autodns.json\n"
        );
        assert!(recovery(ABOUT, at(60), at(0)).body.contains("again, after the alert of 1970"));
    }

    #[test]
    fn lengths_of_time_have_two_units() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (61, "1 minute 1 second"),
            (3600, "1 hour"),
            (3601, "1 hour"),
            (90061, "1 day 1 hour"),
            (864_000, "10 days"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), words);
        }
    }
}
