//! Errors of Route 53. The program reports each with its cause, and changes no record unless the
//! list is complete. If a batch is rejected, the program still makes the valid changes of it.

use crate::support::expected::{self, CHANGE_FAILED, LIST_FAILED, UNCONFIRMED};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{DateHeader, Fault, KEY_ID, key_section};
use crate::support::fake_route53::RecordSet;
use crate::support::fixture::Fixture;
use crate::support::http::{End, Family, Reply, Response};
use crate::support::{assert_text, clock};

fn xml(body: &str) -> Fault {
    Fault::Instead(Response::new(200, "text/xml", body).into())
}

/// The text after this beginning, which must be present.
#[track_caller]
fn after<'a>(beginning: &str, text: &'a str) -> &'a str {
    text.strip_prefix(beginning).unwrap_or_else(|| panic!("{beginning}… expected:\n{text}"))
}

/// The errors of Route 53, of other servers and of the network, for lists and for changes.
fn errors() -> Vec<(&'static str, Fault)> {
    let error = Fault::error;
    vec![
        ("denied", error(403, "AccessDenied", "User: arn:aws:iam::1:user/pi is not authorized")),
        ("no zone", error(404, "NoSuchHostedZone", "No hosted zone found with ID: Z1")),
        ("expired", error(403, "ExpiredToken", "The security token included is expired")),
        ("throttled", error(400, "Throttling", "Rate exceeded")),
        ("not done", error(400, "PriorRequestNotComplete", "The request was rejected because")),
        ("input", error(400, "InvalidInput", "The input is not valid")),
        ("server", error(503, "ServiceUnavailable", "Try later")),
        ("a page", Fault::Instead(Response::new(502, "text/html", "<html>Bad</html>").into())),
        ("teapot", Fault::Instead(Response::new(418, "text/plain", "").into())),
        ("closed", Fault::Instead(Reply::nothing())),
        ("reset", Fault::Instead(Reply::reset())),
        ("not HTTP", Fault::Instead(Reply::Raw(b"SSH-2.0-x\r\n".to_vec(), End::Close))),
        ("redirect", Fault::Instead(Response::redirect(302, "https://elsewhere.example/").into())),
    ]
}

#[test]
fn failed_list_changes_nothing() {
    let mut seen = String::new();
    for (what, fault) in errors() {
        let mut fixture = Fixture::new();
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.aws.always(List, fault);
        let run = fixture.run();
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{what}: {run:?}");
        run.assert_wrote(&["+ autodns.lock"]);
        assert!(!fixture.aws.operations().contains(&Change), "{what}");
        let advice = expected::REPLACE_POLICY;
        let said = after(LIST_FAILED, &run.stderr).replace(advice, "REPLACE POLICY\n");
        seen += &format!("{what}: {said}");
    }
    assert_text(
        &seen,
        "denied: AccessDenied: User: arn:aws:iam::1:user/pi is not authorized; REPLACE \
         POLICY\n\
         no zone: NoSuchHostedZone: No hosted zone found with ID: Z1; check hosted_zone_id, and \
         that the credentials are of the account of that zone\n\
         expired: ExpiredToken: The security token included is expired; put new \
         temporary credentials into the environment, which wins over every file\n\
         throttled: Throttling: Rate exceeded; wait for the next run: this AWS account \
         makes too many requests at once\n\
         not done: PriorRequestNotComplete: The request was rejected because; wait for the \
         next run, which tries again\n\
         input: InvalidInput: The input is not valid; check dns_name, its zone, and the \
         zone's other records of that name\n\
         server: ServiceUnavailable: Try later; wait for the next run, \
         which tries again\n\
         a page: {aws} answered 502, and the response is XML, but not an error of AWS; wait for \
         the next run, which tries again\n\
         teapot: {aws} answered 418, and the response is empty; check who answers there: it is \
         not AWS\n\
         closed: {aws}: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         reset: {aws}: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         not HTTP: {aws}: the response is not HTTP; check who answers there\n\
         redirect: {aws} answered 302, and the response is empty; check who answers there: it \
         is not AWS\n",
    );
}

