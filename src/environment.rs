//! The environment variables of the process, read once, so that other rooms get them as a value and
//! can be tested without a process. Also the name of the machine.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

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

pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".into())
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
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

    /// For the tests of all rooms.
    impl<const N: usize> From<[(&str, &str); N]> for Environment {
        fn from(variables: [(&str, &str); N]) -> Self {
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
        }
    }

    #[test]
    fn empty_value_counts_as_not_set() {
        let environment = Environment::from([("A", ""), ("B", "True")]);
        assert_eq!(environment.get("A"), None);
        assert!(environment.is_true("B"));
        assert!(!environment.is_true("C"));
    }

    #[test]
    fn tilde_is_replaced_by_the_home_directory() {
        let environment = Environment::from([("HOME", "/home/pi")]);
        assert_eq!(environment.expanded("~/x/y"), Some("/home/pi/x/y".into()));
        assert_eq!(environment.expanded("relative"), Some("relative".into()));
        assert_eq!(Environment::default().expanded("~/x/y"), None);
        assert_eq!(Environment::default().expanded("/x/y"), Some("/x/y".into()));
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
    fn debug_shows_no_value() {
        let shown = format!("{:?}", Environment::from([("AWS_SECRET_ACCESS_KEY", "hush")]));
        assert_eq!(shown, "{\"AWS_SECRET_ACCESS_KEY\"}");
    }
}
