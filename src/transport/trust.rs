//! Whom to trust: the built-in roots or a bundle in their place, and a verifier that says who
//! issued a certificate that is not trusted. What is trusted is rustls's business alone.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use super::crypto::provider;
use super::issuer::shown_name;
use crate::environment::Environment;
use crate::error::{Cause, Error};

/// TLS as every connection of a run has it: `AWS_CA_BUNDLE`, else `SSL_CERT_FILE`, else the
/// built-in Mozilla roots.
pub fn client_config(environment: &Environment) -> Result<Arc<ClientConfig>, Error> {
    let bundle = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
        .into_iter()
        .find_map(|variable| environment.get(variable).map(|path| (variable, path)));
    let (roots, variable) = match bundle {
        Some((variable, path)) => (read_roots(variable, Path::new(path))?, variable),
        None => (webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(), "AWS_CA_BUNDLE"),
    };
    let provider = provider();
    let verifier = Verifier { roots, algorithms: provider.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Environment {
            variable,
            problem: "cannot be used for TLS".into(),
            source: Some(error.into()),
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The certificates of a PEM file that takes the place of the built-in roots.
fn read_roots(variable: &'static str, path: &Path) -> Result<RootCertStore, Error> {
    let wrong = |problem: String, source: Option<Cause>| Error::Environment {
        variable,
        problem: format!("{}: {problem}", path.display()),
        source,
    };
    let pem = std::fs::read(path)
        .map_err(|error| wrong(format!("cannot be read: {error}"), Some(error.into())))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong("is not a PEM file".into(), Some(error.into())))?;
    if certificates.is_empty() {
        return Err(wrong("holds no PEM certificate".into(), None));
    }
    // One that cannot be read does not take the others along, as in every TLS library.
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(certificates);
    if good == 0 {
        return Err(wrong("holds no certificate that can be read".into(), None));
    }
    Ok(roots)
}

/// A certificate that no trusted root stands behind, with its issuer's name if it has one.
#[derive(Debug)]
pub struct UnknownIssuer(pub Option<String>);

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, "it is issued by \"{name}\", which is not a trusted root"),
            None => f.write_str("its issuer is not a trusted root"),
        }
    }
}

impl std::error::Error for UnknownIssuer {}

/// What rustls's own verifier does, of the same parts, but with a name put to an issuer that it
/// does not know, and without lists of revoked certificates, of which there are none to read.
#[derive(Debug)]
struct Verifier {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )
        .map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let name = webpki::EndEntityCert::try_from(end_entity)
                    .ok()
                    .and_then(|certificate| shown_name(certificate.issuer()));
                CertificateError::Other(OtherError(Arc::new(UnknownIssuer(name)))).into()
            }
            error => error,
        })?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
