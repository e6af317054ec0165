//! Runs that are killed, as by a power cut: once at every system call of every thread, which is
//! between any two things that a run does. Whatever is left behind, the next run ends with the
//! right record, and people hear of trouble and of its end once, or once too often, but never not
//! at all.
//!
//! A run remembers nothing but what is in Route 53 and on the disk. So what follows a kill depends
//! only on what the kill left there, and each such state (there are a handful) is followed up once,
//! with each future that it may have.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::support::assert_text;
use crate::support::expected;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};
use crate::support::moto;
use crate::support::sandbox::Run;

/// Kills in two threads leave a processor idle now and then; in more, hardly ever.
const WORKERS: usize = 4;

const RIGHT: &str = "home.example.com. A 300 192.175.48.7";

/// A run that is to be killed: what is there before it, and what may come after it.
struct Story {
    before: fn() -> Fixture,
    /// Each is played on from every state, and asserts what has to come of it.
    futures: &'static [fn(&Fixture)],
}

/// The run of a story under the eyes of `kill_at.py`, which is told what to do by these words.
fn watched(fixture: &Fixture, words: &[&str]) -> Run {
    let watcher = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/support/kill_at.py");
    let watcher = [&[moto::python(), "-I", "-S", watcher], words].concat();
    let config = fixture.sandbox.path("autodns.json");
    let run = fixture.finish(fixture.sandbox.spawn_by(&watcher, &[&config]));
    fixture.aws.server().settle();
    run
}

impl Story {
    /// Kills a run at each of its calls, follows up each state that is left, and describes these.
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

    /// The system calls of a run. A few waits come and go with each, so that of three runs each
    /// adds what it has more than the others.
    fn calls(&self) -> BTreeSet<String> {
        let mut calls = BTreeSet::new();
        for _ in 0..3 {
            let fixture = (self.before)();
            let file = fixture.sandbox.path("calls");
            let run = watched(&fixture, &["count", &file]);
            let listed =
                fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {run:?}"));
            calls.extend(listed.lines().map(str::to_owned));
        }
        calls
    }

    /// Kills a run there, and says whether it came so far.
    fn kill_at(&self, point: &str, states: &Mutex<BTreeSet<String>>) -> bool {
        let kill = || {
            let fixture = (self.before)();
            let run = watched(&fixture, &point.split(' ').collect::<Vec<_>>());
            (fixture, run)
        };
        let (fixture, run) = kill();
        let is_new = states.lock().unwrap_or_else(PoisonError::into_inner).insert(state(&fixture));
        if is_new {
            let (first, others) = self.futures.split_first().expect("a future");
            first(&fixture);
            for future in others {
                future(&kill().0);
            }
        }
        run.status.signal() == Some(9)
    }
}

