//! The message text and advice for each TLS and certificate error of rustls and webpki. Names in
//! certificates are untrusted text. Does not decide which certificates are trusted.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use webpki::Error as Webpki;

use super::lookup::{is_public_name, without_brackets};
use super::trust::CertificateFault;
use crate::clock::{SET_CLOCK, timestamp};
use crate::secrets::one_line;

/// If a certificate expired longer ago than this, this machine's clock is probably wrong. Public
/// CAs issue certificates for at most 398 days (CA/Browser Forum).
const LONG_AGO: Duration = Duration::from_hours(398 * 24);
/// How many names of a certificate a message shows at most.
const MAX_NAMES: usize = 3;

const WHO_ANSWERS: &str = "check who answers there";
/// The advice for a server whose TLS settings autodns does not support.
const OFFER_TLS: &str = "let the server offer TLS 1.2 or 1.3 with AES-GCM ciphers, and a \
                         certificate with an RSA key of 2048 bits or a P-256 key";

/// The text of an error, and the advice.
pub type Words = (Cow<'static, str>, Cow<'static, str>);

/// The text and advice for a TLS error of the server that has the name `host` in the URL.
pub fn words(error: &rustls::Error, host: &str) -> Words {
    use rustls::Error as Tls;
    let fixed = |words: &'static str, advice: &'static str| (words.into(), advice.into());
    match error {
        Tls::InvalidCertificate(error) => of_certificate(error, host),
        Tls::NoCertificatesPresented => fixed("the server shows no certificate", WHO_ANSWERS),
        Tls::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )
        | Tls::AlertReceived(AlertDescription::ProtocolVersion) => {
            fixed("the server and autodns have no version of TLS in common: 1.2 or 1.3", OFFER_TLS)
        }
        Tls::PeerIncompatible(_)
        | Tls::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::IllegalParameter
            | AlertDescription::MissingExtension,
        ) => fixed(
            "the server and autodns have no cipher, no key exchange or no kind of signature in \
             common",
            OFFER_TLS,
        ),
        Tls::AlertReceived(AlertDescription::UnrecognisedName) => {
            fixed("the server knows no host of that name", "check the host in the URL")
        }
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::AccessDenied,
        ) => fixed(
            "the server requires a client certificate, and autodns has none",
            "let the server accept clients without a certificate",
        ),
        Tls::AlertReceived(alert) => (
            format!("the server ended the TLS connection (alert {})", u8::from(*alert)).into(),
            "check the server's log".into(),
        ),
        Tls::InvalidMessage(_)
        | Tls::InappropriateMessage { .. }
        | Tls::InappropriateHandshakeMessage { .. }
        | Tls::PeerSentOversizedRecord => {
            fixed("the server does not speak TLS", "check that a TLS server answers there")
        }
        Tls::DecryptError => fixed("the TLS data was altered on the way", WHO_ANSWERS),
        Tls::PeerMisbehaved(_) => fixed("the server breaks the rules of TLS", WHO_ANSWERS),
        Tls::FailedToGetCurrentTime => {
            fixed("the certificate's dates cannot be compared with this machine's clock", SET_CLOCK)
        }
        Tls::FailedToGetRandomBytes => {
            fixed("this machine provides no random numbers", "restart this machine")
        }
        Tls::Other(_) | Tls::General(_) => fixed("no TLS connection", WHO_ANSWERS),
        _ => fixed("no TLS connection", "check that a TLS server answers there"),
    }
}