#[test]
fn unreadable_list_is_never_an_empty_list() {
    let fixture = Fixture::new();
    let whole = {
        let response = fixture.aws.state().route53.list(crate::support::fake_aws::ZONE_ID, "");
        String::from_utf8(response.body).expect("XML")
    };
    let after_home =
        whole.find("<ResourceRecordSet><Name>host.").expect("a record set after home's");
    let end = whole.find("</ResourceRecordSets>").expect("an end");
    let truncated = (whole[..after_home].to_owned() + &whole[end..])
        .replace("<IsTruncated>false", "<IsTruncated>true");
    let turning_back = truncated.replace(
        "</IsTruncated>",
        "</IsTruncated><NextRecordName>home.example.com.</NextRecordName>\
         <NextRecordType>A</NextRecordType>",
    );
    let half = &whole[..whole.find("</TTL>").expect("a TTL")];
    let mut seen = String::new();
    for (what, fault) in [
        ("nothing", xml("")),
        ("half", xml(half)),
        ("another document", xml("<ListHostedZonesResponse/>")),
        ("a page", xml("<html><body>Welcome to the hotel</body></html>")),
        ("JSON", xml("{}")),
        ("DOCTYPE", xml(&whole.replace("?>", "?><!DOCTYPE x [<!ENTITY e \"1\">]>"))),
        ("entity", xml(&whole.replace("192.175.48.1<", "&e;<"))),
        ("not UTF-8", {
            let mut bytes = whole.clone().into_bytes();
            bytes.extend_from_slice(b"<!-- \xff -->");
            Fault::Instead(Response::new(200, "text/xml", bytes).into())
        }),
        ("an invalid TTL", xml(&whole.replace("<TTL>300</TTL>", "<TTL>soon</TTL>"))),
        ("truncated with no next", xml(&truncated)),
        ("truncated with a next before this", xml(&turning_back)),
        ("cut", {
            let response = Response::new(200, "text/xml", whole.clone());
            Fault::Instead(Reply::truncated(&response))
        }),
        ("endless", Fault::Instead(Reply::Endless)),
    ] {
        let mut fixture = Fixture::new();
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.aws.always(List, fault);
        let run = fixture.run_with(&["--dry-run"]);
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{what}: {run:?}");
        seen += &format!("{what}: {}", after(LIST_FAILED, &run.stderr));
    }
    assert_text(
        &seen,
        "nothing: {aws} answered 200, and the response is empty; check who answers there: it is \
         not AWS\n\
         half: {aws} answered 200, and the response is cut off; check who answers there: it is \
         not AWS\n\
         another document: {aws} answered 200, and the response is XML, but not \
         a ListResourceRecordSetsResponse; check who answers there: it is not AWS\n\
         a page: {aws} answered 200, and the response is XML, but not \
         a ListResourceRecordSetsResponse; check who answers there: it is not AWS\n\
         JSON: {aws} answered 200, and the response is not one XML element; check who answers \
         there: it is not AWS\n\
         DOCTYPE: {aws} answered 200, and the response is XML with a DOCTYPE; check who answers \
         there: it is not AWS\n\
         entity: {aws} answered 200, and the response is XML with an entity of its own; check \
         who answers there: it is not AWS\n\
         not UTF-8: {aws}: the response is not UTF-8; check who answers there\n\
         an invalid TTL: {aws} answered 200, and the response has an invalid TTL; check \
         who answers there: it is not AWS\n\
         truncated with no next: {aws} answered 200, and the response lacks NextRecordName; \
         check who answers there: it is not AWS\n\
         truncated with a next before this: {aws} answered 200, and the response does not \
         list home.example.com completely; check who answers there: it is not AWS\n\
         cut: {aws}: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n\
         endless: {aws}: the response is too large; check who answers there\n",
    );
}

#[test]
fn record_set_without_ttl_or_value_is_not_managed() {
    for missing in ["TTL", "value"] {
        let fixture = Fixture::new();
        let mut set = RecordSet::new("home.example.com", "A", 300, &["192.175.48.1"]);
        match missing {
            "TTL" => set.ttl = None,
            _ => set.values.clear(),
        }
        fixture.aws.put(set);
        fixture.run().assert(
            1,
            "",
            "autodns: home.example.com A: not overwritten: it has no value or no TTL; make \
         it a simple record with one value, or use another name\n",
        );
        assert_eq!(fixture.aws.operations(), [List, Publish]);
    }
}

