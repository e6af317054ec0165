//! AWS's profile files, `~/.aws/credentials` and `~/.aws/config`: the access key in them, the
//! program that prints one, and the endpoints of the profile. Roles and single sign-on need calls
//! that this program does not make: a profile that needs them gets an error.

use std::time::SystemTime;

use super::{Credentials, IniFile, process, wrong};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::Error;

/// The profile of this run: `AWS_PROFILE`, else `default`.
pub struct Profile {
    name: String,
    /// Its section in the config file, `default` or `profile NAME`.
    config_section: String,
    credentials: IniFile,
    config: IniFile,
}

impl Profile {
    /// Reads both files. One that is not there is as good as empty.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let credentials = environment.file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
        let config = IniFile::read(environment.file("AWS_CONFIG_FILE", ".aws/config"))?;
        let named = environment.get("AWS_PROFILE");
        let name = named.unwrap_or("default").to_owned();
        let with_word = format!("profile {name}");
        let config_section =
            if name == "default" && !config.has(&with_word) { name.clone() } else { with_word };
        let profile =
            Self { name, config_section, credentials: IniFile::read(credentials)?, config };
        // Even where a key is found elsewhere: the profile also says where AWS is.
        if named.is_some() && !profile.exists() {
            let [credentials, config] = profile.files();
            return Err(wrong(format!(
                "no profile {} (from AWS_PROFILE) in {credentials} or {config}",
                profile.name
            )));
        }
        Ok(profile)
    }

    fn exists(&self) -> bool {
        self.credentials.has(&self.name) || self.config.has(&self.config_section)
    }

    /// The `endpoint_url` of a service (`route_53`, `sns`) in the profile's `services` section,
    /// or, without a service, of the profile itself.
    #[must_use]
    pub fn endpoint_url(&self, service: Option<&str>) -> Option<String> {
        let url = match service {
            None => self.config.get(&self.config_section, "endpoint_url"),
            Some(service) => {
                let services = self.config.get(&self.config_section, "services")?;
                self.config.get(&format!("services {services}"), &format!("{service}.endpoint_url"))
            }
        };
        url.map(Into::into)
    }

    /// The access key of the profile, `None` if it has none.
    pub(super) fn credentials(
        &self,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<Credentials>, Error> {
        let sections =
            [(&self.credentials, self.name.as_str()), (&self.config, self.config_section.as_str())];
        let find = |key| {
            sections.iter().find_map(|(file, section)| Some((file.get(section, key)?, *file)))
        };
        // A role wins over a key beside it, as in AWS's tools: the key alone is someone else.
        if let Some((_, file)) = find("role_arn") {
            return Err(self.needs("assumes a role (role_arn)", file));
        }
        let key = |file: &IniFile, section: &str| -> Result<Option<Credentials>, Error> {
            let found = Credentials::from_halves(
                file.get(section, "aws_access_key_id"),
                file.get(section, "aws_secret_access_key"),
                file.get(section, "aws_session_token"),
                ["aws_access_key_id", "aws_secret_access_key"],
                &format!("[{section}] of {}", file.display()),
            )?;
            Ok(found.map(|found| found.in_file(file)))
        };
        if let Some(found) = key(&self.credentials, &self.name)? {
            return Ok(Some(found));
        }
        if let Some((command, file)) = find("credential_process") {
            let place =
                format!("credential_process of profile {} in {}", self.name, file.display());
            return process::run(command, &place, now, deadline).map(Some);
        }
        if let Some(found) = key(&self.config, &self.config_section)? {
            return Ok(Some(found));
        }
        match find("sso_session").or_else(|| find("sso_start_url")) {
            Some((_, file)) => Err(self.needs("signs in through SSO", file)),
            None => Ok(None),
        }
    }

    /// Where was looked, for a message.
    pub(super) fn places(&self) -> impl Iterator<Item = String> {
        let name = &self.name;
        self.files().into_iter().map(move |file| format!("profile {name} of {file}"))
    }

    fn files(&self) -> [String; 2] {
        [self.credentials.shown("~/.aws/credentials"), self.config.shown("~/.aws/config")]
    }

    fn needs(&self, what: &str, file: &IniFile) -> Error {
        wrong(format!(
            "profile {} in {} {what}, which autodns does not do; use an access key of an IAM user, \
             or a credential_process such as aws configure export-credentials",
            self.name,
            file.display()
        ))
    }
}
