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
use std::time::Duration;

use crate::cli::RunOptions;
use crate::commands::Status;
use crate::config::ConfigFile;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::notify::lock::AlertLock;
use supervise::Supervisor;

pub use supervise::RESERVED_FOR_ALERT;

/// Brings the records of all `configs` up to date, one after the other.
pub fn update(
    environment: &Environment,
    configs: &[PathBuf],
    options: RunOptions,
    console: &Console,
) -> Status {
    let (files, mut status) = read_configs(environment, configs, options.deadline, console);
    let mut supervisor = Supervisor::new(environment, options, console);
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
    let mut read = Vec::new();
    for path in paths {
        match read_config(environment, path, paths.len() > 1, time) {
            Ok(config) => read.push(config),
            Err((error, failed)) => {
                console.error(&error.to_string());
                status = status.max(failed);
            }
        }
    }
    let mut reject = |paths: &[PathBuf], error: SetupError| {
        let mut names: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        names.dedup();
        console.error(&error.about(&names.join(", ")).to_string());
        status = Status::NotTried;
    };
    for (_, paths) in sharers(&read, |config| config.resolved.as_ref()) {
        let error = SetupError::new("the same file is named twice").advise("name it once");
        reject(&paths, error);
        read.retain(|config| !paths.contains(&config.file.path));
    }
    // One lock cannot remember the alerts of two configurations.
    for (lock, paths) in sharers(&read, |config| config.lock.as_ref()) {
        let cause = format!("all have the same alert_lock, {}", lock.display());
        reject(&paths, SetupError::new(cause).advise("give each its own"));
        read.retain(|config| !paths.contains(&config.file.path));
    }
    (read.into_iter().map(|config| config.file).collect(), status)
}

/// A configuration with the two paths that no other one of the same run may have.
struct ReadConfig {
    file: ConfigFile,
    /// `None` if the run has only this configuration: finding the path is not free.
    resolved: Option<PathBuf>,
    lock: Option<PathBuf>,
}

/// Each path that several of `configs` share, and the paths of these configurations.
fn sharers(
    configs: &[ReadConfig],
    path_of: impl Fn(&ReadConfig) -> Option<&PathBuf>,
) -> Vec<(PathBuf, Vec<PathBuf>)> {
    let mut by_path: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for config in configs {
        if let Some(path) = path_of(config) {
            by_path.entry(path.clone()).or_default().push(config.file.path.clone());
        }
    }
    by_path.into_iter().filter(|(_, names)| names.len() > 1).collect()
}

/// Reads a configuration and finds its path and that of its lock, within `time`.
fn read_config(
    environment: &Environment,
    path: &Path,
    is_one_of_several: bool,
    time: Duration,
) -> Result<ReadConfig, (SetupError, Status)> {
    let (own, environment) = (path.to_owned(), environment.clone());
    let read = detached::within(Deadline::after(time), move || {
        let file = ConfigFile::read(&own)?;
        let lock = file.alert_lock(&environment);
        let lock = lock.as_ref().and_then(AlertLock::path).map(resolve_folder);
        Ok(ReadConfig { file, resolved: is_one_of_several.then(|| resolve_folder(&own)), lock })
    });
    let hung = |_| (SetupError::unfinished(&format!("reading {}", path.display())), Status::Failed);
    read.map_err(hung)?.map_err(|error| (error, Status::NotTried))
}

/// The path with the links of its folder resolved, so that two spellings of one path are equal.
fn resolve_folder(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}
