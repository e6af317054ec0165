//! Tests of the test support. If the fake AWS accepted every request, the other tests would prove
//! nothing. botocore makes the signatures that test the signature check. Texts with a secret test
//! the search for secrets.

use std::process::{Command, Stdio};

use crate::support::fake_aws::{FakeAws, KEY_ID, Operation, SECRET_KEY, TOPIC, ZONE_ID};
use crate::support::fake_route53::{RecordSet, normal};
use crate::support::{ca, moto, secrets};

/// A Python program that signs requests with botocore and prints the status and error of each.
const SIGNER: &str = r#"
import datetime, hashlib, re, ssl, sys, urllib.request
import botocore.auth, botocore.awsrequest, botocore.credentials
url, ca, key, secret, zone, topic = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)

def send(what, method="GET", path=f"/2013-04-01/hostedzone/{zone}/rrset?name=home.example.com",
         body=b"", key=key, secret=secret, token=None, service="route53", region="us-east-1",
         shift=0, spoil=None, unsigned=()):
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=shift)
        @classmethod
        def utcnow(cls):
            return cls.now(datetime.timezone.utc).replace(tzinfo=None)
    class Module:
        datetime = Clock
    botocore.auth.datetime = Module if hasattr(botocore.auth.datetime, "datetime") else Clock
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda *_, **__: Clock.utcnow()
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    for name in unsigned:
        headers.pop(name)
    request = botocore.awsrequest.AWSRequest(
        method=method, url=url + path, data=body, headers=headers)
    credentials = botocore.credentials.Credentials(key, secret, token)
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    headers = dict(request.headers.items())
    if spoil:
        body = spoil(headers, body) or body
    wire = urllib.request.Request(url + path, data=body or None, headers=headers, method=method)
    try:
        status, text = 200, urllib.request.urlopen(wire, context=context).read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    code = re.search("<Code>(.*?)</Code><Message>([^<]{0,45})", text)
    said = code.groups() if code else [re.search("<([A-Z]\\w+)", text).group(1)]
    print(what, status, *said, sep=" | ")

change = (f'<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
          '<ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet>'
          '<Name>home.example.com</Name><Type>A</Type><TTL>300</TTL><ResourceRecords>'
          '<ResourceRecord><Value>192.175.48.7</Value></ResourceRecord></ResourceRecords>'
          '</ResourceRecordSet></Change></Changes></ChangeBatch>'
          '</ChangeResourceRecordSetsRequest>').encode()
publish = urllib.parse.urlencode({"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic,
                                  "Subject": "a subject", "Message": "a + b / \u00fc"}).encode()
rrset = f"/2013-04-01/hostedzone/{zone}/rrset/"
sns = dict(method="POST", path="/", body=publish, service="sns", region="eu-west-1")

send("list")
send("list a wildcard",
     path=f"/2013-04-01/hostedzone/{zone}/rrset?name=%5C052.example.com&type=A&maxitems=9")
send("change", "POST", rrset, change)
send("publish", **sns)
send("temporary key", key="ASIATEMPORARY", secret="temporary", token="t0ken")
send("no token", key="ASIATEMPORARY", secret="temporary")
send("other token", key="ASIATEMPORARY", secret="temporary", token="other")
send("unknown key", key="AKIANOBODY")
send("wrong secret", secret="wrong")
send("wrong secret, publish", **{**sns, "secret": "wrong"})
send("other region", region="eu-west-1")
send("other service", service="sns")
send("publish elsewhere", **{**sns, "region": "us-east-1"})
send("a clock 4 minutes slow", shift=-240)
send("a clock 6 minutes slow", shift=-360)
send("a clock 4 minutes fast", shift=240)
send("a clock 6 minutes fast", shift=360)
send("no hash of the body", unsigned=["X-Amz-Content-SHA256"])
send("another body", "POST", rrset, change,
     spoil=lambda headers, body: body.replace(b"48.7", b"48.8"))
send("another header", spoil=lambda headers, body: headers.update({"X-Amz-Extra": "1"}))
send("another date",
     spoil=lambda headers, body: headers.update({"X-Amz-Date": headers["X-Amz-Date"][:-3] + "99Z"}))
send("no signature", spoil=lambda headers, body: headers.pop("Authorization") and None)
"#;