/// What is remembered after a run: the record, the messages, the files.
fn state(fixture: &Fixture) -> String {
    let record = if fixture.aws.record_sets()[0] == RIGHT { "right" } else { "wrong" };
    let mut state = format!("{record}, {} published", fixture.aws.published().len());
    for name in leftovers(fixture) {
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
fn leftovers(fixture: &Fixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.sandbox.home()).expect("the home");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let names = names.map(|name| name.expect("UTF-8"));
    let mut names: Vec<_> =
        names.filter(|name| !["autodns.json", "calls"].contains(&name.as_str())).collect();
    names.sort();
    names
}

/// How many alerts and how many messages of recovery were published.
fn heard(fixture: &Fixture) -> (usize, usize) {
    let published = fixture.aws.published();
    let alerts = published.iter().filter(|one| one.subject.contains("is not up to date")).count();
    (alerts, published.len() - alerts)
}

/// IPv4 has a new address, IPv6 fails.
fn half_broken() -> Fixture {
    let fixture = Fixture::both();
    fixture.reflector.replies(Family::V6, Response::text("out of order"));
    fixture
}

/// The trouble lasts: everyone has heard of it after the next run, and the one after is silent.
fn trouble_lasts(fixture: &Fixture) {
    fixture.run().assert(1, "", &expected::out_of_order(Family::V6));
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(leftovers(fixture), ["autodns.lock"]);
    let (alerts, recoveries) = heard(fixture);
    assert!((1..=2).contains(&alerts) && recoveries == 0, "{:?}", fixture.aws.published());
    fixture.run().assert(1, "", &expected::out_of_order(Family::V6)).assert_wrote(&[]);
    assert_eq!(heard(fixture), (alerts, 0));
}

/// The trouble is over before the next run: who heard of it hears of that too.
fn trouble_ends(fixture: &Fixture) {
    let (alerts, _) = heard(fixture);
    let is_empty = state(fixture).ends_with("pending empty");
    fixture.reflector.says(Family::V6, "2620:4f:8000::7");
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    // An empty file beside the lock's place was never a lock, and waits for the next alert.
    let left: &[&str] = if is_empty { &[".autodns.lock.pending"] } else { &[] };
    assert_eq!(leftovers(fixture), left);
    let (_, recoveries) = heard(fixture);
    assert!((alerts..=1).contains(&recoveries), "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(heard(fixture), (alerts, recoveries));
}

#[test]
fn killed_run_that_changes_and_alerts_is_resumed() {
    let story = Story { before: half_broken, futures: &[trouble_lasts, trouble_ends] };
    assert_text(
        &story.kill_everywhere(),
        "right, 0 published\n\
         right, 0 published, .autodns.lock.pending empty\n\
         right, 0 published, .autodns.lock.pending whole\n\
         right, 1 published, .autodns.lock.pending whole\n\
         right, 1 published, autodns.lock whole\n\
         wrong, 0 published\n",
    );
}

/// All is right again, the new address of IPv4 included, and an alert was sent before.
fn mended() -> Fixture {
    let fixture = Fixture::new();
    let config = fixture.sandbox.path("autodns.json");
    let lock = json!({ "config": config, "since": "2026-01-02T03:04:05Z" });
    fixture.sandbox.write("autodns.lock", format!("{lock}\n"));
    fixture
}

/// As the original left its lock, and as a power cut may leave ours.
fn mended_with_an_empty_lock() -> Fixture {
    let fixture = Fixture::new();
    fixture.sandbox.write("autodns.lock", "");
    fixture
}

fn all_is_right(fixture: &Fixture) {
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(leftovers(fixture), Vec::<String>::new());
    let (alerts, recoveries) = heard(fixture);
    assert!((1..=2).contains(&recoveries) && alerts == 0, "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(heard(fixture), (0, recoveries));
}

#[test]
fn killed_run_that_changes_and_recovers_is_resumed() {
    let story = Story { before: mended, futures: &[all_is_right] };
    assert_text(
        &story.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending whole\n\
         right, 0 published, autodns.lock whole\n\
         right, 1 published\n\
         right, 1 published, .autodns.lock.pending whole\n\
         wrong, 0 published, autodns.lock whole\n",
    );
}

#[test]
fn killed_recovery_after_an_empty_lock_is_resumed() {
    let story = Story { before: mended_with_an_empty_lock, futures: &[all_is_right] };
    assert_text(
        &story.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending empty, autodns.lock empty\n\
         right, 0 published, .autodns.lock.pending whole\n\
         right, 0 published, .autodns.lock.pending whole, autodns.lock empty\n\
         right, 0 published, autodns.lock empty\n\
         right, 1 published\n\
         right, 1 published, .autodns.lock.pending whole\n\
         wrong, 0 published, autodns.lock empty\n",
    );
}

/// The same with a file beside the lock that is not ours.
fn mended_beside_a_stranger() -> Fixture {
    let fixture = mended();
    fixture.sandbox.write(".autodns.lock.pending", "notes\n");
    fixture
}

fn all_is_right_beside_a_stranger(fixture: &Fixture) {
    fixture.run().assert_silent();
    assert_eq!(leftovers(fixture), [".autodns.lock.pending"]);
    let (alerts, recoveries) = heard(fixture);
    assert!((1..=2).contains(&recoveries) && alerts == 0, "{:?}", fixture.aws.published());
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(heard(fixture), (0, recoveries));
}

/// The trouble is back before the next run. Who heard that all was well again hears of it.
fn trouble_is_back(fixture: &Fixture) {
    let (_, recoveries) = heard(fixture);
    fixture.reflector.replies(Family::V4, Response::text("out of order"));
    assert_eq!(fixture.run().status.code(), Some(1));
    let (alerts, _) = heard(fixture);
    assert!(alerts >= recoveries, "{:?}", fixture.aws.published());
}

#[test]
fn killed_recovery_beside_a_foreign_file_is_resumed() {
    let story = Story {
        before: mended_beside_a_stranger,
        futures: &[all_is_right_beside_a_stranger, trouble_is_back],
    };
    assert_text(
        &story.kill_everywhere(),
        "right, 0 published, .autodns.lock.pending notes, autodns.lock whole\n\
         right, 0 published, .autodns.lock.pending notes, autodns.lock whole marked\n\
         right, 1 published, .autodns.lock.pending notes\n\
         right, 1 published, .autodns.lock.pending notes, autodns.lock whole marked\n\
         wrong, 0 published, .autodns.lock.pending notes, autodns.lock whole\n",
    );
}

fn nobody_hears(fixture: &Fixture) {
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.record_sets()[0], RIGHT);
    assert_eq!(heard(fixture), (0, 0));
}

#[test]
fn killed_run_that_changes_the_record_is_resumed() {
    let story = Story { before: Fixture::new, futures: &[nobody_hears] };
    assert_text(&story.kill_everywhere(), "right, 0 published\nwrong, 0 published\n");
}
