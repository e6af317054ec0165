//! Reads the file at a lock's path and finds out whether it could be removed. Its only write is the
//! mark of a withdrawn lock. Never follows a symbolic link, never waits for another process, and
//! trusts only files of the user that this process runs as.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use rustix::process::geteuid;

use super::owner::{LockContent, Owner};
use crate::files::open;

/// The write bits of owner, group and others.
const ANY_WRITE: u32 = 0o222;

/// In bytes. A lock is smaller, because its names come from a configuration of at most 1 MiB.
const MAX_CONTENT: u64 = 2 << 20;

/// A lock of this configuration: an alert was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    /// The time of the alert.
    pub since: SystemTime,
    /// Whether it names this configuration. An empty file does not.
    pub named: bool,
    /// Whether it suppresses further alerts. A marked lock does not, and neither does a lock about
    /// other names.
    pub silences: bool,
}

/// Reads the lock at `path`; `None` if there is no file. The error says why the file cannot be read
/// or is not a lock of `owner`, and follows the key's name.
pub fn read(path: &Path, owner: &Owner) -> Result<Option<Held>, String> {
    read_as(geteuid().as_raw(), path, owner).map_err(|why| format!("{} {why}", path.display()))
}

fn read_as(user: u32, path: &Path, owner: &Owner) -> Result<Option<Held>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    check(&metadata, user)?;
    let file = open(path, libc::O_NOFOLLOW).map_err(cannot)?;
    // Another file may have replaced it in the meantime.
    let metadata = file.metadata().map_err(cannot)?;
    check(&metadata, user)?;
    let mut content = Vec::new();
    file.take(MAX_CONTENT).read_to_end(&mut content).map_err(cannot)?;
    let modified = metadata.modified().map_err(cannot)?;
    let is_marked = metadata.mode() & ANY_WRITE == 0;
    // After a power cut a file can have the right length and only NUL bytes.
    if content.iter().all(|&byte| byte == 0 || byte.is_ascii_whitespace()) {
        return Ok(Some(Held { since: modified, named: false, silences: !is_marked }));
    }
    let LockContent { since, same_names } = owner.read(&content)?;
    let since = since.unwrap_or(modified);
    Ok(Some(Held { since, named: true, silences: same_names && !is_marked }))
}

/// Marks the lock at `path` as withdrawn, so that it silences no alert. The mark is a mode without
/// write bits: it keeps the content, needs no space on a full disk, and does not prevent removal.
pub(super) fn mark_withdrawn(path: &Path) -> io::Result<()> {
    let file = open(path, libc::O_NOFOLLOW)?;
    let mode = file.metadata()?.mode() & !ANY_WRITE & 0o7777;
    file.set_permissions(Permissions::from_mode(mode))
}

/// Tests without a write whether the file at `path` could be removed. The error is the one that the
/// removal would give.
///
/// `rmdir` of a file checks the file system, the folder, its sticky bit and the file's attributes
/// before it fails because the file is not a folder (`may_delete` in Linux's fs/namei.c). It does
/// not check for a mount on the file. Removing a mounted file fails with EBUSY.
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

/// The id of the mount that `path` is on. `None` on kernels before 3.15, which do not report it.
fn mount_of(path: &Path, flags: i32) -> io::Result<Option<String>> {
    let file = open(path, libc::O_PATH | flags)?;
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    Ok(facts.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(|id| id.trim().into()))
}

/// Rejects anything but a regular file of `user`. A lock silences alerts, so another user must not
/// be able to plant one in a folder such as /tmp.
fn check(metadata: &Metadata, user: u32) -> Result<(), String> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return Err("is a symbolic link, which is never followed".into());
    }
    if kind.is_dir() {
        return Err("is a directory".into());
    }
    if !kind.is_file() {
        return Err("is not a regular file".into());
    }
    match metadata.uid() {
        owner if owner == user => Ok(()),
        owner => Err(format!("belongs to another user (uid {owner})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn owner() -> Owner {
        Owner::new("/etc/a.json", "Z1", ["home.example.com".into()])
    }

    #[test]
    fn empty_or_zeroed_file_counts_as_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(read(&path, &owner()), Ok(None));
        for content in ["", "\n", "\0\0\0"] {
            fs::write(&path, content).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let held = Held { since: modified, named: false, silences: true };
            assert_eq!(read(&path, &owner()), Ok(Some(held)));
        }
    }

    #[test]
    fn unusable_lock_says_what_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let unusable = |name: &str, make: &dyn Fn(&Path)| {
            let path = folder.path().join(name);
            make(&path);
            let why = read(&path, &owner()).unwrap_err();
            why.strip_prefix(&format!("{} ", path.display())).unwrap().to_owned()
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
        assert_eq!(unusable("socket", &socket), "is not a regular file");
    }

    #[test]
    fn lock_of_another_user_is_never_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let user = geteuid().as_raw();
        assert_eq!(read_as(user + 1, &path, &owner()), Ok(None));
        for content in ["", "{\"config\":\"/etc/a.json\"}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(read(&path, &owner()), Ok(Some(_))));
            assert_eq!(
                read_as(user + 1, &path, &owner()),
                Err(format!("belongs to another user (uid {user})"))
            );
        }
    }
}
