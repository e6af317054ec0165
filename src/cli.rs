//! Parses the command line into a [`Command`]. Touches neither files nor the terminal: the caller
//! passes a function that says whether a file exists.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value};

use crate::error::SetupError;

/// The words that are commands if they are the first word that is not an option.
pub const COMMANDS: [&str; 4] = ["check", "policy", "help", "version"];

/// The time for each configuration without `--deadline`.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(90);

pub const HELP: &str = "\
autodns keeps a Route 53 record pointing at this connection's public address.

Usage: autodns [OPTIONS] [CONFIG]...        bring the records up to date
       autodns check [OPTIONS] [CONFIG]...  test everything that a run needs
       autodns policy [CONFIG]...           print the smallest IAM policy
       autodns help [COMMAND]               print the options of a command

CONFIG is a JSON file. If none is named, the first of these that exists is used:
~/.config/autodns/autodns.json, /etc/autodns/autodns.json,
/usr/local/etc/autodns.json. Several files run one after the other.

Options:
  -n, --dry-run   print what a run would do, and change nothing
  -v, --verbose   print each step on standard error, with its time
  --deadline SEC  time for each file, 90 by default, the last 10 for the alert
  -h, --help      print this help; after a command, its options
  -V, --version   print the version, as autodns version does

Exit status:
  0  every record is right
  1  a record is not up to date (one alert is sent), or change_command failed
  2  nothing was tried: usage, configuration or credentials

For cron: 3-59/5 * * * * /usr/local/bin/autodns  (start at your own minute)
";

pub const CHECK_HELP: &str = "\
autodns check tests everything that a run needs, and changes nothing.

Usage: autodns check [OPTIONS] [CONFIG]...

Each line is ok, warning (a run works, but you should know), failed or
not tested. The last line counts them.

Options:
  --alert         publish a test message to topic_arn
  --write         write each record exactly as it is, to test the right to do so
  --json          print one JSON object, for programs
  -v, --verbose   print each step on standard error, with its time
  --deadline SEC  time for each file, 90 by default
  -h, --help      print this help

Exit status:
  0  nothing failed; what was not tested is unknown
  1  something failed
  2  a run would try nothing: usage, configuration or credentials
";

pub const POLICY_HELP: &str = "\
autodns policy prints the smallest IAM policy with which CONFIG works, as JSON.

Usage: autodns policy [CONFIG]...

Several files get one policy for all of them. It needs no key and no network.

Options:
  -h, --help      print this help

Exit status:
  0  the policy was printed
  1  it could not be printed
  2  a configuration cannot be used
";

/// The configurations of a command are empty if the command line names none.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Update(Vec<PathBuf>, RunOptions),
    Check(Vec<PathBuf>, CheckOptions),
    Policy(Vec<PathBuf>),
    /// Print this text.
    Help(&'static str),
    Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Print what would be done and change nothing.
    pub dry_run: bool,
    pub verbose: bool,
    /// The time for each configuration.
    pub deadline: Duration,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one option")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// Publish a test message to the topic.
    pub alert: bool,
    /// Write each record exactly as it is.
    pub write: bool,
    pub json: bool,
    pub verbose: bool,
    /// The time for each configuration.
    pub deadline: Duration,
}

impl Command {
    pub const fn is_verbose(&self) -> bool {
        match self {
            Self::Update(_, options) => options.verbose,
            Self::Check(_, options) => options.verbose,
            Self::Policy(_) | Self::Help(_) | Self::Version => false,
        }
    }

