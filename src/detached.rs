//! Runs work in a thread that may be left behind, while the caller waits until a deadline. Used for
//! everything that cannot be interrupted: a library, a disk, the resolver, a terminal.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use crate::deadline::Deadline;

#[derive(Debug)]
pub enum NoResult {
    /// The deadline passed. The work continues in its thread until the process ends.
    Overdue,
    /// The thread panicked.
    Died,
    /// The system could not start a thread, so nothing was done.
    NoThread,
}

/// Starts `work` in a thread. The receiver gets what `work` sends, and is disconnected when `work`
/// ends.
pub fn start<T: Send + 'static>(
    work: impl FnOnce(Sender<T>) + Send + 'static,
) -> io::Result<Receiver<T>> {
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || work(sender))?;
    Ok(receiver)
}

/// Like [`start`], but if the system cannot start a thread, does the work in this thread, where it
/// cannot be left behind. That is better than no work.
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

/// Waits until `deadline` for the next value that the work sends.
pub fn next<T>(receiver: &Receiver<T>, deadline: Deadline) -> Result<T, NoResult> {
    receiver.recv_timeout(deadline.left()).map_err(|error| match error {
        RecvTimeoutError::Timeout => NoResult::Overdue,
        RecvTimeoutError::Disconnected => NoResult::Died,
    })
}

/// Waits until `deadline` for the result of `work`.
pub fn within<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    let receiver = start(move |sender| {
        // Sending fails if the deadline has passed.
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
