//! A profile in AWS's files: the file `credentials` beside the configuration, `~/.aws/credentials`
//! and `~/.aws/config`. Reads its access key, `credential_process`, region and endpoints like
//! botocore does. Profiles that use roles or SSO are not supported and give an error.

use std::path::Path;

use super::ini::{Repeated, Setting, is_named};
use super::{Credentials, IniFile, file, process};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;

/// The variables that name the profile, in botocore's order of precedence.
const VARIABLES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];

/// The profile that a variable names, else `default`.
pub struct Profile {
    name: String,
    /// The file beside the configuration: a separate source.
    beside: Option<ProfileSection>,
    credentials: ProfileSection,
    config: ProfileSection,
}

/// The section of the profile in one file.
struct ProfileSection {
    file: IniFile,
    /// As written in the file. `None` if the file does not have the section.
    name: Option<String>,
}

impl Profile {
    /// Reads the files for a configuration in `folder`. A missing file counts as empty.
    pub fn read(environment: &Environment, folder: &Path) -> Result<Self, SetupError> {
        let file = |variable, default| match environment.get(variable) {
            Some(path) => IniFile::named(environment, path, Repeated::Refused),
            None => IniFile::usual(environment, default, Repeated::Refused),
        };
        let beside = folder.join("credentials");
        // The configuration may be in ~/.aws.
        let is_separate = environment.get("AWS_SHARED_CREDENTIALS_FILE").is_none()
            && environment.home(".aws/credentials").as_ref() != Some(&beside);
        let beside = is_separate.then(|| IniFile::beside(beside)).transpose()?;
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")?;
        let config = file("AWS_CONFIG_FILE", "~/.aws/config")?;

        let variable = environment.first(&VARIABLES);
        let name = variable.map_or("default", |(_, name)| name);
        // Only the config file has `profile` before the name.
        let in_config = |section: &str| {
            section == name && name == "default" || is_named(section, "profile", name)
        };
        let profile = Self {
            name: name.into(),
            beside: beside.map(|file| ProfileSection::new(file, |section| section == name)),
            credentials: ProfileSection::new(credentials, |section| section == name),
            config: ProfileSection::new(config, in_config),
        };
        // An error even if a key is found elsewhere, because the profile may also set endpoints.
        if let Some((variable, name)) = variable
            && profile.sections().all(|section| section.name.is_none())
        {
            let files: Vec<&IniFile> = profile.files().collect();
            let states = file::states(Vec::new(), &files, "such profile");
            let cause = format!("no profile {name} (from {variable}): {states}");
            return Err(SetupError::new(cause).advise(format!("correct {variable}")));
        }
        Ok(profile)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// In order of precedence.
    fn sections(&self) -> impl Iterator<Item = &ProfileSection> {
        self.beside.iter().chain([&self.credentials, &self.config])
    }

    /// In order of precedence.
    pub(super) fn files(&self) -> impl Iterator<Item = &IniFile> {
        self.sections().map(|section| &section.file)
    }

    /// The file in which a person should put a key.
    pub(super) fn first(&self) -> &IniFile {
        &self.beside.as_ref().unwrap_or(&self.credentials).file
    }

    /// With a service (`route_53`, `sns`): its `endpoint_url` in the `services` section that the
    /// profile names. Without a service: the `endpoint_url` of the profile.
    pub fn endpoint_url(&self, service: Option<&str>) -> Option<String> {
        let Some(service) = service else {
            return Some(find(self.sections(), "endpoint_url")?.0.value().into());
        };
        let services = find(self.sections(), "services")?.0.value();
        let config = self.config.file.ini()?;
        let section = config.last(|section| is_named(section, "services", services))?;
        config.get(section, &format!("{service}.endpoint_url")).map(Into::into)
    }

    /// The profile's `region`, and a phrase that says where it is set.
    pub fn region(&self) -> Option<(&str, String)> {
        let (setting, section) = find(self.sections(), "region")?;
        Some((setting.value(), format!("region in {section}")))
    }

    pub(super) fn credentials(
        &self,
        deadline: Deadline,
    ) -> Result<Option<Credentials>, SetupError> {
        // The file beside the configuration wins over the user's files as a whole.
        if let Some(beside) = &self.beside
            && let Some(found) = self.credentials_of(beside, None, deadline)?
        {
            return Ok(Some(found));
        }
        self.credentials_of(&self.credentials, Some(&self.config), deadline)
    }

    fn credentials_of(
        &self,
        credentials: &ProfileSection,
        config: Option<&ProfileSection>,
        deadline: Deadline,
    ) -> Result<Option<Credentials>, SetupError> {
        let find = |keys: &[&str]| {
            keys.iter().find_map(|key| find([credentials].into_iter().chain(config), key))
        };
        let refuse_if = |what: &str, keys: &[&str]| {
            let Some((_, section)) = find(keys) else { return Ok(()) };
            let (name, file) = (&self.name, &section.file);
            let cause = format!("profile {name} in {file} {what}, which autodns does not support");
            Err(SetupError::new(cause).advise(
                "use an access key of an IAM user, or a credential_process such as aws configure \
                 export-credentials",
            ))
        };
        // In botocore, a role and SSO win over a key in the same profile. The key alone would be a
        // different identity.
        refuse_if("assumes a role (role_arn)", &["role_arn"])?;
        refuse_if("signs in through SSO", &["sso_account_id", "sso_role_name"])?;
        if let Some(found) = credentials.key()? {
            return Ok(Some(found));
        }
        refuse_if("signs in through aws login", &["login_session"])?;
        if let Some((setting, section)) = find(&["credential_process"]) {
            let place = format!("credential_process in {section}, line {}", setting.line);
            return process::run(setting.raw_value(), &place, deadline).map(Some);
        }
        if let Some(found) = config.map_or(Ok(None), ProfileSection::key)? {
            return Ok(Some(found));
        }
        refuse_if("signs in through SSO", &["sso_session", "sso_start_url"])?;
        Ok(None)
    }
}

/// The setting in the first section that has it.
fn find<'a>(
    mut sections: impl Iterator<Item = &'a ProfileSection>,
    key: &str,
) -> Option<(&'a Setting, &'a ProfileSection)> {
    sections.find_map(|section| Some((section.find(key)?, section)))
}

impl ProfileSection {
    /// The last section of `file` for which `is` returns true.
    fn new(file: IniFile, is: impl Fn(&str) -> bool) -> Self {
        let name = file.ini().and_then(|ini| ini.last(is)).map(Into::into);
        Self { file, name }
    }

    fn find(&self, key: &str) -> Option<&Setting> {
        self.file.ini()?.find(self.name.as_deref()?, key)
    }

    fn key(&self) -> Result<Option<Credentials>, SetupError> {
        let get = |key| self.find(key).map(Setting::value);
        let found = Credentials::from_halves(
            get("aws_access_key_id"),
            get("aws_secret_access_key"),
            // botocore's order: the old name wins.
            get("aws_security_token").or_else(|| get("aws_session_token")),
            ["aws_access_key_id", "aws_secret_access_key"],
            &self.to_string(),
        )?;
        Ok(found.map(|found| found.in_file(&self.file)))
    }
}

impl std::fmt::Display for ProfileSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] of {}", self.name.as_deref().unwrap_or_default(), self.file)
    }
}
