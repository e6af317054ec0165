//! `autodns policy`: the smallest IAM policy for these configurations. With the key of a stolen Pi
//! nobody can delete a record or change another name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::endpoint::Partition;
use crate::aws::route53::ZoneId;
use crate::commands::plans::names_by_types;
use crate::config::Config;
use crate::record::{DnsName, RecordKey, RecordType};

/// The policy document for all of `configs`, as JSON on several lines. A configuration without a
/// topic is in `default_partition`.
///
/// Names that have the same types in the same zone share a statement. Names with different types
/// get one each: one statement for both would allow every name every type.
///
/// Source of the condition keys: "Using IAM policy conditions for fine-grained access control" in
/// the Route 53 developer guide.
pub fn policy(configs: &[Config], default_partition: Partition) -> String {
    let mut keys: BTreeMap<(Partition, &ZoneId), Vec<&RecordKey>> = BTreeMap::new();
    let mut topics = BTreeSet::new();
    for config in configs {
        let topic = config.alerts.as_ref().map(|alerts| &alerts.topic);
        let partition = topic.map_or(default_partition, crate::aws::sns::TopicArn::partition);
        let of_zone = keys.entry((partition, &config.zone)).or_default();
        of_zone.extend(config.records.iter().map(|record| &record.key));
        topics.extend(topic.map(ToString::to_string));
    }
    let zones: BTreeSet<String> =
        keys.keys().map(|&(partition, zone)| zone_arn(partition, zone)).collect();
    let allow = |action, resources| {
        let resources = string_or_list(resources);
        json!({ "Effect": "Allow", "Action": action, "Resource": resources })
    };
    let mut statements = vec![allow("route53:ListResourceRecordSets", zones.into_iter().collect())];
    for ((partition, zone), keys) in keys {
        for (types, names) in names_by_types(keys) {
            let types: Vec<&str> = types.into_iter().map(RecordType::as_str).collect();
            let names: Vec<&str> = names.into_iter().map(DnsName::normalised).collect();
            let mut statement =
                allow("route53:ChangeResourceRecordSets", vec![zone_arn(partition, zone)]);
            statement["Condition"] = json!({ "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
                "route53:ChangeResourceRecordSetsRecordTypes": types,
                "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
            }});
            statements.push(statement);
        }
    }
    if !topics.is_empty() {
        statements.push(allow("sns:Publish", topics.into_iter().collect()));
    }
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    format!("{document:#}")
}

fn zone_arn(partition: Partition, zone: &ZoneId) -> String {
    format!("arn:{}:route53:::hostedzone/{zone}", partition.as_str())
}

/// IAM has one value as a string, and several as a list.
fn string_or_list(mut values: Vec<String>) -> Value {
    match (values.pop(), values.is_empty()) {
        (Some(one), true) => one.into(),
        (last, _) => values.into_iter().chain(last).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(zone: &str, name: &str, types: &str, topic: Option<&str>) -> Config {
        let topic = topic.map_or(String::new(), |topic| {
            format!(", \"topic_arn\": \"{topic}\", \"alert_lock\": \"/tmp/lock\"")
        });
        Config::parse(&format!(
            "{{\"hosted_zone_id\": \"{zone}\", \"dns_name\": \"{name}\", \
             \"record_types\": {types}{topic}}}"
        ))
        .unwrap()
    }

    fn statements(configs: &[Config]) -> Value {
        let policy: Value = serde_json::from_str(&policy(configs, Partition::Aws)).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        policy["Statement"].clone()
    }

    fn change(zone: &str, names: &[&str], types: &[&str]) -> Value {
        json!({
            "Effect": "Allow",
            "Action": "route53:ChangeResourceRecordSets",
            "Resource": format!("arn:aws:route53:::hostedzone/{zone}"),
            "Condition": { "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
                "route53:ChangeResourceRecordSetsRecordTypes": types,
                "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
            }},
        })
    }

    #[test]
    fn one_config_needs_three_statements() {
        let topic = "arn:aws:sns:eu-west-1:123456789012:t";
        let configs = [config("/hostedzone/Z1", "*.Home.example.com.", "[\"A\"]", Some(topic))];
        assert_eq!(
            statements(&configs),
            json!([
                {
                    "Effect": "Allow",
                    "Action": "route53:ListResourceRecordSets",
                    "Resource": "arn:aws:route53:::hostedzone/Z1",
                },
                change("Z1", &["\\052.home.example.com"], &["A"]),
                { "Effect": "Allow", "Action": "sns:Publish", "Resource": topic },
            ])
        );
    }

    #[test]
    fn names_with_different_types_never_share_a_statement() {
        let both = "[\"A\", \"AAAA\"]";
        let configs = [
            config("Z1", "a.example", "[\"A\"]", None),
            config("Z1", "b.example", both, None),
            config("Z1", "c.example", "[\"A\"]", None),
            config("Z2", "d.example", "[\"A\"]", None),
            // A second configuration for a name adds its types to it.
            config("Z1", "a.example", "[\"AAAA\"]", None),
        ];
        assert_eq!(
            statements(&configs),
            json!([
                {
                    "Effect": "Allow",
                    "Action": "route53:ListResourceRecordSets",
                    "Resource": [
                        "arn:aws:route53:::hostedzone/Z1",
                        "arn:aws:route53:::hostedzone/Z2",
                    ],
                },
                change("Z1", &["c.example"], &["A"]),
                change("Z1", &["a.example", "b.example"], &["A", "AAAA"]),
                change("Z2", &["d.example"], &["A"]),
            ])
        );
    }

    #[test]
    fn partition_is_that_of_the_topic() {
        let topic = "arn:aws-cn:sns:cn-north-1:123456789012:t";
        let statements = statements(&[config("Z1", "a.example", "[\"A\"]", Some(topic))]);
        for index in [0, 1] {
            assert_eq!(statements[index]["Resource"], "arn:aws-cn:route53:::hostedzone/Z1");
        }
    }
}
