//! Prints the lines of a run and hides the run's secrets in each of them. Does not decide what to
//! print.
//!
//! Separate threads write the lines, so that a terminal or pipe that blocks does not delay the run.
//! [`Console::finish`] waits for them until a deadline.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::secrets::Secrets;

/// How long a line waits for earlier lines on the other stream, so that both streams keep their
/// order on one terminal.
const OTHER_STREAM_TIMEOUT: Duration = Duration::from_millis(250);

#[derive(Clone, Debug)]
pub struct Console {
    /// When the run began; only with `--verbose`.
    narrates_since: Option<Instant>,
    secrets: Secrets,
    /// Standard output and standard error.
    streams: Arc<[Mutex<Stream>; 2]>,
    /// What the run is doing now, for the message of a run that does not end.
    doing: Arc<Mutex<String>>,
}

#[derive(Clone, Copy)]
enum To {
    Stdout,
    Stderr,
}

impl Console {
    /// With `verbose`, prints steps with the time since now.
    pub fn new(verbose: bool, secrets: Secrets) -> Self {
        Self {
            narrates_since: verbose.then(Instant::now),
            secrets,
            streams: Arc::default(),
            doing: Arc::default(),
        }
    }

    /// The same console with other secrets.
    pub fn hiding(&self, secrets: Secrets) -> Self {
        Self { secrets, ..self.clone() }
    }

    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Prints a line that a person asked for, on standard output.
    pub fn say(&self, line: &str) {
        self.write(To::Stdout, format!("{}\n", self.secrets.hide(line)));
    }

    /// Prints an error on standard error, after the program's name. Print one line per cause.
    pub fn error(&self, line: &str) {
        self.write(To::Stderr, format!("autodns: {}\n", self.secrets.hide(line)));
    }

    /// Prints a step of `--verbose` on standard error, as in `autodns: [0.084 s] asking …`. Without
    /// `--verbose`, `line` is not called.
    pub fn step(&self, line: impl FnOnce() -> String) {
        if let Some(began) = self.narrates_since {
            let line = line();
            // The time is read under the lock, so that the lines of two threads are in order.
            let mut stderr = self.stream(To::Stderr);
            let since = began.elapsed();
            let (seconds, millis) = (since.as_secs(), since.subsec_millis());
            let line = format!("autodns: [{seconds}.{millis:03} s] {}\n", self.secrets.hide(&line));
            stderr.write(To::Stderr, line);
        }
    }

    /// Notes what the run is doing now, as in "reading FILE". If the run hangs, a message says that
    /// this did not end in time.
    pub fn doing(&self, what: impl Into<String>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    pub fn last_doing(&self) -> String {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all lines are written or `deadline` has passed. The error is a phrase about the
    /// stream that cannot be written. Later lines are still written by the threads.
    pub fn finish(&self, deadline: Deadline) -> Result<(), String> {
        let stdout = self.stream(To::Stdout).finish(deadline);
        let stderr = self.stream(To::Stderr).finish(deadline);
        stdout.map_err(|why| format!("standard output {why}"))?;
        stderr.map_err(|why| format!("standard error {why}"))
    }

    fn write(&self, to: To, line: String) {
        let other = match to {
            To::Stdout => To::Stderr,
            To::Stderr => To::Stdout,
        };
        self.stream(other).settle(OTHER_STREAM_TIMEOUT);
        self.stream(to).write(to, line);
    }

    fn stream(&self, of: To) -> MutexGuard<'_, Stream> {
        let [stdout, stderr] = &*self.streams;
        let stream = match of {
            To::Stdout => stdout,
            To::Stderr => stderr,
        };
        stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream and the thread that writes to it. The thread starts with the first line.
#[derive(Debug, Default)]
enum Stream {
    #[default]
    Unused,
    /// The thread writes the lines.
    Open(Writer),
    /// No thread could be started, so the caller writes the lines. Holds the last result.
    Direct(io::Result<()>),
}

#[derive(Debug)]
struct Writer {
    orders: Sender<Order>,
    reports: Receiver<io::Result<()>>,
    /// The number of reports that were requested and have not arrived.
    due: usize,
}

/// A message to the thread of a stream.
#[derive(Debug)]
enum Order {
    Write(String),
    /// Report the result of all lines so far.
    Report,
}

impl Stream {
    fn write(&mut self, to: To, line: String) {
        if matches!(self, Self::Unused) {
            *self = Self::start(to);
        }
        match self {
            // If the thread has ended, `finish` reports it.
            Self::Open(writer) => drop(writer.orders.send(Order::Write(line))),
            Self::Direct(result) => *result = write_now(to, line.as_bytes()),
            Self::Unused => {}
        }
    }

    fn start(to: To) -> Self {
        let (orders, received) = channel();
        match detached::start(move |reports| write_all(to, &received, &reports)) {
            Ok(reports) => Self::Open(Writer { orders, reports, due: 0 }),
            Err(_) => Self::Direct(Ok(())),
        }
    }

    /// Waits up to `time` until the lines so far are written. Does not wait again for a stream that
    /// was too slow.
    fn settle(&mut self, time: Duration) {
        if let Self::Open(writer) = self
            && writer.due == 0
        {
            // `finish` gets the result again.
            let _ = writer.report(Deadline::after(time));
        }
    }

    fn finish(&mut self, deadline: Deadline) -> Result<(), String> {
        let result = match self {
            Self::Unused => Ok(Ok(())),
            Self::Direct(result) => Ok(std::mem::replace(result, Ok(()))),
            Self::Open(writer) => writer.report(deadline),
        };
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("cannot be written to: {error}")),
            Err(_) => Err("is blocked: nobody reads it".into()),
        }
    }
}

impl Writer {
    fn report(&mut self, deadline: Deadline) -> Result<io::Result<()>, NoResult> {
        self.orders.send(Order::Report).map_err(|_| NoResult::Died)?;
        self.due += 1;
        loop {
            let report = detached::next(&self.reports, deadline)?;
            self.due -= 1;
            if self.due == 0 {
                return Ok(report);
            }
        }
    }
}

fn write_all(to: To, orders: &Receiver<Order>, results: &Sender<io::Result<()>>) {
    let mut result = Ok(());
    for order in orders {
        match order {
            Order::Write(line) if result.is_ok() => result = write_now(to, line.as_bytes()),
            // After an error the rest is discarded: a closed pipe must not stop the update.
            Order::Write(_) => {}
            Order::Report => {
                let report = result.as_ref().map(|&()| ()).map_err(clone);
                if results.send(report).is_err() {
                    return;
                }
            }
        }
    }
}

fn write_now(to: To, bytes: &[u8]) -> io::Result<()> {
    match to {
        To::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        }
        To::Stderr => io::stderr().lock().write_all(bytes),
    }
}

fn clone(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
