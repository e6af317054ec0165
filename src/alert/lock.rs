//! The file that remembers that an alert was sent. Never writes into a file that was there before,
//! and only ever removes what is this configuration's; what is there is `state`'s to say.
//!
//! A run can be killed between any two steps. So the lock is prepared beside its place before the
//! alert goes out and moved into place after it, and moved out of place before the withdrawal is
//! announced: what is left beside the place tells the next run that something was cut short, or
//! that an answer was lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::state::State;
use crate::clock::calendar;

/// The lock of one configuration. Its content is JSON: `config`, the absolute path of the
/// configuration, and `since`, the time of the alert (RFC 3339). An empty file counts as a lock,
/// as the original autodns left it.
#[derive(Debug)]
pub struct AlertLock {
    path: PathBuf,
    /// Where it is prepared and where it is withdrawn to: `.NAME.pending` beside it.
    pending: PathBuf,
    config: String,
}

impl AlertLock {
    /// The lock at `path` of the configuration whose absolute path is `config`.
    #[must_use]
    pub fn new(path: &Path, config: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pending = path.with_file_name(format!(".{name}.pending"));
        Self { path: path.into(), pending, config: config.into() }
    }

    /// What is in the place of the lock.
    #[must_use]
    pub fn state(&self) -> State {
        self.state_of(&self.path)
    }

    fn state_of(&self, path: &Path) -> State {
        State::read(path, &self.config)
    }

    /// Writes the lock beside its place, so that nothing but a rename is left to do after the
    /// alert. The error says what cannot be written and why.
    pub fn prepare(&self, now: SystemTime) -> Result<Prepared<'_>, String> {
        let cannot =
            |error: &io::Error| format!("{} cannot be written: {error}", self.path.display());
        let create =
            || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.pending);
        let mut replaces = false;
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A run that was cut short or unsure left it, or it is somebody else's.
                match self.state_of(&self.pending) {
                    State::Unusable(why) => return Err(why),
                    State::Absent => {}
                    State::Held { named, .. } => {
                        replaces = named;
                        fs::remove_file(&self.pending).map_err(|error| cannot(&error))?;
                    }
                }
                create()
            }
            other => other,
        };
        let file = file.map_err(|error| cannot(&error))?;
        let prepared = Prepared { lock: self, replaces };
        match self.write(file, now) {
            Ok(()) => Ok(prepared),
            Err(error) => {
                prepared.discard();
                Err(cannot(&error))
            }
        }
    }

    fn write(&self, mut file: File, now: SystemTime) -> io::Result<()> {
        let since = calendar(now).and_then(|now| now.format(&Rfc3339).ok()).unwrap_or_default();
        let content = json!({ "config": self.config, "since": since });
        file.write_all(format!("{content}\n").as_bytes())?;
        file.sync_all()
    }

    /// Takes the lock away, if there is one: to beside its place, until whoever is to be told
    /// knows. The error says what cannot be removed and why.
    pub fn withdraw(&self) -> Result<Option<Withdrawn<'_>>, String> {
        let (since, named) = match self.state() {
            State::Held { since, named } => (since, named),
            // Not ours to remove, and nothing to tell: no lock of ours was kept there.
            State::Unusable(_) => return Ok(None),
            State::Absent => {
                return Ok(match self.state_of(&self.pending) {
                    State::Held { since, named: true } => Some(Withdrawn { lock: self, since }),
                    // An empty one is of a run that was cut short before its alert.
                    State::Held { .. } | State::Absent | State::Unusable(_) => None,
                });
            }
        };
        // What is beside the place and is not ours must not be moved over.
        if let State::Unusable(why) = self.state_of(&self.pending) {
            return Err(why);
        }
        let moved = if named { self.move_out() } else { self.move_out_named(since) };
        match moved {
            Ok(()) => Ok(Some(Withdrawn { lock: self, since })),
            Err(error) => Err(format!("{} cannot be removed: {error}", self.path.display())),
        }
    }

    fn move_out(&self) -> io::Result<()> {
        fs::rename(&self.path, &self.pending)
    }

    /// Moves out a lock without a name, which beside its place would tell the next run nothing.
    fn move_out_named(&self, since: SystemTime) -> io::Result<()> {
        match self.prepare(since) {
            Ok(prepared) => fs::remove_file(&self.path).inspect_err(|_| prepared.discard()),
            // On a full disk: that a kill would go unnoticed is no reason to keep the lock.
            Err(_) => self.move_out(),
        }
    }
}

