//! Work in a thread that may be left behind: whoever waits for it decides how long. The one answer
//! to whatever cannot be told to end, be it a library, a disk, the resolver or a terminal. Knows
//! nothing of what the work is.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::deadline::Deadline;

/// Why there is no result of a piece of work.
#[derive(Debug)]
pub enum NoResult {
    /// The deadline passed first. The work goes on in its thread until the process ends.
    Overdue,
    /// The thread ended without a result: it panicked.
    Died,
    /// The system started no thread, so nothing was done.
    NoThread,
}

/// Starts `work` in a thread of its own. What it sends arrives at the receiver; the receiver is
/// disconnected when the work has ended.
pub fn start<T: Send + 'static>(
    work: impl FnOnce(Sender<T>) + Send + 'static,
) -> io::Result<Receiver<T>> {
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || work(sender))?;
    Ok(receiver)
}

/// The same, but where the system starts no thread, the work is done at once in this one: nothing
/// can be left behind then, which is better than no work.
pub fn start_or_do<T, W>(work: W) -> Receiver<T>
where
    T: Send + 'static,
    W: FnOnce(Sender<T>) + Clone + Send + 'static,
{
    start(work.clone()).unwrap_or_else(|_| {
        let (sender, receiver) = channel();
        work(sender);
        receiver
    })
}

/// The next thing that `receiver`'s work sends, if it does so by `deadline`.
pub fn next<T>(receiver: &Receiver<T>, deadline: Deadline) -> Result<T, NoResult> {
    receiver.recv_timeout(deadline.left()).map_err(|error| match error {
        RecvTimeoutError::Timeout => NoResult::Overdue,
        RecvTimeoutError::Disconnected => NoResult::Died,
    })
}

/// The result of `work`, if it is there by `deadline`.
pub fn within<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let receiver = start(move |sender| {
        // Nobody listens any more when it took too long.
        let _ = sender.send(work());
    })
    .map_err(|_| NoResult::NoThread)?;
    next(&receiver, deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn work_that_does_not_end_is_left_behind() {
        let soon = Deadline::after(Duration::from_millis(20));
        let result = within(soon, || thread::sleep(Duration::from_mins(10)));
        assert!(matches!(result, Err(NoResult::Overdue)));
        let later = Deadline::after(Duration::from_mins(1));
        assert!(matches!(within(later, || 7), Ok(7)));
        let receiver = start(|sender: Sender<()>| drop(sender)).unwrap();
        assert!(matches!(next(&receiver, later), Err(NoResult::Died)));
    }
}
