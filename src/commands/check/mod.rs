//! `autodns check`: tests everything that a run needs and reports each result. This file enforces
//! the deadline of each configuration; the tests are in `steps` and `records`, the output in
//! `report`. Changes nothing without `--write`.

mod files;
mod public_dns;
mod records;
mod report;
mod steps;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use crate::cli::CheckOptions;
use crate::commands::Status;
use crate::config::ConfigFile;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::Environment;
use crate::error::CHECK_THE_SYSTEM;
use crate::session::Session;
use report::{Finding, Form, Report};
use steps::Steps;

/// How long to wait for the work after its deadline: unless it hangs, it ends by then with an error
/// that says what took too long.
const GRACE: Duration = Duration::from_secs(1);

/// What the thread that tests one configuration sends.
enum Event {
    Found(Finding),
    /// The tests are over. Whether a run would be tried.
    Done(bool),
}

/// Tests everything that a run of `configs` needs.
pub fn check(
    environment: &Environment,
    configs: &[PathBuf],
    options: CheckOptions,
    console: &Console,
) -> Status {
    let form = match options.json {
        true => Form::Json,
        false if wants_colour(environment) => Form::ColouredLines,
        false => Form::Lines,
    };
    let mut report = Report::new(form, configs.len() > 1);
    let environment = Arc::new(environment.clone());
    let mut status = Status::Right;
    for path in configs {
        let work = Work {
            environment: Arc::clone(&environment),
            path: path.clone(),
            options,
            deadline: Deadline::after(options.deadline),
            console: console.clone(),
        };
        if !check_one(work, &mut report) {
            status = Status::NotTried;
        }
    }
    report.finish(console);
    if report.is_ok() { status } else { status.max(Status::Failed) }
}

/// Whether standard output is a terminal that shows colours, and the user wants them: see
/// no-color.org.
fn wants_colour(environment: &Environment) -> bool {
    std::io::stdout().is_terminal()
        && environment.get("NO_COLOR").is_none()
        && environment.get("TERM") != Some("dumb")
}

/// Shows the findings of one configuration until its tests or its time are over. Returns whether a
/// run would be tried.
fn check_one(work: Work, report: &mut Report) -> bool {
    let (path, console) = (work.path.clone(), work.console.clone());
    let (deadline, time) = (work.deadline, work.options.deadline);
    let events = detached::start_or_do(move |events| work.run(&events));
    let would_be_tried =
        follow(&events, deadline.later(GRACE), |finding| report.add(&console, &path, finding));
    would_be_tried.unwrap_or_else(|| {
        let detail = format!(
            "{} did not end within {} s, and the rest was not tested",
            console.last_doing(),
            time.as_secs()
        );
        let finding = Finding::failed("deadline", detail, CHECK_THE_SYSTEM.into());
        report.add(&console, &path, finding);
        true
    })
}

/// Takes findings until the tests are over, and returns whether a run would be tried. `None` if
/// `deadline` passed or the thread died.
fn follow(
    events: &Receiver<Event>,
    deadline: Deadline,
    mut take: impl FnMut(Finding),
) -> Option<bool> {
    loop {
        match detached::next(events, deadline).ok()? {
            Event::Found(finding) => take(finding),
            Event::Done(would_be_tried) => return Some(would_be_tried),
        }
    }
}

/// The input of the thread that tests one configuration.
#[derive(Clone)]
struct Work {
    environment: Arc<Environment>,
    path: PathBuf,
    options: CheckOptions,
    deadline: Deadline,
    console: Console,
}

impl Work {
    fn run(self, events: &Sender<Event>) {
        let would_be_tried = self.test(events);
        // Sending fails if the deadline has passed.
        let _ = events.send(Event::Done(would_be_tried));
    }

    /// Tests everything. Returns whether a run would be tried.
    fn test(self, events: &Sender<Event>) -> bool {
        let Self { environment, path, options, deadline, console } = self;
        let tell = |console: &Console, finding: Finding| {
            drop(events.send(Event::Found(finding.hidden_by(console))));
        };
        console.doing(format!("reading {}", path.display()));
        let file = match ConfigFile::read(&path) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                tell(&console, Finding::setup("config", &error));
                return false;
            }
        };
        let console = console.hiding(file.config.secrets());
        tell(&console, Finding::ok("config", describe(&path, &file)));
        console.doing("reading the credentials and settings");
        let session = match Session::open(&environment, file, &console, deadline.share(2)) {
            Ok(session) => Arc::new(session),
            Err(error) => {
                tell(&console, Finding::setup("credentials", &error));
                return false;
            }
        };
        let console = &session.console;
        let steps = Steps { environment: &environment, session: &session, options, deadline };
        steps.all(&|finding| tell(console, finding));
        true
    }
}

fn describe(path: &Path, file: &ConfigFile) -> String {
    let config = &file.config;
    let records: Vec<String> = config.record_keys().map(|key| key.to_string()).collect();
    format!("{}: {} in hosted zone {}", path.display(), records.join(", "), config.zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn work_that_hangs_is_followed_until_the_deadline() {
        let follow = |work: fn(&Sender<Event>)| {
            let events = detached::start(move |events| work(&events)).unwrap();
            let mut taken = Vec::new();
            let deadline = Deadline::after(Duration::from_millis(200));
            (super::follow(&events, deadline, |finding| taken.push(finding)), taken.len())
        };
        assert_eq!(
            follow(|events| {
                events.send(Event::Found(Finding::ok("clock", "right".into()))).unwrap();
                events.send(Event::Done(false)).unwrap();
            }),
            (Some(false), 1)
        );
        assert_eq!(
            follow(|events| {
                events.send(Event::Found(Finding::ok("clock", "right".into()))).unwrap();
                thread::sleep(Duration::from_mins(10));
            }),
            (None, 1)
        );
        assert_eq!(follow(|_| {}), (None, 0));
    }
}
