//! The outputs that README.md and docs/ show. Each block below `<!-- output: NAME -->` is the
//! output of a real run, with the names of an ordinary installation in place of those of the test.
//!
//! After a change of messages, update the blocks:
//!
//!     AUTODNS_WRITE_PAGES=1 cargo test --locked --test integration pages::

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::clock;
use crate::support::fake_aws::key_section;
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::Response;
use crate::support::sandbox::Run;

const PAGES: [&str; 3] = ["README.md", "docs/configuration.md", "docs/troubleshooting.md"];
const WIDTH: usize = 98;
/// The path of the second source.
const SECOND: &str = "/second";
/// The indentation of a row of `check` that continues on the next line of a page.
const ROW_INDENT: usize = 25;

/// An installation as deploy-pi.sh makes it, with two sources that are shown as the default ones.
fn installation() -> Fixture {
    let mut fixture = Fixture::new();
    let first = fixture.reflector.server().url("reflect.example.net");
    let second = fixture.reflector.server().url("reflect2.example.net") + SECOND;
    fixture.configure(|config| config["reflect_url"] = json!([format!("{first}/"), second]));
    for path in ["/", SECOND] {
        fixture.reflector.at(path, Response::text("192.175.48.7\n"));
    }
    fixture.remove_from_config("alert_lock");
    fixture.unset_credentials();
    fixture.sandbox.write("credentials", key_section("default"));
    for file in ["autodns.json", "credentials"] {
        fixture.sandbox.set_mode(file, 0o600);
    }
    fixture.sandbox.placeholder(&second, "https://icanhazip.com");
    fixture.sandbox.hosts("192.175.48.1 home.example.com");
    fixture
}

fn unavailable() -> Response {
    Response::new(503, "text/plain", "Service Unavailable")
}

/// Replaces the names and addresses of the test by those of an ordinary installation.
fn as_shown(fixture: &Fixture, text: &str) -> String {
    let text = clock::with_placeholders(&fixture.sandbox.with_placeholders(text));
    // Whether a command begins with `sudo` depends on the user who runs this test.
    let text: String = text
        .lines()
        .map(|line| match line.split_once("{program}") {
            Some((before, rest)) if before.trim_start().starts_with("sudo ") => {
                format!("  {{program}}{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let mut shown = String::new();
    for (index, part) in text.split(" ms").enumerate() {
        if index > 0 {
            shown.push_str("41 ms");
        }
        shown.push_str(part.trim_end_matches(|c: char| c.is_ascii_digit()));
    }
    for (from, to) in [
        ("{time}", "2026-11-23 09:38:12 UTC"),
        ("{program}", "/home/pi/.local/bin/autodns"),
        ("{home}/", "/home/pi/.config/autodns/"),
        ("{zone}", "Z0123456789ABCDEFGHIJ"),
        ("{topic}", "arn:aws:sns:eu-west-1:123456789012:autodns"),
        ("{aws}", "route53.amazonaws.com"),
        ("{reflector}", "https://checkip.global.api.aws"),
        ("reflect2.example.net", "icanhazip.com"),
        ("reflect.example.net", "checkip.global.api.aws"),
        // The program takes these addresses for public. The pages show addresses that are reserved
        // for documentation.
        ("192.175.48.1", "198.51.100.7"),
        ("192.175.48.7", "198.51.100.23"),
    ] {
        shown = shown.replace(from, to);
    }
    shown
}

/// Breaks each line that is too long for a page, and indents the rest by `indent` blanks.
fn wrapped(text: &str, indent: usize) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        let mut column = 0;
        for (index, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            if column + 1 + length > WIDTH {
                shown = format!("{}\n{}", shown.trim_end(), " ".repeat(indent));
                column = indent;
            } else if index > 0 {
                shown.push(' ');
                column += 1;
            }
            shown.push_str(word);
            column += length;
        }
        shown.push('\n');
    }
    shown
}

/// The rows of `check` with these names and the line with the counts. An ellipsis replaces the
/// other rows.
fn rows(text: &str, names: &[&str]) -> String {
    let mut shown = String::new();
    let last = text.lines().last().unwrap_or_default();
    for line in text.lines() {
        let name = line.get(12..).unwrap_or_default();
        if line == last || names.iter().any(|wanted| name.starts_with(&format!("{wanted} "))) {
            shown += &format!("{line}\n");
        } else if !shown.ends_with("…\n") {
            shown += "…\n";
        }
    }
    shown
}

fn run() -> String {
    let fixture = installation();
    let assert_good = |run: &Run| assert!(run.status.success(), "{run:?}");
    let dry = fixture.run_with(&["--dry-run"]);
    assert_good(&dry);
    let good = fixture.run();
    good.assert_silent();
    format!(
        "$ autodns --dry-run\n{}$ autodns\n$\n",
        as_shown(&fixture, &format!("{}{}", dry.stdout, dry.stderr))
    )
}

fn check() -> String {
    let fixture = installation();
    fixture.reflector.at(SECOND, unavailable());
    let path = fixture.sandbox.path("autodns.json");
    let run = fixture.run_args(&["check", &path]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let names = ["credentials", "address", "route53", "change"];
    let shown = rows(&as_shown(&fixture, &run.stdout), &names);
    format!("$ autodns check\n{}", wrapped(&shown, ROW_INDENT))
}

fn alert() -> String {
    let fixture = installation();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 300, &["192.175.48.1"]));
    for path in ["/", SECOND] {
        fixture.reflector.at(path, unavailable());
    }
    let run = fixture.run_with(&["--deadline", "4"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let published = fixture.aws.published();
    assert_eq!(published.len(), 1, "{published:?}");
    let text = format!("Subject: {}\n\n{}", published[0].subject, published[0].message);
    wrapped(as_shown(&fixture, &text).trim_end(), 2)
}

/// The subject and the first paragraphs of an alert.
fn alert_begins() -> String {
    let text = alert();
    let (first, _) = text.split_once("\nautodns tries again").expect("more paragraphs");
    format!("{}\n…\n", first.trim_end())
}

/// The name and the range of the text of each block in a page.
fn blocks(page: &str) -> Vec<(String, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = page[at..].find("<!-- output: ") {
        let name = at + begin + "<!-- output: ".len();
        let end = name + page[name..].find(" -->").expect("the comment ends");
        let fence = " -->\n```text\n";
        assert!(page[end..].starts_with(fence), "no block below {}", &page[name..end]);
        let from = end + fence.len();
        let to = from + page[from..].find("```").expect("the block ends");
        found.push((page[name..end].to_owned(), from..to));
        at = to;
    }
    found
}

#[test]
fn outputs_in_pages_are_those_of_real_runs() {
    let write = std::env::var_os("AUTODNS_WRITE_PAGES").is_some();
    let mut count = 0;
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(&path).expect("a page");
        let mut updated = text.clone();
        for (name, range) in blocks(&text).into_iter().rev() {
            let real = match name.as_str() {
                "run" => run(),
                "check" => check(),
                "alert" => alert(),
                "alert, its beginning" => alert_begins(),
                other => panic!("{page}: there is no output {other}"),
            };
            assert!(
                write || text[range.clone()] == real,
                "{page} shows another output of {name}; write the pages again with \
                 AUTODNS_WRITE_PAGES=1 cargo test --locked --test integration pages::\n\
                 shown:\n{}\nreal:\n{real}",
                &text[range],
            );
            updated.replace_range(range, &real);
            count += 1;
        }
        if write {
            fs::write(&path, updated).expect("the page is written");
        }
    }
    assert!(count >= 4, "only {count} outputs are shown");
}
