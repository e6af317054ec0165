//! The straight line: configuration, credentials, public address, current record, plan, apply,
//! alert. The only file that calls across stages; what a stage does is that stage's.

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use crate::alert::lock::AlertLock;
use crate::alert::message::{self, About};
use crate::alert::{raise, withdraw};
use crate::aws::Aws;
use crate::aws::endpoint::Settings;
use crate::config::{Alerts, ConfigFile};
use crate::console::Console;
use crate::credentials::Credentials;
use crate::credentials::profile::Profile;
use crate::environment::Environment;
use crate::error::Error;
use crate::plan::Plan;
use crate::record::{AddressRecord, Family, FoundRecord, RecordKey};
use crate::secrets::Secrets;
use crate::transport::Network;

/// How a run ended; the greatest of several is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Every record is right.
    Right = 0,
    /// At least one record could not be brought up to date.
    Failed = 1,
    /// Nothing was tried.
    NotTried = 2,
}

/// What one run is told beside its configurations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Say what would be done and change nothing.
    pub dry_run: bool,
    /// Tell each step.
    pub verbose: bool,
}

/// Brings the records of all `configs` up to date, one after the other.
#[must_use]
pub fn update(
    environment: &Environment,
    configs: &[PathBuf],
    options: Options,
    now: SystemTime,
) -> Status {
    let console = Console::new(options.verbose, Secrets::default());
    let (jobs, mut status) = read_configs(configs, &console);
    let mut session = None;
    for job in &jobs {
        if !options.dry_run && is_taken(job, &console) {
            continue;
        }
        // Only a run that has something to do looks for credentials, which may run a program.
        if session.is_none() {
            match Session::open(environment, now) {
                Ok(opened) => session = Some(opened),
                Err(error) => {
                    console.trouble(&error.to_string());
                    return Status::NotTried;
                }
            }
        }
        if let Some(session) = &session {
            status = status.max(session.run(job, options, now, &console));
        }
    }
    status
}

/// The configurations that can be run; what is wrong with the others is said.
fn read_configs(paths: &[PathBuf], console: &Console) -> (Vec<ConfigFile>, Status) {
    let mut status = Status::Right;
    let mut jobs = Vec::new();
    let mut by_lock: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        match ConfigFile::read(path) {
            Ok(job) => {
                if let Some(alerts) = &job.config.alerts {
                    by_lock.entry(real_place(&alerts.lock)).or_default().push(path.clone());
                }
                jobs.push(job);
            }
            Err(error) => {
                console.trouble(&error.to_string());
                status = Status::NotTried;
            }
        }
    }
    // One lock cannot remember two configurations' alerts.
    for (lock, sharers) in by_lock.iter().filter(|(_, sharers)| sharers.len() > 1) {
        let names: Vec<String> = sharers.iter().map(|p| p.display().to_string()).collect();
        if let Some(name) = names.first().filter(|first| names.iter().all(|name| name == *first)) {
            console.trouble(&format!("{name}: is named twice; name it once"));
        } else {
            console.trouble(&format!(
                "{}: have the same alert_lock, {}; give each its own",
                names.join(", "),
                lock.display()
            ));
        }
        status = Status::NotTried;
        jobs.retain(|job| !sharers.contains(&job.path));
    }
    (jobs, status)
}

/// The path with its folder's links resolved, so that two spellings of one place are equal.
fn real_place(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

/// Whether another run is at this configuration. If not, it is this run's until the process ends.
fn is_taken(job: &ConfigFile, console: &Console) -> bool {
    match job.file.try_lock() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => {
            console.step(|| format!("{}: another run is at it; nothing to do", job.path.display()));
            true
        }
        Err(TryLockError::Error(error)) => {
            // Some file systems know no locks. Two runs at once then do the same work twice.
            console.step(|| format!("{}: cannot be locked: {error}", job.path.display()));
            false
        }
    }
}

/// What the jobs of one run share.
struct Session {
    network: Network,
    settings: Settings,
    credentials: Credentials,
}

impl Session {
    fn open(environment: &Environment, now: SystemTime) -> Result<Self, Error> {
        let profile = Profile::read(environment)?;
        let settings = Settings::read(environment, |service| profile.endpoint_url(service))?;
        let network = Network::from_environment(environment)?;
        let credentials = Credentials::find(environment, &profile, now)?;
        Ok(Self { network, settings, credentials })
    }

    fn run(&self, file: &ConfigFile, options: Options, now: SystemTime, outer: &Console) -> Status {
        let config = &file.config;
        let mut secrets = Secrets::default();
        self.credentials.add_secrets(&mut secrets);
        config.reflector.add_secrets(&mut secrets);
        if let Some(password) = self.network.proxy_password() {
            secrets.add(password);
        }
        let console = outer.hiding(secrets);
        let partition = config
            .alerts
            .as_ref()
            .map_or(self.settings.default_partition(), |alerts| alerts.topic.partition());
        let aws = Aws::new(
            &self.network,
            &self.settings,
            &self.credentials,
            partition,
            console.secrets(),
        );
        let job = Job { session: self, file, aws, options, console: &console };
        let troubles = job.bring_up_to_date();
        let lines: Vec<String> =
            troubles.iter().map(|t| console.secrets().hide(&t.to_string()).into()).collect();
        for line in &lines {
            console.trouble(line);
        }
        if let Some(alerts) = config.alerts.as_ref().filter(|_| !options.dry_run) {
            for line in job.alert(alerts, &lines, now) {
                console.trouble(&format!("{}: {line}", config.name));
            }
        }
        if troubles.is_empty() { Status::Right } else { Status::Failed }
    }
}

