//! Replaces the times in messages by placeholders, so that a test can compare the whole message.
//! Each time is first compared with this machine's clock.

use std::time::SystemTime;

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::sigv4;

/// Replaces each `2026-01-31 23:59:59 UTC` by `{time}`, the time of a signature by `{stamp}`, and
/// each `N seconds` by `{seconds}`. A time more than three days from now stays and fails the
/// comparison.
pub fn with_placeholders(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    'text: while let Some(first) = rest.chars().next() {
        if let Some(time) = rest.get(..23).and_then(utc_time) {
            let age = OffsetDateTime::from(SystemTime::now()) - time;
            if age.abs() < Duration::days(3) {
                shown.push_str("{time}");
                rest = &rest[23..];
                continue;
            }
        }
        if rest.get(..16).and_then(sigv4::read_stamp).is_some() {
            shown.push_str("{stamp}");
            rest = &rest[16..];
            continue;
        }
        if first.is_ascii_digit() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            for unit in [" seconds", " second"] {
                if let Some(tail) = rest[digits..].strip_prefix(unit) {
                    shown.push_str("{seconds}");
                    rest = tail;
                    continue 'text;
                }
            }
            shown.push_str(&rest[..digits]);
            rest = &rest[digits..];
            continue;
        }
        shown.push(first);
        rest = &rest[first.len_utf8()..];
    }
    shown
}

/// Removes the `[0.084 s] ` of each step after the program's name. Returns the lines and the times
/// in milliseconds.
pub fn without_step_times(text: &str) -> (String, Vec<u64>) {
    let mut shown = String::new();
    let mut times = Vec::new();
    for line in text.split_inclusive('\n') {
        let step = line.strip_prefix("autodns: [").and_then(|rest| {
            let (time, step) = rest.split_once(" s] ")?;
            let (seconds, millis) = time.split_once('.').filter(|(_, millis)| millis.len() == 3)?;
            let seconds: u64 = seconds.parse().ok()?;
            Some((seconds * 1000 + millis.parse::<u64>().ok()?, step))
        });
        match step {
            None => shown.push_str(line),
            Some((time, step)) => {
                times.push(time);
                shown.push_str("autodns: ");
                shown.push_str(step);
            }
        }
    }
    (shown, times)
}

/// Reads `2026-01-31 23:59:59 UTC`.
fn utc_time(text: &str) -> Option<OffsetDateTime> {
    let (date, time) = text.strip_suffix(" UTC")?.split_once(' ')?;
    let mut numbers = date.split('-').chain(time.split(':')).map(str::parse::<u16>);
    let mut next = || numbers.next()?.ok();
    let year = i32::from(next()?);
    let month = Month::try_from(u8::try_from(next()?).ok()?).ok()?;
    let mut small = || u8::try_from(next()?).ok();
    let date = Date::from_calendar_date(year, month, small()?).ok()?;
    let time = Time::from_hms(small()?, small()?, small()?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}
