//! A fake Route 53: zones, record sets, and the responses to the two operations in AWS's form. It
//! does what an emulator leaves out: all-or-nothing batches, CNAME clashes, both forms of
//! `InvalidChangeBatch`, names in lower case with `\ooo`. `fake_aws.rs` has checked the signature
//! before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::http::Response;
use super::text::{Element, pairs, parse_xml, percent_encode, xml_escape};

pub const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The members of a record set in the order of AWS's model. Other members come last.
const ORDER: &[&str] = &[
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
];

/// One resource record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// In the form in which Route 53 stores it: see `normal`.
    pub name: String,
    pub kind: String,
    pub ttl: Option<u32>,
    pub values: Vec<String>,
    /// The tag and the inner XML of every other member.
    pub members: Vec<(String, String)>,
}

impl RecordSet {
    pub fn new(name: &str, kind: &str, ttl: u32, values: &[&str]) -> Self {
        Self {
            name: normal(name),
            kind: kind.to_owned(),
            ttl: Some(ttl),
            values: values.iter().map(|&value| value.to_owned()).collect(),
            members: Vec::new(),
        }
    }

    pub fn alias(name: &str, kind: &str, target: &str) -> Self {
        let mut record_set = Self::new(name, kind, 0, &[]).with(
            "AliasTarget",
            &format!(
                "<HostedZoneId>Z2FDTNDATAQYW2</HostedZoneId><DNSName>{target}</DNSName>\
                 <EvaluateTargetHealth>false</EvaluateTargetHealth>"
            ),
        );
        record_set.ttl = None;
        record_set
    }

    pub fn with(mut self, tag: &str, inside: &str) -> Self {
        self.members.push((tag.to_owned(), inside.to_owned()));
        self
    }

    fn member(&self, tag: &str) -> Option<&str> {
        self.members.iter().find(|(key, _)| key == tag).map(|(_, inside)| inside.as_str())
    }

    fn is_simple(&self) -> bool {
        self.member("SetIdentifier").is_none()
    }

    /// Position in Route 53's order: by labels from the right, then type, then identifier.
    fn place(&self) -> (Vec<String>, String, String) {
        let identifier = self.member("SetIdentifier").unwrap_or("").to_owned();
        (labels_from_right(&self.name), self.kind.clone(), identifier)
    }

    fn to_xml(&self) -> String {
        let mut members: Vec<(String, String)> = self.members.clone();
        if let Some(ttl) = self.ttl {
            members.push(("TTL".into(), ttl.to_string()));
        }
        if !self.values.is_empty() {
            let mut values = String::new();
            for value in &self.values {
                let value = xml_escape(value);
                write!(values, "<ResourceRecord><Value>{value}</Value></ResourceRecord>")
                    .expect("a String takes everything");
            }
            members.push(("ResourceRecords".into(), values));
        }
        members.sort_by_key(|(tag, _)| ORDER.iter().position(|known| known == tag).unwrap_or(99));
        let inside: String =
            members.iter().map(|(tag, inside)| format!("<{tag}>{inside}</{tag}>")).collect();
        let (name, kind) = (xml_escape(&self.name), &self.kind);
        format!(
            "<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type>{inside}</ResourceRecordSet>"
        )
    }
}

/// A name as Route 53 stores and returns it: lower case, a trailing dot, `\ooo` for every byte
/// outside `a-z0-9-_.`.
pub fn normal(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    let mut text = String::new();
    for byte in bytes {
        let byte = byte.to_ascii_lowercase();
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "\\{byte:03o}").expect("a String takes everything");
        }
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// The labels of a name from the right, each with its dot. So they sort as Route 53 documents:
/// `com.example.a-b.` is before `com.example.a.`.
fn labels_from_right(name: &str) -> Vec<String> {
    name.trim_end_matches('.').rsplit('.').map(|label| format!("{label}.")).collect()
}

/// One change of a batch, as requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub action: String,
    pub record_set: RecordSet,
}

/// A hosted zone.
#[derive(Clone, Debug)]
pub struct Zone {
    pub name: String,
    pub record_sets: Vec<RecordSet>,
}

/// The data of Route 53 and its settings.
#[derive(Debug)]
pub struct FakeRoute53 {
    pub zones: BTreeMap<String, Zone>,
    /// The most record sets per page, even if a request asks for more.
    pub page: usize,
    /// Whether to send `InvalidChangeBatch` in the form it had until October 2024.
    pub old_shape: bool,
    /// Valid values that a batch is rejected for.
    pub rejected_values: Vec<String>,
    /// Every well-formed batch, oldest first, whether it was applied or rejected.
    pub batches: Vec<Vec<Change>>,
    /// What was wrong with each invalid request. Each entry fails the test.
    pub violations: Vec<String>,
}

