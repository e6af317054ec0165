//! Invalid responses of a server, or of someone on the way to it: compressed, endless, of a wrong
//! length, deeply nested, with NULs, the page of a captive portal. The program reports each as an
//! error, needs little memory for it, and changes no record.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use crate::support::assert_text;
use crate::support::expected::{
    self, CHANGE_FAILED, LIST_FAILED, PUBLISH_FAILED, UNCONFIRMED, address_failed,
};
use crate::support::fake_aws::Operation::{self, Change, List, Publish};
use crate::support::fake_aws::{Fault, ZONE_ID};
use crate::support::fixture::Fixture;
use crate::support::http::{End, Family, Reply, Response};
use crate::support::sandbox::Run;

/// The memory limit of a run: twice what a debug build needs, and far less than it would need to
/// read these responses to their end or to expand them.
const MEMORY: &str = "--data=33554432";

/// A run with that memory limit and one attempt per request.
#[track_caller]
fn limited_run(fixture: &mut Fixture) -> Run {
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    let config = fixture.sandbox.path("autodns.json");
    let run = fixture.finish(fixture.sandbox.spawn_by(&["prlimit", MEMORY], &[&config]));
    for request in [fixture.aws.server().requests(), fixture.reflector.server().requests()].concat()
    {
        // autodns does not ask for compressed responses.
        assert_eq!(request.header("accept-encoding").unwrap_or("identity"), "identity");
    }
    run
}

/// A hundred million zeros, compressed to a hundred thousand bytes.
fn gzip_bomb() -> Vec<u8> {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    let bomb = BOMB.get_or_init(|| {
        let output = Command::new("sh")
            .args(["-c", "head -c 100000000 /dev/zero | gzip"])
            .stdin(Stdio::null())
            .output()
            .expect("sh, head and gzip run");
        assert!(output.stdout.starts_with(b"\x1f\x8b") && output.stdout.len() > 50_000);
        output.stdout
    });
    bomb.clone()
}

/// The invalid replies that any server may send in place of the body `good`. `large` is more bytes
/// than the program accepts.
fn replies_of_any_server(good: &str, large: usize) -> Vec<(&'static str, Reply)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n");
    let forever = |first: &str, again: &str| Reply::Forever(first.into(), again.into());
    let with = |headers: &str| {
        let text = format!("{ok}{headers}\r\n\r\n{good}");
        Reply::Raw(text.into_bytes(), End::Close)
    };
    let length = |length: &str| with(&format!("Content-Length: {length}"));
    let gzip = Response::new(200, "text/plain", gzip_bomb()).with("Content-Encoding", "gzip");
    let portal = "<!DOCTYPE html><html><body>Please accept the terms<br></body></html>";
    let page = |status, text: &str| Reply::from(Response::new(status, "text/html", text));
    vec![
        ("gzip", gzip.into()),
        ("too large", Response::text("x".repeat(large)).into()),
        ("endless chunks", Reply::Endless),
        ("an endless size of a chunk", forever(&chunked, "1")),
        ("an endless chunk", forever(&format!("{chunked}ffffffffffffff\r\n"), "x")),
        ("endless with no length", forever(&format!("{ok}\r\n"), "x")),
        ("an endless status line", forever("HTTP/1.1 200 ", "x")),
        ("an endless header", forever(ok, "x")),
        ("endless headers", forever(ok, "X-More: x\r\n")),
        ("a length of 16 EiB", length("18446744073709551615")),
        ("a length above 16 EiB", length("18446744073709551616")),
        ("a negative length", length("-1")),
        ("two lengths", with(&format!("Content-Length: 3\r\nContent-Length: {}", good.len()))),
        ("a length too long", length(&(good.len() + 1).to_string())),
        ("a length too short", length(&(good.len() - 1).to_string())),
        ("a portal's page", page(200, portal)),
        ("a portal's page of XML", page(200, "<html><body><p>Please sign in</p></body></html>")),
    ]
}

