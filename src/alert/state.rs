//! What is in the place of a lock, or beside it. Only reads: never follows a symbolic link, never
//! waits for another process, and believes nobody but the user that this process runs as.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// More than any lock of ours holds, in bytes.
const LARGEST: u64 = 8192;

/// What is in the place of a lock.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// The lock of this configuration.
    Held {
        /// The time of the alert.
        since: SystemTime,
        /// Whether it names this configuration; an empty file does not.
        named: bool,
    },
    /// What can be no lock of this configuration: the path and why.
    Unusable(String),
}

impl State {
    /// What is at `path` for the configuration whose absolute path is `config`.
    #[must_use]
    pub fn read(path: &Path, config: &str) -> Self {
        Self::read_as(own_user(), path, config)
    }

    fn read_as(user: io::Result<u32>, path: &Path, config: &str) -> Self {
        match content(user, path) {
            Ok(Some((content, modified))) => match held(&content, modified, config) {
                Ok(held) => held,
                Err(why) => Self::Unusable(format!("{} {why}", path.display())),
            },
            Ok(None) => Self::Absent,
            Err(why) => Self::Unusable(format!("{} {why}", path.display())),
        }
    }
}

/// The user that this process acts as. The folder in /proc belongs to it, and nothing else in the
/// standard library says who it is.
fn own_user() -> io::Result<u32> {
    fs::metadata("/proc/self").map(|metadata| metadata.uid())
}

/// The content of a file and when it was written, if it is there; a phrase where it is no file of
/// `user`'s that can be read.
fn content(user: io::Result<u32>, path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    // Who cannot tell whose a file is must not believe it: an alert too many, and not one too few.
    let user = user.map_err(|error| format!("may be anybody's: /proc/self: {error}"))?;
    check(&metadata, user)?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(cannot)?;
    // Another one may have come into its place meanwhile.
    let metadata = file.metadata().map_err(cannot)?;
    check(&metadata, user)?;
    let mut content = Vec::new();
    file.take(LARGEST).read_to_end(&mut content).map_err(cannot)?;
    Ok(Some((content, metadata.modified().map_err(cannot)?)))
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

/// What a file says, of that content and last written at `modified`.
fn held(content: &[u8], modified: SystemTime, config: &str) -> Result<State, String> {
    // A power cut can leave a file of the right length that is all NUL.
    if content.iter().all(|&byte| byte == 0 || byte.is_ascii_whitespace()) {
        return Ok(State::Held { since: modified, named: false });
    }
    let content: Value = serde_json::from_slice(content).unwrap_or_default();
    match content["config"].as_str() {
        Some(named) if named == config => {
            let since = content["since"].as_str().and_then(|text| {
                let since = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since.try_into().ok()?))
            });
            Ok(State::Held { since: since.unwrap_or(modified), named: true })
        }
        Some(other) => Err(format!("belongs to another configuration, {other}")),
        None => Err("is a file that autodns did not write".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const CONFIG: &str = "/etc/a.json";

    #[test]
    fn an_empty_or_zeroed_file_counts_as_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(State::read(&path, CONFIG), State::Absent);
        for content in ["", "\n", "\0\0\0"] {
            fs::write(&path, content).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            assert_eq!(State::read(&path, CONFIG), State::Held { since: modified, named: false });
        }
    }

    #[test]
    fn what_can_be_no_lock_is_named_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let unusable = |name: &str, make: &dyn Fn(&Path)| {
            let path = folder.path().join(name);
            make(&path);
            match State::read(&path, CONFIG) {
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
        assert_eq!(State::read_as(unknown(), &path, CONFIG), State::Absent);
        let owner = own_user().unwrap();
        for content in ["", "{\"config\":\"/etc/a.json\"}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(State::read_as(Ok(owner), &path, CONFIG), State::Held { .. }));
            assert_eq!(
                State::read_as(Ok(owner + 1), &path, CONFIG),
                State::Unusable(format!("{shown} belongs to another user (uid {owner})"))
            );
            assert_eq!(
                State::read_as(unknown(), &path, CONFIG),
                State::Unusable(format!("{shown} may be anybody's: /proc/self: entity not found"))
            );
        }
    }
}
