//! Parses the INI files of AWS and boto like Python's `configparser`, which botocore and boto use.
//! Pure. Never quotes a value, because most values are secrets.

use crate::error::SetupError;

/// A parsed file. Section names are unique.
#[derive(Clone, Default)]
pub struct Ini(Vec<Section>);

#[derive(Clone)]
struct Section {
    /// The text between the brackets.
    name: String,
    line: usize,
    settings: Vec<Setting>,
}

#[derive(Clone)]
pub(super) struct Setting {
    key: String,
    /// As in the file, with the comment after it, if any.
    value: String,
    pub(super) line: usize,
}

/// How a section or key that a file has twice is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// It is an error, as in botocore, because either value may be the intended one.
    Refused,
    /// Sections are merged, and the last value wins, as in boto 2.
    Merged,
}

/// The section whose settings apply to all others, a feature of `configparser`.
const DEFAULTS: &str = "DEFAULT";

impl Ini {
    /// Parses the text of a file. The error begins with the line number.
    ///
    /// Keys are case-insensitive and end at `=` or `:`; `%` and quotes have no special meaning. A
    /// line that is indented deeper than the key above it belongs to that key. If that key has no
    /// value, the line is a nested setting, found as `key.nested` (the `services` sections of AWS's
    /// config file). Otherwise the line continues the value.
    pub fn parse(text: &str, repeated: Repeated) -> Result<Self, SetupError> {
        let mut sections: Vec<Section> = Vec::new();
        let mut current: Option<usize> = None;
        // The key that an indented line would belong to, its indent, and whether it has a value.
        let mut above: Option<(String, usize, bool)> = None;
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let number = index + 1;
            let wrong = |error: SetupError| error.about(&format!("line {number}"));
            let content = line.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let owner = above.as_ref().filter(|(_, of_key, _)| indent > *of_key);
            if let (None, Some(rest)) = (owner, content.strip_prefix('[')) {
                // Text after the last bracket is not part of the name.
                let end = rest.rfind(']').ok_or_else(|| wrong("a section lacks its ]".into()))?;
                let name = rest[..end].trim();
                if name.is_empty() {
                    return Err(wrong("a section without a name".into()));
                }
                let known = sections.iter().position(|section| section.name == name);
                if let Some(first) = known.filter(|_| name != DEFAULTS) {
                    refuse(repeated, "this section", sections[first].line).map_err(wrong)?;
                }
                current = known.or_else(|| {
                    sections.push(Section { name: name.into(), line: number, settings: vec![] });
                    sections.len().checked_sub(1)
                });
                above = None;
                continue;
            }
            let Some(Section { settings, .. }) = current.and_then(|at| sections.get_mut(at)) else {
                return Err(wrong("a key before any section".into())
                    .advise("write the header of its section above it, such as [default]"));
            };
            if let (Some((_, _, true)), Some(Setting { value, .. })) = (owner, settings.last_mut())
            {
                value.push('\n');
                value.push_str(content);
                continue;
            }
            let separators: &[char] = if owner.is_some() { &['='] } else { &['=', ':'] };
            let (key, value) = content
                .split_once(separators)
                .ok_or_else(|| wrong("expected KEY = VALUE, found no =".into()))?;
            let (key, value) = (key.trim_end().to_ascii_lowercase(), value.trim_start().to_owned());
            if key.is_empty() {
                return Err(wrong("expected KEY = VALUE, found no key".into()));
            }
            let key = if let Some((owner, ..)) = owner {
                format!("{owner}.{key}")
            } else {
                if let Some(first) = settings.iter().find(|setting| setting.key == key) {
                    refuse(repeated, "this key", first.line).map_err(wrong)?;
                }
                above = Some((key.clone(), indent, !value.is_empty()));
                key
            };
            settings.push(Setting { key, value, line: number });
        }
        Ok(Self(sections))
    }

    /// The name of the last section, apart from the defaults, for which `is` returns true.
    pub(super) fn last(&self, is: impl Fn(&str) -> bool) -> Option<&str> {
        let mut names = self.0.iter().rev().map(|section| section.name.as_str());
        names.find(|&name| name != DEFAULTS && is(name))
    }

    /// The setting `key` in `section` or in the defaults. An empty value counts as not set.
    pub(super) fn find(&self, section: &str, key: &str) -> Option<&Setting> {
        let own = &self.section(section)?.settings;
        let defaults = self.section(DEFAULTS).map_or(&[][..], |section| &section.settings);
        let found = defaults.iter().chain(own).rev().find(|setting| setting.key == key)?;
        Some(found).filter(|setting| !setting.value().is_empty())
    }

    /// The value of `key` in `section`. An empty value counts as not set.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.find(section, key).map(Setting::value)
    }

    fn section(&self, name: &str) -> Option<&Section> {
        self.0.iter().find(|section| section.name == name)
    }
}