/// A lock that is written, but not yet in its place.
#[derive(Debug)]
#[must_use]
pub struct Prepared<'a> {
    lock: &'a AlertLock,
    /// Whether another one was in its place, of an alert that may have gone out.
    replaces: bool,
}

impl Prepared<'_> {
    /// Moves it into place. The error says what cannot be written and why.
    pub fn keep(self) -> Result<(), String> {
        let Self { lock, .. } = self;
        fs::rename(&lock.pending, &lock.path).map_err(|error| {
            let why = format!("{} cannot be written: {error}", lock.path.display());
            self.discard();
            why
        })
    }

    /// Leaves it beside its place if the alert may have gone out (`maybe`), or one before it may
    /// have: then the next good run says that all is well. Otherwise removes it. The next run that
    /// fails sends an alert in either case.
    pub fn leave_if(self, maybe: bool) {
        if !maybe && !self.replaces {
            self.discard();
        }
    }

    /// Removes it. That it may stay is no harm: the next run replaces it.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.lock.pending);
    }
}

/// A lock that is out of its place, but not yet gone.
#[derive(Debug)]
#[must_use]
pub struct Withdrawn<'a> {
    lock: &'a AlertLock,
    since: SystemTime,
}

impl Withdrawn<'_> {
    /// The time of the alert.
    #[must_use]
    pub const fn since(&self) -> SystemTime {
        self.since
    }

    /// Removes it for good. The error says what cannot be removed and why.
    pub fn forget(self) -> Result<(), String> {
        let pending = &self.lock.pending;
        fs::remove_file(pending)
            .map_err(|error| format!("{} cannot be removed: {error}", pending.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_lock_is_prepared_kept_and_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = AlertLock::new(&path, "/etc/a.json");
        assert_eq!(lock.state(), State::Absent);
        let prepared = lock.prepare(at(60)).unwrap();
        assert_eq!(names(folder.path()), [".lock.pending"]);
        assert_eq!(lock.state(), State::Absent);
        prepared.keep().unwrap();
        assert_eq!(names(folder.path()), ["lock"]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"config\":\"/etc/a.json\",\"since\":\"1970-01-01T00:01:00Z\"}\n"
        );
        assert_eq!(lock.state(), State::Held { since: at(60), named: true });
        let withdrawn = lock.withdraw().unwrap().unwrap();
        assert_eq!(withdrawn.since(), at(60));
        assert_eq!(names(folder.path()), [".lock.pending"]);
        withdrawn.forget().unwrap();
        assert!(names(folder.path()).is_empty());
        assert!(lock.withdraw().unwrap().is_none());
    }

    #[test]
    fn what_a_killed_run_left_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let lock = AlertLock::new(&folder.path().join("lock"), "/etc/a.json");
        let _ = lock.prepare(at(60)).unwrap();
        assert_eq!(lock.withdraw().unwrap().unwrap().since(), at(60));
        lock.prepare(at(120)).unwrap().keep().unwrap();
        assert_eq!(lock.state(), State::Held { since: at(120), named: true });
        assert_eq!(names(folder.path()), ["lock"]);
    }

    #[test]
    fn an_empty_lock_is_withdrawn_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = AlertLock::new(&path, "/etc/a.json");
        File::create(&path).unwrap().set_modified(at(60)).unwrap();
        let _ = lock.withdraw().unwrap().unwrap();
        assert_eq!(names(folder.path()), [".lock.pending"]);
        // The next run, should this one be killed now, knows it.
        let withdrawn = lock.withdraw().unwrap().unwrap();
        assert_eq!(withdrawn.since(), at(60));
        withdrawn.forget().unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_is_not_this_configurations_is_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = AlertLock::new(&path, "/etc/a.json");
        for content in ["{\"config\":\"/etc/b.json\"}", "precious"] {
            fs::write(&path, content).unwrap();
            assert!(lock.withdraw().unwrap().is_none());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_stranger_in_the_place_of_preparation_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = AlertLock::new(&path, "/etc/a.json");
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join(".lock.pending")).unwrap();
        let why = lock.prepare(at(60)).unwrap_err();
        assert!(why.ends_with(".lock.pending is a symbolic link, which is never followed"));
        for content in ["", "{\"config\":\"/etc/a.json\"}"] {
            fs::write(&path, content).unwrap();
            assert_eq!(lock.withdraw().unwrap_err(), why);
        }
        assert_eq!(names(folder.path()), [".lock.pending", "lock"]);
        assert!(!target.exists());
    }
}
