//! Common errors in self-made certificates, each with its own message and advice, and unusual CA
//! bundles: with a byte order mark, with a broken block, as a named pipe. The servers are
//! OpenSSL's, since rustls does not offer such certificates and settings.

use std::path::PathBuf;

use serde_json::json;

use crate::support::ca;
use crate::support::fake_reflector::HOST;
use crate::support::fixture::Fixture;
use crate::support::openssl::{ADDRESS, OpenSsl, make};

/// Makes a P-256 CA in `ca.pem`, and a request for `HOST` with a key in `key.pem`.
const CA: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
                  -subj '/CN=home CA' -keyout ca.key -out ca.pem\n";
const REQUEST: &str = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                       -subj '/CN=reflect.example.net' -keyout key.pem -out request.pem\n";
const NAME: &str = "subjectAltName=DNS:reflect.example.net";

/// The command that signs the request with these extensions.
fn sign(extensions: &str, options: &str) -> String {
    format!(
        "printf '%s\\n' {extensions} > extensions\n\
         openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -set_serial 7 -days 30 \
         {options} -extfile extensions -out cert.pem\n"
    )
}

/// A fixture whose reflector is an OpenSSL server with the files that a script makes.
struct OpensslFixture {
    fixture: Fixture,
    folder: PathBuf,
    _server: OpenSsl,
}

fn openssl_fixture(script: &str, options: &[&str]) -> OpensslFixture {
    let mut fixture = Fixture::new();
    let folder = PathBuf::from(fixture.sandbox.path("own"));
    std::fs::create_dir(&folder).expect("a folder");
    make(&folder, script);
    let server = OpenSsl::serve(&folder, options);
    let port = server.port();
    fixture.configure(|config| config["reflect_url"] = json!(format!("https://{HOST}:{port}/ip")));
    fixture.sandbox.placeholder(&format!(":{port}"), ":{own}");
    let server = OpensslFixture { fixture, folder, _server: server };
    server.trust(&["ca.pem", "cert.pem"]);
    server
}

impl OpensslFixture {
    /// Puts the CA of the fake servers and these files, if they exist, into the bundle.
    fn trust(&self, names: &[&str]) {
        let mut bundle = ca::pem().to_owned();
        for name in names {
            bundle += &std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        }
        std::fs::write(self.folder.join("bundle.pem"), bundle).expect("the bundle");
    }

    fn cause(&mut self) -> String {
        let bundle = self.folder.join("bundle.pem").to_str().expect("UTF-8").to_owned();
        self.fixture.sandbox.set("AWS_CA_BUNDLE", bundle);
        let run = self.fixture.run_with(&["--dry-run"]);
        assert!(run.stderr.len() < 700 && run.stderr.lines().count() <= 1, "{run:?}");
        let beginning = "autodns: home.example.com A: could not get the public IPv4 address \
                         from https://reflect.example.net:{own}/ip: ";
        match run.stderr.strip_prefix(beginning) {
            Some(cause) => cause.trim_end().to_owned(),
            None => run.stdout + &run.stderr,
        }
    }
}

/// The advised command for a certificate that works.
const ADVICE: &str = "create a new one for the server with \"openssl req -x509 -newkey rsa:2048 \
                   -nodes -days 365 -subj /CN=autodns -addext basicConstraints=critical,CA:FALSE \
                   -addext subjectAltName=DNS:reflect.example.net -keyout key.pem -out \
                   cert.pem\", and put cert.pem into the file that AWS_CA_BUNDLE names, in place \
                   of the old one";

