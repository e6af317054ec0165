//! Computes the tables of docs/scale.md: how many machines an AWS account can serve, by simulation,
//! and what a reflector on Lambda costs. Prints the tables. With `--write`, writes them into the
//! page, between the comments with their names. A test compares the page.
//!
//!     cargo run --example scale
//!     cargo run --example scale -- --write

mod cost;
mod fleet;
mod report;
mod throttle;

use std::process::ExitCode;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            for (name, table) in report::tables() {
                println!("{name}:\n\n{table}");
            }
            Ok(())
        }
        ["--write"] => std::fs::read_to_string(PAGE)
            .map_err(|error| error.to_string())
            .and_then(|page| with_tables(&page))
            .and_then(|page| std::fs::write(PAGE, page).map_err(|error| error.to_string())),
        _ => Err("usage: scale [--write]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("scale: {PAGE}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the page with the new tables.
fn with_tables(page: &str) -> Result<String, String> {
    let mut page = page.to_owned();
    for (name, table) in report::tables() {
        let begin = format!("<!-- {name}: written by cargo run --example scale -- --write -->\n");
        let end = format!("<!-- end of {name} -->\n");
        let (Some(from), Some(to)) = (page.find(&begin), page.find(&end)) else {
            return Err(format!("has no comments for the table \"{name}\""));
        };
        page.replace_range(from + begin.len()..to, &table);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_the_printed_tables() {
        let page = std::fs::read_to_string(PAGE).expect("docs/scale.md");
        let expected = with_tables(&page).expect("a place for each table");
        assert!(page == expected, "{PAGE} is out of date: cargo run --example scale -- --write");
    }
}
