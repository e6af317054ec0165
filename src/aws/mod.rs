//! One signed call to AWS: where it goes (`endpoint`), how it is signed (`sign`), sending it until
//! it is answered (`sender`), and what an answer that is no success means (`fault`, `failure`). The
//! services' own requests and answers are in `route53` and `sns`. Knows nothing of what is wanted
//! or when to alert.

pub mod endpoint;
mod failure;
pub mod fault;
pub mod route53;
mod sender;
pub mod sign;
pub mod skew;
pub mod sns;
pub mod xml;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use http::Method;

use crate::console::Console;
use crate::credentials::Credentials;
use crate::credentials::profile::Profile;
use crate::deadline::Deadline;
use crate::environment::{Environment, command};
use crate::error::Error;
use crate::record::{AddressRecord, DnsName, RecordSet};
use crate::retry::{Limit, RetryAfter};
use crate::secrets::Secrets;
use crate::transport::{Network, is_ipv6_only};
use endpoint::{Endpoint, Partition, Settings};
use route53::{Start, ZoneId};
use sender::Sender;
use skew::Skew;
use sns::TopicArn;

pub use failure::{Action, Caller, Failure, Problem};

/// The most pages that the rows of one name may fill.
const MAX_PAGES: usize = 50;

/// A service of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Route 53, one for a whole partition.
    Route53,
    /// SNS in one region.
    Sns {
        /// The region, as in `eu-west-1`.
        region: String,
    },
}

/// A request to a service, before it has an endpoint, a signature or a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// The service it is for.
    pub service: Service,
    /// The HTTP method.
    pub method: Method,
    /// The path and the query string, percent-encoded, beginning with `/`.
    pub path_and_query: String,
    /// The type of the body, if there is one.
    pub content_type: Option<&'static str>,
    /// The body; empty for a GET.
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

/// What it takes to call AWS for one configuration.
#[derive(Debug)]
pub struct Access {
    /// The way there.
    pub network: Network,
    /// Where its services are.
    pub settings: Settings,
    /// Who calls.
    pub credentials: Credentials,
    /// How many attempts there may be.
    pub limit: Limit,
    /// What the way to AWS is chosen for, or ignores, a line each for `--verbose`.
    pub notes: Vec<String>,
    clock: Mutex<Clock>,
}

/// What is known of AWS's clock.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// By how much it is ahead, once a signature was refused for its time.
    skew: Skew,
    /// The same, as the last response with a `Date` shows it.
    seen: Option<Skew>,
}

impl Access {
    /// Finds all of it for a configuration in `folder`, as of `now`; a program that prints
    /// credentials has until `deadline`.
    pub fn open(
        environment: &Environment,
        folder: &Path,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let profile = Profile::read(environment, folder)?;
        let network = Network::from_environment(environment)?;
        let endpoint_url = |service: Option<&str>| profile.endpoint_url(service);
        let mut settings = Settings::read(environment, endpoint_url, profile.region())?;
        let mut notes = network.notes().to_vec();
        if !network.has_proxy() && is_ipv6_only() {
            let (dual_stack, changes) = settings.over_ipv6_alone();
            settings = dual_stack;
            notes.extend(changes.then(|| {
                "this machine has IPv6 alone, so AWS is called at its dual-stack endpoints".into()
            }));
        }
        Ok(Self {
            settings,
            network,
            notes,
            limit: Limit::from_environment(environment)?,
            credentials: Credentials::find(environment, &profile, now, deadline)?,
            clock: Mutex::default(),
        })
    }

