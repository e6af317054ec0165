//! Finds the configuration if the command line names none. Checks which file exists; reads none.

use std::io;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::error::SetupError;

/// The path below a folder of configurations.
const NAME: &str = "autodns/autodns.json";
/// The paths for the whole machine, in order.
const SYSTEM_PATHS: [&str; 2] = ["/etc/autodns/autodns.json", "/usr/local/etc/autodns.json"];

/// The first configuration that exists: `$XDG_CONFIG_HOME/autodns/autodns.json`, which is below
/// `~/.config` unless that is set, then those of the machine. `exists` looks at a path. `command`
/// returns the command line to paste, run as a user who may read the path.
///
/// If this user may not look into a folder, it is unknown whether the file exists. That is an
/// error, because the next configuration could be the wrong one.
pub fn find(
    environment: &Environment,
    exists: impl Fn(&Path) -> io::Result<bool>,
    command: impl Fn(&Path) -> String,
) -> Result<PathBuf, SetupError> {
    let user_path = user_path(environment);
    let places = user_path.iter().cloned().chain(SYSTEM_PATHS.map(PathBuf::from));
    for place in places.clone() {
        match exists(&place) {
            Ok(true) => return Ok(place),
            Ok(false) => {}
            Err(error) => {
                let advice = if Some(&place) == user_path.as_ref() {
                    "check HOME and XDG_CONFIG_HOME, or name a configuration".into()
                } else {
                    format!("run it as a user who may read it: {}", command(&place))
                };
                let cause = format!("{}: cannot be examined: {error}", place.display());
                return Err(SetupError::new(cause).advise(advice));
            }
        }
    }
    let mut shown: Vec<String> = places.map(|place| place.display().to_string()).collect();
    if user_path.is_none() {
        shown.insert(0, format!("~/.config/{NAME} (HOME is not set)"));
    }
    Err(SetupError::usage(format!("no configuration found: there is no {}", shown.join(", no "))))
}

fn user_path(environment: &Environment) -> Option<PathBuf> {
    // The specification of XDG_CONFIG_HOME ignores a relative path.
    let set = environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    set.or_else(|| environment.home(".config")).map(|folder| folder.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "/home/pi/.config/autodns/autodns.json";
    const ETC: &str = "/etc/autodns/autodns.json";
    const LOCAL: &str = "/usr/local/etc/autodns.json";

    fn found(environment: &Environment, files: &[&str], closed: &[&str]) -> Result<String, String> {
        let exists = |path: &Path| {
            if closed.iter().any(|closed| path == Path::new(closed)) {
                return Err(io::Error::from_raw_os_error(13));
            }
            Ok(files.iter().any(|file| path == Path::new(file)))
        };
        find(environment, exists, |_| "sudo -u autodns /usr/bin/autodns check".into())
            .map(|path| path.display().to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn first_place_with_a_file_wins() {
        let home = Environment::from([("HOME", "/home/pi")]);
        for (files, expected) in
            [(&[LOCAL, ETC, USER][..], USER), (&[LOCAL, ETC], ETC), (&[LOCAL], LOCAL)]
        {
            assert_eq!(found(&home, files, &[]), Ok(expected.into()));
        }
        let elsewhere = "/srv/conf/autodns/autodns.json";
        for (folder, expected) in [("/srv/conf", elsewhere), ("srv/conf", USER), ("", USER)] {
            let environment =
                Environment::from([("HOME", "/home/pi"), ("XDG_CONFIG_HOME", folder)]);
            assert_eq!(found(&environment, &[USER, elsewhere], &[]), Ok(expected.into()));
        }
        assert_eq!(found(&Environment::default(), &[USER, LOCAL], &[]), Ok(LOCAL.into()));
    }

    #[test]
    fn without_a_file_all_places_are_named() {
        for (environment, user) in [
            (Environment::from([("HOME", "/home/pi")]), USER),
            (Environment::default(), "~/.config/autodns/autodns.json (HOME is not set)"),
        ] {
            let message = format!(
                "no configuration found: there is no {user}, no {ETC}, no {LOCAL}; see autodns \
                 --help"
            );
            assert_eq!(found(&environment, &[], &[]), Err(message));
        }
    }

    #[test]
    fn place_that_cannot_be_looked_at_is_not_skipped() {
        let home = Environment::from([("HOME", "/home/pi")]);
        let why = "cannot be examined: Permission denied (os error 13)";
        assert_eq!(
            found(&home, &[LOCAL], &[ETC]),
            Err(format!(
                "{ETC}: {why}; run it as a user who may read it: sudo -u autodns \
                 /usr/bin/autodns check"
            ))
        );
        assert_eq!(
            found(&home, &[ETC], &[USER]),
            Err(format!("{USER}: {why}; check HOME and XDG_CONFIG_HOME, or name a configuration"))
        );
        assert_eq!(found(&home, &[USER], &[ETC]), Ok(USER.into()));
    }
}
