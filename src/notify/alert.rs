//! Decides when an alert is sent, when it is suppressed, and when it is withdrawn. `message` writes
//! the text, `lock` the file that remembers the alert. Knows neither AWS nor the terminal: the
//! caller passes the function that publishes, and prints the lines that come back.

use std::time::SystemTime;

use super::lock::AlertLock;
use super::message::Message;
use crate::aws::Error;
use crate::deadline::Deadline;
use crate::detached;

/// Sends the alert that `compose` makes, unless one was sent already, and remembers it in `lock`.
///
/// `compose` gets the reason if the alert will repeat. Returns lines to print: a lock that cannot
/// be used, an alert that could not be sent. An error of publishing is left out if `was_printed`
/// reports that the run printed it already. A disk that hangs gets part of the time until
/// `deadline`; then the alert is sent without a lock.
pub fn raise(
    lock: &AlertLock,
    now: SystemTime,
    deadline: Deadline,
    was_printed: impl Fn(&Error) -> bool,
    compose: impl Fn(Option<&str>) -> Message,
    publish: impl FnOnce(&Message) -> Result<String, Error>,
) -> Vec<String> {
    let repeats = |why: &str| {
        format!("alert_lock {why}; every failing run repeats the alert until this is fixed")
    };
    let own = lock.clone();
    let (prepared, why) = match on_disk(lock, deadline, move || own.claim(now)).flatten() {
        Ok(None) => return Vec::new(),
        Ok(Some(prepared)) => (Some(prepared), None),
        Err(why) => (None, Some(repeats(&why))),
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
            // If the alert may have arrived, its readers must get the recovery message too.
            if let Some(prepared) = prepared {
                let outcome_unknown = error.outcome_unknown();
                // A file that stays is harmless: the next run replaces it.
                let _ = on_disk(lock, deadline, move || prepared.leave_if(outcome_unknown));
            }
            if !was_printed(&error) {
                lines.push(format!("the alert: {error}"));
            }
        }
    }
    lines
}

/// Withdraws the alert that `lock` remembers, if there is one, and publishes the recovery message.
/// `compose` makes that message from the time of the alert; with `None`, no message is sent.
/// Returns lines to print, as [`raise`] does.
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
                "alert_lock {why}; until this is fixed, alerts repeat and no recovery message is \
                 sent"
            )];
        }
    };
    let mut lines = Vec::new();
    if let Some(compose) = compose
        && let Err(error) = publish(&compose(withdrawn.since))
    {
        lines.push(format!("the recovery message: {error}"));
        if !error.is_final() {
            // The withdrawn lock stays, and the next successful run sends the message.
            return lines;
        }
    }
    let removed = on_disk(lock, deadline, move || withdrawn.remove()).flatten();
    lines.extend(removed.err().map(|why| format!("alert_lock {why}")));
    lines
}

/// Does a step on the disk in a thread that may be left behind. The error is a phrase that follows
/// the key's name.
fn on_disk<T: Send + 'static>(
    lock: &AlertLock,
    deadline: Deadline,
    step: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    detached::within(deadline.share(3), step).map_err(|_| {
        let place = lock.path().map(|path| format!("{} ", path.display())).unwrap_or_default();
        format!("{place}did not respond in time")
    })
}
