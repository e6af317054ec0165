//! The support of the tests: fake servers on loopback, and a sandbox to run the binary in. One file
//! per server or concern. No file here depends on a test.

pub mod ca;
pub mod clock;
pub mod expected;
pub mod fake_aws;
pub mod fake_reflector;
pub mod fake_route53;
pub mod fake_sns;
pub mod fixture;
pub mod http;
pub mod kill_at;
pub mod latch;
pub mod moto;
pub mod openssl;
pub mod proxy;
pub mod sandbox;
pub mod secrets;
pub mod server;
pub mod sigv4;
pub mod text;

/// Fails unless two texts are equal, and shows the lines that differ.
#[track_caller]
pub fn assert_text(seen: &str, expected: &str) {
    if seen == expected {
        return;
    }
    let (seen, expected): (Vec<_>, Vec<_>) = (seen.lines().collect(), expected.lines().collect());
    let mut shown = String::new();
    for number in 0..seen.len().max(expected.len()) {
        let (one, other) = (expected.get(number), seen.get(number));
        if one == other {
            shown += &format!("  {}\n", one.unwrap_or(&""));
        } else {
            shown += &one.map_or(String::new(), |line| format!("- {line}\n"));
            shown += &other.map_or(String::new(), |line| format!("+ {line}\n"));
        }
    }
    panic!("- expected, + seen:\n{shown}");
}
