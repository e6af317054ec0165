//! No output shows a secret, even if a reflector, AWS or a proxy echoes it. Every run of every test
//! is searched for secrets (support/sandbox.rs, support/fixture.rs). In these tests the servers
//! echo the secrets in all encodings, and the tests assert the rest of the message.

use serde_json::json;

use crate::support::assert_text;
use crate::support::expected::{
    CHANGE_FAILED, LIST_FAILED, PUBLISH_FAILED, address_failed, out_of_order,
};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{Fault, KEY_ID, SECRET_KEY};
use crate::support::fake_reflector::{SECRET_DECODED, SECRET_QUERY};
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Response};
use crate::support::sigv4::Secret;
use crate::support::text::{hex, percent_encode};

const TOKEN: &str = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";

/// A fixture with a session token, so that there are three secrets to leak.
fn with_session_token() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.secret(TOKEN);
    fixture.sandbox.set("AWS_SESSION_TOKEN", TOKEN);
    let secret = Secret { secret: SECRET_KEY.into(), token: Some(TOKEN.into()) };
    fixture.aws.state().keys.insert(KEY_ID.into(), secret);
    fixture
}

#[test]
fn query_echoed_by_a_reflector_is_hidden() {
    let advice = "check the reflector, and the key in reflect_url if it has one";
    let lower = SECRET_QUERY.replace("%2F", "%2f").replace("%2B", "%2b");
    let (long, cut) = ("x".repeat(400), "x".repeat(300 - "'[hidden]' ".len()));
    let padding = "x".repeat(290);
    // The echo in the response, and the text in its place in the message.
    for (echo, left) in [
        (format!("no such key: {SECRET_QUERY}"), "no such key: [hidden]".to_owned()),
        (format!("no such key: {SECRET_DECODED}"), "no such key: [hidden]".to_owned()),
        (format!("no such key: {lower}"), "no such key: [hidden]".to_owned()),
        (
            format!("no such key: {}", SECRET_DECODED.replace('+', " ")),
            "no such key: [hidden]".to_owned(),
        ),
        (
            format!("GET /reflect/v1?apikey={SECRET_QUERY} HTTP/1.1"),
            "GET /reflect/v1?[hidden] HTTP/1.1".to_owned(),
        ),
        (format!("'{SECRET_DECODED}' {long}"), format!("'[hidden]' {cut}...")),
        // A truncation inside the secret leaves no part of it.
        (format!("{padding} {SECRET_DECODED}"), format!("{padding} [hidden]")),
    ] {
        for (status, body, cause, advice) in [
            (200, json!({ "error": echo }).to_string(), format!("it reported \"{left}\""), advice),
            (
                403,
                json!({ "error": echo, "your_ip": "" }).to_string(),
                format!("it answered 403: \"{left}\""),
                advice,
            ),
            // Other responses are not quoted.
            (
                200,
                echo.clone(),
                format!("it answered {} bytes of text, not an address", echo.len()),
                advice,
            ),
            (
                500,
                echo.clone(),
                "it answered 500".to_owned(),
                "wait for the next run, which tries again",
            ),
        ] {
            let fixture = with_session_token();
            fixture.reflector.replies(Family::V4, Response::new(status, "text/plain", body));
            let said = format!("{}{cause}; {advice}\n", address_failed(Family::V4));
            fixture.run().assert(1, "", &said);
            assert_eq!(fixture.aws.published().len(), 1);
        }
    }
}

/// The encodings in which a server may echo a secret.
fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let each = |by: &str| secret.chars().map(String::from).collect::<Vec<_>>().join(by);
    let base64 = |before: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$1\" | base64 -w0", "sh", &format!("{before}{secret}")])
            .output();
        String::from_utf8(output.expect("sh and base64 run").stdout).expect("ASCII")
    };
    vec![
        ("in part", secret[3..12].to_owned()),
        ("in capitals", secret.to_uppercase()),
        ("in part and small letters", secret[5..].to_lowercase()),
        ("in base64", base64("")),
        ("in base64 after one character", base64("x")),
        ("in base64 after two characters", base64("pi")),
        ("in base64 for URLs", base64("").replace('+', "-").replace('/', "_")),
        ("in hexadecimal", hex(secret.as_bytes())),
        ("in capital hexadecimal", hex(secret.as_bytes()).to_uppercase()),
        ("percent-encoded", percent_encode(secret.as_bytes())),
        ("wholly percent-encoded", secret.bytes().map(|b| format!("%{b:02x}")).collect::<String>()),
        ("with zero-width spaces", each("\u{200b}")),
        ("with word joiners", each("\u{2060}")),
        ("with spaces", each(" ")),
        ("with line breaks", each("\r\n")),
        ("with dashes", each("-")),
    ]
}

