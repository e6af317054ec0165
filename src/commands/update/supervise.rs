//! Supervises the time of one configuration's run. The work runs in a thread that may be left
//! behind. This room waits for it until its deadline, prints the errors, sends the alert and the
//! heartbeat in the time that is reserved for them, and returns the exit status. A library, the
//! resolver, a disk or a helper program that hangs cannot extend the run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::alert::{Alert, changes_to_report, record_lines};
use super::job::{Job, Outcome};
use crate::cli::RunOptions;
use crate::commands::Status;
use crate::commands::error::RecordError;
use crate::config::{Config, ConfigFile};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::environment::Environment;
use crate::error::SetupError;
use crate::retry::MaxAttempts;
use crate::session::Session;
use crate::transport::Network;

/// The maximum part of a run's time that is reserved for the alert.
pub const RESERVED_FOR_ALERT: Duration = Duration::from_secs(10);
/// The maximum time to wait for the work after its deadline: unless it hangs, it ends by then with
/// an error that says what took too long.
const GRACE: Duration = Duration::from_secs(1);
/// The minimum time for an alert or a heartbeat, even after the end.
const MIN_TIME: Duration = Duration::from_secs(1);
/// How long to wait for an alert or a heartbeat after its deadline.
const MESSAGE_GRACE: Duration = Duration::from_millis(300);

/// The deadlines of one configuration's run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For everything about the records.
    pub work: Deadline,
    /// Until when to wait for the work.
    patience: Deadline,
    /// For the alert, and so for the whole run.
    end: Deadline,
}

impl Times {
    /// Starts now. The last 10 seconds, or the last quarter if that is less, are reserved for the
    /// alert.
    fn start(length: Duration) -> Self {
        let end = Deadline::after(length);
        let reserved = RESERVED_FOR_ALERT.min(length / 4);
        let work = end.earlier(reserved);
        Self { work, patience: work.later(GRACE.min(reserved / 2)), end }
    }

    /// The deadline of an alert or a heartbeat: the end, but at least [`MIN_TIME`] from now.
    fn message_deadline(self) -> Deadline {
        self.end.max(Deadline::after(MIN_TIME))
    }
}

/// What the thread of the work reports.
enum Event {
    /// The session is open. The alert uses it too.
    Ready(Arc<Session>),
    /// The session could not be opened.
    NotTried(SetupError),
    Done(Outcome),
}

/// Runs configurations one after the other.
pub struct Supervisor<'a> {
    environment: Arc<Environment>,
    options: RunOptions,
    console: &'a Console,
    /// The errors about settings that were printed. Configurations share settings, so each error is
    /// printed once.
    printed: BTreeSet<String>,
}

impl<'a> Supervisor<'a> {
    pub fn new(environment: &Environment, options: RunOptions, console: &'a Console) -> Self {
        let environment = Arc::new(environment.clone());
        Self { environment, options, console, printed: BTreeSet::new() }
    }

    /// Runs one configuration and reports the result.
    pub fn run(&mut self, file: &Arc<ConfigFile>) -> Status {
        let times = Times::start(self.options.deadline);
        let mut session = None;
        let mut console = self.console.hiding(file.config.secrets());
        console.doing("reading the credentials and settings");
        let work = Work {
            environment: Arc::clone(&self.environment),
            file: Arc::clone(file),
            options: self.options,
            times,
            console: console.clone(),
        };
        let events = detached::start_or_do(move |events| work.run(&events));
        let outcome = loop {
            match detached::next(&events, times.patience) {
                Ok(Event::Ready(opened)) => {
                    console = opened.console.clone();
                    session = Some(opened);
                }
                Ok(Event::NotTried(error)) => {
                    self.not_tried(file, &error, times, &console);
                    return Status::NotTried;
                }
                Ok(Event::Done(outcome)) => break outcome,
                Err(_) => {
                    let error = RecordError::unfinished(&console.last_doing());
                    let errors = vec![error.about(file.config.record_keys().collect())];
                    break Outcome { errors, ..Outcome::default() };
                }
            }
        };
        self.report(&file.config, session.as_ref(), &outcome, times, &console)
    }

    /// Reports that the credentials or settings cannot be used.
    fn not_tried(
        &mut self,
        file: &ConfigFile,
        error: &SetupError,
        times: Times,
        console: &Console,
    ) {
        let line = error.to_string();
        if self.printed.insert(line.clone()) {
            console.error(&line);
        }
        let line = console.secrets().hide(&line).into_owned();
        self.send_heartbeat(&file.config, None, vec![line], times, console);
    }