    /// Parses the arguments that follow the program's name. `exists` says whether there may be a
    /// file at a path: a word that is neither a command nor a file is a typing mistake and must not
    /// start a run.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self, SetupError> {
        let mut line = Line::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        loop {
            // After `--`, every word is a file.
            let rest = parser.try_raw_args();
            line.only_files |=
                rest.is_some_and(|rest| rest.peek().is_some_and(|next| next == "--"));
            let Some(argument) = parser.next().map_err(usage)? else { break };
            match argument {
                Short('n') | Long("dry-run") => line.given.push("--dry-run"),
                Short('v') | Long("verbose") => line.given.push("--verbose"),
                Long("alert") => line.given.push("--alert"),
                Long("write") => line.given.push("--write"),
                Long("json") => line.given.push("--json"),
                Long("deadline") => {
                    line.given.push("--deadline");
                    line.deadline = Some(parse_deadline(&parser.value().map_err(usage)?)?);
                }
                Short('h') | Long("help") => {
                    let word = line.command.or_else(|| next_command(&mut parser));
                    return Ok(Self::Help(line.topic.or(word).map_or(HELP, CommandName::help)));
                }
                Short('V') | Long("version") => return Ok(Self::Version),
                Value(word) => line.take(&word, &exists)?,
                _ => return Err(usage(argument.unexpected())),
            }
        }
        line.into_command()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommandName {
    Check,
    Policy,
    Help,
    Version,
}

impl CommandName {
    /// In the order of [`COMMANDS`].
    const ALL: [Self; COMMANDS.len()] = [Self::Check, Self::Policy, Self::Help, Self::Version];

    fn parse(text: &OsStr) -> Option<Self> {
        let index = COMMANDS.iter().position(|word| text == *word)?;
        Self::ALL.get(index).copied()
    }

    const fn as_str(self) -> &'static str {
        COMMANDS[self as usize]
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Check => CHECK_HELP,
            Self::Policy => POLICY_HELP,
            Self::Help | Self::Version => HELP,
        }
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Check => &["--alert", "--write", "--json", "--verbose", "--deadline"],
            Self::Policy | Self::Help | Self::Version => &[],
        }
    }
}

const RUN_OPTIONS: &[&str] = &["--dry-run", "--verbose", "--deadline"];

/// The parts of the command line that were parsed so far.
#[derive(Default)]
struct Line {
    command: Option<CommandName>,
    /// The command after `help`.
    topic: Option<CommandName>,
    files: Vec<PathBuf>,
    only_files: bool,
    given: Vec<&'static str>,
    deadline: Option<Duration>,
}