#[test]
fn encoded_reflector_key_in_an_echo_is_hidden() {
    for (what, echo) in encodings(SECRET_DECODED) {
        let mut fixture = with_session_token();
        fixture.remove_from_config("topic_arn");
        let body = json!({ "error": format!("it is not '{echo}'!") }).to_string();
        fixture.reflector.replies(Family::V4, Response::new(403, "application/json", body));
        let run = fixture.run_with(&["--verbose"]);
        assert_eq!(run.status.code(), Some(1), "{what}: {run:?}");
        let said = "it answered 403: \"it is not '[hidden]'!\"";
        assert!(run.stderr.contains(said), "{what}:\n{}", run.stderr);
    }
}

#[test]
fn encoded_aws_keys_in_an_echo_are_hidden() {
    for secret in [SECRET_KEY, TOKEN] {
        for (what, echo) in encodings(secret) {
            let mut fixture = with_session_token();
            fixture.remove_from_config("topic_arn");
            // The echo comes in XML, whose parser joins lines.
            let message = format!("It was '{echo}' here");
            fixture.aws.always(List, Fault::Error(403, "SignatureDoesNotMatch", message));
            let run = fixture.run();
            let said = format!("{LIST_FAILED}SignatureDoesNotMatch: It was '[hidden]' here; ");
            assert!(run.stderr.starts_with(&said), "{what}:\n{}", run.stderr);
        }
    }
}

#[test]
fn session_token_in_a_truncated_echo_is_hidden() {
    let token: String =
        (0_u32..40).map(|n| format!("{TOKEN}{}", n.wrapping_mul(2_654_435_761))).collect();
    for echo in [
        token[..400].to_owned(),
        token[100..].to_owned(),
        token.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\n").collect(),
        format!("{} {token}", "x ".repeat(145)),
    ] {
        let mut fixture = Fixture::new();
        fixture.sandbox.secret(&token);
        fixture.sandbox.set("AWS_SESSION_TOKEN", &token);
        let secret = Secret { secret: SECRET_KEY.into(), token: Some(token.clone()) };
        fixture.aws.state().keys.insert(KEY_ID.into(), secret);
        fixture.remove_from_config("topic_arn");
        fixture.aws.always(List, Fault::Error(403, "ExpiredToken", format!("expired: {echo}")));
        let run = fixture.run();
        assert!(
            run.stderr.starts_with(&format!("{LIST_FAILED}ExpiredToken: expired: ")),
            "{run:?}"
        );
    }
}

#[test]
fn url_with_a_slash_in_its_password_is_rejected_unquoted() {
    for url in ["https://user:8080/t4ilOfIt@host/", "https://user:8080?t4ilOfIt@host/"] {
        for key in ["reflect_url", "heartbeat_url"] {
            let mut fixture = Fixture::new();
            fixture.sandbox.secret("t4ilOfIt");
            fixture.configure(|config| config[key] = json!(url));
            let run = fixture.run();
            assert_eq!(run.status.code(), Some(2), "{run:?}");
            assert!(run.stderr.contains("must be a URL with no @ after its host: "), "{run:?}");
            fixture.assert_untouched(&run);
        }
        let mut fixture = Fixture::new();
        fixture.sandbox.secret("t4ilOfIt");
        fixture.sandbox.set("AWS_ENDPOINT_URL", url.replace("https:", "http:"));
        let run = fixture.run();
        assert_eq!(run.status.code(), Some(2), "{run:?}");
        assert!(run.stderr.starts_with("autodns: AWS_ENDPOINT_URL is not the URL of"), "{run:?}");
        fixture.assert_untouched(&run);
    }
}

