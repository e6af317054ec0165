//! The variables of the process's environment, read once, so that everything behind is a function
//! of a value and a test needs no process of its own; and the names of machine and program.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::paste;

/// A snapshot of the environment's variables. Its `Debug` shows names only: values are secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. A value that is not UTF-8 is kept with U+FFFD in place of
    /// what could not be read, so that it is present and wrong rather than absent.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .collect()
    }

    /// The value of `name`; an empty one counts as not set, as AWS's own tools have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, and its value.
    pub fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|&name| Some((name, self.get(name)?)))
    }

    /// Whether `name` is `true`, in any case.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The file that `variable` names, else `default` below the home directory; `None` when there
    /// is no home directory either. A leading `~/` in the value is the home directory.
    pub fn file(&self, variable: &str, default: &str) -> Option<PathBuf> {
        match self.get(variable) {
            Some(path) => self.expanded(path),
            None => self.home(default),
        }
    }

    /// `path` with a leading `~/` as the home directory.
    pub fn expanded(&self, path: &str) -> Option<PathBuf> {
        match path.strip_prefix("~/") {
            Some(rest) => self.home(rest),
            None => Some(path.into()),
        }
    }

    /// `path` below the home directory, if HOME is set.
    pub fn home(&self, path: &str) -> Option<PathBuf> {
        self.get("HOME").map(|home| PathBuf::from(home).join(path))
    }

    /// The folder for what is remembered from run to run: `$STATE_DIRECTORY` (systemd sets it; of
    /// several, the first), else `$XDG_STATE_HOME/autodns`, else `~/.local/state/autodns`. `None`
    /// when no variable says where. A relative path is ignored, as the XDG Base Directory
    /// Specification demands: it would be another folder for each working directory.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let given = self.get("STATE_DIRECTORY").and_then(|list| list.split(':').next());
        given
            .and_then(absolute)
            .or_else(|| Some(absolute(self.get("XDG_STATE_HOME")?)?.join("autodns")))
            .or_else(|| self.home(".local/state/autodns").filter(|path| path.is_absolute()))
    }
}

/// The name of this machine, from the kernel.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".into())
}

/// The command line by which a person who logs into this machine runs this program with `words`:
/// with the full path, with the variables of a deployed configuration (the last of `words`), and as
/// the user that it runs as now if nobody logs in as that one.
pub fn command(words: &[&str]) -> String {
    let user = fs::metadata("/proc/self").ok().map(|metadata| metadata.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let sudo = user.map_or(String::new(), |user| sudo_for(user, &users));
    sudo + &with_variables(&program(), words)
}

/// The command line by which a person runs this program with `words` as the user who may read
/// `path`: its owner. Where the owner is hidden, it is the user of the installations for the whole
/// machine, whose folder is closed to others.
pub fn command_as_owner(path: &Path, words: &[&str]) -> String {
    let owner = fs::metadata(path).ok().map(|metadata| metadata.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    sudo_as(owner, &users) + &with_variables(&program(), words)
}

/// The command line of `program`, with the variables that `deploy-pi.sh --env` has put into the
/// file `environment` beside the configuration, which is the last of `words`. Only a file of the
/// configuration's own owner counts: the shell runs what is in it.
fn with_variables(program: &Path, words: &[&str]) -> String {
    let config = Path::new(words.last().copied().unwrap_or_default());
    let variables = config.with_file_name("environment");
    let owner = |path: &Path| {
        fs::symlink_metadata(path).ok().filter(Metadata::is_file).map(|metadata| metadata.uid())
    };
    let is_deployed = owner(&variables).is_some_and(|user| owner(config) == Some(user));
    let line = paste::command(program, words);
    if !is_deployed {
        return line;
    }
    let variables = variables.to_string_lossy();
    let script = "set -a; . \"$0\"; exec \"$@\"";
    paste::command(Path::new("/bin/sh"), &["-c", script, &variables]) + " " + &line
}

/// What stands before a command that is to be run as `owner`, with a space behind it.
fn sudo_as(owner: Option<u32>, users: &str) -> String {
    match owner {
        None => "sudo -u autodns ".into(),
        Some(0) => "sudo ".into(),
        Some(owner) => match entry_of(owner, users).as_deref() {
            Some([name, ..]) => format!("sudo -u {name} "),
            _ => format!("sudo -u '#{owner}' "),
        },
    }
}

/// The fields of a user in the text of /etc/passwd.
fn entry_of(user: u32, users: &str) -> Option<Vec<&str>> {
    let user = user.to_string();
    users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() == 7 && fields.get(2).is_some_and(|&number| number == user))
}

fn program() -> PathBuf {
    let Ok(path) = std::env::current_exe() else { return "autodns".into() };
    // So the kernel says when the file was replaced since, as by an upgrade during this run.
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(replaced) => replaced.into(),
        None => path,
    }
}

