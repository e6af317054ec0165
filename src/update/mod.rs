//! The straight line: configuration, credentials, public address, current record, plan, apply,
//! alert. The only place that calls across stages; what a stage does is that stage's. Here is what
//! all configurations of a run share; `job` is the line of one of them.

mod job;

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::aws::{Access, Aws};
use crate::config::ConfigFile;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::secrets::Secrets;
use job::Job;

/// How a run ended; the greatest of several is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Every record is right.
    Right = 0,
    /// At least one record could not be brought up to date.
    Failed = 1,
    /// Nothing was tried.
    NotTried = 2,
}

/// What one run is told beside its configurations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Say what would be done and change nothing.
    pub dry_run: bool,
    /// Tell each step.
    pub verbose: bool,
    /// How long one configuration's run may take.
    pub deadline: Duration,
}

/// How much of a run's time is kept for its alert, at most.
pub const KEPT_FOR_ALERT: Duration = Duration::from_secs(10);

/// Until when the parts of one configuration's run have time.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// All that has to do with the records.
    work: Deadline,
    /// The alert, and so the whole run.
    end: Deadline,
}

impl Times {
    /// From now on. The last 10 seconds, or the last quarter if that is less, are the alert's.
    fn of(length: Duration) -> Self {
        let end = Deadline::after(length);
        Self { work: end.earlier(KEPT_FOR_ALERT.min(length / 4)), end }
    }
}

/// Brings the records of all `configs` up to date, one after the other.
#[must_use]
pub fn update(
    environment: &Environment,
    configs: &[PathBuf],
    options: Options,
    now: SystemTime,
) -> Status {
    let console = Console::new(options.verbose, Secrets::default());
    let (jobs, mut status) = read_configs(configs, &console);
    let mut access = None;
    for job in &jobs {
        if !options.dry_run && is_taken(job, &console) {
            continue;
        }
        let times = Times::of(options.deadline);
        // Only a run that has something to do looks for credentials, which may run a program.
        if access.is_none() {
            match Access::open(environment, now, times.work) {
                Ok(opened) => access = Some(opened),
                Err(error) => {
                    console.trouble(&error.to_string());
                    return Status::NotTried;
                }
            }
        }
        if let Some(access) = &access {
            status = status.max(run(access, job, options, (now, times), &console));
        }
    }
    status
}

/// The configurations that can be run; what is wrong with the others is said.
fn read_configs(paths: &[PathBuf], console: &Console) -> (Vec<ConfigFile>, Status) {
    let mut status = Status::Right;
    let mut jobs = Vec::new();
    let mut by_lock: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        match ConfigFile::read(path) {
            Ok(job) => {
                if let Some(alerts) = &job.config.alerts {
                    by_lock.entry(real_place(&alerts.lock)).or_default().push(path.clone());
                }
                jobs.push(job);
            }
            Err(error) => {
                console.trouble(&error.to_string());
                status = Status::NotTried;
            }
        }
    }
    // One lock cannot remember two configurations' alerts.
    for (lock, sharers) in by_lock.iter().filter(|(_, sharers)| sharers.len() > 1) {
        let names: Vec<String> = sharers.iter().map(|p| p.display().to_string()).collect();
        if let Some(name) = names.first().filter(|first| names.iter().all(|name| name == *first)) {
            console.trouble(&format!("{name}: is named twice; name it once"));
        } else {
            console.trouble(&format!(
                "{}: have the same alert_lock, {}; give each its own",
                names.join(", "),
                lock.display()
            ));
        }
        status = Status::NotTried;
        jobs.retain(|job| !sharers.contains(&job.path));
    }
    (jobs, status)
}

/// The path with its folder's links resolved, so that two spellings of one place are equal.
fn real_place(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

/// Whether another run is at this configuration. If not, it is this run's until the process ends.
fn is_taken(job: &ConfigFile, console: &Console) -> bool {
    match job.file.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => {
            console.step(|| format!("{}: another run is at it; nothing to do", job.path.display()));
            true
        }
        Err(TryLockError::Error(error)) => {
            // Some file systems know no locks. Two runs at once then do the same work twice.
            console.step(|| format!("{}: cannot be locked: {error}", job.path.display()));
            false
        }
    }
}

/// Runs one configuration, and says what has to be said.
fn run(
    access: &Access,
    file: &ConfigFile,
    options: Options,
    (now, times): (SystemTime, Times),
    outer: &Console,
) -> Status {
    let config = &file.config;
    let mut secrets = Secrets::default();
    access.add_secrets(&mut secrets);
    config.add_secrets(&mut secrets);
    let console = outer.hiding(secrets);
    let partition = access.partition_of(config.alerts.as_ref().map(|alerts| &alerts.topic));
    let aws = Aws::new(access, partition, &console);
    let job = Job { access, file, aws, options, times, console: &console };
    let troubles = job.bring_up_to_date();
    let lines: Vec<String> =
        troubles.iter().map(|t| console.secrets().hide(&t.to_string()).into()).collect();
    for line in &lines {
        console.trouble(line);
    }
    if let Some(alerts) = config.alerts.as_ref().filter(|_| !options.dry_run) {
        for line in job.alert(alerts, &lines, now) {
            console.trouble(&format!("{}: {line}", config.shown_names()));
        }
    }
    if let Some(heartbeat) = config.heartbeat.as_ref().filter(|_| !options.dry_run) {
        let Access { network, limit, .. } = access;
        heartbeat.send(troubles.is_empty(), network, &console, *limit, times.end);
    }
    if troubles.is_empty() { Status::Right } else { Status::Failed }
}