fn of_certificate(error: &CertificateError, host: &str) -> Words {
    use CertificateError as Certificate;
    let says = |words: &str, advice: &'static str| {
        (format!("the server's certificate {words}").into(), advice.into())
    };
    let replace = |words: &str| to_replace(words, host);
    match error {
        Certificate::Other(other) => {
            let fault =
                other.0.downcast_ref::<CertificateFault>().map(|fault| of_fault(fault, host));
            let webpki = || other.0.downcast_ref::<Webpki>().map(|error| of_webpki(error, host));
            fault.or_else(webpki).unwrap_or_else(|| says("is not accepted", WHO_ANSWERS))
        }
        Certificate::ExpiredContext { time, not_after } => {
            let long = time.as_secs().saturating_sub(not_after.as_secs()) > LONG_AGO.as_secs();
            of_dates("expired on", *not_after, *time, long)
        }
        Certificate::NotValidYetContext { time, not_before } => {
            of_dates("is not valid before", *not_before, *time, true)
        }
        Certificate::Expired => {
            says("has expired", "check this machine's clock, then renew the certificate")
        }
        Certificate::NotValidYet => says("is not valid yet", SET_CLOCK),
        Certificate::UnknownIssuer => of_fault(&CertificateFault::UnknownIssuer(None), host),
        Certificate::NotValidForName => says("is for another name", WHO_ANSWERS),
        Certificate::NotValidForNameContext { presented, .. } => of_names(presented, host),
        Certificate::BadEncoding => replace("cannot be read: its encoding is wrong"),
        Certificate::UnhandledCriticalExtension => {
            replace("has an extension that is marked critical and is not supported")
        }
        Certificate::BadSignature => says(
            "has a wrong signature: the CA that is named in it has another key",
            "check who answers there, and that AWS_CA_BUNDLE has the CA's present certificate",
        ),
        Certificate::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. }
        | Certificate::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            ..
        } => replace(signature(signature_algorithm_id)),
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            replace("is not meant for a server (its extended key usage lacks serverAuth)")
        }
        Certificate::Revoked => says("has been revoked", WHO_ANSWERS),
        #[allow(deprecated, reason = "rustls may still give it")]
        Certificate::UnsupportedSignatureAlgorithm => replace(signature(&[])),
        _ => says("is not accepted", WHO_ANSWERS),
    }
}

/// The text and advice for an error that this program's own verifier found.
fn of_fault(fault: &CertificateFault, host: &str) -> Words {
    match fault {
        CertificateFault::UnknownIssuer(issuer) => (
            match issuer {
                Some(name) => format!(
                    "the server's certificate is not trusted: it is issued by \"{name}\", which \
                     is not a trusted root"
                ),
                None => "the server's certificate is not trusted: its issuer is not a trusted root"
                    .into(),
            }
            .into(),
            "check who answers there, or add a CA of your own to the file that AWS_CA_BUNDLE \
             names"
                .into(),
        ),
        CertificateFault::RsaBits(bits) => (
            format!(
                "the server's certificate, or its CA's, has an RSA key of {bits} bits: only 2048 \
                 to 8192 are supported"
            )
            .into(),
            how_to_replace(host).into(),
        ),
        CertificateFault::NotItsKey => (
            "the server does not have the key of the certificate that it shows".into(),
            WHO_ANSWERS.into(),
        ),
    }
}

fn of_webpki(error: &Webpki, host: &str) -> Words {
    let replace = |words: &str| to_replace(words, host);
    match error {
        Webpki::CaUsedAsEndEntity => {
            replace("is that of a CA (CA:TRUE), which a server must not use as its own")
        }
        Webpki::UnsupportedCertVersion => replace("has no v3 extensions, so it is for no name"),
        Webpki::EndEntityUsedAsCa => replace("is issued by a certificate that is not a CA's"),
        Webpki::PathLenConstraintViolated | Webpki::MaximumPathDepthExceeded => {
            replace("has more CAs above it than they allow")
        }
        Webpki::NameConstraintViolation => {
            replace("has a name for which its CA may not issue certificates")
        }
        Webpki::EmptyEkuExtension => replace("has an extended key usage with nothing in it"),
        Webpki::SignatureAlgorithmMismatch => replace("names two different kinds of signature"),
        Webpki::UnsupportedCriticalExtension => {
            replace("has an extension that is marked critical and is not supported")
        }
        Webpki::InvalidSerialNumber => replace("has a serial number that is not allowed"),
        Webpki::CertDistrusted | Webpki::CertRevoked => {
            ("the server's certificate has been revoked".into(), WHO_ANSWERS.into())
        }
        Webpki::MaximumSignatureChecksExceeded
        | Webpki::MaximumPathBuildCallsExceeded
        | Webpki::MaximumNameConstraintComparisonsExceeded => {
            ("the server's certificates take too long to check".into(), WHO_ANSWERS.into())
        }
        _ => replace("cannot be read: its encoding is wrong"),
    }
}

