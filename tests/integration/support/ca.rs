//! Makes the certificates of the fake servers: a CA per process, and the good and bad certificates
//! that it signs. Only the certificate of the CA is written to disk, for `AWS_CA_BUNDLE`.

use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use time::{Duration, OffsetDateTime};

/// The names in a good certificate. The tests' hosts file maps them to loopback.
pub const NAMES: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "::1",
    "reflect.example.net",
    "reflect2.example.net",
    "only4.example.net",
    "only6.example.net",
    "checkip.global.api.aws",
    "icanhazip.com",
    "*.amazonaws.com",
    "*.us-gov.amazonaws.com",
    "*.amazonaws.com.cn",
    "*.amazonaws.eu",
    "*.eu-west-1.amazonaws.com",
    "*.us-gov-west-1.amazonaws.com",
    "*.cn-north-1.amazonaws.com.cn",
    "*.eusc-de-east-1.amazonaws.eu",
    "route53.global.api.aws",
    "route53.us-gov.api.aws",
    "route53-fips.global.api.aws",
    "route53.global.api.amazonwebservices.com.cn",
    "route53.global.api.amazonwebservices.eu",
    "sns.eu-west-1.api.aws",
    "sns-fips.eu-west-1.api.aws",
    "sns.us-gov-west-1.api.aws",
    "sns.cn-north-1.api.amazonwebservices.com.cn",
    "sns.eusc-de-east-1.api.amazonwebservices.eu",
];

/// The certificate of a server: a good one, or the error in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Good,
    /// Expired a day ago.
    Expired,
    /// Valid from tomorrow.
    NotYetValid,
    /// For another host.
    WrongName,
    /// From a CA that is not trusted.
    Untrusted,
    /// A good one with the key of another certificate.
    WrongKey,
    /// As [`Certificate::WrongKey`], from a server that has TLS 1.2 only.
    WrongKeyTls12,
    /// A good one, from a server that has TLS 1.2 only.
    GoodTls12,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a CA certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> Arc<ServerConfig> {
        let (leaf, key) = self.certify(names, from, to);
        tls_config(ALL_VERSIONS, leaf, &key)
    }

    /// Makes a certificate for a server and its key.
    fn certify(
        &self,
        names: &[&str],
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> (CertificateDer<'static>, KeyPair) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "autodns test server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = from;
        params.not_after = to;
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.issuer).expect("a server certificate");
        (leaf.der().clone(), key)
    }
}

/// The TLS settings of a server with this certificate that signs with this key. The key may belong
/// to another certificate.
fn tls_config(
    versions: &[&'static SupportedProtocolVersion],
    certificate: CertificateDer<'static>,
    key: &KeyPair,
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = any_supported_type(&key).expect("a key to sign with");
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .expect("TLS versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    Arc::new(config)
}

fn trusted() -> &'static Authority {
    static CA: OnceLock<Authority> = OnceLock::new();
    CA.get_or_init(|| Authority::new("autodns test CA"))
}

/// The certificate of the CA in PEM, for `AWS_CA_BUNDLE`.
pub fn pem() -> &'static str {
    &trusted().pem
}

/// The certificate of a CA that signed no good certificate, in PEM.
pub fn untrusted_pem() -> &'static str {
    &untrusted().pem
}

fn untrusted() -> &'static Authority {
    static CA: OnceLock<Authority> = OnceLock::new();
    CA.get_or_init(|| Authority::new("autodns other CA"))
}

/// The TLS settings of a server with this certificate.
pub fn server_config(certificate: Certificate) -> Arc<ServerConfig> {
    static GOOD: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let now = OffsetDateTime::now_utc();
    let (past, future) = (now - Duration::days(30), now + Duration::days(30));
    let day = Duration::DAY;
    let good = || trusted().certify(NAMES, past, future);
    let other_key = || KeyPair::generate().expect("another key");
    match certificate {
        Certificate::Good => Arc::clone(GOOD.get_or_init(|| trusted().sign(NAMES, past, future))),
        Certificate::Expired => trusted().sign(NAMES, past, now - day),
        Certificate::NotYetValid => trusted().sign(NAMES, now + day, future),
        Certificate::WrongName => trusted().sign(&["elsewhere.example.org"], past, future),
        Certificate::Untrusted => untrusted().sign(NAMES, past, future),
        Certificate::WrongKey => tls_config(ALL_VERSIONS, good().0, &other_key()),
        Certificate::WrongKeyTls12 => tls_config(&[&TLS12], good().0, &other_key()),
        Certificate::GoodTls12 => {
            let (leaf, key) = good();
            tls_config(&[&TLS12], leaf, &key)
        }
    }
}
