//! The links between the pages of this repository: each leads to a file, and to a heading in it
//! where it names one.

use std::path::Path;

use crate::program::read;

const PAGES: [&str; 6] = [
    "README.md",
    "docs/CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/from-autodns-py.md",
    "docs/scale.md",
    "reflector/README.md",
];

/// The targets of a page's links, in order.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The name by which a heading is linked to: lower case, hyphens for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    let name = heading.trim_start_matches('#').trim().to_lowercase();
    name.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn each_link_within_the_repository_leads_somewhere() {
    let mut count = 0;
    for page in PAGES {
        let text = read(page);
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(page).parent().unwrap();
            let target = if file.is_empty() { page.into() } else { folder.join(file) };
            let target = target.to_str().unwrap();
            let found = read(target);
            let has = |line: &str| line.starts_with('#') && anchor(line) == heading;
            assert!(heading.is_empty() || found.lines().any(has), "{page}: {link}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} links");
}

#[test]
fn a_heading_is_linked_to_as_github_does() {
    assert_eq!(anchor("### On a Raspberry Pi"), "on-a-raspberry-pi");
    assert_eq!(anchor("## From autodns.py: `x_y`"), "from-autodnspy-x_y");
}
