//! A file that may hold an access key: reading it, and describing its state in a message. Never
//! quotes its content.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::ini::{Ini, Repeated};
use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::{is_absent, read_checked, utf8};

/// In bytes.
const MAX_SIZE: u64 = 1 << 20;

/// A file that may be absent or unreadable.
pub(super) struct IniFile {
    /// Begins with `~/` in a run without `HOME`.
    pub path: PathBuf,
    content: Content,
}

enum Content {
    Read(Ini),
    Absent,
    /// The path is below the home directory, and `HOME` is not set.
    NoHome,
    /// The file exists or may exist; its content is unknown.
    Unreadable(io::Error),
}

impl IniFile {
    /// The file at a default `path` of the user or of the system. An unreadable file may be one of
    /// another user, and is skipped.
    pub(super) fn usual(
        environment: &Environment,
        path: &str,
        repeated: Repeated,
    ) -> Result<Self, SetupError> {
        match environment.expanded(path) {
            Some(path) => Self::read(path, repeated, |_| Ok(())),
            None => Ok(Self { path: path.into(), content: Content::NoHome }),
        }
    }

    /// The file that an environment variable names. If it exists, it must be readable.
    pub(super) fn named(
        environment: &Environment,
        path: &str,
        repeated: Repeated,
    ) -> Result<Self, SetupError> {
        let file = Self::usual(environment, path, repeated)?;
        match &file.content {
            Content::Unreadable(error) => Err(format!("{file}: cannot be read: {error}").into()),
            _ => Ok(file),
        }
    }

    /// The file at `path` in the folder of a configuration, which can be any folder.
    pub(super) fn beside(path: PathBuf) -> Result<Self, SetupError> {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Self::read(path, Repeated::Refused, |file| check_owner(file, &folder))
    }

    /// A broken file is an error, because unknown content must not count as none.
    fn read(
        path: PathBuf,
        repeated: Repeated,
        check: impl FnOnce(&Metadata) -> io::Result<()>,
    ) -> Result<Self, SetupError> {
        let content = match read_checked(&path, MAX_SIZE, check) {
            Ok(bytes) => {
                let ini = utf8(bytes).and_then(|text| Ini::parse(&text, repeated));
                Content::Read(ini.map_err(|error| error.about(&path.display().to_string()))?)
            }
            Err(error) if is_absent(&error) => Content::Absent,
            Err(error) => Content::Unreadable(error),
        };
        Ok(Self { path, content })
    }

    /// The content, if it could be read.
    pub(super) fn ini(&self) -> Option<&Ini> {
        match &self.content {
            Content::Read(ini) => Some(ini),
            Content::Absent | Content::NoHome | Content::Unreadable(_) => None,
        }
    }

    /// The advice for a file in which no key was found.
    pub(super) fn advice(&self) -> String {
        match &self.content {
            Content::Unreadable(error) if error.kind() == ErrorKind::PermissionDenied => {
                format!("run autodns as the user who may read {self}")
            }
            Content::Unreadable(_) => {
                format!("replace {self} by a file of your own with an access key (mode 600)")
            }
            _ if self.path == Path::new("/dev/null") => {
                "set AWS_SHARED_CREDENTIALS_FILE to a file with an access key".into()
            }
            _ => format!("put an access key into {self} (mode 600)"),
        }
    }
}

impl fmt::Display for IniFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Describes `files` that have no `lacking`, after other `parts`: "A is not set, B cannot be read
/// (ERROR), C has no key, and there is no D or E".
pub(super) fn states(mut parts: Vec<String>, files: &[&IniFile], lacking: &str) -> String {
    let (mut absent, mut has_home) = (Vec::new(), true);
    for file in files {
        match &file.content {
            Content::Unreadable(error) => parts.push(format!("{file} cannot be read ({error})")),
            Content::Read(_) => parts.push(format!("{file} has no {lacking}")),
            Content::NoHome => has_home = false,
            Content::Absent => absent.push(file.to_string()),
        }
    }
    if !has_home {
        parts.push("HOME is not set".into());
    }
    if let Some((last, others)) = absent.split_last() {
        let or = if others.is_empty() { "" } else { " or " };
        parts.push(format!("there is no {}{or}{last}", others.join(", ")));
    }
    match parts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
        _ => parts.concat(),
    }
}

/// Rejects a file of another user in a `folder` that others can write to, such as /tmp: its
/// `credential_process` would run as this user.
fn check_owner(file: &Metadata, folder: &Path) -> io::Result<()> {
    let folder = fs::metadata(folder)?;
    let others_may_write = folder.mode() & 0o022 != 0;
    let trusted = [geteuid().as_raw(), 0, folder.uid()];
    if others_may_write && !trusted.contains(&file.uid()) {
        let owner = file.uid();
        return Err(io::Error::other(format!(
            "it belongs to another user (uid {owner}), and others may write to its folder"
        )));
    }
    Ok(())
}
