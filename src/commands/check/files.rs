//! Checks the permissions of files with secrets. Sends and prints nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, absolute};

use rustix::process::geteuid;

use super::report::Finding;
use crate::paste;

/// Whether users other than the owner can access a file with a secret. The group may read it. A run
/// works in either case.
pub fn permissions_of(path: &Path) -> Finding {
    // The advice must work from any folder.
    let path = absolute(path).unwrap_or_else(|_| path.into());
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(metadata) => {
            let mode = metadata.mode() & 0o7777;
            if mode & 0o027 == 0 {
                return Finding::ok("permissions", format!("{shown} has mode {mode:04o}"));
            }
            let detail = format!(
                "{shown} contains a secret, and other users can access it: its mode is {mode:04o}"
            );
            let hint = chmod_command(&path, metadata.uid(), geteuid().as_raw());
            Finding::warning("permissions", detail, hint)
        }
        Err(error) => {
            Finding::unknown("permissions", format!("{shown} cannot be examined: {error}"))
        }
    }
}

/// The command that makes a file of user `owner` readable only for `user`.
fn chmod_command(path: &Path, owner: u32, user: u32) -> String {
    let path = path.to_string_lossy();
    if user == owner || user == 0 {
        return paste::command(&["chmod", "600", &path]);
    }
    let chown = paste::command(&["sudo", "chown", &user.to_string(), &path]);
    format!("{chown} && {}", paste::command(&["sudo", "chmod", "600", &path]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_to_make_a_file_private_can_be_pasted() {
        for (path, owner, user, expected) in [
            ("/home/pi/a.json", 1000, 1000, "chmod 600 /home/pi/a.json"),
            ("/home/pi/it's a.json", 1000, 1000, r"chmod 600 '/home/pi/it'\''s a.json'"),
            ("/home/pi/a.json", 1000, 0, "chmod 600 /home/pi/a.json"),
            (
                "/etc/boto.cfg",
                0,
                1000,
                "sudo chown 1000 /etc/boto.cfg && sudo chmod 600 /etc/boto.cfg",
            ),
        ] {
            assert_eq!(chmod_command(Path::new(path), owner, user), expected);
        }
    }
}
