//! schema/autodns.schema.json describes each configuration key once. The table in
//! docs/configuration.md and the list in autodns.json(5) are generated from it. If
//! `AUTODNS_WRITE_PAGES` is set, these tests write both again.

use std::fs;
use std::path::Path;

use autodns::parts::KEYS;
use serde_json::Value;

use crate::program::read;

const SCHEMA: &str = "schema/autodns.schema.json";
const PAGE: &str = "docs/configuration.md";
const MANUAL: &str = "packaging/man/autodns.json.5";

/// Each key with its description in Markdown, in the order of the program.
fn meanings() -> Vec<(&'static str, String)> {
    let schema: Value = serde_json::from_str(&read(SCHEMA)).expect("JSON");
    let meaning = |key| {
        let text = schema["properties"][key]["markdownDescription"].as_str();
        text.unwrap_or_else(|| panic!("{SCHEMA}: {key} has no markdownDescription"))
    };
    KEYS.iter().map(|&key| (key, meaning(key).to_owned())).collect()
}

/// The text of `path` with `part` between the lines `begin` and `end`.
fn with_part(path: &str, begin: &str, end: &str, part: &str) -> String {
    let text = read(path);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{path}: no {begin}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{path}: no {end}"));
    format!("{before}{begin}{part}{end}{after}")
}

/// Fails unless the page has this text. Writes the page first if `AUTODNS_WRITE_PAGES` is set.
fn assert_current(path: &str, expected: &str) {
    if std::env::var_os("AUTODNS_WRITE_PAGES").is_some() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::write(place, expected).expect("the page is written");
    }
    assert!(
        read(path) == expected,
        "{path} differs from {SCHEMA}; write the page again with AUTODNS_WRITE_PAGES=1 cargo test \
         --locked --test documents keys::"
    );
}

/// Converts sentences in Markdown to mdoc(7). A text between backquotes becomes a literal, and each
/// sentence begins a line.
fn mdoc(markdown: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = markdown;
    while let Some((before, code_and_rest)) = rest.split_once('`') {
        let (code, after) = code_and_rest.split_once('`').expect("a closing backquote");
        let opening = if before.ends_with('(') { "( " } else { "" };
        push_text(&mut lines, before.trim_end_matches('('));
        let closing = after.len() - after.trim_start_matches([',', '.', ';', ':', ')']).len();
        let (closing, after) = after.split_at(closing);
        let closing: String = closing.chars().flat_map(|c| [' ', c]).collect();
        let code = code.replace('"', "\\(dq");
        lines.push(format!(".Li {opening}\"{code}\"{closing}"));
        rest = after;
    }
    push_text(&mut lines, rest);
    lines.join("\n")
}

/// Adds a line per sentence. A sentence longer than 78 characters becomes several lines.
fn push_text(lines: &mut Vec<String>, text: &str) {
    for sentence in text.trim().replace(". ", ".\n").lines() {
        let mut line = String::new();
        for word in sentence.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > 78 {
                lines.push(std::mem::take(&mut line));
            }
            let space = if line.is_empty() { "" } else { " " };
            line = line + space + word;
        }
        lines.extend(Some(line).filter(|line| !line.is_empty()));
    }
}

#[test]
fn table_of_keys_is_generated_from_the_schema() {
    let row = |(key, meaning): &(&str, String)| format!("| `{key}` | {meaning} |\n");
    let rows: Vec<String> = meanings().iter().map(row).collect();
    let table = format!("| key | meaning |\n|---|---|\n{}", rows.concat());
    let expected = with_part(PAGE, "<!-- keys: begin -->\n", "<!-- keys: end -->", &table);
    assert_current(PAGE, &expected);
}

#[test]
fn list_of_keys_is_generated_from_the_schema() {
    let item = |(key, meaning): &(&str, String)| format!(".It Li {key}\n{}\n", mdoc(meaning));
    let items: Vec<String> = meanings().iter().map(item).collect();
    let expected = with_part(MANUAL, ".\\\" keys: begin\n", ".\\\" keys: end\n", &items.concat());
    assert_current(MANUAL, &expected);
}

#[test]
fn description_is_the_markdown_without_backquotes() {
    let schema: Value = serde_json::from_str(&read(SCHEMA)).expect("JSON");
    for (key, meaning) in meanings() {
        let plain = schema["properties"][key]["description"].as_str();
        assert_eq!(plain, Some(meaning.replace('`', "").as_str()), "{key}");
    }
}

#[test]
fn markdown_becomes_mdoc() {
    for (markdown, expected) in [
        ("Plain. Two.", "Plain.\nTwo."),
        ("A `b`, c.", "A\n.Li \"b\" ,\nc."),
        ("An (`b`).", "An\n.Li ( \"b\" ) ."),
        ("`[\"A\"]` it is.", ".Li \"[\\(dqA\\(dq]\"\nit is."),
    ] {
        assert_eq!(mdoc(markdown), expected, "{markdown}");
    }
}
