//! The file that remembers that an alert was sent. Never writes into a file that was there before,
//! and only ever removes what is this configuration's; what is there is `state`'s to say, and whose
//! it is `owner`'s.
//!
//! A run can be killed between any two steps. So the lock is prepared beside its place before the
//! alert goes out and moved into place after it, and moved out of place before the withdrawal is
//! announced: what is left beside the place tells the next run that something was cut short, or
//! that an answer was lost. Where somebody else's file is beside the place, the lock is marked
//! instead of moved.
//!
//! Everything here touches the disk, which may hang: each value is its own owner, so that a thread
//! that may be left behind can take it.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::owner::Owner;
use super::place::Place;
use super::state::{State, could_be_removed, mark_withdrawn};

/// Why there is no place, as a phrase to follow the key's name.
pub const NO_PLACE: &str =
    "is not set, and no HOME, XDG_STATE_HOME or STATE_DIRECTORY says where to keep one";

/// The lock of one configuration.
///
/// Its content is JSON: `zone` and `names`, whose lock it is; `since`, the time of the alert
/// (RFC 3339); `config`, the absolute path of the configuration. A lock of an earlier version has
/// only the last two. An empty file counts as a lock, as the original autodns left it.
#[derive(Clone, Debug)]
pub struct AlertLock {
    owner: Owner,
    place: Option<Place>,
}

/// What a run that failed finds out about its alert.
#[derive(Debug)]
pub enum Claim {
    /// It was sent before.
    Sent,
    /// It is to be sent, and will then be remembered.
    Ready(Prepared),
    /// It is to be sent, and cannot be remembered: why, to follow the key's name.
    Unusable(String),
}

impl AlertLock {
    /// The lock of `owner` at `path`, which the configuration names.
    pub fn at(path: &Path, owner: Owner) -> Self {
        Self { owner, place: Some(Place::new(path, false)) }
    }

    /// The lock of `owner` in `folder`, which is made when it is needed. Without a folder the lock
    /// has no place, and every alert repeats.
    pub fn within(folder: Option<&Path>, owner: Owner) -> Self {
        let place = folder.map(|folder| Place::new(&folder.join(owner.file_name()), true));
        Self { owner, place }
    }

    /// Where it is, if there is a place for it.
    pub fn path(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.path.as_path())
    }

    /// Whether its folder is made when it is needed.
    pub fn makes_folder(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.makes_folder)
    }

    /// Whether there is anything in the place of the lock or beside it, or this cannot be told.
    pub fn may_be_held(&self) -> bool {
        let is_absent = |path: &Path| {
            fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        self.place
            .as_ref()
            .is_some_and(|place| !is_absent(&place.path) || !is_absent(&place.pending))
    }

    /// What is in the place of the lock.
    pub fn state(&self) -> State {
        match &self.place {
            Some(place) => self.state_of(&place.path),
            None => State::Unusable(NO_PLACE.into()),
        }
    }

    fn state_of(&self, path: &Path) -> State {
        State::read(path, &self.owner)
    }

    /// What a run that fails at `now` has to do about its alert. A lock that could not be removed
    /// does not count: nothing could ever end its silence.
    pub fn claim(&self, now: SystemTime) -> Claim {
        let prepared = match (&self.place, self.state()) {
            (_, State::Unusable(why)) => Err(why),
            (Some(place), State::Held { silences: true, .. }) => {
                match could_be_removed(&place.path) {
                    Ok(()) => return Claim::Sent,
                    // Another run has withdrawn it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => self.prepare(now),
                    Err(error) => Err(cannot_remove(&place.path, &error)),
                }
            }
            (_, State::Absent | State::Held { .. }) => self.prepare(now),
        };
        match prepared {
            Ok(prepared) => Claim::Ready(prepared),
            Err(why) => Claim::Unusable(why),
        }
    }

    /// Writes the lock beside its place, so that nothing but a rename is left to do after the
    /// alert. The error says what cannot be written and why.
    fn prepare(&self, now: SystemTime) -> Result<Prepared, String> {
        let place = self.place.as_ref().ok_or(NO_PLACE)?;
        let mut replaces = false;
        let file = match place.create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A run that was cut short or unsure left it, or it is somebody else's.
                match self.state_of(&place.pending) {
                    State::Unusable(why) => return Err(why),
                    State::Absent => {}
                    State::Held { named, .. } => {
                        replaces = named;
                        fs::remove_file(&place.pending)
                            .map_err(|error| place.cannot_write(&error))?;
                    }
                }
                place.create()
            }
            other => other,
        };
        let file = file.map_err(|error| place.cannot_write(&error))?;
        let prepared = Prepared { place: place.clone(), replaces };
        match self.write(file, now) {
            Ok(()) => Ok(prepared),
            Err(error) => {
                let why = place.cannot_write(&error);
                prepared.discard();
                Err(why)
            }
        }
    }

    fn write(&self, mut file: File, now: SystemTime) -> io::Result<()> {
        // The umask may have taken what the next run needs to read it.
        if file.metadata()?.mode() & 0o600 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        file.write_all(self.owner.content(now).as_bytes())?;
        file.sync_all()
    }

    /// Withdraws the lock, if there is one: it silences no alert from now on, and is kept aside
    /// until whoever is to be told knows. The error says what cannot be removed and why.
    pub fn withdraw(&self) -> Result<Option<Withdrawn>, String> {
        let Some(place) = &self.place else { return Ok(None) };
        match self.state_of(&place.path) {
            State::Held { since, named, .. } => self.move_out(place, since, named),
            // What is not ours is not removed; an alert may have gone out all the same.
            State::Absent | State::Unusable(_) => match self.state_of(&place.pending) {
                State::Held { since, named: true, .. } => {
                    // Otherwise the next good run would announce it again.
                    let file = &place.pending;
                    could_be_removed(file).map_err(|error| cannot_remove(file, &error))?;
                    Ok(Some(Withdrawn { file: Some(file.clone()), since }))
                }
                // An empty one is of a run that was cut short before its alert.
                State::Held { .. } | State::Absent | State::Unusable(_) => Ok(None),
            },
        }
    }

    fn move_out(
        &self,
        place: &Place,
        since: SystemTime,
        named: bool,
    ) -> Result<Option<Withdrawn>, String> {
        let moved = match self.state_of(&place.pending) {
            // What is beside the place and is not ours must not be moved over.
            State::Unusable(_) => false,
            State::Absent | State::Held { .. } if named => {
                fs::rename(&place.path, &place.pending).is_ok()
            }
            // A lock without a name would tell the next run nothing there.
            State::Absent | State::Held { .. } => self.prepare(since).is_ok_and(|prepared| {
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
        match could_be_removed(&place.path) {
            Ok(()) => {}
            // Another run has withdrawn it meanwhile, and tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot_remove(&place.path, &error)),
        }
        let mut file = Some(place.path.clone());
        if mark_withdrawn(&place.path).is_err() {
            // A file system without modes: the lock must go, even if a kill would go unnoticed.
            remove(&place.path)?;
            file = None;
        }
        Ok(Some(Withdrawn { file, since }))
    }
}

/// Removes a file, unless another run already has.
fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_remove(path, &error)),
        _ => Ok(()),
    }
}

