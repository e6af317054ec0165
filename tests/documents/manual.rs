//! The manual pages: their options, commands, variables, exit statuses and keys are the program's.

use std::collections::BTreeSet;

use autodns::parts::KEYS;
use autodns::parts::Status;
use autodns::parts::{CHECK_HELP, COMMANDS, HELP, POLICY_HELP};

use crate::program::{read, variables};

/// The words of the items of a section (mdoc's `.It MACRO word , word`), without commas.
fn items(page: &str, section: &str, macro_name: &str) -> Vec<String> {
    let start = format!("\n.Sh {section}\n");
    let (_, body) = page.split_once(&start).unwrap_or_else(|| panic!("no section {section}"));
    let body = body.split("\n.Sh ").next().unwrap_or_default();
    let prefix = if macro_name.is_empty() { ".It ".into() } else { format!(".It {macro_name} ") };
    body.lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .flat_map(|line| line.split(' ').take_while(|word| *word != "Ar"))
        .filter(|word| *word != ",")
        .map(Into::into)
        .collect()
}

fn set(words: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    words.into_iter().map(Into::into).collect()
}

const HELPS: [&str; 3] = [HELP, CHECK_HELP, POLICY_HELP];

/// The options in the texts of `--help`, as in `-n` and `--dry-run`.
fn options_of_help() -> BTreeSet<String> {
    let separates = |c: char| c.is_whitespace() || "[],|;".contains(c);
    let words = HELPS.into_iter().flat_map(|help| help.split(separates));
    let is_option = |word: &&str| {
        let name = word.trim_start_matches('-');
        word.starts_with('-') && name.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    set(words.filter(is_option))
}

/// The numbers under a heading, where each begins a line, behind `before`.
fn statuses(text: &str, heading: &str, before: &str) -> BTreeSet<String> {
    let (_, body) = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let lines = body.lines().skip_while(|line| !line.starts_with(before));
    let lines = lines.take_while(|line| line.starts_with(before));
    set(lines.filter_map(|line| {
        let number = line.strip_prefix(before)?.trim_start().split(' ').next()?;
        number.parse::<u8>().ok().map(|number| number.to_string())
    }))
}

#[test]
fn manual_has_the_options_of_the_help() {
    let items = items(&read("packaging/man/autodns.1"), "OPTIONS", "Fl");
    let options = set(items.iter().map(|name| format!("-{name}")));
    assert_eq!(options, options_of_help());
    assert!(options.contains("-n") && options.contains("--deadline"), "{options:?}");
}

#[test]
fn synopsis_has_each_option() {
    let page = read("packaging/man/autodns.1");
    let (_, synopsis) = page.split_once("\n.Sh SYNOPSIS\n").expect("the synopsis");
    let synopsis = synopsis.split("\n.Sh ").next().unwrap_or_default();
    let flags: Vec<&str> = synopsis
        .lines()
        .filter_map(|line| line.split_once("Fl "))
        .flat_map(|(_, flags)| flags.split([' ', '|', ',']))
        .collect();
    // An option that has a letter is there by it alone, with others behind one hyphen or not.
    let lines = HELPS.into_iter().flat_map(str::lines);
    for line in lines.filter(|line| line.starts_with("  -")) {
        let name = line.trim_start().trim_start_matches('-');
        let long = line.trim_start().starts_with("--");
        let name = name.split([' ', ',']).next().unwrap_or_default();
        let has = |flag: &&str| match flag.strip_prefix('-') {
            Some(flag) => long && flag == name,
            None => !long && flag.contains(name),
        };
        assert!(flags.iter().any(has), "{line} is not in {flags:?}");
    }
}

#[test]
fn manual_has_the_commands_of_the_program() {
    assert_eq!(items(&read("packaging/man/autodns.1"), "DESCRIPTION", "Cm"), COMMANDS);
    for command in COMMANDS {
        assert!(HELP.contains(&format!("autodns {command}")), "{command}");
    }
}

#[test]
fn manual_has_each_variable_that_the_program_reads() {
    assert_eq!(set(items(&read("packaging/man/autodns.1"), "ENVIRONMENT", "Ev")), variables());
}

#[test]
fn each_page_has_the_exit_statuses_of_the_program() {
    let statuses_of_program =
        set([Status::Right, Status::Failed, Status::NotTried].map(|s| (s as u8).to_string()));
    assert_eq!(
        set(items(&read("packaging/man/autodns.1"), "EXIT STATUS", "")),
        statuses_of_program
    );
    assert_eq!(statuses(HELP, "Exit status:\n", "  "), statuses_of_program);
    let page = read("docs/configuration.md");
    assert_eq!(statuses(&page, "\n## Exit status\n", "|"), statuses_of_program);
}

#[test]
fn manual_has_each_key_in_the_order_of_the_program() {
    assert_eq!(items(&read("packaging/man/autodns.json.5"), "DESCRIPTION", "Li"), KEYS);
}