#[test]
fn change_with_unknown_outcome_is_not_called_failed() {
    let mut seen = String::new();
    for (what, fault) in errors() {
        let mut fixture = Fixture::new();
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.aws.always(Change, fault);
        let run = fixture.run();
        assert_eq!((run.status.code(), run.stdout.as_str()), (Some(1), ""), "{what}: {run:?}");
        run.assert_wrote(&["+ autodns.lock"]);
        assert_eq!(fixture.aws.published().len(), 1, "{what}");
        let advice = expected::REPLACE_POLICY;
        let said = run.stderr.replace(advice, "REPLACE POLICY\n");
        let said = said.replace(CHANGE_FAILED, "NOT CHANGED: ");
        seen += &format!("{what}: {}", said.replace(UNCONFIRMED, "NOT CONFIRMED: "));
    }
    assert_text(
        &seen,
        "denied: NOT CHANGED: AccessDenied: User: arn:aws:iam::1:user/pi is not authorized; \
         REPLACE POLICY\n\
         no zone: NOT CHANGED: NoSuchHostedZone: No hosted zone found with ID: Z1; check \
         hosted_zone_id, and that the credentials are of the account of that zone\n\
         expired: NOT CHANGED: ExpiredToken: The security token included is expired; put \
         new temporary credentials into the environment, which wins over every file\n\
         throttled: NOT CHANGED: Throttling: Rate exceeded; wait for the next run: \
         this AWS account makes too many requests at once\n\
         not done: NOT CHANGED: PriorRequestNotComplete: The request was rejected because; \
         wait for the next run, which tries again\n\
         input: NOT CHANGED: InvalidInput: The input is not valid; check dns_name, its zone, \
         and the zone's other records of that name\n\
         server: NOT CONFIRMED: ServiceUnavailable: Try later; wait for the next run, \
         which tries again\n\
         a page: NOT CONFIRMED: {aws} answered 502, and the response is XML, but not an error of \
         AWS; wait for the next run, which tries again\n\
         teapot: NOT CHANGED: {aws} answered 418, and the response is empty; check who answers \
         there: it is not AWS\n\
         closed: NOT CONFIRMED: {aws}: the connection was closed before the response was whole; \
         check the connection if the next run fails too\n\
         reset: NOT CONFIRMED: {aws}: the connection was closed before the response was whole; \
         check the connection if the next run fails too\n\
         not HTTP: NOT CONFIRMED: {aws}: the response is not HTTP; check who answers there\n\
         redirect: NOT CHANGED: {aws} answered 302, and the response is empty; check who \
         answers there: it is not AWS\n",
    );
}

#[test]
fn next_run_finds_a_change_whose_response_was_lost() {
    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    fixture.aws.always(Change, Fault::After(Reply::reset()));
    fixture
        .run()
        .assert(
            1,
            "",
            "autodns: home.example.com A: could not confirm the change in hosted \
         zone {zone}: {aws}: the connection was closed before the response was whole; check \
         the connection if the next run fails too\n",
        )
        .assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
}

#[test]
fn rejected_batch_is_sent_one_change_at_a_time() {
    for old_shape in [false, true] {
        let fixture = Fixture::with_both_families();
        {
            let mut state = fixture.aws.state();
            state.route53.old_shape = old_shape;
            state.route53.rejected_values.push("2620:4f:8000::7".into());
        }
        let message = "Invalid Resource Record: 'FATAL problem: ARRDATANotAllowed (Value is not \
             allowed) encountered with '2620:4f:8000::7''";
        let message = if old_shape { message.to_owned() } else { format!("[{message}]") };
        let expected = format!(
            "autodns: home.example.com AAAA: could not make the change in hosted zone {{zone}}: \
             InvalidChangeBatch: {message}; check dns_name, its zone, and the zone's other \
             records of that name\n"
        );
        fixture.run().assert(1, "", &expected);
        assert_eq!(
            fixture.aws.record_sets(),
            ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.99"]
        );
        let sizes: Vec<usize> = fixture.aws.state().route53.batches.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1]);
        assert_eq!(fixture.aws.operations(), [List, Change, Change, Change, Publish]);
    }
}

#[test]
fn rejected_batch_of_one_is_not_sent_again() {
    let fixture = Fixture::new();
    fixture.aws.state().route53.rejected_values.push("192.175.48.7".into());
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not make the change in hosted zone {zone}: \
         InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: ARRDATANotAllowed \
         (Value is not allowed) encountered with '192.175.48.7'']; check dns_name, its zone, \
         and the zone's other records of that name\n",
    );
    assert_eq!(fixture.aws.operations(), [List, Change, Publish]);
}

#[test]
fn denied_action_is_named() {
    for operation in [List, Change] {
        let fixture = Fixture::new();
        fixture.aws.state().denied.push((KEY_ID.into(), operation));
        fixture.run().assert(1, "", &expected::denied(operation));
        assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.1");
    }
}

