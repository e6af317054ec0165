//! The alert lock: the file that remembers that an alert was sent. Never writes into an existing
//! file, and removes only the locks of this configuration. `state` reads the file, `owner` decides
//! whether it is this configuration's.
//!
//! A run can be killed between any two steps, so each state has its own path:
//!
//! 1. Before the alert is sent, the lock is written to `.NAME.pending`.
//! 2. After it was sent, the lock is moved to `NAME`.
//! 3. Before the recovery message is sent, the lock is moved back to `.NAME.pending`.
//! 4. After it was sent, the lock is removed.
//!
//! A pending lock tells the next run that a run was cut short or that the outcome of a message is
//! unknown. If a foreign file is at the pending path, step 3 marks the lock instead of moving it.
//!
//! Everything here touches the disk, which may hang. So each type owns its data and can be moved
//! into a thread that may be left behind.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::owner::Owner;
use super::place::Place;
use super::state::{Held, could_be_removed, mark_withdrawn, read};

/// Why a lock has no path. The phrase follows the key's name.
pub const NO_PLACE: &str =
    "is not set, and none of HOME, XDG_STATE_HOME and STATE_DIRECTORY gives a folder for it";

/// The lock of one configuration.
///
/// Its content is JSON: `zone` and `names` identify the owner; `since` is the time of the alert
/// (RFC 3339); `config` is the absolute path of the configuration. Earlier versions wrote only
/// `since` and `config`. The original autodns left an empty file, which counts as a lock.
#[derive(Clone, Debug)]
pub struct AlertLock {
    owner: Owner,
    place: Option<Place>,
}

impl AlertLock {
    /// The lock at the `path` that the configuration names.
    pub fn at(path: &Path, owner: Owner) -> Self {
        Self { owner, place: Some(Place::new(path, false)) }
    }

    /// The lock in the state `folder`, which is created when needed. Without a folder the lock has
    /// no path, and every alert repeats.
    pub fn within(folder: Option<&Path>, owner: Owner) -> Self {
        let place = folder.map(|folder| Place::new(&folder.join(owner.file_name()), true));
        Self { owner, place }
    }

    pub fn path(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.path.as_path())
    }

    pub fn makes_folder(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.makes_folder)
    }

    /// Whether the lock or the pending lock exists, or may exist because the disk cannot be read.
    pub fn may_be_held(&self) -> bool {
        self.place.iter().flat_map(|place| [&place.path, &place.pending]).any(|path| {
            let found = path.symlink_metadata();
            !found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
    }

    /// The lock, if there is one. The error says why it cannot be used and follows the key's name.
    pub fn held(&self) -> Result<Option<Held>, String> {
        read(&self.place.as_ref().ok_or(NO_PLACE)?.path, &self.owner)
    }

    /// Claims the alert of a run that failed at `now`: it must send the alert, then keep the lock.
    /// `None` if an earlier run sent the alert. The error says why the alert must be sent without a
    /// lock, and follows the key's name.
    pub fn claim(&self, now: SystemTime) -> Result<Option<Prepared>, String> {
        let place = self.place.as_ref().ok_or(NO_PLACE)?;
        let held = read(&place.path, &self.owner)?;
        // A lock that this run could not remove is an error, because it would silence alerts
        // forever. If it is gone, another run withdrew it in the meantime.
        if held.is_some_and(|held| held.silences) && is_removable(&place.path)? {
            return Ok(None);
        }
        self.prepare(place, now).map(Some)
    }

    /// Writes the pending lock, so that only a rename remains after the alert. The error says what
    /// cannot be written and why.
    fn prepare(&self, place: &Place, now: SystemTime) -> Result<Prepared, String> {
        let cannot = |error: io::Error| place.cannot_write(&error);
        let mut replaces = false;
        let file = match place.create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // It is a pending lock of an earlier run, or a foreign file.
                if let Some(held) = read(&place.pending, &self.owner)? {
                    replaces = held.named;
                    fs::remove_file(&place.pending).map_err(cannot)?;
                }
                place.create()
            }
            other => other,
        };
        let file = file.map_err(cannot)?;
        let prepared = Prepared { place: place.clone(), replaces };
        if let Err(error) = self.write(file, now) {
            prepared.discard();
            return Err(cannot(error));
        }
        Ok(prepared)
    }

    fn write(&self, mut file: File, now: SystemTime) -> io::Result<()> {
        // The umask may have removed bits that the next run needs to read the lock.
        if file.metadata()?.mode() & 0o600 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        file.write_all(self.owner.content(now).as_bytes())?;
        file.sync_all()
    }

    /// Withdraws the lock, if there is one. From now on it silences no alert, but its file stays
    /// until the recovery message has been sent. The error says what cannot be removed and why.
    pub fn withdraw(&self) -> Result<Option<Withdrawn>, String> {
        let Some(place) = &self.place else { return Ok(None) };
        if let Ok(Some(held)) = read(&place.path, &self.owner) {
            return self.move_out(place, &held);
        }
        // A foreign file is not removed, but an alert may have been sent without a lock. An empty
        // pending lock is of a run that was killed before its alert.
        match read(&place.pending, &self.owner) {
            // If it cannot be removed, every successful run would announce the recovery.
            Ok(Some(Held { since, named: true, .. })) if is_removable(&place.pending)? => {
                Ok(Some(Withdrawn { file: Some(place.pending.clone()), since }))
            }
            _ => Ok(None),
        }
    }

    fn move_out(&self, place: &Place, held: &Held) -> Result<Option<Withdrawn>, String> {
        let since = held.since;
        let moved = match read(&place.pending, &self.owner) {
            // A foreign file must not be overwritten.
            Err(_) => false,
            Ok(_) if held.named => fs::rename(&place.path, &place.pending).is_ok(),
            // The next run ignores an empty pending lock, so write one with content.
            Ok(_) => self.prepare(place, since).is_ok_and(|prepared| {
                let removed = fs::remove_file(&place.path).is_ok();
                if !removed {
                    prepared.discard();
                }
                removed
            }),
        };
        if moved {
            return Ok(Some(Withdrawn { file: Some(place.pending.clone()), since }));
        }
        if !is_removable(&place.path)? {
            // Another run withdrew it in the meantime and sends the recovery message.
            return Ok(None);
        }
        let mut file = Some(place.path.clone());
        if mark_withdrawn(&place.path).is_err() {
            // On a file system without modes the lock must be removed now. If this run is then
            // killed, nobody gets the recovery message.
            remove(&place.path)?;
            file = None;
        }
        Ok(Some(Withdrawn { file, since }))
    }
}

