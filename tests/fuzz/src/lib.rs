//! What must hold of every parser of foreign input, whatever the input: one function a parser,
//! which panics where it does not. The fuzz targets call these, and so does tests/corpora.rs, which
//! replays the corpora. Nothing here finds inputs, and nothing runs without one.
//!
//! To add a parser: a function here and its row in [`CHECKS`], a target of that name in
//! `fuzz_targets/` and Cargo.toml, and a folder of that name in `corpus/`. The replay fails while
//! one of them is missing.

mod address;
mod aws;
mod config;
mod credentials;
mod transport;
mod xml;

/// A check: takes any bytes, and panics where the parser breaks what was promised.
pub type Check = fn(&[u8]);

/// The name of each target with its check.
pub const CHECKS: &[(&str, Check)] = &[
    ("xml", xml::elements),
    ("route53_list", aws::route53_list),
    ("receipt", aws::receipt),
    ("fault", aws::fault),
    ("date_header", transport::date_header),
    ("issuer", transport::issuer),
    ("reflector_answer", address::reflector_answer),
    ("if_inet6", address::if_inet6),
    ("config", config::config),
    ("ini", credentials::ini),
    ("credential_process", credentials::credential_process),
];

/// Runs the check of that name.
///
/// # Panics
///
/// Where the check fails, and where there is none of that name.
pub fn check(name: &str, data: &[u8]) {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).expect("a known check");
    check(data);
}

/// The most bytes that a phrase of an error may have: a quote of 300 characters, each of four
/// bytes, and our own words.
const MAX_PHRASE: usize = 300 * 4 + 300;

/// Asserts that `text` is fit for one line of a message.
fn assert_phrase(text: &str) {
    assert!(!text.is_empty(), "an error without words");
    assert!(!text.contains(char::is_control), "more than one line of text: {text:?}");
    assert!(text.len() <= MAX_PHRASE, "too long for a message: {text:?}");
}

/// Asserts that an error is one of a closed list of texts, in which `#` stands for a number: such
/// an error quotes nothing.
fn assert_is_one_of(text: &str, known: &[&str]) {
    let mut shape = String::new();
    for character in text.chars() {
        if !character.is_ascii_digit() {
            shape.push(character);
        } else if !shape.ends_with('#') {
            shape.push('#');
        }
    }
    assert!(known.contains(&shape.as_str()), "an error that is not on the list: {text:?}");
}

/// Some beginnings of `text`, each shorter than it: all of a short text, and evenly spread ones of
/// a long text, so that a check stays fast.
fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let step = (text.len() / 64).max(1);
    let odd = text.len() % 64 % step;
    (odd..text.len()).step_by(step).filter_map(|end| text.get(..end))
}
