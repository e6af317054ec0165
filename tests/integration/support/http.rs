//! Reads an HTTP/1.1 request from a stream and writes a reply, valid or invalid. It rejects every
//! invalid request. It must not depend on sockets, TLS or AWS.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use super::latch::Latch;

/// The address family of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// A request as it was sent. Nothing in it is decoded.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query (`host:port` for CONNECT), as sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of the connection, from 1.
    pub connection: usize,
    pub family: Family,
    /// The server name (SNI) of the TLS handshake, if there was one.
    pub server_name: Option<String>,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The value of a header. `None` if it is absent or repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.next()?;
        if found.next().is_some() { None } else { Some(value.1.as_str()) }
    }

    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How the connection ends after a `Reply::Raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// TLS `close_notify`, then the end of the stream.
    Close,
    /// The stream ends without `close_notify`, as if someone on the way cut it.
    Cut,
    /// A TCP reset.
    Reset,
}

/// The reply of a server to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A well-formed response. The connection stays open.
    Response(Response),
    /// These bytes, then this end of the connection.
    Raw(Vec<u8>, End),
    /// A well-formed 200 with a chunked body that never ends.
    Endless,
    /// The first bytes once, then the second ones repeatedly until the client disconnects.
    Forever(Vec<u8>, Vec<u8>),
    /// One byte at a time with this pause after each, then the end of the connection.
    Drip(Vec<u8>, Duration),
    /// This reply, sent when a test opens the latch.
    Held(Latch, Box<Reply>),
}

impl Reply {
    /// The connection closes without a response.
    pub fn nothing() -> Self {
        Self::Raw(Vec::new(), End::Close)
    }

    pub fn reset() -> Self {
        Self::Raw(Vec::new(), End::Reset)
    }

    pub fn held(latch: &Latch, reply: impl Into<Self>) -> Self {
        Self::Held(latch.clone(), Box::new(reply.into()))
    }

    /// How the connection ends after this reply. `None` if it stays open.
    pub fn end(&self) -> Option<End> {
        match self {
            Self::Response(_) => None,
            Self::Raw(_, end) => Some(*end),
            Self::Endless | Self::Forever(..) | Self::Drip(..) => Some(End::Close),
            Self::Held(_, reply) => reply.end(),
        }
    }

    /// A response without the second half of its body, then the end of the connection.
    pub fn truncated(response: &Response) -> Self {
        let mut bytes = response.to_bytes();
        bytes.truncate(bytes.len() - response.body.len().div_ceil(2));
        Self::Raw(bytes, End::Close)
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// A well-formed response.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
        }
    }

    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "text/plain", body)
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, "text/plain", "").with("Location", location)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The whole response, ready to be sent in one piece.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Whatever\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Reads one request. `None` if the client closed the connection between two requests. The caller
/// sets `connection`, `family` and `server_name`.
pub fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(start) = line(stream)? else { return Ok(None) };
    let mut words = start.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(broken(format!("not an HTTP/1.1 request line: {start:?}")));
    };
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?.ok_or_else(|| broken("the request ends in its headers".into()))?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| broken(format!("not a header: {line:?}")))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
        connection: 0,
        family: Family::V4,
        server_name: None,
    };
    if request.header("transfer-encoding").is_some() {
        return Err(broken("a chunked request: AWS wants a Content-Length".into()));
    }
    if let Some(length) = request.header("content-length") {
        let length: usize =
            length.parse().map_err(|_| broken(format!("Content-Length: {length}")))?;
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    stream.take(65_536).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = bytes
        .strip_suffix(b"\r\n")
        .ok_or_else(|| broken("a line of the request does not end in CR LF".into()))?;
    String::from_utf8(text.to_vec())
        .map(Some)
        .map_err(|_| broken("a line of the request is not UTF-8".into()))
}

fn broken(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes the bytes of a reply. The caller ends the connection.
pub fn write_reply(stream: &mut impl Write, reply: &Reply) -> io::Result<()> {
    match reply {
        Reply::Response(response) => stream.write_all(&response.to_bytes())?,
        Reply::Raw(bytes, _) => stream.write_all(bytes)?,
        Reply::Endless => {
            let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
            forever(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &chunk)?;
        }
        Reply::Forever(first, again) => forever(stream, first, again)?,
        Reply::Held(latch, reply) => {
            latch.arrive_and_wait();
            write_reply(stream, reply)?;
        }
        Reply::Drip(bytes, pause) => {
            for byte in bytes {
                stream.write_all(&[*byte])?;
                stream.flush()?;
                std::thread::sleep(*pause);
            }
        }
    }
    stream.flush()
}

fn forever(stream: &mut impl Write, first: &[u8], again: &[u8]) -> io::Result<()> {
    stream.write_all(first)?;
    // Four million bytes per second are enough, and leave processor time to other tests.
    let many = again.repeat(0x4000_usize.div_ceil(again.len()));
    loop {
        stream.write_all(&many)?;
        stream.flush()?;
        std::thread::sleep(Duration::from_millis(4));
    }
}
