//! Checks of `aws::route53`, `aws::sns` and `aws::fault`: the responses of AWS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use autodns::parts::Fault;
use autodns::parts::Plan;
use autodns::parts::route53::{self, Page, ZoneId};
use autodns::parts::sns;
use autodns::parts::{DnsName, RecordKey, RecordType, Ttl};
use roxmltree::{Document, Node};

/// A list has exactly the record sets of the requested name. No truncated response gives a shorter
/// list or another zone.
pub fn route53_list(data: &[u8]) {
    let Ok(answer) = str::from_utf8(data) else { return };
    let zone = route53::read_zone_name(answer);
    assert_eq!(zone, route53::read_zone_name(answer), "read twice");
    if let Err(problem) = &zone {
        assert_problem(problem);
    }
    for beginning in super::beginnings(answer) {
        let cut = route53::read_zone_name(beginning);
        assert!(cut.is_err() || cut == zone, "cut off, but read as a zone: {beginning:?}");
    }
    for name in ["home.example.com", "*.home.example.com"] {
        let name = DnsName::from_config(name).expect("a good name");
        let read_list = |text| route53::read_page(|found| *found == name, text);
        let read = read_list(answer);
        assert_eq!(read, read_list(answer), "read twice");
        match read {
            Ok(page) => {
                assert_rows(&name, &page);
                if let Ok(document) = Document::parse(answer) {
                    assert_eq!(
                        page.record_sets.iter().flatten().count(),
                        rows_in(&document, &name),
                        "record sets in {answer}"
                    );
                }
                for beginning in super::beginnings(answer) {
                    if let Ok(cut) = read_list(beginning) {
                        assert_eq!(cut, page, "cut off, but read as a list: {beginning:?}");
                    }
                }
            }
            Err(problem) => assert_problem(&problem),
        }
    }
}

fn assert_rows(name: &DnsName, page: &Page) {
    let record_sets: Vec<_> = page.record_sets.iter().flatten().cloned().collect();
    for record_set in &record_sets {
        assert_eq!(&record_set.name, name, "a record set of another name");
        assert!(!record_set.record_type.is_empty(), "a record set without a type");
        assert!(record_set.ttl.is_none_or(|ttl| Ttl::from_route53(&ttl.to_string()) == Some(ttl)));
    }
    for (record_type, address) in [
        (RecordType::A, IpAddr::from(Ipv4Addr::new(9, 9, 9, 9))),
        (RecordType::Aaaa, Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 9).into()),
    ] {
        let key = RecordKey { name: name.clone(), record_type };
        match Plan::new(&key, address, None, &record_sets) {
            Plan::Refuse { why, .. } => assert!(!why.contains(char::is_control), "{why:?}"),
            Plan::Change(change) if change.from.is_some() => {
                let shown = change.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
            }
            Plan::Change(_) => {
                let of_type = |record_set: &&_| *record_set == record_type.as_str();
                assert!(
                    !record_sets
                        .iter()
                        .map(|record_set| &record_set.record_type)
                        .any(|t| of_type(&&**t))
                );
            }
            Plan::Keep => {}
        }
    }
    if let Some(next) = &page.next {
        let zone = ZoneId::parse("Z1").expect("a good id");
        let path = route53::list(&zone, next, 10).path_and_query;
        assert!(path.starts_with("/2013-04-01/hostedzone/Z1/rrset?maxitems=10&name="));
        assert_eq!(
            path.matches('&').count(),
            path.matches("&name=").count()
                + path.matches("&type=").count()
                + path.matches("&identifier=").count()
        );
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{path}");
    }
}

/// Counts the record sets of `name` with another XML parser.
fn rows_in(document: &Document, name: &DnsName) -> usize {
    child(document.root_element(), "ResourceRecordSets").map_or(0, |sets| {
        sets.children()
            .filter_map(|set| child(set, "Name")?.text())
            .filter(|text| DnsName::from_route53(text.trim()).as_ref() == Ok(name))
            .count()
    })
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name)
}

/// The responses to the two writes, `ChangeResourceRecordSets` and `Publish`. Only a response that
/// names the finished action counts as success.
pub fn receipt(data: &[u8]) {
    let Ok(answer) = str::from_utf8(data) else { return };
    let change = route53::read_change(answer);
    assert_eq!(change, route53::read_change(answer), "read twice");
    let publish = sns::read_publish(answer);
    assert_eq!(publish, sns::read_publish(answer), "read twice");
    assert!(change.is_err() || publish.is_err(), "a response to both requests");
    match &change {
        Ok((id, status)) => {
            assert_word(id);
            assert_word(status);
            assert!(answer.contains("ChangeResourceRecordSetsResponse"));
        }
        Err(problem) => assert_problem(problem),
    }
    match &publish {
        Ok(id) => {
            assert_word(id);
            assert!(answer.contains("PublishResponse"));
        }
        Err(problem) => assert_problem(problem),
    }
    for beginning in super::beginnings(answer) {
        let (cut, shorter) = (route53::read_change(beginning), sns::read_publish(beginning));
        assert!(cut.is_err() || cut == change, "cut off, but a success: {beginning:?}");
        assert!(shorter.is_err() || shorter == publish, "cut off, but a success: {beginning:?}");
    }
}

fn assert_word(text: &str) {
    assert!(!text.is_empty() && !text.contains(char::is_control), "not a word: {text:?}");
}

/// An error has a code. A truncated error is not read as another error.
pub fn fault(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let read = Fault::parse(400, body);
    assert_eq!(read, Fault::parse(400, body), "read twice");
    match read {
        Ok(fault) => {
            assert_eq!(fault.status, 400);
            assert!(!fault.code.is_empty(), "an error without a code");
            assert!(!fault.message.ends_with('.'), "a semicolon and the advice follow it");
            super::assert_phrase(&fault.code);
            assert!(fault.code.len() <= 64, "not a code: {}", fault.code);
            // Throttling is never the rejection of a record.
            assert!(!(fault.is_throttling() && fault.is_rejection()));
            let later = Fault::parse(503, body).expect("the same error with another status");
            assert_eq!(later, Fault { status: 503, ..fault.clone() });
            assert!(!later.is_rejection());
            for beginning in super::beginnings(body) {
                if let Ok(cut) = Fault::parse(400, beginning) {
                    assert_eq!(cut, fault, "cut off, but read as an error: {beginning:?}");
                }
            }
        }
        Err(problem) => assert_problem(problem),
    }
}

/// The error about an invalid response is autodns's own text and quotes nothing.
fn assert_problem(problem: &str) {
    super::assert_phrase(problem);
    assert!(problem.len() < 100 && problem.is_ascii(), "it quotes the response: {problem}");
}
