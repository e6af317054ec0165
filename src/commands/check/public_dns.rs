//! Compares the response of public DNS with the record in Route 53. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::report::Finding;
use crate::record::{DnsName, Family, RecordKey, RecordSet};
use crate::transport::Error;

const NAME: &str = "public dns";

/// The name to look up for a record. For a wildcard, a name that the wildcard covers.
pub fn name_to_look_up(name: &DnsName) -> String {
    let name = name.to_string();
    match name.strip_prefix('*') {
        Some(rest) => format!("autodns-check{rest}"),
        None => name,
    }
}

/// Compares the addresses to which this machine resolved `name` with the record `key`.
/// `record_sets` are the record sets of that name in Route 53.
pub fn compare(
    key: &RecordKey,
    name: &str,
    resolved: &Result<Vec<IpAddr>, Error>,
    record_sets: &[RecordSet],
) -> Finding {
    let Some(listed) = simple_values(key, record_sets) else {
        let detail =
            format!("{key}: Route 53 has more than a simple record, so it is not compared");
        return Finding::unknown(NAME, detail);
    };
    let family = key.record_type.family();
    let of_family = |addresses: &[IpAddr]| -> BTreeSet<IpAddr> {
        addresses.iter().copied().filter(|&address| Family::of(address) == family).collect()
    };
    let resolved = match resolved {
        Ok(addresses) => of_family(addresses),
        Err(error) if error.is_no_such_host() => BTreeSet::new(),
        Err(error) => {
            return Finding::unknown(NAME, format!("{name}: {error}")).hint(error.advice());
        }
    };
    if resolved == listed {
        return if listed.is_empty() {
            Finding::unknown(NAME, format!("{key}: there is no record yet"))
        } else {
            let resolved = address_list(&resolved, family);
            Finding::ok(NAME, format!("this machine's resolver says {resolved} for {name}"))
        };
    }
    let detail = format!(
        "this machine's resolver says {} for {name}, and Route 53 has {}: not delegated to this \
         zone, a private zone, a local override, or a change younger than its TTL",
        address_list(&resolved, family),
        address_list(&listed, family)
    );
    let hint = "compare the zone's NS record with the name servers at the domain's registrar";
    Finding::warning(NAME, detail, hint.into())
}

/// The addresses of a simple record. `None` if DNS may respond with other values.
fn simple_values(key: &RecordKey, record_sets: &[RecordSet]) -> Option<BTreeSet<IpAddr>> {
    let mut values = BTreeSet::new();
    for record_set in record_sets.iter().filter(|record_set| record_set.name == key.name) {
        if record_set.record_type == "CNAME" {
            return None;
        }
        if record_set.is_of(key) {
            if !record_set.other_members.is_empty() {
                return None;
            }
            for value in &record_set.values {
                values.insert(value.parse().ok()?);
            }
        }
    }
    Some(values)
}

fn address_list(addresses: &BTreeSet<IpAddr>, family: Family) -> String {
    if addresses.is_empty() {
        return format!("no {family} address");
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RecordType, Ttl};

    #[test]
    fn resolver_is_compared_with_route_53() {
        let name = DnsName::from_config("home.example.com").unwrap();
        let key = RecordKey { name: name.clone(), record_type: RecordType::A };
        let record_set = |values: &[&str], other: &[&str]| RecordSet {
            name: name.clone(),
            record_type: "A".into(),
            ttl: Some(Ttl::DEFAULT),
            values: values.iter().map(|&value| value.into()).collect(),
            other_members: other.iter().map(|&member| member.into()).collect(),
        };
        let differs = |resolved: &str, listed: &str| {
            Finding::warning(
                NAME,
                format!(
                    "this machine's resolver says {resolved} for n, and Route 53 has {listed}: not \
                     delegated to this zone, a private zone, a local override, or a change \
                     younger than its TTL"
                ),
                "compare the zone's NS record with the name servers at the domain's registrar"
                    .into(),
            )
        };
        let unknown = |why: &str| Finding::unknown(NAME, format!("home.example.com A: {why}"));
        for (resolved, record_sets, expected) in [
            (
                &["192.0.2.1", "2001:db8::1"][..],
                vec![record_set(&["192.0.2.1"], &[])],
                Finding::ok(NAME, "this machine's resolver says 192.0.2.1 for n".into()),
            ),
            (
                &["192.0.2.9"],
                vec![record_set(&["192.0.2.1"], &[])],
                differs("192.0.2.9", "192.0.2.1"),
            ),
            (
                &["2001:db8::1"],
                vec![record_set(&["192.0.2.1"], &[])],
                differs("no IPv4 address", "192.0.2.1"),
            ),
            (&["192.0.2.9"], vec![], differs("192.0.2.9", "no IPv4 address")),
            (&[], vec![], unknown("there is no record yet")),
            (
                &["192.0.2.1"],
                vec![record_set(&["192.0.2.1"], &["Weight"])],
                unknown("Route 53 has more than a simple record, so it is not compared"),
            ),
        ] {
            let resolved = Ok(resolved.iter().map(|address| address.parse().unwrap()).collect());
            assert_eq!(compare(&key, "n", &resolved, &record_sets), expected);
        }
    }

    #[test]
    fn wildcard_is_looked_up_by_a_name_that_it_covers() {
        let name = |text| name_to_look_up(&DnsName::from_config(text).unwrap());
        assert_eq!(name("*.home.example.com"), "autodns-check.home.example.com");
        assert_eq!(name("home.example.com"), "home.example.com");
    }
}
