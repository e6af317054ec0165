//! Reads a file that a user named, and recognises a missing one. Accepts only a regular file of
//! limited size, because a named pipe or a device could block the run or never end.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::SetupError;

/// Reads the regular file at `path`. More than `limit` bytes are an error. The error is a phrase
/// that follows "cannot be read:", such as "it is a named pipe, not a regular file". For a folder,
/// its kind is [`io::ErrorKind::IsADirectory`].
///
/// `/dev/null` counts as an empty file: people use it for a variable that must name a file.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_checked(path, limit, |_| Ok(()))
}

/// Like [`read_regular`], but first calls `check` on the opened file, for example for its owner.
pub fn read_checked(
    path: &Path,
    limit: u64,
    check: impl FnOnce(&Metadata) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let file = open(path, 0)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = metadata.file_type();
        if kind.is_char_device() && metadata.rdev() == libc::makedev(1, 3) {
            return Ok(Vec::new());
        }
        return Err(not_regular(kind));
    }
    check(&metadata)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let problem = format!("it has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// Opens a file for reading, with further `flags` of open(2). Without `O_NONBLOCK`, opening a named
/// pipe waits for a writer. With `O_NOCTTY`, a terminal does not become the controlling terminal of
/// this process.
pub fn open(path: &Path, flags: i32) -> io::Result<File> {
    let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The text of a file's `bytes`. The error follows the file's path.
pub fn utf8(bytes: Vec<u8>) -> Result<String, SetupError> {
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|&byte| byte == b'\n').count();
        format!("line {line}: is not UTF-8").into()
    })
}

/// Whether the error of an access to a path means that there is no file. After other errors, there
/// may be one.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn not_regular(kind: FileType) -> io::Error {
    if kind.is_dir() {
        return io::Error::from_raw_os_error(libc::EISDIR);
    }
    let problem = if kind.is_fifo() {
        "it is a named pipe, not a regular file"
    } else {
        "it is a device, not a regular file"
    };
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_regular_file_within_the_limit_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "12345").unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let read = |path: &Path, limit| {
            read_regular(path, limit).map_err(|error| (error.kind(), error.to_string()))
        };
        assert_eq!(read(&file, 5), Ok(b"12345".to_vec()));
        assert_eq!(read(Path::new("/dev/null"), 5), Ok(Vec::new()));
        for (path, limit, kind, problem) in [
            (&*file, 4, io::ErrorKind::FileTooLarge, "it has more than 4 bytes"),
            (&pipe, 5, io::ErrorKind::InvalidInput, "it is a named pipe, not a regular file"),
            (folder.path(), 5, io::ErrorKind::IsADirectory, "Is a directory (os error 21)"),
            (
                Path::new("/dev/zero"),
                5,
                io::ErrorKind::InvalidInput,
                "it is a device, not a regular file",
            ),
        ] {
            assert_eq!(read(path, limit), Err((kind, problem.into())), "{}", path.display());
        }
        assert_eq!(read(&folder.path().join("none"), 5).unwrap_err().0, io::ErrorKind::NotFound);
    }
}
