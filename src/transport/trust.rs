//! Loads the trusted roots, built in or from a bundle, and makes the error for an untrusted
//! certificate name the issuer. Only rustls decides which certificates are trusted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::crypto::provider;
use super::issuer::{rsa_bits, rsa_bits_of_der, shown_name};
use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::read_regular;

/// The maximum size of a bundle in bytes. Mozilla's bundle has about 250,000.
const MAX_BUNDLE: u64 = 1 << 24;

/// The TLS settings for all connections of a run. The roots are those in `AWS_CA_BUNDLE`, else in
/// `SSL_CERT_FILE`, else the built-in Mozilla roots. The second value is a line about certificates
/// of the bundle that cannot be read.
pub fn client_config(
    environment: &Environment,
) -> Result<(Arc<ClientConfig>, Option<String>), SetupError> {
    let (roots, note, variable) = match environment.first(&["AWS_CA_BUNDLE", "SSL_CERT_FILE"]) {
        Some((variable, path)) => {
            let (roots, note) = read_roots(variable, Path::new(path))?;
            (roots, note, variable)
        }
        None => (webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(), None, "AWS_CA_BUNDLE"),
    };
    let unusable = || SetupError::variable(variable, "cannot be used for TLS");
    let provider = Arc::new(provider());
    let roots = Arc::new(roots);
    let rustls =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|_| unusable())?;
    let verifier = Verifier { rustls, roots };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((Arc::new(config), note))
}

/// Reads the PEM file that replaces the built-in roots. Certificates that cannot be read are
/// skipped; the second value is a line about them.
fn read_roots(
    variable: &'static str,
    path: &Path,
) -> Result<(RootCertStore, Option<String>), SetupError> {
    let wrong =
        |problem: &str| SetupError::variable(variable, &format!("{}: {problem}", path.display()));
    let pem = read_regular(path, MAX_BUNDLE)
        .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let blocks = certificates(&pem);
    if blocks.is_empty() {
        return Err(wrong("contains no PEM certificate"));
    }
    let readable: Vec<_> =
        blocks.iter().filter_map(|block| CertificateDer::from_pem_slice(block).ok()).collect();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(readable);
    if good == 0 {
        return Err(wrong("contains no certificate that can be read"));
    }
    let note = (good < blocks.len()).then(|| {
        format!(
            "{variable}: {}: {} of {} certificates cannot be read, and are ignored",
            path.display(),
            blocks.len() - good,
            blocks.len()
        )
    });
    Ok((roots, note))
}

/// The certificate blocks of a PEM file, each from its `BEGIN` line up to the next one. Text or a
/// byte order mark before the first block is ignored.
fn certificates(pem: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    // Looking for `-` first is ten times as fast as comparing whole windows.
    let mut starts: Vec<usize> = pem
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'-')
        .map(|(at, _)| at)
        .filter(|at| pem.get(*at..).is_some_and(|rest| rest.starts_with(BEGIN)))
        .collect();
    starts.push(pem.len());
    starts
        .windows(2)
        .filter_map(|range| pem.get(*range.first()?..*range.last()?))
        .filter(|block| {
            block.get(BEGIN.len()..).is_some_and(|b| b.starts_with(b"CERTIFICATE-----"))
        })
        .collect()
}

/// An error that is more precise than the error of rustls.
#[derive(Debug)]
pub enum CertificateFault {
    /// The certificate does not lead to a trusted root. Holds the issuer's name, if it has one.
    UnknownIssuer(Option<String>),
    /// An RSA key with too few or too many bits. Holds the number of bits.
    RsaBits(usize),
    /// The server's signature does not match the key in its certificate.
    NotItsKey,
}

/// Required by `Error`, but never shown: the module `certificate` has the texts of messages.
impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is not trusted")
    }
}

impl std::error::Error for CertificateFault {}

impl From<CertificateFault> for rustls::Error {
    fn from(fault: CertificateFault) -> Self {
        CertificateError::Other(OtherError(Arc::new(fault))).into()
    }
}

/// The verifier of rustls with more precise errors: they name the issuer of an untrusted
/// certificate, and a key that does not match. The decisions of rustls never change.
#[derive(Debug)]
struct Verifier {
    rustls: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.rustls
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| self.more_precise(error, end_entity, intermediates))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.rustls
            .verify_tls12_signature(message, certificate, signature)
            .map_err(|error| of_signature(error, certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.rustls
            .verify_tls13_signature(message, certificate, signature)
            .map_err(|error| of_signature(error, certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rustls.supported_verify_schemes()
    }
}

impl Verifier {
    /// Replaces the error of rustls if the issuer or the size of a key is the cause.
    fn more_precise(
        &self,
        error: rustls::Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> rustls::Error {
        let issuer = webpki::EndEntityCert::try_from(end_entity)
            .ok()
            .map(|certificate| certificate.issuer().to_vec());
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                CertificateFault::UnknownIssuer(issuer.and_then(|name| shown_name(&name))).into()
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                let roots = self.roots.roots.iter();
                let of_roots = roots
                    .filter(|root| issuer.as_deref() == Some(root.subject.as_ref()))
                    .filter_map(|root| rsa_bits(&root.subject_public_key_info));
                let mut bits = intermediates.iter().filter_map(bits_of).chain(of_roots);
                bits.find(|bits| !is_supported_size(*bits))
                    .map_or(error, |bits| CertificateFault::RsaBits(bits).into())
            }
            error => error,
        }
    }
}

/// Replaces the error of rustls if the server's handshake signature is wrong.
fn of_signature(error: rustls::Error, certificate: &CertificateDer<'_>) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            match bits_of(certificate).filter(|bits| !is_supported_size(*bits)) {
                Some(bits) => CertificateFault::RsaBits(bits).into(),
                None => CertificateFault::NotItsKey.into(),
            }
        }
        error => error,
    }
}

/// The size in bits of a certificate's RSA key, or `None` for other keys.
fn bits_of(certificate: &CertificateDer<'_>) -> Option<usize> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    rsa_bits_of_der(&certificate.subject_public_key_info())
}

const fn is_supported_size(bits: usize) -> bool {
    2048 <= bits && bits <= 8192
}