/// Records and what keeps them from being right.
struct Trouble {
    records: Vec<RecordKey>,
    error: Error,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
struct Job<'a> {
    session: &'a Session,
    file: &'a ConfigFile,
    aws: Aws<'a>,
    options: Options,
    console: &'a Console,
}

impl Job<'_> {
    /// Does what has to be done, and answers with what could not be.
    fn bring_up_to_date(&self) -> Vec<Trouble> {
        let config = &self.file.config;
        let records: Vec<RecordKey> = config.records().collect();
        self.console.step(|| {
            let key_id = &self.session.credentials.key_id;
            let last = key_id.char_indices().rev().nth(3).map_or("", |(at, _)| &key_id[at..]);
            format!("{}: key id ...{last} from {}", config.name, self.session.credentials.source)
        });
        let (addresses, found) = self.look_up(&records);
        let mut troubles = Vec::new();
        let mut known = Vec::new();
        for (key, address) in records.into_iter().zip(addresses) {
            match address {
                Ok(address) => known.push((key, address)),
                Err(error) => troubles.push(Trouble { records: vec![key], error }),
            }
        }
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let records = config.records().collect();
                troubles.push(Trouble { records, error });
                return troubles;
            }
        };
        let mut changes = Vec::new();
        for (key, address) in known {
            match Plan::new(&key, address, config.ttl, &found) {
                Plan::Keep => self.report(&key, || "up to date".into()),
                Plan::Change { from, to } => {
                    self.report(&key, || match &from {
                        Some(from) => format!("{from} -> {}", to.address),
                        None => format!("would be created with {}", to.address),
                    });
                    changes.push(to);
                }
                Plan::Refuse { why, advice } => {
                    let error = Error::Refused { why, advice };
                    troubles.push(Trouble { records: vec![key], error });
                }
            }
        }
        if !changes.is_empty() && !self.options.dry_run {
            troubles.extend(self.apply(&changes));
        }
        troubles
    }

    /// Asks for every address and lists the records, all at the same time.
    #[expect(clippy::type_complexity, reason = "two answers, each used once, right below")]
    fn look_up(
        &self,
        records: &[RecordKey],
    ) -> (Vec<Result<IpAddr, Error>>, Result<Vec<FoundRecord>, Error>) {
        thread::scope(|scope| {
            let asking: Vec<_> = records
                .iter()
                .map(|key| {
                    let family = key.record_type.family();
                    let thread = thread::Builder::new();
                    (family, thread.spawn_scoped(scope, move || self.ask(family)))
                })
                .collect();
            let found = self.list();
            let addresses = asking.into_iter().map(|(family, thread)| {
                let no_thread = |error: std::io::Error| Error::Address {
                    family,
                    asked: self.file.config.reflector.to_string(),
                    problem: format!("no thread could be started: {error}"),
                    source: Some(error.into()),
                };
                match thread.map_err(no_thread)?.join() {
                    Ok(address) => address,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            });
            (addresses.collect(), found)
        })
    }

    fn ask(&self, family: Family) -> Result<IpAddr, Error> {
        let config = &self.file.config;
        let reflector = &config.reflector;
        self.console.step(|| format!("asking {reflector} over {family}"));
        let client = self.session.network.direct(family);
        let secrets = self.console.secrets();
        let address = reflector.ask(&client, family, config.allow_non_public, secrets)?;
        self.console.step(|| format!("{reflector} answered {address}"));
        Ok(address)
    }

    fn list(&self) -> Result<Vec<FoundRecord>, Error> {
        let config = &self.file.config;
        self.console.step(|| format!("listing {} in hosted zone {}", config.name, config.zone));
        let found = self.aws.list(&config.zone, &config.name)?;
        self.console.step(|| {
            let rows: Vec<String> = found
                .iter()
                .map(|row| format!("{} {}", row.record_type, row.values.join(" ")))
                .collect();
            let rows = if rows.is_empty() { "nothing".into() } else { rows.join(", ") };
            format!("Route 53 has {rows} for {}", config.name)
        });
        Ok(found)
    }

    /// Sends the changes in one batch. Where Route 53 refuses a batch of several, each is sent on
    /// its own, so that the good ones land.
    fn apply(&self, changes: &[AddressRecord]) -> Vec<Trouble> {
        let trouble = |error| {
            let records = changes.iter().map(|change| change.key.clone()).collect();
            vec![Trouble { records, error }]
        };
        match self.aws.change(&self.file.config.zone, changes) {
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
    fn alert(&self, alerts: &Alerts, troubles: &[String], now: SystemTime) -> Vec<String> {
        let host = host_name();
        let names = self.file.config.name.to_string();
        let about = About { host: &host, config: &self.file.id, names: &names };
        let lock = AlertLock::new(&alerts.lock, &self.file.id);
        let publish = |message: &message::Message| {
            let sent = self.aws.publish(&alerts.topic, &message.subject, &message.body)?;
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

/// The name of this machine, from the kernel.
fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".into())
}
