//! Converts and formats times and durations, and has the advice for a wrong clock. Reads no clock.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The advice where this machine's clock is wrong.
pub const SET_CLOCK: &str = "set the clock (timedatectl shows it)";

/// Unix time in seconds, negative before 1970.
pub fn unix_seconds(moment: SystemTime) -> Option<i64> {
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).ok(),
        Err(before) => i64::try_from(before.duration().as_secs()).ok()?.checked_neg(),
    }
}

/// The system time of a date; `None` if the system's clock cannot represent it.
pub fn moment_of(date: OffsetDateTime) -> Option<SystemTime> {
    let length = Duration::from_secs(date.unix_timestamp().unsigned_abs());
    if date.unix_timestamp() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(length)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(length)
    }
}

/// The calendar date of a time; `None` beyond the year 9999, as the time of a file can be.
pub fn calendar(moment: SystemTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(unix_seconds(moment)?).ok()
}

/// Parses an HTTP date, as in `Tue, 24 Nov 2026 11:44:44 GMT` (RFC 9110, section 5.6.7). `None` for
/// other text, and for a date that its time zone moves beyond the year 9999.
pub fn read_date(text: &str) -> Option<SystemTime> {
    let date = OffsetDateTime::parse(text.trim(), &Rfc2822).ok()?;
    moment_of(date).filter(|&moment| calendar(moment).is_some())
}

/// Formats a time as `2026-01-31 23:59:59 UTC`.
pub fn timestamp(moment: SystemTime) -> String {
    let Some(moment) = calendar(moment) else { return "a time outside the calendar".into() };
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", u8::from(month))
}

/// Formats a duration in its two largest units: "3 days 4 hours", "50 seconds".
pub fn duration(length: Duration) -> String {
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

    #[test]
    fn timestamp_of_any_time_can_be_formatted() {
        let year_33658 = Duration::from_secs(999_999_999_999);
        for (moment, shown) in [
            (Some(SystemTime::UNIX_EPOCH), "1970-01-01 00:00:00 UTC"),
            (SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)), "1969-12-31 23:59:59 UTC"),
            (SystemTime::UNIX_EPOCH.checked_add(year_33658), "a time outside the calendar"),
            (SystemTime::UNIX_EPOCH.checked_sub(year_33658), "a time outside the calendar"),
        ] {
            assert_eq!(timestamp(moment.unwrap()), shown);
        }
    }

    #[test]
    fn duration_has_at_most_two_units() {
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
