//! What one configuration's run shares: the network, the credentials and the limit of attempts.
//! Built in one place for `update` and `check`.

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

#[derive(Debug)]
pub struct Session {
    pub account: Account,
    /// Lines for `--verbose` about settings that are ignored or chosen automatically.
    pub notes: Vec<String>,
}

impl Session {
    /// Opens the session of a configuration in `folder`. `now` decides whether credentials have
    /// expired; `deadline` limits a `credential_process`.
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

    /// AWS in the partition of the configuration's `topic`, or in the default partition without
    /// one. `config` is the absolute path of the configuration.
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

    pub fn add_secrets(&self, secrets: &mut Secrets) {
        self.account.credentials.add_secrets(secrets);
        if let Some(password) = self.account.network.proxy_password() {
            secrets.add(password);
        }
    }
}
