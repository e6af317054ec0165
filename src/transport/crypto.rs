//! The cryptography for TLS clients without a client certificate: ring, through the bindings of
//! rustls. To keep the binary small, it has no private keys and no ciphers that servers do not
//! require. Decides nothing about trust.

use std::sync::Arc;

use ring::rand::SecureRandom as _;
use rustls::crypto::ring::{cipher_suite, kx_group};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{SignatureScheme as Scheme, SupportedCipherSuite};
use webpki::ring as algorithms;

/// AES-GCM, which every server supports (RFC 8446, section 9.1, requires the first suite). Suites
/// with 128 bits come first: they are secure, and SHA-256 is faster than SHA-384 on a Pi.
const CIPHER_SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// All signature algorithms that rustls verifies with ring, and the TLS schemes that use them. In
/// TLS 1.2 an ECDSA scheme does not determine the curve, so it lists two algorithms.
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithms::ECDSA_P256_SHA256,
        algorithms::ECDSA_P256_SHA384,
        algorithms::ECDSA_P384_SHA256,
        algorithms::ECDSA_P384_SHA384,
        algorithms::ED25519,
        algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithms::RSA_PKCS1_2048_8192_SHA256,
        algorithms::RSA_PKCS1_2048_8192_SHA384,
        algorithms::RSA_PKCS1_2048_8192_SHA512,
        algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (
            Scheme::ECDSA_NISTP256_SHA256,
            &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256],
        ),
        (
            Scheme::ECDSA_NISTP384_SHA384,
            &[algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P256_SHA384],
        ),
        (Scheme::ED25519, &[algorithms::ED25519]),
        (Scheme::RSA_PSS_SHA256, &[algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (Scheme::RSA_PSS_SHA384, &[algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (Scheme::RSA_PSS_SHA512, &[algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (Scheme::RSA_PKCS1_SHA256, &[algorithms::RSA_PKCS1_2048_8192_SHA256]),
        (Scheme::RSA_PKCS1_SHA384, &[algorithms::RSA_PKCS1_2048_8192_SHA384]),
        (Scheme::RSA_PKCS1_SHA512, &[algorithms::RSA_PKCS1_2048_8192_SHA512]),
    ],
};

pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Ring,
        key_provider: &Ring,
    }
}

/// The random numbers of ring, and no private key.
#[derive(Debug)]
struct Ring;

impl SecureRandom for Ring {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        ring::rand::SystemRandom::new().fill(bytes).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Ring {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this client has no private key".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The provider has everything that rustls offers with ring except `ChaCha20`, and no more.
    #[test]
    fn provider_equals_that_of_rustls_without_chacha20() {
        let (ours, whole) = (provider(), rustls::crypto::ring::default_provider());
        let mut left_out: Vec<_> =
            whole.cipher_suites.iter().filter(|s| !ours.cipher_suites.contains(s)).collect();
        left_out.retain(|suite| !format!("{suite:?}").contains("CHACHA20"));
        assert!(left_out.is_empty(), "{left_out:?}");
        assert!(ours.cipher_suites.iter().all(|suite| whole.cipher_suites.contains(suite)));
        let groups = |provider: &CryptoProvider| -> Vec<_> {
            provider.kx_groups.iter().map(|group| group.name()).collect()
        };
        assert_eq!(groups(&ours), groups(&whole));
        let schemes = |provider: &CryptoProvider| {
            let mut schemes = provider.signature_verification_algorithms.supported_schemes();
            schemes.sort_by_key(|scheme| u16::from(*scheme));
            schemes
        };
        assert_eq!(schemes(&ours), schemes(&whole));
        let kinds = |provider: &CryptoProvider| {
            let all = provider.signature_verification_algorithms.all;
            let mut kinds: Vec<String> = all
                .iter()
                .map(|a| format!("{:?} {:?}", a.public_key_alg_id(), a.signature_alg_id()))
                .collect();
            kinds.sort();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(&ours), kinds(&whole));
    }
}