const SIGNED: &str = "\
list | 200 | ListResourceRecordSetsResponse
list a wildcard | 200 | ListResourceRecordSetsResponse
change | 200 | ChangeResourceRecordSetsResponse
publish | 200 | PublishResponse
temporary key | 200 | ListResourceRecordSetsResponse
no token | 403 | InvalidClientTokenId | The security token included in the request is
other token | 403 | InvalidClientTokenId | The security token included in the request is
unknown key | 403 | InvalidClientTokenId | The security token included in the request is
wrong secret | 403 | SignatureDoesNotMatch | The request signature we calculated does not
wrong secret, publish | 403 | SignatureDoesNotMatch | The request signature we calculated does not
other region | 403 | SignatureDoesNotMatch | Credential should be scoped to a valid region
other service | 403 | SignatureDoesNotMatch | Credential should be scoped to correct servic
publish elsewhere | 403 | SignatureDoesNotMatch | Credential should be scoped to a valid region
a clock 4 minutes slow | 200 | ListResourceRecordSetsResponse
a clock 6 minutes slow | 403 | SignatureDoesNotMatch | Signature expired: {time} is now ea
a clock 4 minutes fast | 200 | ListResourceRecordSetsResponse
a clock 6 minutes fast | 403 | SignatureDoesNotMatch | Signature not yet current: {time} i
no hash of the body | 403 | SignatureDoesNotMatch | 'x-amz-content-sha256' must be a signed heade
another body | 403 | SignatureDoesNotMatch | x-amz-content-sha256 is not that of the body.
another header | 403 | SignatureDoesNotMatch | 'X-Amz-Extra' must be a signed header.
another date | 403 | IncompleteSignature | Date must be in ISO-8601 'basic format'.
no signature | 403 | MissingAuthenticationToken | Missing Authentication Token
";

#[test]
fn fake_aws_accepts_only_valid_signatures() {
    let aws = FakeAws::start();
    let temporary =
        crate::support::sigv4::Secret { secret: "temporary".into(), token: Some("t0ken".into()) };
    aws.state().keys.insert("ASIATEMPORARY".into(), temporary);
    let directory = tempfile::tempdir().expect("a directory");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, ca::pem()).expect("ca.pem");
    let output = Command::new(moto::python())
        .args(["-c", SIGNER, &aws.url()])
        .arg(&ca_file)
        .args([KEY_ID, SECRET_KEY, ZONE_ID, TOPIC])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let seen: String = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            // The time of the signature differs from run to run.
            let words = line.split(' ').map(|word| {
                let stamp = word.len() > 14 && word.starts_with("20") && word.as_bytes()[8] == b'T';
                if stamp { "{time}" } else { word }
            });
            words.collect::<Vec<_>>().join(" ") + "\n"
        })
        .collect();
    let trim = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trim(&seen), trim(SIGNED));
    assert_eq!(aws.violations(), Vec::<String>::new());
    use Operation::{Change, List, Publish};
    assert_eq!(aws.operations(), [List, List, Change, Publish, List, List, List]);
    assert_eq!(
        aws.record_sets(),
        ["home.example.com. A 300 192.175.48.7", "host.example.com. A 300 192.175.48.99"]
    );
    assert_eq!(aws.published()[0].message, "a + b / \u{fc}");
}

fn list(aws: &FakeAws, query: &str) -> String {
    let response = aws.state().route53.list(ZONE_ID, query);
    String::from_utf8(response.body).expect("XML")
}

fn names(xml: &str) -> Vec<&str> {
    xml.split("<Name>").skip(1).filter_map(|row| row.split("</Name>").next()).collect()
}

#[test]
fn fake_list_starts_at_a_name_and_has_pages() {
    let aws = FakeAws::start();
    aws.put(RecordSet::new("*.Home.example.com", "A", 60, &["192.175.48.2"]));
    aws.put(RecordSet::new("home.example.com", "AAAA", 60, &["2620:4f:8000::1"]));
    let from_home = list(&aws, "name=home.example.com");
    assert_eq!(
        names(&from_home),
        ["home.example.com.", "home.example.com.", "\\052.home.example.com.", "host.example.com."]
    );
    assert!(from_home.contains("<IsTruncated>false</IsTruncated>"), "{from_home}");
    assert_eq!(names(&list(&aws, "name=homf.example.com")), ["host.example.com."]);
    assert_eq!(names(&list(&aws, "name=zzz.example.com")), Vec::<&str>::new());
    let page = list(&aws, "name=home.example.com&type=A&maxitems=1");
    assert_eq!(names(&page), ["home.example.com."]);
    assert!(
        page.contains(
            "<IsTruncated>true</IsTruncated><NextRecordName>home.example.com.</NextRecordName>\
             <NextRecordType>AAAA</NextRecordType><MaxItems>1</MaxItems>"
        ),
        "{page}"
    );
    assert!(list(&aws, "type=A").contains("<Code>InvalidInput</Code>"));
    assert_eq!(aws.violations(), Vec::<String>::new());
    list(&aws, "name=*.example.com");
    assert_eq!(aws.violations(), ["not percent-encoded as AWS requires: *.example.com"]);
}

