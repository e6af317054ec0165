//! Plans, confirms and writes the records of one configuration in rounds. Each round plans from a
//! fresh list and fresh addresses, so that a change never overwrites what somebody else changed in
//! the meantime. `plan` decides what to change.

use std::collections::BTreeSet;
use std::mem;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::job::{Job, List};
use crate::address::PublicAddress;
use crate::aws::{self, Aws};
use crate::commands::error::RecordError;
use crate::commands::plans::{by_statement, plans};
use crate::record::plan::{Change, Plan};
use crate::record::{AddressRecord, Family, RecordKey};
use crate::retry::Attempts;

/// Records are listed again before a change if the list is older.
const FRESH_LIST: Duration = Duration::from_secs(5);
/// The address is looked up again before a change if it is older.
const FRESH_ADDRESS: Duration = Duration::from_secs(30);

/// A public address, its age, and whether it was confirmed.
#[derive(Clone)]
pub struct KnownAddress {
    found: PublicAddress,
    at: Instant,
    /// Whether another source was asked and did not name a different address.
    confirmed: bool,
}

impl KnownAddress {
    /// An address that was found just now and is not confirmed.
    pub fn new(found: PublicAddress) -> Self {
        Self { found, at: Instant::now(), confirmed: false }
    }

    fn family(&self) -> Family {
        Family::of(self.found.address)
    }
}

/// The state of the rounds: the records that are still open, and what is known about them.
#[derive(Clone)]
pub struct Settling<'a> {
    job: &'a Job,
    aws: &'a Aws<'a>,
    known: Vec<KnownAddress>,
    pub list: List,
    open: Vec<RecordKey>,
    pub errors: Vec<RecordError>,
    /// The changes that Route 53 accepted, and those that a later list showed.
    pub changed: Vec<Change>,
    /// The changes whose outcome is unknown.
    unknown: Vec<Change>,
    /// The lines that were reported, so that a further round does not repeat them.
    reported: BTreeSet<String>,
}

impl<'a> Settling<'a> {
    /// Opens all records of the configuration whose address is known.
    pub fn new(job: &'a Job, aws: &'a Aws<'a>, known: Vec<KnownAddress>, list: List) -> Self {
        let is_known =
            |key: &RecordKey| known.iter().any(|known| known.family() == key.record_type.family());
        let open = job.config().record_keys().filter(is_known).collect();
        Self {
            job,
            aws,
            known,
            list,
            open,
            errors: Vec::new(),
            changed: Vec::new(),
            unknown: Vec::new(),
            reported: BTreeSet::new(),
        }
    }

    /// Brings the open records up to date. Errors are added to `errors`.
    pub fn settle(&mut self) {
        let mut attempts = Attempts::new(self.job.session.account.limit);
        // The error of the last attempt at a change. The list that follows shows what it did.
        let mut failed = None;
        loop {
            if let Err(error) = self.refresh(failed.is_some()) {
                return self.give_up(failed.unwrap_or_else(|| error.into()));
            }
            let plans = self.plan();
            self.confirm(&plans);
            if self.list_is_old() && !self.job.options.dry_run && self.writes(&plans) {
                continue;
            }
            let changes = self.close_settled(plans);
            if changes.is_empty() || self.job.options.dry_run {
                return;
            }
            let batches = by_statement(self.job.config(), &self.open);
            if batches.len() > 1 {
                return self.settle_apart(batches);
            }
            let zone = &self.job.config().zone;
            self.job.console().doing(format!("changing records in hosted zone {zone}"));
            let error = match self.change(&changes) {
                Ok(()) => return,
                Err(error) => error,
            };
            if error.outcome_unknown() {
                self.note_unknown(&changes);
            }
            if changes.len() > 1 && error.is_rejection() {
                self.job.console().step(|| format!("{error}; now each change alone"));
                let each = self.open.iter().map(|key| vec![key.clone()]).collect();
                return self.settle_apart(each);
            }
            let delay =
                attempts.next_delay(self.job.times.work, error.retry(), error.retry_after());
            let Some(delay) = delay else { return self.give_up(error.into()) };
            let cause = error.cause();
            self.job
                .console()
                .step(|| format!("{cause}; trying again in {} ms", delay.as_millis()));
            thread::sleep(delay);
            failed = Some(RecordError::from(error));
        }
    }

    /// Looks up the addresses that are old, then lists the records if the list is old. With
    /// `must_list`, lists them in any case. The error is about the list.
    fn refresh(&mut self, must_list: bool) -> Result<(), aws::Error> {
        let deadline = self.job.times.work.share(2);
        for mut known in mem::take(&mut self.known) {
            if known.at.elapsed() > FRESH_ADDRESS && self.is_open(known.family()) {
                match self.job.find(known.family(), deadline) {
                    Ok(found) if found.address == known.found.address => {
                        known.at = Instant::now();
                    }
                    Ok(found) => known = KnownAddress::new(found),
                    Err(causes) => {
                        self.close(|key| key.record_type.family() == known.family(), causes);
                        continue;
                    }
                }
            }
            self.known.push(known);
        }
        if must_list || self.list_is_old() {
            self.list = self.job.list(self.aws, deadline)?;
        }
        Ok(())
    }

    fn list_is_old(&self) -> bool {
        self.list.at.elapsed() > FRESH_LIST
    }

