//! A room of src/ may import only rooms below it in the list of src/lib.rs. These tests read that
//! list from the source and must not repeat it.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::{read, source};

/// The rooms in the order of src/lib.rs, from the top down, and the leaves.
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
        used.extend(imported_rooms(&text));
        used.remove(first);
    }
    imports
}

/// The name after each `crate::`, or each name in a list after it.
fn imported_rooms(text: &str) -> Vec<String> {
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
            assert!(is_below, "{room} imports {other}, which is not below it");
        }
    }
}

#[test]
fn leaves_have_no_circular_imports() {
    // Removes the leaves that import no remaining leaf, again and again. A circle always remains.
    let (_, mut remaining) = rooms();
    let imports = imports();
    while !remaining.is_empty() {
        let is_free = |leaf: &String| imports[leaf].iter().all(|other| !remaining.contains(other));
        let free: Vec<String> = remaining.iter().filter(|leaf| is_free(leaf)).cloned().collect();
        assert!(!free.is_empty(), "a circle among {remaining:?}");
        remaining.retain(|leaf| !free.contains(leaf));
    }
}

#[test]
fn every_form_of_import_is_read() {
    let text = "use crate::aws::{self, Aws};\nuse crate::{address, config::Config};\nlet a = \
                crate::retry::random();";
    let names: BTreeSet<String> = imported_rooms(text).into_iter().collect();
    assert_eq!(names, ["address", "aws", "config", "retry"].map(Into::into).into());
}
