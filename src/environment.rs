//! The environment variables of the process, read once, so that other rooms get them as a value and
//! can be tested without a process. Also the names of the machine and the program.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::paste;

/// A snapshot of the environment variables. `Debug` shows only the names, as values can be secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Bytes that are not UTF-8 become U+FFFD, so that a broken
    /// value is an error later instead of counting as not set.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .collect()
    }

    /// The value of `name`. An empty value counts as not set, as in AWS's tools.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, with its value.
    pub fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|&name| Some((name, self.get(name)?)))
    }

    /// Whether the value is `true`, in upper or lower case.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The path that `variable` names, else `default` below the home directory. A leading `~/`
    /// stands for the home directory. `None` if the home directory is needed and not set.
    pub fn file(&self, variable: &str, default: &str) -> Option<PathBuf> {
        match self.get(variable) {
            Some(path) => self.expanded(path),
            None => self.home(default),
        }
    }

    /// Replaces a leading `~/` by the home directory; `None` if that is not set.
    pub fn expanded(&self, path: &str) -> Option<PathBuf> {
        match path.strip_prefix("~/") {
            Some(rest) => self.home(rest),
            None => Some(path.into()),
        }
    }

    /// `path` below the home directory; `None` if HOME is not set.
    pub fn home(&self, path: &str) -> Option<PathBuf> {
        self.get("HOME").map(|home| PathBuf::from(home).join(path))
    }

    /// The folder for alert locks: the first path in `$STATE_DIRECTORY`, which systemd sets, else
    /// `$XDG_STATE_HOME/autodns`, else `~/.local/state/autodns`. `None` if none of them is set.
    ///
    /// A relative path is ignored, as the XDG Base Directory Specification demands: its meaning
    /// would depend on the working directory.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let given = self.get("STATE_DIRECTORY").and_then(|list| list.split(':').next());
        given
            .and_then(absolute)
            .or_else(|| Some(absolute(self.get("XDG_STATE_HOME")?)?.join("autodns")))
            .or_else(|| self.home(".local/state/autodns").filter(|path| path.is_absolute()))
    }
}

/// Source: the kernel.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".into())
}

/// The command line with which a person on this machine runs this program with `words`, whose last
/// one is the configuration. It has the full path and the variables of a deployed configuration. It
/// uses sudo if the current user has no login shell.
pub fn command(words: &[&str]) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    sudo_for(geteuid().as_raw(), &users) + &with_variables(&program(), words)
}

/// The command line with which a person runs this program with `words` as the owner of `path`. If
/// the owner cannot be read, the user is `autodns`: the folder of an installation for the whole
/// machine is closed to others.
pub fn command_as_owner(path: &Path, words: &[&str]) -> String {
    let owner = fs::metadata(path).ok().map(|metadata| metadata.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    sudo_as(owner, &users) + &with_variables(&program(), words)
}

/// The command line of `program` with the variables in the file `environment` beside the
/// configuration, which is the last of `words`. `deploy-pi.sh --env` writes that file. It is used
/// only if it has the same owner as the configuration, because the shell executes it.
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

/// The prefix of a command that runs as `owner`, with a final space.
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

/// The fields of a user in `users`, the text of /etc/passwd.
fn entry_of(user: u32, users: &str) -> Option<Vec<&str>> {
    let user = user.to_string();
    users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() == 7 && fields.get(2).is_some_and(|&number| number == user))
}

fn program() -> PathBuf {
    let Ok(path) = std::env::current_exe() else { return "autodns".into() };
    // The kernel adds this suffix if an upgrade replaced the file during this run.
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(replaced) => replaced.into(),
        None => path,
    }
}

/// The prefix of a command that `user` runs, with a final space: empty if the user has a login
/// shell. `users` is the text of /etc/passwd.
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
    fn empty_value_counts_as_not_set() {
        let environment = Environment::from([("A", ""), ("B", "True")]);
        assert_eq!(environment.get("A"), None);
        assert!(environment.is_true("B"));
        assert!(!environment.is_true("C"));
    }

    #[test]
    fn file_is_from_the_variable_or_below_home() {
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
    fn state_folder_is_from_systemd_or_xdg_or_below_home() {
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
