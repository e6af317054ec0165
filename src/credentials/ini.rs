//! The INI of AWS's and boto's files, as the tools that own them read it. Pure, and never quotes a
//! value: most of them are secrets.

/// A parsed file: sections in order, each a name and its settings.
#[derive(Clone, Default)]
pub struct Ini(Vec<(String, Vec<(String, String)>)>);

impl Ini {
    /// Parses a file's text. The error begins with the line.
    ///
    /// Key names come in any case; `=` and `:` separate; `%` and quotes are plain; a `#` after
    /// white space starts a comment. A line that is indented deeper than the key above belongs to
    /// that key: where the key has no value of its own it is a nested setting, found as
    /// `key.nested` (the `services` sections of AWS's config file), else it continues the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
        // The key that an indented line would belong to, its indent, and whether it has a value.
        let mut above: Option<(String, usize, bool)> = None;
        for (number, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let wrong = |problem: &str| format!("line {}: {problem}", number + 1);
            let content = without_comment(line);
            if content.is_empty() {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let owner = above.as_ref().filter(|(_, of_key, _)| indent > *of_key);
            if let (None, Some(rest)) = (owner, content.strip_prefix('[')) {
                let name = rest.strip_suffix(']').ok_or_else(|| wrong("a section lacks its ]"))?;
                sections.push((name.trim().into(), Vec::new()));
                above = None;
                continue;
            }
            let Some((_, settings)) = sections.last_mut() else {
                return Err(wrong("a key before any section; expected [default] or the like"));
            };
            if let (Some((_, _, true)), Some((_, value))) = (owner, settings.last_mut()) {
                value.push('\n');
                value.push_str(content);
                continue;
            }
            let (key, value) = content
                .split_once(['=', ':'])
                .ok_or_else(|| wrong("expected KEY = VALUE, found no ="))?;
            let (key, value) = (key.trim_end().to_ascii_lowercase(), value.trim_start());
            if key.is_empty() {
                return Err(wrong("expected KEY = VALUE, found no key"));
            }
            if let Some((owner, ..)) = owner {
                settings.push((format!("{owner}.{key}"), value.into()));
            } else {
                above = Some((key.clone(), indent, !value.is_empty()));
                settings.push((key, value.into()));
            }
        }
        Ok(Self(sections))
    }

    /// Whether there is a section of that name.
    #[must_use]
    pub fn has(&self, section: &str) -> bool {
        self.0.iter().any(|(name, _)| is_named(name, section))
    }

    /// The value of `key` in `section`: the last one, should there be several. An empty value
    /// counts as not set.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.0
            .iter()
            .filter(|(name, _)| is_named(name, section))
            .flat_map(|(_, settings)| settings)
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Whether a section's header names `section`; AWS's `[profile NAME]` may have any white space
/// between the two words, and quotes around the name.
fn is_named(header: &str, section: &str) -> bool {
    match (header.split_once(char::is_whitespace), section.split_once(' ')) {
        (Some((kind, name)), Some((wanted_kind, wanted))) => {
            let name = name.trim();
            let bare = ['"', '\'']
                .into_iter()
                .find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
            kind == wanted_kind && bare.unwrap_or(name) == wanted
        }
        _ => header == section,
    }
}

/// The line without its comment and surrounding white space.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return "";
    }
    let comment = line
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| line[..at].ends_with(char::is_whitespace));
    line[..comment.unwrap_or(line.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_the_tools_read_them() {
        let ini = Ini::parse(
            "\u{feff}# comment\r\n; comment\r\n[default]\r\nAWS_Access_Key_Id = AKID # mine\r\n\
             aws_secret_access_key: a=b:c%d#e\r\nquoted = \"x\"\r\nempty =\r\n\r\n\
             [profile  dev]\n  region = eu-west-1\n  services = s\n[profile \"with space\"]\nk=v\n\
             [services s]\nroute_53 =\n  endpoint_url = http://127.0.0.1:1\n  x = y\nsns =\n\
             \tendpoint_url = http://127.0.0.1:2\n[default]\nquoted = 'y'\ncomment = # none\n\
             long = a\n  b = c\n",
        )
        .unwrap();
        for (section, key, value) in [
            ("default", "aws_access_key_id", Some("AKID")),
            ("default", "aws_secret_access_key", Some("a=b:c%d#e")),
            ("default", "quoted", Some("'y'")),
            ("default", "empty", None),
            ("default", "comment", None),
            ("default", "long", Some("a\nb = c")),
            ("profile dev", "region", Some("eu-west-1")),
            ("profile dev", "services", Some("s")),
            ("profile with space", "k", Some("v")),
            ("services s", "route_53.endpoint_url", Some("http://127.0.0.1:1")),
            ("services s", "route_53.x", Some("y")),
            ("services s", "sns.endpoint_url", Some("http://127.0.0.1:2")),
            ("dev", "region", None),
        ] {
            assert_eq!(ini.get(section, key), value, "[{section}] {key}");
        }
        assert!(ini.has("profile dev") && !ini.has("profile prod"));
    }

    #[test]
    fn a_broken_file_is_named_by_line_and_never_quoted() {
        for (text, problem) in [
            ("[default]\nhush", "line 2: expected KEY = VALUE, found no ="),
            ("[default]\n= hush", "line 2: expected KEY = VALUE, found no key"),
            ("\nhush = 1", "line 2: a key before any section; expected [default] or the like"),
            ("[default\nk = v", "line 1: a section lacks its ]"),
            ("[default]\nk =\n  hush", "line 3: expected KEY = VALUE, found no ="),
        ] {
            assert_eq!(Ini::parse(text).err(), Some(problem.into()), "{text}");
        }
    }
}
