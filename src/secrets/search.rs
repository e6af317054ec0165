//! Finds secrets in a text in all their forms. Does not decide what is secret.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{RUN_LENGTH, add_once};
use crate::percent;

const HIDDEN: &str = "[hidden]";

/// The runs and short secrets that a text is searched for.
#[derive(Clone, Default)]
pub struct Index {
    /// Runs of the keys in each form, folded to lower case.
    keys: HashSet<String>,
    /// Further runs for foreign text: those of the words, and all runs without punctuation, so that
    /// a secret is found even with punctuation between its letters.
    foreign: HashSet<String>,
    /// Secrets shorter than a run, which are hidden whole.
    short_keys: Vec<String>,
    short_words: Vec<String>,
}

impl Index {
    pub fn of(keys: &[String], words: &[String], pairs: &[String]) -> Self {
        let mut index = Self::default();
        for key in keys {
            if is_short(key) {
                add_short_forms(&mut index.short_keys, key);
                continue;
            }
            for form in forms(key) {
                add_runs(&mut index.keys, &form, is_visible);
                add_runs(&mut index.foreign, &form, char::is_alphanumeric);
            }
        }
        for word in words {
            if is_short(word) {
                add_short_forms(&mut index.short_words, word);
                continue;
            }
            for form in forms(word) {
                add_runs(&mut index.foreign, &form, is_visible);
                add_runs(&mut index.foreign, &form, char::is_alphanumeric);
            }
        }
        for pair in pairs {
            add_short_forms(&mut index.short_keys, pair);
        }
        index
    }

    /// Marks what is hidden in every text.
    pub fn mark_keys(&self, marks: &mut Marks<'_>) {
        marks.mark_runs(is_visible, &[&self.keys]);
        marks.mark_whole(&self.short_keys);
    }

    /// Marks what is hidden in foreign text.
    pub fn mark_all(&self, marks: &mut Marks<'_>) {
        let runs = [&self.keys, &self.foreign];
        marks.mark_runs(is_visible, &runs);
        marks.mark_runs(char::is_alphanumeric, &runs);
        marks.mark_whole(&self.short_keys);
        marks.mark_whole(&self.short_words);
    }
}

/// Whether a secret is shorter than a run, so that it is hidden whole.
fn is_short(secret: &str) -> bool {
    secret.chars().filter(|&c| is_visible(c)).count() < RUN_LENGTH
}

/// A secret in plain form, percent-encoded, in both alphabets of base64, and in hexadecimal. Base64
/// has three forms, one per alignment. Characters that also depend on the bytes around the secret
/// are left out.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), percent::encode(secret).into_owned()];
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        let start = [0, 2, 3][before];
        let end = encoded.len() - usize::from(bytes.len() % 3 != 0);
        if let Some(whole) = encoded.get(start..end) {
            forms.push(whole.replace('+', "-").replace('/', "_"));
            forms.push(whole.into());
        }
    }
    forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat());
    forms
}

/// Adds each run of 8 characters of `form`. Characters that are not `kept` are skipped.
fn add_runs(runs: &mut HashSet<String>, form: &str, kept: fn(char) -> bool) {
    let folded: Vec<char> = form.chars().filter(|&c| kept(c)).map(fold).collect();
    runs.extend(folded.windows(RUN_LENGTH).map(|run| run.iter().collect::<String>()));
}

/// Adds a secret in plain form and percent-encoded.
fn add_short_forms(list: &mut Vec<String>, secret: &str) {
    let upper = percent::encode(secret);
    // Some servers use lower-case digits in percent-encoding.
    let lower = upper.split('%').enumerate().map(|(index, part)| match part.get(..2) {
        Some(digits) if index > 0 => format!("%{}{}", digits.to_lowercase(), &part[2..]),
        _ => part.into(),
    });
    let lower: String = lower.collect();
    for form in [secret, &upper, &lower] {
        add_once(list, form);
    }
}

pub fn fold(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

/// Whether a character belongs to a run with punctuation. White space, control characters and
/// combining marks do not: they may stand between the characters of a secret.
fn is_visible(character: char) -> bool {
    character.is_ascii_graphic() || character.is_alphanumeric()
}

/// A text and the characters in it to hide.
pub struct Marks<'a> {
    text: &'a str,
    /// The byte offset of each character and of the end of the text.
    starts: Vec<usize>,
    hidden: Vec<bool>,
}

impl<'a> Marks<'a> {
    pub fn new(text: &'a str) -> Self {
        let starts: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let hidden = vec![false; starts.len() - 1];
        Self { text, starts, hidden }
    }

    /// Marks each run that is in one of the sets, and the rest of its word, because more of the
    /// secret may follow.
    fn mark_runs(&mut self, kept: fn(char) -> bool, sets: &[&HashSet<String>]) {
        let mut folded = String::with_capacity(self.text.len());
        // For each kept character: its byte offset in `folded` and its number in the text.
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (number, character) in self.text.chars().enumerate().filter(|&(_, c)| kept(c)) {
            places.push((folded.len(), number));
            folded.push(fold(character));
        }
        for (index, run) in places.windows(RUN_LENGTH).enumerate() {
            let end = places.get(index + RUN_LENGTH).map_or(folded.len(), |&(start, _)| start);
            let text = &folded[run[0].0..end];
            if sets.iter().any(|set| set.contains(text)) {
                self.hidden[run[0].1..=run[RUN_LENGTH - 1].1].fill(true);
            }
        }
        self.widen();
    }

    /// Extends the marks to the adjacent characters that can belong to a key.
    fn widen(&mut self) {
        let joins: Vec<bool> = self
            .text
            .chars()
            .map(|c| c.is_alphanumeric() || matches!(c, '%' | '+' | '/' | '=' | '_' | '-' | '~'))
            .collect();
        for at in 1..joins.len() {
            self.hidden[at] |= self.hidden[at - 1] && joins[at] && joins[at - 1];
        }
        for at in (1..joins.len()).rev() {
            self.hidden[at - 1] |= self.hidden[at] && joins[at] && joins[at - 1];
        }
    }

    fn mark_whole(&mut self, secrets: &[String]) {
        for secret in secrets {
            for (start, found) in self.text.match_indices(secret.as_str()) {
                let end = start + found.len();
                let first = self.starts.partition_point(|&at| at < start);
                let last = self.starts.partition_point(|&at| at < end);
                self.hidden[first..last].fill(true);
            }
        }
    }

    /// The text with each group of hidden characters replaced.
    pub fn replaced(&self) -> Cow<'a, str> {
        if !self.hidden.contains(&true) {
            return self.text.into();
        }
        let mut shown = String::with_capacity(self.text.len());
        let mut before = false;
        for (character, &hidden) in self.text.chars().zip(&self.hidden) {
            if !hidden {
                shown.push(character);
            } else if !before {
                shown.push_str(HIDDEN);
            }
            before = hidden;
        }
        shown.into()
    }
}