    fn is_open(&self, family: Family) -> bool {
        self.open.iter().any(|key| key.record_type.family() == family)
    }

    fn plan(&self) -> Vec<(RecordKey, Plan)> {
        let addresses: Vec<IpAddr> = self.known.iter().map(|known| known.found.address).collect();
        plans(self.job.config(), &self.open, &addresses, &self.list.record_sets)
    }

    /// Asks for a confirmation, once, of each address that a plan would write. Closes the records
    /// of an address for which another source names a different one.
    fn confirm(&mut self, plans: &[(RecordKey, Plan)]) {
        let asking = self.job.session.asking(self.job.times.work.share(2));
        for mut known in mem::take(&mut self.known) {
            let family = known.family();
            let moved: Vec<&RecordKey> = plans
                .iter()
                .filter(|(key, plan)| key.record_type.family() == family && plan.moves_address())
                .map(|(key, _)| key)
                .collect();
            if !known.confirmed && !moved.is_empty() {
                self.job.console().doing("asking another source whether the address is right");
                if let Err(causes) = self.job.config().sources.confirm(&known.found, &asking) {
                    self.close(|key| moved.contains(&key), causes);
                    continue;
                }
                known.confirmed = true;
            }
            self.known.push(known);
        }
    }

    /// Whether a plan would write an open record.
    fn writes(&self, plans: &[(RecordKey, Plan)]) -> bool {
        plans.iter().any(|(key, plan)| matches!(plan, Plan::Change(_)) && self.open.contains(key))
    }

    /// Reports the plans of the open records, closes the records that need no change or must not be
    /// changed, and returns the changes.
    fn close_settled(&mut self, plans: Vec<(RecordKey, Plan)>) -> Vec<Change> {
        let mut changes = Vec::new();
        for (key, plan) in plans {
            if !self.open.contains(&key) {
                continue;
            }
            match plan {
                Plan::Keep => {
                    self.report(&key, "up to date");
                    self.open.retain(|open| *open != key);
                    self.changed.extend(self.unknown.extract_if(.., |change| change.to.key == key));
                }
                Plan::Change(change) => {
                    if change.from.is_none()
                        && self.job.options.dry_run
                        && let Err(error) = self.reject_outside_zone(&key)
                    {
                        self.close(|open| open.name == key.name, [error]);
                        continue;
                    }
                    let line = match &change.from {
                        None if self.job.options.dry_run => {
                            format!("would be created with {}", change.to.address)
                        }
                        _ => change.to_string(),
                    };
                    self.report(&key, &line);
                    changes.push(change);
                }
                Plan::Refuse { what, why, advice } => {
                    self.close(|open| *open == key, [RecordError::not_written(what, why, advice)]);
                }
            }
        }
        changes
    }

    /// Returns an error if Route 53 would reject a new record because its name is outside the zone.
    /// A dry run checks this, so that it does not promise a change that a real run cannot make.
    fn reject_outside_zone(&self, key: &RecordKey) -> Result<(), RecordError> {
        let zone = &self.job.config().zone;
        match self.aws.zone_name(zone, self.job.times.work)? {
            Some(name) if !key.name.is_within(&name) => Err(RecordError::outside_zone(zone, &name)),
            _ => Ok(()),
        }
    }

    /// Notes changes whose outcome is unknown. Keeps the first change per record, because only that
    /// one has the old value.
    fn note_unknown(&mut self, changes: &[Change]) {
        for change in changes {
            if !self.unknown.iter().any(|noted| noted.to.key == change.to.key) {
                self.unknown.push(change.clone());
            }
        }
    }

    /// Sends all changes in one batch, in one attempt.
    fn change(&mut self, changes: &[Change]) -> Result<(), aws::Error> {
        let job = self.job;
        let records: Vec<AddressRecord> = changes.iter().map(|change| change.to.clone()).collect();
        let (id, status) = self.aws.change(&job.config().zone, &records, job.times.work)?;
        self.changed.extend_from_slice(changes);
        job.console().step(|| format!("Route 53 accepted change {id}, {status}"));
        self.open.clear();
        Ok(())
    }

    /// Settles each of these batches separately, so that the others succeed if Route 53 rejects
    /// one.
    fn settle_apart(&mut self, batches: Vec<Vec<RecordKey>>) {
        self.open.clear();
        for open in batches {
            let mut one = Self { open, errors: Vec::new(), changed: Vec::new(), ..self.clone() };
            one.settle();
            self.errors.append(&mut one.errors);
            self.changed.append(&mut one.changed);
            self.reported = one.reported;
        }
    }

    /// Closes all open records.
    fn give_up(&mut self, error: RecordError) {
        self.close(|_| true, [error]);
    }

    /// Closes the open records that are `affected`, with an error per cause.
    fn close(
        &mut self,
        affected: impl Fn(&RecordKey) -> bool,
        causes: impl IntoIterator<Item: Into<RecordError>>,
    ) {
        let (records, open): (Vec<_>, _) =
            mem::take(&mut self.open).into_iter().partition(affected);
        self.open = open;
        let about = |cause: RecordError| cause.about(records.clone());
        self.errors.extend(causes.into_iter().map(|cause| about(cause.into())));
    }

    fn report(&mut self, key: &RecordKey, line: &str) {
        if self.reported.insert(format!("{key}: {line}")) {
            self.job.report(key, line);
        }
    }
}