fn change(aws: &FakeAws, sets: &[(&str, &str, &str)]) -> String {
    let changes: String = sets
        .iter()
        .map(|(name, kind, value)| {
            format!(
                "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}</Name>\
                 <Type>{kind}</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
                 <Value>{value}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
                 </Change>"
            )
        })
        .collect();
    let body = format!(
        "<ChangeResourceRecordSetsRequest \
         xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>{changes}\
         </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
    );
    let response = aws.state().route53.change(ZONE_ID, body.as_bytes());
    String::from_utf8(response.body).expect("XML")
}

#[test]
fn fake_batch_is_rejected_whole_in_both_error_shapes() {
    let aws = FakeAws::start();
    let before = aws.record_sets();
    aws.put(RecordSet::new("alias.example.com", "CNAME", 60, &["elsewhere.example.org"]));
    let bad = [
        ("home.example.com", "A", "192.175.48.7"),
        ("home.example.com", "AAAA", "2620::4f::7"),
        ("alias.example.com", "A", "192.175.48.7"),
    ];
    let response = change(&aws, &bad);
    assert!(response.contains("<Code>InvalidChangeBatch</Code><Message>[Invalid Resource Record"));
    assert!(
        response.contains("', RRSet of type A with DNS name alias.example.com. is not permitted")
    );
    aws.state().route53.old_shape = true;
    let response = change(&aws, &bad);
    assert!(response.contains("<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/"));
    assert!(response.contains("</Message><Message>RRSet of type A with DNS name alias."));
    aws.remove("alias.example.com", "CNAME");
    assert_eq!(aws.record_sets(), before);
    assert!(change(&aws, &bad[..1]).contains("<ChangeInfo>"));
    assert_eq!(aws.record_sets()[0], "home.example.com. A 60 192.175.48.7");
}

#[test]
fn fake_names_are_stored_as_route_53_stores_them() {
    let table = [
        ("Home.Example.COM", "home.example.com."),
        ("home.example.com.", "home.example.com."),
        ("*.example.com", "\\052.example.com."),
        ("\\052.example.com", "\\052.example.com."),
        ("_x-1.example.com", "_x-1.example.com."),
        ("a b.example.com", "a\\040b.example.com."),
    ];
    for (name, stored) in table {
        assert_eq!(normal(name), stored, "{name}");
    }
}

#[test]
fn secret_is_found_in_every_encoding() {
    let leaks = [
        ("v3ry%2FSecret%2BValue", "GET /reflect?apikey=v3ry%2fSecret%2bValue"),
        ("v3ry%2FSecret%2BValue", "the answer was \"v3ry/Secret+Value\""),
        ("v3ry%2FSecret%2BValue", r#"{"error":"v3ry\/Secret+Value"}"#),
        ("v3ry%2FSecret%2BValue", "cut short: v3ry/Secret"),
        ("v3ry%2FSecret%2BValue", "V3RY/SECRET+VALUE"),
        ("abc&def<ghi>", "abc&amp;def&lt;ghi&gt;"),
        ("pr0xy/P@ss", "pr0xy%2FP%40ss"),
        ("pr0xy/P@ss", "Basic cHIweHkvUEBz"),
        ("v3ry%2FSecret%2BValue", "Basic cGk6djNyeS9TZWNyZXQrVmFsdWU="),
        ("v3ry%2FSecret%2BValue", "762F7379 of hex: 72792F5365637265"),
        ("~~~???>>>~~~", "url-safe: fn5-Pz8_Pj4-fn5-"),
        ("v3ry%2FSecret%2BValue", "s e c r e t - v a l u e"),
        ("v3ry%2FSecret%2BValue", "v\u{200b}3\u{200b}r\u{200b}y\u{200b}/S\u{200b}ec\nret"),
    ];
    for (secret, text) in leaks {
        assert!(secrets::find(secret, text).is_some(), "{secret} in {text}");
    }
    for text in ["", "GET /reflect/v1", "a secret of value", "some/secret", "v3ry/Se is cut"] {
        assert_eq!(secrets::find("v3ry%2FSecret%2BValue", text), None, "{text}");
    }
}
