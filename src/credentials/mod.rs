//! Who calls AWS: looks where boto and AWS's own tools look, in their order, and says where it
//! looked. Reads files and may run one program; never shows a secret.
//!
//! Order: environment, `~/.aws/credentials`, `credential_process`, `~/.aws/config`, boto's files.

mod boto;
mod expiration;
pub mod ini;
pub mod process;
pub mod profile;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::Error;
use crate::secrets::Secrets;
use ini::Ini;
use profile::Profile;

/// An access key. Its `Debug` shows neither the secret key nor the session token.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id, which is no secret.
    pub key_id: String,
    /// The secret access key.
    pub secret_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// Where they were found, in words.
    pub source: String,
    /// The file that the secret key is in, if it is in one.
    pub file: Option<PathBuf>,
}

impl Credentials {
    /// Finds the credentials of this run as of `now`, by `deadline` where a program prints them.
    pub fn find(
        environment: &Environment,
        profile: &Profile,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        if let Some(found) = from_environment(environment)? {
            return Ok(found);
        }
        if let Some(found) = profile.credentials(now, deadline)? {
            return Ok(found);
        }
        let boto = boto::Files::read(environment)?;
        if let Some(found) = boto.credentials()? {
            return Ok(found);
        }
        let places: Vec<String> = ["the environment (AWS_ACCESS_KEY_ID)".to_owned()]
            .into_iter()
            .chain(profile.places())
            .chain(boto.places())
            .collect();
        Err(wrong(format!(
            "no AWS credentials found; looked in {}; put an access key into one of them",
            places.join(", ")
        )))
    }

    /// The key id by its last four characters, as in `...AB12`.
    #[must_use]
    pub fn shown_key_id(&self) -> String {
        let last = self.key_id.char_indices().rev().nth(3).map_or("", |(at, _)| &self.key_id[at..]);
        format!("...{last}")
    }

    /// The same, with the file that the secret key is in.
    fn in_file(self, file: &IniFile) -> Self {
        Self { file: file.path.clone(), ..self }
    }

    /// Adds what must not be shown.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        secrets.add(&self.secret_key);
        if let Some(token) = &self.session_token {
            secrets.add(token);
        }
    }

    /// Both halves, or an error that names the one that is missing from `place`. White space around
    /// a value is a slip of copying, and a value of nothing else is none.
    fn from_halves<'a>(
        key_id: Option<&'a str>,
        secret_key: Option<&'a str>,
        session_token: Option<&'a str>,
        names: [&str; 2],
        place: &str,
    ) -> Result<Option<Self>, Error> {
        let missing = |name| {
            Err(wrong(format!(
                "half a credential: {place} lacks {name}; set both halves, or neither"
            )))
        };
        let given = |value: Option<&'a str>| value.map(str::trim).filter(|value| !value.is_empty());
        let session_token = given(session_token);
        let (key_id, secret_key) = match (given(key_id), given(secret_key)) {
            (None, None) => return Ok(None),
            (Some(_), None) => return missing(names[1]),
            (None, Some(_)) => return missing(names[0]),
            (Some(key_id), Some(secret_key)) => (key_id, secret_key),
        };
        // What is sent in a header must fit one; a key with a blank in it is a slip of copying.
        for (name, value) in [
            (names[0], Some(key_id)),
            (names[1], Some(secret_key)),
            ("the session token", session_token),
        ] {
            if value.is_some_and(|value| !value.bytes().all(|b| b.is_ascii_graphic())) {
                return Err(wrong(format!(
                    "{name} in {place} holds a blank or a character that no key has"
                )));
            }
        }
        Ok(Some(Self {
            key_id: key_id.into(),
            secret_key: secret_key.into(),
            session_token: session_token.map(Into::into),
            source: place.into(),
            file: None,
        }))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("key_id", &self.key_id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

fn from_environment(environment: &Environment) -> Result<Option<Credentials>, Error> {
    Credentials::from_halves(
        environment.get("AWS_ACCESS_KEY_ID"),
        environment.get("AWS_SECRET_ACCESS_KEY"),
        environment.get("AWS_SESSION_TOKEN"),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        "the environment",
    )
}

fn wrong(problem: String) -> Error {
    Error::Credentials { problem, source: None }
}

/// A file that may be absent, and what is in it.
struct IniFile {
    /// The file, if there is a place for it at all.
    path: Option<PathBuf>,
    /// Its settings; `None` if there is no such file.
    ini: Option<Ini>,
}

impl IniFile {
    /// Reads a file. One that is not there is `ini: None`; one that cannot be read or understood
    /// is an error: what it says is unknown, which is not the same as nothing.
    fn read(path: Option<PathBuf>) -> Result<Self, Error> {
        let Some(file) = &path else { return Ok(Self { path, ini: None }) };
        let about = |problem: String| format!("{}: {problem}", file.display());
        let ini = match fs::read(file) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|error| {
                    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                    let line = before.split(|&byte| byte == b'\n').count();
                    wrong(about(format!("line {line}: is not UTF-8")))
                })?;
                Some(Ini::parse(&text).map_err(|problem| wrong(about(problem)))?)
            }
            Err(error) if is_absence(&error) => None,
            Err(error) => {
                return Err(Error::Credentials {
                    problem: about(format!("cannot be read: {error}")),
                    source: Some(error.into()),
                });
            }
        };
        Ok(Self { path, ini })
    }

    fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.ini.as_ref()?.get(section, key)
    }

    fn has(&self, section: &str) -> bool {
        self.ini.as_ref().is_some_and(|ini| ini.has(section))
    }

    /// The file's name for a message, with a word if it is not there.
    fn shown(&self, default: &str) -> String {
        match (&self.path, &self.ini) {
            (Some(path), Some(_)) => path.display().to_string(),
            (Some(path), None) => format!("{} (no such file)", path.display()),
            (None, _) => format!("{default} (HOME is not set)"),
        }
    }

    fn display(&self) -> String {
        self.path.as_deref().unwrap_or(Path::new("")).display().to_string()
    }
}

fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
