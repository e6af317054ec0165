//! The command line: argv in, a [`Command`] out. Touches neither files nor the terminal.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value};

use crate::error::Error;

/// Where the configuration is when none is named.
pub const DEFAULT_CONFIG: &str = "/usr/local/etc/autodns.json";

/// How long one configuration's run may take, unless `--deadline` says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(90);

/// The text of `--help`.
pub const HELP: &str = "\
autodns keeps a Route 53 record pointing at this line's public address.

Usage: autodns [OPTIONS] [CONFIG]...
       autodns check [--alert] [--json] [CONFIG]...    look, and change nothing
       autodns policy [CONFIG]...    print the smallest IAM policy that will do

CONFIG is a JSON file, /usr/local/etc/autodns.json unless named. Several files
are several jobs; one that fails does not stop the next.

Options:
  -n, --dry-run   ask as a real run would, say what it would do, change nothing
  -v, --verbose   tell each step on standard error, with its time
  --deadline SEC  time for each file, 90 by default, the last 10 for the alert
  -h, --help      print this help
  -V, --version   print the version

Exit status:
  0  every record is right
  1  a record could not be brought up to date (an alert goes to topic_arn, once)
  2  nothing was tried: usage, configuration or credentials

Example, for cron:
  */5 * * * * /usr/local/bin/autodns /home/pi/autodns.json
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Bring the records of these configurations up to date.
    Update {
        /// The configuration files, at least one.
        configs: Vec<PathBuf>,
        /// Say what would be done and change nothing.
        dry_run: bool,
        /// Tell each step.
        verbose: bool,
        /// How long one configuration's run may take.
        deadline: Duration,
    },
    /// Look at everything that a run of these configurations needs.
    Check {
        /// The configuration files, at least one.
        configs: Vec<PathBuf>,
        /// Publish a test message.
        alert: bool,
        /// Print JSON.
        json: bool,
        /// How long one configuration may take.
        deadline: Duration,
    },
    /// Print the IAM policy for these configurations.
    Policy {
        /// The configuration files, at least one.
        configs: Vec<PathBuf>,
    },
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

impl Command {
    /// Reads the arguments that follow the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let mut configs: Vec<PathBuf> = Vec::new();
        let mut word = "";
        // The options given, each of which must be one of the command's.
        let mut given: Vec<&'static str> = Vec::new();
        let mut deadline = DEFAULT_DEADLINE;
        let mut first = true;
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let after_dashes = arguments.first().is_some_and(|argument| argument == "--");
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(usage)? {
            match argument {
                Short('n') | Long("dry-run") => given.push("--dry-run"),
                Short('v') | Long("verbose") => given.push("--verbose"),
                Long("alert") => given.push("--alert"),
                Long("json") => given.push("--json"),
                Long("deadline") => {
                    given.push("--deadline");
                    deadline = parse_deadline(&parser.value().map_err(usage)?)?;
                }
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Value(path) if path.is_empty() => {
                    return Err(Error::Usage("the name of a configuration file is empty".into()));
                }
                Value(path) if first && path == "check" && !after_dashes => word = "check",
                Value(path) if first && path == "policy" && !after_dashes => word = "policy",
                Value(path) => configs.push(path.into()),
                _ => return Err(usage(argument.unexpected())),
            }
            first = false;
        }
        if configs.is_empty() {
            configs.push(DEFAULT_CONFIG.into());
        }
        let (of_command, whose): (&[&str], _) = match word {
            "check" => (&["--alert", "--json", "--deadline"], "autodns check"),
            "policy" => (&[], "autodns policy"),
            _ => (&["--dry-run", "--verbose", "--deadline"], "a run"),
        };
        if let Some(option) = given.iter().find(|option| !of_command.contains(option)) {
            return Err(Error::Usage(format!("{option} is no option of {whose}")));
        }
        let has = |option| given.contains(&option);
        Ok(match word {
            "check" => {
                Self::Check { configs, alert: has("--alert"), json: has("--json"), deadline }
            }
            "policy" => Self::Policy { configs },
            _ => Self::Update {
                configs,
                dry_run: has("--dry-run"),
                verbose: has("--verbose"),
                deadline,
            },
        })
    }
}

