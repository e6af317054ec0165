//! The commands in the pages. Each block names the test that runs it, or the reason why no test
//! can. Blocks marked `<!-- run -->` are run here, without a network. Each option in a page must
//! exist in the program or in the script.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use autodns::parts::KEYS;

use crate::pages::{Block, blocks, guides, inline_code, pages};
use crate::program::{HELPS, options, read};

/// What runs a block of commands.
#[derive(Debug, PartialEq, Eq)]
enum Runner {
    ThisTest,
    /// The files or folders of the tests, and a text that they must contain, if the page names one.
    Tests(Vec<String>, Option<String>),
    /// No test runs the block, for this reason.
    None(String),
    /// No test runs the block until the program has this configuration key.
    NoneUntilKey(String),
}

fn runner(block: &Block) -> Option<Runner> {
    let comment = block.comment.as_deref()?;
    if comment == "run" {
        return Some(Runner::ThisTest);
    }
    if let Some(key) = comment.strip_prefix("not run yet: comes with ") {
        return Some(Runner::NoneUntilKey(key.into()));
    }
    if let Some(reason) = comment.strip_prefix("not run: ") {
        return (reason.len() > 15).then(|| Runner::None(reason.into()));
    }
    // A remark for the reader may follow in brackets.
    let rest = comment.strip_prefix("run by ")?.split(" (").next()?;
    let (paths, part) = match rest.split_once(": ") {
        Some((paths, part)) => (paths, Some(part.to_owned())),
        None => (rest, None),
    };
    Some(Runner::Tests(paths.split(" and ").map(Into::into).collect(), part))
}

/// The text of a file, or of all files in a folder.
fn text_of(path: &str) -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if !place.is_dir() {
        return read(path);
    }
    let entries = fs::read_dir(&place).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    files.map(|file| fs::read_to_string(file).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The commands of a block: the name of each program and its long options.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let wrapper =
                |word: &&&str| matches!(**word, "sudo" | "-u" | "autodns") || word.contains('=');
            let program = if words[0] == "sudo" {
                words.iter().find(|word| !wrapper(word))?
            } else {
                &words[0]
            };
            let name = program.rsplit('/').next()?.trim_start_matches('(').to_owned();
            let options = words.iter().filter(|word| word.starts_with("--") && word.len() > 2);
            let options = options.map(|word| word.split('=').next().unwrap_or(word).to_owned());
            Some((name, options.collect()))
        })
        .collect()
}

