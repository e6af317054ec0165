//! Command lines that a person can paste into a POSIX shell as they stand. Reads who owns a file
//! and which shell a user has, and runs nothing.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

/// A program and its arguments, each word quoted where a shell would read it otherwise.
pub fn command(words: &[&str]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The command line with which a person on this machine runs this program with `words`; the last
/// word is the configuration. The command has the full path and the variables of a deployed
/// configuration. It uses sudo if the current user has no login shell.
pub fn own_command(words: &[&str]) -> String {
    sudo_for(geteuid().as_raw(), &users()) + &with_variables(&program(), words)
}

/// The command line with which a person runs this program with `words` as the owner of `path`. If
/// the owner cannot be read, the user is `autodns`: the folder of an installation for the whole
/// machine is closed to others.
pub fn command_as_owner(path: &Path, words: &[&str]) -> String {
    let sudo = match fs::metadata(path) {
        Ok(metadata) => sudo_as(metadata.uid(), &users()),
        Err(_) => "sudo -u autodns ".into(),
    };
    sudo + &with_variables(&program(), words)
}

/// The command line of `program` with the variables in the file `environment` beside the
/// configuration, which is the last of `words`. `deploy-pi.sh --env` writes that file. It is used
/// only if it has the same owner as the configuration, because the shell executes it.
fn with_variables(program: &str, words: &[&str]) -> String {
    let config = Path::new(words.last().copied().unwrap_or_default());
    let variables = config.with_file_name("environment");
    let owner = |path: &Path| {
        fs::symlink_metadata(path).ok().filter(Metadata::is_file).map(|metadata| metadata.uid())
    };
    let line = command(&[&[program], words].concat());
    if owner(&variables).is_none_or(|user| owner(config) != Some(user)) {
        return line;
    }
    let script = "set -a; . \"$0\"; exec \"$@\"";
    command(&["/bin/sh", "-c", script, &variables.to_string_lossy()]) + " " + &line
}

fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "autodns".into() };
    let path = path.to_string_lossy();
    // The kernel adds this suffix if an upgrade replaced the file during this run.
    path.strip_suffix(" (deleted)").unwrap_or(&path).into()
}

fn users() -> String {
    fs::read_to_string("/etc/passwd").unwrap_or_default()
}

/// The prefix of a command that runs as `user`, with a final space: empty if that user can
/// log in and run it. `users` is the text of /etc/passwd.
fn sudo_for(user: u32, users: &str) -> String {
    let has_no_login = name_and_shell(user, users)
        .is_some_and(|(_, shell)| shell.ends_with("/nologin") || shell.ends_with("/false"));
    if user == 0 || has_no_login { sudo_as(user, users) } else { String::new() }
}

/// The prefix of a command that another user runs as `user`, with a final space.
fn sudo_as(user: u32, users: &str) -> String {
    match name_and_shell(user, users) {
        _ if user == 0 => "sudo ".into(),
        Some((name, _)) => format!("sudo -u {name} "),
        None => format!("sudo -u '#{user}' "),
    }
}

/// The name and the shell of `user` in `users`, the text of /etc/passwd.
fn name_and_shell(user: u32, users: &str) -> Option<(&str, &str)> {
    let user = user.to_string();
    users.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
        [name, _, number, _, _, _, shell] if number == user => Some((name, shell)),
        _ => None,
    })
}

/// One word: bare where every character is plain to every shell, else in single quotes. A line
/// break becomes a space, so that the command stays on one line of a message.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.into();
    }
    let word = word.replace(char::is_control, " ").replace('\'', "'\\''");
    format!("'{word}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_run_as_the_owner_of_the_file() {
        let users = "root:x:0:0::/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n";
        for (owner, sudo) in [(0, "sudo "), (1000, "sudo -u pi "), (1001, "sudo -u '#1001' ")] {
            assert_eq!(sudo_as(owner, users), sudo, "{owner}");
        }
        let command = command_as_owner(Path::new("/nowhere/autodns.json"), &["check"]);
        assert!(command.starts_with("sudo -u autodns "), "{command}");
    }

    #[test]
    fn user_without_a_login_shell_needs_sudo() {
        let users = "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n\
                     broken\nautodns:x:110:115::/nonexistent:/usr/sbin/nologin\n";
        for (user, sudo) in [(0, "sudo "), (1000, ""), (110, "sudo -u autodns "), (4711, "")] {
            assert_eq!(sudo_for(user, users), sudo, "{user}");
        }
    }

    #[test]
    fn command_has_the_variables_of_its_deployment() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("autodns.json");
        let words = ["--dry-run", config.to_str().unwrap()];
        let program = "/usr/bin/autodns";
        let plain = format!("/usr/bin/autodns --dry-run {}", config.display());
        assert_eq!(with_variables(program, &words), plain);
        let variables = folder.path().join("environment");
        fs::write(&variables, "").unwrap();
        assert_eq!(with_variables(program, &words), plain);
        fs::write(&config, "").unwrap();
        assert_eq!(
            with_variables(program, &words),
            format!("/bin/sh -c 'set -a; . \"$0\"; exec \"$@\"' {} {plain}", variables.display())
        );
        fs::remove_file(&variables).unwrap();
        std::os::unix::fs::symlink(&config, &variables).unwrap();
        assert_eq!(with_variables(program, &words), plain);
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (words, line) in [
            (&["policy", "/etc/autodns/autodns.json"][..], "policy /etc/autodns/autodns.json"),
            (&["--verbose", "/home/pi/my dns.json"], "--verbose '/home/pi/my dns.json'"),
            (&["", "it's", "$HOME", "~/a", "a;b"], r"'' 'it'\''s' '$HOME' '~/a' 'a;b'"),
            (&["a\nb", "ü"], "'a b' 'ü'"),
        ] {
            assert_eq!(command(words), line);
        }
        assert_eq!(command(&["/opt/my tools/x"]), "'/opt/my tools/x'");
    }
}