/// The invalid XML replies in place of the document `good`. Its first line must be the declaration.
fn replies_of_aws(good: &str) -> Vec<(&'static str, Reply)> {
    let (_, root) = good.split_once('\n').expect("a line of its own");
    let (start, inside) = root.split_once('>').expect("a root");
    let name = root_name(good);
    let doctype = |entities: &str, reference: &str| {
        format!("<!DOCTYPE {name} [{entities}]>{start}>{reference}{inside}")
    };
    let laughs: String = (1..10)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let begins_with = |text: &str| format!("{start}>{text}{inside}");
    let deep = "<a>".repeat(100_000);
    [
        ("a billion laughs", doctype(&format!("<!ENTITY l0 \"ha\">{laughs}"), "&l9;")),
        ("a file's content", doctype("<!ENTITY f SYSTEM \"file:///etc/passwd\">", "&f;")),
        ("entities with no DOCTYPE", begins_with("&l9;")),
        ("deep", begins_with(&(deep.clone() + &"</a>".repeat(100_000)))),
        ("deep and open", deep),
        ("wide", begins_with(&"<a/>".repeat(200_000))),
        ("a NUL before", format!("\0{good}")),
        ("a NUL after", format!("{good}\0")),
        ("a NUL between elements", begins_with("\0")),
        ("a NUL in a tag", good.replace(name, &format!("{name}\0"))),
        ("an ESC as a reference", begins_with("&#27;")),
    ]
    .into_iter()
    .map(|(what, body)| (what, Response::new(200, "text/xml", body).into()))
    .collect()
}

fn root_name(document: &str) -> &str {
    let (_, root) = document.split_once("?>\n<").expect("a declaration");
    root.split([' ', '>']).next().expect("a name")
}

/// A valid body for that operation.
fn valid_body(operation: Operation) -> String {
    let (root, inside) = match operation {
        List => {
            let response =
                Fixture::new().aws.state().route53.list(ZONE_ID, "name=home.example.com");
            return String::from_utf8(response.body).expect("XML");
        }
        Change => (
            "ChangeResourceRecordSetsResponse",
            "<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status></ChangeInfo>",
        ),
        Publish => {
            ("PublishResponse", "<PublishResult><MessageId>567910cd</MessageId></PublishResult>")
        }
    };
    format!("<?xml version=\"1.0\"?>\n<{root} xmlns=\"x\">{inside}</{root}>")
}

/// The message for each reply to that operation, without the common beginning.
fn errors_for_replies(
    operation: Operation,
    beginning: &str,
    replies: Vec<(&str, Reply)>,
) -> String {
    let good = valid_body(operation);
    let mut seen = String::new();
    for (what, reply) in replies {
        let mut fixture = Fixture::new();
        if operation == Publish {
            fixture.reflector.fails(Family::V4);
        }
        fixture.aws.always(operation, Fault::Instead(reply));
        let run = limited_run(&mut fixture);
        let cause = match (run.status.code(), run.stderr.strip_prefix(beginning)) {
            (Some(1), Some(cause)) => cause.replace(root_name(&good), "{root}"),
            _ => format!("{run:?}\n"),
        };
        seen += &format!("{what}: {cause}");
        match operation {
            List => assert_eq!(fixture.aws.operations(), [List, Publish], "{what}"),
            Change => assert_eq!(fixture.aws.operations(), [List, Change, Publish], "{what}"),
            // The run writes no lock. If the alert may have arrived, it writes a pending file.
            Publish if beginning.contains("could not confirm") => {
                run.assert_wrote(&["+ .autodns.lock.pending"]);
            }
            Publish => drop(run.assert_wrote(&[])),
        }
        assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.1", "{what}");
    }
    seen
}

