//! Brings the records of all configurations up to date. Reads the configurations here; for each of
//! them, `supervise` keeps the time, and `job` and `settle` do the work.

mod alert;
mod job;
mod settle;
mod supervise;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::ConfigFile;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::notify::lock::AlertLock;
use supervise::Supervisor;

pub use supervise::RESERVED_FOR_ALERT;

/// How a run ended; the greatest of several is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Every record is right.
    Right = 0,
    /// At least one record could not be brought up to date, or a command after a change failed.
    Failed = 1,
    /// Nothing was tried: usage, configuration or credentials.
    NotTried = 2,
}

/// The command line options of a run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Print what would be done and change nothing.
    pub dry_run: bool,
    /// The time for each configuration.
    pub deadline: Duration,
}

/// Brings the records of all `configs` up to date, one after the other.
pub fn update(
    environment: &Environment,
    configs: &[PathBuf],
    options: Options,
    now: SystemTime,
    console: &Console,
) -> Status {
    let (files, mut status) = read_configs(environment, configs, options.deadline, console);
    let mut supervisor = Supervisor::new(environment, options, now, console);
    for file in files {
        status = status.max(supervisor.run(&Arc::new(file)));
    }
    status
}

/// Returns the configurations that can be run, and prints the errors of the others.
fn read_configs(
    environment: &Environment,
    paths: &[PathBuf],
    time: Duration,
    console: &Console,
) -> (Vec<ConfigFile>, Status) {
    let mut status = Status::Right;
    let mut files = Vec::new();
    let mut by_lock: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        match read_config(environment, path, time) {
            Ok((file, lock)) => {
                if let Some(lock) = lock {
                    by_lock.entry(lock).or_default().push(path.clone());
                }
                files.push(file);
            }
            Err((error, failed)) => {
                console.error(&error.to_string());
                status = status.max(failed);
            }
        }
    }
    // One lock cannot remember the alerts of two configurations.
    for (lock, sharers) in by_lock.iter().filter(|(_, sharers)| sharers.len() > 1) {
        let names: Vec<String> = sharers.iter().map(|p| p.display().to_string()).collect();
        if let Some(name) = names.first().filter(|first| names.iter().all(|name| name == *first)) {
            console.error(&format!("{name}: is named twice; name it once"));
        } else {
            console.error(&format!(
                "{}: have the same alert_lock, {}; give each its own",
                names.join(", "),
                lock.display()
            ));
        }
        status = Status::NotTried;
        files.retain(|file| !sharers.contains(&file.path));
    }
    (files, status)
}

/// Reads a configuration and finds the path of its lock, within `time`.
fn read_config(
    environment: &Environment,
    path: &Path,
    time: Duration,
) -> Result<(ConfigFile, Option<PathBuf>), (SetupError, Status)> {
    let (own, environment) = (path.to_owned(), environment.clone());
    let read = detached::within(Deadline::after(time), move || {
        let file = ConfigFile::read(&own)?;
        let lock = file.alert_lock(&environment);
        let place = lock.as_ref().and_then(AlertLock::path).map(real_place);
        Ok((file, place))
    });
    let hung = |_| (SetupError::unfinished(&format!("reading {}", path.display())), Status::Failed);
    read.map_err(hung)?.map_err(|error| (error, Status::NotTried))
}

/// The path with the links of its folder resolved, so that two spellings of one path are equal.
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