/// Whether the file at `path` is there and could be removed. The error says why it cannot.
fn is_removable(path: &Path) -> Result<bool, String> {
    match could_be_removed(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot_remove(path, &error)),
    }
}

/// Removes a file. Succeeds if another run already removed it.
fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_remove(path, &error)),
        _ => Ok(()),
    }
}

fn cannot_remove(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be removed: {error}", path.display())
}

/// A pending lock, written before the alert is sent.
#[derive(Debug)]
pub struct Prepared {
    place: Place,
    /// Whether it replaced a pending lock whose alert may have been sent.
    replaces: bool,
}

impl Prepared {
    /// Moves the lock into place after the alert. The error says what cannot be written and why;
    /// then the pending lock stays, so that the next successful run sends the recovery message.
    pub fn keep(self) -> Result<(), String> {
        let Self { place, .. } = self;
        match fs::rename(&place.pending, &place.path) {
            // Another run that failed at the same time moved it there.
            Err(_) if !place.pending.exists() && place.path.exists() => Ok(()),
            result => result.map_err(|error| place.cannot_write(&error)),
        }
    }

    /// Leaves the pending lock if this alert (`outcome_unknown`) or an earlier one may have been
    /// sent, so that the next successful run sends the recovery message. Otherwise removes it. The
    /// next failing run sends an alert in either case.
    pub fn leave_if(self, outcome_unknown: bool) {
        if !outcome_unknown && !self.replaces {
            self.discard();
        }
    }

    /// Removes the pending lock. A file that stays is harmless: the next run replaces it.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.place.pending);
    }
}

/// A lock that no longer silences alerts and is not yet removed.
#[derive(Debug)]
pub struct Withdrawn {
    /// The pending or the marked lock. `None` if it had to be removed already.
    file: Option<PathBuf>,
    /// The time of the alert.
    pub since: SystemTime,
}

