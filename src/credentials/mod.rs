//! Finds the AWS credentials in the places where boto and AWS's tools look, in the same order:
//! environment, the file `credentials` beside the configuration, `~/.aws/credentials`,
//! `credential_process`, `~/.aws/config`, boto's files.
//!
//! Reads files and may run one program. Never shows a secret.

mod boto;
mod file;
pub mod ini;
pub mod process;
pub mod profile;

use std::fmt;
use std::path::{self, Path, PathBuf};

use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::secrets::Secrets;
use file::IniFile;
use profile::Profile;

/// The folder of a configuration, where its file `credentials` is. If `config` is a symbolic link,
/// it is the folder of the link, not of its target.
pub fn folder_of(config: &Path) -> PathBuf {
    let config = path::absolute(config).unwrap_or_else(|_| config.into());
    config.parent().unwrap_or(Path::new("/")).into()
}

/// An access key. Its `Debug` shows neither the secret key nor the session token.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Not a secret.
    pub key_id: String,
    pub secret_key: String,
    /// Only temporary credentials have one.
    pub session_token: Option<String>,
    /// Where they were found, as a phrase for messages.
    pub source: String,
    /// The file with the secret key, if it comes from a file.
    pub file: Option<PathBuf>,
}

impl Credentials {
    /// `deadline` limits a `credential_process`.
    pub fn find(
        environment: &Environment,
        profile: &Profile,
        deadline: Deadline,
    ) -> Result<Self, SetupError> {
        if let Some(found) = from_environment(environment)? {
            return Ok(found);
        }
        if let Some(found) = profile.credentials(deadline)? {
            return Ok(found);
        }
        let boto = boto::files(environment)?;
        if let Some(found) = boto::credentials(&boto)? {
            return Ok(found);
        }
        let files: Vec<&IniFile> = profile.files().chain(&boto).collect();
        let lacking = format!("key for profile {}", profile.name());
        let unset = vec!["AWS_ACCESS_KEY_ID is not set".into()];
        let states = file::states(unset, &files, &lacking);
        let advice = profile.first().advice();
        Err(SetupError::new(format!("no AWS credentials found: {states}")).advise(advice))
    }

    /// The last four characters of the key id, as in `...AB12`.
    pub fn shown_key_id(&self) -> String {
        let last = self.key_id.char_indices().rev().nth(3).map_or("", |(at, _)| &self.key_id[at..]);
        format!("...{last}")
    }

    fn in_file(self, file: &IniFile) -> Self {
        Self { file: Some(file.path.clone()), ..self }
    }

    pub fn add_secrets(&self, secrets: &mut Secrets) {
        secrets.add(&self.secret_key);
        if let Some(token) = &self.session_token {
            secrets.add(token);
        }
    }

    /// `None` without a key. Half a key is an error that names the half that `place` lacks. White
    /// space around a value is a copying mistake and is removed; an empty value counts as not set.
    fn from_halves<'a>(
        key_id: Option<&'a str>,
        secret_key: Option<&'a str>,
        session_token: Option<&'a str>,
        names: [&str; 2],
        place: &str,
    ) -> Result<Option<Self>, SetupError> {
        let missing = |name| {
            let cause = format!("incomplete credentials: {place} lacks {name}");
            Err(SetupError::new(cause).advise("set both halves, or neither"))
        };
        let given = |value: Option<&'a str>| value.map(str::trim).filter(|value| !value.is_empty());
        let session_token = given(session_token);
        let (key_id, secret_key) = match (given(key_id), given(secret_key)) {
            (None, None) => return Ok(None),
            (Some(_), None) => return missing(names[1]),
            (None, Some(_)) => return missing(names[0]),
            (Some(key_id), Some(secret_key)) => (key_id, secret_key),
        };
        // These values are sent in headers. Quotes or spaces in them are a copying mistake.
        for (name, value) in [
            (names[0], Some(key_id)),
            (names[1], Some(secret_key)),
            ("the session token", session_token),
        ] {
            let Some(value) = value else { continue };
            if value.len() > 1
                && ['"', '\''].iter().any(|&q| value.starts_with(q) && value.ends_with(q))
            {
                let cause = format!("the value of {name} in {place} has quotes around it");
                return Err(SetupError::new(cause).advise("remove them"));
            }
            if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                let cause = format!(
                    "{name} in {place} contains a space or another character that no key has"
                );
                return Err(SetupError::new(cause).advise("remove it"));
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

fn from_environment(environment: &Environment) -> Result<Option<Credentials>, SetupError> {
    Credentials::from_halves(
        environment.get("AWS_ACCESS_KEY_ID"),
        environment.get("AWS_SECRET_ACCESS_KEY"),
        // botocore's order: the old name wins.
        environment.get("AWS_SECURITY_TOKEN").or_else(|| environment.get("AWS_SESSION_TOKEN")),
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        "the environment",
    )
}