#[test]
fn denial_advice_depends_on_the_policy_that_denied() {
    let user = "User: arn:aws:iam::123456789012:user/a-group/with/a/long/path/that/goes/on/and/on/\
                and/on/and/on/and/on/and/on/and/on/and/on/and/on/pi is not authorized to perform: \
                route53:ListResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z1";
    let command = "sudo {program} policy {home}/autodns.json";
    for (end, advice) in [
        (
            "because no identity-based policy allows the route53:ListResourceRecordSets action",
            format!("replace the policy of this IAM user by what this command prints: {command}"),
        ),
        (
            "with an explicit deny in an identity-based policy",
            "ask the administrator of the AWS account to exempt this IAM user from the Deny in its \
             own or its groups' policies: no Allow overrides it"
                .into(),
        ),
        (
            "because no permissions boundary allows the route53:ListResourceRecordSets action",
            format!(
                "ask the administrator of the AWS account for a permissions boundary of this IAM \
                 user that allows what this command prints: {command}"
            ),
        ),
        (
            "with an explicit deny in a service control policy: arn:aws:organizations::1:policy/p",
            "ask the administrator of the AWS organization to change its service control policy: \
             the policy of an IAM user cannot override it"
                .into(),
        ),
        (
            "with an explicit deny in a resource control policy",
            "ask the administrator of the AWS organization to change its resource control policy: \
             the policy of an IAM user cannot override it"
                .into(),
        ),
        (
            "because no session policy allows the route53:ListResourceRecordSets action",
            format!(
                "ask whoever issues these temporary credentials for a session policy that allows \
                 what this command prints: {command}"
            ),
        ),
        (
            "with an explicit deny in a VPC endpoint policy",
            "ask the administrator of the VPC endpoint to allow this in the endpoint's policy: the \
             policy of an IAM user cannot override it"
                .into(),
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.aws.always(List, Fault::Error(403, "AccessDenied", format!("{user} {end}")));
        let run = fixture.run();
        let seen = run.stderr.rsplit_once("; ").map(|(_, advice)| advice.trim_end());
        assert_eq!((run.status.code(), seen), (Some(1), Some(advice.as_str())), "{end}");
    }
}

#[test]
fn internal_error_of_aws_gives_no_advice_about_the_key() {
    for code in ["AccessDenied", "SignatureDoesNotMatch", "InvalidClientTokenId"] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.aws.always(List, Fault::error(500, code, "x"));
        fixture.run().assert(
            1,
            "",
            &format!("{LIST_FAILED}{code}: x; wait for the next run, which tries again\n"),
        );
    }
}

#[test]
fn rejected_key_is_named_with_its_file() {
    for (code, advice) in [
        ("InvalidClientTokenId", "check the access key id from {}, and that the key is active"),
        ("SignatureDoesNotMatch", "check the secret access key from {}"),
        ("ExpiredToken", "put new temporary credentials into {}"),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.unset_credentials();
        fixture.sandbox.write(".aws/credentials", key_section("default"));
        fixture.aws.always(List, Fault::error(403, code, "x"));
        let advice = advice.replace("{}", "[default] of {home}/.aws/credentials");
        fixture.run().assert(1, "", &format!("{LIST_FAILED}{code}: x; {advice}\n"));
    }
}

/// A message shows only a code, a message or a word of known form from a response.
#[test]
fn unreadable_response_is_not_quoted() {
    let odd = "0dd-Word-Of-A-Server";
    let set = |inside: &str| {
        format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet>\
             <Name>home.example.com.</Name>{inside}</ResourceRecordSet></ResourceRecordSets>\
             <IsTruncated>false</IsTruncated></ListResourceRecordSetsResponse>"
        )
    };
    let records = |value: &str| {
        format!(
            "<Type>A</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value>\
             </ResourceRecord></ResourceRecords>"
        )
    };
    for (status, body) in [
        (200, format!("<{odd}></other>")),
        (200, format!("<{odd}/>")),
        (200, format!("<!DOCTYPE {odd}>")),
        (200, format!("<a>&{odd};</a>")),
        (200, set(&format!("<Type>{odd} x</Type>"))),
        (200, set(&records(&format!("{odd} x")))),
        (200, set(&records("192.175.48.1").replace("300", odd))),
        (403, format!("<ErrorResponse><Error><Code>{odd} x</Code></Error></ErrorResponse>")),
        (403, format!("<ErrorResponse><Error><Code>{odd}</Code></Error></ErrorResponse>")),
        (403, format!("<{odd}><Error/></{odd}>")),
        (502, format!("<html>{odd}</html>")),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        let response = Response::new(status, "text/xml", body.clone());
        fixture.aws.always(List, Fault::Instead(response.into()));
        let run = fixture.run_with(&["--verbose"]);
        assert_eq!(run.status.code(), Some(1), "{body}");
        assert!(!run.stderr.contains("0dd-Word"), "{body}:\n{}", run.stderr);
    }
}

