//! Requests to AWS: their destination (`endpoint`), signature (`sign`), sending and retries
//! (`sender`), listing several names (`walk`), and errors (`fault`, `error`). `route53` and `sns`
//! build the requests and parse the responses. Decides neither what to change nor when to alert.

pub mod endpoint;
mod error;
pub mod fault;
pub mod route53;
mod sender;
pub mod sign;
pub mod skew;
pub mod sns;
mod walk;
pub mod xml;

use std::collections::BTreeMap;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;

use crate::console::Console;
use crate::credentials::Credentials;
use crate::deadline::Deadline;
use crate::paste;
use crate::record::{AddressRecord, DnsName, RecordSet};
use crate::retry::MaxAttempts;
use crate::transport::{Network, Via};
use endpoint::{Endpoint, Partition, Settings};
use route53::ZoneId;
use sender::Sender;
use skew::Skew;
use sns::TopicArn;
use walk::Walk;

pub use error::Error;
use error::{Action, Caller, Cause};

/// A service of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// One endpoint per partition.
    Route53,
    /// One endpoint per region.
    Sns {
        /// As in `eu-west-1`.
        region: String,
    },
}

/// A request to a service, before it has an endpoint, a signature or a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    pub service: Service,
    pub method: Method,
    /// Percent-encoded, with a leading `/`.
    pub path_and_query: String,
    pub content_type: Option<&'static str>,
    /// Empty for a GET.
    pub body: String,
}

impl ApiRequest {
    const fn get(service: Service, path_and_query: String) -> Self {
        let body = String::new();
        Self { service, method: Method::GET, path_and_query, content_type: None, body }
    }

    const fn post(
        service: Service,
        path_and_query: String,
        content_type: &'static str,
        body: String,
    ) -> Self {
        let content_type = Some(content_type);
        Self { service, method: Method::POST, path_and_query, content_type, body }
    }
}

/// What all AWS requests of one configuration's run share.
#[derive(Debug)]
pub struct Account {
    pub network: Network,
    /// What the environment and the profile say about endpoints.
    pub settings: Settings,
    pub credentials: Credentials,
    /// The number of attempts.
    pub limit: MaxAttempts,
    pub seen: Mutex<Seen>,
}

/// What AWS's responses have shown.
#[derive(Debug, Default)]
pub struct Seen {
    /// The skew by which signatures are corrected. Set when AWS rejected the time of a signature.
    skew: Skew,
    /// The skew that the last response with a `Date` showed.
    pub last_skew: Option<Skew>,
    /// How the last exchange went that brought a response.
    pub via: Via,
}

impl Account {
    /// What AWS's responses have shown so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// AWS for one configuration: with the credentials of the run, in the configuration's partition.
#[derive(Debug)]
pub struct Aws<'a> {
    account: &'a Account,
    partition: Partition,
    /// The absolute path of the configuration, for advice.
    config: &'a str,
    console: &'a Console,
    /// Kept, so that the list and the change use the same connection.
    route53: Sender<'a>,
}

impl<'a> Aws<'a> {
    pub fn new(
        account: &'a Account,
        partition: Partition,
        config: &'a str,
        console: &'a Console,
    ) -> Self {
        let route53 = Sender::new(account, &Service::Route53, partition, console);
        Self { account, partition, config, console, route53 }
    }

    fn caller(&self) -> Caller {
        Caller {
            policy_command: paste::own_command(&["policy", self.config]),
            key_source: self.account.credentials.source.clone(),
        }
    }

    pub fn endpoint(&self, service: &Service) -> Endpoint {
        self.account.settings.endpoint(service, self.partition)
    }

    /// Lists all record sets of `names` in `zone`, of every type. Several names are listed in one
    /// walk through the zone; names that the walk did not list completely are listed one by one.
    pub fn list(
        &self,
        zone: &ZoneId,
        names: &[DnsName],
        deadline: Deadline,
    ) -> Result<Vec<RecordSet>, Error> {
        let mut listed = self.walk(zone, names, deadline)?;
        let mut all = Vec::new();
        for name in names {
            let found = match listed.remove(name) {
                None if names.len() > 1 => {
                    self.walk(zone, slice::from_ref(name), deadline)?.remove(name)
                }
                found => found,
            };
            let found = found.ok_or_else(|| {
                let problem = format!("does not list {name} completely");
                let host = self.route53.host().to_owned();
                let cause = Cause::Unreadable { host, status: 200, problem };
                Error::new(self.list_action(zone), cause, false, None)
            })?;
            self.console.step(|| {
                let shown: Vec<String> = found
                    .iter()
                    .map(|set| format!("{} {}", set.record_type, set.first_values(" ")))
                    .map(|set| set.trim_end().to_owned())
                    .collect();
                let shown = if shown.is_empty() { "nothing".into() } else { shown.join(", ") };
                format!("Route 53 has {shown} for {name}")
            });
            all.extend(found);
        }
        Ok(all)
    }

    /// Walks through a zone once. Returns the record sets of each name that was listed completely.
    fn walk(
        &self,
        zone: &ZoneId,
        names: &[DnsName],
        deadline: Deadline,
    ) -> Result<BTreeMap<DnsName, Vec<RecordSet>>, Error> {
        let Some(mut walk) = Walk::new(names) else { return Ok(BTreeMap::new()) };
        loop {
            let (start, size) = (walk.start(), walk.page_size());
            self.console.step(|| {
                let from = start.name();
                format!("listing up to {size} record sets of hosted zone {zone} from {from}")
            });
            let request = route53::list(zone, start, size);
            let read = |body: &str| route53::read_page(|name| walk.wants(name), body);
            match self.route53.send(&request, || self.list_action(zone), read, deadline) {
                Ok(page) => {
                    if !walk.take(page) {
                        return Ok(walk.listed());
                    }
                }
                Err(error) if error.is_too_large() && walk.shrink() => {
                    self.console.step(|| format!("{}; asking for smaller pages", error.cause()));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn list_action(&self, zone: &ZoneId) -> Action {
        Action::List(self.caller(), zone.clone())
    }

    /// The name of `zone`, if its first record sets show it.
    pub fn zone_name(&self, zone: &ZoneId, deadline: Deadline) -> Result<Option<DnsName>, Error> {
        let request = route53::first_record_sets(zone);
        self.route53.send(&request, || self.list_action(zone), route53::read_zone_name, deadline)
    }

    /// Creates or replaces `records` in one batch. Makes one attempt, because the caller must list
    /// the records again before the next. Returns the id and status of the change.
    pub fn change(
        &self,
        zone: &ZoneId,
        records: &[AddressRecord],
        deadline: Deadline,
    ) -> Result<(String, String), Error> {
        let request = route53::change(zone, records);
        let action = || Action::Change(self.caller(), zone.clone());
        self.route53.send_once(&request, action, route53::read_change, deadline)
    }

    /// Returns the id of the message.
    pub fn publish(
        &self,
        topic: &TopicArn,
        subject: &str,
        message: &str,
        deadline: Deadline,
    ) -> Result<String, Error> {
        let request = sns::publish(topic, subject, message);
        let action = || Action::Publish(self.caller(), topic.clone());
        Sender::new(self.account, &request.service, self.partition, self.console).send(
            &request,
            action,
            sns::read_publish,
            deadline,
        )
    }
}
