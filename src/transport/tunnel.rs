//! Asks a proxy for a tunnel to a server with `CONNECT` (RFC 9110, section 9.3.6), by the deadline
//! of the connection. Does not use the tunnel.

use std::io::{Read, Write};

use super::kind::{Kind, Phase};
use super::proxy::Proxy;
use super::stream::Stream;
use super::{MAX_HEAD, USER_AGENT};

/// How many headers a response may have. ureq has the same limit.
const MAX_HEADERS: usize = 128;

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
        while let Some((status, length)) = read_head(&head)? {
            match status {
                // An interim response: the final response follows.
                100..=199 => drop(head.drain(..length)),
                // The server waits for the TLS handshake, so no byte may follow the head.
                200..=299 if length == head.len() => return Ok(stream),
                200..=299 => return Err(Kind::NotHttp),
                status => return Err(Kind::Proxy(status)),
            }
        }
        if head.len() > MAX_HEAD {
            return Err(Kind::NotHttp);
        }
    }
}

/// The status and the length of the response head at the start of `bytes`. `None` if more bytes are
/// needed.
fn read_head(bytes: &[u8]) -> Result<Option<(u16, usize)>, Kind> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    // The headers are not used, so a malformed header does not matter.
    let parsed = httparse::ParserConfig::default()
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, bytes);
    match (parsed, response.code) {
        (Ok(httparse::Status::Partial), _) => Ok(None),
        (Ok(httparse::Status::Complete(length)), Some(status @ 100..)) => {
            Ok(Some((status, length)))
        }
        _ => Err(Kind::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_head_is_read_to_its_end() {
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS));
        for (text, expected) in [
            ("", Ok(None)),
            ("HT", Ok(None)),
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Ok(None)),
            ("HTTP/1.1 200 OK\r\n\r\n", Ok(Some((200, 19)))),
            ("HTTP/1.0 200\n\n", Ok(Some((200, 14)))),
            ("HTTP/1.1 200 OK\r\nno header\r\n: x\r\n\r\n", Ok(Some((200, 35)))),
            (many.as_str(), Ok(Some((200, many.len())))),
            ("HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\nwho?", Ok(Some((407, 52)))),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Ok(Some((100, 25)))),
            ("HTTP/1.1 OK\r\n\r\n", Err(Kind::NotHttp)),
            ("HTTP/1.1 20 OK\r\n\r\n", Err(Kind::NotHttp)),
            ("HTTP/1.1 099 OK\r\n\r\n", Err(Kind::NotHttp)),
            ("SSH-2.0-x\r\n", Err(Kind::NotHttp)),
            ("\x15\x03\x01", Err(Kind::NotHttp)),
        ] {
            assert_eq!(read_head(text.as_bytes()), expected, "{text:?}");
        }
    }
}
