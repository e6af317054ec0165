//! The commands of the program, and the only code that calls across rooms. This file finds the
//! configurations, starts the command and prints what is left.

pub mod check;
mod error;
mod plans;
pub mod policy;
pub mod update;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::aws::endpoint::Partition;
use crate::cli::{Command, DEFAULT_DEADLINE};
use crate::config::{ConfigFile, place};
use crate::console::Console;
use crate::credentials::{folder_of, profile::Profile};
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::is_absent;
use crate::paste;
use crate::secrets::Secrets;
use policy::policy;

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

/// The time to print the remaining lines.
const TIME_TO_PRINT: Duration = Duration::from_millis(300);

/// Runs the command in `arguments`, which do not include the program's name.
pub fn run(arguments: &[OsString]) -> ExitCode {
    // A file that cannot be examined may exist. Reading it gives the precise error.
    let command = Command::parse(arguments.to_vec(), |path| exists(path).unwrap_or(true));
    let console = Console::new(command.as_ref().is_ok_and(Command::is_verbose), Secrets::default());
    let status = command.and_then(|command| start(command, arguments, &console));
    let status = status.unwrap_or_else(|error| {
        console.error(&error.to_string());
        Status::NotTried
    });
    ExitCode::from(finish(&console, status) as u8)
}

fn start(
    command: Command,
    arguments: &[OsString],
    console: &Console,
) -> Result<Status, SetupError> {
    let environment = Environment::of_process();
    Ok(match command {
        Command::Update(configs, options) => {
            let configs = named_or_found(configs, &environment, arguments, options.deadline)?;
            update::update(&environment, &configs, options, console)
        }
        Command::Check(configs, options) => {
            let configs = named_or_found(configs, &environment, arguments, options.deadline)?;
            check::check(&environment, &configs, options, console)
        }
        Command::Policy(configs) => {
            let configs = named_or_found(configs, &environment, arguments, DEFAULT_DEADLINE)?;
            console.say(&policy_of(&configs, &environment)?);
            Status::Right
        }
        Command::Help(text) => {
            console.say(text.trim_end());
            Status::Right
        }
        Command::Version => {
            console.say(concat!("autodns ", env!("CARGO_PKG_VERSION")));
            Status::Right
        }
    })
}

/// The named configurations, or the one at the usual place.
fn named_or_found(
    configs: Vec<PathBuf>,
    environment: &Environment,
    arguments: &[OsString],
    time: Duration,
) -> Result<Vec<PathBuf>, SetupError> {
    if !configs.is_empty() {
        return Ok(configs);
    }
    let words: Vec<String> =
        arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let environment = environment.clone();
    // A place may be on a disk that hangs.
    let found = detached::within(Deadline::after(time), move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        place::find(&environment, exists, |place| paste::command_as_owner(place, &words))
    });
    found
        .unwrap_or_else(|_| Err(SetupError::unfinished("looking for a configuration")))
        .map(|found| vec![found])
}

/// Whether `path` exists. A broken link counts.
fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Err(error) if is_absent(&error) => Ok(false),
        found => found.map(|_| true),
    }
}

/// Waits until everything is printed. A run whose output cannot be printed has failed.
fn finish(console: &Console, status: Status) -> Status {
    match console.finish(Deadline::after(TIME_TO_PRINT)) {
        Ok(()) => status,
        Err(why) => {
            console.error(&why);
            // Standard error may be the stream that failed.
            let _ = console.finish(Deadline::after(TIME_TO_PRINT));
            status.max(Status::Failed)
        }
    }
}

fn policy_of(paths: &[PathBuf], environment: &Environment) -> Result<String, SetupError> {
    let mut configs = Vec::new();
    for path in paths {
        configs.push(ConfigFile::read(path)?.config);
    }
    let folder = paths.first().map(|path| folder_of(path)).unwrap_or_default();
    let profile = Profile::read(environment, &folder)?;
    let partition = Partition::default_of(environment, profile.region())?;
    Ok(policy(&configs, partition))
}
