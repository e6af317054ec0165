//! Asks a proxy for a tunnel to a server with `CONNECT` (RFC 9110, section 9.3.6), by the deadline
//! of the connection. Does not use the tunnel.

use std::io::{Read, Write};

use super::kind::{Kind, Phase};
use super::proxy::Proxy;
use super::stream::Stream;
use super::{MAX_HEAD, USER_AGENT};

/// Asks the proxy at the other end of `stream` for a tunnel to `target`, as in `a.example:443`. The
/// returned stream leads to that server.
pub fn open(mut stream: Stream, proxy: &Proxy, target: &str) -> Result<Stream, Kind> {
    let failed = |error| Kind::unsent(Phase::Connecting, &error);
    let mut request = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {USER_AGENT}\r\n\
         Proxy-Connection: Keep-Alive\r\n"
    );
    if let Some(authorization) = proxy.authorization() {
        request = request + "Proxy-Authorization: " + &authorization + "\r\n";
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).map_err(failed)?;
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 512];
        let amount = stream.read(&mut piece).map_err(failed)?;
        if amount == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        head.extend_from_slice(piece.get(..amount).unwrap_or(&piece));
        loop {
            match read_head(&head) {
                // An interim response: the final response follows.
                Start::Head { status: 100..=199, length } => drop(head.drain(..length)),
                // The server waits for the TLS handshake, so no byte may follow the head.
                Start::Head { status: 200..=299, length } if length == head.len() => {
                    return Ok(stream);
                }
                Start::Head { status: 200..=299, .. } | Start::NoHttp => {
                    return Err(Kind::NotHttp);
                }
                Start::Head { status, .. } => return Err(Kind::Proxy(status)),
                Start::Part if head.len() > MAX_HEAD => return Err(Kind::NotHttp),
                Start::Part => break,
            }
        }
    }
}

/// The parsed beginning of a response.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// A complete head, which takes up `length` bytes.
    Head {
        status: u16,
        length: usize,
    },
    /// More bytes are needed.
    Part,
    NoHttp,
}

fn read_head(bytes: &[u8]) -> Start {
    let start = bytes.get(..5).unwrap_or(bytes);
    if !b"HTTP/".starts_with(start) {
        return Start::NoHttp;
    }
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends
        .iter()
        .filter_map(|end| {
            bytes.windows(end.len()).position(|window| window == *end).map(|at| at + end.len())
        })
        .min();
    let Some(length) = end else { return Start::Part };
    let line = bytes.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let status = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split(' ').nth(1))
        .filter(|status| status.len() == 3)
        .and_then(|status| status.parse().ok());
    match status {
        Some(status @ 100..) => Start::Head { status, length },
        _ => Start::NoHttp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_head_is_read_to_its_end() {
        let head = |status, length| Start::Head { status, length };
        for (text, expected) in [
            ("", Start::Part),
            ("HT", Start::Part),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Start::Part),
            ("HTTP/1.1 200 OK\r\n\r\n", head(200, 19)),
            ("HTTP/1.0 200\n\n", head(200, 14)),
            ("HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\nwho?", head(407, 52)),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", head(100, 25)),
            ("HTTP/1.1 OK\r\n\r\n", Start::NoHttp),
            ("HTTP/1.1 20 OK\r\n\r\n", Start::NoHttp),
            ("HTTP/1.1 099 OK\r\n\r\n", Start::NoHttp),
            ("SSH-2.0-x\r\n", Start::NoHttp),
            ("\x15\x03\x01", Start::NoHttp),
        ] {
            assert_eq!(read_head(text.as_bytes()), expected, "{text:?}");
        }
    }
}