const EXPECTED_ERRORS: &str = "\
gzip: {aws}: the response is not UTF-8; check who answers there
too large: {aws}: the response is too large; check who answers there
endless chunks: {aws}: the response is too large; check who answers there
an endless size of a chunk: {aws}: the response is not HTTP; check who answers there
an endless chunk: {aws}: the response is too large; check who answers there
endless with no length: {aws}: the response is too large; check who answers there
an endless status line: {aws}: the response is too large; check who answers there
an endless header: {aws}: the response is too large; check who answers there
endless headers: {aws}: the response is not HTTP; check who answers there
a length of 16 EiB: {aws}: the connection was closed before the response was whole; check the \
connection if the next run fails too
a length above 16 EiB: {aws}: the response is not HTTP; check who answers there
a negative length: {aws}: the response is not HTTP; check who answers there
two lengths: {aws}: the response is not HTTP; check who answers there
a length too long: {aws}: the connection was closed before the response was whole; check the \
connection if the next run fails too
a length too short: {aws} answered 200, and the response is not XML; check who answers there: it \
is not AWS
a portal's page: {aws} answered 200, and the response is XML with a DOCTYPE; check who answers \
there: it is not AWS
a portal's page of XML: {aws} answered 200, and the response is XML, but not a {root}; check who \
answers there: it is not AWS
a billion laughs: {aws} answered 200, and the response is XML with a DOCTYPE; check who answers \
there: it is not AWS
a file's content: {aws} answered 200, and the response is XML with a DOCTYPE; check who answers \
there: it is not AWS
entities with no DOCTYPE: {aws} answered 200, and the response is XML with an entity of its own; \
check who answers there: it is not AWS
deep: {aws} answered 200, and the response is XML nested deeper than any response of AWS; check \
who answers there: it is not AWS
deep and open: {aws} answered 200, and the response is XML nested deeper than any response of AWS; \
check who answers there: it is not AWS
wide: {aws} answered 200, and the response is XML with more elements than any response of AWS; \
check who answers there: it is not AWS
a NUL before: {aws} answered 200, and the response is XML with a character that XML forbids; \
check who answers there: it is not AWS
a NUL after: {aws} answered 200, and the response is XML with a character that XML forbids; check \
who answers there: it is not AWS
a NUL between elements: {aws} answered 200, and the response is XML with a character that XML \
forbids; check who answers there: it is not AWS
a NUL in a tag: {aws} answered 200, and the response is XML with a character that XML forbids; \
check who answers there: it is not AWS
an ESC as a reference: {aws} answered 200, and the response is XML with a character that XML \
forbids; check who answers there: it is not AWS
";

#[test]
fn invalid_list_response_is_an_error() {
    let good = valid_body(List);
    let replies = [replies_of_any_server(&good, (1 << 20) + 1), replies_of_aws(&good)].concat();
    assert_text(&errors_for_replies(List, LIST_FAILED, replies), EXPECTED_ERRORS);
}

#[test]
fn invalid_change_response_confirms_nothing() {
    let good = valid_body(Change);
    let replies = [replies_of_any_server(&good, (1 << 20) + 1), replies_of_aws(&good)].concat();
    assert_text(&errors_for_replies(Change, UNCONFIRMED, replies), EXPECTED_ERRORS);
}

#[test]
fn invalid_publish_response_writes_no_lock() {
    let good = valid_body(Publish);
    let replies = [replies_of_any_server(&good, (1 << 20) + 1), replies_of_aws(&good)].concat();
    let beginning = expected::out_of_order(Family::V4)
        + &PUBLISH_FAILED.replace("could not publish to", "could not confirm the message to");
    assert_text(&errors_for_replies(Publish, &beginning, replies), EXPECTED_ERRORS);
}

#[test]
fn status_511_of_a_captive_portal_means_not_sent() {
    let portal = || Response::new(511, "text/html", "<html><body>Please sign in</body></html>");
    let why = "{aws} answered 511, and the response is XML, but not an error of AWS; sign in \
               to this network with a browser\n";
    for (operation, beginning) in [
        (List, LIST_FAILED.to_owned()),
        (Change, CHANGE_FAILED.to_owned()),
        (Publish, expected::out_of_order(Family::V4) + PUBLISH_FAILED),
    ] {
        let seen = errors_for_replies(operation, &beginning, vec![("511", portal().into())]);
        assert_text(&seen, &format!("511: {why}"));
    }
    let mut fixture = Fixture::new();
    fixture.remove_from_config("topic_arn");
    fixture.reflector.replies(Family::V4, portal());
    let expected =
        address_failed(Family::V4) + "it answered 511; sign in to this network with a browser\n";
    limited_run(&mut fixture).assert(1, "", &expected);
}

#[test]
fn nul_in_a_record_makes_the_list_unreadable() {
    let good = valid_body(List);
    let mut expected = String::new();
    let mut replies = Vec::new();
    for (what, before) in [
        ("in the name", "<Name>home."),
        ("in the type", "<Type>A"),
        ("in the TTL", "<TTL>300"),
        ("in the value", "<Value>192.175.48.1"),
        ("in another's name", "<Name>host."),
    ] {
        let body = good.replacen(before, &format!("{before}\0"), 1);
        assert_ne!(body, good, "{what}");
        replies.push((what, Response::new(200, "text/xml", body).into()));
        expected += &format!(
            "{what}: {{aws}} answered 200, and the response is XML with a character that XML \
             forbids; check who answers there: it is not AWS\n"
        );
    }
    assert_text(&errors_for_replies(List, LIST_FAILED, replies), &expected);
}

