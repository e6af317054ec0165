//! Runs that are killed, as by a power cut, at every system call of every thread. After each kill
//! the next run must end with the right record, and each alert and each recovery message must be
//! published once or twice.
//!
//! A run keeps its state only in Route 53 and on the disk, so the next run depends only on the
//! state that the kill left there. There are a handful of such states. Each is tested once with
//! each follow-up.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::support::assert_text;
use crate::support::expected;
use crate::support::fixture::Fixture;
use crate::support::http::Family;
use crate::support::kill_at::run_traced;
use crate::support::sandbox::Run;

/// The number of concurrent runs. With two, a processor is sometimes idle.
const WORKERS: usize = 4;

const RIGHT: &str = "home.example.com. A 300 192.175.48.7";

/// The setup before the killed run, and the checks after it.
struct KillTest {
    before: fn() -> Fixture,
    /// Each runs the program again from every state that a kill left, and asserts the result.
    follow_ups: &'static [fn(&Fixture)],
}

/// Runs the program under `kill_at.py` and waits until its requests have been handled.
fn traced(fixture: &Fixture, words: &[&str]) -> Run {
    let run = run_traced(fixture, words, &[]);
    fixture.aws.server().wait_until_idle();
    run
}

impl KillTest {
    /// Kills a run at each of its system calls, follows up each state, and describes the states.
    fn kill_everywhere(&self) -> String {
        let points: Vec<String> = self.calls().into_iter().collect();
        let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let states = Mutex::new(BTreeSet::new());
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let count = usize::from(self.kill_at(point, &states));
                        killed.fetch_add(count, Ordering::SeqCst);
                    }
                });
            }
        });
        let (killed, points) = (killed.into_inner(), points.len());
        println!("killed at {killed} system calls of {points}");
        assert!(points > 100 && killed * 4 > points * 3, "{killed} kills at {points} points");
        let states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
        states.into_iter().map(|state| state + "\n").collect()
    }

    /// The system calls of three runs together, since the number of waits differs from run to run.
    fn calls(&self) -> BTreeSet<String> {
        let mut calls = BTreeSet::new();
        for _ in 0..3 {
            let fixture = (self.before)();
            let file = fixture.sandbox.path("calls");
            let run = traced(&fixture, &["count", &file]);
            let listed =
                fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {run:?}"));
            calls.extend(listed.lines().map(str::to_owned));
        }
        calls
    }

    /// Kills a run at that call, and returns whether it reached the call.
    fn kill_at(&self, point: &str, states: &Mutex<BTreeSet<String>>) -> bool {
        let kill = || {
            let fixture = (self.before)();
            let run = traced(&fixture, &point.split(' ').collect::<Vec<_>>());
            (fixture, run)
        };
        let (fixture, run) = kill();
        let is_new = states.lock().unwrap_or_else(PoisonError::into_inner).insert(state(&fixture));
        if is_new {
            let (first, others) = self.follow_ups.split_first().expect("a follow-up");
            first(&fixture);
            for follow_up in others {
                follow_up(&kill().0);
            }
        }
        run.status.signal() == Some(9)
    }
}

/// The state after a run: the record, the messages, the files.
fn state(fixture: &Fixture) -> String {
    let record = if fixture.aws.record_sets()[0] == RIGHT { "right" } else { "wrong" };
    let mut state = format!("{record}, {} published", fixture.aws.published().len());
    for name in files_left(fixture) {
        let content = fixture.sandbox.read(&name).expect("a file");
        let whole = serde_json::from_str::<Value>(&content)
            .is_ok_and(|content| content["config"] == fixture.sandbox.path("autodns.json"));
        let content = match content.as_str() {
            "" => "empty",
            _ if whole => "whole",
            other => other.trim_end(),
        };
        let metadata = fs::metadata(fixture.sandbox.path(&name)).expect("a file");
        let marked = if metadata.permissions().readonly() { " marked" } else { "" };
        state += &format!(", {name} {content}{marked}");
    }
    state
}

/// The files of the home that were not there before the first run.
fn files_left(fixture: &Fixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.sandbox.home()).expect("the home");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let names = names.map(|name| name.expect("UTF-8"));
    let mut names: Vec<_> =
        names.filter(|name| !["autodns.json", "calls"].contains(&name.as_str())).collect();
    names.sort();
    names
}

/// The numbers of alerts and of recovery messages that were published.
fn published_counts(fixture: &Fixture) -> (usize, usize) {
    let published = fixture.aws.published();
    let alerts = published.iter().filter(|one| one.subject.contains("is not up to date")).count();
    (alerts, published.len() - alerts)
}

/// The failure continues. The next run publishes the alert if it is missing, later runs do not.
fn failure_lasts(fixture: &Fixture) {
    fixture.run().assert(1, "", &expected::out_of_order(Family::V6));
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(files_left(fixture), ["autodns.lock"]);
    let (alerts, recoveries) = published_counts(fixture);
    assert!((1..=2).contains(&alerts) && recoveries == 0, "{:?}", fixture.aws.published());
    fixture.run().assert(1, "", &expected::out_of_order(Family::V6)).assert_wrote(&[]);
    assert_eq!(published_counts(fixture), (alerts, 0));
}

