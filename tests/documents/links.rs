//! The links and the paths in the pages of this repository. The file of each must exist, and the
//! heading, if the link names one.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::pages::{inline_code, pages, prose};
use crate::program::read;

/// The pages of GitHub that are not files of the repository.
const GITHUB: [&str; 3] = ["releases/latest", "issues/new/choose", "security/advisories/new"];

/// The targets of a page's links, in order.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The anchor that GitHub makes for a heading: lower case, hyphens for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    let name = heading.trim_start_matches('#').trim().to_lowercase();
    name.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The path without `..`. `None` if it leaves the repository.
fn within(path: &Path) -> Option<PathBuf> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !parts.pop() {
                    return None;
                }
            }
            part => parts.push(part),
        }
    }
    Some(parts)
}

/// The error in a link of this page, if any.
fn link_error(page: &str, text: &str, link: &str) -> Option<String> {
    let folder = Path::new(page).parent().unwrap();
    // GitHub shows a page at /OWNER/NAME/blob/BRANCH/PAGE.
    let up = "../".repeat(folder.components().count() + 2);
    if let Some(place) = link.strip_prefix(&up) {
        return (!GITHUB.contains(&place)).then(|| "GitHub has no such page".into());
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.into() } else { folder.join(file) };
    let Some(target) = within(&target) else {
        return Some("it leaves the repository".into());
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target);
    if !path.exists() {
        return Some("there is no such file".into());
    }
    if heading.is_empty() {
        return None;
    }
    let found = if file.is_empty() { text.into() } else { read(target.to_str().unwrap()) };
    let found = prose(&found);
    let has = |line: &str| line.starts_with('#') && anchor(line) == heading;
    (!found.lines().any(has)).then(|| "there is no such heading".into())
}

#[test]
fn link_within_the_repository_has_a_target() {
    let mut count = 0;
    for (page, text) in pages() {
        for link in links(&prose(&text)).filter(|link| !link.contains("://")) {
            if let Some(error) = link_error(&page, &text, link) {
                panic!("{page}: {link}: {error}");
            }
            count += 1;
        }
    }
    assert!(count > 80, "{count} links");
}

#[test]
fn each_page_is_reachable_from_the_readme() {
    let all = pages();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut next = vec!["README.md".to_owned()];
    while let Some(page) = next.pop() {
        let Some((_, text)) = all.iter().find(|(path, _)| *path == page) else { continue };
        for link in links(text).filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap_or_default();
            let target = within(&Path::new(&page).parent().unwrap().join(file));
            let Some(target) = target.and_then(|path| Some(path.to_str()?.to_owned())) else {
                continue;
            };
            if reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    for (page, _) in all {
        assert!(reached.contains(&page), "no link leads from README.md to {page}");
    }
}

#[test]
fn each_path_in_a_page_exists() {
    let top = [
        "docs/",
        "scripts/",
        "src/",
        "tests/",
        "schema/",
        "packaging/",
        "reflector/",
        "benches/",
        "cloudformation/",
        ".github/",
        ".ci/",
    ];
    let mut count = 0;
    for (page, text) in pages() {
        // CHANGELOG.md names paths that no longer exist.
        if page == "CHANGELOG.md" {
            continue;
        }
        for code in inline_code(&text) {
            let path = code.split(' ').next().unwrap_or_default();
            if !top.iter().any(|folder| path.starts_with(folder)) || path.contains(['*', '<', '…'])
            {
                continue;
            }
            let path = path.trim_end_matches([',', ';']);
            let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
            assert!(exists, "{page}: there is no {path}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} paths");
}

#[test]
fn anchor_is_the_one_github_makes() {
    assert_eq!(anchor("### On a Raspberry Pi"), "on-a-raspberry-pi");
    assert_eq!(anchor("## From autodns.py: `x_y`"), "from-autodnspy-x_y");
}

#[test]
fn link_without_a_target_is_reported() {
    for (page, link, is_error) in [
        ("README.md", "docs/aws.md", false),
        ("README.md", "docs/nothing.md", true),
        ("README.md", "docs/aws.md#rotate-a-key", false),
        ("README.md", "docs/aws.md#no-such-heading", true),
        ("README.md", "../../releases/latest", false),
        ("docs/aws.md", "../../../releases/latest", false),
        ("docs/aws.md", "../../releases/latest", true),
        ("README.md", "../../no/such/page", true),
    ] {
        assert_eq!(link_error(page, "", link).is_some(), is_error, "{page}: {link}");
    }
}
