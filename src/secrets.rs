//! What must never be shown, and the one way in which foreign text is shown. Holds no file and
//! prints nothing itself.

use std::borrow::Cow;
use std::fmt;

use crate::percent;

/// What stands where a secret stood.
const HIDDEN: &str = "[hidden]";
/// How many characters of a foreign text a message quotes at most.
const LONGEST_QUOTE: usize = 300;
/// A part of a query string shorter than this is hidden as `name=part`, but not on its own: it
/// could be any word of any message, and it keeps nobody out.
const SHORTEST_PART: usize = 4;

/// The secrets of a run: the AWS secret key and session token, the query strings of reflector
/// URLs, a proxy's password. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Secrets {
    /// What is hidden wherever it stands.
    everywhere: Vec<String>,
    /// Values of a query string, which may be any word: hidden in what comes from elsewhere, but
    /// not in this program's own words.
    in_quotes: Vec<String>,
}

impl Secrets {
    /// Adds one secret: as it is, and percent-encoded as forms and URLs echo it.
    pub fn add(&mut self, secret: &str) {
        add_forms(&mut self.everywhere, secret);
    }

    /// Adds the query string of a URL: whole, each `name=value`, and each value, all of them also
    /// with their percent-encoding undone, since servers echo either form.
    pub fn add_query(&mut self, query: &str) {
        add_both_forms(&mut self.everywhere, query);
        for pair in query.split('&') {
            if let Some((_, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) {
                add_both_forms(&mut self.everywhere, pair);
                if value.len() >= SHORTEST_PART {
                    add_both_forms(&mut self.in_quotes, value);
                }
            } else if pair.len() >= SHORTEST_PART {
                add_both_forms(&mut self.in_quotes, pair);
            }
        }
    }

    /// `text`, made of this program's own words and of quotes, with every secret replaced.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        hide_all(&self.everywhere, text.into())
    }

    /// Text that came from elsewhere, fit for one line of a message: secrets hidden, line breaks
    /// and control characters as spaces, at most 300 characters. Hidden before it is cut, so that
    /// no half of a secret is left at the end, and again when it is one line: a secret with a space
    /// in it may have been broken there.
    #[must_use]
    pub fn quote(&self, foreign: &str) -> String {
        let hide = |text| hide_all(&self.in_quotes, hide_all(&self.everywhere, text));
        bounded(&hide(joined_words(&hide(foreign.into())).into()))
    }
}

/// Foreign text that can hold no secret of this run (a library's error, a certificate's name), fit
/// for one line of a message: line breaks and control characters as spaces, at most 300 characters.
#[must_use]
pub fn one_line(foreign: &str) -> String {
    bounded(&joined_words(foreign))
}

fn joined_words(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST_QUOTE) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.everywhere.len() + self.in_quotes.len())
    }
}

fn add_both_forms(list: &mut Vec<String>, text: &str) {
    add_forms(list, text);
    let decoded = percent::decode(text);
    add_forms(list, &decoded);
    add_forms(list, &decoded.replace('+', " "));
}

/// Adds a secret as it is, and percent-encoded as forms and URLs echo it.
fn add_forms(list: &mut Vec<String>, secret: &str) {
    let upper = percent::encode(secret);
    // Some print the hexadecimal digits of an escape in lower case.
    let lower = upper.split('%').enumerate().map(|(index, part)| match part.get(..2) {
        Some(digits) if index > 0 => format!("%{}{}", digits.to_lowercase(), &part[2..]),
        _ => part.into(),
    });
    let lower: String = lower.collect();
    for form in [secret, upper.as_ref(), &lower] {
        if !form.is_empty() && !list.iter().any(|known| known == form) {
            list.push(form.into());
        }
    }
    // The longest first: a secret that holds another one must not leave a rest behind.
    list.sort_by_key(|known| std::cmp::Reverse(known.len()));
}

fn hide_all<'a>(list: &[String], mut shown: Cow<'a, str>) -> Cow<'a, str> {
    for secret in list {
        if shown.contains(secret.as_str()) {
            shown = Cow::Owned(shown.replace(secret.as_str(), HIDDEN));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_hidden_in_every_form() {
        let mut secrets = Secrets::default();
        secrets.add_query("apikey=very%20secret&v=1&bare-token");
        for echoed in [
            "GET /?apikey=very%20secret&v=1&bare-token",
            "key 'very secret' is wrong",
            "key very%20secret is wrong",
            "no bare-token here",
            "v=1 is old",
            "?apikey%3Dvery%2520secret%26v%3D1%26bare-token",
            "?apikey%3dvery%2520secret%26v%3d1%26bare-token",
        ] {
            let shown = secrets.quote(echoed);
            for part in ["very", "secret", "bare", "v=1"] {
                assert!(!shown.contains(part), "{shown}");
            }
            assert!(shown.contains(HIDDEN), "{shown}");
        }
        assert_eq!(secrets.quote("version 1 of 1"), "version 1 of 1");
        assert_eq!(secrets.hide("a bare-token of ours"), "a bare-token of ours");
    }

    #[test]
    fn a_key_that_is_broken_at_its_space_is_hidden() {
        let mut secrets = Secrets::default();
        secrets.add_query("apikey=very%20secret");
        for echoed in ["very\nsecret", "very \t secret", "very\0\0secret"] {
            assert_eq!(secrets.quote(echoed), HIDDEN, "{echoed:?}");
        }
    }

    #[test]
    fn a_key_is_hidden_in_a_form_too() {
        let mut secrets = Secrets::default();
        secrets.add("a/b+c");
        assert_eq!(secrets.hide("a/b+c a%2Fb%2Bc a%2fb%2bc"), "[hidden] [hidden] [hidden]");
    }

    #[test]
    fn a_secret_that_holds_another_leaves_no_rest() {
        let mut secrets = Secrets::default();
        secrets.add("abcd");
        secrets.add("abcdefgh");
        assert_eq!(secrets.hide("x abcdefgh y abcd"), "x [hidden] y [hidden]");
    }

    #[test]
    fn a_quote_is_one_bounded_line_with_no_half_of_a_secret() {
        let mut secrets = Secrets::default();
        secrets.add("verysecret");
        let foreign = format!("{}\r\n\tverysecret\0end", "x".repeat(295));
        assert_eq!(secrets.quote(&foreign), format!("{} [hid...", "x".repeat(295)));
        assert_eq!(secrets.quote(" a\n\nb\u{1b}[31mc "), "a b [31mc");
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut secrets = Secrets::default();
        secrets.add("hush");
        assert_eq!(format!("{secrets:?}"), "Secrets(1 hidden)");
    }
}
