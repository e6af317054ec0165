//! Compares a wanted record with the record sets that Route 53 lists, and returns a [`Plan`]. Pure.

use std::fmt;
use std::net::IpAddr;

use crate::record::{AddressRecord, RecordKey, RecordSet, Ttl};

/// What to do with one record.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// The record is up to date.
    Keep,
    Change(Change),
    /// The record must not be written.
    Refuse {
        /// A phrase that follows the record, as in "not overwritten".
        what: &'static str,
        why: String,
        advice: &'static str,
    },
}

/// A record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record in Route 53; `None` if it does not exist.
    pub from: Option<Existing>,
    pub to: AddressRecord,
}

/// A record in Route 53 with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// As listed; not always an address.
    pub value: String,
    pub ttl: Ttl,
}

impl Existing {
    fn has(&self, address: IpAddr) -> bool {
        self.value.parse() == Ok(address)
    }
}

impl Change {
    /// Whether the address changes. If not, only the TTL changes.
    pub fn moves_address(&self) -> bool {
        !self.from.as_ref().is_some_and(|from| from.has(self.to.address))
    }
}

/// As in `192.0.2.1 -> 192.0.2.7, TTL 300 -> 60`: only what changes.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressRecord { ttl, address, .. } = &self.to;
        let Some(from) = &self.from else { return write!(f, "does not exist -> {address}") };
        if self.moves_address() {
            write!(f, "{} -> {address}", from.value)?;
        }
        if from.ttl != *ttl {
            let comma = if self.moves_address() { ", " } else { "" };
            write!(f, "{comma}TTL {} -> {ttl}", from.ttl)?;
        }
        Ok(())
    }
}

impl Plan {
    /// Whether the plan is to change the address of the record.
    pub fn moves_address(&self) -> bool {
        matches!(self, Self::Change(change) if change.moves_address())
    }

    /// What to do so that the record `key` has `address` and `ttl`, given all record sets `found`
    /// of its name. Without `ttl`, an existing record keeps its TTL, and a new one gets
    /// [`Ttl::DEFAULT`].
    pub fn new(key: &RecordKey, address: IpAddr, ttl: Option<Ttl>, found: &[RecordSet]) -> Self {
        let refuse = |why: String, advice| Self::Refuse { what: "not overwritten", why, advice };
        let change = |from, ttl| {
            Self::Change(Change { from, to: AddressRecord { key: key.clone(), ttl, address } })
        };
        let is_cname = |set: &RecordSet| set.name == key.name && set.record_type == "CNAME";
        if found.iter().any(is_cname) {
            return refuse(
                "there is a CNAME of that name".into(),
                "delete the CNAME, or use another name",
            );
        }
        let mut record_sets = found.iter().filter(|record_set| record_set.is_of(key));
        let (record_set, more) = (record_sets.next(), record_sets.next());
        let Some(record_set) = record_set else { return change(None, ttl.unwrap_or(Ttl::DEFAULT)) };
        if let Some((what, advice)) = unmanaged_feature(record_set) {
            return refuse(what, advice);
        }
        if more.is_some() {
            return refuse("there are several record sets of that name and type".into(), SIMPLE);
        }
        match (record_set.values.as_slice(), record_set.ttl) {
            ([value], Some(found)) => {
                let from = Existing { value: value.clone(), ttl: found };
                let wanted = ttl.unwrap_or(found);
                if from.has(address) && found == wanted {
                    Self::Keep
                } else {
                    change(Some(from), wanted)
                }
            }
            ([], _) | (_, None) => refuse("it has no value or no TTL".into(), SIMPLE),
            (values, _) => refuse(
                format!("it has {} values: {}", values.len(), record_set.first_values(", ")),
                "reduce it to one value, or use another name",
            ),
        }
    }
}

/// The record `key` as it is, if it exists and autodns may write it.
pub fn unchanged(key: &RecordKey, found: &[RecordSet]) -> Option<AddressRecord> {
    let record_set = found.iter().find(|record_set| record_set.is_of(key))?;
    let address = record_set.values.first()?.parse().ok()?;
    let is_ours = Plan::new(key, address, None, found) == Plan::Keep;
    let record = AddressRecord { key: key.clone(), ttl: record_set.ttl?, address };
    is_ours.then_some(record)
}

