//! Does the quiet run of autodns with the official AWS SDK for Rust, written as its guide says. One
//! thread asks the reflector while the SDK lists the record. It is compared with autodns, so it
//! reads the same configuration and environment and must do exactly the same: exit with 0 and print
//! nothing if the record is right, else print the difference.

use std::error::Error;
use std::sync::Arc;
use std::{env, fs, process, thread};

use aws_credential_types::Credentials;
use aws_sdk_route53::config::Region;
use aws_sdk_route53::types::RrType;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() {
    if let Err(error) = run() {
        eprintln!("autodns-peer-sdk: {error}");
        process::exit(1);
    }
}

fn run() -> Result<()> {
    let file = env::args().nth(1).ok_or("usage: autodns-peer-sdk CONFIG")?;
    let config: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
    let text = |key: &str| {
        let value = config[key].as_str().map(str::to_owned);
        value.ok_or_else(|| format!("no {key} in the configuration"))
    };
    let ca = fs::read(env::var("AWS_CA_BUNDLE")?)?;

    let reflector = {
        let (url, ca) = (text("reflect_url")?, ca.clone());
        thread::spawn(move || reflected(&url, &ca))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listed = runtime.block_on(recorded(&text("hosted_zone_id")?, &text("dns_name")?, &ca))?;
    let address = reflector.join().map_err(|_| "the reflector's thread panicked")??;
    if listed != [address.as_str()] {
        return Err(format!("the address is {address}, the record has {listed:?}").into());
    }
    Ok(())
}

/// Returns the address that the reflector at `url` sees. Only trusts the certificates in `ca`.
fn reflected(url: &str, ca: &[u8]) -> Result<String> {
    let certificates: Vec<Certificate<'static>> = parse_pem(ca)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(crypto()))
        .build();
    let agent = ureq::Agent::config_builder().tls_config(tls).build().new_agent();
    let answer = agent.get(url).call()?.body_mut().read_to_string()?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(answer["your_ip"].as_str().ok_or("the reflector names no address")?.to_owned())
}

/// Returns the values of the A record `name` from Route 53.
async fn recorded(zone: &str, name: &str, ca: &[u8]) -> Result<Vec<String>> {
    let trusted = TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(ca))
        .build()?;
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(mode()))
        .tls_context(trusted)
        .build_https();
    let key = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "environment",
    );
    let config = aws_sdk_route53::Config::builder()
        .region(Region::from_static("us-east-1"))
        .endpoint_url(env::var("AWS_ENDPOINT_URL")?)
        .credentials_provider(key)
        .http_client(http)
        .build();
    let answer = aws_sdk_route53::Client::from_conf(config)
        .list_resource_record_sets()
        .hosted_zone_id(zone)
        .start_record_name(name)
        .start_record_type(RrType::A)
        .max_items(1)
        .send()
        .await
        .map_err(|error| format!("{error:?}"))?;
    let sets = answer.resource_record_sets();
    let set = sets
        .iter()
        .find(|set| set.name().trim_end_matches('.') == name && *set.r#type() == RrType::A);
    let records = set.ok_or("there is no such record")?.resource_records();
    Ok(records.iter().map(|record| record.value().to_owned()).collect())
}

#[cfg(not(feature = "ring"))]
fn mode() -> CryptoMode {
    CryptoMode::AwsLc
}

#[cfg(not(feature = "ring"))]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(feature = "ring")]
fn mode() -> CryptoMode {
    CryptoMode::Ring
}

#[cfg(feature = "ring")]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}
