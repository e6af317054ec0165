//! Checks that every parser of foreign input must pass with any input: one function per parser,
//! which panics if the parser is wrong. The fuzz targets call them, and tests/corpora.rs calls them
//! with the inputs of the corpora. Must not produce inputs.
//!
//! To add a parser, add a function here and its row in [`CHECKS`], a target of that name in
//! `fuzz_targets/` and Cargo.toml, and a folder of that name in `corpus/`. tests/corpora.rs fails
//! if one of them is missing.

mod address;
mod aws;
mod config;
mod credentials;
mod transport;
mod xml;

/// Takes any bytes, and panics if the parser is wrong about them.
pub type Check = fn(&[u8]);

/// The name of each target and its check.
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
/// If the check fails, or if there is no check of that name.
pub fn check(name: &str, data: &[u8]) {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).expect("a known check");
    check(data);
}

/// The maximum length of a phrase in an error, in bytes: a quote of 300 characters of four bytes
/// each, and the words of autodns.
const MAX_PHRASE: usize = 300 * 4 + 300;

/// Asserts that `text` can be a part of a message, which is one line.
fn assert_phrase(text: &str) {
    assert!(!text.is_empty(), "an error without words");
    assert!(!text.contains(char::is_control), "control characters in a message: {text:?}");
    assert!(text.len() <= MAX_PHRASE, "too long for a message: {text:?}");
}

/// Asserts that an error is in a list of texts, in which `#` stands for a number. Such an error
/// quotes no input.
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

/// Returns beginnings of `text` that are shorter than it: all of a short text, and evenly spread
/// ones of a long text, so that a check stays fast.
fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let step = (text.len() / 64).max(1);
    let odd = text.len() % 64 % step;
    (odd..text.len()).step_by(step).filter_map(|end| text.get(..end))
}
