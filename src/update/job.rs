//! The straight line of one configuration, from its public address to its alert.

use std::fmt;
use std::net::IpAddr;
use std::thread;
use std::time::SystemTime;

use super::{Options, Times};
use crate::address::{Answer, Asking, Reason};
use crate::alert::lock::AlertLock;
use crate::alert::message::{self, About};
use crate::alert::{raise, withdraw};
use crate::aws::{Access, Aws};
use crate::config::{Alerts, ConfigFile};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::environment::host_name;
use crate::error::Error;
use crate::plan::{self, Plan};
use crate::record::{AddressRecord, Family, FoundRecord, RecordKey};

/// Records and what keeps them from being right.
pub struct Trouble {
    records: Vec<RecordKey>,
    error: Error,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for key in &self.records {
            match last.replace(&key.name) {
                Some(name) if *name == key.name => write!(f, ", {}", key.record_type)?,
                Some(_) => write!(f, ", {key}")?,
                None => write!(f, "{key}")?,
            }
        }
        write!(f, ": {}", self.error)
    }
}

/// One configuration's run.
pub struct Job<'a> {
    pub access: &'a Access,
    pub file: &'a ConfigFile,
    pub aws: Aws<'a>,
    pub options: Options,
    pub times: Times,
    pub console: &'a Console,
}

