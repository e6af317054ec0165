//! Asks several sources without letting one delay another: starts them in order, the next one as
//! soon as one failed or is slow, each in a thread that may be left behind. The caller decides
//! which result to use.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use super::{Failures, PublicAddress, Source, SourceError, Sources};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::record::Family;
use crate::retry::{Attempts, MaxAttempts, Retry, RetryAfter};
use crate::transport::Network;

/// After this time the next source is asked too. The slow source may still name the address.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait after the deadline for the time-out errors of the sources themselves.
const GRACE: Duration = Duration::from_millis(200);

/// What a look-up of the public address needs.
#[derive(Clone, Debug)]
pub struct Asking {
    pub network: Network,
    pub console: Console,
    pub limit: MaxAttempts,
    pub deadline: Deadline,
}

type SourceResult = Result<PublicAddress, SourceError>;

impl Sources {
    /// Asks `sources` until `accept` returns a value for a result. When all have failed, those with
    /// an error that may pass are asked again.
    ///
    /// The next source is asked when one has failed or has taken [`PATIENCE`]. With many sources
    /// that time is shorter, so that all are asked in the first half of the time. A slow source may
    /// use the whole time, so a slow or hanging source never replaces another one.
    pub(super) fn first_accepted<T>(
        &self,
        sources: &[Source],
        family: Family,
        asking: &Asking,
        accept: impl Fn(Source, SourceResult) -> Result<T, SourceError>,
    ) -> (Option<T>, Failures) {
        let &Asking { ref console, deadline, limit, .. } = asking;
        let patience = match u32::try_from(sources.len()) {
            Ok(number) => PATIENCE.min(deadline.left() / number.max(1) / 2),
            Err(_) => Duration::ZERO,
        };
        let mut attempts = Attempts::new(limit);
        let (sender, receiver) = channel();
        let mut queue: VecDeque<Source> = sources.iter().copied().collect();
        let mut pending = BTreeSet::new();
        let mut to_retry = BTreeSet::new();
        let mut failed = Failures::new();
        loop {
            if let Some(source) = queue.pop_front() {
                pending.insert(source);
                self.start(source, sources.len() == 1, family, asking, &sender);
            } else if pending.is_empty() {
                break;
            }
            // No source is left to ask, so wait for the results.
            let idle = queue.is_empty() && to_retry.is_empty();
            let time = if idle { deadline.left() + GRACE } else { patience };
            let mut hangs = false;
            match receiver.recv_timeout(time) {
                Ok((source, result)) => {
                    pending.remove(&source);
                    self.report(source, family, &result, console);
                    match accept(source, result) {
                        Ok(accepted) => return (Some(accepted), failed),
                        Err(mut error) => {
                            if is_too_late(&error, deadline) {
                                error.retry = Retry::Never;
                            }
                            if error.retry != Retry::Never {
                                to_retry.insert(source);
                            }
                            if error.is_no_route {
                                // The others would fail with the same cause, so report it once.
                                to_retry.extend(queue.drain(..));
                                failed.clear();
                            }
                            failed.insert(source, error);
                        }
                    }
                }
                Err(_) if idle => break,
                Err(_) => hangs = true,
            }
            let is_round_over = queue.is_empty() && (pending.is_empty() || hangs);
            if !is_round_over {
                continue;
            }
            let errors = || to_retry.iter().filter_map(|source| failed.get(source));
            let retry = errors().map(|error| error.retry).max().unwrap_or(Retry::Never);
            let retry_after = errors().filter_map(|error| error.retry_after);
            let retry_after = retry_after.max_by_key(|retry_after| length_of(*retry_after));
            if let Some(delay) = attempts.next_delay(deadline, retry, retry_after) {
                console.step(|| {
                    format!("asking for the {family} address again in {} ms", delay.as_millis())
                });
                thread::sleep(delay);
                queue.extend(&to_retry);
            }
            to_retry.clear();
        }
        for source in pending {
            failed.entry(source).or_insert(SourceError {
                retry: Retry::Transient,
                ..SourceError::never(
                    "it did not respond in time",
                    "check the connection if the next run fails too",
                )
            });
        }
        (None, failed)
    }

    /// Asks one source, in its own thread unless it is `alone` or no thread can be started. The
    /// command runs in this thread: in a thread that is left behind, its program would outlive the
    /// run.
    fn start(
        &self,
        source: Source,
        alone: bool,
        family: Family,
        asking: &Asking,
        sender: &Sender<(Source, SourceResult)>,
    ) {
        let (sources, asking, to) = (self.clone(), asking.clone(), sender.clone());
        // Sending fails when the result of another source was accepted.
        let work = move || drop(to.send((source, sources.ask(source, family, &asking))));
        let here = alone || source == Source::Command;
        if here || thread::Builder::new().spawn(work.clone()).is_err() {
            work();
        }
    }
}

fn is_too_late(error: &SourceError, deadline: Deadline) -> bool {
    matches!(error.retry_after, Some(RetryAfter::Required(after)) if after >= deadline.left())
}

const fn length_of(retry_after: RetryAfter) -> Duration {
    match retry_after {
        RetryAfter::Required(length) | RetryAfter::Suggested(length) => length,
    }
}
