//! A run ends even if a disk, the terminal, a library or the resolver hangs. It sends the alert and
//! prints which step did not end. The tests hold threads at their system calls, as a failing disk
//! does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::json;

use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_reflector::HOST;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};
use crate::support::kill_at::run_traced;
use crate::support::sandbox::Run;

/// How long a run may take after its deadline.
const AFTER_DEADLINE: Duration = Duration::from_secs(3);

/// How long a process under the tracer may take to start while other tests run.
const START: Duration = Duration::from_secs(2);

/// The first and the last call of each system call that can hang, in each thread except the main
/// one.
fn points(fixture: &Fixture) -> Vec<String> {
    let file = fixture.sandbox.path("calls");
    let run = run_traced(fixture, &["count", &file], &["--deadline", "60"]);
    let listed = fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let mut ends: BTreeMap<(String, u32), (u32, u32)> = BTreeMap::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [call_thread, number, count] = fields[..] else { panic!("{line}") };
        let (number, count) = (number.parse().expect("a number"), count.parse().expect("a count"));
        if call_thread == "1" || !can_hang(number) {
            continue;
        }
        let end = ends.entry((call_thread.to_owned(), number)).or_insert((count, count));
        *end = (end.0.min(count), end.1.max(count));
    }
    let mut points: Vec<String> = ends
        .into_iter()
        .flat_map(|((call_thread, number), (first, last))| {
            [first, last].map(|count| format!("{call_thread} {number} {count}"))
        })
        .collect();
    points.dedup();
    points
}

/// Whether a system call can wait for a disk, a device or the network.
fn can_hang(number: u32) -> bool {
    let calls = [
        libc::SYS_openat,
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_fsync,
        libc::SYS_statx,
        libc::SYS_newfstatat,
        libc::SYS_readlinkat,
        libc::SYS_unlinkat,
        libc::SYS_renameat,
        libc::SYS_fchmod,
        libc::SYS_mkdirat,
        libc::SYS_connect,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_ppoll,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir,
    ];
    calls.contains(&i64::from(number))
}

fn calls(point: &str, number: i64) -> bool {
    point.split(' ').nth(1) == Some(&number.to_string())
}

#[test]
fn run_with_any_thread_held_ends_in_time() {
    // The run resolves names, changes the record of IPv4, and sends an alert about IPv6.
    let points = points(&Fixture::with_failing_ipv6());
    assert!(points.len() > 30, "{points:?}");
    let (next, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let fixture = Fixture::with_failing_ipv6();
                    let words: Vec<&str> = ["hold"].into_iter().chain(point.split(' ')).collect();
                    let start = Instant::now();
                    let run = run_traced(&fixture, &words, &["--deadline", "2"]);
                    let (took, deadline) = (start.elapsed(), Duration::from_secs(2));
                    assert!(took < deadline + AFTER_DEADLINE + START, "{point}: {took:?} {run:?}");
                    assert_eq!(run.status.code(), Some(1), "{point}: {run:?}");
                    // The line is missing only if the thread that prints is held.
                    let is_said = run.stderr.starts_with("autodns: ");
                    let is_printing = calls(point, libc::SYS_write) && run.stderr.is_empty();
                    assert!(is_said || is_printing, "{point}: {run:?}");
                    // Without a config or a key the run sends no alert. An alert that is held while
                    // it is sent does not arrive.
                    let alerted = !fixture.aws.published().is_empty()
                        || run.stderr.contains("autodns.json did not end in time")
                        || run.stderr.contains("reading the credentials and settings")
                        || run.stderr.contains("the alert: ");
                    assert!(alerted, "{point}: {run:?}");
                    let was_held = run.stderr.contains("did not end in time");
                    held.fetch_add(usize::from(was_held), Ordering::SeqCst);
                }
            });
        }
    });
    println!("held at {} of {} points", held.load(Ordering::SeqCst), points.len());
    assert!(held.into_inner() * 3 > points.len(), "too few threads were held");
}

#[test]
fn run_that_hangs_at_its_credentials_reports_failure() {
    let fixture = || {
        let mut fixture = Fixture::new();
        let base = fixture.reflector.server().url(HOST);
        fixture.configure(|config| {
            config["heartbeat_url"] = json!(format!("{base}/ping"));
            config["heartbeat_fail"] = json!(true);
        });
        fixture.reflector.at("/ping/fail", Response::text("OK"));
        fixture
    };
    let opens = points(&fixture()).into_iter().filter(|point| calls(point, libc::SYS_openat));
    let mut reported = 0;
    for point in opens {
        let fixture = fixture();
        let words: Vec<&str> = ["hold"].into_iter().chain(point.split(' ')).collect();
        let run = run_traced(&fixture, &words, &["--deadline", "2"]);
        if run.stderr.contains("reading the credentials and settings did not end in time") {
            let requests = fixture.reflector.request_lines();
            assert_eq!(requests, ["POST /ping/fail"], "{point}: {run:?}");
            reported += 1;
        }
    }
    assert!(reported > 0, "no thread was held at the credentials");
}

/// Runs the program with a full pipe, which nobody reads, as its stream `number`.
fn run_into_a_full_pipe(fixture: &Fixture, number: &str, options: &[&str]) -> Run {
    fixture.sandbox.pipe("pipe");
    let full = format!("exec 3<>pipe; head -c 65536 /dev/zero >&3; exec \"$@\" {number}>&3");
    let config = fixture.sandbox.path("autodns.json");
    let arguments = [options, &[config.as_str()]].concat();
    fixture.finish(fixture.sandbox.spawn_by(&["/bin/sh", "-c", &full, "sh"], &arguments))
}

#[test]
fn blocked_stderr_does_not_delay_the_alert() {
    let fixture = Fixture::new();
    fixture.reflector.fails(Family::V4);
    let start = Instant::now();
    let run = run_into_a_full_pipe(&fixture, "2", &["--deadline", "3"]);
    assert!(start.elapsed() < Duration::from_secs(3) + AFTER_DEADLINE, "{:?}", start.elapsed());
    run.assert(1, "", "");
    assert_eq!(fixture.aws.operations(), [List, Publish]);
}

#[test]
fn verbose_run_with_blocked_stderr_changes_the_record() {
    let fixture = Fixture::new();
    // The run exits with 1, since it could not print the output of --verbose.
    run_into_a_full_pipe(&fixture, "2", &["--verbose"]).assert(1, "", "");
    assert_eq!(fixture.aws.operations(), [List, Change]);
}

#[test]
fn blocked_stdout_is_reported_on_stderr() {
    let fixture = Fixture::new();
    let run = run_into_a_full_pipe(&fixture, "1", &["--dry-run"]);
    run.assert(1, "", "autodns: standard output is blocked: nobody reads it\n");
}
