//! The program: reads argv, the environment and the clock, calls the library, exits.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use autodns::aws::endpoint::Partition;
use autodns::check::{self, report::Form};
use autodns::cli::{Command, HELP};
use autodns::config::ConfigFile;
use autodns::console::Console;
use autodns::deadline::Deadline;
use autodns::environment::Environment;
use autodns::error::Error;
use autodns::policy::policy;
use autodns::secrets::Secrets;
use autodns::update::{Options, Status, update};

/// How long standard output and standard error have for what is still to be printed, each.
const TIME_TO_PRINT: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    let command = Command::parse(std::env::args_os().skip(1));
    let verbose = matches!(command, Ok(Command::Update { verbose: true, .. }));
    let console = Console::new(verbose, Secrets::default());
    let status = match command {
        Ok(Command::Update { configs, dry_run, deadline, .. }) => {
            let options = Options { dry_run, deadline };
            let environment = Environment::of_process();
            update(&environment, &configs, options, SystemTime::now(), &console)
        }
        Ok(Command::Check { configs, alert, json, deadline }) => {
            let environment = Environment::of_process();
            let form = match json {
                true => Form::Json,
                false if is_colourful(&environment) => Form::ColouredLines,
                false => Form::Lines,
            };
            let options = check::Options { form, alert, deadline };
            check::check(&environment, &configs, options, SystemTime::now(), &console)
        }
        Ok(Command::Policy { configs }) => match print_policy(&configs, &console) {
            Ok(()) => Status::Right,
            Err(error) => {
                console.trouble(&error.to_string());
                Status::NotTried
            }
        },
        Ok(Command::Help) => {
            console.say(HELP.trim_end());
            Status::Right
        }
        Ok(Command::Version) => {
            console.say(concat!("autodns ", env!("CARGO_PKG_VERSION")));
            Status::Right
        }
        Err(error) => {
            console.trouble(&error.to_string());
            Status::NotTried
        }
    };
    ExitCode::from(finish(&console, status) as u8)
}

/// Waits until everything is printed. What was asked for and cannot be printed is a failure.
fn finish(console: &Console, status: Status) -> Status {
    match console.finish(Deadline::after(TIME_TO_PRINT)) {
        Ok(()) => status,
        Err(why) => {
            console.trouble(&why);
            // Standard error may be what takes nothing.
            let _ = console.finish(Deadline::after(TIME_TO_PRINT));
            status.max(Status::Failed)
        }
    }
}

/// Whether standard output is a terminal that is to be written on in colour: see no-color.org.
fn is_colourful(environment: &Environment) -> bool {
    std::io::stdout().is_terminal()
        && environment.get("NO_COLOR").is_none()
        && environment.get("TERM") != Some("dumb")
}

fn print_policy(paths: &[PathBuf], console: &Console) -> Result<(), Error> {
    let mut configs = Vec::new();
    for path in paths {
        configs.push(ConfigFile::read(path)?.config);
    }
    let partition = Partition::of_environment(&Environment::of_process())?;
    console.say(&policy(&configs, partition));
    Ok(())
}
