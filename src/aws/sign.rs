//! Signs a request with Signature Version 4: takes a request, an endpoint and a time, and returns
//! the HTTP request with its Authorization header. Pure.

use std::time::SystemTime;

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as sign_parts,
};
use aws_sigv4::sign::v4::SigningParams;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};

use super::endpoint::Endpoint;
use super::{ApiRequest, Service};
use crate::clock::calendar;
use crate::credentials::Credentials;

/// Why a request cannot be signed, in the words of `aws_sigv4`.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// The HTTP request that sends `request` to `endpoint`, signed with `credentials` as of `now`.
///
/// An error if `now` is beyond the calendar, because `aws_sigv4` would panic.
///
/// The hash of the body is a signed header: AWS accepts it in all services, and moto requires it.
pub fn sign(
    request: &ApiRequest,
    endpoint: &Endpoint,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<Request<Vec<u8>>, Error> {
    if calendar(now).is_none() {
        return Err("no calendar has the time of the signature".into());
    }
    let builder = Request::builder()
        .method(request.method.clone())
        .uri(format!("{}{}", endpoint.base, request.path_and_query));
    let builder = match request.content_type {
        Some(content_type) => builder.header(CONTENT_TYPE, content_type),
        None => builder,
    };
    let mut signed = builder.body(request.body.clone().into_bytes())?;
    // Set here, because the signature covers the exact text that is sent.
    let host = signed.uri().authority().map(|authority| authority.as_str().parse());
    signed.headers_mut().insert(HOST, host.ok_or("the endpoint has no host")??);
    let service = match request.service {
        Service::Route53 => "route53",
        Service::Sns { .. } => "sns",
    };
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    add_signature(&mut signed, service, &endpoint.region, credentials, settings, now)?;
    Ok(signed)
}

fn add_signature(
    request: &mut Request<Vec<u8>>,
    service: &str,
    region: &str,
    credentials: &Credentials,
    settings: SigningSettings,
    now: SystemTime,
) -> Result<(), Error> {
    let identity = aws_credential_types::Credentials::new(
        &credentials.key_id,
        &credentials.secret_key,
        credentials.session_token.clone(),
        None,
        "autodns",
    )
    .into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let uri = request.uri().to_string();
    let mut headers = Vec::new();
    for (name, value) in request.headers() {
        headers.push((name.as_str(), value.to_str()?));
    }
    let body = SignableBody::Bytes(request.body());
    let signable =
        SignableRequest::new(request.method().as_str(), &uri, headers.into_iter(), body)?;
    let (instructions, _) = sign_parts(signable, &parameters)?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::aws::route53::{self, Start, ZoneId};
    use crate::aws::sns::{self, TopicArn};
    use crate::record::DnsName;

    /// 2015-08-30T12:36:00Z, the time of AWS's test suite.
    const SUITE: u64 = 1_440_938_160;
    /// 2013-05-24T00:00:00Z, the time of the examples in the S3 API reference.
    const S3: u64 = 1_369_353_600;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn key(key_id: &str, secret_key: &str, session_token: Option<&str>) -> Credentials {
        Credentials {
            key_id: key_id.into(),
            secret_key: secret_key.into(),
            session_token: session_token.map(Into::into),
            source: "a test".into(),
            file: None,
        }
    }

    fn authorization(request: &Request<Vec<u8>>) -> &str {
        request.headers()["authorization"].to_str().unwrap()
    }

    /// Cases of AWS's Signature Version 4 test suite ("aws-sig-v4-test-suite").
    #[test]
    fn signatures_match_the_test_suite_of_aws() {
        let key = key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
        let form = ("content-type", "application/x-www-form-urlencoded");
        for (name, method, path, header, body, signature) in [
            (
                "get-vanilla",
                Method::GET,
                "/",
                None,
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                Method::GET,
                "/?Param2=value2&Param1=value1",
                None,
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                Method::POST,
                "/",
                None,
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                Method::POST,
                "/",
                Some(form),
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let uri = format!("https://example.amazonaws.com{path}");
            let mut request = Request::builder().method(method).uri(uri);
            for (name, value) in [("host", "example.amazonaws.com")].into_iter().chain(header) {
                request = request.header(name, value);
            }
            let mut request = request.body(body.as_bytes().to_vec()).unwrap();
            let settings = SigningSettings::default();
            add_signature(&mut request, "service", "us-east-1", &key, settings, at(SUITE)).unwrap();
            let expected = format!(", Signature={signature}");
            assert!(authorization(&request).ends_with(&expected), "{name}");
        }
    }

    /// The examples in the S3 API reference, which sign the hash of the body like autodns does.
    #[test]
    fn signatures_with_a_body_hash_match_the_s3_reference() {
        let key = key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        for (path, range, signature) in [
            (
                "/test.txt",
                Some(("range", "bytes=0-9")),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/?lifecycle",
                None,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/?max-keys=2&prefix=J",
                None,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let uri = format!("https://examplebucket.s3.amazonaws.com{path}");
            let mut request =
                Request::builder().uri(uri).header("host", "examplebucket.s3.amazonaws.com");
            if let Some((name, value)) = range {
                request = request.header(name, value);
            }
            let mut request = request.body(Vec::new()).unwrap();
            let mut settings = SigningSettings::default();
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            add_signature(&mut request, "s3", "us-east-1", &key, settings, at(S3)).unwrap();
            let expected = format!(", Signature={signature}");
            assert!(authorization(&request).ends_with(&expected), "{path}");
        }
    }

    fn endpoint(base: &str, region: &str) -> Endpoint {
        Endpoint { base: base.into(), region: region.into() }
    }

    fn lines(request: &Request<Vec<u8>>) -> String {
        let mut lines: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        format!("{} {}\n{}", request.method(), request.uri(), lines.join("\n"))
    }

    #[test]
    fn time_beyond_the_calendar_is_an_error() {
        let request = sns::publish(
            &TopicArn::parse("arn:aws:sns:eu-west-1:123456789012:t").unwrap(),
            "subject",
            "text",
        );
        let endpoint = endpoint("https://sns.eu-west-1.amazonaws.com", "eu-west-1");
        let key = key("AKID", "secret", None);
        for (seconds, is_signed) in
            [(253_402_300_799, true), (253_402_300_800, false), (1 << 40, false)]
        {
            assert_eq!(
                sign(&request, &endpoint, &key, at(seconds)).is_ok(),
                is_signed,
                "{seconds}"
            );
        }
    }

    #[test]
    fn signed_list_is_the_golden_request() {
        let name = DnsName::from_config("*.home.example.com").unwrap();
        let request = route53::list(&ZoneId::parse("Z1").unwrap(), &Start::at(&name), 10);
        let endpoint = endpoint("https://route53.amazonaws.com", "us-east-1");
        let request = sign(&request, &endpoint, &key("AKID", "secret", None), at(SUITE)).unwrap();
        assert_eq!(
            lines(&request),
            "GET https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset\
             ?maxitems=10&name=%5C052.home.example.com\n\
             authorization: AWS4-HMAC-SHA256 \
             Credential=AKID/20150830/us-east-1/route53/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature=8b1115bf0f80139ad299a6041d81e77d820fd850d19e9dc1cf8197bc9aef97af\n\
             host: route53.amazonaws.com\n\
             x-amz-content-sha256: \
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
             x-amz-date: 20150830T123600Z"
        );
    }

    #[test]
    fn signed_publish_with_session_token_is_golden() {
        let topic = TopicArn::parse("arn:aws:sns:eu-west-1:123456789012:t").unwrap();
        let request = sns::publish(&topic, "subject", "message");
        let endpoint = endpoint("http://127.0.0.1:5000/prefix", "eu-west-1");
        let key = key("AKID", "secret", Some("token"));
        let request = sign(&request, &endpoint, &key, at(SUITE)).unwrap();
        assert_eq!(
            lines(&request),
            "POST http://127.0.0.1:5000/prefix/\n\
             authorization: AWS4-HMAC-SHA256 \
             Credential=AKID/20150830/eu-west-1/sns/aws4_request, SignedHeaders=\
             content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, \
             Signature=d372bcd100ac38be9e1972321d842b369d9d85461439277b89ba76768c111af8\n\
             content-type: application/x-www-form-urlencoded; charset=utf-8\n\
             host: 127.0.0.1:5000\n\
             x-amz-content-sha256: \
             17c8deddd348d4b01e1d5e12c673f2329bffc0483261b71bf4cbbffbe8e3cbb2\n\
             x-amz-date: 20150830T123600Z\n\
             x-amz-security-token: token"
        );
    }
}