fn cannot_remove(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be removed: {error}", path.display())
}

/// A lock that is written, but not yet in its place.
#[derive(Debug)]
pub struct Prepared {
    place: Place,
    /// Whether another one was in its place, of an alert that may have gone out.
    replaces: bool,
}

impl Prepared {
    /// Moves it into place. The error says what cannot be written and why; it stays beside its
    /// place then, so that the next good run says that the names are up to date again.
    pub fn keep(self) -> Result<(), String> {
        let Self { place, .. } = self;
        match fs::rename(&place.pending, &place.path) {
            // Another run that fails at the same time has moved it there.
            Err(_) if !place.pending.exists() && place.path.exists() => Ok(()),
            result => result.map_err(|error| place.cannot_write(&error)),
        }
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
        let _ = fs::remove_file(&self.place.pending);
    }
}

/// A lock that silences nothing any more, but is not yet gone.
#[derive(Debug)]
pub struct Withdrawn {
    /// What is left of it.
    file: Option<PathBuf>,
    since: SystemTime,
}

impl Withdrawn {
    /// The time of the alert.
    pub const fn since(&self) -> SystemTime {
        self.since
    }

    /// Removes it for good. The error says what cannot be removed and why.
    pub fn forget(self) -> Result<(), String> {
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

    fn held(since: u64) -> State {
        State::Held { since: at(since), named: true, silences: true }
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
    fn everything_can_be_left_to_a_thread() {
        fn is_owned<T: Send + 'static>() {}
        is_owned::<AlertLock>();
        is_owned::<Claim>();
        is_owned::<Withdrawn>();
    }

    #[test]
    fn a_lock_is_prepared_kept_and_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        assert_eq!(lock.state(), State::Absent);
        let prepared = lock.prepare(at(60)).unwrap();
        assert_eq!(names(folder.path()), [".lock.pending"]);
        assert_eq!(lock.state(), State::Absent);
        prepared.keep().unwrap();
        assert_eq!(names(folder.path()), ["lock"]);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"config\":\"/etc/a.json\",\"names\":[\"home.example.com\"],\
             \"since\":\"1970-01-01T00:01:00Z\",\"zone\":\"Z1\"}\n"
        );
        assert_eq!(lock.state(), held(60));
        assert!(matches!(lock.claim(at(120)), Claim::Sent));
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
        let lock = lock_at(&folder.path().join("lock"));
        let _ = lock.prepare(at(60)).unwrap();
        assert_eq!(lock.withdraw().unwrap().unwrap().since(), at(60));
        lock.prepare(at(120)).unwrap().keep().unwrap();
        assert_eq!(lock.state(), held(120));
        assert_eq!(names(folder.path()), ["lock"]);
    }

