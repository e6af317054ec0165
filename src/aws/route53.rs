//! Route 53, API version 2013-04-01: builds requests and parses responses. Pure.

use std::fmt::{self, Write};

use super::xml::{self, Element};
use super::{ApiRequest, Service};
use crate::percent;
use crate::record::{AddressRecord, DnsName, RecordSet, RecordType, Ttl};

/// How many record sets the list of one name requests. A name has few, and A, AAAA and CNAME sort
/// first. The record sets of later names would only cost bytes on a home connection.
pub const PAGE: usize = 10;
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The id of a hosted zone: 1 to 32 letters and digits, without `/hostedzone/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZoneId(String);

impl ZoneId {
    /// Parses `Z…`, `/hostedzone/Z…` or `hostedzone/Z…`.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix('/').unwrap_or(text);
        let id = match id.strip_prefix("hostedzone/") {
            Some(id) => id,
            None if id.len() == text.len() => id,
            None => return None,
        };
        let possible =
            (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        possible.then(|| Self(id.into()))
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a list starts. For Route 53 it is a starting point, not a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    name: String,
    record_type: Option<String>,
    identifier: Option<String>,
}

impl Start {
    /// The first record set of `name`, of any type.
    pub fn at(name: &DnsName) -> Self {
        Self { name: name.normalised().into(), record_type: None, identifier: None }
    }

    /// As spelled by the response or by [`DnsName::normalised`].
    pub fn name(&self) -> &str {
        &self.name
    }

    #[cfg(test)]
    pub fn new(name: &str, record_type: Option<&str>, identifier: Option<&str>) -> Self {
        let [record_type, identifier] = [record_type, identifier].map(|text| text.map(Into::into));
        Self { name: name.into(), record_type, identifier }
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// In order; `None` for a record set of a name that is not wanted.
    pub record_sets: Vec<Option<RecordSet>>,
    /// Where the next page starts, if there is one.
    pub next: Option<Start>,
}

/// The request for one page of `size` record sets of a zone.
pub fn list(zone: &ZoneId, start: &Start, size: usize) -> ApiRequest {
    let size = size.to_string();
    let mut query = vec![("maxitems", size.as_str()), ("name", &start.name)];
    query.extend(start.record_type.as_ref().map(|value| ("type", value.as_str())));
    query.extend(start.identifier.as_ref().map(|value| ("identifier", value.as_str())));
    let query = percent::query(&query);
    ApiRequest::get(Service::Route53, format!("/2013-04-01/hostedzone/{zone}/rrset?{query}"))
}

/// The request for the first record sets of a zone. These are at the zone apex, where few types
/// sort before SOA.
pub fn first_record_sets(zone: &ZoneId) -> ApiRequest {
    ApiRequest::get(
        Service::Route53,
        format!("/2013-04-01/hostedzone/{zone}/rrset?maxitems={PAGE}"),
    )
}

/// Parses the zone's name from its first record sets: the name of the SOA record, which a zone has
/// only at its apex, or of an NS record with the same name as the first record set. `None` if there
/// is neither.
pub fn read_zone_name(response: &str) -> Result<Option<DnsName>, String> {
    let root = expect_root(response, "ListResourceRecordSetsResponse")?;
    let sets = root.child("ResourceRecordSets").ok_or("lacks ResourceRecordSets")?;
    let record_sets = sets.children.iter().map(read_record_set).collect::<Result<Vec<_>, _>>()?;
    let of_type =
        |record_type| record_sets.iter().find(|record_set| record_set.record_type == record_type);
    let at_first = |record_set: &&RecordSet| {
        record_sets.first().is_some_and(|first| first.name == record_set.name)
    };
    let apex = of_type("SOA").or_else(|| of_type("NS").filter(at_first));
    Ok(apex.map(|record_set| record_set.name.clone()))
}

/// Parses one page of a list. If a name is not `wanted`, the rest of its record set is not parsed.
/// The error is a phrase about the response.
pub fn read_page(wanted: impl Fn(&DnsName) -> bool, response: &str) -> Result<Page, String> {
    let root = expect_root(response, "ListResourceRecordSetsResponse")?;
    let sets = root.child("ResourceRecordSets").ok_or("lacks ResourceRecordSets")?;
    let read = |set: &Element| {
        let name = set.text_of("Name").ok_or("has a record set without a Name")?;
        let wanted = DnsName::from_route53(name).is_ok_and(|name| wanted(&name));
        wanted.then(|| read_record_set(set)).transpose()
    };
    let record_sets = sets.children.iter().map(read).collect::<Result<_, String>>()?;
    Ok(Page { record_sets, next: next_page(&root)? })
}

/// Where the next page starts, if there is one.
fn next_page(root: &Element) -> Result<Option<Start>, String> {
    match root.text_of("IsTruncated") {
        Some("false") => Ok(None),
        Some("true") => Ok(Some(Start {
            name: root.text_of("NextRecordName").ok_or("lacks NextRecordName")?.into(),
            record_type: root.text_of("NextRecordType").map(Into::into),
            identifier: root.text_of("NextRecordIdentifier").map(Into::into),
        })),
        _ => Err("lacks IsTruncated".into()),
    }
}

fn read_record_set(set: &Element) -> Result<RecordSet, String> {
    let name = set.text_of("Name").ok_or("has a record set without a Name")?;
    let name = DnsName::from_route53(name)
        .map_err(|problem| format!("has a record set whose Name {problem}"))?;
    let mut record_set = RecordSet {
        name,
        record_type: set.word_of("Type", "").ok_or("has a record set without a Type")?.into(),
        ttl: None,
        values: Vec::new(),
        other_members: Vec::new(),
    };
    for member in &set.children {
        match member.name.as_str() {
            "Name" | "Type" => {}
            "TTL" => {
                record_set.ttl = Some(Ttl::from_route53(&member.text).ok_or("has an invalid TTL")?);
            }
            "ResourceRecords" => {
                // Messages show addresses. The values of other types are never used.
                let is_address = RecordType::parse(&record_set.record_type).is_some();
                for record in &member.children {
                    let value = record.text_of("Value").ok_or("has a record without a Value")?;
                    if is_address && record.word_of("Value", ".:").is_none() {
                        return Err("has an address record without an address".into());
                    }
                    record_set.values.push(value.into());
                }
            }
            other => record_set.other_members.push(other.into()),
        }
    }
    Ok(record_set)
}

/// The request that creates or replaces either all `records` or none.
pub fn change(zone: &ZoneId, records: &[AddressRecord]) -> ApiRequest {
    let mut body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch>\
         <Comment>autodns {}</Comment><Changes>",
        env!("CARGO_PKG_VERSION")
    );
    for AddressRecord { key, ttl, address } in records {
        let name = xml::escape(key.name.normalised());
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}</Name>\
             <Type>{}</Type><TTL>{ttl}</TTL><ResourceRecords><ResourceRecord>\
             <Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
             </Change>",
            key.record_type
        );
    }
    body.push_str("</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>");
    let path = format!("/2013-04-01/hostedzone/{zone}/rrset/");
    ApiRequest::post(Service::Route53, path, "application/xml", body)
}

/// Parses the response to [`change`]: the id of the change and its status (`PENDING`, `INSYNC`).
pub fn read_change(response: &str) -> Result<(String, String), String> {
    let root = expect_root(response, "ChangeResourceRecordSetsResponse")?;
    let info = root.child("ChangeInfo").ok_or("lacks ChangeInfo")?;
    let id = info.word_of("Id", "/-_").map(|id| id.strip_prefix("/change/").unwrap_or(id));
    let id = id.filter(|id| !id.is_empty()).ok_or("lacks the change's Id")?;
    let status = info.word_of("Status", "").ok_or("lacks the change's Status")?;
    Ok((id.into(), status.into()))
}

fn expect_root(response: &str, name: &str) -> Result<Element, String> {
    let root = Element::parse(response)?;
    if root.name == name { Ok(root) } else { Err(format!("is XML, but not a {name}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordKey;

    fn name(text: &str) -> DnsName {
        DnsName::from_config(text).unwrap()
    }

    #[test]
    fn zone_id_is_parsed_in_three_forms() {
        let longest = "Z".repeat(32);
        for (text, id) in [
            ("Z0123456789ABCDEFGHIJ", Some("Z0123456789ABCDEFGHIJ")),
            ("/hostedzone/Z1", Some("Z1")),
            ("hostedzone/Z1", Some("Z1")),
            (&longest, Some(longest.as_str())),
            (&"Z".repeat(33), None),
            ("", None),
            ("/hostedzone/", None),
            ("/Z1", None),
            ("Z1/rrset", None),
            ("home.example.com", None),
        ] {
            assert_eq!(ZoneId::parse(text).map(|id| id.to_string()).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn list_request_has_its_start_percent_encoded() {
        let zone = ZoneId::parse("Z1").unwrap();
        let request = list(&zone, &Start::at(&name("*.home.example.com")), PAGE);
        assert_eq!(
            request.path_and_query,
            "/2013-04-01/hostedzone/Z1/rrset?maxitems=10&name=%5C052.home.example.com"
        );
        let start = Start {
            name: "home.example.com.".into(),
            record_type: Some("A".into()),
            identifier: Some("a b/c".into()),
        };
        assert_eq!(
            list(&zone, &start, PAGE).path_and_query,
            "/2013-04-01/hostedzone/Z1/rrset?maxitems=10&name=home.example.com.&type=A\
             &identifier=a%20b%2Fc"
        );
    }

    #[test]
    fn record_sets_of_unwanted_names_are_not_parsed() {
        let strange = record_set("other.example.com.", "A", "<TTL>never</TTL>");
        let record_sets = strange.clone() + &record_set(HOME, "A", ADDRESS);
        let next = "<IsTruncated>true</IsTruncated><NextRecordName>x.example.com.</NextRecordName>";
        let home = name("home.example.com");
        let page = read_page(|name| *name == home, &response(&record_sets, next)).unwrap();
        let named: Vec<_> =
            page.record_sets.iter().map(|set| set.as_ref().map(|set| &set.name)).collect();
        assert_eq!(named, [None, Some(&home)]);
        assert_eq!(page.next, Some(Start::new("x.example.com.", None, None)));
        assert!(read_page(|_| true, &response(&strange, WHOLE)).is_err());
        assert_eq!(read_page(|_| true, &response("", "")), Err("lacks IsTruncated".into()));
    }

    fn response(record_sets: &str, end: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\">\
             <ResourceRecordSets>{record_sets}</ResourceRecordSets>{end}\
             <MaxItems>10</MaxItems></ListResourceRecordSetsResponse>"
        )
    }

    fn record_set(name: &str, record_type: &str, rest: &str) -> String {
        format!(
            "<ResourceRecordSet><Name>{name}</Name><Type>{record_type}</Type>{rest}\
             </ResourceRecordSet>"
        )
    }

    const ADDRESS: &str = "<TTL>300</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value>\
                           </ResourceRecord></ResourceRecords>";
    const HOME: &str = "home.example.com.";
    const WHOLE: &str = "<IsTruncated>false</IsTruncated>";

    /// The record sets of `wanted` in a response.
    fn read(wanted: &str, response: &str) -> Result<Vec<RecordSet>, String> {
        let page = read_page(|found| *found == name(wanted), response)?;
        Ok(page.record_sets.into_iter().flatten().collect())
    }

    #[test]
    fn page_has_only_record_sets_of_wanted_names() {
        let record_sets = record_set("home.example.com.", "A", ADDRESS)
            + &record_set("home.example.com.", "TXT", "<TTL>1</TTL>")
            + &record_set("next.example.com.", "A", ADDRESS);
        let found = read("Home.example.com", &response(&record_sets, WHOLE)).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found.first(),
            Some(&RecordSet {
                name: name("home.example.com"),
                record_type: "A".into(),
                ttl: Ttl::new(300),
                values: vec!["192.0.2.1".into()],
                other_members: vec![],
            })
        );
        assert_eq!(read("absent.example.com", &response(&record_sets, WHOLE)), Ok(vec![]));
    }

    #[test]
    fn zone_name_is_from_the_soa_or_the_first_ns_record() {
        assert_eq!(
            first_record_sets(&ZoneId::parse("Z1").unwrap()).path_and_query,
            "/2013-04-01/hostedzone/Z1/rrset?maxitems=10"
        );
        let (apex, inside) = ("Example.com.", "a.example.com.");
        let name_in =
            |record_sets: &[String]| read_zone_name(&response(&record_sets.concat(), WHOLE));
        let found = || Ok(Some(name("example.com")));
        assert_eq!(
            name_in(&[record_set(apex, "A", ADDRESS), record_set(apex, "SOA", "")]),
            found()
        );
        assert_eq!(
            name_in(&[record_set(inside, "A", ADDRESS), record_set(apex, "SOA", "")]),
            found()
        );
        assert_eq!(name_in(&[record_set(apex, "A", ADDRESS), record_set(apex, "NS", "")]), found());
        // A subdomain may be delegated, so an NS record with another name proves nothing.
        assert_eq!(
            name_in(&[record_set(apex, "A", ADDRESS), record_set(inside, "NS", "")]),
            Ok(None)
        );
        assert_eq!(name_in(&[]), Ok(None));
        assert_eq!(
            read_zone_name("<html/>"),
            Err("is XML, but not a ListResourceRecordSetsResponse".into())
        );
    }

    #[test]
    fn wildcard_is_found_in_its_escaped_form() {
        let record_sets = record_set("\\052.home.example.com.", "A", ADDRESS);
        assert_eq!(read("*.home.example.com", &response(&record_sets, WHOLE)).unwrap().len(), 1);
    }

    #[test]
    fn names_of_unknown_members_are_kept() {
        let rest = "<SetIdentifier>x</SetIdentifier><Weight>1</Weight><AliasTarget>\
                    <DNSName>a.</DNSName></AliasTarget><Novelty/>";
        let record_sets = record_set("home.example.com.", "A", rest);
        let found = read("home.example.com", &response(&record_sets, WHOLE)).unwrap().remove(0);
        assert_eq!(found.other_members, ["SetIdentifier", "Weight", "AliasTarget", "Novelty"]);
        assert_eq!((found.ttl, found.values.len()), (None, 0));
    }

    #[test]
    fn next_page_starts_where_the_response_says() {
        let end = "<IsTruncated>true</IsTruncated><NextRecordName>home.example.com.\
                   </NextRecordName><NextRecordType>A</NextRecordType><NextRecordIdentifier>\
                   b</NextRecordIdentifier>";
        let page = read_page(|_| true, &response("", end)).unwrap();
        assert_eq!(page.next, Some(Start::new("home.example.com.", Some("A"), Some("b"))));
    }

    #[test]
    fn incomplete_response_is_never_an_empty_list() {
        let good = response(&record_set("home.example.com.", "A", ADDRESS), WHOLE);
        for end in 0..good.len() {
            assert!(read_page(|_| true, &good[..end]).is_err(), "{}", &good[..end]);
        }
        for (response, problem) in [
            (response("", ""), "lacks IsTruncated"),
            (response("", "<IsTruncated>true</IsTruncated>"), "lacks NextRecordName"),
            (response("<ResourceRecordSet/>", WHOLE), "has a record set without a Name"),
            (response(&record_set("a.", "", ""), WHOLE), "has a record set without a Type"),
            (
                response(&record_set("a.", "A", &ADDRESS.replace("192.0.2.1", "1\n2")), WHOLE),
                "has an address record without an address",
            ),
            (response(&record_set("a.", "A B", ""), WHOLE), "has a record set without a Type"),
            (response(&record_set("a.", "A", "<TTL>soon</TTL>"), WHOLE), "has an invalid TTL"),
            ("<html/>".into(), "is XML, but not a ListResourceRecordSetsResponse"),
        ] {
            assert_eq!(read_page(|_| true, &response), Err(problem.into()));
        }
    }

    #[test]
    fn change_is_one_batch_in_the_order_of_the_model() {
        let record = |record_type, address: &str| AddressRecord {
            key: RecordKey { name: name("*.Home.example.com"), record_type },
            ttl: Ttl::DEFAULT,
            address: address.parse().unwrap(),
        };
        let records = [record(RecordType::A, "192.0.2.1"), record(RecordType::Aaaa, "2001:db8::1")];
        let request = change(&ZoneId::parse("Z1").unwrap(), &records);
        assert_eq!(request.path_and_query, "/2013-04-01/hostedzone/Z1/rrset/");
        let set = |record_type, address| {
            format!(
                "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>\\052.home.example.com\
                 </Name><Type>{record_type}</Type><TTL>600</TTL><ResourceRecords><ResourceRecord>\
                 <Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
                 </Change>"
            )
        };
        assert_eq!(
            request.body,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ChangeResourceRecordSetsRequest \
                 xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Comment>\
                 autodns 0.1.0</Comment><Changes>{}{}</Changes></ChangeBatch>\
                 </ChangeResourceRecordSetsRequest>",
                set("A", "192.0.2.1"),
                set("AAAA", "2001:db8::1")
            )
        );
    }

    #[test]
    fn response_to_a_change_has_its_id_and_status() {
        let response = format!(
            "<ChangeResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ChangeInfo><Id>/change/C1\
             </Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt>\
             </ChangeInfo></ChangeResourceRecordSetsResponse>"
        );
        assert_eq!(read_change(&response), Ok(("C1".into(), "PENDING".into())));
        assert_eq!(
            read_change("<ChangeResourceRecordSetsResponse/>"),
            Err("lacks ChangeInfo".into())
        );
        for (lost, problem) in
            [("C1", "lacks the change's Id"), ("PENDING", "lacks the change's Status")]
        {
            assert_eq!(read_change(&response.replace(lost, "")), Err(problem.into()));
        }
    }
}
