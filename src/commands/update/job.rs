//! The work of one configuration: looks up its public addresses and its current records at the same
//! time, then lets `settle` change the records. Runs in a thread that may be left behind, so it
//! decides nothing about alerts or the exit status.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::settle::{KnownAddress, Settling};
use super::supervise::Times;
use crate::address::{self, PublicAddress};
use crate::aws::{self, Aws};
use crate::child;
use crate::cli::RunOptions;
use crate::commands::error::{RecordError, record_list};
use crate::config::Config;
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::error::UNFINISHED;
use crate::record::plan::Change;
use crate::record::{AddressRecord, Family, RecordKey, RecordSet};
use crate::session::Session;
use crate::transport::{NO_NETWORK, NO_NETWORK_ADVICE};

/// How long to wait after the deadline for the look-up of an address: unless it hangs, it ends by
/// then with its own error.
const GRACE: Duration = Duration::from_millis(500);

/// The result of one configuration's run.
#[derive(Default)]
pub struct Outcome {
    /// The errors; empty if every record is right.
    pub errors: Vec<RecordError>,
    /// The records of the last list, if they could be listed.
    pub record_sets: Option<Vec<RecordSet>>,
    /// The changes that were made.
    pub changed: Vec<Change>,
    /// Errors of `change_command`, one line per error.
    pub afterwards: Vec<String>,
    /// Whether an earlier run may have sent an alert, which is to be withdrawn now.
    pub may_have_alert: bool,
}

impl Outcome {
    /// One line per cause, and whether one of them is that this machine has no network. That cause
    /// gets a single line for all servers that cannot be reached.
    pub fn lines(&self) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        let mut offline = BTreeSet::new();
        for error in &self.errors {
            if error.is_no_network {
                offline.extend(&error.records);
            } else {
                lines.push(error.to_string());
            }
        }
        let is_offline = !offline.is_empty();
        if is_offline {
            lines.push(format!("{}: {NO_NETWORK}; {NO_NETWORK_ADVICE}", record_list(offline)));
        }
        (lines, is_offline)
    }
}

/// A public address, or an error per cause.
type Found = Result<PublicAddress, Vec<address::Error>>;

/// One configuration's run.
#[derive(Clone)]
pub struct Job {
    pub session: Arc<Session>,
    pub options: RunOptions,
    pub times: Times,
}

impl Job {
    pub fn config(&self) -> &Config {
        &self.session.file.config
    }

    pub fn console(&self) -> &Console {
        &self.session.console
    }

    pub fn bring_up_to_date(&self) -> Outcome {
        let (config, console) = (self.config(), self.console());
        console.step(|| {
            let key = self.session.account.credentials.shown_key_id();
            let source = &self.session.account.credentials.source;
            format!("{}: key id {key} from {source}", config.name_list())
        });
        let aws = self.session.aws();
        console.doing(format!(
            "asking for the public address and listing the records of hosted zone {}",
            config.zone
        ));
        let (addresses, list) = self.look_up(&aws);
        let mut errors = Vec::new();
        let mut known = Vec::new();
        for (family, found) in addresses {
            match found {
                Ok(found) => known.push(KnownAddress::new(found)),
                Err(causes) => {
                    let about = |cause| RecordError::from(cause).about(self.records_of(family));
                    errors.extend(causes.into_iter().map(about));
                }
            }
        }
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                errors.push(RecordError::from(error).about(config.record_keys().collect()));
                return Outcome { errors, ..Outcome::default() };
            }
        };
        let mut settling = Settling::new(self, &aws, known, list);
        settling.settle();
        errors.append(&mut settling.errors);
        let changed = settling.changed;
        let afterwards = self.run_change_command(&changed);
        let record_sets = Some(settling.list.record_sets);
        Outcome { errors, record_sets, changed, afterwards, may_have_alert: false }
    }

    /// Runs `change_command` for each change. Returns one line per error.
    fn run_change_command(&self, changes: &[Change]) -> Vec<String> {
        let Some(line) = &self.config().change_command else { return Vec::new() };
        let failure = |change: &Change| {
            let AddressRecord { key, address, .. } = &change.to;
            self.console().doing(format!("running change_command for {key}"));
            let old = change.from.as_ref().map_or("", |from| from.value.as_str());
            let mut command = line.command();
            command
                .env("AUTODNS_NAME", key.name.to_string())
                .env("AUTODNS_TYPE", key.record_type.as_str())
                .env("AUTODNS_OLD", old)
                .env("AUTODNS_NEW", address.to_string());
            let (time, advice) = (self.times.work.left(), "run it by hand to see why");
            let Err(error) = child::run(command, time, advice) else {
                self.console().step(|| format!("{key}: change_command succeeded"));
                return None;
            };
            Some(format!("{key}: change_command: {error}"))
        };
        changes.iter().filter_map(failure).collect()
    }

    fn records_of(&self, family: Family) -> Vec<RecordKey> {
        let of_family = |key: &RecordKey| key.record_type.family() == family;
        self.config().record_keys().filter(of_family).collect()
    }

    /// Asks for the address of each family and lists the records, all at the same time. A family
    /// that hangs delays neither the other family nor the list.
    fn look_up(&self, aws: &Aws<'_>) -> (Vec<(Family, Found)>, Result<List, aws::Error>) {
        // If a look-up hangs, time must remain to write the other records.
        let deadline = self.times.work.share(2);
        let mut started = Vec::new();
        for family in self.config().families() {
            let job = self.clone();
            let receiver = detached::start(move |sender| {
                // Sending fails if the deadline has passed.
                let _ = sender.send(job.find(family, deadline));
            });
            started.push((family, receiver));
        }
        let list = self.list(aws, deadline);
        let addresses = started.into_iter().map(|(family, receiver)| {
            let found = match receiver {
                Ok(receiver) => detached::next(&receiver, deadline.later(GRACE)),
                // No thread could be started, so look up the address in this one.
                Err(_) => Ok(self.find(family, deadline)),
            };
            (family, found.unwrap_or_else(|why| Err(vec![unfinished(family, &why)])))
        });
        (addresses.collect(), list)
    }

    pub fn find(&self, family: Family, deadline: Deadline) -> Found {
        self.config().sources.find(family, &self.session.asking(deadline))
    }

    /// Lists the records of all names over one connection. The first error ends the list, because
    /// records that are unknown must not be changed.
    pub fn list(&self, aws: &Aws<'_>, deadline: Deadline) -> Result<List, aws::Error> {
        let config = self.config();
        let record_sets = aws.list(&config.zone, &config.names(), deadline)?;
        Ok(List { record_sets, at: Instant::now() })
    }

    /// Prints a line about one record: in a dry run on standard output, otherwise as a step.
    pub fn report(&self, key: &RecordKey, line: &str) {
        if self.options.dry_run {
            self.console().say(&format!("{key}: {line}"));
        } else {
            self.console().step(|| format!("{key}: {line}"));
        }
    }
}

/// The records of a configuration's names at one time.
#[derive(Clone)]
pub struct List {
    pub record_sets: Vec<RecordSet>,
    /// When the last response of Route 53 arrived.
    pub at: Instant,
}

/// The error of a look-up that hung or panicked.
fn unfinished(family: Family, why: &NoResult) -> address::Error {
    let how = match why {
        NoResult::Died => "ended without a result",
        NoResult::Overdue | NoResult::NoThread => UNFINISHED,
    };
    address::Error::unfinished(family, how)
}
