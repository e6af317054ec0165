//! A file that may hold an access key: reading it, and describing its state in a message. Never
//! quotes its content.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::ini::{Ini, Repeated, Setting};
use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::{read_checked, read_regular, utf8};

/// In bytes.
const MAX_SIZE: u64 = 1 << 20;

/// A path where autodns looks for a file.
pub(super) struct Place {
    path: Result<PathBuf, NoHome>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An environment variable names the file. If it exists, it must be readable.
    Named,
    /// A default path of the user or of the system.
    Usual,
    /// In the folder of a configuration, which can be any folder.
    Beside,
}

/// A path below the home directory, in a run without `HOME`.
struct NoHome(String);

impl Place {
    pub(super) fn usual(path: PathBuf) -> Self {
        Self { path: Ok(path), kind: Kind::Usual }
    }

    pub(super) fn beside(path: PathBuf) -> Self {
        Self { path: Ok(path), kind: Kind::Beside }
    }

    /// A default path, relative to the home directory.
    pub(super) fn home(environment: &Environment, path: &str) -> Self {
        let path = environment.home(path).ok_or_else(|| NoHome(format!("~/{path}")));
        Self { path, kind: Kind::Usual }
    }

    pub(super) fn named(environment: &Environment, path: &str) -> Self {
        let path = environment.expanded(path).ok_or_else(|| NoHome(path.into()));
        Self { path, kind: Kind::Named }
    }
}

/// A file that may be absent or unreadable.
pub(super) struct IniFile {
    place: Place,
    content: Content,
}

enum Content {
    Read(Ini),
    Absent,
    /// The file exists or may exist; its content is unknown.
    Unreadable(io::Error),
}

impl IniFile {
    /// Reads a file. A broken file is an error, because unknown content must not count as none. An
    /// unreadable file is an error only if a variable names it. Otherwise it may be a file of
    /// another user, and is skipped.
    pub(super) fn read(place: Place, repeated: Repeated) -> Result<Self, SetupError> {
        let Ok(path) = &place.path else { return Ok(Self { place, content: Content::Absent }) };
        let about = |error: SetupError| error.about(&path.display().to_string());
        let read = match place.kind {
            Kind::Beside => read_checked(path, MAX_SIZE, |file| check_owner(file, path)),
            Kind::Named | Kind::Usual => read_regular(path, MAX_SIZE),
        };
        let content = match read {
            Ok(bytes) => {
                let ini = utf8(bytes).and_then(|text| Ini::parse(&text, repeated));
                Content::Read(ini.map_err(about)?)
            }
            Err(error) if is_absence(&error) => Content::Absent,
            Err(error) if place.kind != Kind::Named => Content::Unreadable(error),
            Err(error) => return Err(about(format!("cannot be read: {error}").into())),
        };
        Ok(Self { place, content })
    }

    /// `None` without a home directory.
    pub(super) fn path(&self) -> Option<&Path> {
        self.place.path.as_deref().ok()
    }

    /// The content, if it could be read.
    pub(super) fn ini(&self) -> Option<&Ini> {
        match &self.content {
            Content::Read(ini) => Some(ini),
            Content::Absent | Content::Unreadable(_) => None,
        }
    }

    pub(super) fn find(&self, section: &str, key: &str) -> Option<&Setting> {
        self.ini()?.find(section, key)
    }

    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.ini()?.get(section, key)
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
            _ if self.path() == Some(Path::new("/dev/null")) => {
                "let AWS_SHARED_CREDENTIALS_FILE name a file with an access key".into()
            }
            _ => format!("put an access key into {self} (mode 600)"),
        }
    }
}

impl fmt::Display for IniFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place.path {
            Ok(path) => path.display().fmt(f),
            Err(NoHome(path)) => f.write_str(path),
        }
    }
}

/// Describes `files` that have no `lacking`, after the phrase `known`: "A is not set, B cannot be
/// read (ERROR), C has no key, and there is no D or E".
pub(super) fn states(known: &str, files: &[&IniFile], lacking: &str) -> String {
    let (mut parts, mut absent, mut has_home) = (vec![known.to_owned()], Vec::new(), true);
    for file in files {
        match &file.content {
            Content::Unreadable(error) => parts.push(format!("{file} cannot be read ({error})")),
            Content::Read(_) => parts.push(format!("{file} has no {lacking}")),
            Content::Absent if file.path().is_none() => has_home = false,
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
    parts.retain(|part| !part.is_empty());
    match parts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
        _ => parts.concat(),
    }
}

/// Rejects a file of another user in a folder that others can write to, such as /tmp: its
/// `credential_process` would run as this user.
fn check_owner(file: &Metadata, path: &Path) -> io::Result<()> {
    let folder = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
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

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