#[test]
fn each_certificate_error_has_its_own_message() {
    let own_root = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj \
                    /CN=reflect.example.net -keyout key.pem -out cert.pem";
    let p521 = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -days 30 \
                -subj '/CN=home CA' -keyout ca.key -out ca.pem\n";
    let small_ca = "openssl req -x509 -newkey rsa:1024 -nodes -days 30 -subj '/CN=home CA' \
                    -keyout ca.key -out ca.pem\n";
    let low = &["-cipher", "DEFAULT@SECLEVEL=0"][..];
    for (what, script, options, said) in [
        (
            "its own root",
            format!("{own_root} -addext {NAME}"),
            &[][..],
            "is that of a CA (CA:TRUE), which a server must not use as its own",
        ),
        (
            "version 1",
            format!(
                "{CA}{REQUEST}openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key \
                 -set_serial 7 -out cert.pem"
            ),
            &[],
            "has no v3 extensions, so it is for no name",
        ),
        (
            "common name only",
            format!("{CA}{REQUEST}{}", sign("basicConstraints=CA:FALSE", "")),
            &[],
            "has no name in it (a common name does not count, only a subjectAltName does)",
        ),
        (
            "SHA-1",
            format!("{CA}{REQUEST}{}", sign(NAME, "-sha1")),
            low,
            "is signed with SHA-1, which is not secure",
        ),
        (
            "a CA with a P-521 key",
            format!("{p521}{REQUEST}{}", sign(NAME, "-sha512")),
            &[],
            "is signed with a P-521 key or SHA-512 over ECDSA, which is not supported",
        ),
        (
            "a CA with a P-521 key and SHA-256",
            format!("{p521}{REQUEST}{}", sign(NAME, "-sha256")),
            &[],
            "is signed with a P-521 key or SHA-512 over ECDSA, which is not supported",
        ),
        (
            "a small key of a CA",
            format!("{small_ca}{REQUEST}{}", sign(NAME, "")),
            low,
            "or its CA's, has an RSA key of 1024 bits: only 2048 to 8192 are supported",
        ),
        (
            "a small key",
            format!(
                "{CA}{}{}",
                REQUEST.replace("ec -pkeyopt ec_paramgen_curve:P-256", "rsa:1024"),
                sign(NAME, "")
            ),
            low,
            "or its CA's, has an RSA key of 1024 bits: only 2048 to 8192 are supported",
        ),
        (
            "for a client",
            format!("{CA}{REQUEST}{}", sign(&format!("{NAME} extendedKeyUsage=clientAuth"), "")),
            &[],
            "is not meant for a server (its extended key usage lacks serverAuth)",
        ),
        (
            "a critical extension",
            format!("{CA}{REQUEST}{}", sign(&format!("{NAME} 1.2.3.4=critical,DER:05:00"), "")),
            &[],
            "has an extension that is marked critical and is not supported",
        ),
    ] {
        let mut server = openssl_fixture(&script, options);
        let seen = server.cause();
        let comma = if said.starts_with("or ") { "," } else { "" };
        assert_eq!(seen, format!("the server's certificate{comma} {said}; {ADVICE}"), "{what}");
    }
}

#[test]
fn certificate_made_by_the_advised_command_works() {
    let command = ADVICE.split('"').nth(1).expect("a command in quotes");
    let mut server = openssl_fixture(command, &[]);
    server.trust(&["cert.pem"]);
    assert!(server.cause().contains(ADDRESS), "{}", server.cause());
}

#[test]
fn server_without_a_common_tls_version_is_reported() {
    let good = format!("{CA}{REQUEST}{}", sign(NAME, ""));
    let offer = "let the server offer TLS 1.2 or 1.3 with AES-GCM ciphers, and a certificate with \
                 an RSA key of 2048 bits or a P-256 key";
    let version =
        format!("the server and autodns have no version of TLS in common: 1.2 or 1.3; {offer}");
    let cipher = format!(
        "the server and autodns have no cipher, no key exchange or no kind of signature in common; \
         {offer}"
    );
    let p521 = REQUEST.replace("P-256", "P-521");
    let its_key = format!("{CA}{p521}{}", sign(NAME, ""));
    for (script, options, said) in [
        (&good, &["-tls1_1", "-cipher", "ALL@SECLEVEL=0"][..], &version),
        (&good, &["-tls1", "-cipher", "ALL@SECLEVEL=0"], &version),
        (&good, &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], &cipher),
        (&good, &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], &cipher),
        (&good, &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], &cipher),
        (&good, &["-curves", "P-521"], &cipher),
        (&its_key, &[], &cipher),
    ] {
        assert_eq!(&openssl_fixture(script, options).cause(), said, "{options:?}");
    }
}

#[test]
fn server_that_wants_a_client_certificate_is_reported() {
    let good = format!("{CA}{REQUEST}{}", sign(NAME, ""));
    let said = "the server requires a client certificate, and autodns has none; let the \
                server accept clients without a certificate";
    assert_eq!(openssl_fixture(&good, &["-Verify", "1", "-CAfile", "ca.pem"]).cause(), said);
}

#[test]
fn certificate_names_are_quoted_and_truncated() {
    let many: Vec<String> =
        (0..60).map(|n| format!("DNS:{n}.{}.example", "x".repeat(60))).collect();
    let script =
        format!("{CA}{REQUEST}{}", sign(&format!("subjectAltName={}", many.join(",")), ""));
    let seen = openssl_fixture(&script, &[]).cause();
    assert!(seen.contains(" and 57 more, not for \"reflect.example.net\"; "), "{seen}");
    let forged =
        "subjectAltName=DER:30:14:82:12:61:0a:61:75:74:6f:64:6e:73:3a:20:6f:6b:1b:5b:33:31:6d";
    let seen = openssl_fixture(&format!("{CA}{REQUEST}{}", sign(forged, "")), &[]).cause();
    assert!(!seen.contains(['\n', '\u{1b}']), "{seen:?}");
}