impl FakeRoute53 {
    pub fn new() -> Self {
        Self {
            zones: BTreeMap::new(),
            page: 300,
            old_shape: false,
            rejected_values: Vec::new(),
            batches: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// `ListResourceRecordSets`. `query` is undecoded.
    pub fn list(&mut self, zone_id: &str, query: &str) -> Response {
        let Some(pairs) = pairs(query, false) else {
            return invalid_input("The query string is not percent-encoded.");
        };
        for part in query.split(['&', '=']) {
            let again = super::text::percent_decode(part).map(|bytes| percent_encode(&bytes));
            if again.as_deref() != Some(part) {
                self.violations.push(format!("not percent-encoded as AWS requires: {part}"));
            }
        }
        let asked =
            |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        for (key, _) in &pairs {
            if !["name", "type", "identifier", "maxitems"].contains(&key.as_str()) {
                self.violations.push(format!("unknown query parameter {key}"));
            }
        }
        if asked("type").is_some() && asked("name").is_none() {
            return invalid_input("The input is not valid: type without name");
        }
        if asked("identifier").is_some() && asked("type").is_none() {
            return invalid_input("The input is not valid: identifier without type");
        }
        let max = match asked("maxitems").map(str::parse::<usize>) {
            None => self.page,
            Some(Ok(count)) if count > 0 => count.min(self.page),
            Some(_) => return invalid_input("maxitems is not valid"),
        };
        let Some(zone) = self.zones.get(zone_id) else { return no_such_zone(zone_id) };
        let start = asked("name").map(|name| {
            let kind = asked("type").unwrap_or("").to_owned();
            let identifier = asked("identifier").unwrap_or("").to_owned();
            (labels_from_right(&normal(name)), kind, identifier)
        });
        let mut record_sets: Vec<&RecordSet> = zone.record_sets.iter().collect();
        record_sets.sort_by_key(|record_set| record_set.place());
        record_sets
            .retain(|record_set| start.as_ref().is_none_or(|start| record_set.place() >= *start));
        let next = record_sets.get(max).copied();
        let listed: String =
            record_sets.iter().take(max).map(|record_set| record_set.to_xml()).collect();
        let more = next.map_or(String::new(), |record_set| {
            let identifier = record_set.member("SetIdentifier").map_or(String::new(), |text| {
                format!("<NextRecordIdentifier>{text}</NextRecordIdentifier>")
            });
            format!(
                "<NextRecordName>{}</NextRecordName>\
                 <NextRecordType>{}</NextRecordType>{identifier}",
                xml_escape(&record_set.name),
                record_set.kind
            )
        });
        xml(
            200,
            &format!(
                "<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ResourceRecordSets>{listed}\
                 </ResourceRecordSets><IsTruncated>{}</IsTruncated>{more}<MaxItems>{max}</MaxItems>\
                 </ListResourceRecordSetsResponse>",
                next.is_some()
            ),
        )
    }

    /// `ChangeResourceRecordSets`.
    pub fn change(&mut self, zone_id: &str, body: &[u8]) -> Response {
        let batch = match read_batch(body) {
            Ok(batch) => batch,
            Err(cause) => {
                self.violations.push(format!("a change that AWS cannot read: {cause}"));
                return error("Sender", 400, "MalformedInput", &cause);
            }
        };
        self.batches.push(batch.clone());
        let Some(zone) = self.zones.get_mut(zone_id) else { return no_such_zone(zone_id) };
        let mut record_sets = zone.record_sets.clone();
        let mut causes = Vec::new();
        for change in batch {
            if self.rejected_values.iter().any(|value| change.record_set.values.contains(value)) {
                causes.push(format!(
                    "Invalid Resource Record: 'FATAL problem: ARRDATANotAllowed (Value is not \
                     allowed) encountered with '{}''",
                    change.record_set.values.join(" ")
                ));
                continue;
            }
            if let Err(cause) = apply(&mut record_sets, &zone.name, change) {
                causes.push(cause);
            }
        }
        if !causes.is_empty() {
            return self.invalid_change_batch(&causes);
        }
        zone.record_sets = record_sets;
        xml(
            200,
            &format!(
                "<ChangeResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ChangeInfo>\
                 <Id>/change/C0123456789ABCDEFGHIJ</Id><Status>PENDING</Status>\
                 <SubmittedAt>2026-01-02T03:04:05.678Z</SubmittedAt></ChangeInfo>\
                 </ChangeResourceRecordSetsResponse>"
            ),
        )
    }

    fn invalid_change_batch(&self, causes: &[String]) -> Response {
        if self.old_shape {
            let messages: String = causes
                .iter()
                .map(|cause| format!("<Message>{}</Message>", xml_escape(cause)))
                .collect();
            return xml(
                400,
                &format!(
                    "<InvalidChangeBatch xmlns=\"{NAMESPACE}\"><Messages>{messages}</Messages>\
                     <RequestId>0a1b2c3d-0000-4000-8000-000000000053</RequestId>\
                     </InvalidChangeBatch>"
                ),
            );
        }
        error("Sender", 400, "InvalidChangeBatch", &format!("[{}]", causes.join(", ")))
    }
}

/// Applies one change to the record sets, with the rejections of the real service.
fn apply(record_sets: &mut Vec<RecordSet>, zone: &str, change: Change) -> Result<(), String> {
    let Change { action, record_set } = change;
    let (name, kind) = (record_set.name.clone(), record_set.kind.clone());
    if !format!(".{name}").ends_with(&format!(".{zone}")) {
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
    for value in &record_set.values {
        let legal = match kind.as_str() {
            "A" => value.parse::<Ipv4Addr>().is_ok(),
            "AAAA" => value.parse::<Ipv6Addr>().is_ok(),
            _ => true,
        };
        if !legal {
            return Err(format!(
                "Invalid Resource Record: 'FATAL problem: {kind}RRDATAIllegalAddress (Value is \
                 not a valid address) encountered with '{value}''"
            ));
        }
    }
    let of_name = |other: &&RecordSet| other.name == name;
    if kind != "CNAME" && record_sets.iter().filter(of_name).any(|other| other.kind == "CNAME") {
        return Err(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting \
             RRSet of type CNAME with the same DNS name already exists in zone {zone}"
        ));
    }
    let same = |other: &RecordSet| other.name == name && other.kind == kind;
    if record_sets.iter().any(|other| same(other) && other.is_simple() != record_set.is_simple()) {
        return Err(format!(
            "RRSet with DNS name {name}, type {kind} cannot be created as a non-weighted set \
             exists beside a weighted one with the same name and type"
        ));
    }
    let found = record_sets.iter().position(|other| {
        same(other) && other.member("SetIdentifier") == record_set.member("SetIdentifier")
    });
    match (action.as_str(), found) {
        ("CREATE", Some(_)) => Err(format!(
            "Tried to create resource record set [name='{name}', type='{kind}'] but it already \
             exists"
        )),
        ("CREATE" | "UPSERT", None) => {
            record_sets.push(record_set);
            Ok(())
        }
        ("UPSERT", Some(index)) => {
            record_sets[index] = record_set;
            Ok(())
        }
        ("DELETE", Some(index)) => {
            record_sets.remove(index);
            Ok(())
        }
        ("DELETE", None) => Err(format!(
            "Tried to delete resource record set [name='{name}', type='{kind}'] but it was not \
             found"
        )),
        _ => Err(format!("Unknown action {action}")),
    }
}

/// Reads a batch and checks names, order and limits against AWS's model.
fn read_batch(body: &[u8]) -> Result<Vec<Change>, String> {
    let root = parse_xml(body)?;
    if root.name != "ChangeResourceRecordSetsRequest" || root.xmlns.as_deref() != Some(NAMESPACE) {
        return Err(format!("root is {} in {:?}", root.name, root.xmlns));
    }
    let batch = only_child(&root, "ChangeBatch")?;
    let changes = match batch.names().as_slice() {
        ["Changes"] | ["Comment", "Changes"] => &batch.children[batch.children.len() - 1],
        other => return Err(format!("ChangeBatch has {other:?}")),
    };
    if batch.child("Comment").is_some_and(|comment| comment.text.chars().count() > 256) {
        return Err("Comment is longer than 256 characters".to_owned());
    }
    if changes.children.is_empty() {
        return Err("no change in the batch".to_owned());
    }
    changes.children.iter().map(read_change).collect()
}

fn read_change(change: &Element) -> Result<Change, String> {
    if change.name != "Change" || change.names() != ["Action", "ResourceRecordSet"] {
        return Err(format!("{} has {:?}", change.name, change.names()));
    }
    let set = &change.children[1];
    if set.names() != ["Name", "Type", "TTL", "ResourceRecords"] {
        return Err(format!("ResourceRecordSet has {:?}", set.names()));
    }
    let ttl = &set.children[2].text;
    let ttl = ttl.parse().ok().filter(|&ttl| ttl <= 2_147_483_647).ok_or(format!("TTL {ttl}"))?;
    let values = set.children[3]
        .children
        .iter()
        .map(|record| only_child(record, "Value").map(|value| value.text.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Change {
        action: change.children[0].text.clone(),
        record_set: RecordSet::new(&set.children[0].text, &set.children[1].text, ttl, &values),
    })
}

fn only_child<'a>(element: &'a Element, name: &str) -> Result<&'a Element, String> {
    match element.children.as_slice() {
        [child] if child.name == name => Ok(child),
        _ => Err(format!("{} has {:?}, not one {name}", element.name, element.names())),
    }
}

fn invalid_input(message: &str) -> Response {
    error("Sender", 400, "InvalidInput", message)
}

fn no_such_zone(id: &str) -> Response {
    error("Sender", 404, "NoSuchHostedZone", &format!("No hosted zone found with ID: {id}"))
}

/// An error response. `kind` is `Sender` or `Receiver`.
pub fn error(kind: &str, status: u16, code: &str, message: &str) -> Response {
    let message = xml_escape(message);
    xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error>\
             <RequestId>0a1b2c3d-0000-4000-8000-000000000053</RequestId></ErrorResponse>"
        ),
    )
}

fn xml(status: u16, body: &str) -> Response {
    Response::new(status, "text/xml", format!("<?xml version=\"1.0\"?>\n{body}"))
        .with("x-amzn-RequestId", "0a1b2c3d-0000-4000-8000-000000000053")
}
