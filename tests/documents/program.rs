//! What the pages must name: the options in the help texts, and the variables that the source
//! reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use autodns::parts::{CHECK_HELP, HELP, POLICY_HELP};

/// The texts of `--help`.
pub const HELPS: [&str; 3] = [HELP, CHECK_HELP, POLICY_HELP];

/// The options in a text, as in `--dry-run` and `-n`.
pub fn options(text: &str) -> Vec<&str> {
    text.split(|c: char| c.is_whitespace() || "[],|;'\"()".contains(c))
        .filter(|word| word.starts_with('-'))
        .map(|word| word.split('=').next().unwrap_or(word))
        .filter(|word| word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic()))
        .collect()
}

/// The text of a file of this repository.
pub fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path, relative to src/, and the text of each source file.
pub fn source() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (Vec::new(), vec![src.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file of the source");
            files.push((path.strip_prefix(&src).expect("a file in src/").into(), text));
        }
    }
    files
}

/// The environment variables that the program reads. In the source they are the strings of
/// capitals with a `_`. `HOME` has no `_`, so it is not included: it is not a setting of this
/// program.
pub fn variables() -> BTreeSet<String> {
    let mut variables = BTreeSet::new();
    for (_, text) in source() {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        variables.extend(program.split('"').filter(|word| is_variable(word)).map(Into::into));
    }
    assert!(variables.len() > 15, "only {variables:?} were found in src/");
    variables
}

/// Whether `word` has the form of an environment variable that the program reads. `CARGO_…` is
/// read when the program is built. The program sets `AUTODNS_…` for the user's commands.
pub fn is_variable(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.contains('_')
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !word.starts_with("CARGO_")
        && !word.starts_with("AUTODNS_")
}

#[test]
fn only_names_of_variables_are_variables() {
    for (word, expected) in [
        ("AWS_REGION", true),
        ("AWS_ENDPOINT_URL_ROUTE_53", true),
        ("NO_PROXY", true),
        ("no_proxy", false),
        ("UPSERT", false),
        ("CARGO_PKG_VERSION", false),
        ("AUTODNS_FAMILY", false),
        ("AWS_REGION is", false),
        ("_", false),
    ] {
        assert_eq!(is_variable(word), expected, "{word}");
    }
}
