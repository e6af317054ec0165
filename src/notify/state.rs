//! What is in the place of a lock, or beside it, and whether it could be removed. Writes nothing
//! but one mark: never follows a symbolic link, never waits for another process, and believes
//! nobody but the user that this process runs as.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use super::owner::{Content, Owner};

/// The bits of a mode that let anybody write.
const ANY_WRITE: u32 = 0o222;

/// No lock of ours is larger, in bytes: its names come from a configuration of at most 1 MiB.
const MAX_CONTENT: u64 = 2 << 20;

/// What is in the place of a lock.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// A lock of this configuration: an alert was sent.
    Held {
        /// The time of the alert.
        since: SystemTime,
        /// Whether it names this configuration; an empty file does not.
        named: bool,
        /// Whether it keeps further alerts silent: not once its withdrawal has begun, and not where
        /// the alert was about other names.
        silences: bool,
    },
    /// What can be no lock of this configuration: the path and why.
    Unusable(String),
}

impl State {
    /// What is at `path` for `owner`.
    pub fn read(path: &Path, owner: &Owner) -> Self {
        Self::read_as(own_user(), path, owner)
    }

    fn read_as(user: io::Result<u32>, path: &Path, owner: &Owner) -> Self {
        match content(user, path).and_then(|found| found.map(|file| held(&file, owner)).transpose())
        {
            Ok(held) => held.unwrap_or(Self::Absent),
            Err(why) => Self::Unusable(format!("{} {why}", path.display())),
        }
    }
}

/// Marks the lock at `path`, so that from now on it silences no alert. What is written into it
/// stays, and a full disk has room for the mark: the right to write is taken from everybody, which
/// keeps nobody from removing it.
pub(super) fn mark_withdrawn(path: &Path) -> io::Result<()> {
    let file = open(path)?;
    let mode = file.metadata()?.mode() & !ANY_WRITE & 0o7777;
    file.set_permissions(Permissions::from_mode(mode))
}

/// Whether the file at `path` could be removed, found out without a write. The error is that of the
/// removal.
///
/// `rmdir` of a file looks at the file system, the folder, its sticky bit and the file's attributes
/// before it fails because the file is no folder (`may_delete` in Linux's fs/namei.c). It does not
/// look whether something is mounted on the file, which fails with EBUSY.
pub(super) fn could_be_removed(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
        other => return other,
    }
    let folder = path.parent().unwrap_or(path);
    if mount_of(path, libc::O_NOFOLLOW)? == mount_of(folder, 0)? {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EBUSY))
    }
}

/// The number of the mount that `path` is on; `None` where the kernel does not tell (before 3.15).
fn mount_of(path: &Path, flags: i32) -> io::Result<Option<String>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | flags).open(path)?;
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    Ok(facts.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(|id| id.trim().into()))
}

/// The user that this process acts as. The folder in /proc belongs to it, and nothing else in the
/// standard library says who it is.
fn own_user() -> io::Result<u32> {
    fs::metadata("/proc/self").map(|metadata| metadata.uid())
}

/// A file of ours, as it was found.
struct Found {
    content: Vec<u8>,
    modified: SystemTime,
    mode: u32,
}

/// The file at `path`, if it is there; a phrase where it is no file of `user`'s that can be read.
fn content(user: io::Result<u32>, path: &Path) -> Result<Option<Found>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    // If the owner is unknown, the lock is ignored: a duplicate alert is better than a missed one.
    let user = user.map_err(|error| format!("may be anybody's: /proc/self: {error}"))?;
    check(&metadata, user)?;
    let file = open(path).map_err(cannot)?;
    // Another one may have come into its place meanwhile.
    let metadata = file.metadata().map_err(cannot)?;
    check(&metadata, user)?;
    let mut content = Vec::new();
    file.take(MAX_CONTENT).read_to_end(&mut content).map_err(cannot)?;
    let modified = metadata.modified().map_err(cannot)?;
    Ok(Some(Found { content, modified, mode: metadata.mode() }))
}

/// Opens a file for reading; follows no link and waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Refuses what is no regular file of that user. A lock keeps alerts silent, so that in a folder
/// like /tmp nobody else may have laid one.
fn check(metadata: &Metadata, user: u32) -> Result<(), String> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return Err("is a symbolic link, which is never followed".into());
    }
    if kind.is_dir() {
        return Err("is a directory".into());
    }
    if !kind.is_file() {
        return Err("is no regular file".into());
    }
    match metadata.uid() {
        owner if owner == user => Ok(()),
        owner => Err(format!("belongs to another user (uid {owner})")),
    }
}

/// What a file of ours says to `owner`; else a phrase to follow its path.
fn held(file: &Found, owner: &Owner) -> Result<State, String> {
    let is_marked = file.mode & ANY_WRITE == 0;
    // A power cut can leave a file of the right length that is all NUL.
    if file.content.iter().all(|&byte| byte == 0 || byte.is_ascii_whitespace()) {
        return Ok(State::Held { since: file.modified, named: false, silences: !is_marked });
    }
    let Content { since, same_names } = owner.read(&file.content)?;
    let since = since.unwrap_or(file.modified);
    Ok(State::Held { since, named: true, silences: same_names && !is_marked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn owner() -> Owner {
        Owner::new("/etc/a.json", "Z1", ["home.example.com".into()])
    }

    #[test]
    fn an_empty_or_zeroed_file_counts_as_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(State::read(&path, &owner()), State::Absent);
        for content in ["", "\n", "\0\0\0"] {
            fs::write(&path, content).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(
                State::read(&path, &owner()),
                State::Held { since: modified, named: false, silences: true }
            );
        }
    }

    #[test]
    fn what_can_be_no_lock_is_named_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let unusable = |name: &str, make: &dyn Fn(&Path)| {
            let path = folder.path().join(name);
            make(&path);
            match State::read(&path, &owner()) {
                State::Unusable(why) => {
                    why.strip_prefix(&format!("{} ", path.display())).unwrap().to_owned()
                }
                other => format!("{other:?}"),
            }
        };
        let file = |content: &'static str| move |path: &Path| fs::write(path, content).unwrap();
        assert_eq!(
            unusable("other", &file("{\"config\":\"/etc/b.json\"}")),
            "belongs to another configuration, /etc/b.json"
        );
        assert_eq!(unusable("notes", &file("precious")), "is a file that autodns did not write");
        assert_eq!(
            unusable("link", &|path| symlink(folder.path().join("notes"), path).unwrap()),
            "is a symbolic link, which is never followed"
        );
        assert_eq!(unusable("folder", &|path| fs::create_dir(path).unwrap()), "is a directory");
        let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        assert_eq!(unusable("socket", &socket), "is no regular file");
    }

    #[test]
    fn a_file_of_another_user_is_never_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let shown = path.display();
        let unknown = || Err(io::ErrorKind::NotFound.into());
        assert_eq!(State::read_as(unknown(), &path, &owner()), State::Absent);
        let user = own_user().unwrap();
        for content in ["", "{\"config\":\"/etc/a.json\"}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(State::read_as(Ok(user), &path, &owner()), State::Held { .. }));
            assert_eq!(
                State::read_as(Ok(user + 1), &path, &owner()),
                State::Unusable(format!("{shown} belongs to another user (uid {user})"))
            );
            assert_eq!(
                State::read_as(unknown(), &path, &owner()),
                State::Unusable(format!("{shown} may be anybody's: /proc/self: entity not found"))
            );
        }
    }
}
