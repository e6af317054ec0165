//! Sends a request to AWS. Signs each attempt, retries errors that may pass until the deadline, and
//! corrects the time of signatures from AWS's clock. Knows no service.

use std::thread;
use std::time::SystemTime;

use http::Uri;

use super::endpoint::{Endpoint, Partition};
use super::error::{Action, Cause, Error};
use super::fault::Fault;
use super::sign::sign;
use super::skew::Skew;
use super::{Account, ApiRequest, Service};
use crate::clock::calendar;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Attempts, RetryAfter};
use crate::transport::{Client, Response};

/// In bytes. A page of ten record sets with 400 values each, the limit of Route 53, is smaller. A
/// walk through many record sets requests smaller pages after a response that was too large.
const MAX_RESPONSE: u64 = 1 << 20;

/// Sends the requests of one configuration to one service.
#[derive(Debug)]
pub struct Sender<'a> {
    account: &'a Account,
    console: &'a Console,
    endpoint: Endpoint,
    /// The host of the endpoint, with the port if it has one.
    host: String,
    client: Client,
}

/// An attempt that failed.
struct Failed {
    cause: Cause,
    retry_after: Option<RetryAfter>,
    /// From the response, if it has a `Date`.
    skew: Option<Skew>,
}

impl From<Cause> for Failed {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None, skew: None }
    }
}

impl<'a> Sender<'a> {
    pub fn new(
        account: &'a Account,
        service: &Service,
        partition: Partition,
        console: &'a Console,
    ) -> Self {
        let endpoint = account.settings.endpoint(service, partition);
        let uri: Uri = endpoint.base.parse().unwrap_or_default();
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let client = account.network.proxied();
        Self { account, console, endpoint, host, client }
    }

    /// The host of the endpoint, with the port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends the request and parses the response with `read`. Retries, so use it only for requests
    /// that are safe to repeat: a list, or a message, because a duplicate is better than none.
    pub fn send<T>(
        &self,
        request: &ApiRequest,
        action: impl FnOnce() -> Action,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::new(self.account.limit);
        let mut unknown_before = false;
        loop {
            let Failed { cause, retry_after, .. } = match self.signed(request, &read, deadline) {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let Some(delay) = attempts.next_delay(deadline, cause.retry(), retry_after) else {
                return Err(Error::new(action(), cause, unknown_before, retry_after));
            };
            unknown_before |= cause.outcome_unknown();
            self.console.step(|| format!("{cause}; trying again in {} ms", delay.as_millis()));
            thread::sleep(delay);
        }
    }

    /// Sends the request in one attempt and parses the response with `read`.
    pub fn send_once<T>(
        &self,
        request: &ApiRequest,
        action: impl FnOnce() -> Action,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Error> {
        self.signed(request, &read, deadline)
            .map_err(|failed| Error::new(action(), failed.cause, false, failed.retry_after))
    }

    /// One attempt. If AWS rejects the time of the signature, the request is signed again with
    /// AWS's time. This counts as the same attempt, because AWS did not process the content.
    fn signed<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Failed> {
        let failed = match self.attempt(request, &read, deadline) {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        let may_be_the_clock =
            |failed: &Failed| failed.skew.filter(|_| failed.cause.may_be_the_clock());
        let failed = match may_be_the_clock(&failed) {
            Some(skew) if skew.is_far_from(self.account.seen().skew) => {
                self.account.seen().skew = skew;
                self.console.step(|| {
                    format!("this machine's clock is {skew}; signing again with AWS's time")
                });
                match self.attempt(request, &read, deadline) {
                    Ok(value) => return Ok(value),
                    Err(failed) => failed,
                }
            }
            _ => failed,
        };
        match may_be_the_clock(&failed) {
            Some(skew) => Err(Failed { cause: failed.cause.with_skew(skew), ..failed }),
            _ => Err(failed),
        }
    }

    fn attempt<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Failed> {
        let now = self.account.seen().skew.applied_to(SystemTime::now());
        let request =
            sign(request, &self.endpoint, &self.account.credentials, now).map_err(|error| {
                match calendar(now) {
                    None => Cause::BeyondCalendar,
                    Some(_) => Cause::Impossible(format!("cannot be signed: {error}")),
                }
            })?;
        let sent = SystemTime::now();
        let response = match self.client.send(request, MAX_RESPONSE, deadline) {
            Ok(response) => response,
            Err(error) => {
                return Err(Cause::NoResponse { host: self.host.clone(), error }.into());
            }
        };
        let Response { status, headers, body, via, .. } = response;
        let skew = Skew::of(&headers, sent, via.took);
        let mut seen = self.account.seen();
        seen.last_skew = skew.or(seen.last_skew);
        seen.via = via;
        drop(seen);
        let secrets = self.console.secrets();
        // The problem is a fixed phrase: a response that cannot be parsed is never quoted.
        let unreadable = |problem| Cause::Unreadable { host: self.host.clone(), status, problem };
        if (200..300).contains(&status) {
            return read(&body).map_err(|problem| unreadable(problem).into());
        }
        let retry_after = RetryAfter::of(&headers, SystemTime::now());
        let cause = match Fault::parse(status, &body) {
            Ok(fault) => Cause::Fault(Fault {
                code: secrets.quote(&fault.code),
                message: secrets.quote(&fault.message),
                ..fault
            }),
            Err(problem) => unreadable(problem.into()),
        };
        Err(Failed { cause, retry_after, skew })
    }
}
