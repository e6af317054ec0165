//! A heartbeat to a service that misses it when it stays away (healthchecks.io, Uptime Kuma and the
//! like): a dead machine or a dead connection cannot send an alert of its own. It decides nothing:
//! whether it arrives changes neither the records nor the exit status.

use std::iter;
use std::thread;
use std::time::SystemTime;

use http::Method;
use http::header::CONTENT_TYPE;

use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Attempts, Limit, Retry, RetryAfter};
use crate::transport::Network;
use crate::transport::url::{MAX_REDIRECTS, SecretUrl};

/// The most bytes an answer may have; what it says does not matter.
const MAX_RESPONSE: u64 = 1 << 16;

/// The most bytes of a failed run's lines that are posted.
const MAX_BODY: usize = 10_000;

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
    /// A POST of what went wrong to the URL with `/fail` at the end of its path, as healthchecks.io
    /// has it.
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

    /// The request after a run that printed `errors` on standard error: its URL, the key that the
    /// URL is from, and the body.
    fn request(&self, errors: &[String]) -> Option<(SecretUrl, &'static str, Vec<u8>)> {
        match &self.on_failure {
            _ if errors.is_empty() => Some((self.url.clone(), "heartbeat_url", Vec::new())),
            OnFailure::Nothing => None,
            OnFailure::Fail => {
                Some((self.url.with_path("/fail")?, "heartbeat_url", body_of(errors)))
            }
            OnFailure::Url(url) => Some((url.clone(), "heartbeat_fail", Vec::new())),
        }
    }

    /// Tells how a run ended: `errors` are its lines on standard error, without secrets, and there
    /// are none after a good run. Whether the service has it is a step of `--verbose`.
    pub fn send(
        &self,
        errors: &[String],
        network: &Network,
        console: &Console,
        limit: Limit,
        deadline: Deadline,
    ) {
        let Some((url, key, body)) = self.request(errors) else { return };
        let mut attempts = Attempts::new(limit);
        loop {
            let (problem, retry, retry_after) = match fetch(&url, key, &body, network, deadline) {
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

/// The lines as a body of at most [`MAX_BODY`] bytes.
fn body_of(errors: &[String]) -> Vec<u8> {
    let mut body = errors.join("\n") + "\n";
    body.truncate(body.floor_char_boundary(MAX_BODY));
    body.into_bytes()
}

/// Fetches `url` and what it redirects to, with a POST if there is a `body`. The error is a phrase
/// that follows the URL, with advice about the `key` that the URL is from.
fn fetch(
    url: &SecretUrl,
    key: &str,
    body: &[u8],
    network: &Network,
    deadline: Deadline,
) -> Result<(), Failed> {
    let for_good = |problem: String| (problem, Retry::Never, None);
    let mut at = url.clone();
    let mut body = body.to_vec();
    for _ in 0..=MAX_REDIRECTS {
        let mut request = at.request();
        if !body.is_empty() {
            request =
                request.method(Method::POST).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        }
        let request =
            request.body(body.clone()).map_err(|_| for_good("the URL cannot be asked".into()))?;
        let https = at.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        let answer = network
            .proxied(https)
            .send(request, MAX_RESPONSE, deadline)
            .map_err(|cause| (format!("{cause}; {}", cause.advice()), cause.retry(), None))?;
        at = match at.redirect(answer.status, &answer.headers) {
            Some(Ok(next)) => {
                // Only these two keep the method and the body (RFC 9110, section 15.4).
                if !matches!(answer.status, 307 | 308) {
                    body.clear();
                }
                next
            }
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
