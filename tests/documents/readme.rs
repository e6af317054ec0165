//! README.md is short and has its headings in the order in which a new user needs them. The file
//! names that a user types have the current version.

use crate::pages::guides;
use crate::program::read;

#[test]
fn readme_has_at_most_170_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 170, "{lines} lines; move details to docs/");
}

#[test]
fn readme_has_its_headings_in_order() {
    let readme = read("README.md");
    let mut at = 0;
    for heading in [
        "# autodns",
        "- **", // what you get
        "## What it looks like",
        "## Try it",
        "## Quick start",
        "## Configuration",
        "## Other ways to install",
        "## How it works",
        "## When something is wrong",
        "## Coming from another tool",
        "## Fleets",
        "## Size and speed",
        "## Contributing, security, licence",
    ] {
        let found = readme[at..]
            .find(&format!("\n{heading}"))
            .or_else(|| (at == 0 && readme.starts_with(heading)).then_some(0));
        at += found.unwrap_or_else(|| panic!("{heading} is missing or too early"));
    }
    let bullets = readme.split("\n## ").next().unwrap_or_default();
    assert_eq!(bullets.lines().filter(|line| line.starts_with("- **")).count(), 8);
    let (_, start) = readme.split_once("\n## Quick start").expect("the quick start");
    let start = start.split("\n## ").next().unwrap_or_default();
    for (number, step) in ["AWS", "Download", "Install", "Check", "Heartbeat"].iter().enumerate() {
        assert!(start.contains(&format!("\n{}. **{step}", number + 1)), "{step}");
    }
}

#[test]
fn file_names_have_the_current_version() {
    let mut count = 0;
    for (page, text) in guides() {
        for rest in text.split("autodns").skip(1) {
            let Some(rest) = rest.strip_prefix(['-', '_']) else { continue };
            let version: String =
                rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            if version.matches('.').count() < 2 {
                continue;
            }
            assert_eq!(version, env!("CARGO_PKG_VERSION"), "{page}: autodns-{rest:.30}");
            count += 1;
        }
    }
    assert!(count > 5, "{count} file names");
}
