//! The plans for the records of a configuration, and which records may share a change request.
//! `update` and `check` share this. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::Config;
use crate::record::plan::Plan;
use crate::record::wanted::WantedRecord;
use crate::record::{DnsName, Family, RecordKey, RecordSet, RecordType};

/// What to do with each of `keys` whose family has an address among `public`, in order, given the
/// record sets `found`. Records of a family without an address are left out.
pub fn plans(
    config: &Config,
    keys: &[RecordKey],
    public: &[IpAddr],
    found: &[RecordSet],
) -> Vec<(RecordKey, Plan)> {
    let plan = |record: &WantedRecord| {
        let family = record.key.record_type.family();
        let public = *public.iter().find(|&&address| Family::of(address) == family)?;
        let address = record.address(public);
        // The public address itself was tested when it was found.
        let why_unfit = record.suffix.and_then(|_| config.sources.why_unfit(address));
        Some(match why_unfit {
            Some(kind) => Plan::Refuse {
                what: "not published",
                why: format!("its address would be {address}, which is {kind}"),
                advice: "check ipv6_hosts and expected_networks",
            },
            None => Plan::new(&record.key, address, config.ttl, found),
        })
    };
    let wanted = config.records.iter().filter(|record| keys.contains(&record.key));
    wanted.filter_map(|record| Some((record.key.clone(), plan(record)?))).collect()
}

/// The names among `keys`, grouped by the types that a name has. A group is a statement of
/// `autodns policy`: a statement allows all of its names all of its types.
pub fn names_by_types<'a>(
    keys: impl IntoIterator<Item = &'a RecordKey>,
) -> BTreeMap<BTreeSet<RecordType>, BTreeSet<&'a DnsName>> {
    let mut types: BTreeMap<&DnsName, BTreeSet<RecordType>> = BTreeMap::new();
    for key in keys {
        types.entry(&key.name).or_default().insert(key.record_type);
    }
    let mut names: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, types) in types {
        names.entry(types).or_default().insert(name);
    }
    names
}

