//! Runs a program of the user without a shell and without input, with a time limit, in its own
//! process group, which is killed at the end. Never shows the output or the command line, because
//! both can hold a secret.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use rustix::process::{kill_process_group, waitid};

use crate::clock::duration;
use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::error::SetupError;

/// In bytes.
const MAX_PRINTED: usize = 1 << 20;
/// The interval at which the exit status is polled.
const POLL: Duration = Duration::from_millis(2);

/// A command line, split into words like a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
}

impl CommandLine {
    /// The cause of the error is a phrase that follows the name of the setting.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let words = shlex::split(text).unwrap_or_default();
        let mut words = words.into_iter();
        let Some(program) = words.next() else {
            return Err(SetupError::new("it is not a command line").advise("check its quotes"));
        };
        if is_assignment(&program) {
            let cause = "no shell runs it, so it cannot begin with NAME=VALUE";
            return Err(SetupError::new(cause)
                .advise("write a script that sets the variable, and name the script here"));
        }
        Ok(Self { program, arguments: words.collect() })
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// Waits until a program exits with 0, within `limit`. Its output is discarded. The error is as for
/// [`output`].
pub fn run(command: Command, limit: Duration, advice: &str) -> Result<(), SetupError> {
    let deadline = Deadline::after(limit);
    let (program, _) = RunningProgram::start(command, Stdio::null()).map_err(cannot_run)?;
    loop {
        match program.status().map_err(cannot_run)? {
            Some(status) if status.exit_status() == Some(0) => return Ok(()),
            Some(status) => return Err(failed(described(&status), advice)),
            None if deadline.left().is_zero() => return Err(failed(overdue(limit), advice)),
            None => thread::sleep(POLL),
        }
    }
}

/// Returns the output of a program that exits with 0 within `limit`. Once the program has ended,
/// output that `is_whole` is returned immediately, because a child process may hold the pipe open.
///
/// The cause of an error is a phrase that follows the name of the setting. `advice` is the advice
/// about a program that was started and failed.
pub fn output(
    command: Command,
    limit: Duration,
    advice: &str,
    is_whole: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>, SetupError> {
    let deadline = Deadline::after(limit);
    let (program, pipe) = RunningProgram::start(command, Stdio::piped()).map_err(cannot_run)?;
    let chunks = detached::start(move |chunks| forward(pipe, &chunks)).map_err(cannot_run)?;
    let (mut printed, mut is_open, mut is_done) = (Vec::new(), true, false);
    loop {
        let status = program.status().map_err(cannot_run)?;
        match detached::next(&chunks, Deadline::after(POLL)) {
            Ok(chunk) => {
                printed.extend(chunk);
                if printed.len() > MAX_PRINTED {
                    return Err(failed("it printed more than a megabyte".into(), advice));
                }
                is_done = false;
            }
            Err(NoResult::Overdue) => {
                is_done = is_done || status.is_some() && is_whole(&printed);
            }
            // The pipe is closed.
            Err(_) if is_open => is_open = false,
            Err(_) => thread::sleep(POLL),
        }
        let is_over = deadline.left().is_zero();
        match status {
            Some(status) if status.exit_status() != Some(0) => {
                return Err(failed(described(&status), advice));
            }
            Some(_) if is_done || !is_open || is_over => return Ok(printed),
            None if is_over => return Err(failed(overdue(limit), advice)),
            Some(_) | None => {}
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn cannot_run(error: io::Error) -> SetupError {
    SetupError::new(format!("its program cannot be run: {error}"))
        .advise("check its path, and that this user may run it")
}

fn failed(cause: String, advice: &str) -> SetupError {
    SetupError::new(cause).advise(advice)
}

fn overdue(limit: Duration) -> String {
    format!("it did not end within {}", duration(limit + Duration::from_millis(500)))
}

/// A running program, the leader of its process group. Dropping this value kills the group without
/// waiting for it, because a process that hangs in the kernel cannot be killed.
struct RunningProgram(Child);

impl RunningProgram {
    fn start(mut command: Command, output: Stdio) -> io::Result<(Self, Option<ChildStdout>)> {
        // Standard error may hold a secret (`set -x`), so it is not read.
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let output = child.stdout.take();
        Ok((Self(child), output))
    }

    fn id(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.0.id()).ok()?)
    }

    /// The exit status, if the program has ended. The process is not reaped, so that no other
    /// process group can get its id.
    fn status(&self) -> io::Result<Option<WaitIdStatus>> {
        let Some(id) = self.id() else { return Ok(None) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(id), options)?)
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        if let Some(id) = self.id() {
            let _ = kill_process_group(id, Signal::KILL);
        }
        let _ = self.0.try_wait();
    }
}

/// Sends the bytes of a pipe until the pipe is closed, a read fails or the receiver is gone.
fn forward(pipe: Option<ChildStdout>, chunks: &Sender<Vec<u8>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 1 << 14];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        if chunks.send(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

fn described(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => format!("it ended with exit status {status}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended in an unknown way".into(),
    }
}

/// Whether a shell would treat the word as an assignment. Its value may be a secret.
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::time::Instant;

    const LIMIT: Duration = Duration::from_secs(30);

    fn sh(script: &str, limit: Duration) -> Result<String, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let is_whole = |printed: &[u8]| serde_json::from_slice::<Value>(printed).is_ok();
        match output(command, limit, "look", is_whole) {
            Ok(printed) => Ok(String::from_utf8(printed).unwrap()),
            Err(error) => {
                assert_eq!(error.advice(), Some("look"), "{error}");
                Err(error.cause().into())
            }
        }
    }

    #[test]
    fn program_that_does_not_end_is_killed() {
        let soon = Duration::from_millis(20);
        for script in ["exec sleep 600", "exec sleep 600 >&- 2>&-", "echo '{}'; exec sleep 600"] {
            assert_eq!(sh(script, soon), Err("it did not end within 0 seconds".into()));
        }
        assert_eq!(sh("echo out; echo err >&2", LIMIT), Ok("out\n".into()));
        assert_eq!(sh("exec yes", LIMIT), Err("it printed more than a megabyte".into()));
        assert_eq!(sh("echo out; exit 3", LIMIT), Err("it ended with exit status 3".into()));
        assert_eq!(sh("kill -9 $$", LIMIT), Err("it was ended by signal 9".into()));
    }

    #[test]
    fn whole_output_is_returned_while_a_child_holds_the_pipe() {
        let began = Instant::now();
        assert_eq!(sh("sleep 600 & echo '{\"a\": 1}'", LIMIT), Ok("{\"a\": 1}\n".into()));
        // The output of a child process may complete the output.
        let late = "printf '{\"a\":'; { sleep 0.1; printf 1}; sleep 600; } &";
        assert_eq!(sh(late, LIMIT), Ok("{\"a\":1}".into()));
        assert!(began.elapsed() < LIMIT);
    }
}
