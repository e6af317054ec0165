//! Asks several sources so that none of them keeps another from answering: in their order, the next
//! one as soon as one has failed or keeps others waiting, each in a thread that may be left behind.
//! What is done with what they say is left to `address`.

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

/// How long a source may take before the next one is asked, too. It may still answer after that.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long after the deadline a source's own report that it had no time is waited for.
const GRACE: Duration = Duration::from_millis(200);

/// With what, and for how long, sources are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The way to reflectors.
    pub network: &'a Network,
    /// Where steps are told.
    pub console: &'a Console,
    /// How often.
    pub limit: Limit,
    /// Until when.
    pub deadline: Deadline,
}

/// What one source said.
pub(super) type Said = Result<Reply, Unanswered>;
/// The last thing that each source said of which nothing was taken, in the order of the list.
pub(super) type Failures = BTreeMap<Source, Unanswered>;

impl Sources {
    /// Asks `sources` until `judge` takes what one of them said. When all have failed, those that
    /// may answer in a moment are asked again.
    ///
    /// The next source is asked when one has failed, and also when one has taken [`PATIENCE`], or
    /// less if there are many: all have been asked by half of the time. One that is slow still has
    /// all of the time, so neither a slow nor a hanging source costs another one its answer.
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
            // There is nothing else to do than to wait for those that were asked.
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
                                // The others would fail alike: one cause is said once.
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
            if let Some(wait) = attempts.before(deadline, again, retry_after) {
                console.step(|| {
                    format!("asking for the {family} address again in {} ms", wait.as_millis())
                });
                thread::sleep(wait);
                waiting.extend(&passing);
            }
            passing.clear();
        }
        for source in asked {
            failed.entry(source).or_insert(Unanswered {
                retry: Retry::Transient,
                ..Unanswered::never(
                    "it did not answer in time",
                    "check the connection; the next run tries again",
                )
            });
        }
        (None, failed)
    }

    /// Asks one source, in a thread of its own unless it is `alone`. The command is waited for: if
    /// its thread were left behind, the program would outlive the run.
    fn start(
        &self,
        source: Source,
        alone: bool,
        family: Family,
        asking: Asking<'_>,
        sender: &Sender<(Source, Said)>,
    ) {
        let question = self.question(source, family, asking);
        // Nobody listens any more when another one's answer was taken.
        let to = sender.clone();
        let answer = move || drop(to.send((source, question())));
        if alone || source == Source::Command {
            return answer();
        }
        if let Err(error) = thread::Builder::new().spawn(answer) {
            let cause = format!("no thread could be started to ask it: {error}");
            let unanswered = Unanswered {
                retry: Retry::Transient,
                ..Unanswered::never(cause, "the next run tries again")
            };
            drop(sender.send((source, Err(unanswered))));
        }
    }

    /// What asks one source once; it needs nothing that its caller has.
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
                // Half of the time is left to the reflectors.
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

/// Whether a source wants to be asked again only when the time is over.
fn is_too_late(unanswered: &Unanswered, deadline: Deadline) -> bool {
    matches!(unanswered.retry_after, Some(RetryAfter::Required(after)) if after >= deadline.left())
}

const fn length_of(retry_after: RetryAfter) -> Duration {
    match retry_after {
        RetryAfter::Required(length) | RetryAfter::Suggested(length) => length,
    }
}