impl Withdrawn {
    /// Removes the lock after the recovery message. The error says what cannot be removed and why.
    pub fn remove(self) -> Result<(), String> {
        self.file.map_or(Ok(()), |file| remove(&file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn owner() -> Owner {
        Owner::new("/etc/a.json", "Z1", ["home.example.com".into()])
    }

    fn lock_at(path: &Path) -> AlertLock {
        AlertLock::at(path, owner())
    }

    fn held(since: u64) -> Held {
        Held { since: at(since), named: true, silences: true }
    }

    fn prepare(lock: &AlertLock, now: SystemTime) -> Prepared {
        lock.prepare(lock.place.as_ref().unwrap(), now).unwrap()
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
    fn locks_can_be_moved_into_a_thread() {
        fn is_owned<T: Send + 'static>() {}
        is_owned::<AlertLock>();
        is_owned::<Prepared>();
        is_owned::<Withdrawn>();
    }

    #[test]
    fn lock_is_prepared_kept_and_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        assert_eq!(lock.held(), Ok(None));
        let prepared = prepare(&lock, at(60));
        assert_eq!(names(folder.path()), [".lock.pending"]);
        assert_eq!(lock.held(), Ok(None));
        prepared.keep().unwrap();
        assert_eq!(names(folder.path()), ["lock"]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"config\":\"/etc/a.json\",\"names\":[\"home.example.com\"],\
             \"since\":\"1970-01-01T00:01:00Z\",\"zone\":\"Z1\"}\n"
        );
        assert_eq!(lock.held(), Ok(Some(held(60))));
        assert!(matches!(lock.claim(at(120)), Ok(None)));
        let withdrawn = lock.withdraw().unwrap().unwrap();
        assert_eq!(withdrawn.since, at(60));
        assert_eq!(names(folder.path()), [".lock.pending"]);
        withdrawn.remove().unwrap();
        assert!(names(folder.path()).is_empty());
        assert!(lock.withdraw().unwrap().is_none());
    }

    #[test]
    fn pending_lock_of_a_killed_run_is_reused() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_at(&folder.path().join("lock"));
        let _ = prepare(&lock, at(60));
        assert_eq!(lock.withdraw().unwrap().unwrap().since, at(60));
        prepare(&lock, at(120)).keep().unwrap();
        assert_eq!(lock.held(), Ok(Some(held(120))));
        assert_eq!(names(folder.path()), ["lock"]);
    }

    #[test]
    fn empty_lock_gets_content_when_it_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        File::create(&path).unwrap().set_modified(at(60)).unwrap();
        let _ = lock.withdraw().unwrap().unwrap();
        assert_eq!(names(folder.path()), [".lock.pending"]);
        // If this run is killed now, the next run finds the lock.
        let withdrawn = lock.withdraw().unwrap().unwrap();
        assert_eq!(withdrawn.since, at(60));
        withdrawn.remove().unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn foreign_file_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        for content in ["{\"config\":\"/etc/b.json\"}", "precious"] {
            fs::write(&path, content).unwrap();
            assert!(lock.withdraw().unwrap().is_none());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn lock_about_other_names_is_replaced_or_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let other = Owner::new("/etc/a.json", "Z1", ["old.example.com".into()]);
        let write = || prepare(&AlertLock::at(&path, other.clone()), at(60)).keep().unwrap();
        let lock = lock_at(&path);
        write();
        lock.claim(at(120)).unwrap().unwrap().keep().unwrap();
        assert_eq!(lock.held(), Ok(Some(held(120))));
        write();
        assert_eq!(lock.withdraw().unwrap().unwrap().since, at(60));
    }

    #[test]
    fn lock_beside_a_foreign_pending_file_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join(".lock.pending")).unwrap();
        let why = lock.claim(at(60)).unwrap_err();
        assert!(why.ends_with(".lock.pending is a symbolic link, which is never followed"));
        for content in ["", "{\"config\":\"/etc/a.json\",\"since\":\"1970-01-01T00:01:00Z\"}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(lock.claim(at(60)), Ok(None)));
            // The run is killed before its recovery message: the lock silences no alert, and the
            // next run sends the message.
            drop(lock.withdraw().unwrap().unwrap());
            assert!(matches!(lock.held(), Ok(Some(Held { silences: false, .. }))));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert!(lock.claim(at(60)).is_err());
            let withdrawn = lock.withdraw().unwrap().unwrap();
            assert_eq!(withdrawn.since == at(60), !content.is_empty());
            withdrawn.remove().unwrap();
            assert_eq!(names(folder.path()), [".lock.pending"]);
        }
        assert!(!target.exists());
    }

    #[test]
    fn two_runs_at_once_leave_one_lock_and_no_pending_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_at(&folder.path().join("lock"));
        let (first, second) = (prepare(&lock, at(60)), prepare(&lock, at(61)));
        first.keep().unwrap();
        second.keep().unwrap();
        assert_eq!(names(folder.path()), ["lock"]);
        let (first, second) = (lock.withdraw().unwrap(), lock.withdraw().unwrap());
        first.unwrap().remove().unwrap();
        second.unwrap().remove().unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn pending_name_fits_for_every_length_of_name() {
        let folder = tempfile::tempdir().unwrap();
        for length in [1, 246, 247, 255] {
            let name = "n".repeat(length);
            let lock = lock_at(&folder.path().join(&name));
            let prepared = prepare(&lock, at(60));
            let pending = names(folder.path()).pop().unwrap();
            assert_eq!(pending == format!(".{name}.pending"), length <= 246, "{pending}");
            prepared.keep().unwrap();
            assert_eq!(names(folder.path()), [name]);
            lock.withdraw().unwrap().unwrap().remove().unwrap();
        }
        let place = |name: &str| Place::new(&folder.path().join(name), false).pending;
        let long = "n".repeat(254);
        assert_ne!(place(&format!("{long}a")), place(&format!("{long}b")));
    }

    #[test]
    fn folder_is_created_when_an_alert_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state/autodns");
        let lock = AlertLock::within(Some(&state), owner());
        assert_eq!(lock.held(), Ok(None));
        assert!(lock.withdraw().unwrap().is_none());
        assert!(names(folder.path()).is_empty());
        lock.claim(at(60)).unwrap().unwrap().keep().unwrap();
        assert_eq!(names(&state), [owner().file_name()]);
        for made in [&state, &folder.path().join("state")] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
        }
        let named = AlertLock::at(&folder.path().join("missing/lock"), owner());
        assert!(named.claim(at(60)).is_err());
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn lock_without_a_path_is_unusable() {
        let lock = AlertLock::within(None, owner());
        assert_eq!(lock.held(), Err(NO_PLACE.into()));
        assert_eq!(lock.claim(at(60)).unwrap_err(), NO_PLACE);
        assert!(lock.withdraw().unwrap().is_none());
    }
}
