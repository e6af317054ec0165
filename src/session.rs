//! What the run of one configuration shares: the network, the credentials, and how often a request
//! may be tried. `update` and `check` open it in the same way.

use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use crate::aws::endpoint::Settings;
use crate::aws::sns::TopicArn;
use crate::aws::{Account, Aws};
use crate::console::Console;
use crate::credentials::{Credentials, profile::Profile};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::retry::Limit;
use crate::secrets::Secrets;
use crate::transport::{Network, is_ipv6_only};

/// The session of one configuration's run.
#[derive(Debug)]
pub struct Session {
    pub account: Account,
    /// What the connection to AWS is chosen for, or ignores, a line each for `--verbose`.
    pub notes: Vec<String>,
}

impl Session {
    /// Opens the session of a configuration in `folder`, as of `now`; a program that prints
    /// credentials has until `deadline`.
    pub fn open(
        environment: &Environment,
        folder: &Path,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Self, SetupError> {
        let profile = Profile::read(environment, folder)?;
        let network = Network::from_environment(environment)?;
        let endpoint_url = |service: Option<&str>| profile.endpoint_url(service);
        let mut settings = Settings::read(environment, endpoint_url, profile.region())?;
        let mut notes = network.notes().to_vec();
        if !network.has_proxy() && is_ipv6_only() {
            let (dual_stack, changes) = settings.over_ipv6_alone();
            settings = dual_stack;
            notes.extend(changes.then(|| {
                "this machine has only IPv6, so AWS is called at its dual-stack endpoints".into()
            }));
        }
        let limit = Limit::from_environment(environment)?;
        let account = Account {
            network,
            settings,
            credentials: Credentials::find(environment, &profile, now, deadline)?,
            limit,
            seen: Mutex::default(),
        };
        Ok(Self { account, notes })
    }

    /// AWS as a configuration calls it that alerts `topic`: in the topic's partition, if there is
    /// one. `config` is the configuration's absolute path.
    pub fn aws<'a>(
        &'a self,
        topic: Option<&TopicArn>,
        config: &'a str,
        console: &'a Console,
    ) -> Aws<'a> {
        let default = self.account.settings.default_partition();
        let partition = topic.map_or(default, TopicArn::partition);
        Aws::new(&self.account, partition, config, console)
    }

    /// Adds what must not be shown.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        self.account.credentials.add_secrets(secrets);
        if let Some(password) = self.account.network.proxy_password() {
            secrets.add(password);
        }
    }
}
