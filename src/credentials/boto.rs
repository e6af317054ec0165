//! The files of boto 2, which the original autodns read: `BOTO_CONFIG`, else `/etc/boto.cfg` and
//! `~/.boto`, where `~/.boto` wins.

use super::ini::Repeated;
use super::{Credentials, IniFile, Place};
use crate::environment::Environment;
use crate::error::SetupError;

const SECTION: &str = "Credentials";

/// The files that boto reads, in order of precedence.
pub struct Files(Vec<IniFile>);

impl Files {
    /// A missing file is skipped, as in boto.
    pub fn read(environment: &Environment) -> Result<Self, SetupError> {
        let places = match environment.get("BOTO_CONFIG") {
            Some(path) => vec![Place::named(environment, path)],
            None => vec![Place::home(environment, ".boto"), Place::usual("/etc/boto.cfg".into())],
        };
        let read = |place| IniFile::read(place, Repeated::Merged);
        places.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The access key. boto merges the files, so its two halves may be in different files.
    pub fn credentials(&self) -> Result<Option<Credentials>, SetupError> {
        let find = |key| self.0.iter().find_map(|file| Some((file.get(SECTION, key)?, file)));
        let (key_id, secret_key) = (find("aws_access_key_id"), find("aws_secret_access_key"));
        let Some((_, file)) = secret_key.or(key_id) else { return Ok(None) };
        let found = Credentials::from_halves(
            key_id.map(|(value, _)| value),
            secret_key.map(|(value, _)| value),
            None,
            ["aws_access_key_id", "aws_secret_access_key"],
            &format!("[{SECTION}] of {file}"),
        )?;
        Ok(found.map(|found| found.in_file(file)))
    }

    /// All files, for a message.
    pub fn all(&self) -> &[IniFile] {
        &self.0
    }
}
