//! A heartbeat to a service that misses it when it stays away (healthchecks.io, Uptime Kuma and the
//! like): a dead machine or a dead connection cannot send an alert of its own. It decides nothing:
//! whether it arrives changes neither the records nor the exit status.

use std::iter;
use std::thread;
use std::time::SystemTime;

use http::Request;

use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Attempts, Limit, Retry, RetryAfter};
use crate::transport::Network;
use crate::transport::url::{MAX_REDIRECTS, SecretUrl};

/// The most bytes an answer may have; what it says does not matter.
const MAX_RESPONSE: u64 = 1 << 16;

/// Where heartbeats go.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The URL that is fetched after a run in which every record was right.
    pub url: SecretUrl,
    /// What happens after any other run.
    pub on_failure: OnFailure,
}

/// What a run that failed sends.
#[derive(Clone, Debug, Default)]
pub enum OnFailure {
    /// Nothing: the service misses the heartbeat.
    #[default]
    Nothing,
    /// A request for the URL with `/fail` at the end of its path, as healthchecks.io has it.
    Fail,
    /// A request for a URL of its own. Uptime Kuma takes every path below a good one for good.
    Url(SecretUrl),
}

impl Heartbeat {
    /// Its URLs, as the configuration has them.
    pub fn urls(&self) -> impl Iterator<Item = &SecretUrl> {
        let of_failure = if let OnFailure::Url(url) = &self.on_failure { Some(url) } else { None };
        iter::once(&self.url).chain(of_failure)
    }

    /// The URL for a run that ended so, and the key that it is from.
    fn url_of(&self, all_right: bool) -> Option<(SecretUrl, &'static str)> {
        match &self.on_failure {
            _ if all_right => Some((self.url.clone(), "heartbeat_url")),
            OnFailure::Nothing => None,
            OnFailure::Fail => Some((self.url.with_path("/fail")?, "heartbeat_url")),
            OnFailure::Url(url) => Some((url.clone(), "heartbeat_fail")),
        }
    }

    /// Tells how a run ended. What came of it is a step of `--verbose`.
    pub fn send(
        &self,
        all_right: bool,
        network: &Network,
        console: &Console,
        limit: Limit,
        deadline: Deadline,
    ) {
        let Some((url, key)) = self.url_of(all_right) else { return };
        let mut attempts = Attempts::new(limit);
        loop {
            let (problem, retry, retry_after) = match fetch(&url, key, network, deadline) {
                Ok(()) => return console.step(|| format!("heartbeat: {url} has it")),
                Err(failure) => failure,
            };
            let Some(wait) = attempts.before(deadline, retry, retry_after) else {
                return console.step(|| format!("warning: the heartbeat to {url}: {problem}"));
            };
            thread::sleep(wait);
        }
    }
}

type Failed = (String, Retry, Option<RetryAfter>);

/// Fetches `url` and what it redirects to. The error is a phrase that follows the URL, with advice
/// about the `key` that the URL is from.
fn fetch(url: &SecretUrl, key: &str, network: &Network, deadline: Deadline) -> Result<(), Failed> {
    let for_good = |problem: String| (problem, Retry::Never, None);
    let mut at = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        let mut request = Request::builder().uri(at.uri());
        if let Some(authorization) = at.authorization() {
            request = request.header(http::header::AUTHORIZATION, authorization);
        }
        let request =
            request.body(Vec::new()).map_err(|_| for_good("the URL cannot be asked".into()))?;
        let https = at.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        let answer = network
            .proxied(https)
            .send(request, MAX_RESPONSE, deadline)
            .map_err(|cause| (format!("{cause}; {}", cause.advice()), cause.retry(), None))?;
        at = match at.redirect(answer.status, &answer.headers) {
            Some(Ok(next)) => next,
            Some(Err(problem)) => return Err(for_good(format!("{problem}; check {key}"))),
            None if (200..300).contains(&answer.status) => return Ok(()),
            None => {
                let status = answer.status;
                let retry_after = RetryAfter::of(&answer.headers, SystemTime::now());
                let problem = format!("it answered {status}; check {key}");
                return Err((problem, Retry::of_status(status), retry_after));
            }
        };
    }
    Err(for_good(format!("it redirects more than {MAX_REDIRECTS} times; check {key}")))
}