#[test]
fn each_shell_block_names_its_test_or_the_reason_for_none() {
    let mut count = 0;
    for (page, text) in pages() {
        if page == "CHANGELOG.md" {
            continue;
        }
        for block in blocks(&text).iter().filter(|block| block.language == "sh") {
            let place = format!("{page}:{}", block.line);
            let runner = runner(block).unwrap_or_else(|| {
                panic!(
                    "{place}: the line above must say what runs this block: <!-- run -->, \
                     <!-- run by FILE: PART -->, or <!-- not run: REASON -->"
                )
            });
            if let Runner::NoneUntilKey(key) = &runner {
                assert!(
                    !KEYS.contains(&key.as_str()),
                    "{place}: the program has the key {key} now: name the test that runs this"
                );
            }
            if let Runner::Tests(paths, part) = runner {
                let tests: String = paths.iter().map(|path| text_of(path)).collect();
                if let Some(part) = &part {
                    assert!(tests.contains(part.as_str()), "{place}: {paths:?} has no {part}");
                }
                let name = page.rsplit('/').next().unwrap_or(&page);
                // A test that reads the page runs the commands of the page. Any other test must
                // contain the same commands.
                let reads = page != "README.md" && tests.contains(name);
                for (program, options) in commands(&block.text) {
                    for word in [vec![program], options].concat() {
                        assert!(reads || tests.contains(&word), "{place}: {paths:?} lacks {word}");
                    }
                }
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count} blocks of commands");
}

#[test]
fn blocks_marked_run_succeed() {
    let root = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_autodns");
    symlink(program, root.path().join("autodns")).expect("a link");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/autodns.json");
    let mut count = 0;
    for (page, text) in guides() {
        for block in blocks(&text).iter().filter(|block| runner(block) == Some(Runner::ThisTest)) {
            let folder = tempfile::tempdir().expect("a folder");
            fs::copy(&example, folder.path().join("autodns.json")).expect("the example");
            let run = Command::new("/bin/sh")
                .args(["-euc", &block.text])
                .env_clear()
                .env("PATH", format!("{}:/usr/bin:/bin", root.path().display()))
                .env("HOME", folder.path())
                .current_dir(folder.path())
                .output()
                .expect("sh runs");
            let place = format!("{page}:{}", block.line);
            assert!(run.status.success() && run.stderr.is_empty(), "{place}: {run:?}");
            assert!(!run.stdout.is_empty(), "{place}: nothing was printed");
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} blocks were run");
}

#[test]
fn commands_are_between_fences() {
    let programs =
        ["autodns", "aws", "cargo", "curl", "git", "scp", "scripts", "ssh", "sudo", "tar"];
    for (page, text) in guides() {
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            inside ^= line.trim_start().starts_with("```");
            let first = line.trim_start().split([' ', '/']).next().unwrap_or_default();
            let code = !inside && line.starts_with("    ") && programs.contains(&first);
            assert!(!code, "{page}:{}: put this command between fences: {line}", number + 1);
        }
    }
}

#[test]
fn options_in_pages_exist_in_program_and_scripts() {
    let help = HELPS.join("\n");
    let known = options(&help);
    let mut count = 0;
    for (page, text) in guides() {
        let blocks = blocks(&text);
        let lines = blocks.iter().filter(|block| block.language == "sh");
        let lines = lines.flat_map(|block| block.text.lines().map(Into::into));
        for line in inline_code(&text).into_iter().chain(lines) {
            // The line may set variables before the command.
            let first = line.split(' ').find(|word| !word.contains('=')).unwrap_or_default();
            let name = first.rsplit('/').next().unwrap_or_default();
            // In a pipe or a list only the options of the first command are compared.
            let command = line.split([';', '&', '|', '#', '>']).next().unwrap_or_default();
            let path = match (first, name) {
                (_, "autodns") => None,
                (_, "deploy-pi.sh") => Some("scripts/deploy-pi.sh".to_owned()),
                (first, _) if first.starts_with("scripts/") && first.contains(".sh") => {
                    Some(first.to_owned())
                }
                _ => continue,
            };
            let script = path.map(|path| text_of(&path));
            for option in options(command) {
                let exists = match &script {
                    None => known.contains(&option),
                    Some(script) => {
                        script.is_empty()
                            || script.contains(option)
                            || text_of("benches").contains(option)
                    }
                };
                assert!(exists, "{page}: {line}: there is no {option}");
                count += 1;
            }
        }
    }
    assert!(count > 15, "{count} options");
}

#[test]
fn comment_above_a_block_names_its_runner() {
    let block = |comment: &str| Block { comment: Some(comment.into()), ..Block::default() };
    let tests = |paths: &[&str], part: Option<&str>| {
        let paths = paths.iter().map(ToString::to_string).collect();
        Some(Runner::Tests(paths, part.map(Into::into)))
    };
    for (comment, expected) in [
        ("run", Some(Runner::ThisTest)),
        ("run by a.sh and b", tests(&["a.sh", "b"], None)),
        ("run by a.sh: main (twice)", tests(&["a.sh"], Some("main"))),
        ("not run: needs an AWS account", Some(Runner::None("needs an AWS account".into()))),
        ("not run: no", None),
        ("not run yet: comes with k", Some(Runner::NoneUntilKey("k".into()))),
        ("something else", None),
    ] {
        assert_eq!(runner(&block(comment)), expected, "{comment}");
    }
    assert_eq!(runner(&Block::default()), None);
    assert_eq!(
        commands(
            "sudo -u autodns /usr/bin/autodns check --alert a \\\n    --json=x # it --x\n\nls\n"
        ),
        [
            ("autodns".to_owned(), vec!["--alert".to_owned(), "--json".to_owned()]),
            ("ls".to_owned(), vec![])
        ]
    );
}
