//! What is to be done with one record: wanted and found in, a [`Plan`] out. Pure.

use std::net::IpAddr;

use crate::record::{AddressRecord, Family, FoundRecord, RecordKey, Ttl};

/// What is to be done with one record.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is right.
    Keep,
    /// It is to be written.
    Change {
        /// The value it has; `None` where there is no such record.
        from: Option<String>,
        /// What it becomes.
        to: AddressRecord,
    },
    /// It is not this program's to overwrite.
    Refuse {
        /// What the record is.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
}

impl Plan {
    /// Whether it would write `address` over another value.
    #[must_use]
    pub fn writes(&self, address: IpAddr) -> bool {
        matches!(self, Self::Change { to, .. } if to.address == address)
    }

    /// What to do so that the record `key` has `address`, given all the records `found` of its
    /// name. A record that exists keeps its TTL; a new one gets `ttl`.
    #[must_use]
    pub fn new(key: &RecordKey, address: IpAddr, ttl: Ttl, found: &[FoundRecord]) -> Self {
        let refuse = |why: String, advice| Self::Refuse { why, advice };
        let change =
            |from, ttl| Self::Change { from, to: AddressRecord { key: key.clone(), ttl, address } };
        let of_name = || found.iter().filter(|row| row.name == key.name);
        if of_name().any(|row| row.record_type == "CNAME") {
            return refuse(
                "there is a CNAME of that name".into(),
                "delete the CNAME, or use another name",
            );
        }
        let mut rows = of_name().filter(|row| row.record_type == key.record_type.as_str());
        let (row, more) = (rows.next(), rows.next());
        let Some(row) = row else { return change(None, ttl) };
        if let Some((what, advice)) = foreign_kind(row) {
            return refuse(what, advice);
        }
        if more.is_some() {
            return refuse("there are several record sets of that name and type".into(), SIMPLE);
        }
        match (row.values.as_slice(), row.ttl) {
            ([value], Some(ttl)) => {
                if value.parse() == Ok(address) {
                    Self::Keep
                } else {
                    change(Some(value.clone()), ttl)
                }
            }
            ([], _) | (_, None) => refuse("it has no value or no TTL".into(), SIMPLE),
            (values, _) => refuse(
                format!("it has {} values: {}", values.len(), values.join(", ")),
                "leave one value in it, or use another name",
            ),
        }
    }
}

/// The plan of each of `records` whose family has an address among `addresses`, in order. A record
/// whose family has none is left out: what is not known is not planned.
pub fn all(
    records: impl Iterator<Item = RecordKey>,
    addresses: &[IpAddr],
    ttl: Ttl,
    found: &[FoundRecord],
) -> Vec<(RecordKey, Plan)> {
    records
        .filter_map(|key| {
            let family = key.record_type.family();
            let address = *addresses.iter().find(|&&address| Family::of(address) == family)?;
            let plan = Plan::new(&key, address, ttl, found);
            Some((key, plan))
        })
        .collect()
}

const SIMPLE: &str = "make it a simple record with one value, or use another name";