/// What stands before a command that `user` is to run, with a space behind it, if anything has to:
/// `users` is the text of /etc/passwd, which says who has a login shell.
fn sudo_for(user: u32, users: &str) -> String {
    if user == 0 {
        return "sudo ".into();
    }
    match entry_of(user, users).as_deref() {
        Some([name, .., shell]) if shell.ends_with("/nologin") || shell.ends_with("/false") => {
            format!("sudo -u {name} ")
        }
        _ => String::new(),
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// For tests and tables: variables as pairs of string slices.
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_counts_as_not_set() {
        let environment = Environment::from([("A", ""), ("B", "True")]);
        assert_eq!(environment.get("A"), None);
        assert!(environment.is_true("B"));
        assert!(!environment.is_true("C"));
    }

    #[test]
    fn files_are_found_by_variable_then_below_home() {
        let environment =
            Environment::from([("HOME", "/home/pi"), ("F", "~/x/y"), ("G", "relative")]);
        assert_eq!(environment.file("F", ".aws/config"), Some("/home/pi/x/y".into()));
        assert_eq!(environment.file("G", ".aws/config"), Some("relative".into()));
        assert_eq!(environment.file("H", ".aws/config"), Some("/home/pi/.aws/config".into()));
        assert_eq!(Environment::default().file("H", ".aws/config"), None);
    }

    #[test]
    fn command_is_run_as_the_owner_of_the_file() {
        let users = "root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n";
        for (owner, sudo) in [
            (Some(0), "sudo "),
            (Some(1000), "sudo -u pi "),
            (Some(1001), "sudo -u '#1001' "),
            (None, "sudo -u autodns "),
        ] {
            assert_eq!(sudo_as(owner, users), sudo, "{owner:?}");
        }
    }

    #[test]
    fn user_without_a_login_shell_needs_sudo() {
        let users = "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n\
                     broken\nautodns:x:110:115::/nonexistent:/usr/sbin/nologin\n";
        for (user, sudo) in [(0, "sudo "), (1000, ""), (110, "sudo -u autodns "), (4711, "")] {
            assert_eq!(sudo_for(user, users), sudo, "{user}");
        }
    }

    #[test]
    fn state_folder_is_systemds_then_xdgs_then_below_home() {
        for (variables, folder) in [
            ([("STATE_DIRECTORY", "/s"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/s")),
            ([("STATE_DIRECTORY", "/s:/t"), ("XDG_STATE_HOME", ""), ("HOME", "")], Some("/s")),
            (
                [("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")],
                Some("/x/autodns"),
            ),
            (
                [("STATE_DIRECTORY", "s"), ("XDG_STATE_HOME", "x"), ("HOME", "/h")],
                Some("/h/.local/state/autodns"),
            ),
            ([("STATE_DIRECTORY", ":/t"), ("XDG_STATE_HOME", ""), ("HOME", "h")], None),
        ] {
            let environment = Environment::from(variables);
            assert_eq!(environment.state_folder(), folder.map(PathBuf::from), "{variables:?}");
        }
    }

    #[test]
    fn command_has_the_variables_of_its_deployment() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("autodns.json");
        let words = ["--dry-run", config.to_str().unwrap()];
        let program = Path::new("/usr/bin/autodns");
        let plain = format!("/usr/bin/autodns --dry-run {}", config.display());
        assert_eq!(with_variables(program, &words), plain);
        let variables = folder.path().join("environment");
        fs::write(&variables, "").unwrap();
        assert_eq!(with_variables(program, &words), plain);
        fs::write(&config, "").unwrap();
        assert_eq!(
            with_variables(program, &words),
            format!("/bin/sh -c 'set -a; . \"$0\"; exec \"$@\"' {} {plain}", variables.display())
        );
        fs::remove_file(&variables).unwrap();
        std::os::unix::fs::symlink(&config, &variables).unwrap();
        assert_eq!(with_variables(program, &words), plain);
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", Environment::from([("AWS_SECRET_ACCESS_KEY", "hush")]));
        assert_eq!(shown, "{\"AWS_SECRET_ACCESS_KEY\"}");
    }
}
