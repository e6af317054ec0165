//! Makes the two connections of a quiet run with only rustls and ring, and with fixed requests. It
//! shows the minimum cost of a program with these two libraries. It must not sign, parse or decide
//! anything.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::{env, fs};

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const HOST: &str = "127.0.0.1";
const ZONE: &str = "Z0123456789ABCDEFGHIJ";

fn main() -> Result<(), Box<dyn Error>> {
    let settings = fs::read_to_string(env::args().nth(1).ok_or("no configuration")?)?;
    let reflector = port(&settings).ok_or("no port in reflect_url")?;
    let route53 = env::var("AWS_ENDPOINT_URL")?;
    let route53 = port(&route53).ok_or("no port in AWS_ENDPOINT_URL")?;

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(env::var("AWS_CA_BUNDLE")?)?)?;
    let mut config =
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    // In a real run these are two hosts, so the second handshake cannot resume the first session.
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);

    let request = format!("GET /ip HTTP/1.1\r\nHost: {HOST}:{reflector}\r\n\r\n");
    exchange(&config, reflector, &request)?;
    // This has the length of a signature. The measured server does not check it.
    let request = format!(
        "GET /2013-04-01/hostedzone/{ZONE}/rrset?maxitems=1&name=home.example.com&type=A \
         HTTP/1.1\r\nHost: {HOST}:{route53}\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLEEXAMPLE00/20260101/us-east-1/\
         route53/aws4_request, SignedHeaders=host;x-amz-date, Signature={:064}\r\n\r\n",
        0
    );
    exchange(&config, route53, &request)
}

/// Sends one request on a new connection and reads the whole response.
fn exchange(config: &Arc<ClientConfig>, port: u16, request: &str) -> Result<(), Box<dyn Error>> {
    let session = ClientConnection::new(Arc::clone(config), ServerName::try_from(HOST)?)?;
    let mut stream = StreamOwned::new(session, TcpStream::connect((HOST, port))?);
    stream.sock.set_nodelay(true)?;
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut buffer = [0; 4096];
    let mut length = 0;
    while !is_whole(&buffer[..length]) {
        match stream.read(&mut buffer[length..])? {
            0 => return Err("the response is not whole".into()),
            more => length += more,
        }
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}

/// Whether the response has its head and `Content-Length` bytes after it.
fn is_whole(response: &[u8]) -> bool {
    let text = String::from_utf8_lossy(response);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split_once("Content-Length: ").and_then(|(_, rest)| rest.lines().next());
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

/// The port of the first URL with this host.
fn port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("https://127.0.0.1:")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