    /// Reports the result of the work: on standard error, to the topic and by a heartbeat. Without
    /// a session, which hung while it was opened, nothing can be published.
    fn report(
        &self,
        config: &Config,
        session: Option<&Arc<Session>>,
        outcome: &Outcome,
        times: Times,
        console: &Console,
    ) -> Status {
        let (mut lines, is_offline) = outcome.lines();
        let alerted = lines.clone();
        lines.extend_from_slice(&outcome.afterwards);
        for line in &lines {
            console.error(line);
        }
        if let Some(session) = session.filter(|_| !self.options.dry_run) {
            for line in self.send_alert(session, outcome, &alerted, is_offline, times) {
                let line = format!("{}: {line}", config.name_list());
                console.error(&line);
                lines.push(line);
            }
        }
        // A recovery message that was not sent does not make a run fail.
        let is_right = outcome.errors.is_empty() && outcome.afterwards.is_empty();
        if is_right {
            lines.clear();
        }
        let lines = lines.iter().map(|line| console.secrets().hide(line).into_owned()).collect();
        self.send_heartbeat(config, session, lines, times, console);
        if is_right { Status::Right } else { Status::Failed }
    }

    /// Raises or withdraws the alert, or publishes changed addresses, if there is a reason for one
    /// of these. `errors` are the lines about the records. Returns lines to print.
    fn send_alert(
        &self,
        session: &Arc<Session>,
        outcome: &Outcome,
        errors: &[String],
        is_offline: bool,
        times: Times,
    ) -> Vec<String> {
        let config = &session.file.config;
        let changes = changes_to_report(config, outcome);
        if errors.is_empty() && changes.is_empty() && !outcome.may_have_alert {
            return Vec::new();
        }
        let Some(lock) = session.file.alert_lock(&self.environment) else { return Vec::new() };
        let secrets = session.console.secrets();
        let alert = Arc::new(Alert {
            lock,
            errors: errors.iter().map(|line| secrets.hide(line).into_owned()).collect(),
            is_offline,
            records: record_lines(config, outcome),
            changes,
            session: Arc::clone(session),
            end: times.message_deadline(),
        });
        let own = Arc::clone(&alert);
        detached::within(alert.end.later(MESSAGE_GRACE), move || own.send()).unwrap_or_else(|why| {
            match why {
                NoResult::NoThread => alert.send(),
                NoResult::Overdue | NoResult::Died => {
                    vec![RecordError::unfinished("the alert: sending it").to_string()]
                }
            }
        })
    }

    /// Sends the heartbeat of a run that printed `errors`, until the end of the run. Without a
    /// session, the network comes from the environment.
    fn send_heartbeat(
        &self,
        config: &Config,
        session: Option<&Arc<Session>>,
        errors: Vec<String>,
        times: Times,
        console: &Console,
    ) {
        let heartbeat = config.heartbeat.clone().filter(|_| !self.options.dry_run);
        let Some(heartbeat) = heartbeat else { return };
        let (session, own) = (session.cloned(), console.clone());
        let environment = Arc::clone(&self.environment);
        let end = times.message_deadline();
        let sent = detached::within(end.later(MESSAGE_GRACE), move || {
            let (network, limit) = match &session {
                Some(session) => (Ok(session.account.network.clone()), session.account.limit),
                None => (
                    Network::from_environment(&environment),
                    MaxAttempts::from_environment(&environment).unwrap_or_default(),
                ),
            };
            if let Ok(network) = network {
                heartbeat.send(&errors, &network, &own, limit, end);
            }
        });
        if sent.is_err() {
            console.step(|| "warning: sending the heartbeat did not end in time".into());
        }
    }
}

/// What the thread of the work owns.
#[derive(Clone)]
struct Work {
    environment: Arc<Environment>,
    file: Arc<ConfigFile>,
    options: RunOptions,
    times: Times,
    console: Console,
}

impl Work {
    fn run(self, events: &Sender<Event>) {
        // Sending fails if the supervisor no longer waits.
        let tell = |event| drop(events.send(event));
        let Self { environment, file, options, times, console } = self;
        let lock = file.alert_lock(&environment).filter(|_| !options.dry_run);
        let session = match Session::open(&environment, file, &console, times.work) {
            Ok(session) => Arc::new(session),
            Err(error) => return tell(Event::NotTried(error)),
        };
        tell(Event::Ready(Arc::clone(&session)));
        let job = Job { session, options, times };
        let mut outcome = job.bring_up_to_date();
        outcome.may_have_alert = lock.filter(|_| outcome.errors.is_empty()).is_some_and(|lock| {
            let path = lock.path().map(|path| path.display().to_string()).unwrap_or_default();
            job.session.console.doing(format!("looking at alert_lock {path}"));
            lock.may_be_held()
        });
        tell(Event::Done(outcome));
    }
}