impl Job<'_> {
    /// Does what has to be done, and answers with what could not be.
    pub fn bring_up_to_date(&self) -> Vec<Trouble> {
        let config = &self.file.config;
        self.console.step(|| {
            let key = self.access.credentials.shown_key_id();
            let source = &self.access.credentials.source;
            format!("{}: key id {key} from {source}", config.shown_names())
        });
        let (answers, found) = self.look_up();
        let mut troubles = Vec::new();
        let mut known = Vec::new();
        for (family, answer) in answers {
            match answer {
                Ok(answer) => known.push(answer),
                Err(error) => {
                    let records = config.records().filter(|key| key.record_type.family() == family);
                    troubles.push(Trouble { records: records.collect(), error });
                }
            }
        }
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                troubles.push(Trouble { records: config.records().collect(), error });
                return troubles;
            }
        };
        let addresses: Vec<_> = known.iter().map(|answer| answer.address).collect();
        let plans = plan::all(config.records(), &addresses, config.ttl, &found);
        let mut disputes = self.disputes(&known, &plans);
        let mut changes = Vec::new();
        for (key, plan) in plans {
            match plan {
                Plan::Keep => self.report(&key, || "up to date".into()),
                Plan::Change { from, to } => {
                    if let Some((_, records, _)) =
                        disputes.iter_mut().find(|(address, ..)| *address == to.address)
                    {
                        records.push(key);
                        continue;
                    }
                    self.report(&key, || match &from {
                        Some(from) => format!("{from} -> {}", to.address),
                        None if self.options.dry_run => {
                            format!("would be created with {}", to.address)
                        }
                        None => format!("is not there -> {}", to.address),
                    });
                    changes.push(to);
                }
                Plan::Refuse { why, advice } => {
                    let error = Error::Refused { why, advice };
                    troubles.push(Trouble { records: vec![key], error });
                }
            }
        }
        troubles.extend(disputes.into_iter().map(|(_, records, error)| Trouble { records, error }));
        if !changes.is_empty() && !self.options.dry_run {
            troubles.extend(self.apply(&changes));
        }
        troubles
    }

    /// Asks for the address of every family and lists the records, all at the same time.
    #[expect(clippy::type_complexity, reason = "two answers, each used once, right above")]
    fn look_up(&self) -> (Vec<(Family, Result<Answer, Error>)>, Result<Vec<FoundRecord>, Error>) {
        let sources = &self.file.config.sources;
        // What hangs here must leave time for what is known to be written.
        let deadline = self.times.work.share(2);
        let asking = self.asking(deadline);
        let find = |family| sources.find(family, asking);
        thread::scope(|scope| {
            let mut asking = Vec::new();
            for record_type in &self.file.config.record_types {
                let family = record_type.family();
                let thread = thread::Builder::new().spawn_scoped(scope, move || find(family));
                asking.push((family, thread));
            }
            let found = self.list(deadline);
            let answers = asking.into_iter().map(|(family, thread)| {
                let no_thread = |error: std::io::Error| Error::Address {
                    family,
                    reasons: vec![Reason {
                        asked: "a thread of its own".into(),
                        problem: format!("it could not be started: {error}"),
                        source: Some(error.into()),
                    }],
                };
                let answer = match thread.map_err(no_thread) {
                    Ok(thread) => match thread.join() {
                        Ok(answer) => answer,
                        Err(panic) => std::panic::resume_unwind(panic),
                    },
                    Err(error) => Err(error),
                };
                (family, answer)
            });
            (answers.collect(), found)
        })
    }

    fn asking(&self, deadline: Deadline) -> Asking<'_> {
        let Access { network, limit, .. } = self.access;
        Asking { network, console: self.console, limit: *limit, deadline }
    }

    /// The records of all names, one list a name, over one connection. One that fails is reason
    /// enough to stop: the next would fail alike, and what is unknown is not changed.
    fn list(&self, deadline: Deadline) -> Result<Vec<FoundRecord>, Error> {
        let config = &self.file.config;
        let mut all = Vec::new();
        for name in &config.names {
            self.console.step(|| format!("listing {name} in hosted zone {}", config.zone));
            let found = self.aws.list(&config.zone, name, deadline)?;
            self.console.step(|| {
                let rows: Vec<String> = found
                    .iter()
                    .map(|row| format!("{} {}", row.record_type, row.values.join(" ")))
                    .collect();
                let rows = if rows.is_empty() { "nothing".into() } else { rows.join(", ") };
                format!("Route 53 has {rows} for {name}")
            });
            all.extend(found);
        }
        Ok(all)
    }

    /// Has each address that a plan would write confirmed, and answers with those that another
    /// source disputes, each with a place for the records that are not written because of it.
    fn disputes(
        &self,
        known: &[Answer],
        plans: &[(RecordKey, Plan)],
    ) -> Vec<(IpAddr, Vec<RecordKey>, Error)> {
        let sources = &self.file.config.sources;
        let asking = self.asking(self.times.work.share(2));
        let is_written = |answer: &&Answer| {
            plans.iter().any(
                |(_, plan)| matches!(plan, Plan::Change { to, .. } if to.address == answer.address),
            )
        };
        known
            .iter()
            .filter(is_written)
            .filter_map(|answer| {
                let confirmed = sources.confirm(answer, asking);
                confirmed.err().map(|error| (answer.address, Vec::new(), error))
            })
            .collect()
    }

    /// Sends the changes in one batch. Where Route 53 refuses a batch of several, each is sent on
    /// its own, so that the good ones land.
    fn apply(&self, changes: &[AddressRecord]) -> Vec<Trouble> {
        let trouble = |error| {
            let records = changes.iter().map(|change| change.key.clone()).collect();
            vec![Trouble { records, error }]
        };
        match self.aws.change(&self.file.config.zone, changes, self.times.work) {
            Ok((id, status)) => {
                self.console.step(|| format!("Route 53 accepted change {id}, {status}"));
                Vec::new()
            }
            Err(error) if changes.len() > 1 && error.is_refusal() => {
                self.console.step(|| format!("{error}; now each change alone"));
                changes.chunks(1).flat_map(|change| self.apply(change)).collect()
            }
            Err(error) => trouble(error),
        }
    }

    /// A line about one record: of a dry run on standard output, else a step.
    fn report(&self, key: &RecordKey, line: impl Fn() -> String) {
        if self.options.dry_run {
            self.console.say(&format!("{key}: {}", line()));
        } else {
            self.console.step(|| format!("{key}: {}", line()));
        }
    }

    /// Raises or withdraws the alert, and answers with what has to be said about that.
    pub fn alert(&self, alerts: &Alerts, troubles: &[String], now: SystemTime) -> Vec<String> {
        let host = host_name();
        let names = self.file.config.shown_names();
        let about = About { host: &host, config: &self.file.id, names: &names };
        let lock = AlertLock::new(&alerts.lock, &self.file.id);
        let publish = |message: &message::Message| {
            let (topic, message) = (&alerts.topic, message);
            let sent = self.aws.publish(topic, &message.subject, &message.body, self.times.end)?;
            self.console.step(|| format!("published message {sent} to {}", alerts.topic));
            Ok(sent)
        };
        if troubles.is_empty() {
            let compose =
                alerts.notify_recovery.then_some(|since| message::recovery(about, since, now));
            withdraw(&lock, compose, publish)
        } else {
            raise(&lock, now, |why| message::failure(about, troubles, now, why), publish)
        }
    }
}
