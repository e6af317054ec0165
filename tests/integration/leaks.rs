//! Secrets stay secret, even where a reflector, AWS or a proxy says them back. Every run of every
//! scenario is searched (support/sandbox.rs, support/scene.rs); here they are echoed on purpose, in
//! all their forms, and what is left of the message is asserted.

use crate::support::assert_text;
use crate::support::aws::Call::{Change, List, Publish};
use crate::support::aws::{Fault, KEY_ID, SECRET_KEY};
use crate::support::http::{Answer, Family};
use crate::support::reflector::{SECRET_DECODED, SECRET_QUERY};
use crate::support::scene::Scene;
use crate::support::sigv4::Secret;
use crate::support::text::percent_encode;

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
    let mut seen = String::new();
    let lower = SECRET_QUERY.replace("%2F", "%2f").replace("%2B", "%2b");
    for echo in [
        format!("no such key: {SECRET_QUERY}"),
        format!("no such key: {SECRET_DECODED}"),
        format!("no such key: {lower}"),
        format!("no such key: {}", SECRET_DECODED.replace('+', " ")),
        format!("GET /reflect/v1?apikey={SECRET_QUERY} HTTP/1.1"),
        format!("'{SECRET_DECODED}' {}", "x".repeat(400)),
        format!("{} {SECRET_DECODED}", "x".repeat(290)),
    ] {
        for (status, body) in [
            (200, serde_json::json!({ "error": echo }).to_string()),
            (403, serde_json::json!({ "error": echo, "your_ip": "" }).to_string()),
            (200, echo.clone()),
            (500, echo.clone()),
        ] {
            let scene = scene();
            scene.reflector.replies(Family::V4, Answer::new(status, "text/plain", body));
            let run = scene.run();
            assert_eq!(run.status.code(), Some(1), "{run:?}");
            assert_eq!(scene.aws.published().len(), 1);
            seen += &run.stderr;
        }
    }
    assert_text(
        &seen,
        "autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"no such key: [hidden]\"; check the reflector, \
         and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"no such key: [hidden]\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"no such key: [hidden]\", which is no address; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"no such key: [hidden]\"; check the reflector, \
         and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"no such key: [hidden]\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"no such key: [hidden]\", which is no address; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"no such key: [hidden]\"; check the reflector, \
         and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"no such key: [hidden]\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"no such key: [hidden]\", which is no address; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"no such key: [hidden]\"; check the reflector, \
         and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"no such key: [hidden]\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"no such key: [hidden]\", which is no address; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"GET /reflect/v1?[hidden] HTTP/1.1\"; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"GET /reflect/v1?[hidden] HTTP/1.1\"; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"GET /reflect/v1?[hidden] HTTP/1.1\", which is \
         no address; check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \"'[hidden]' \
         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \"'[hidden]' \
         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"; \
         check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"'[hidden]' \
         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\", \
         which is no address; check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it reported \
         \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \
         [hidden]\"; check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 403: \
         \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \
         [hidden]\"; check the reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \
         \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx \
         [hidden]\", which is no address; check the reflector, and the key in reflect_url if \
         it has one\n\
         autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered 500; check the reflector, and the key in \
         reflect_url if it has one\n",
    );
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
         {reflector}/reflect/v1: it answered \"out of order\", which is no address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: key id ...ST07 from the environment\n\
         autodns: listing home.example.com in hosted zone {zone}\n\
         autodns: published message 567910cd-659e-55d4-8ccb-5aaf14679dc0 to {topic}\n\
         autodns: {reflector}/reflect/v1 over IPv4: it answered \"out of order\", which is no \
         address; check the reflector, and the key in reflect_url if it has one\n",
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
    let mut seen = String::new();
    for call in [List, Change, Publish] {
        for secret in [SECRET_KEY, TOKEN] {
            for echo in [secret.to_owned(), percent_encode(secret.as_bytes())] {
                let scene = scene();
                if call == Publish {
                    scene.reflector.replies(Family::V4, Answer::text("out of order"));
                }
                let message = format!("The key '{echo}' is not what was expected");
                scene.aws.always(call, Fault::Error(403, "SignatureDoesNotMatch", message));
                let run = scene.run();
                assert_eq!(run.status.code(), Some(1), "{run:?}");
                seen += &format!("{call:?}: {}", run.stderr);
            }
        }
    }
    assert_text(
        &seen,
        "List: autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         List: autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         List: autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         List: autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         Change: autodns: home.example.com A: could not change the record in hosted zone \
         {zone}: SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check \
         the secret access key\n\
         Change: autodns: home.example.com A: could not change the record in hosted zone \
         {zone}: SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check \
         the secret access key\n\
         Change: autodns: home.example.com A: could not change the record in hosted zone \
         {zone}: SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check \
         the secret access key\n\
         Change: autodns: home.example.com A: could not change the record in hosted zone \
         {zone}: SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check \
         the secret access key\n\
         Publish: autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"out of order\", which is no address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         Publish: autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"out of order\", which is no address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         Publish: autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"out of order\", which is no address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n\
         Publish: autodns: home.example.com A: could not learn the public IPv4 address from \
         {reflector}/reflect/v1: it answered \"out of order\", which is no address; check the \
         reflector, and the key in reflect_url if it has one\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The key '[hidden]' is not what was expected; check the secret \
         access key\n",
    );
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
