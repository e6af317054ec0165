//! The program: reads argv, the environment and the clock, calls the library, exits.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use autodns::aws::endpoint::Partition;
use autodns::check::{self, report::Form};
use autodns::cli::{Command, HELP};
use autodns::config::ConfigFile;
use autodns::console::Console;
use autodns::environment::Environment;
use autodns::error::Error;
use autodns::policy::policy;
use autodns::secrets::Secrets;
use autodns::update::{Options, Status, update};

fn main() -> ExitCode {
    let console = Console::new(false, Secrets::default());
    let status = match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Update { configs, dry_run, verbose, deadline }) => {
            let options = Options { dry_run, verbose, deadline };
            update(&Environment::of_process(), &configs, options, SystemTime::now())
        }
        Ok(Command::Check { configs, alert, json, deadline }) => {
            let environment = Environment::of_process();
            let form = match json {
                true => Form::Json,
                false if is_colourful(&environment) => Form::ColouredLines,
                false => Form::Lines,
            };
            let options = check::Options { form, alert, deadline };
            check::check(&environment, &configs, options, SystemTime::now())
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
    ExitCode::from(status as u8)
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
