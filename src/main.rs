//! The program: passes its arguments and the time to [`autodns::run`], and returns the exit status.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::SystemTime;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    autodns::run(&arguments, SystemTime::now())
}
