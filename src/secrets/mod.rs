//! Hides secrets in messages and makes foreign text safe to quote. Reads no file and prints
//! nothing.
//!
//! A secret is found by any 8 consecutive characters, in upper or lower case: plain,
//! percent-encoded, in base64 at each of the three alignments, and in hexadecimal. The index for
//! the search is built with the first text, so a run without messages does not need it.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::percent;
use search::{Index, Marks};

mod search;

/// How many characters of a foreign text a message quotes.
const MAX_QUOTE: usize = 300;
/// How many characters of a foreign text are searched; the rest is dropped.
const MAX_READ: usize = 2048;
/// This many consecutive characters of a secret are never shown. A shorter secret is hidden whole.
pub const RUN_LENGTH: usize = 8;
/// A shorter part of a query string is hidden only as `name=part`. Alone it could be any word
/// of a message, and it is too short to be a key.
const MIN_PART: usize = 4;
/// The length from which a word that looks random counts as a key.
const MIN_KEY: usize = 16;

/// The secrets of a run: the AWS secret key and session token, passwords, the query strings of
/// URLs, and paths that are keys. `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Hidden everywhere.
    keys: Vec<String>,
    /// Values of query strings and user names. Any word can be one, so they are hidden only in
    /// foreign text, not in the program's own words.
    words: Vec<String>,
    /// `name=value` of query strings. Hidden everywhere, but only as a whole, because the name is
    /// not secret.
    pairs: Vec<String>,
    /// Built when the first text is searched.
    index: OnceLock<Index>,
}

impl Secrets {
    /// Adds a secret that is hidden in every text.
    pub fn add(&mut self, secret: &str) {
        self.index = OnceLock::new();
        add_once(&mut self.keys, secret);
    }

    /// Adds a secret that may also be a word of the program's own messages (`example.com`). It is
    /// hidden in foreign text only, unless it looks random.
    pub fn add_word(&mut self, word: &str) {
        if looks_random(word) {
            self.add(word);
        } else if word.chars().count() >= MIN_PART {
            self.index = OnceLock::new();
            add_once(&mut self.words, word);
        }
    }

    /// Adds each `name=value` and each value of a URL's query string, encoded and decoded, because
    /// servers echo both forms.
    pub fn add_query(&mut self, query: &str) {
        for pair in query.split('&') {
            let value = match pair.split_once('=') {
                Some((_, value)) if !value.is_empty() => {
                    each_form(pair, |form| add_once(&mut self.pairs, form));
                    value
                }
                _ => pair,
            };
            each_form(value, |form| self.add_word(form));
        }
        self.index = OnceLock::new();
    }

    /// Adds a secret segment of a URL's path, encoded and decoded.
    pub fn add_path_segment(&mut self, segment: &str) {
        if segment.chars().count() >= RUN_LENGTH {
            each_form(segment, |form| self.add_word(form));
        }
    }

    /// Hides each secret in a text of the program's own words and of quotes.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.keys.is_empty() && self.pairs.is_empty() {
            return text.into();
        }
        let mut marks = Marks::new(text);
        self.index().mark_keys(&mut marks);
        marks.replaced()
    }

    /// Makes foreign text safe for one line of a message. Hides each secret in every form, even
    /// with other characters between its letters. Replaces line breaks and control characters by
    /// spaces. Cuts at 300 characters, after hiding, so that no half of a secret remains.
    pub fn quote(&self, foreign: &str) -> String {
        let line = joined_words(foreign);
        let mut marks = Marks::new(&line);
        self.index().mark_all(&mut marks);
        bounded(&marks.replaced())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.keys, &self.words, &self.pairs))
    }
}

/// Formats foreign text that cannot hold a secret (a library's error, a certificate's name) for one
/// line of a message: at most 300 characters, line breaks and control characters as spaces.
pub fn one_line(foreign: &str) -> String {
    bounded(&joined_words(foreign))
}

/// Whether a word looks like a generated key: at least 16 characters, with several digits or with
/// letters of both cases. A UUID does, `my-public-address` does not.
pub fn looks_random(word: &str) -> bool {
    let count = |of: fn(&char) -> bool| word.chars().filter(of).count();
    word.chars().count() >= MIN_KEY
        && (count(char::is_ascii_digit) >= 3
            || count(char::is_ascii_uppercase).min(count(char::is_ascii_lowercase)) >= 2)
}

/// The words of a text with one space between them. Control characters separate words; invisible
/// and direction-changing format characters are removed.
fn joined_words(text: &str) -> String {
    let visible: String = text.chars().take(MAX_READ).filter(|&c| !is_format(c)).collect();
    let words = visible.split(|c: char| c.is_control() || c.is_whitespace());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.keys.len() + self.words.len() + self.pairs.len())
    }
}

fn add_once(list: &mut Vec<String>, secret: &str) {
    if !secret.is_empty() && !list.iter().any(|known| known == secret) {
        list.push(secret.into());
    }
}

/// Adds a part of a URL as it is, percent-decoded, and decoded as in a form, where `+` is a space.
fn each_form(part: &str, mut add: impl FnMut(&str)) {
    let decoded = percent::decode(part);
    add(part);
    add(&decoded);
    add(&decoded.replace('+', " "));
}

