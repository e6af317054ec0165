//! A profile in AWS's files: the file `credentials` beside the configuration, `~/.aws/credentials`
//! and `~/.aws/config`. Reads its access key, `credential_process`, region and endpoints like
//! botocore does. Profiles that use roles or SSO are not supported and give an error.

use std::path::Path;
use std::time::SystemTime;

use super::ini::{Repeated, Setting, is_named};
use super::{Credentials, IniFile, Place, file, process};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;

/// The variables that name the profile, in botocore's order of precedence.
const VARIABLES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];

/// The profile that a variable names, else `default`.
pub struct Profile {
    name: String,
    /// One per file, in order of precedence.
    sections: Vec<Section>,
}

/// The section of the profile in one file.
struct Section {
    file: IniFile,
    /// As written in the file. `None` if the file does not have the section.
    name: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The file beside the configuration, a separate source.
    Beside,
    Credentials,
    Config,
}

impl Profile {
    /// Reads the files for a configuration in `folder`. A missing file counts as empty.
    pub fn read(environment: &Environment, folder: &Path) -> Result<Self, SetupError> {
        let mut places = Vec::new();
        if let Some(path) = environment.get("AWS_SHARED_CREDENTIALS_FILE") {
            places.push((Place::named(environment, path), Kind::Credentials));
        } else {
            let beside = folder.join("credentials");
            // The configuration may be in ~/.aws.
            if environment.home(".aws/credentials").as_ref() != Some(&beside) {
                places.push((Place::beside(beside), Kind::Beside));
            }
            places.push((Place::home(environment, ".aws/credentials"), Kind::Credentials));
        }
        let config = match environment.get("AWS_CONFIG_FILE") {
            Some(path) => Place::named(environment, path),
            None => Place::home(environment, ".aws/config"),
        };
        places.push((config, Kind::Config));

        let variable = environment.first(&VARIABLES);
        let name = variable.map_or("default", |(_, name)| name);
        let mut sections = Vec::new();
        for (place, kind) in places {
            let file = IniFile::read(place, Repeated::Refused)?;
            let name = section_name(&file, kind, name);
            sections.push(Section { file, name, kind });
        }
        let profile = Self { name: name.into(), sections };
        // An error even if a key is found elsewhere, because the profile may also set endpoints.
        if let Some((variable, name)) = variable.filter(|_| !profile.exists()) {
            let files: Vec<&IniFile> = profile.files().collect();
            let states = file::states("", &files, "such profile");
            let cause = format!("no profile {name} (from {variable}): {states}");
            return Err(SetupError::new(cause).advise(format!("correct {variable}")));
        }
        Ok(profile)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// In order of precedence.
    pub(super) fn files(&self) -> impl Iterator<Item = &IniFile> {
        self.sections.iter().map(|section| &section.file)
    }

    /// The file in which a person should put a key.
    pub(super) fn first(&self) -> &IniFile {
        &self.sections[0].file
    }

    fn exists(&self) -> bool {
        self.sections.iter().any(|section| section.name.is_some())
    }

    /// With a service (`route_53`, `sns`): its `endpoint_url` in the `services` section that the
    /// profile names. Without a service: the `endpoint_url` of the profile.
    pub fn endpoint_url(&self, service: Option<&str>) -> Option<String> {
        let all = || self.sections.iter();
        let Some(service) = service else {
            return Some(find(all(), "endpoint_url")?.0.value().into());
        };
        let services = find(all(), "services")?.0.value();
        let config = all().find(|section| section.kind == Kind::Config)?.file.ini()?;
        let section = config.last(|section| is_named(section, "services", services))?;
        config.get(section, &format!("{service}.endpoint_url")).map(Into::into)
    }

    /// The profile's `region`, and a phrase that says where it is set.
    pub fn region(&self) -> Option<(&str, String)> {
        let (setting, section) = find(self.sections.iter(), "region")?;
        Some((setting.value(), format!("region in {section}")))
    }

    pub(super) fn credentials(
        &self,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<Credentials>, SetupError> {
        // The file beside the configuration wins over the user's files as a whole.
        let (beside, usual): (Vec<_>, Vec<_>) =
            self.sections.iter().partition(|section| section.kind == Kind::Beside);
        for sections in [beside, usual] {
            if let Some(found) = self.credentials_of(&sections, now, deadline)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn credentials_of(
        &self,
        sections: &[&Section],
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<Credentials>, SetupError> {
        let find = |keys: &[&str]| keys.iter().find_map(|key| find(sections.iter().copied(), key));
        let refuse_if = |what: &str, keys: &[&str]| match find(keys) {
            Some((_, section)) => Err(self.needs(what, section)),
            None => Ok(()),
        };
        let key_of = |config: bool| -> Result<Option<Credentials>, SetupError> {
            match sections.iter().find(|section| (section.kind == Kind::Config) == config) {
                Some(section) => section.key(),
                None => Ok(None),
            }
        };
        // In botocore, a role and SSO win over a key in the same profile. The key alone would be a
        // different identity.
        refuse_if("assumes a role (role_arn)", &["role_arn"])?;
        refuse_if("signs in through SSO", &["sso_account_id", "sso_role_name"])?;
        if let Some(found) = key_of(false)? {
            return Ok(Some(found));
        }
        refuse_if("signs in through aws login", &["login_session"])?;
        if let Some((setting, section)) = find(&["credential_process"]) {
            let place = format!("credential_process in {section}, line {}", setting.line);
            return process::run(setting.whole_value(), &place, now, deadline).map(Some);
        }
        if let Some(found) = key_of(true)? {
            return Ok(Some(found));
        }
        refuse_if("signs in through SSO", &["sso_session", "sso_start_url"])?;
        Ok(None)
    }

    fn needs(&self, what: &str, section: &Section) -> SetupError {
        let (name, file) = (&self.name, &section.file);
        SetupError::new(format!("profile {name} in {file} {what}, which autodns does not do"))
            .advise(
                "use an access key of an IAM user, or a credential_process such as aws configure \
                 export-credentials",
            )
    }
}

/// The setting in the first section that has it.
fn find<'a>(
    mut sections: impl Iterator<Item = &'a Section>,
    key: &str,
) -> Option<(&'a Setting, &'a Section)> {
    sections.find_map(|section| Some((section.file.find(section.name.as_deref()?, key)?, section)))
}

/// The name of the profile's section in a file. Only the config file has `profile` before the name.
fn section_name(file: &IniFile, kind: Kind, name: &str) -> Option<String> {
    let ini = file.ini()?;
    if kind != Kind::Config {
        return ini.has(name).then(|| name.into());
    }
    let is_default = |section: &str| section == name && name == "default";
    let is = |section: &str| is_default(section) || is_named(section, "profile", name);
    ini.last(is).map(Into::into)
}

impl Section {
    fn key(&self) -> Result<Option<Credentials>, SetupError> {
        let get = |key| self.file.get(self.name.as_deref()?, key);
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

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] of {}", self.name.as_deref().unwrap_or_default(), self.file)
    }
}
