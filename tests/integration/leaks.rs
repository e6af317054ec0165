//! Secrets stay secret, even where a reflector, AWS or a proxy says them back. Every run of every
//! scenario is searched (support/sandbox.rs, support/scene.rs); here they are echoed on purpose, in
//! all their forms, and what is left of the message is asserted.

use serde_json::json;

use crate::support::assert_text;
use crate::support::aws::Call::{Change, List, Publish};
use crate::support::aws::{Fault, KEY_ID, SECRET_KEY};
use crate::support::http::{Answer, Family};
use crate::support::reflector::{SECRET_DECODED, SECRET_QUERY};
use crate::support::scene::Scene;
use crate::support::sigv4::Secret;
use crate::support::text::percent_encode;
use crate::support::words::{UNCHANGED, UNLISTED, UNPUBLISHED, out_of_order, unlearnt};

const TOKEN: &str = "FwoGZXIvYXdzEJr//t0ken/With+Every=Char==";

/// A scene with a session token, so that there are three secrets to leak.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.sandbox.secret(TOKEN);
    scene.sandbox.set("AWS_SESSION_TOKEN", TOKEN);
    let secret = Secret { secret: SECRET_KEY.into(), token: Some(TOKEN.into()) };
    scene.aws.world().keys.insert(KEY_ID.into(), secret);
    scene
}

#[test]
fn a_reflector_that_says_its_query_back() {
    let advice = "check the reflector, and the key in reflect_url if it has one";
    let lower = SECRET_QUERY.replace("%2F", "%2f").replace("%2B", "%2b");
    let (long, cut) = ("x".repeat(400), "x".repeat(300 - "'[hidden]' ".len()));
    let padding = "x".repeat(290);
    // What the reflector says, and what is left of it in a message.
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
        // A cut that falls into the secret leaves no half of it.
        (format!("{padding} {SECRET_DECODED}"), format!("{padding} [hidden]")),
    ] {
        for (status, body, reason, advice) in [
            (200, json!({ "error": echo }).to_string(), format!("it reported \"{left}\""), advice),
            (
                403,
                json!({ "error": echo, "your_ip": "" }).to_string(),
                format!("it answered 403: \"{left}\""),
                advice,
            ),
            // Of anything else not a word is quoted.
            (
                200,
                echo.clone(),
                format!("it answered {} bytes of text, not an address", echo.len()),
                advice,
            ),
            (500, echo.clone(), "it answered 500".to_owned(), "the next run tries again"),
        ] {
            let scene = scene();
            scene.reflector.replies(Family::V4, Answer::new(status, "text/plain", body));
            let said = format!("{}{reason}; {advice}\n", unlearnt(Family::V4));
            scene.run().assert(1, "", &said);
            assert_eq!(scene.aws.published().len(), 1);
        }
    }
}

#[test]
fn a_redirect_with_a_secret_in_it() {
    // Neither the query of the config nor one that only the redirect has.
    let mut scene = scene();
    scene.sandbox.secret("N3w%2Fsecret%2Fkey");
    let query = format!("apikey={SECRET_QUERY}&other=N3w%2Fsecret%2Fkey");
    let base = scene.reflector.server().url("reflect2.example.net");
    let target = format!("{base}/two?{query}");
    scene.reflector.replies(Family::V4, Answer::redirect(302, &target));
    scene.reflector.at(&format!("/two?{query}"), Answer::text("out of order"));
    let run = scene.run_with(&["--verbose"]);
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""));
    assert_text(
        &run.sorted_stderr(),
        "autodns: Route 53 has A 192.175.48.1 for home.example.com\n\
         autodns: asking {reflector}/reflect/v1 over IPv4\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 12 bytes of text, not an address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: key id ...ST07 from the environment\n\
         autodns: listing home.example.com in hosted zone {zone}\n\
         autodns: published message 567910cd-659e-55d4-8ccb-5aaf14679dc0 to {topic}\n\
         autodns: {reflector}/reflect/v1 over IPv4: it answered 12 bytes of text, not \
         an address; check the reflector, and the key in reflect_url if it has one\n",
    );
    scene
        .reflector
        .at(&format!("/two?{query}"), Answer::redirect(302, &format!("http://[?{query}")));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it redirects to what is no https URL; check reflect_url\n",
    );
    scene.reflector.at(&format!("/two?{query}"), Answer::redirect(302, &target));
    scene.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it redirects more than 2 times; check reflect_url\n",
    );
}

#[test]
fn an_aws_that_says_the_key_back() {
    let reason = "SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the \
                  secret access key\n";
    for (call, beginning) in [
        (List, UNLISTED.to_owned()),
        (Change, UNCHANGED.to_owned()),
        (Publish, out_of_order(Family::V4) + UNPUBLISHED),
    ] {
        for secret in [SECRET_KEY, TOKEN] {
            for echo in [secret.to_owned(), percent_encode(secret.as_bytes())] {
                let scene = scene();
                if call == Publish {
                    scene.reflector.replies(Family::V4, Answer::text("out of order"));
                }
                let message = format!("The key '{echo}' is not what was expected");
                scene.aws.always(call, Fault::Error(403, "SignatureDoesNotMatch", message));
                scene.run().assert(1, "", &format!("{beginning}{reason}"));
            }
        }
    }
}

#[test]
fn verbose_and_dry_runs_show_none_either() {
    let scene = scene();
    for options in [&["--verbose"][..], &["--dry-run", "--verbose"]] {
        let run = scene.run_with(options);
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        assert!(!run.stderr.is_empty());
    }
    scene.reflector.replies(Family::V4, Answer::text(format!("<{SECRET_DECODED}>")));
    let run = scene.run_with(&["--verbose"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
}
