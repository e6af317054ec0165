//! Telling someone, once: when an alert goes out, when it stays silent, and when it is withdrawn.
//! What is said is `message`'s. The file that remembers is `lock`'s, where it is `place`'s, whose
//! it is `owner`'s, and what is there `state`'s. Knows neither AWS nor the terminal: publishing is
//! an argument, and what a person must know comes back as lines.

pub mod lock;
pub mod message;
pub mod owner;
mod place;
pub mod state;

use std::time::SystemTime;

use crate::error::Error;
use lock::{AlertLock, Claim};
use message::Message;

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
    let repeats = |why: &str| {
        format!("alert_lock {why}; the alert will repeat at every failing run until that is mended")
    };
    let (prepared, why) = match lock.claim(now) {
        Claim::Sent => return Vec::new(),
        Claim::Ready(prepared) => (Some(prepared), None),
        Claim::Unusable(why) => (None, Some(repeats(&why))),
    };
    let mut lines: Vec<String> = why.iter().cloned().collect();
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
    lines.extend(withdrawn.forget().err().map(|why| format!("alert_lock {why}")));
    lines
}