#[test]
fn completed_name_with_wrong_certificate_advises_final_dot() {
    let script = format!("{CA}{REQUEST}{}", sign("subjectAltName=DNS:*.home.example", ""));
    let mut server = openssl_fixture(&script, &[]);
    server.fixture.sandbox.etc("resolv.conf", "nameserver 127.0.77.1\nsearch home.example\n");
    assert_eq!(
        server.cause(),
        "the server's certificate is for \"*.home.example\", not for \"reflect.example.net\"; \
         check who answers there, and write the full name with its final dot \
         (reflect.example.net.): the search list of /etc/resolv.conf may lead to another host"
    );
}

#[test]
fn name_with_a_final_dot_is_sent_unchanged() {
    let mut fixture = Fixture::new();
    let url = fixture.reflector.url().replace(HOST, &format!("{HOST}."));
    fixture.configure(|config| config["reflect_url"] = json!(url));
    // The C library does not find a name with a final dot in the hosts file.
    fixture.sandbox.hosts("127.0.0.1 reflect.example.net.");
    fixture.run().assert_silent();
    assert_eq!(fixture.reflector.request_lines().len(), 1);
}

#[test]
fn bundle_is_read_past_unreadable_certificates() {
    let good = ca::pem();
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n";
    let truncated = "-----BEGIN CERTIFICATE-----\nMIIBszCC\n";
    let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (what, bundle, ignored) in [
        ("a byte order mark", format!("\u{feff}{good}"), None),
        ("CRLF", good.replace('\n', "\r\n"), None),
        ("another CA and text", format!("# mine\n{}\nText: x\n{good}", ca::untrusted_pem()), None),
        ("a key", format!("{key}{good}"), None),
        ("a broken block before", format!("{broken}{good}"), Some("1 of 2")),
        ("a broken block after", format!("{good}{broken}"), Some("1 of 2")),
        ("a truncated block before", format!("{truncated}{good}"), Some("1 of 2")),
        ("a truncated block after", format!("{good}{truncated}"), Some("1 of 2")),
        ("not a certificate", format!("{wrong}{good}{wrong}"), Some("2 of 3")),
        ("Latin-1", format!("Z\u{fc}rich\n{good}"), None),
    ] {
        let mut fixture = Fixture::new();
        let bytes: Vec<u8> = if what == "Latin-1" {
            bundle.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
        } else {
            bundle.into_bytes()
        };
        let path = fixture.sandbox.write("bundle.pem", bytes);
        fixture.sandbox.set("AWS_CA_BUNDLE", path);
        fixture.run().assert_silent();
        let run = fixture.run_with(&["--verbose"]);
        let note = ignored.map(|count| {
            format!(
                "autodns: AWS_CA_BUNDLE: {{home}}/bundle.pem: {count} certificates cannot be read, \
                 and are ignored\n"
            )
        });
        assert_eq!(run.stderr.contains("are ignored"), note.is_some(), "{what}: {run:?}");
        assert!(run.stderr.contains(&note.unwrap_or_default()), "{what}: {run:?}");
    }
}

#[test]
fn bundle_without_a_readable_certificate_is_rejected() {
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n";
    let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (bundle, said) in [
        (broken, "contains no certificate that can be read"),
        (wrong, "contains no certificate that can be read"),
        (key, "contains no PEM certificate"),
        ("", "contains no PEM certificate"),
        ("{}\n", "contains no PEM certificate"),
    ] {
        let mut fixture = Fixture::new();
        let path = fixture.sandbox.write("bundle.pem", bundle);
        fixture.sandbox.set("AWS_CA_BUNDLE", path);
        let said = format!("autodns: AWS_CA_BUNDLE {{home}}/bundle.pem: {said}\n");
        fixture.assert_untouched(fixture.run().assert(2, "", &said));
    }
}

#[test]
fn bundle_that_cannot_be_read_is_rejected() {
    let mut fixture = Fixture::new();
    let pipe = fixture.sandbox.path("pipe");
    fixture.sandbox.pipe("pipe");
    for (path, said) in [
        (pipe.as_str(), "{home}/pipe: cannot be read: it is a named pipe, not a regular file"),
        ("/dev/zero", "/dev/zero: cannot be read: it is a device, not a regular file"),
        ("/etc", "/etc: cannot be read: Is a directory (os error 21)"),
        ("/missing.pem", "/missing.pem: cannot be read: No such file or directory (os error 2)"),
        ("/dev/null", "/dev/null: contains no PEM certificate"),
    ] {
        fixture.sandbox.set("AWS_CA_BUNDLE", path);
        let said = format!("autodns: AWS_CA_BUNDLE {said}\n");
        fixture.assert_untouched(fixture.run().assert(2, "", &said));
    }
}
