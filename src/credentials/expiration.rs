//! Parses the time at which credentials expire, in the ISO 8601 forms that botocore accepts. Pure.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// Parses `2030-01-31T12:00:00Z` and its variants: without hyphens or colons, with a space instead
/// of `T`, without seconds, with a fraction of a second (ignored), with `+01:00`, `+0100` or `+01`
/// instead of `Z`. `None` without an offset, because the time is then ambiguous.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    let mut rest = Rest(text.trim());
    let year = rest.number(4)?;
    let hyphens = rest.skip(&['-']);
    let month = rest.number(2)?;
    if hyphens != rest.skip(&['-']) {
        return None;
    }
    let day = rest.number(2)?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    if !rest.skip(&['T', 't', ' ']) {
        return None;
    }
    let (hour, colons) = (rest.number(2)?, rest.skip(&[':']));
    let minute = rest.number(2)?;
    let has_seconds = if colons { rest.skip(&[':']) } else { rest.starts_with_digit() };
    let second = if has_seconds { rest.number(2)? } else { 0 };
    if has_seconds && rest.skip(&['.', ',']) {
        rest.number(1)?;
        while rest.number(1).is_some() {}
    }
    let [hour, minute, second] = [hour, minute, second].map(|part| u8::try_from(part).ok());
    let time = Time::from_hms(hour?, minute?, second?).ok()?;
    rest.skip(&[' ']);
    let offset = rest.offset()?;
    Some(PrimitiveDateTime::new(date, time).assume_offset(offset)).filter(|_| rest.0.is_empty())
}

/// The text that is not parsed yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// Reads exactly that many digits.
    fn number(&mut self, digits: usize) -> Option<u16> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    /// Skips one character if it is one of these.
    fn skip(&mut self, characters: &[char]) -> bool {
        let rest = self.0.strip_prefix(characters);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn starts_with_digit(&self) -> bool {
        self.0.starts_with(|next: char| next.is_ascii_digit())
    }

    fn offset(&mut self) -> Option<UtcOffset> {
        if self.skip(&['Z', 'z']) {
            return Some(UtcOffset::UTC);
        }
        let sign = if self.skip(&['-']) {
            -1
        } else if self.skip(&['+']) {
            1
        } else {
            return None;
        };
        let hours = self.number(2)?;
        let minutes =
            if self.skip(&[':']) || self.starts_with_digit() { self.number(2)? } else { 0 };
        let [hours, minutes] = [hours, minutes].map(|part| i8::try_from(part).ok());
        UtcOffset::from_hms(sign * hours?, sign * minutes?, 0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(
                parse(text).map(OffsetDateTime::unix_timestamp),
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
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
