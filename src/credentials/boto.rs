//! The files of boto 2, which the original autodns read: `BOTO_CONFIG`, else `/etc/boto.cfg` and
//! `~/.boto`, where `~/.boto` wins.

use super::ini::Repeated;
use super::{Credentials, IniFile};
use crate::environment::Environment;
use crate::error::SetupError;

const SECTION: &str = "Credentials";

/// The files that boto reads, in order of precedence.
pub fn files(environment: &Environment) -> Result<Vec<IniFile>, SetupError> {
    if let Some(path) = environment.get("BOTO_CONFIG") {
        return Ok(vec![IniFile::named(environment, path, Repeated::Merged)?]);
    }
    let usual = |path| IniFile::usual(environment, path, Repeated::Merged);
    Ok(vec![usual("~/.boto")?, usual("/etc/boto.cfg")?])
}

/// The access key. boto merges the files, so its two halves may be in different files.
pub fn credentials(files: &[IniFile]) -> Result<Option<Credentials>, SetupError> {
    let find = |key| files.iter().find_map(|file| Some((file.ini()?.get(SECTION, key)?, file)));
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
