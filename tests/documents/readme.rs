//! The README's tables of keys and of variables.

use std::collections::BTreeSet;

use autodns::parts::KEYS;

use crate::program::{is_variable, read, variables};

/// What is under a heading, up to the next one of the same rank or a higher one.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let rank = heading.split(' ').next().unwrap().len();
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &text[start + heading.len() + 2..];
    let end = (1..=rank)
        .filter_map(|rank| body.find(&format!("\n{} ", "#".repeat(rank))))
        .min()
        .unwrap_or(body.len());
    &body[..end]
}

/// What stands between backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_table_of_keys_has_each_key_in_the_programs_order() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| key | meaning |\n|---|---|\n").expect("the table");
    let keys: Vec<&str> = table
        .lines()
        .map_while(|row| row.strip_prefix("| `")?.split_once("` |"))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, [KEYS, &[]].concat());
}

#[test]
fn the_variables_are_those_that_the_program_reads() {
    let readme = read("README.md");
    let text =
        format!("{}{}", section(&readme, "### Credentials"), section(&readme, "### Environment"));
    let named: BTreeSet<String> = code(&text)
        .map(|word| word.split('=').next().unwrap_or_default())
        .filter(|word| is_variable(word))
        .map(Into::into)
        .collect();
    assert_eq!(named, variables());
}
