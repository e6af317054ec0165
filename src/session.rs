//! What the run of one configuration shares: its file, a console that hides its secrets, and the
//! account with network, credentials and limit of attempts. Built in one place for `update` and
//! `check`.

use std::sync::{Arc, Mutex};

use crate::address::Asking;
use crate::aws::endpoint::Settings;
use crate::aws::sns::TopicArn;
use crate::aws::{Account, Aws};
use crate::config::ConfigFile;
use crate::console::Console;
use crate::credentials::{Credentials, folder_of, profile::Profile};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::retry::MaxAttempts;
use crate::transport::{Network, is_ipv6_only};

#[derive(Debug)]
pub struct Session {
    pub file: Arc<ConfigFile>,
    pub console: Console,
    pub account: Account,
}

impl Session {
    /// Opens the session of `file`. `deadline` limits a `credential_process`. `console` hides the
    /// secrets of the configuration already.
    pub fn open(
        environment: &Environment,
        file: Arc<ConfigFile>,
        console: &Console,
        deadline: Deadline,
    ) -> Result<Self, SetupError> {
        let profile = Profile::read(environment, &folder_of(&file.path))?;
        let network = Network::from_environment(environment)?;
        let endpoint_url = |service: Option<&str>| profile.endpoint_url(service);
        let mut settings = Settings::read(environment, endpoint_url, profile.region())?;
        let limit = MaxAttempts::from_environment(environment)?;
        let credentials = Credentials::find(environment, &profile, deadline)?;
        let mut secrets = console.secrets().clone();
        credentials.add_secrets(&mut secrets);
        network.proxy_password().into_iter().for_each(|password| secrets.add(password));
        let console = console.hiding(secrets);
        for note in &network.notes {
            console.step(|| note.clone());
        }
        if !network.has_proxy() && is_ipv6_only() {
            let (dual_stack, changes) = settings.for_ipv6_only();
            settings = dual_stack;
            if changes {
                console.step(|| {
                    "this machine has only IPv6, so AWS is called at its dual-stack endpoints"
                        .into()
                });
            }
        }
        let account = Account { network, settings, credentials, limit, seen: Mutex::default() };
        Ok(Self { file, console, account })
    }

    /// A client for AWS with its own connection, in the partition of the configuration's topic, or
    /// in the default partition without one.
    pub fn aws(&self) -> Aws<'_> {
        let default = self.account.settings.default_partition;
        let topic = self.file.config.alerts.as_ref().map(|alerts| &alerts.topic);
        let partition = topic.map_or(default, TopicArn::partition);
        Aws::new(&self.account, partition, &self.file.id, &self.console)
    }

    /// What a look-up of the public address needs. It ends at `deadline`.
    pub fn asking(&self, deadline: Deadline) -> Asking {
        let Account { network, limit, .. } = &self.account;
        Asking { network: network.clone(), console: self.console.clone(), limit: *limit, deadline }
    }
}
