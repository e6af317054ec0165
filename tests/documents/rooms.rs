//! Which room of src/ may import which: each only what stands below it in the list of src/lib.rs.
//! Reads the source; it must not repeat that list.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::{read, source};

/// The rooms from the top down, as src/lib.rs lists them, and the leaves.
fn rooms() -> (Vec<String>, BTreeSet<String>) {
    let map = read("src/lib.rs");
    let lines = map.lines().filter_map(|line| line.strip_prefix("//! "));
    let (mut rooms, mut leaves, mut in_leaves) = (Vec::new(), BTreeSet::new(), false);
    for line in lines {
        let item = line.strip_prefix("* ");
        in_leaves = item.map_or(in_leaves, |item| item.starts_with("The leaves"));
        let mut names = line.split('`').skip(1).step_by(2).map(str::to_owned);
        match item {
            _ if in_leaves => leaves.extend(names),
            Some(item) if item.starts_with('`') => rooms.extend(names.next()),
            _ => {}
        }
    }
    assert!(rooms.len() > 6 && leaves.len() > 6, "{rooms:?} {leaves:?}");
    (rooms, leaves)
}

/// Each room with the rooms that its files import.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut imports = BTreeMap::new();
    for (path, text) in source() {
        let path = path.with_extension("");
        let first = path.iter().next().expect("its room").to_str().expect("UTF-8");
        if matches!(first, "main" | "lib") {
            continue;
        }
        let used: &mut BTreeSet<String> = imports.entry(first.to_owned()).or_default();
        used.extend(names_of_rooms(&text));
        used.remove(first);
    }
    imports
}

/// The first name behind each `crate::`, and each name of a list behind it.
fn names_of_rooms(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    text.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                list.split(',').map(name).collect()
            }
            None => vec![name(rest)],
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn room_imports_only_rooms_below_it() {
    let (rooms, leaves) = rooms();
    let rank = |name: &str| rooms.iter().position(|room| room == name);
    let imports = imports();
    let known: BTreeSet<&String> = rooms.iter().chain(&leaves).collect();
    assert_eq!(imports.keys().collect::<BTreeSet<_>>(), known, "src/lib.rs lists every room");
    for (room, used) in &imports {
        for other in used {
            let is_below = match (rank(room), rank(other)) {
                (Some(own), Some(other)) => own < other,
                (Some(_), None) => leaves.contains(other),
                (None, Some(_)) => false,
                (None, None) => true,
            };
            assert!(is_below, "{room} imports {other}, which does not stand below it");
        }
    }
}

#[test]
fn leaves_have_no_circular_imports() {
    let (_, mut open) = rooms();
    let imports = imports();
    while !open.is_empty() {
        let free = |leaf: &String| imports[leaf].iter().all(|other| !open.contains(other));
        let done: Vec<String> = open.iter().filter(|leaf| free(leaf)).cloned().collect();
        assert!(!done.is_empty(), "a circle among {open:?}");
        open.retain(|leaf| !done.contains(leaf));
    }
}

#[test]
fn every_form_of_import_is_read() {
    let text = "use crate::aws::{self, Aws};\nuse crate::{address, config::Config};\nlet a = \
                crate::retry::random();";
    let names: BTreeSet<String> = names_of_rooms(text).into_iter().collect();
    assert_eq!(names, ["address", "aws", "config", "retry"].map(Into::into).into());
}