#[test]
fn wrong_key_secret_and_clock_have_different_messages() {
    let mut seen = String::new();

    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_ACCESS_KEY_ID", "AKIANOBODY");
    seen += &format!("key: {}", fixture.run().stderr);

    let mut fixture = Fixture::new();
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", "some/other/secret/that/is/wrong");
    fixture.sandbox.secret("some/other/secret/that/is/wrong");
    seen += &format!("secret: {}", fixture.run().stderr);

    let fixture = Fixture::new();
    fixture.aws.state().route53_region = "cn-northwest-1".into();
    seen += &format!("region: {}", fixture.run().stderr);

    // With a Date header the program would correct the time of its signature.
    for minutes in [-10, 10] {
        let fixture = Fixture::new();
        fixture.aws.state().ahead = time::Duration::minutes(minutes);
        fixture.aws.state().date = DateHeader::None;
        seen += &format!("{minutes} minutes: {}", clock::with_placeholders(&fixture.run().stderr));
    }
    assert_text(
        &seen,
        "key: autodns: home.example.com A: could not list the records of hosted zone {zone}: \
         InvalidClientTokenId: The security token included in the request is invalid; check \
         the access key id from the environment, which wins over every file, and that the key is \
         active\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         InvalidClientTokenId: The security token included in the request is invalid; check \
         the access key id from the environment, which wins over every file, and that the key is \
         active\n\
         secret: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: SignatureDoesNotMatch: The request signature we calculated does not match \
         the signature you provided. Check your AWS Secret Access Key and signing method. \
         Consult the service documentation for details; check the secret access key from the \
         environment, which wins over every file\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: The request signature we calculated does not match the \
         signature you provided. Check your AWS Secret Access Key and signing method. Consult \
         the service documentation for details; check the secret access key from the environment, \
         which wins over every file\n\
         region: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: SignatureDoesNotMatch: Credential should be scoped to a valid region, not \
         'us-east-1'; check AWS_REGION and the endpoint, which belongs to another region\n\
         -10 minutes: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: SignatureDoesNotMatch: Signature not yet current: {stamp} is still later \
         than {stamp} ({stamp} + 5 min.); check this machine's clock (timedatectl shows it): \
         the response does not show AWS's time\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: Signature not yet current: {stamp} is still later than \
         {stamp} ({stamp} + 5 min.); check this machine's clock (timedatectl shows it): the \
         response does not show AWS's time\n\
         10 minutes: autodns: home.example.com A: could not list the records of hosted zone \
         {zone}: SignatureDoesNotMatch: Signature expired: {stamp} is now earlier than \
         {stamp} ({stamp} - 5 min.); check this machine's clock (timedatectl shows it): the \
         response does not show AWS's time\n\
         autodns: home.example.com: the alert: could not publish to {topic}: \
         SignatureDoesNotMatch: Signature expired: {stamp} is now earlier than {stamp} \
         ({stamp} - 5 min.); check this machine's clock (timedatectl shows it): the response does \
         not show AWS's time\n",
    );
}

#[test]
fn missing_zone_is_named() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config["hosted_zone_id"] = "ZNOSUCHZONE".into());
    fixture.run().assert(
        1,
        "",
        "autodns: home.example.com A: could not list the records of hosted zone ZNOSUCHZONE: \
         NoSuchHostedZone: No hosted zone found with ID: ZNOSUCHZONE; check hosted_zone_id, and \
         that the credentials are of the account of that zone\n",
    );
}

#[test]
fn reflector_error_and_list_error_are_two_causes() {
    let fixture = Fixture::new();
    fixture.aws.state().denied.push((KEY_ID.into(), List));
    fixture.reflector.fails(Family::V4);
    let said = expected::out_of_order(Family::V4) + &expected::denied(List);
    fixture.run().assert(1, "", &said);
    assert_eq!(fixture.aws.published().len(), 1);
}

#[test]
fn record_changed_by_hand_is_read_by_the_next_run() {
    let fixture = Fixture::new();
    fixture.run().assert_silent();
    fixture.aws.put(RecordSet::new("home.example.com", "A", 60, &["192.175.48.66"]));
    fixture.run().assert_silent();
    assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 60 192.175.48.7");
}
