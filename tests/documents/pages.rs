//! Finds the pages of this repository and their blocks between fences, and tests that they have the
//! markers between which scripts write.

use std::fs;
use std::path::Path;

use crate::program::read;

/// The folders that hold pages. Folders below these are not searched.
const FOLDERS: [&str; 5] = ["", "docs", "reflector", ".github", "packaging/ansible"];

/// The path and the text of each page, sorted by path.
pub fn pages() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) else {
            continue;
        };
        for entry in entries {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                paths.push(Path::new(folder).join(name).to_str().expect("UTF-8").to_owned());
            }
        }
    }
    paths.sort();
    assert!(paths.len() >= 12, "only {paths:?} were found");
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// The pages for users: README.md and docs/.
pub fn guides() -> Vec<(String, String)> {
    let is_guide = |path: &str| path == "README.md" || path.starts_with("docs/");
    pages().into_iter().filter(|(path, _)| is_guide(path)).collect()
}

/// A block between fences.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The line of the first fence, from 1.
    pub line: usize,
    /// The word after the fence, for example `sh`.
    pub language: String,
    /// The text of the comment in the line above.
    pub comment: Option<String>,
    /// The lines without the indentation of the fence.
    pub text: String,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Block)> = None;
    let mut above = "";
    for (number, line) in page.lines().enumerate() {
        let bare = line.trim_start();
        match &mut open {
            Some((indent, block)) => {
                if bare == "```" {
                    found.extend(open.take().map(|(_, block)| block));
                } else {
                    let text = line.get(*indent..).unwrap_or(bare);
                    block.text.extend([text, "\n"]);
                }
            }
            None => {
                if let Some(language) = bare.strip_prefix("```") {
                    let comment = above
                        .trim()
                        .strip_prefix("<!-- ")
                        .and_then(|rest| rest.strip_suffix(" -->"));
                    open = Some((
                        line.len() - bare.len(),
                        Block {
                            line: number + 1,
                            language: language.to_owned(),
                            comment: comment.map(Into::into),
                            text: String::new(),
                        },
                    ));
                }
            }
        }
        above = line;
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    found
}

/// A page without its blocks.
pub fn prose(page: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            text.extend([line, "\n"]);
        }
    }
    text
}

/// The texts between single backquotes outside blocks. A line break in a text becomes a blank.
pub fn inline_code(page: &str) -> Vec<String> {
    let text = prose(page);
    text.split("\n\n")
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
        .map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn blocks_have_their_language_comment_and_text() {
    let page = "Text\n<!-- run -->\n```sh\none\n```\n\n1. Step\n\n   ```json\n   {\n     1\n   }\n   ```\n";
    assert_eq!(
        blocks(page),
        [
            Block {
                line: 3,
                language: "sh".into(),
                comment: Some("run".into()),
                text: "one\n".into(),
            },
            Block { line: 9, language: "json".into(), comment: None, text: "{\n  1\n}\n".into() },
        ]
    );
    assert_eq!(prose("a\n```sh\nb\n```\nc\n"), "a\nc\n");
    assert_eq!(inline_code("`a\n  b` c `d`\n```sh\n`e`\n```\n"), ["a b", "d"]);
}

#[test]
fn pages_have_the_marker_of_each_table_that_a_script_writes() {
    for (script, pages) in [
        ("scripts/build-pi.sh", &["docs/install.md"][..]),
        ("benches/bench.py", &["README.md", "docs/benchmarks.md"]),
    ] {
        let text = read(script);
        let (_, marker) = text.split_once("<!-- ").expect("a marker");
        let (marker, _) = marker.split_once(" -->").expect("its end");
        for page in pages {
            let count = read(page).matches(&format!("<!-- {marker} -->")).count();
            assert_eq!(count, 1, "{page} and {script}: {marker}");
        }
    }
}