impl Setting {
    /// The value without a comment. A `#` or `;` after white space starts a comment, as in AWS's
    /// SDKs for Rust and Go and in boto 2. botocore keeps it in the value, but no access key holds
    /// a space.
    pub(super) fn value(&self) -> &str {
        let value = self.value.as_str();
        let starts = |at: usize| value[..at].chars().next_back().is_none_or(char::is_whitespace);
        let comment = value.match_indices(['#', ';']).map(|(at, _)| at).find(|&at| starts(at));
        value[..comment.unwrap_or(value.len())].trim_end()
    }

    /// The value as in the file, because a command line has its own rules for `#` and `;`.
    pub(super) fn raw_value(&self) -> &str {
        &self.value
    }
}

/// Whether a section is `[KIND NAME]`, as in `[profile dev]`. Words are split like a shell does.
pub(super) fn is_named(section: &str, kind: &str, name: &str) -> bool {
    section.starts_with(kind)
        && shlex::split(section).is_some_and(|words| words.len() == 2 && words[1] == name)
}

fn refuse(repeated: Repeated, what: &str, first: usize) -> Result<(), SetupError> {
    match repeated {
        Repeated::Merged => Ok(()),
        Repeated::Refused => Err(SetupError::new(format!("line {first} has {what} already"))
            .advise("remove one of the two")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_parsed_like_configparser_does() {
        let ini = Ini::parse(
            "\u{feff}# comment\r\n; comment\r\n[default] ; comment\r\n\
             AWS_Access_Key_Id = AKID # mine\r\n\
             aws_secret_access_key: a=b:c%d#e;f\r\nquoted = \"x\"\r\nempty =\r\n\r\n\
             semicolon = x ; y\nall = #none\nlong = a\n  b = c\n\
             [profile  dev]\n  region = eu-west-1\n  services = s\n[profile \"with space\"]\nk=v\n\
             [services s]\nroute_53 =\n  endpoint_url = http://127.0.0.1:1\n\n  x = y\nsns =\n\
             \tendpoint_url = http://127.0.0.1:2\n[DEFAULT]\nk = defaults\n[DEFAULT]\nl = too\n",
            Repeated::Refused,
        )
        .unwrap();
        for (section, key, value) in [
            ("default", "aws_access_key_id", Some("AKID")),
            ("default", "aws_secret_access_key", Some("a=b:c%d#e;f")),
            ("default", "quoted", Some("\"x\"")),
            ("default", "empty", None),
            ("default", "semicolon", Some("x")),
            ("default", "all", None),
            ("default", "long", Some("a\nb = c")),
            ("default", "k", Some("defaults")),
            ("default", "l", Some("too")),
            ("profile  dev", "region", Some("eu-west-1")),
            ("profile  dev", "services", Some("s")),
            ("profile \"with space\"", "k", Some("v")),
            ("services s", "route_53.endpoint_url", Some("http://127.0.0.1:1")),
            ("services s", "route_53.x", Some("y")),
            ("services s", "sns.endpoint_url", Some("http://127.0.0.1:2")),
            ("dev", "region", None),
        ] {
            assert_eq!(ini.get(section, key), value, "[{section}] {key}");
        }
        let semicolon = ini.find("default", "semicolon").unwrap();
        assert_eq!((semicolon.raw_value(), semicolon.line), ("x ; y", 9));
        for (name, section) in [
            ("dev", Some("profile  dev")),
            ("with space", Some("profile \"with space\"")),
            ("prod", None),
        ] {
            assert_eq!(ini.last(|section| is_named(section, "profile", name)), section);
        }
        for (name, found) in [("default", true), ("dev", false), ("DEFAULT", false)] {
            assert_eq!(ini.last(|section| section == name).is_some(), found, "{name}");
        }
    }

    #[test]
    fn repeated_section_or_key_is_rejected_or_merged() {
        let sections = "[a]\nk = 1\nl = 2\n[a]\nk = 3\n";
        let keys = "[a]\nk = 1\nK: 3\n";
        for (text, problem) in [
            (sections, "line 4: line 1 has this section already; remove one of the two"),
            (keys, "line 3: line 2 has this key already; remove one of the two"),
        ] {
            let error = Ini::parse(text, Repeated::Refused).err().unwrap();
            assert_eq!(error.to_string(), problem);
            assert_eq!(error.advice(), Some("remove one of the two"));
            let merged = Ini::parse(text, Repeated::Merged).unwrap();
            assert_eq!(merged.get("a", "k"), Some("3"));
        }
    }

    #[test]
    fn syntax_error_names_the_line_and_quotes_nothing() {
        for (text, problem) in [
            ("[default]\nhush", "line 2: expected KEY = VALUE, found no ="),
            ("[default]\n= hush", "line 2: expected KEY = VALUE, found no key"),
            (
                "\nhush = 1",
                "line 2: a key before any section; write the header of its section above it, \
                 such as [default]",
            ),
            ("[default\nk = v", "line 1: a section lacks its ]"),
            ("[ ]\nk = v", "line 1: a section without a name"),
            ("[default]\nk =\n  hush", "line 3: expected KEY = VALUE, found no ="),
        ] {
            let error = Ini::parse(text, Repeated::Refused).err();
            assert_eq!(error.map(|error| error.to_string()), Some(problem.into()), "{text}");
        }
    }
}