/// Whether a character is invisible or changes the direction of text: Unicode's format characters
/// and variation selectors.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::search::fold;
    use super::*;

    const HIDDEN: &str = "[hidden]";

    /// A key with the characters of AWS's keys: letters of both cases, digits, `/` and `+`.
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// Whether `text` has 8 consecutive characters of `secret`, both folded to letters and digits.
    fn shows(secret: &str, text: &str) -> bool {
        let runs = |text: &str| -> HashSet<String> {
            let folded: Vec<char> =
                text.chars().filter(|c| c.is_alphanumeric()).map(fold).collect();
            folded.windows(RUN_LENGTH).map(|run| run.iter().collect()).collect()
        };
        !runs(secret).is_disjoint(&runs(text))
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn eight_characters_of_a_key_are_hidden_in_each_form() {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let mut secrets = Secrets::default();
        secrets.add(KEY);
        let spaced = |by: &str| KEY.chars().map(String::from).collect::<Vec<_>>().join(by);
        let mut echoes = vec![
            KEY.to_owned(),
            KEY.to_uppercase(),
            KEY.to_lowercase(),
            KEY[3..11].to_owned(),
            KEY[20..29].to_lowercase(),
            percent::encode(KEY).into_owned(),
            percent::encode(KEY).to_lowercase(),
            KEY.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat(),
            hex(KEY),
            hex(KEY).to_uppercase(),
            spaced(" "),
            spaced("\u{200b}"),
            spaced("\u{2063}"),
            spaced("\n"),
            spaced("-"),
            spaced("\u{301}"),
            KEY.replace('/', "\\/"),
            KEY.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        ];
        for before in ["", "u", "us", "use"] {
            echoes.push(STANDARD.encode(format!("{before}{KEY}.")));
            echoes.push(URL_SAFE.encode(format!("{before}{KEY}.")));
        }
        for echo in echoes {
            let shown = secrets.quote(&format!("the key '{echo}' is wrong"));
            assert_eq!(shown, "the key '[hidden]' is wrong", "{echo}");
        }
        for (own, shown) in [
            (format!("cannot run {}", &KEY[4..12]), "cannot run [hidden]"),
            (format!("cannot run {}", hex(&KEY[4..12])), "cannot run [hidden]"),
            (format!("cannot run {}", &KEY[4..11]), "cannot run rXUtnFE"),
        ] {
            assert_eq!(secrets.hide(&own), shown);
        }
        assert_eq!(secrets.quote(&KEY[4..11]), &KEY[4..11], "seven characters are not hidden");
    }

    #[test]
    fn wrapped_or_cut_key_shows_less_than_8_characters() {
        let mut secrets = Secrets::default();
        let token = (0..40).map(|number| format!("{KEY}{number}")).collect::<Vec<_>>().concat();
        secrets.add(&token);
        for width in [7, 9, 13, 64, 300] {
            let characters: Vec<char> = token.chars().collect();
            let lines: Vec<String> =
                characters.chunks(width).map(|line| line.iter().collect()).collect();
            for end in ["\n", "\r\n    ", " | "] {
                let shown = secrets.quote(&format!("token: {}", lines.join(end)));
                assert!(!shows(&token, &shown), "{width}: {shown}");
            }
        }
        for length in 280..320 {
            let shown = secrets.quote(&format!("{} {KEY}", "x".repeat(length)));
            assert!(!shows(&token, &shown), "{shown}");
        }
    }

    #[test]
    fn words_of_a_query_are_hidden_in_foreign_text_only() {
        let mut secrets = Secrets::default();
        secrets.add_query(
            "host=home.example.com&user=autodns&key=550e8400-e29b-41d4-a716-446655440000",
        );
        let own = "autodns: home.example.com A: no network";
        assert_eq!(secrets.hide(own), own);
        assert_eq!(secrets.quote(own), "[hidden]: [hidden] A: no network");
        assert_eq!(secrets.hide("id 550E8400-E29B"), "id [hidden]");
        assert_eq!(secrets.hide("host=home.example.com"), "[hidden]");
    }

    #[test]
    fn random_keys_are_distinguished_from_words() {
        for (word, random) in [
            ("550e8400-e29b-41d4-a716-446655440000", true),
            ("kJ3nf8aLq0xYpQ2s", true),
            ("AbCdEfGhIjKlMnOp", true),
            ("my-public-address-of-ipv4", false),
            ("raspberrypi4.local", false),
            ("reflect", false),
            ("v1", false),
            ("", false),
        ] {
            assert_eq!(looks_random(word), random, "{word}");
        }
    }

    #[test]
    fn query_string_is_hidden_in_each_form() {
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
    fn key_that_is_broken_at_its_space_is_hidden() {
        let mut secrets = Secrets::default();
        secrets.add_query("apikey=very%20secret");
        for echoed in ["very\nsecret", "very \t secret", "very\0\0secret"] {
            assert_eq!(secrets.quote(echoed), HIDDEN, "{echoed:?}");
        }
    }

    #[test]
    fn short_key_is_hidden_in_its_percent_encoded_form() {
        let mut secrets = Secrets::default();
        secrets.add("a/b+c");
        assert_eq!(secrets.hide("a/b+c a%2Fb%2Bc a%2fb%2bc"), "[hidden] [hidden] [hidden]");
        secrets.add("x y z x y");
        assert_eq!(secrets.hide("no x y z x y"), "no [hidden]");
    }

    #[test]
    fn secret_that_contains_another_is_hidden_whole() {
        let mut secrets = Secrets::default();
        secrets.add("abcd");
        secrets.add("abcdefgh");
        assert_eq!(secrets.hide("x abcdefgh y abcd"), "x [hidden] y [hidden]");
    }

    #[test]
    fn quote_is_one_line_cut_after_hiding() {
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