const SIMPLE: &str = "make it a simple record with one value, or use another name";

/// Which feature of Route 53 a record set uses beyond name, type, TTL and values, and the advice.
fn unmanaged_feature(record_set: &RecordSet) -> Option<(String, &'static str)> {
    let has = |member: &str| record_set.other_members.iter().any(|other| other == member);
    let routing = [
        ("Weight", "a weighted record"),
        ("Region", "a latency record"),
        ("Failover", "a failover record"),
        ("GeoLocation", "a geolocation record"),
        ("GeoProximityLocation", "a geoproximity record"),
        ("MultiValueAnswer", "a multivalue answer record"),
        ("CidrRoutingConfig", "an IP-based routing record"),
        ("TrafficPolicyInstanceId", "a traffic policy's record"),
        ("SetIdentifier", "a record with a set identifier"),
    ];
    if has("AliasTarget") {
        return Some(("it is an alias".into(), SIMPLE));
    }
    if let Some((_, kind)) = routing.iter().find(|(member, _)| has(member)) {
        return Some((format!("it is {kind}"), SIMPLE));
    }
    if has("HealthCheckId") {
        return Some((
            "it has a health check".into(),
            "remove the health check, or use another name",
        ));
    }
    let unknown = record_set.other_members.first()?;
    Some((format!("it has {unknown}, which autodns does not know"), SIMPLE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DnsName, RecordType};

    fn key(record_type: RecordType) -> RecordKey {
        RecordKey { name: DnsName::from_config("home.example.com").unwrap(), record_type }
    }

    fn record_set(record_type: &str, values: &[&str], other_members: &[&str]) -> RecordSet {
        RecordSet {
            name: key(RecordType::A).name,
            record_type: record_type.into(),
            ttl: Ttl::new(300),
            values: values.iter().map(|&v| v.into()).collect(),
            other_members: other_members.iter().map(|&m| m.into()).collect(),
        }
    }

    fn plan(record_type: RecordType, address: &str, found: &[RecordSet]) -> Plan {
        Plan::new(&key(record_type), address.parse().unwrap(), None, found)
    }

    fn ttl(seconds: u64) -> Ttl {
        Ttl::new(seconds).unwrap()
    }

    /// A change from a record whose TTL is 300.
    fn change(record_type: RecordType, from: Option<&str>, to: &str, seconds: u64) -> Plan {
        let address = to.parse().unwrap();
        Plan::Change(Change {
            from: from.map(|value| Existing { value: value.into(), ttl: ttl(300) }),
            to: AddressRecord { key: key(record_type), ttl: ttl(seconds), address },
        })
    }

    #[test]
    fn record_is_kept_changed_or_created() {
        use RecordType::{A, Aaaa};
        let txt = record_set("TXT", &["x"], &["SetIdentifier"]);
        for (record_type, address, found, expected) in [
            (A, "192.0.2.1", vec![record_set("A", &["192.0.2.1"], &[])], Plan::Keep),
            (Aaaa, "2001:db8::1", vec![record_set("AAAA", &["2001:DB8:0::1"], &[])], Plan::Keep),
            (
                A,
                "192.0.2.2",
                vec![record_set("A", &["192.0.2.1"], &[]), txt.clone()],
                change(A, Some("192.0.2.1"), "192.0.2.2", 300),
            ),
            (
                A,
                "192.0.2.2",
                vec![record_set("A", &["?"], &[])],
                change(A, Some("?"), "192.0.2.2", 300),
            ),
            (A, "192.0.2.2", vec![], change(A, None, "192.0.2.2", 600)),
            (
                Aaaa,
                "2001:db8::1",
                vec![record_set("A", &["192.0.2.1"], &["AliasTarget"])],
                change(Aaaa, None, "2001:db8::1", 600),
            ),
        ] {
            assert_eq!(plan(record_type, address, &found), expected);
        }
    }

    #[test]
    fn configured_ttl_is_written_and_shown_where_it_differs() {
        const ADDRESS: &str = "192.0.2.1";
        for (configured, found, expected, shown) in [
            (None, Some((ADDRESS, 300)), None, ""),
            (Some(300), Some((ADDRESS, 300)), None, ""),
            (Some(60), Some((ADDRESS, 300)), Some((60, false)), "TTL 300 -> 60"),
            (None, Some(("192.0.2.9", 300)), Some((300, true)), "192.0.2.9 -> 192.0.2.1"),
            (
                Some(60),
                Some(("192.0.2.9", 300)),
                Some((60, true)),
                "192.0.2.9 -> 192.0.2.1, TTL 300 -> 60",
            ),
            (Some(60), None, Some((60, true)), "does not exist -> 192.0.2.1"),
            (None, None, Some((600, true)), "does not exist -> 192.0.2.1"),
        ] {
            let found: Vec<_> = found
                .map(|(value, seconds)| RecordSet {
                    ttl: Ttl::new(seconds),
                    ..record_set("A", &[value], &[])
                })
                .into_iter()
                .collect();
            let configured = configured.map(ttl);
            let address = ADDRESS.parse().unwrap();
            match (Plan::new(&key(RecordType::A), address, configured, &found), expected) {
                (Plan::Keep, None) => {}
                (Plan::Change(change), Some((seconds, moves))) => {
                    assert_eq!(change.to.ttl, ttl(seconds));
                    assert_eq!(change.to.address, address);
                    assert_eq!(change.moves_address(), moves);
                    assert_eq!(change.to_string(), shown);
                }
                (plan, _) => panic!("{configured:?} {found:?}: {plan:?}"),
            }
        }
    }

    #[test]
    fn record_sets_of_other_names_are_ignored() {
        let mut other = record_set("CNAME", &["x"], &[]);
        other.name = DnsName::from_config("other.example.com").unwrap();
        assert_eq!(
            plan(RecordType::A, "192.0.2.1", &[other]),
            change(RecordType::A, None, "192.0.2.1", 600)
        );
    }

    #[test]
    fn unmanaged_record_is_refused_even_if_its_value_is_right() {
        let value = &["192.0.2.1"];
        let mut without_ttl = record_set("A", value, &[]);
        without_ttl.ttl = None;
        for (found, expected) in [
            (vec![record_set("A", &[], &["AliasTarget"])], "it is an alias"),
            (vec![record_set("A", value, &["SetIdentifier", "Weight"])], "it is a weighted record"),
            (vec![record_set("A", value, &["SetIdentifier", "Region"])], "it is a latency record"),
            (
                vec![record_set("A", value, &["SetIdentifier", "Failover"])],
                "it is a failover record",
            ),
            (vec![record_set("A", value, &["GeoLocation"])], "it is a geolocation record"),
            (
                vec![record_set("A", value, &["GeoProximityLocation"])],
                "it is a geoproximity record",
            ),
            (
                vec![record_set("A", value, &["MultiValueAnswer"])],
                "it is a multivalue answer record",
            ),
            (
                vec![record_set("A", value, &["CidrRoutingConfig"])],
                "it is an IP-based routing record",
            ),
            (
                vec![record_set("A", value, &["TrafficPolicyInstanceId"])],
                "it is a traffic policy's record",
            ),
            (
                vec![record_set("A", value, &["SetIdentifier"])],
                "it is a record with a set identifier",
            ),
            (vec![record_set("A", value, &["HealthCheckId"])], "it has a health check"),
            (
                vec![record_set("A", value, &["Novelty"])],
                "it has Novelty, which autodns does not know",
            ),
            (
                vec![record_set("A", &["192.0.2.1", "192.0.2.2"], &[])],
                "it has 2 values: 192.0.2.1, 192.0.2.2",
            ),
            (vec![record_set("A", &[], &[])], "it has no value or no TTL"),
            (vec![without_ttl], "it has no value or no TTL"),
            (
                vec![record_set("A", value, &[]), record_set("A", value, &[])],
                "there are several record sets of that name and type",
            ),
            (vec![record_set("CNAME", &["x."], &[])], "there is a CNAME of that name"),
        ] {
            match plan(RecordType::A, "192.0.2.1", &found) {
                Plan::Refuse { why, .. } => assert_eq!(why, expected),
                plan => panic!("{expected}: {plan:?}"),
            }
        }
    }
}
