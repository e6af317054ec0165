//! Replays the corpora of the fuzz targets, tests/fuzz/corpus/, through the checks of the fuzzer.
//! Each input is realistic or has broken a parser before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "fuzz/src/lib.rs"]
mod checks;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The names in a folder, without `.rs`.
fn names_in(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .map(|name| name.strip_suffix(".rs").map_or(name.clone(), Into::into))
        .collect()
}

#[test]
fn each_corpus_input_passes_its_check() {
    for (target, _) in checks::CHECKS {
        let folder = fuzz().join("corpus").join(target);
        let inputs = names_in(&folder);
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        for input in inputs {
            let path = folder.join(input);
            let data =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // A panic names the check that failed. This line names the input.
            eprintln!("{}", path.display());
            checks::check(target, &data);
        }
    }
}

/// A check without a target, a target without a corpus or a corpus without a replay would test
/// nothing and still pass.
#[test]
fn each_fuzz_target_has_a_check_and_a_corpus() {
    let checks: BTreeSet<String> = checks::CHECKS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(names_in(&fuzz().join("corpus")), checks);
    assert_eq!(names_in(&fuzz().join("fuzz_targets")), checks);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for name in &checks {
        let path = fuzz().join("fuzz_targets").join(format!("{name}.rs"));
        let target = fs::read_to_string(&path).expect("a target");
        assert!(target.contains(&format!("check(\"{name}\", data)")), "{}", path.display());
        let entry = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&entry), "tests/fuzz/Cargo.toml lacks {name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), checks.len());
}

/// The fuzz targets must use the same library versions as the program.
#[test]
fn fuzz_targets_use_the_library_versions_of_the_program() {
    let packages = |lock: PathBuf| -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(&lock).unwrap_or_else(|e| panic!("{}: {e}", lock.display()));
        let value = |line: Option<&str>| line.and_then(|l| l.split('"').nth(1)).map(str::to_owned);
        text.split("[[package]]\n")
            .filter_map(|entry| {
                let mut lines = entry.lines();
                value(lines.next()).zip(value(lines.next()))
            })
            .collect()
    };
    let ours = packages(fuzz().join("../../Cargo.lock"));
    let fuzzed = packages(fuzz().join("Cargo.lock"));
    assert!(ours.len() > 50 && fuzzed.len() > 50, "the lock files could not be read");
    for (name, version) in fuzzed {
        let known = ours.iter().any(|(other, _)| *other == name);
        assert!(
            !known || ours.contains(&(name.clone(), version.clone())),
            "tests/fuzz/Cargo.lock has {name} {version}, and Cargo.lock has another version; to \
             fix it: cp Cargo.lock tests/fuzz/ && cargo metadata --manifest-path \
             tests/fuzz/Cargo.toml >/dev/null"
        );
    }
}
