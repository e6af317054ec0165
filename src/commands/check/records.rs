//! The tests that need the records: the zone, each record with its TTL and its public DNS, and with
//! `--write` the right to change.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use super::public_dns;
use super::report::Finding;
use super::steps::Steps;
use crate::aws::{self, Aws, Service};
use crate::commands::error::RecordError;
use crate::commands::plans::{by_statement, plans};
use crate::deadline::Deadline;
use crate::record::plan::{self, Plan};
use crate::record::{AddressRecord, DnsName, RecordKey, RecordSet};
use crate::retry::Attempts;
use crate::transport::addresses_of_host;

/// An older list is not used to write a record as it is.
const FRESH_LIST: Duration = Duration::from_secs(5);

impl Steps<'_> {
    /// Lists the records, and reports everything that follows from the list.
    pub(super) fn records(&self, aws: &Aws<'_>, addresses: &[IpAddr], tell: &impl Fn(Finding)) {
        let config = self.config();
        let record_sets = match aws.list(&config.zone, &config.names(), self.deadline) {
            Ok(record_sets) => record_sets,
            Err(error) => {
                tell(Finding::error("route53", error));
                for name in ["zone", "record", "ttl", "public dns"] {
                    tell(Finding::unknown(name, "the records could not be listed"));
                }
                tell(self.clock());
                return tell(Finding::unknown("change", "the records could not be listed"));
            }
        };
        let server = aws.endpoint(&Service::Route53).base;
        let via = self.session.account.seen().via.clone();
        tell(Finding::ok("route53", format!("{server} answered{via}")));
        let zone = self.zone(aws, tell);
        let outside = |key: &RecordKey| zone.as_ref().is_some_and(|zone| !key.name.is_within(zone));
        let keys: Vec<RecordKey> = config.record_keys().filter(|key| !outside(key)).collect();
        let plans = plans(config, &keys, addresses, &record_sets);
        for key in &keys {
            let plan = plans.iter().find(|(planned, _)| planned == key).map(|(_, plan)| plan);
            let record_set = record_sets.iter().find(|record_set| record_set.is_of(key));
            tell(record(key, plan, record_set, zone.is_some()));
            tell(self.ttl(key, plan, record_set));
        }
        for name in config.names() {
            let of_name: Vec<_> = keys.iter().filter(|key| key.name == name).collect();
            if of_name.is_empty() {
                continue;
            }
            let host = public_dns::name_to_look_up(&name);
            self.console().doing(format!("looking up {host}"));
            let resolved = addresses_of_host(&host, self.deadline.share(2));
            for key in of_name {
                tell(public_dns::compare(key, &host, &resolved, &record_sets));
            }
        }
        tell(self.clock());
        if self.options.write {
            self.console().doing("writing the records as they are");
            self.write(aws, &keys, tell);
        } else if !keys.is_empty() {
            let detail = format!("whether this key may change records of {}", config.zone);
            let hint = "test it with --write, which writes each record as it is";
            tell(Finding::unknown("change", detail).hint(hint));
        }
    }

    /// Reports whether the names are inside the zone. Returns the zone's name if it is known.
    fn zone(&self, aws: &Aws<'_>, tell: &impl Fn(Finding)) -> Option<DnsName> {
        const NAME: &str = "zone";
        let config = self.config();
        let id = &config.zone;
        let zone = match aws.zone_name(id, self.deadline) {
            Ok(Some(zone)) => zone,
            Ok(None) => {
                let detail = format!("the first records of {id} do not show its name");
                tell(Finding::unknown(NAME, detail));
                return None;
            }
            Err(error) => {
                tell(Finding::error(NAME, error));
                return None;
            }
        };
        let (inside, outside): (Vec<_>, Vec<_>) =
            config.names().into_iter().partition(|name| name.is_within(&zone));
        let shown = |names: Vec<DnsName>| {
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        if !outside.is_empty() {
            let detail =
                format!("hosted zone {id} is {zone}, which cannot hold {}", shown(outside));
            let hint = "check hosted_zone_id and the names".into();
            tell(Finding::failed(NAME, detail, hint));
        }
        if !inside.is_empty() {
            let detail = format!("hosted zone {id} is {zone}, which can hold {}", shown(inside));
            tell(Finding::ok(NAME, detail));
        }
        Some(zone)
    }

    fn ttl(&self, key: &RecordKey, plan: Option<&Plan>, record_set: Option<&RecordSet>) -> Finding {
        const NAME: &str = "ttl";
        let configured = self.config().ttl;
        match (plan, record_set.and_then(|record_set| record_set.ttl), configured) {
            (Some(Plan::Refuse { what, .. }), ..) => {
                Finding::unknown(NAME, format!("{key} is {what}"))
            }
            (_, Some(has), Some(configured)) if has == configured => {
                Finding::ok(NAME, format!("{key} has TTL {has}, as configured"))
            }
            (_, Some(has), Some(configured)) => Finding::ok(
                NAME,
                format!("{key} has TTL {has}, and a run changes it to {configured}"),
            ),
            (_, Some(has), None) => {
                Finding::ok(NAME, format!("{key} has TTL {has}, which it keeps: ttl is not set"))
            }
            (Some(Plan::Change(change)), None, _) => {
                Finding::ok(NAME, format!("{key} is created with TTL {}", change.to.ttl))
            }
            (_, None, _) => Finding::unknown(NAME, format!("{key} does not exist")),
        }
    }

    /// Writes each of the records `keys` unchanged, and reports whether that was allowed.
    fn write(&self, aws: &Aws<'_>, keys: &[RecordKey], tell: &impl Fn(Finding)) {
        const NAME: &str = "change";
        let mut batches = by_statement(self.config(), keys);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            match self.write_as_they_are(aws, &batch) {
                Ok(written) => {
                    for key in batch {
                        tell(match written.iter().find(|record| record.key == key) {
                            Some(AddressRecord { ttl, address, .. }) => Finding::ok(
                                NAME,
                                format!("{key} was written as it is: {address}, TTL {ttl}"),
                            ),
                            None => Finding::unknown(
                                NAME,
                                format!(
                                    "{key} was not written: it does not exist, or is not a \
                                     simple record"
                                ),
                            ),
                        });
                    }
                }
                // Each record alone, to find which one is rejected.
                Err(error) if batch.len() > 1 && error.is_rejection() => {
                    batches.extend(batch.into_iter().rev().map(|key| vec![key]));
                }
                Err(error) => {
                    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
                    let error = RecordError::from(error);
                    let detail = format!("{}: {}", names.join(", "), error.detail());
                    tell(Finding::failed(NAME, detail, error.advice));
                }
            }
        }
    }

    /// Writes the records that exist and that autodns may write, in one batch. Each attempt lists
    /// the records first and ends while that list is fresh, so that a change of another run is not
    /// undone.
    fn write_as_they_are(
        &self,
        aws: &Aws<'_>,
        keys: &[RecordKey],
    ) -> Result<Vec<AddressRecord>, aws::Error> {
        let mut attempts = Attempts::new(self.session.account.limit);
        loop {
            let config = self.config();
            let record_sets = aws.list(&config.zone, &config.names(), self.deadline)?;
            let records: Vec<_> =
                keys.iter().filter_map(|key| plan::unchanged(key, &record_sets)).collect();
            if records.is_empty() {
                return Ok(records);
            }
            let deadline = self.deadline.min(Deadline::after(FRESH_LIST));
            let Err(error) = aws.change(&config.zone, &records, deadline) else {
                return Ok(records);
            };
            match attempts.next_delay(self.deadline, error.retry(), error.retry_after()) {
                Some(delay) => thread::sleep(delay),
                None => return Err(error),
            }
        }
    }
}