/// The failure ends before the next run. A recovery message follows every published alert.
fn failure_ends(fixture: &Fixture) {
    let (alerts, _) = published_counts(fixture);
    let is_empty = state(fixture).ends_with("pending empty");
    fixture.reflector.says(Family::V6, "2620:4f:8000::7");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    // An empty pending file never became a lock. It stays until the next alert.
    let left: &[&str] = if is_empty { &[".autodns.lock.pending"] } else { &[] };
    assert_eq!(files_left(fixture), left);
    let (_, recoveries) = published_counts(fixture);
    assert!((alerts..=1).contains(&recoveries), "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(published_counts(fixture), (alerts, recoveries));
}

#[test]
fn killed_run_that_changes_and_alerts_is_resumed() {
    let test =
        KillTest { before: Fixture::with_failing_ipv6, follow_ups: &[failure_lasts, failure_ends] };
    assert_text(
        &test.kill_everywhere(),
        "right, 0 published\n\
         right, 0 published, .autodns.lock.pending empty\n\
         right, 0 published, .autodns.lock.pending whole\n\
         right, 1 published, .autodns.lock.pending whole\n\
         right, 1 published, autodns.lock whole\n\
         wrong, 0 published\n",
    );
}

/// A fixture after an alert. The next run succeeds with a new IPv4 address.
fn recovered() -> Fixture {
    let fixture = Fixture::new();
    let config = fixture.sandbox.path("autodns.json");
    let lock = json!({ "config": config, "since": "2026-01-02T03:04:05Z" });
    fixture.sandbox.write("autodns.lock", format!("{lock}\n"));
    fixture
}

/// A fixture with an empty lock, as autodns.py writes it and as a power cut may leave it.
fn recovered_with_an_empty_lock() -> Fixture {
    let fixture = Fixture::new();
    fixture.sandbox.write("autodns.lock", "");
    fixture
}

fn recovery_is_published(fixture: &Fixture) {
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(files_left(fixture), Vec::<String>::new());
    let (alerts, recoveries) = published_counts(fixture);
    assert!((1..=2).contains(&recoveries) && alerts == 0, "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(published_counts(fixture), (0, recoveries));
}

#[test]
fn killed_run_that_changes_and_recovers_is_resumed() {
    let test = KillTest { before: recovered, follow_ups: &[recovery_is_published] };
    assert_text(
        &test.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending whole\n\
         right, 0 published, autodns.lock whole\n\
         right, 1 published\n\
         right, 1 published, .autodns.lock.pending whole\n\
         wrong, 0 published, autodns.lock whole\n",
    );
}

#[test]
fn killed_recovery_after_an_empty_lock_is_resumed() {
    let test =
        KillTest { before: recovered_with_an_empty_lock, follow_ups: &[recovery_is_published] };
    assert_text(
        &test.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending empty, autodns.lock empty\n\
         right, 0 published, .autodns.lock.pending whole\n\
         right, 0 published, .autodns.lock.pending whole, autodns.lock empty\n\
         right, 0 published, autodns.lock empty\n\
         right, 1 published\n\
         right, 1 published, .autodns.lock.pending whole\n\
         wrong, 0 published, autodns.lock empty\n",
    );
}

/// A fixture after an alert, with a foreign file in place of the pending file.
fn recovered_beside_a_foreign_file() -> Fixture {
    let fixture = recovered();
    fixture.sandbox.write(".autodns.lock.pending", "notes\n");
    fixture
}

fn recovery_is_published_beside_a_foreign_file(fixture: &Fixture) {
    fixture.run().assert_silent();
    assert_eq!(files_left(fixture), [".autodns.lock.pending"]);
    let (alerts, recoveries) = published_counts(fixture);
    assert!((1..=2).contains(&recoveries) && alerts == 0, "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(published_counts(fixture), (0, recoveries));
}

/// The failure returns before the next run. An alert follows every recovery message.
fn failure_returns(fixture: &Fixture) {
    let (_, recoveries) = published_counts(fixture);
    fixture.reflector.fails(Family::V4);
    assert_eq!(fixture.run().status.code(), Some(1));
    let (alerts, _) = published_counts(fixture);
    assert!(alerts >= recoveries, "{:?}", fixture.aws.published());
}

#[test]
fn killed_recovery_beside_a_foreign_file_is_resumed() {
    let test = KillTest {
        before: recovered_beside_a_foreign_file,
        follow_ups: &[recovery_is_published_beside_a_foreign_file, failure_returns],
    };
    assert_text(
        &test.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending notes, autodns.lock whole\n\
         right, 0 published, .autodns.lock.pending notes, autodns.lock whole marked\n\
         right, 1 published, .autodns.lock.pending notes\n\
         right, 1 published, .autodns.lock.pending notes, autodns.lock whole marked\n\
         wrong, 0 published, .autodns.lock.pending notes, autodns.lock whole\n",
    );
}

fn nothing_is_published(fixture: &Fixture) {
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(published_counts(fixture), (0, 0));
}

#[test]
fn killed_run_that_changes_the_record_is_resumed() {
    let test = KillTest { before: Fixture::new, follow_ups: &[nothing_is_published] };
    assert_text(&test.kill_everywhere(), "right, 0 published\nwrong, 0 published\n");
}