/// A length of time in whole seconds, which no run at intervals should need more of than an hour.
fn parse_deadline(text: &OsStr) -> Result<Duration, Error> {
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    match seconds.filter(|seconds| (1..=3600).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(Error::Usage("--deadline must be a number of seconds from 1 to 3600".into())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn usage(error: lexopt::Error) -> Error {
    Error::Usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        Command::parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn update(configs: &[&str], dry_run: bool, verbose: bool) -> Command {
        let configs = configs.iter().map(PathBuf::from).collect();
        Command::Update { configs, dry_run, verbose, deadline: DEFAULT_DEADLINE }
    }

    #[test]
    fn arguments_become_commands() {
        assert_eq!(parse(&[]), Ok(update(&[DEFAULT_CONFIG], false, false)));
        assert_eq!(parse(&["a.json", "b.json"]), Ok(update(&["a.json", "b.json"], false, false)));
        assert_eq!(
            parse(&["a.json", "--dry-run", "--verbose"]),
            Ok(update(&["a.json"], true, true))
        );
        assert_eq!(parse(&["-nv", "a.json"]), Ok(update(&["a.json"], true, true)));
        for arguments in [&["--deadline", "20"][..], &["--deadline=20"]] {
            let Ok(Command::Update { deadline, .. }) = parse(arguments) else { panic!() };
            assert_eq!(deadline, Duration::from_secs(20));
        }
        assert_eq!(parse(&["--", "--verbose"]), Ok(update(&["--verbose"], false, false)));
        assert_eq!(parse(&["a.json", "--help"]), Ok(Command::Help));
        assert_eq!(parse(&["-V"]), Ok(Command::Version));
        let check = |alert, json| {
            let configs = vec!["a.json".into()];
            Ok(Command::Check { configs, alert, json, deadline: DEFAULT_DEADLINE })
        };
        assert_eq!(parse(&["check", "a.json"]), check(false, false));
        assert_eq!(parse(&["check", "--alert", "a.json", "--json"]), check(true, true));
        let policy = |config: &str| Ok(Command::Policy { configs: vec![config.into()] });
        assert_eq!(parse(&["policy"]), policy(DEFAULT_CONFIG));
        assert_eq!(parse(&["policy", "a.json"]), policy("a.json"));
        assert_eq!(parse(&["--", "policy"]), Ok(update(&["policy"], false, false)));
        assert_eq!(parse(&["./policy"]), Ok(update(&["./policy"], false, false)));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, problem) in [
            (&["--dryrun"][..], "invalid option '--dryrun'; see autodns --help"),
            (&["-x"], "invalid option '-x'; see autodns --help"),
            (
                &["--verbose=yes"],
                "unexpected argument for option '--verbose': \"yes\"; see autodns --help",
            ),
            (&["policy", "-v"], "--verbose is no option of autodns policy; see autodns --help"),
            (
                &["policy", "--deadline", "20"],
                "--deadline is no option of autodns policy; see autodns --help",
            ),
            (&["check", "-n"], "--dry-run is no option of autodns check; see autodns --help"),
            (&["--json"], "--json is no option of a run; see autodns --help"),
            (
                &["--deadline", "0"],
                "--deadline must be a number of seconds from 1 to 3600; see autodns --help",
            ),
            (
                &["--deadline=1m"],
                "--deadline must be a number of seconds from 1 to 3600; see autodns --help",
            ),
            (&["--deadline"], "missing argument for option '--deadline'; see autodns --help"),
            (&[""], "the name of a configuration file is empty; see autodns --help"),
        ] {
            assert_eq!(parse(arguments), Err(problem.into()), "{arguments:?}");
        }
    }

    #[test]
    fn the_help_fits_a_screen() {
        assert!(HELP.lines().count() <= 24);
        assert!(HELP.lines().all(|line| line.len() <= 80));
    }
}
