//! Where a lock is, where it is prepared, and the making of both. Knows nothing of what a lock
//! says.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::owner::short_digest;

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// Where a lock is.
#[derive(Clone, Debug)]
pub struct Place {
    pub path: PathBuf,
    /// Where it is prepared and where it is withdrawn to: `.NAME.pending` beside it.
    pub pending: PathBuf,
    /// Whether its folder is this program's to make.
    pub makes_folder: bool,
}

impl Place {
    pub fn new(path: &Path, makes_folder: bool) -> Self {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default();
        let mut pending = format!(".{}.pending", name.to_string_lossy());
        if pending.len() > MAX_NAME {
            pending = format!(".{}.pending", short_digest(name.as_bytes()));
        }
        Self { path: folder.join(name), pending: folder.join(pending), makes_folder }
    }

    /// Why the lock cannot be written.
    pub fn cannot_write(&self, error: &io::Error) -> String {
        format!("{} cannot be written: {error}", self.path.display())
    }

    /// Makes the file in which the lock is prepared.
    pub fn create(&self) -> io::Result<File> {
        let create =
            || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.pending);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.makes_folder => {
                self.path.parent().map_or(Ok(()), make_folder)?;
                create()
            }
            other => other,
        }
    }
}

/// Makes a folder that nobody else can look into, and what is missing above it.
fn make_folder(path: &Path) -> io::Result<()> {
    let create = || DirBuilder::new().mode(0o700).create(path);
    let made = match (create(), path.parent()) {
        (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(above)?;
            create()
        }
        (result, _) => result,
    };
    match made {
        // The umask may have taken what this user needs.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o700)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