    /// Adds what must not be shown.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        self.credentials.add_secrets(secrets);
        if let Some(password) = self.network.proxy_password() {
            secrets.add(password);
        }
    }

    /// The partition of a configuration: that of its topic, if it has one.
    pub fn partition_of(&self, topic: Option<&TopicArn>) -> Partition {
        topic.map_or(self.settings.default_partition(), TopicArn::partition)
    }

    /// By how much AWS's clock is ahead, as its last answer showed it.
    pub fn seen_skew(&self) -> Option<Skew> {
        self.clock().seen
    }

    /// What is known of AWS's clock by now.
    fn clock(&self) -> Clock {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something about AWS's clock.
    fn note(&self, change: impl FnOnce(&mut Clock)) {
        change(&mut self.clock.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A change that was not made, or may not have been.
#[derive(Debug)]
pub struct NotChanged {
    action: Action,
    /// Why.
    pub problem: Box<Problem>,
    /// The delay before another attempt that AWS asks for.
    pub retry_after: Option<RetryAfter>,
}

impl NotChanged {
    /// Whether AWS looked at the change and rejected it.
    pub fn is_rejection(&self) -> bool {
        self.problem.is_rejection()
    }

    /// The error, if there is no further attempt.
    pub fn into_error(self) -> Error {
        self.action.failed(Failure { problem: *self.problem, maybe_before: false })
    }
}

/// AWS as one configuration calls it: with the credentials of the run, in its partition.
#[derive(Debug)]
pub struct Aws<'a> {
    access: &'a Access,
    partition: Partition,
    /// The absolute path of the configuration, for what is advised.
    config: &'a str,
    console: &'a Console,
    /// One connection serves the list and the change.
    route53: Sender<'a>,
}

impl<'a> Aws<'a> {
    /// Nothing is sent yet.
    pub fn new(
        access: &'a Access,
        partition: Partition,
        config: &'a str,
        console: &'a Console,
    ) -> Self {
        let route53 = Sender::new(access, &Service::Route53, partition, console);
        Self { access, partition, config, console, route53 }
    }

    fn caller(&self) -> Caller {
        Caller {
            policy_command: command(&["policy", self.config]),
            key_source: self.access.credentials.source.clone(),
        }
    }

    /// Where a service answers.
    pub fn endpoint(&self, service: &Service) -> Endpoint {
        self.access.settings.endpoint(service, self.partition)
    }

    /// All record sets of `name` in `zone`, whatever their type.
    pub fn list(
        &self,
        zone: &ZoneId,
        name: &DnsName,
        deadline: Deadline,
    ) -> Result<Vec<RecordSet>, Error> {
        let failed = |failure| Action::List(self.caller().into(), zone.clone()).failed(failure);
        let mut record_sets = Vec::new();
        let mut start = Start::at(name);
        for _ in 0..MAX_PAGES {
            let request = route53::list(zone, &start);
            let read = |answer: &str| route53::read_list(name, answer);
            let page = match self.route53.call(&request, read, deadline) {
                Ok(page) => page,
                Err(failure) => return Err(failed(failure)),
            };
            record_sets.extend(page.record_sets);
            match page.next {
                Some(next) if next != start => start = next,
                Some(_) => break,
                None => return Ok(record_sets),
            }
        }
        let problem =
            Problem::Impossible(format!("the list of {name} does not come to an end"), None);
        Err(failed(Failure { problem, maybe_before: false }))
    }

    /// The name of `zone`, if its first rows have it.
    pub fn zone_name(&self, zone: &ZoneId, deadline: Deadline) -> Result<Option<DnsName>, Error> {
        let name =
            self.route53.call(&route53::first_record_sets(zone), route53::read_zone_name, deadline);
        name.map_err(|failure| Action::List(self.caller().into(), zone.clone()).failed(failure))
    }

    /// Creates or replaces `records` in one batch, in one attempt: before another one, the caller
    /// has to look what the records are by then. Returns the id and status of the change.
    pub fn change(
        &self,
        zone: &ZoneId,
        records: &[AddressRecord],
        deadline: Deadline,
    ) -> Result<(String, String), NotChanged> {
        let request = route53::change(zone, records);
        self.route53.once(&request, route53::read_change, deadline).map_err(|failed| NotChanged {
            action: Action::Change(self.caller().into(), zone.clone()),
            problem: Box::new(failed.problem),
            retry_after: failed.retry_after,
        })
    }

    /// Publishes a message. Answers with its id.
    pub fn publish(
        &self,
        topic: &TopicArn,
        subject: &str,
        message: &str,
        deadline: Deadline,
    ) -> Result<String, Error> {
        let request = sns::publish(topic, subject, message);
        Sender::new(self.access, &request.service, self.partition, self.console)
            .call(&request, sns::read_publish, deadline)
            .map_err(|failure| Action::Publish(self.caller().into(), topic.clone()).failed(failure))
    }
}