    #[test]
    fn an_empty_lock_is_withdrawn_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
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
        let lock = lock_at(&path);
        for content in ["{\"config\":\"/etc/b.json\"}", "precious"] {
            fs::write(&path, content).unwrap();
            assert!(lock.withdraw().unwrap().is_none());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn lock_of_other_names_in_the_same_file_is_replaced_or_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let other = Owner::new("/etc/a.json", "Z1", ["old.example.com".into()]);
        let write = || AlertLock::at(&path, other.clone()).prepare(at(60)).unwrap().keep().unwrap();
        let lock = lock_at(&path);
        write();
        let Claim::Ready(prepared) = lock.claim(at(120)) else { panic!("it silences") };
        prepared.keep().unwrap();
        assert_eq!(lock.state(), held(120));
        write();
        assert_eq!(lock.withdraw().unwrap().unwrap().since(), at(60));
    }

    #[test]
    fn a_stranger_beside_the_lock_stays_and_the_lock_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = lock_at(&path);
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join(".lock.pending")).unwrap();
        let Claim::Unusable(why) = lock.claim(at(60)) else { panic!("it is usable") };
        assert!(why.ends_with(".lock.pending is a symbolic link, which is never followed"));
        for content in ["", "{\"config\":\"/etc/a.json\",\"since\":\"1970-01-01T00:01:00Z\"}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(lock.claim(at(60)), Claim::Sent));
            // Killed before its message: it keeps nothing silent, and is announced by the next run.
            drop(lock.withdraw().unwrap().unwrap());
            assert!(matches!(lock.state(), State::Held { silences: false, .. }));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert!(matches!(lock.claim(at(60)), Claim::Unusable(_)));
            let withdrawn = lock.withdraw().unwrap().unwrap();
            assert_eq!(withdrawn.since() == at(60), !content.is_empty());
            withdrawn.forget().unwrap();
            assert_eq!(names(folder.path()), [".lock.pending"]);
        }
        assert!(!target.exists());
    }

    #[test]
    fn two_runs_at_once_leave_one_lock_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_at(&folder.path().join("lock"));
        let (first, second) = (lock.prepare(at(60)).unwrap(), lock.prepare(at(61)).unwrap());
        first.keep().unwrap();
        second.keep().unwrap();
        assert_eq!(names(folder.path()), ["lock"]);
        let (first, second) = (lock.withdraw().unwrap(), lock.withdraw().unwrap());
        first.unwrap().forget().unwrap();
        second.unwrap().forget().unwrap();
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn pending_name_fits_however_long_the_name_is() {
        let folder = tempfile::tempdir().unwrap();
        for length in [1, 246, 247, 255] {
            let name = "n".repeat(length);
            let lock = lock_at(&folder.path().join(&name));
            let prepared = lock.prepare(at(60)).unwrap();
            let pending = names(folder.path()).pop().unwrap();
            assert_eq!(pending == format!(".{name}.pending"), length <= 246, "{pending}");
            prepared.keep().unwrap();
            assert_eq!(names(folder.path()), [name]);
            lock.withdraw().unwrap().unwrap().forget().unwrap();
        }
        let place = |name: &str| Place::new(&folder.path().join(name), false).pending;
        let long = "n".repeat(254);
        assert_ne!(place(&format!("{long}a")), place(&format!("{long}b")));
    }

    #[test]
    fn folder_is_made_when_an_alert_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state/autodns");
        let lock = AlertLock::within(Some(&state), owner());
        assert_eq!(lock.state(), State::Absent);
        assert!(lock.withdraw().unwrap().is_none());
        assert!(names(folder.path()).is_empty());
        let Claim::Ready(prepared) = lock.claim(at(60)) else { panic!("no claim") };
        prepared.keep().unwrap();
        assert_eq!(names(&state), [owner().file_name()]);
        for made in [&state, &folder.path().join("state")] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
        }
        let named = AlertLock::at(&folder.path().join("missing/lock"), owner());
        assert!(matches!(named.claim(at(60)), Claim::Unusable(_)));
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn without_a_place_no_alert_is_remembered() {
        let lock = AlertLock::within(None, owner());
        assert_eq!(lock.state(), State::Unusable(NO_PLACE.into()));
        assert!(matches!(lock.claim(at(60)), Claim::Unusable(why) if why == NO_PLACE));
        assert!(lock.withdraw().unwrap().is_none());
    }
}