impl Line {
    /// Takes a word that is not an option.
    fn take(&mut self, word: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<(), SetupError> {
        let path = PathBuf::from(word);
        let (shown, commands) = (word.to_string_lossy(), COMMANDS.join(", "));
        let command = CommandName::parse(word).filter(|_| !self.only_files);
        match (command, self.command) {
            _ if word.is_empty() => {
                return Err(SetupError::usage("the name of a configuration file is empty"));
            }
            (Some(topic), Some(CommandName::Help)) if self.topic.is_none() => {
                self.topic = Some(topic);
            }
            (None, Some(CommandName::Help)) => {
                return Err(SetupError::usage(format!("{shown:?} is not a command ({commands})")));
            }
            (Some(command), None) if self.files.is_empty() => self.command = Some(command),
            (Some(_), _) => {
                let cause = format!("{shown} is a command, and only the first word can be one");
                let advice = format!("write a configuration file of that name as ./{shown}");
                return Err(SetupError::new(cause).advise(advice));
            }
            // If a path cannot be read, the error of reading it is more precise.
            (None, _) if self.only_files || shown.contains('/') || exists(&path) => {
                self.files.push(path);
            }
            (None, _) => {
                return Err(SetupError::usage(format!(
                    "{shown:?} is neither a command ({commands}) nor an existing file"
                )));
            }
        }
        Ok(())
    }

    fn into_command(self) -> Result<Command, SetupError> {
        let (options, command) = match self.command {
            None => (RUN_OPTIONS, "a run".into()),
            Some(word) => (word.options(), format!("autodns {}", word.as_str())),
        };
        if let Some(option) = self.given.iter().find(|option| !options.contains(option)) {
            return Err(SetupError::usage(format!("{option} is not an option of {command}")));
        }
        let has = |option| self.given.contains(&option);
        let verbose = has("--verbose");
        let deadline = self.deadline.unwrap_or(DEFAULT_DEADLINE);
        Ok(match self.command {
            None => {
                let options = RunOptions { dry_run: has("--dry-run"), verbose, deadline };
                Command::Update(self.files, options)
            }
            Some(CommandName::Check) => {
                let (alert, write, json) = (has("--alert"), has("--write"), has("--json"));
                let options = CheckOptions { alert, write, json, verbose, deadline };
                Command::Check(self.files, options)
            }
            Some(CommandName::Policy) => Command::Policy(self.files),
            Some(CommandName::Help | CommandName::Version) if !self.files.is_empty() => {
                return Err(SetupError::usage(format!("{command} takes no configuration")));
            }
            Some(CommandName::Help) => Command::Help(self.topic.map_or(HELP, CommandName::help)),
            Some(CommandName::Version) => Command::Version,
        })
    }
}

/// The command that follows `--help`, if there is one. Errors after `--help` are ignored.
fn next_command(parser: &mut lexopt::Parser) -> Option<CommandName> {
    while let Ok(Some(argument)) = parser.next() {
        if let Value(word) = argument {
            return CommandName::parse(&word);
        }
    }
    None
}

/// At most an hour, because runs that start at intervals must end.
fn parse_deadline(text: &OsStr) -> Result<Duration, SetupError> {
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    match seconds.filter(|seconds| (1..=3600).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(SetupError::usage("--deadline must be a number of seconds from 1 to 3600")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn usage(error: lexopt::Error) -> SetupError {
    SetupError::usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that exist are `*.json` and one with the name of a command.
    fn parse(arguments: &[&str]) -> Result<Command, String> {
        let exists = |path: &Path| {
            path.extension().is_some_and(|end| end == "json") || path == Path::new("check")
        };
        Command::parse(arguments.iter().map(OsString::from), exists)
            .map_err(|error| error.to_string())
    }

    fn update(configs: &[&str], dry_run: bool, verbose: bool) -> Command {
        let configs = configs.iter().map(PathBuf::from).collect();
        let options = RunOptions { dry_run, verbose, deadline: DEFAULT_DEADLINE };
        Command::Update(configs, options)
    }

    fn check(configs: &[&str], options: &[&str]) -> Command {
        let has = |option| options.contains(&option);
        let options = CheckOptions {
            alert: has("--alert"),
            write: has("--write"),
            json: has("--json"),
            verbose: has("--verbose"),
            deadline: DEFAULT_DEADLINE,
        };
        Command::Check(configs.iter().map(PathBuf::from).collect(), options)
    }

    fn policy(configs: &[&str]) -> Command {
        Command::Policy(configs.iter().map(PathBuf::from).collect())
    }

    #[test]
    fn arguments_become_a_run() {
        assert_eq!(parse(&[]), Ok(update(&[], false, false)));
        assert_eq!(parse(&["a.json", "b.json"]), Ok(update(&["a.json", "b.json"], false, false)));
        assert_eq!(
            parse(&["a.json", "--dry-run", "--verbose"]),
            Ok(update(&["a.json"], true, true))
        );
        assert_eq!(parse(&["-nv", "a.json"]), Ok(update(&["a.json"], true, true)));
        for arguments in [&["--deadline", "20"][..], &["--deadline=20"]] {
            let Ok(Command::Update(_, options)) = parse(arguments) else { panic!() };
            assert_eq!(options.deadline, Duration::from_secs(20));
        }
    }

    #[test]
    fn first_word_that_is_not_an_option_is_the_command() {
        for (arguments, expected) in [
            (&["check"][..], check(&[], &[])),
            (&["check", "a.json"], check(&["a.json"], &[])),
            (&["--verbose", "check", "a.json"], check(&["a.json"], &["--verbose"])),
            (&["-v", "check", "--json", "a.json"], check(&["a.json"], &["--verbose", "--json"])),
            (&["--deadline", "90", "check", "a.json"], check(&["a.json"], &[])),
            (&["--json", "--alert", "check"], check(&[], &["--json", "--alert"])),
            (&["check", "a.json", "--write"], check(&["a.json"], &["--write"])),
            (&["check", "--", "policy"], check(&["policy"], &[])),
            (&["policy", "a.json", "b.json"], policy(&["a.json", "b.json"])),
            (&["policy", "./policy"], policy(&["./policy"])),
            (&["./check"], update(&["./check"], false, false)),
            (&["--", "check"], update(&["check"], false, false)),
            (&["-n", "--", "--odd.json", "--"], update(&["--odd.json", "--"], true, false)),
            (&["--deadline", "90", "a.json"], update(&["a.json"], false, false)),
            (&["/missing"], update(&["/missing"], false, false)),
            (&["version"], Command::Version),
            (&["--version", "missing"], Command::Version),
            (&["check", "-V"], Command::Version),
        ] {
            assert_eq!(parse(arguments), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn help_is_about_the_given_command() {
        for (arguments, expected) in [
            (&["--help"][..], HELP),
            (&["-h", "--nonsense", "nonsense"], HELP),
            (&["help"], HELP),
            (&["help", "version"], HELP),
            (&["check", "--help"], CHECK_HELP),
            (&["check", "a.json", "-h"], CHECK_HELP),
            (&["--help", "check"], CHECK_HELP),
            (&["-v", "--help", "--json", "check"], CHECK_HELP),
            (&["help", "check"], CHECK_HELP),
            (&["help", "--help"], HELP),
            (&["policy", "--help"], POLICY_HELP),
            (&["help", "policy"], POLICY_HELP),
        ] {
            assert_eq!(parse(arguments), Ok(Command::Help(expected)), "{arguments:?}");
        }
    }

    #[test]
    fn error_names_the_word_that_is_not_understood() {
        const COMMANDS: &str = "(check, policy, help, version)";
        const NEITHER: &str =
            "is neither a command (check, policy, help, version) nor an existing file";
        const COMMAND: &str = "is a command, and only the first word can be one; write a \
                               configuration file of that name as";
        for (arguments, problem) in [
            (&["--dryrun"][..], "invalid option '--dryrun'".into()),
            (&["-x"], "invalid option '-x'".into()),
            (&["--verbose=yes"], "unexpected argument for option '--verbose': \"yes\"".into()),
            (&["policy", "-v"], "--verbose is not an option of autodns policy".into()),
            (&["-v", "policy"], "--verbose is not an option of autodns policy".into()),
            (
                &["policy", "--deadline", "20"],
                "--deadline is not an option of autodns policy".into(),
            ),
            (&["check", "-n"], "--dry-run is not an option of autodns check".into()),
            (&["--json"], "--json is not an option of a run".into()),
            (&["--write", "a.json"], "--write is not an option of a run".into()),
            (&["version", "-v"], "--verbose is not an option of autodns version".into()),
            (&["version", "a.json"], "autodns version takes no configuration".into()),
            (&["--deadline", "0"], "--deadline must be a number of seconds from 1 to 3600".into()),
            (&["--deadline=1m"], "--deadline must be a number of seconds from 1 to 3600".into()),
            (&["--deadline"], "missing argument for option '--deadline'".into()),
            (&[""], "the name of a configuration file is empty".into()),
            (&["chekc", "a.json"], format!("\"chekc\" {NEITHER}")),
            (&["a.json", "chekc"], format!("\"chekc\" {NEITHER}")),
            (&["check", "missing"], format!("\"missing\" {NEITHER}")),
            (&["help", "a.json"], format!("\"a.json\" is not a command {COMMANDS}")),
        ] {
            let problem = format!("{problem}; see autodns --help");
            assert_eq!(parse(arguments), Err(problem), "{arguments:?}");
        }
        for (arguments, name) in [
            (&["a.json", "check"][..], "check"),
            (&["check", "check"], "check"),
            (&["check", "policy", "a.json"], "policy"),
        ] {
            let problem = format!("{name} {COMMAND} ./{name}");
            assert_eq!(parse(arguments), Err(problem), "{arguments:?}");
        }
    }

    #[test]
    fn help_fits_a_screen() {
        for help in [HELP, CHECK_HELP, POLICY_HELP] {
            assert!(help.lines().count() <= 24, "{}", help.lines().count());
            assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        }
    }
}
