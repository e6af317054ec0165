//! Compares the options, commands, variables, exit statuses and keys in the manual pages with those
//! of the program.

use std::collections::BTreeSet;

use autodns::parts::{COMMANDS, HELP, KEYS, Status};

use crate::program::{HELPS, options, read, variables};

/// The words in the items of a section, which mdoc writes as `.It MACRO word , word`.
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

/// The numbers under a heading that follow `before` at the beginning of a line.
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
    let seen = set(items.iter().map(|name| format!("-{name}")));
    assert_eq!(seen, set(options(&HELPS.join("\n"))));
    assert!(seen.contains("-n") && seen.contains("--deadline"), "{seen:?}");
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
    // The synopsis names an option by its letter if it has one, alone or with others, as in `-nv`.
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