#[test]
fn key_in_the_path_of_a_reflector_is_hidden() {
    let mut fixture = with_session_token();
    let key = "550e8400-e29b-41d4-a716-446655440000";
    fixture.sandbox.secret(key);
    let base = fixture.reflector.server().url("reflect2.example.net");
    fixture.configure(|config| config["reflect_url"] = json!(format!("{base}/v1/{key}/ip")));
    let body = json!({ "error": format!("no such path: /v1/{key}/ip") }).to_string();
    fixture.reflector.at(&format!("/v1/{key}/ip"), Response::new(404, "application/json", body));
    let run = fixture.run_with(&["--verbose"]);
    assert!(
        run.stderr.contains(".example.net:{port}/v1/[hidden]/ip: it answered 404: "),
        "{run:?}"
    );
}

#[test]
fn secret_in_a_redirect_is_hidden() {
    // Both the query of the config and the query of the redirect are hidden.
    let mut fixture = with_session_token();
    fixture.sandbox.secret("N3w%2FSp3cial%2Fkey");
    let query = format!("apikey={SECRET_QUERY}&other=N3w%2FSp3cial%2Fkey");
    let base = fixture.reflector.server().url("reflect2.example.net");
    let target = format!("{base}/two?{query}");
    fixture.reflector.replies(Family::V4, Response::redirect(302, &target));
    fixture.reflector.at(&format!("/two?{query}"), Response::text("out of order"));
    let run = fixture.run_with(&["--verbose"]);
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""));
    assert_text(
        &run.sorted_stderr(),
        "autodns: Route 53 has A 192.175.48.1 for home.example.com\n\
         autodns: asking {reflector}/reflect/v1 over IPv4\n\
         autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: key id ...ST07 from the environment\n\
         autodns: listing up to 10 record sets of hosted zone {zone} from home.example.com\n\
         autodns: published message 567910cd-659e-55d4-8ccb-5aaf14679dc0 to {topic}\n\
         autodns: {reflector}/reflect/v1 over IPv4: it answered 12 bytes of text, not \
         an address; check the reflector, and the key in reflect_url if it has one\n",
    );
    fixture
        .reflector
        .at(&format!("/two?{query}"), Response::redirect(302, &format!("http://[?{query}")));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it redirects to a place that is not an https URL; check \
         reflect_url\n",
    );
    fixture.reflector.at(&format!("/two?{query}"), Response::redirect(302, &target));
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not get the public IPv4 address from \
         {reflector}/reflect/v1: it redirects more than 2 times; check reflect_url\n",
    );
}

#[test]
fn keys_echoed_by_aws_are_hidden() {
    let cause = "SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the \
                  secret access key from the environment, which wins over every file\n";
    for (operation, beginning) in [
        (List, LIST_FAILED.to_owned()),
        (Change, CHANGE_FAILED.to_owned()),
        (Publish, out_of_order(Family::V4) + PUBLISH_FAILED),
    ] {
        for secret in [SECRET_KEY, TOKEN] {
            for echo in [secret.to_owned(), percent_encode(secret.as_bytes())] {
                let fixture = with_session_token();
                if operation == Publish {
                    fixture.reflector.fails(Family::V4);
                }
                let message = format!("The key '{echo}' is not what was expected");
                fixture.aws.always(operation, Fault::Error(403, "SignatureDoesNotMatch", message));
                fixture.run().assert(1, "", &format!("{beginning}{cause}"));
            }
        }
    }
}

#[test]
fn verbose_and_dry_runs_show_no_secret() {
    let fixture = with_session_token();
    for options in [&["--verbose"][..], &["--dry-run", "--verbose"]] {
        let run = fixture.run_with(options);
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        assert!(!run.stderr.is_empty());
    }
    fixture.reflector.replies(Family::V4, Response::text(format!("<{SECRET_DECODED}>")));
    let run = fixture.run_with(&["--verbose"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
}