/// What a run would do with a record. `plan` is `None` if its address is unknown; `inside` says
/// whether its name is known to be inside the zone.
fn record(
    key: &RecordKey,
    plan: Option<&Plan>,
    record_set: Option<&RecordSet>,
    inside: bool,
) -> Finding {
    const NAME: &str = "record";
    let values = record_set
        .map(|record_set| record_set.values.join(", "))
        .filter(|values| !values.is_empty());
    let now = values.map_or_else(|| "does not exist".into(), |values| format!("is {values}"));
    match plan {
        Some(Plan::Change(change)) if change.from.is_none() && !inside => {
            let detail = format!("{key} {now}, and whether it can be created is unknown");
            Finding::unknown(NAME, detail)
        }
        Some(Plan::Change(change)) if change.from.is_none() => {
            let detail = format!("{key} {now}, and a run creates it with {}", change.to.address);
            Finding::ok(NAME, detail)
        }
        Some(Plan::Change(change)) if change.moves_address() => {
            Finding::ok(NAME, format!("{key} {now}, and a run changes it to {}", change.to.address))
        }
        Some(Plan::Keep | Plan::Change(_)) => {
            Finding::ok(NAME, format!("{key} {now}, as it should be"))
        }
        Some(Plan::Refuse { what, why, advice }) => {
            let detail = format!("{key} is {what}: {why}");
            Finding::failed(NAME, detail, (*advice).into())
        }
        None => {
            let detail = format!("{key} {now}, and its right address is unknown");
            Finding::unknown(NAME, detail)
        }
    }
}
