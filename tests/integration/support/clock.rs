//! Times in messages: each is compared with this machine's clock and then replaced by a
//! placeholder, so that the rest can be compared whole.

use std::time::SystemTime;

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::sigv4;

/// Replaces each `2026-01-31 23:59:59 UTC` within a few days by `{time}`, the time of a signature
/// by `{moment}`, and each `N seconds` by `{seconds}`. A time further off stays and fails the
/// comparison.
pub fn neutral(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    'text: while let Some(first) = rest.chars().next() {
        if let Some(moment) = rest.get(..23).and_then(moment) {
            let age = OffsetDateTime::from(SystemTime::now()) - moment;
            if age.abs() < Duration::days(3) {
                shown.push_str("{time}");
                rest = &rest[23..];
                continue;
            }
        }
        if rest.get(..16).is_some_and(is_signature_time) {
            shown.push_str("{moment}");
            rest = &rest[16..];
            continue;
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

/// `20260131T235959Z`, the form of a signature's time.
fn is_signature_time(text: &str) -> bool {
    text.char_indices().all(|(at, c)| match at {
        8 => c == 'T',
        15 => c == 'Z',
        _ => c.is_ascii_digit(),
    })
}

fn moment(text: &str) -> Option<OffsetDateTime> {
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