/// The text and advice for a certificate that must be replaced.
fn to_replace(words: &str, host: &str) -> Words {
    (format!("the server's certificate {words}").into(), how_to_replace(host).into())
}

/// Names the unsupported kind of signature from the DER of its algorithm (RFC 3279, 5758, 8692).
fn signature(algorithm: &[u8]) -> &'static str {
    const OIDS: [(&[u8], &str); 6] = [
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "is signed with SHA-1, which is not secure"),
        (b"\x2a\x86\x48\xce\x3d\x04\x01", "is signed with SHA-1, which is not secure"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "is signed with MD5, which is not secure"),
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", P521),
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", P521),
        (b"\x2b\x65\x71", "is signed with an Ed448 key, which is not supported"),
    ];
    const P521: &str = "is signed with a P-521 key or SHA-512 over ECDSA, which is not supported";
    let found = OIDS
        .iter()
        .find(|(oid, _)| algorithm.windows(oid.len()).any(|window| window == *oid))
        .map(|(_, words)| *words);
    found.unwrap_or("is signed in a way that is not supported")
}

/// The text and advice for a certificate whose names `presented` do not include `host`.
fn of_names(presented: &[String], host: &str) -> Words {
    // webpki writes names as `DnsName("a.example")` and `IpAddress(192.0.2.1)`.
    let names: Vec<String> = presented
        .iter()
        .filter(|name| name.starts_with("DnsName") || name.starts_with("IpAddress"))
        .filter_map(|name| name.split_once('(')?.1.strip_suffix(')'))
        .map(|name| one_line(name.trim_matches('"')).chars().take(100).collect())
        .collect();
    if names.is_empty() {
        let words = "the server's certificate has no name in it (a common name does not count, \
                     only a subjectAltName does)";
        return (words.into(), how_to_replace(host).into());
    }
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|n| format!("\"{n}\"")).collect();
    let more = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let host = without_brackets(host);
    let words =
        format!("the server's certificate is for {}{more}, not for \"{host}\"", shown.join(", "));
    let may_be_completed =
        host.parse::<IpAddr>().is_err() && !host.ends_with('.') && has_search_list();
    let advice: Cow<'static, str> = if may_be_completed {
        format!(
            "check who answers there, and write the full name with its final dot ({host}.): the \
             search list of /etc/resolv.conf may lead to another host"
        )
        .into()
    } else {
        "check the name in the URL, and who answers there".into()
    };
    (words.into(), advice)
}

/// Whether the resolver can append domains of this network to a name.
fn has_search_list() -> bool {
    let limit = 1 << 16;
    let text = crate::files::read_regular("/etc/resolv.conf".as_ref(), limit).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().any(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("search" | "domain"))
            && words.any(|domain| domain != "." && domain != "localdomain")
    })
}

/// The text and advice for a certificate that is not valid at `time`, this machine's clock. `edge`
/// is the date it expired or becomes valid. `clock` says whether the clock is probably wrong.
fn of_dates(phrase: &str, edge: UnixTime, time: UnixTime, clock: bool) -> Words {
    let date = |time: UnixTime| {
        SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(time.as_secs()))
            .map_or_else(|| "a time that no calendar has".into(), timestamp)
    };
    let (edge, time) = (date(edge), date(time));
    if clock {
        let words = format!(
            "this machine's clock is likely wrong: it says {time}, and the server's certificate \
             {phrase} {edge}"
        );
        (words.into(), SET_CLOCK.into())
    } else {
        let words = format!(
            "the server's certificate {phrase} {edge}, and this machine's clock says {time}"
        );
        (words.into(), "check this machine's clock, then the certificate".into())
    }
}

