//! A sign of life to a service that misses it when it stays away (healthchecks.io, Uptime Kuma and
//! the like): a dead machine or a dead line cannot send an alert of its own. It decides nothing:
//! whether it arrives changes neither the records nor the exit status.

use std::thread;
use std::time::SystemTime;

use http::Request;

use crate::console::Console;
use crate::deadline::Deadline;
use crate::retry::{Again, Attempts, Limit, RetryAfter};
use crate::transport::Network;
use crate::url::SecretUrl;

/// The most bytes an answer may have; what it says does not matter.
const LARGEST_ANSWER: u64 = 1 << 16;

/// Where signs of life go.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The URL that is fetched after a run in which every record was right.
    pub url: SecretUrl,
    /// Whether another run is reported, too: at the same URL with `/fail` at the end of its path.
    pub tells_failure: bool,
}

impl Heartbeat {
    /// Tells how a run ended. What came of it is a step of `--verbose`.
    pub fn send(
        &self,
        all_right: bool,
        network: &Network,
        console: &Console,
        limit: Limit,
        deadline: Deadline,
    ) {
        if !all_right && !self.tells_failure {
            return;
        }
        let failed;
        let url = if all_right {
            &self.url
        } else {
            let Some(url) = self.url.with_path("/fail") else { return };
            failed = url;
            &failed
        };
        let mut attempts = Attempts::new(limit);
        loop {
            let (problem, again, retry_after) = match fetch(url, network, deadline) {
                Ok(()) => return console.step(|| format!("heartbeat: {url} has it")),
                Err(failure) => failure,
            };
            let Some(wait) = attempts.before(deadline, again, retry_after) else {
                return console.step(|| format!("warning: the heartbeat to {url}: {problem}"));
            };
            thread::sleep(wait);
        }
    }
}

type Failed = (String, Again, Option<RetryAfter>);

fn fetch(url: &SecretUrl, network: &Network, deadline: Deadline) -> Result<(), Failed> {
    let mut request = Request::builder().uri(url.uri());
    if let Some(authorization) = url.authorization() {
        request = request.header(http::header::AUTHORIZATION, authorization);
    }
    let request = request
        .body(Vec::new())
        .map_err(|_| ("the URL cannot be asked".into(), Again::No, None))?;
    let https = url.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let answer = network
        .proxied(https)
        .send(request, LARGEST_ANSWER, deadline)
        .map_err(|cause| (format!("{cause}; {}", cause.advice()), cause.again(), None))?;
    match answer.status {
        200..=299 => Ok(()),
        status => {
            let problem = format!("it answered {status}; check heartbeat_url");
            let retry_after = RetryAfter::of(&answer.headers, SystemTime::now());
            Err((problem, Again::of_status(status), retry_after))
        }
    }
}
