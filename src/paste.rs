//! Command lines that a person can paste into a POSIX shell as they stand. Pure; decides nothing
//! about what to run.

use std::path::Path;

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
