//! The paths of a lock, and how its file and folder are created. Does not know the content.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::owner::short_digest;

/// The longest file name of Linux file systems, in bytes.
const MAX_NAME: usize = 255;

#[derive(Clone, Debug)]
pub struct Place {
    pub path: PathBuf,
    /// `.NAME.pending` in the same folder: the lock before the alert and after its withdrawal.
    pub pending: PathBuf,
    /// Whether autodns creates the folder if it is missing.
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

    pub fn cannot_write(&self, error: &io::Error) -> String {
        format!("{} cannot be written: {error}", self.path.display())
    }

    /// Creates the pending file, and its folder if that is missing and autodns may create it.
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

/// Creates a folder with mode 700, and its missing parents.
fn make_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // The umask may have removed bits that this user needs.
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o700))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
