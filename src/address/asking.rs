//! Asks several sources without letting one delay another: starts them in order, the next one as
//! soon as one failed or is slow, each in a thread that may be left behind. The caller decides
//! which result to use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use super::reflector::{Reply, Unanswered};
use super::{Source, Sources, command};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::record::Family;
use crate::retry::{Attempts, Limit, Retry, RetryAfter};
use crate::transport::Network;

/// After this time the next source is asked too. The slow source may still name the address.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait after the deadline for the time-out errors of the sources themselves.
const GRACE: Duration = Duration::from_millis(200);

/// What sources are asked with.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub network: &'a Network,
    pub console: &'a Console,
    pub limit: Limit,
    pub deadline: Deadline,
}

/// The result of asking one source.
pub(super) type Said = Result<Reply, Unanswered>;
/// The last error of each source, in the order of the list.
pub(super) type Failures = BTreeMap<Source, Unanswered>;

impl Sources {
    /// Asks `sources` until `judge` accepts a result. When all have failed, those with an error
    /// that may pass are asked again.
    ///
    /// The next source is asked when one has failed or has taken [`PATIENCE`]. With many sources
    /// that time is shorter, so that all are asked in the first half of the time. A slow source may
    /// use the whole time, so a slow or hanging source never replaces another one.
    pub(super) fn first_of<T>(
        &self,
        sources: &[Source],
        family: Family,
        asking: Asking<'_>,
        judge: impl Fn(Source, Said) -> Result<T, Unanswered>,
    ) -> (Option<T>, Failures) {
        let Asking { console, deadline, .. } = asking;
        let patience = match u32::try_from(sources.len()) {
            Ok(number) => PATIENCE.min(deadline.left() / number.max(1) / 2),
            Err(_) => Duration::ZERO,
        };
        let mut attempts = Attempts::new(asking.limit);
        let (sender, receiver) = channel();
        let mut waiting: VecDeque<Source> = sources.iter().copied().collect();
        let mut asked = BTreeSet::new();
        let mut passing = BTreeSet::new();
        let mut failed = Failures::new();
        loop {
            if let Some(source) = waiting.pop_front() {
                asked.insert(source);
                self.start(source, sources.len() == 1, family, asking, &sender);
            } else if asked.is_empty() {
                break;
            }
            // All sources were asked: only their results remain to be waited for.
            let idle = waiting.is_empty() && passing.is_empty();
            let time = if idle { deadline.left() + GRACE } else { patience };
            let mut hangs = false;
            match receiver.recv_timeout(time) {
                Ok((source, said)) => {
                    asked.remove(&source);
                    match judge(source, self.examined(source, family, said, console)) {
                        Ok(said) => return (Some(said), failed),
                        Err(mut unanswered) => {
                            if is_too_late(&unanswered, deadline) {
                                unanswered.retry = Retry::Never;
                            }
                            if unanswered.retry != Retry::Never {
                                passing.insert(source);
                            }
                            if unanswered.is_no_way {
                                // The others would fail with the same cause, so report it once.
                                passing.extend(waiting.drain(..));
                                failed.clear();
                            }
                            failed.insert(source, unanswered);
                        }
                    }
                }
                Err(_) if idle => break,
                Err(_) => hangs = true,
            }
            if !waiting.is_empty() || !(asked.is_empty() || hangs) {
                continue;
            }
            let said = || passing.iter().filter_map(|source| failed.get(source));
            let again = said().map(|unanswered| unanswered.retry).max().unwrap_or(Retry::Never);
            let retry_after = said().filter_map(|unanswered| unanswered.retry_after);
            let retry_after = retry_after.max_by_key(|retry_after| length_of(*retry_after));
            if let Some(delay) = attempts.before(deadline, again, retry_after) {
                console.step(|| {
                    format!("asking for the {family} address again in {} ms", delay.as_millis())
                });
                thread::sleep(delay);
                waiting.extend(&passing);
            }
            passing.clear();
        }
        for source in asked {
            failed.entry(source).or_insert(Unanswered {
                retry: Retry::Transient,
                ..Unanswered::never(
                    "it did not respond in time",
                    "check the connection; the next run tries again",
                )
            });
        }
        (None, failed)
    }

    /// Asks one source, in its own thread unless it is `alone`. The command runs in this thread: in
    /// a thread that is left behind, its program would outlive the run.
    fn start(
        &self,
        source: Source,
        alone: bool,
        family: Family,
        asking: Asking<'_>,
        sender: &Sender<(Source, Said)>,
    ) {
        let question = self.question(source, family, asking);
        // Sending fails when the result of another source was accepted.
        let to = sender.clone();
        let work = move || drop(to.send((source, question())));
        if alone || source == Source::Command {
            return work();
        }
        if let Err(error) = thread::Builder::new().spawn(work) {
            let cause = format!("no thread could be started to ask it: {error}");
            let unanswered = Unanswered {
                retry: Retry::Transient,
                ..Unanswered::never(cause, "the next run tries again")
            };
            drop(sender.send((source, Err(unanswered))));
        }
    }

    /// A function that asks one source once. It borrows nothing, so it can run in a thread.
    pub(super) fn question(
        &self,
        source: Source,
        family: Family,
        asking: Asking<'_>,
    ) -> Box<dyn FnOnce() -> Said + Send> {
        let Asking { network, console, deadline, .. } = asking;
        match source {
            Source::Interface => {
                let said = self.of_interface();
                Box::new(|| said)
            }
            Source::Command => {
                console.step(|| format!("running address_command for {family}"));
                // Half of the time is reserved for the reflectors.
                let share = if self.reflectors.is_empty() { 1 } else { 2 };
                let time = command::LIMIT.min(deadline.left() / share);
                let command = self.command.clone();
                Box::new(move || match command {
                    Some(command) => command::ask(&command, family, time),
                    None => Err(Unanswered::never("it is not set", "set address_command")),
                })
            }
            Source::Reflector(index) => {
                let reflector = self.reflectors[index].clone();
                console.step(|| format!("asking {reflector} over {family}"));
                let (client, secrets) = (network.direct(family), console.secrets().clone());
                Box::new(move || reflector.ask(&client, &secrets, deadline))
            }
        }
    }
}

/// Whether a source wants the next request only after the deadline.
fn is_too_late(unanswered: &Unanswered, deadline: Deadline) -> bool {
    matches!(unanswered.retry_after, Some(RetryAfter::Required(after)) if after >= deadline.left())
}

const fn length_of(retry_after: RetryAfter) -> Duration {
    match retry_after {
        RetryAfter::Required(length) | RetryAfter::Suggested(length) => length,
    }
}
