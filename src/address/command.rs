//! `address_command`: a program of the user that prints the public address of one family. Runs it
//! and parses its output. Of the output, only a whole address is ever shown.

use std::net::IpAddr;
use std::time::Duration;

use super::error::SourceError;
use crate::child::{self, CommandLine};
use crate::record::Family;

pub const LIMIT: Duration = Duration::from_secs(30);
/// The environment variable with the family for the program, 4 or 6.
const FAMILY: &str = "AUTODNS_FAMILY";

/// Runs `command` for at most `time` and parses the address of `family` that it prints. Errors are
/// not retried within the run, because only the program knows whether a retry can help.
pub fn ask(command: &CommandLine, family: Family, time: Duration) -> Result<IpAddr, SourceError> {
    let number = match family {
        Family::V4 => "4",
        Family::V6 => "6",
    };
    let mut process = command.command();
    process.env(FAMILY, number);
    // Until the line ends, more of the address may follow.
    let is_whole = |printed: &[u8]| printed.ends_with(b"\n") && read(printed, family).is_ok();
    let by_hand =
        |to_see| format!("run that command by hand, with {FAMILY}={number} set, to see {to_see}");
    let printed = child::output(process, time, &by_hand("why"), is_whole)
        .map_err(|error| SourceError::never(error.cause(), error.advice().unwrap_or_default()))?;
    read(&printed, family).map_err(|cause| SourceError::never(cause, by_hand("what it prints")))
}

/// Parses the one address in the output. The error is a phrase that follows the command.
fn read(printed: &[u8], family: Family) -> Result<IpAddr, String> {
    let text = printed.trim_ascii();
    if text.is_empty() {
        return Err("it printed nothing".into());
    }
    let address: Option<IpAddr> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    match address {
        Some(address) if Family::of(address) == family => Ok(address),
        Some(address) => Err(format!("it printed an {} address", Family::of(address))),
        None => {
            let (length, s) = (text.len(), if text.len() == 1 { "" } else { "s" });
            Err(format!("it printed {length} byte{s} of text, not an address"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_must_be_one_address_of_the_family() {
        for (printed, family, expected) in [
            ("9.9.9.9", Family::V4, Ok("9.9.9.9")),
            (" \t9.9.9.9\r\n\n", Family::V4, Ok("9.9.9.9")),
            ("2620:FE::9\n", Family::V6, Ok("2620:fe::9")),
            ("2620:fe::9\n", Family::V4, Err("it printed an IPv6 address")),
            ("9.9.9.9\n", Family::V6, Err("it printed an IPv4 address")),
            ("", Family::V4, Err("it printed nothing")),
            (" \n", Family::V4, Err("it printed nothing")),
            ("x", Family::V4, Err("it printed 1 byte of text, not an address")),
            ("9.9.9.9 8.8.8.8", Family::V4, Err("it printed 15 bytes of text, not an address")),
            ("9.9.9.9\n8.8.8.8\n", Family::V4, Err("it printed 15 bytes of text, not an address")),
            ("2620:fe::9/64", Family::V6, Err("it printed 13 bytes of text, not an address")),
            ("fe80::1%eth0", Family::V6, Err("it printed 12 bytes of text, not an address")),
        ] {
            let result = read(printed.as_bytes(), family).map(|address| address.to_string());
            assert_eq!(result, expected.map(Into::into).map_err(Into::into), "{printed:?}");
        }
        let latin = read(b"\xfc\n", Family::V4);
        assert_eq!(latin, Err("it printed 1 byte of text, not an address".into()));
    }
}
