//! Telling someone, once: when an alert goes out, when it stays silent, and when it is withdrawn.
//! What is said is `message`'s, the file that remembers is `lock`'s, what is in its place
//! `state`'s. Knows neither AWS nor the terminal: publishing is an argument, and what a person must
//! know comes back as lines.

pub mod lock;
pub mod message;
pub mod state;

use std::time::SystemTime;

use crate::error::Error;
use lock::AlertLock;
use message::Message;
use state::State;

/// Sends the alert that `compose` makes, unless one was sent already, and remembers it in `lock`.
///
/// `compose` is given the reason why the alert will repeat, if it will. Answers with what has to
/// be said beside it: a lock that cannot be used, an alert that could not be sent.
pub fn raise(
    lock: &AlertLock,
    now: SystemTime,
    compose: impl Fn(Option<&str>) -> Message,
    publish: impl FnOnce(&Message) -> Result<String, Error>,
) -> Vec<String> {
    let prepared = match lock.state() {
        State::Held { .. } => return Vec::new(),
        State::Unusable(why) => Err(why),
        State::Absent => lock.prepare(now),
    };
    let repeats = |why: &str| {
        format!("alert_lock {why}; the alert will repeat at every failing run until that is mended")
    };
    let mut lines = Vec::new();
    let (prepared, why) = match prepared {
        Ok(prepared) => (Some(prepared), None),
        Err(why) => (None, Some(repeats(&why))),
    };
    lines.extend(why.clone());
    match (publish(&compose(why.as_deref())), prepared) {
        (Ok(_), Some(prepared)) => {
            if let Err(why) = prepared.keep() {
                lines.push(repeats(&why));
            }
        }
        (Ok(_), None) => {}
        (Err(error), prepared) => {
            // Whoever may have had the alert is to hear when all is well again.
            if let Some(prepared) = prepared {
                prepared.leave_if(error.may_have_happened());
            }
            lines.push(format!("the alert: {error}"));
        }
    }
    lines
}

/// Withdraws the alert that `lock` remembers, if it does, and says so with the message that
/// `compose` makes of the time of the alert (`None`: nobody is to be told). Answers like [`raise`].
pub fn withdraw(
    lock: &AlertLock,
    compose: Option<impl FnOnce(SystemTime) -> Message>,
    publish: impl FnOnce(&Message) -> Result<String, Error>,
) -> Vec<String> {
    let withdrawn = match lock.withdraw() {
        Ok(Some(withdrawn)) => withdrawn,
        Ok(None) => return Vec::new(),
        Err(why) => {
            return vec![format!(
                "alert_lock {why}; while it is there no alert is sent: remove it"
            )];
        }
    };
    let mut lines = Vec::new();
    if let Some(compose) = compose
        && let Err(error) = publish(&compose(withdrawn.since()))
    {
        lines.push(format!("the message that all is well again: {error}"));
        if !error.is_final() {
            // It stays beside its place, and the next good run says so.
            return lines;
        }
    }
    lines.extend(withdrawn.forget().err().map(|why| format!("alert_lock {why}")));
    lines
}
