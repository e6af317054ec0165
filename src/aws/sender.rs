//! Sending a call until it is answered: each attempt signed anew, failures that pass tried again
//! within the deadline, the signature's time corrected from AWS's own clock. Knows no service.

use std::thread;
use std::time::{Instant, SystemTime};

use super::endpoint::{Endpoint, Partition};
use super::fault::Fault;
use super::sign::sign;
use super::skew::Skew;
use super::{Access, ApiRequest, Failure, Problem, Service};
use crate::clock::calendar;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Attempts, RetryAfter};
use crate::transport::{Client, Response};

/// The most bytes an answer may have. A page of ten record sets, each with the 400 values that
/// Route 53 allows at most, stays below.
const MAX_RESPONSE: u64 = 1 << 20;

/// A service at its endpoint, as one configuration calls it.
#[derive(Debug)]
pub struct Sender<'a> {
    access: &'a Access,
    console: &'a Console,
    endpoint: Endpoint,
    client: Client,
}

/// A call that brought no good answer.
pub struct Failed {
    pub problem: Problem,
    /// What AWS says about the time of the next attempt.
    pub retry_after: Option<RetryAfter>,
    /// By how much AWS's clock is ahead, as far as the answer shows it.
    skew: Option<Skew>,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_after: None, skew: None }
    }
}

impl<'a> Sender<'a> {
    /// Nothing is sent yet.
    pub fn new(
        access: &'a Access,
        service: &Service,
        partition: Partition,
        console: &'a Console,
    ) -> Self {
        let endpoint = access.settings.endpoint(service, partition);
        let client = access.network.proxied(endpoint.is_https());
        Self { access, console, endpoint, client }
    }

    /// Makes the call, and `read`s what it is answered; retries it where that may help. So it is
    /// for calls that are safe to repeat: a list, or a message, since a duplicate notification is
    /// better than none.
    pub fn call<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        let mut attempts = Attempts::new(self.access.limit);
        let mut maybe_before = false;
        loop {
            let Failed { problem, retry_after, .. } = match self.once(request, &read, deadline) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some(wait) = attempts.before(deadline, problem.retry(), retry_after) else {
                return Err(Failure { problem, maybe_before });
            };
            maybe_before |= problem.may_have_happened();
            self.console.step(|| format!("{problem}; trying again in {} ms", wait.as_millis()));
            thread::sleep(wait);
        }
    }

    /// Makes the call in one attempt, and `read`s what it is answered. A signature that is refused
    /// for its time is made again with AWS's time; that is still the same attempt, since nobody has
    /// looked at the call itself yet.
    pub fn once<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Failed> {
        let failed = match self.attempt(request, &read, deadline) {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let may_be_the_clock =
            |failed: &Failed| failed.skew.filter(|_| failed.problem.may_be_the_clock());
        let failed = match may_be_the_clock(&failed) {
            Some(skew) if skew.is_far_from(self.access.clock().skew) => {
                self.access.note(|clock| clock.skew = skew);
                self.console.step(|| {
                    format!("this machine's clock is {skew}; signing again with AWS's time")
                });
                match self.attempt(request, &read, deadline) {
                    Ok(answer) => return Ok(answer),
                    Err(failed) => failed,
                }
            }
            _ => failed,
        };
        match may_be_the_clock(&failed) {
            Some(skew) => Err(Failed { problem: failed.problem.of_the_clock(skew), ..failed }),
            _ => Err(failed),
        }
    }

    fn attempt<T>(
        &self,
        request: &ApiRequest,
        read: impl Fn(&str) -> Result<T, String>,
        deadline: Deadline,
    ) -> Result<T, Failed> {
        let now = self.access.clock().skew.applied_to(SystemTime::now());
        let request =
            sign(request, &self.endpoint, &self.access.credentials, now).map_err(|cause| {
                match calendar(now) {
                    None => Problem::BeyondCalendar,
                    Some(_) => {
                        Problem::Impossible(format!("cannot be signed: {cause}"), Some(cause))
                    }
                }
            })?;
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let (sent, began) = (SystemTime::now(), Instant::now());
        let answer = match self.client.send(request, MAX_RESPONSE, deadline) {
            Ok(answer) => answer,
            Err(cause) => return Err(Problem::NoAnswer { host, cause }.into()),
        };
        let took = began.elapsed();
        let Response { status, headers, body, .. } = answer;
        let skew = Skew::of(&headers, sent, took);
        if skew.is_some() {
            self.access.note(|clock| clock.seen = skew);
        }
        let secrets = self.console.secrets();
        // Phrases of our own: nothing is quoted of an answer that is not understood.
        let unreadable = |problem| Problem::Unreadable { host, status, problem };
        if (200..300).contains(&status) {
            return read(&body).map_err(|problem| unreadable(problem).into());
        }
        let retry_after = RetryAfter::of(&headers, SystemTime::now());
        let problem = match Fault::parse(status, &body) {
            Ok(fault) => Problem::Fault(Fault {
                code: secrets.quote(&fault.code),
                message: secrets.quote(&fault.message),
                ..fault
            }),
            Err(problem) => unreadable(problem.into()),
        };
        Err(Failed { problem, retry_after, skew })
    }
}