/// What makes a record set more than a name, a type, a TTL and values, and what to do about it.
fn foreign_kind(row: &FoundRecord) -> Option<(String, &'static str)> {
    let has = |member: &str| row.other_members.iter().any(|other| other == member);
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
            "take the health check off, or use another name",
        ));
    }
    let unknown = row.other_members.first()?;
    Some((format!("it has {unknown}, which autodns does not know"), SIMPLE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DnsName, RecordType};

    fn key(record_type: RecordType) -> RecordKey {
        RecordKey { name: DnsName::from_config("home.example.com").unwrap(), record_type }
    }

    fn row(record_type: &str, values: &[&str], other_members: &[&str]) -> FoundRecord {
        FoundRecord {
            name: key(RecordType::A).name,
            record_type: record_type.into(),
            ttl: Ttl::new(300),
            values: values.iter().map(|&v| v.into()).collect(),
            other_members: other_members.iter().map(|&m| m.into()).collect(),
        }
    }

    fn plan(record_type: RecordType, address: &str, found: &[FoundRecord]) -> Plan {
        Plan::new(&key(record_type), address.parse().unwrap(), Ttl::DEFAULT, found)
    }

    fn change(record_type: RecordType, from: Option<&str>, to: &str, ttl: u64) -> Plan {
        Plan::Change {
            from: from.map(Into::into),
            to: AddressRecord {
                key: key(record_type),
                ttl: Ttl::new(ttl).unwrap(),
                address: to.parse().unwrap(),
            },
        }
    }

    #[test]
    fn a_record_is_kept_changed_or_created() {
        use RecordType::{A, Aaaa};
        let txt = row("TXT", &["x"], &["SetIdentifier"]);
        for (record_type, address, found, expected) in [
            (A, "192.0.2.1", vec![row("A", &["192.0.2.1"], &[])], Plan::Keep),
            (Aaaa, "2001:db8::1", vec![row("AAAA", &["2001:DB8:0::1"], &[])], Plan::Keep),
            (
                A,
                "192.0.2.2",
                vec![row("A", &["192.0.2.1"], &[]), txt.clone()],
                change(A, Some("192.0.2.1"), "192.0.2.2", 300),
            ),
            (A, "192.0.2.2", vec![row("A", &["?"], &[])], change(A, Some("?"), "192.0.2.2", 300)),
            (A, "192.0.2.2", vec![], change(A, None, "192.0.2.2", 600)),
            (
                Aaaa,
                "2001:db8::1",
                vec![row("A", &["192.0.2.1"], &["AliasTarget"])],
                change(Aaaa, None, "2001:db8::1", 600),
            ),
        ] {
            assert_eq!(plan(record_type, address, &found), expected);
        }
    }

    #[test]
    fn rows_of_other_names_say_nothing() {
        let mut other = row("CNAME", &["x"], &[]);
        other.name = DnsName::from_config("other.example.com").unwrap();
        assert_eq!(
            plan(RecordType::A, "192.0.2.1", &[other]),
            change(RecordType::A, None, "192.0.2.1", 600)
        );
    }

    #[test]
    fn what_is_not_ours_is_refused_even_where_the_value_is_right() {
        let value = &["192.0.2.1"];
        let mut without_ttl = row("A", value, &[]);
        without_ttl.ttl = None;
        for (found, expected) in [
            (vec![row("A", &[], &["AliasTarget"])], "it is an alias"),
            (vec![row("A", value, &["SetIdentifier", "Weight"])], "it is a weighted record"),
            (vec![row("A", value, &["SetIdentifier", "Region"])], "it is a latency record"),
            (vec![row("A", value, &["SetIdentifier", "Failover"])], "it is a failover record"),
            (vec![row("A", value, &["GeoLocation"])], "it is a geolocation record"),
            (vec![row("A", value, &["GeoProximityLocation"])], "it is a geoproximity record"),
            (vec![row("A", value, &["MultiValueAnswer"])], "it is a multivalue answer record"),
            (vec![row("A", value, &["CidrRoutingConfig"])], "it is an IP-based routing record"),
            (
                vec![row("A", value, &["TrafficPolicyInstanceId"])],
                "it is a traffic policy's record",
            ),
            (vec![row("A", value, &["SetIdentifier"])], "it is a record with a set identifier"),
            (vec![row("A", value, &["HealthCheckId"])], "it has a health check"),
            (vec![row("A", value, &["Novelty"])], "it has Novelty, which autodns does not know"),
            (
                vec![row("A", &["192.0.2.1", "192.0.2.2"], &[])],
                "it has 2 values: 192.0.2.1, 192.0.2.2",
            ),
            (vec![row("A", &[], &[])], "it has no value or no TTL"),
            (vec![without_ttl], "it has no value or no TTL"),
            (
                vec![row("A", value, &[]), row("A", value, &[])],
                "there are several record sets of that name and type",
            ),
            (vec![row("CNAME", &["x."], &[])], "there is a CNAME of that name"),
        ] {
            match plan(RecordType::A, "192.0.2.1", &found) {
                Plan::Refuse { why, .. } => assert_eq!(why, expected),
                plan => panic!("{expected}: {plan:?}"),
            }
        }
    }

    /// Every combination of two names, two types, an address or none for each family, and a state
    /// of each of the four records: what no combination may lead to.
    #[test]
    fn no_combination_writes_what_no_source_named_or_drops_a_name() {
        let names = ["a.example", "b.example"].map(|name| DnsName::from_config(name).unwrap());
        let types = [RecordType::A, RecordType::Aaaa];
        let keys = || {
            names.iter().flat_map(|name| {
                types.map(|record_type| RecordKey { name: name.clone(), record_type })
            })
        };
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        // Absent, right, another address, several values, an alias.
        let state = |key: &RecordKey, state: usize| {
            let (right, other) = match key.record_type {
                RecordType::A => ("192.0.2.1", "192.0.2.2"),
                RecordType::Aaaa => ("2001:db8::1", "2001:db8::2"),
            };
            let mut found = match state {
                0 => return None,
                1 => row(key.record_type.as_str(), &[right], &[]),
                2 => row(key.record_type.as_str(), &[other], &[]),
                3 => row(key.record_type.as_str(), &[right, other], &[]),
                _ => row(key.record_type.as_str(), &[], &["AliasTarget"]),
            };
            found.name = key.name.clone();
            Some(found)
        };
        for addresses in [vec![], vec![v4], vec![v6], vec![v4, v6]] {
            for states in 0..5_usize.pow(4) {
                let state_of = |index: usize| states / 5_usize.pow(index.try_into().unwrap()) % 5;
                let found: Vec<_> = keys()
                    .enumerate()
                    .filter_map(|(index, key)| state(&key, state_of(index)))
                    .collect();
                let plans = all(keys(), &addresses, Ttl::DEFAULT, &found);
                let known = |key: &RecordKey| {
                    addresses.iter().any(|&a| Family::of(a) == key.record_type.family())
                };
                // No record of a family that is known is dropped, and none of another is there.
                let expected: Vec<_> = keys().filter(known).collect();
                let planned: Vec<_> = plans.iter().map(|(key, _)| key.clone()).collect();
                assert_eq!(planned, expected);
                for (index, key) in keys().enumerate() {
                    let Some((_, plan)) = plans.iter().find(|(planned, _)| *planned == key) else {
                        continue;
                    };
                    match (state_of(index), plan) {
                        (0 | 2, Plan::Change { to, .. }) => {
                            assert_eq!(to.key, key);
                            assert!(addresses.contains(&to.address));
                        }
                        (1, Plan::Keep) | (3 | 4, Plan::Refuse { .. }) => {}
                        (state, plan) => panic!("{key} in state {state}: {plan:?}"),
                    }
                }
            }
        }
    }
}
