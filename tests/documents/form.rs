//! The form of the files in src/: how wide a line and how long a file may be, and that each file
//! says what it owns. rustfmt does not wrap comments.

use crate::program::source;

const MAX_COLUMNS: usize = 100;
/// Without its tests.
const MAX_LINES: usize = 350;

#[test]
fn every_line_fits_into_100_columns() {
    for (path, text) in source() {
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            assert!(columns <= MAX_COLUMNS, "{}:{}: {columns}", path.display(), index + 1);
        }
    }
}

#[test]
fn every_file_has_at_most_350_lines_without_tests() {
    for (path, text) in source() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines}", path.display());
    }
}

#[test]
fn every_file_begins_with_its_purpose() {
    for (path, text) in source() {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}
