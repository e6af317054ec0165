//! The program: argv, the environment and the clock go into [`autodns::run`], an exit status comes
//! out.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::SystemTime;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    autodns::run(&arguments, SystemTime::now())
}
