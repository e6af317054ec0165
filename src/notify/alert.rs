//! Telling someone, once: when an alert goes out, when it stays silent, and when it is withdrawn.
//! What is said is `message`'s. The file that remembers is `lock`'s, where it is `place`'s, whose
//! it is `owner`'s, and what is there `state`'s. Knows neither AWS nor the terminal: publishing is
//! an argument, and what a person must know comes back as lines.

use std::time::SystemTime;

use super::lock::{AlertLock, Claim};
use super::message::Message;
use crate::aws::Error;
use crate::deadline::Deadline;
use crate::detached;

/// Sends the alert that `compose` makes, unless one was sent already, and remembers it in `lock`.
///
/// `compose` is given the reason why the alert will repeat, if it will. Returns what has to be said
/// beside it: a lock that cannot be used, an alert that could not be sent. A disk that hangs gets a
/// part of the time until `deadline`; the alert goes out without it then. A failure to send the
/// alert that `is_said` already is not said again.
pub fn raise(
    lock: &AlertLock,
    now: SystemTime,
    deadline: Deadline,
    is_said: impl Fn(&Error) -> bool,
    compose: impl Fn(Option<&str>) -> Message,
    publish: impl FnOnce(&Message) -> Result<String, Error>,
) -> Vec<String> {
    let repeats = |why: &str| {
        format!("alert_lock {why}; the alert will repeat at every failing run until that is mended")
    };
    let own = lock.clone();
    let claim = on_disk(lock, deadline, move || own.claim(now)).unwrap_or_else(Claim::Unusable);
    let (prepared, why) = match claim {
        Claim::Sent => return Vec::new(),
        Claim::Ready(prepared) => (Some(prepared), None),
        Claim::Unusable(why) => (None, Some(repeats(&why))),
    };
    let mut lines: Vec<String> = why.iter().cloned().collect();
    match (publish(&compose(why.as_deref())), prepared) {
        (Ok(_), Some(prepared)) => {
            if let Err(why) = on_disk(lock, deadline, move || prepared.keep()).flatten() {
                lines.push(repeats(&why));
            }
        }
        (Ok(_), None) => {}
        (Err(error), prepared) => {
            // Whoever may have had the alert is to hear when all is well again.
            if let Some(prepared) = prepared {
                let maybe = error.outcome_unknown();
                // That it may stay is no harm.
                let _ = on_disk(lock, deadline, move || prepared.leave_if(maybe));
            }
            if !is_said(&error) {
                lines.push(format!("the alert: {error}"));
            }
        }
    }
    lines
}

/// Withdraws the alert that `lock` remembers, if it does, and says so with the message that
/// `compose` makes of the time of the alert (`None`: nobody is to be told). Returns the same as
/// [`raise`].
pub fn withdraw(
    lock: &AlertLock,
    deadline: Deadline,
    compose: Option<impl FnOnce(SystemTime) -> Message>,
    publish: impl FnOnce(&Message) -> Result<String, Error>,
) -> Vec<String> {
    let own = lock.clone();
    let withdrawn = match on_disk(lock, deadline, move || own.withdraw()).flatten() {
        Ok(Some(withdrawn)) => withdrawn,
        Ok(None) => return Vec::new(),
        Err(why) => {
            return vec![format!(
                "alert_lock {why}; until that is mended, alerts repeat and no message says that \
                 all is well again"
            )];
        }
    };
    let mut lines = Vec::new();
    if let Some(compose) = compose
        && let Err(error) = publish(&compose(withdrawn.since()))
    {
        lines.push(format!("the message that all is well again: {error}"));
        if !error.is_final() {
            // What is left of the lock stays, and the next good run says so.
            return lines;
        }
    }
    let forgotten = on_disk(lock, deadline, move || withdrawn.forget()).flatten();
    lines.extend(forgotten.err().map(|why| format!("alert_lock {why}")));
    lines
}

/// Does a step on the disk in a thread that may be left behind. The error follows the key's name.
fn on_disk<T: Send + 'static>(
    lock: &AlertLock,
    deadline: Deadline,
    step: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    detached::within(deadline.share(3), step).map_err(|_| {
        let place = lock.path().map(|path| format!("{} ", path.display())).unwrap_or_default();
        format!("{place}did not answer in time")
    })
}
