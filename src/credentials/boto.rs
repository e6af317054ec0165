//! The files of boto 2, which the original autodns read: `BOTO_CONFIG`, else /etc/boto.cfg with
//! ~/.boto over it.

use super::{Credentials, IniFile};
use crate::environment::Environment;
use crate::error::Error;

const SECTION: &str = "Credentials";

/// The files that boto reads, the one that wins first.
pub struct Files(Vec<(IniFile, &'static str)>);

impl Files {
    /// Reads them. One that is not there is skipped, as boto does.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let files = match environment.get("BOTO_CONFIG") {
            Some(path) => vec![(IniFile::read(environment.expanded(path))?, "BOTO_CONFIG")],
            None => vec![
                (IniFile::read(environment.home(".boto"))?, "~/.boto"),
                (IniFile::read(Some("/etc/boto.cfg".into()))?, "/etc/boto.cfg"),
            ],
        };
        Ok(Self(files))
    }

    /// The access key in them: boto merges the files, so the halves may be in two.
    pub fn credentials(&self) -> Result<Option<Credentials>, Error> {
        let find = |key| self.0.iter().find_map(|(file, _)| Some((file.get(SECTION, key)?, file)));
        let (key_id, secret_key) = (find("aws_access_key_id"), find("aws_secret_access_key"));
        let Some((_, file)) = secret_key.or(key_id) else { return Ok(None) };
        let found = Credentials::from_halves(
            key_id.map(|(value, _)| value),
            secret_key.map(|(value, _)| value),
            None,
            ["aws_access_key_id", "aws_secret_access_key"],
            &format!("[{SECTION}] of {}", file.display()),
        )?;
        Ok(found.map(|found| found.in_file(file)))
    }

    /// Where was looked, for a message.
    pub fn places(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(file, default)| file.shown(default))
    }
}
