//! The program: passes its arguments to [`autodns::run`] and returns the exit status.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    autodns::run(&arguments)
}
