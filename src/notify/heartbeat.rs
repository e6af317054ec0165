//! Sends a heartbeat to a service that raises an alarm when none arrives (healthchecks.io, Uptime
//! Kuma and the like), because a dead machine or connection cannot send an alert. A heartbeat that
//! fails changes neither the records nor the exit status.

use std::iter;
use std::thread;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};

use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Attempts, MaxAttempts, Retry, RetryAfter};
use crate::transport::Network;
use crate::transport::url::SecretUrl;

/// In bytes. The content of a response does not matter.
const MAX_RESPONSE: u64 = 1 << 16;

/// How many bytes of a failed run's lines are posted.
const MAX_BODY: usize = 10_000;

#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Fetched after a run in which every record was right.
    pub url: SecretUrl,
    /// What any other run sends.
    pub on_failure: OnFailure,
}

#[derive(Clone, Debug, Default)]
pub enum OnFailure {
    /// Nothing: the service misses the heartbeat.
    #[default]
    Nothing,
    /// A POST of the errors to the URL with `/fail` at the end of its path, the form of
    /// healthchecks.io.
    Fail,
    /// A request to a separate URL. For Uptime Kuma every path below the URL means success.
    Url(SecretUrl),
}

impl Heartbeat {
    pub fn urls(&self) -> impl Iterator<Item = &SecretUrl> {
        let of_failure = if let OnFailure::Url(url) = &self.on_failure { Some(url) } else { None };
        iter::once(&self.url).chain(of_failure)
    }

    /// The request after a run that printed `errors` on standard error: the URL, the configuration
    /// key that it comes from, and the body.
    fn request(&self, errors: &[String]) -> Option<(SecretUrl, &'static str, Vec<u8>)> {
        if errors.is_empty() {
            return Some((self.url.clone(), "heartbeat_url", Vec::new()));
        }
        match &self.on_failure {
            OnFailure::Nothing => None,
            OnFailure::Fail => {
                Some((self.url.with_path("/fail")?, "heartbeat_url", body_of(errors)))
            }
            OnFailure::Url(url) => Some((url.clone(), "heartbeat_fail", Vec::new())),
        }
    }

    /// Reports how a run ended. `errors` are the run's lines on standard error, without secrets;
    /// a successful run has none. `--verbose` shows whether the service received the heartbeat.
    pub fn send(
        &self,
        errors: &[String],
        network: &Network,
        console: &Console,
        limit: MaxAttempts,
        deadline: Deadline,
    ) {
        let Some((url, key, body)) = self.request(errors) else { return };
        let mut attempts = Attempts::new(limit);
        loop {
            let (cause, retry, retry_after) = match fetch(&url, key, &body, network, deadline) {
                Ok(()) => return console.step(|| format!("heartbeat: delivered to {url}")),
                Err(failed) => failed,
            };
            let Some(delay) = attempts.next_delay(deadline, retry, retry_after) else {
                return console.step(|| format!("warning: the heartbeat to {url}: {cause}"));
            };
            thread::sleep(delay);
        }
    }
}

type Failed = (String, Retry, Option<RetryAfter>);

fn body_of(errors: &[String]) -> Vec<u8> {
    let mut body = errors.join("\n") + "\n";
    body.truncate(body.floor_char_boundary(MAX_BODY));
    body.into_bytes()
}

/// Fetches `url`, with a POST if there is a `body`. The error is a phrase that follows the URL,
/// with advice about the configuration `key` that the URL comes from.
fn fetch(
    url: &SecretUrl,
    key: &'static str,
    body: &[u8],
    network: &Network,
    deadline: Deadline,
) -> Result<(), Failed> {
    let mut request = Request::new(body.to_vec());
    if !body.is_empty() {
        *request.method_mut() = Method::POST;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        request.headers_mut().insert(CONTENT_TYPE, text);
    }
    let (response, _) = network
        .proxied()
        .follow(request, url, key, MAX_RESPONSE, deadline)
        .map_err(|error| (format!("{error}; {}", error.advice()), error.retry(), None))?;
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let retry_after = RetryAfter::of(&response.headers, SystemTime::now());
    Err((format!("it answered {status}; check {key}"), Retry::of_status(status), retry_after))
}
