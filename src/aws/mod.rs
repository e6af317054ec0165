//! One signed call to AWS: where it goes (`endpoint`), how it is signed (`sign`), sending it, and
//! what an answer that is no success means (`fault`, `failure`). The services' own requests and answers are
//! in `route53` and `sns`. Knows nothing of what is wanted or when to alert.

pub mod endpoint;
mod failure;
pub mod fault;
pub mod route53;
pub mod sign;
pub mod sns;
pub mod xml;

use std::time::SystemTime;

use http::Method;

use crate::credentials::Credentials;
use crate::error::Error;
use crate::record::{AddressRecord, DnsName, FoundRecord};
use crate::secrets::Secrets;
use crate::transport::{Client, Network};
use endpoint::{Endpoint, Partition, Settings};
use fault::Fault;
use route53::{Start, ZoneId};
use sns::TopicArn;

pub use failure::{Action, Failure};

/// The most bytes an answer may have. A page of ten record sets, each with the 400 values that
/// Route 53 allows at most, stays below.
const LARGEST_ANSWER: u64 = 1 << 20;
/// The most pages that the rows of one name may fill.
const MOST_PAGES: usize = 50;

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
pub struct Call {
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

impl Call {
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

/// AWS as one configuration calls it: with its credentials, in its partition.
#[derive(Debug)]
pub struct Aws<'a> {
    network: &'a Network,
    settings: &'a Settings,
    credentials: &'a Credentials,
    partition: Partition,
    secrets: &'a Secrets,
    /// One connection serves the list and the change.
    route53: (Endpoint, Client),
}

impl<'a> Aws<'a> {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(
        network: &'a Network,
        settings: &'a Settings,
        credentials: &'a Credentials,
        partition: Partition,
        secrets: &'a Secrets,
    ) -> Self {
        let endpoint = settings.endpoint(&Service::Route53, partition);
        let client = network.proxied(endpoint.is_https());
        let route53 = (endpoint, client);
        Self { network, settings, credentials, partition, secrets, route53 }
    }

    /// All record sets of `name` in `zone`, whatever their type.
    pub fn list(&self, zone: &ZoneId, name: &DnsName) -> Result<Vec<FoundRecord>, Error> {
        let action = Action::List(self.partition, zone.clone());
        let mut rows = Vec::new();
        let mut start = Start::at(name);
        for _ in 0..MOST_PAGES {
            let call = route53::list(zone, &start);
            let page = match self.route53(&call, |answer| route53::read_list(name, answer)) {
                Ok(page) => page,
                Err(failure) => return Err(action.failed(failure)),
            };
            rows.extend(page.rows);
            match page.next {
                Some(next) if next != start => start = next,
                Some(_) => break,
                None => return Ok(rows),
            }
        }
        let problem = format!("the list of {name} does not come to an end");
        Err(action.failed(Failure::Impossible(problem, None)))
    }

    /// Creates or replaces `records` in one batch. Answers with the id and status of the change.
    pub fn change(
        &self,
        zone: &ZoneId,
        records: &[AddressRecord],
    ) -> Result<(String, String), Error> {
        self.route53(&route53::change(zone, records), route53::read_change)
            .map_err(|failure| Action::Change(self.partition, zone.clone()).failed(failure))
    }

    /// Publishes a message. Answers with its id.
    pub fn publish(&self, topic: &TopicArn, subject: &str, message: &str) -> Result<String, Error> {
        let call = sns::publish(topic, subject, message);
        let endpoint = self.settings.endpoint(&call.service, self.partition);
        let client = self.network.proxied(endpoint.is_https());
        self.call(&client, &endpoint, &call, sns::read_publish)
            .map_err(|failure| Action::Publish(topic.clone()).failed(failure))
    }

    fn route53<T>(
        &self,
        call: &Call,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let (endpoint, client) = &self.route53;
        self.call(client, endpoint, call, read)
    }

    fn call<T>(
        &self,
        client: &Client,
        endpoint: &Endpoint,
        call: &Call,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let request =
            sign::sign(call, endpoint, self.credentials, SystemTime::now()).map_err(|cause| {
                Failure::Impossible(format!("cannot be signed: {cause}"), Some(cause))
            })?;
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let answer = match client.send(request, LARGEST_ANSWER) {
            Ok(answer) => answer,
            Err(cause) => return Err(Failure::NoAnswer { host, cause }),
        };
        let status = answer.status;
        let unreadable = |problem: String| Failure::Unreadable {
            host,
            status,
            problem: self.secrets.quote(&problem),
        };
        if (200..300).contains(&status) {
            return read(&answer.body).map_err(unreadable);
        }
        match Fault::parse(status, &answer.body) {
            Ok(fault) => Err(Failure::Fault(Fault {
                status,
                code: self.secrets.quote(&fault.code),
                message: self.secrets.quote(&fault.message),
            })),
            Err(problem) => Err(unreadable(problem)),
        }
    }
}
