//! Command lines that a person can paste into a POSIX shell as they stand. Reads who owns a file and
//! which shell a user has, and runs nothing.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// `program` with its arguments, each word quoted where a shell would read it otherwise.
pub fn command(program: &Path, words: &[&str]) -> String {
    let program = program.to_string_lossy();
    let mut line = quoted(&program);
    for word in words {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    line
}

/// The command line with which a person on this machine runs this program with `words`, whose last
/// one is the configuration. It has the full path and the variables of a deployed configuration. It
/// uses sudo if the current user has no login shell.
pub fn own_command(words: &[&str]) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    sudo_for(geteuid().as_raw(), &users) + &with_variables(&program(), words)
}

/// The command line with which a person runs this program with `words` as the owner of `path`. If
/// the owner cannot be read, the user is `autodns`: the folder of an installation for the whole
/// machine is closed to others.
pub fn command_as_owner(path: &Path, words: &[&str]) -> String {
    let owner = fs::metadata(path).ok().map(|metadata| metadata.uid());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    sudo_as(owner, &users) + &with_variables(&program(), words)
}

/// The command line of `program` with the variables in the file `environment` beside the
/// configuration, which is the last of `words`. `deploy-pi.sh --env` writes that file. It is used
/// only if it has the same owner as the configuration, because the shell executes it.
fn with_variables(program: &Path, words: &[&str]) -> String {
    let config = Path::new(words.last().copied().unwrap_or_default());
    let variables = config.with_file_name("environment");
    let owner = |path: &Path| {
        fs::symlink_metadata(path).ok().filter(Metadata::is_file).map(|metadata| metadata.uid())
    };
    let is_deployed = owner(&variables).is_some_and(|user| owner(config) == Some(user));
    let line = command(program, words);
    if !is_deployed {
        return line;
    }
    let variables = variables.to_string_lossy();
    let script = "set -a; . \"$0\"; exec \"$@\"";
    command(Path::new("/bin/sh"), &["-c", script, &variables]) + " " + &line
}

/// The prefix of a command that runs as `owner`, with a final space.
fn sudo_as(owner: Option<u32>, users: &str) -> String {
    match owner {
        None => "sudo -u autodns ".into(),
        Some(0) => "sudo ".into(),
        Some(owner) => match entry_of(owner, users).as_deref() {
            Some([name, ..]) => format!("sudo -u {name} "),
            _ => format!("sudo -u '#{owner}' "),
        },
    }
}

/// The fields of a user in `users`, the text of /etc/passwd.
fn entry_of(user: u32, users: &str) -> Option<Vec<&str>> {
    let user = user.to_string();
    users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() == 7 && fields.get(2).is_some_and(|&number| number == user))
}

fn program() -> PathBuf {
    let Ok(path) = std::env::current_exe() else { return "autodns".into() };
    // The kernel adds this suffix if an upgrade replaced the file during this run.
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(replaced) => replaced.into(),
        None => path,
    }
}

/// The prefix of a command that `user` runs, with a final space: empty if the user has a login
/// shell. `users` is the text of /etc/passwd.
fn sudo_for(user: u32, users: &str) -> String {
    if user == 0 {
        return "sudo ".into();
    }
    match entry_of(user, users).as_deref() {
        Some([name, .., shell]) if shell.ends_with("/nologin") || shell.ends_with("/false") => {
            format!("sudo -u {name} ")
        }
        _ => String::new(),
    }
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
        for (owner, sudo) in [
            (Some(0), "sudo "),
            (Some(1000), "sudo -u pi "),
            (Some(1001), "sudo -u '#1001' "),
            (None, "sudo -u autodns "),
        ] {
            assert_eq!(sudo_as(owner, users), sudo, "{owner:?}");
        }
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
        let program = Path::new("/usr/bin/autodns");
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
        let program = Path::new("/usr/bin/autodns");
        for (words, line) in [
            (&["policy", "/etc/autodns/autodns.json"][..], "policy /etc/autodns/autodns.json"),
            (&["--verbose", "/home/pi/my dns.json"], "--verbose '/home/pi/my dns.json'"),
            (&["", "it's", "$HOME", "~/a", "a;b"], r"'' 'it'\''s' '$HOME' '~/a' 'a;b'"),
            (&["a\nb", "ü"], "'a b' 'ü'"),
        ] {
            assert_eq!(command(program, words), format!("/usr/bin/autodns {line}"));
        }
        assert_eq!(command(Path::new("/opt/my tools/x"), &[]), "'/opt/my tools/x'");
    }
}