/// The `keys` in groups, one per change request. IAM judges a request as a whole, so a request has
/// the names of one statement of the policy.
pub fn by_statement(config: &Config, keys: &[RecordKey]) -> Vec<Vec<RecordKey>> {
    let statements = names_by_types(config.records.iter().map(|record| &record.key));
    let of_statement = |names: BTreeSet<&DnsName>| -> Vec<RecordKey> {
        keys.iter().filter(|key| names.contains(&key.name)).cloned().collect()
    };
    let groups = statements.into_values().map(of_statement);
    groups.filter(|group| !group.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Ttl;

    /// The keys of a configuration with two names, each with A and AAAA, and one other host.
    const CONFIG: &str = r#"{"hosted_zone_id": "Z1", "dns_name": ["a.example", "b.example"],
        "record_types": ["A", "AAAA"], "ipv6_hosts": {"nas.example": "::5"},
        "allow_non_public": true"#;

    fn config(rest: &str) -> Config {
        Config::parse(&format!("{CONFIG}{rest}}}")).unwrap()
    }

    /// Every combination of an address or none for each family, a TTL of the configuration or none,
    /// and a state of each of the five records.
    #[test]
    fn plans_hold_for_every_combination_of_states() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        let right = |key: &RecordKey| match (key.record_type, key.name.normalised()) {
            (RecordType::A, _) => "192.0.2.1",
            (RecordType::Aaaa, "nas.example") => "2001:db8::5",
            (RecordType::Aaaa, _) => "2001:db8::1",
        };
        // Absent, right, another address, several values, an alias, right with another TTL.
        let state = |key: &RecordKey, state: usize| {
            let right = right(key);
            let other = if right == "192.0.2.1" { "192.0.2.2" } else { "2001:db8::2" };
            let (seconds, values, other_members) = match state {
                0 => return None,
                1 => (300, vec![right], vec![]),
                2 => (300, vec![other], vec![]),
                3 => (300, vec![right, other], vec![]),
                4 => (300, vec![], vec!["AliasTarget".into()]),
                _ => (60, vec![right], vec![]),
            };
            Some(RecordSet {
                name: key.name.clone(),
                record_type: key.record_type.as_str().into(),
                ttl: Ttl::new(seconds),
                values: values.into_iter().map(Into::into).collect(),
                other_members,
            })
        };
        let ways = [vec![], vec![v4], vec![v6], vec![v4, v6]];
        for (addresses, ttl) in
            ways.iter().flat_map(|ways| [None, Some(300), Some(60)].map(|ttl| (ways, ttl)))
        {
            let config = config(&ttl.map_or(String::new(), |ttl| format!(", \"ttl\": {ttl}")));
            let keys: Vec<RecordKey> = config.record_keys().collect();
            for states in 0..6_usize.pow(5) {
                let state_of = |index: usize| states / 6_usize.pow(index.try_into().unwrap()) % 6;
                let found: Vec<_> = keys
                    .iter()
                    .enumerate()
                    .filter_map(|(index, key)| state(key, state_of(index)))
                    .collect();
                let plans = plans(&config, &keys, addresses, &found);
                let known = |key: &&RecordKey| {
                    addresses.iter().any(|&a| Family::of(a) == key.record_type.family())
                };
                // Exactly the records of known families are planned.
                let expected: Vec<_> = keys.iter().filter(known).collect();
                let planned: Vec<_> = plans.iter().map(|(key, _)| key).collect();
                assert_eq!(planned, expected);
                for (index, key) in keys.iter().enumerate() {
                    let Some((_, plan)) = plans.iter().find(|(planned, _)| planned == key) else {
                        continue;
                    };
                    let found_ttl = match state_of(index) {
                        0 => None,
                        5 => Ttl::new(60),
                        _ => Ttl::new(300),
                    };
                    let is_right = config.ttl.is_none() || config.ttl == found_ttl;
                    if let Plan::Change(change) = plan {
                        assert_eq!(change.to.key, *key);
                        assert_eq!(change.to.address.to_string(), right(key));
                    }
                    match (state_of(index), plan) {
                        (0 | 2, Plan::Change(change)) => {
                            assert!(change.moves_address());
                            let expected = config.ttl.or(found_ttl).unwrap_or(Ttl::DEFAULT);
                            assert_eq!(change.to.ttl, expected);
                        }
                        (1 | 5, Plan::Change(change)) if !is_right => {
                            assert!(!change.moves_address());
                            assert_eq!(Some(change.to.ttl), config.ttl);
                        }
                        (1 | 5, Plan::Keep) => assert!(is_right),
                        (3 | 4, Plan::Refuse { .. }) => {}
                        (state, plan) => panic!("{key} in state {state}: {plan:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn host_outside_the_expected_networks_is_not_published() {
        let config = config(", \"expected_networks\": [\"2001:db8::/126\"]");
        let keys: Vec<RecordKey> = config.record_keys().collect();
        let plans = plans(&config, &keys, &["2001:db8::1".parse().unwrap()], &[]);
        let refused = plans.iter().filter_map(|(key, plan)| match plan {
            Plan::Refuse { what, why, advice } => Some(format!("{key}: {what}: {why}; {advice}")),
            _ => None,
        });
        let expected = "nas.example AAAA: not published: its address would be 2001:db8::5, which \
                        is outside the expected networks 2001:db8::/126; check ipv6_hosts and \
                        expected_networks";
        assert_eq!(refused.collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn request_holds_names_of_the_same_types() {
        for (hosts, expected) in [
            ("\"nas.example\": \"::5\"", &["a.example A, b.example A", "nas.example AAAA"][..]),
            (
                "\"a.example\": \"::5\", \"nas.example\": \"::6\"",
                &["b.example A", "a.example A, a.example AAAA", "nas.example AAAA"],
            ),
        ] {
            let config = Config::parse(&format!(
                "{{\"hosted_zone_id\": \"Z1\", \"dns_name\": [\"a.example\", \"b.example\"], \
                 \"ipv6_hosts\": {{{hosts}}}}}"
            ))
            .unwrap();
            let groups = by_statement(&config, &config.record_keys().collect::<Vec<_>>());
            let shown = |group: &Vec<RecordKey>| {
                group.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            assert_eq!(groups.iter().map(shown).collect::<Vec<_>>(), expected);
        }
    }
}