/// The advice to create a new certificate, for a server that the user can own.
fn how_to_replace(host: &str) -> String {
    let host = without_brackets(host);
    if is_public_name(host) {
        return WHO_ANSWERS.into();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let kind = if name.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "create a new one for the server with \"openssl req -x509 -newkey rsa:2048 -nodes -days \
         365 -subj /CN=autodns -addext basicConstraints=critical,CA:FALSE -addext \
         subjectAltName={kind}:{name} -keyout key.pem -out cert.pem\", and put cert.pem into \
         the file that AWS_CA_BUNDLE names, in place of the old one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn dates_far_from_the_clock_mean_a_wrong_clock() {
        let day = 24 * 60 * 60;
        let expired = |days: u64| CertificateError::ExpiredContext {
            time: at(1_790_000_000 + days * day),
            not_after: at(1_790_000_000),
        };
        let early =
            CertificateError::NotValidYetContext { time: at(0), not_before: at(1_790_000_000) };
        for (error, clock) in [(early, true), (expired(1), false), (expired(400), true)] {
            let (words, _) = of_certificate(&error, "a.example");
            assert_eq!(words.starts_with("this machine's clock is likely wrong"), clock, "{words}");
        }
        assert_eq!(
            of_certificate(&expired(400), "a.example").0,
            "this machine's clock is likely wrong: it says 2027-10-26 14:13:20 UTC, and the \
             server's certificate expired on 2026-09-21 14:13:20 UTC"
        );
    }

    #[test]
    fn certificate_names_are_shown_as_one_bounded_line() {
        let names: Vec<String> =
            (0..60).map(|n| format!("DnsName(\"{n}\n{}\")", "x".repeat(250))).collect();
        let (words, _) = of_names(&names, "a.example");
        assert!(words.len() < 600 && !words.contains('\n'), "{words}");
        assert!(
            words.ends_with("... and 57 more, not for \"a.example\"")
                || words.contains(" and 57 more")
        );
        let (words, _) = of_names(&["IpAddress(192.0.2.1)".into()], "[::1]");
        assert_eq!(words, "the server's certificate is for \"192.0.2.1\", not for \"::1\"");
        let (words, _) = of_names(&["DirectoryName".into()], "a.example");
        assert!(words.contains("has no name in it"), "{words}");
    }

    #[test]
    fn each_tls_error_has_its_own_text() {
        use rustls::Error as Tls;
        let webpki = |error: Webpki| {
            Tls::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(error))))
        };
        let errors = [
            Tls::NoCertificatesPresented,
            Tls::AlertReceived(AlertDescription::ProtocolVersion),
            Tls::AlertReceived(AlertDescription::HandshakeFailure),
            Tls::AlertReceived(AlertDescription::UnrecognisedName),
            Tls::AlertReceived(AlertDescription::CertificateRequired),
            Tls::AlertReceived(AlertDescription::InternalError),
            Tls::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            Tls::PeerMisbehaved(rustls::PeerMisbehaved::IncorrectBinder),
            Tls::DecryptError,
            Tls::FailedToGetCurrentTime,
            Tls::FailedToGetRandomBytes,
            Tls::General("x".into()),
            CertificateError::BadEncoding.into(),
            CertificateError::BadSignature.into(),
            CertificateError::UnknownIssuer.into(),
            CertificateError::InvalidPurpose.into(),
            CertificateError::Revoked.into(),
            CertificateError::NotValidForName.into(),
            CertificateError::Expired.into(),
            CertificateError::NotValidYet.into(),
            webpki(Webpki::CaUsedAsEndEntity),
            webpki(Webpki::UnsupportedCertVersion),
            webpki(Webpki::EndEntityUsedAsCa),
            webpki(Webpki::PathLenConstraintViolated),
            webpki(Webpki::NameConstraintViolation),
            webpki(Webpki::EmptyEkuExtension),
            webpki(Webpki::SignatureAlgorithmMismatch),
            webpki(Webpki::UnsupportedCriticalExtension),
            webpki(Webpki::InvalidSerialNumber),
            webpki(Webpki::MaximumSignatureChecksExceeded),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for error in errors {
            let (words, advice) = super::words(&error, "a.example");
            assert!(!words.contains(['(', '{']) || !words.contains("Other("), "{words}");
            assert!(!words.contains(';') && words.len() < 300, "{words}");
            assert!(!advice.is_empty(), "{words}");
            assert!(seen.insert(words.clone()), "twice: {words}");
        }
    }

    #[test]
    fn advice_to_make_a_certificate_is_not_given_for_aws() {
        let error = CertificateError::InvalidPurpose.into();
        assert_eq!(words(&error, "route53.amazonaws.com").1, WHO_ANSWERS);
        assert!(words(&error, "192.0.2.1").1.contains("subjectAltName=IP:192.0.2.1 "));
        assert!(words(&error, "a.example.").1.contains("subjectAltName=DNS:a.example "));
    }
}