#[test]
fn invalid_reflector_response_is_an_error() {
    let mut seen = String::new();
    let good = r#"{"error":"","your_ip":"192.175.48.7"}"#;
    for (what, reply) in replies_of_any_server(good, 4097) {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.reflector.replies(Family::V4, reply);
        let run = limited_run(&mut fixture);
        let cause = match (run.status.code(), run.stderr.strip_prefix(&address_failed(Family::V4)))
        {
            (Some(1), Some(cause)) => cause.to_owned(),
            _ => format!("{run:?}\n"),
        };
        seen += &format!("{what}: {cause}");
        assert_eq!(fixture.aws.operations(), [List], "{what}");
    }
    assert_text(
        &seen,
        "gzip: the response is too large; check who answers there\n\
         too large: the response is too large; check who answers there\n\
         endless chunks: the response is too large; check who answers there\n\
         an endless size of a chunk: the response is not HTTP; check who answers there\n\
         an endless chunk: the response is too large; check who answers there\n\
         endless with no length: the response is too large; check who answers there\n\
         an endless status line: the response is too large; check who answers there\n\
         an endless header: the response is too large; check who answers there\n\
         endless headers: the response is not HTTP; check who answers there\n\
         a length of 16 EiB: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         a length above 16 EiB: the response is not HTTP; check who answers there\n\
         a negative length: the response is not HTTP; check who answers there\n\
         two lengths: the response is not HTTP; check who answers there\n\
         a length too long: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         a length too short: it answered broken JSON; check the reflector, and the key in \
         reflect_url if it has one\n\
         a portal's page: it answered 68 bytes of HTML, not an address; check the reflector, and \
         the key in reflect_url if it has one\n\
         a portal's page of XML: it answered 47 bytes of HTML, not an address; check the \
         reflector, and the key in reflect_url if it has one\n",
    );
}

#[test]
fn compressed_reflector_response_is_rejected() {
    let mut fixture = Fixture::new();
    fixture.remove_from_config("topic_arn");
    let output = Command::new("sh")
        .args(["-c", "printf 192.175.48.7 | gzip"])
        .stdin(Stdio::null())
        .output()
        .expect("sh and gzip run");
    let response = Response::text(output.stdout).with("Content-Encoding", "gzip");
    fixture.reflector.replies(Family::V4, response);
    let expected =
        address_failed(Family::V4) + "the response is not UTF-8; check who answers there\n";
    limited_run(&mut fixture).assert(1, "", &expected);
}

#[test]
fn response_that_never_ends_is_aborted() {
    let text = |text: &str| text.as_bytes().to_vec();
    let going_on = || Reply::Forever(Vec::new(), text("HTTP/1.1 100 Continue\r\n\r\n"));
    let hinting = || Reply::Forever(Vec::new(), text("HTTP/1.1 103 Early Hints\r\n\r\n"));
    let trailing = || {
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        Reply::Forever(text(start), text("X-More: x\r\n"))
    };
    let large = "the response is too large; check who answers there\n";
    let reading = "timed out while reading the response; check the connection if the \
                   next run fails too\n";
    // The trailer takes as long as a response may take, so the runs are concurrent.
    let runs = [
        ((going_on(), large), (hinting(), large)),
        ((hinting(), large), (trailing(), reading)),
        ((trailing(), reading), (going_on(), large)),
    ];
    thread::scope(|scope| {
        for (of_reflector, replies_of_aws) in runs {
            scope.spawn(move || {
                let mut fixture = Fixture::new();
                fixture.reflector.replies(Family::V4, of_reflector.0);
                fixture.aws.always(List, Fault::Instead(replies_of_aws.0));
                let mut expected = address_failed(Family::V4) + of_reflector.1;
                expected += &format!("{LIST_FAILED}{{aws}}: {}", replies_of_aws.1);
                limited_run(&mut fixture)
                    .assert(1, "", &expected)
                    .assert_wrote(&["+ autodns.lock"]);
                assert_eq!(fixture.aws.operations(), [List, Publish]);
            });
        }
    });
}

#[test]
fn bytes_after_a_response_are_not_the_next_response() {
    let list = Response::new(200, "text/xml", valid_body(List)).to_bytes();
    let change = Response::new(200, "text/xml", valid_body(Change)).to_bytes();
    for end in [End::Close, End::Cut, End::Reset] {
        let reply = Reply::Raw([list.as_slice(), &change].concat(), end);
        let mut fixture = Fixture::new();
        fixture.aws.fault(List, Fault::Instead(reply));
        limited_run(&mut fixture).assert_silent();
        assert_eq!(fixture.aws.operations(), [List, Change]);
        assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    }
}
