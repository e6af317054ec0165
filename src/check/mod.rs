//! `autodns check`: looks at everything a run needs, one thing after the other, and says of each
//! whether it is as it should be. Changes nothing, and takes no lock; it asks what a run asks, with
//! the run's own code. How findings look is `report`'s, and
//! whether servers can be reached `ways`'s.

pub mod report;
mod ways;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::address::{Asking, Source};
use crate::alert::lock::{AlertLock, NO_PLACE};
use crate::alert::message::{self, About};
use crate::alert::state::State;
use crate::aws::{Access, Aws};
use crate::clock::timestamp;
use crate::config::{Alerts, ConfigFile};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::environment::{Environment, host_name};
use crate::plan::{self, Plan};
use crate::record::FoundRecord;
use crate::secrets::Secrets;
use crate::update::Status;
use report::{Finding, Form, Report};

/// What `autodns check` is told beside its configurations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How findings are shown.
    pub form: Form,
    /// Publish a test message to the topic.
    pub alert: bool,
    /// Write each record exactly as it is.
    pub write: bool,
    /// How long one configuration may take.
    pub deadline: Duration,
}

/// Looks at everything that a run of `configs` needs.
#[must_use]
pub fn check(
    environment: &Environment,
    configs: &[PathBuf],
    options: Options,
    now: SystemTime,
    console: &Console,
) -> Status {
    let mut report = Report::new(options.form);
    let mut status = Status::Right;
    let mut access = None;
    for path in configs {
        let deadline = Deadline::after(options.deadline);
        let file = match ConfigFile::read(path) {
            Ok(file) => file,
            Err(error) => {
                report.add(console, Finding::failing("config", &error));
                status = Status::NotTried;
                continue;
            }
        };
        let mut secrets = Secrets::default();
        file.config.add_secrets(&mut secrets);
        let console = console.hiding(secrets.clone());
        report.add(&console, Finding::good("config", described(&file)));
        if access.is_none() {
            match Access::open(environment, now, deadline) {
                Ok(opened) => access = Some(opened),
                Err(error) => {
                    report.add(&console, Finding::failing("credentials", &error));
                    report.finish(&console);
                    return Status::NotTried;
                }
            }
        }
        let Some(access) = &access else { continue };
        access.add_secrets(&mut secrets);
        let console = console.hiding(secrets);
        let job = Job { environment, access, file: &file, options, deadline, console: &console };
        job.look_at_everything(&mut report);
    }
    report.finish(console);
    if report.is_ok() { status } else { status.max(Status::Failed) }
}

fn described(file: &ConfigFile) -> String {
    let config = &file.config;
    let records: Vec<String> = config.records().map(|key| key.to_string()).collect();
    format!("{}: {} in hosted zone {}", file.path.display(), records.join(", "), config.zone)
}

/// One configuration that is looked at.
struct Job<'a> {
    environment: &'a Environment,
    access: &'a Access,
    file: &'a ConfigFile,
    options: Options,
    deadline: Deadline,
    console: &'a Console,
}

impl Job<'_> {
    fn look_at_everything(&self, report: &mut Report) {
        let config = &self.file.config;
        let mut add = |finding| report.add(self.console, finding);
        let partition = self.access.partition_of(config.alerts.as_ref().map(|a| &a.topic));
        let aws = Aws::new(self.access, partition, self.console);
        self.permissions().into_iter().for_each(&mut add);
        let credentials = &self.access.credentials;
        let (key, source) = (credentials.shown_key_id(), &credentials.source);
        add(Finding::good("credentials", format!("key id {key} from {source}")));
        if let Some(lock) = &self.file.alert_lock(self.environment) {
            add(Self::lock(lock));
        }
        ways::ways(config, &self.access.network, &aws, self.deadline)
            .into_iter()
            .for_each(&mut add);
        let addresses = self.addresses(&mut add);
        let found = self.records(&aws, &addresses, &mut add);
        add(self.clock());
        if found {
            let zone = &config.zone;
            add(Finding::good(
                "change",
                format!(
                    "whether this key may change records of {zone} is known only when it does; \
                     autodns policy prints what it needs"
                ),
            ));
        }
        if let Some(alerts) = &config.alerts {
            add(self.topic(alerts, &aws));
        }
    }

    /// The files with a secret in them.
    fn permissions(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let config = self.file.config.has_secret().then_some(self.file.path.as_path());
        for path in [config, self.access.credentials.file.as_deref()].into_iter().flatten() {
            findings.push(permissions_of(path));
        }
        findings
    }

    fn lock(lock: &AlertLock) -> Finding {
        let shown = lock.path().map(Path::display);
        let folder = lock.path().and_then(Path::parent).filter(|_| !lock.makes_folder());
        if let (Some(shown), Some(folder)) = (&shown, folder.filter(|folder| !folder.is_dir())) {
            let detail = format!("alert_lock {shown}: there is no folder {}", folder.display());
            return Finding::bad("alert_lock", detail, "make it, or name another place".into());
        }
        match (lock.state(), shown) {
            (State::Absent, Some(shown)) => {
                Finding::good("alert_lock", format!("{shown}: no alert is out"))
            }
            (State::Held { since, .. }, Some(shown)) => Finding::good(
                "alert_lock",
                format!("{shown}: an alert is out since {}", timestamp(since)),
            ),
            (State::Unusable(why), Some(_)) => Finding::bad(
                "alert_lock",
                why,
                "alerts would repeat at every failing run: name another file".into(),
            ),
            (_, None) => Finding::bad(
                "alert_lock",
                format!("alert_lock {NO_PLACE}"),
                "alerts would repeat at every failing run: set alert_lock".into(),
            ),
        }
    }

    /// Asks every source, not only the first that answers, and says whether they agree. Answers
    /// with the address of each family that a run would take.
    fn addresses(&self, add: &mut impl FnMut(Finding)) -> Vec<IpAddr> {
        let sources = &self.file.config.sources;
        let Access { network, limit, .. } = self.access;
        let asking = Asking {
            network,
            console: self.console,
            limit: *limit,
            deadline: self.deadline.share(2),
        };
        let mut taken = Vec::new();
        for record_type in &self.file.config.record_types {
            let family = record_type.family();
            let mut answers: Vec<(String, IpAddr)> = Vec::new();
            for source in sources.of_family(family) {
                let began = Instant::now();
                let shown = match source {
                    Source::Interface => "the interface".into(),
                    Source::Reflector(index) => sources.reflectors[index].to_string(),
                };
                match sources.ask(source, family, asking) {
                    Ok(address) => {
                        let took = began.elapsed().as_millis();
                        add(Finding::good(
                            "address",
                            format!("{shown} says {address}, in {took} ms"),
                        ));
                        answers.push((shown, address));
                    }
                    Err((reason, _)) => {
                        let message = format!("{} over {family}: {}", reason.asked, reason.problem);
                        add(Finding::failing("address", &message));
                    }
                }
            }
            let first = answers.first();
            if let Some((source, address)) = first
                && let Some((other, another)) = answers.iter().find(|(_, a)| a != address)
            {
                let detail = format!("{source} says {address}, but {other} says {another}");
                let hint = "nothing would be changed: check which is right".into();
                add(Finding::bad("address", detail, hint));
            }
            taken.extend(first.map(|(_, address)| *address));
        }
        taken
    }

    /// Lists the records, and says what a run would do with them. Answers whether they are known.
    fn records(&self, aws: &Aws<'_>, addresses: &[IpAddr], add: &mut impl FnMut(Finding)) -> bool {
        let config = &self.file.config;
        let mut found: Vec<FoundRecord> = Vec::new();
        for name in &config.names {
            match aws.list(&config.zone, name, self.deadline) {
                Ok(rows) => found.extend(rows),
                Err(error) => {
                    add(Finding::failing("route53", &error));
                    return false;
                }
            }
        }
        let plans = plan::all(config.records(), addresses, config.ttl, &found);
        for key in config.records() {
            let plan = plans.iter().find(|(planned, _)| *planned == key).map(|(_, plan)| plan);
            let values: Vec<&str> = found
                .iter()
                .filter(|row| row.name == key.name && row.record_type == key.record_type.as_str())
                .flat_map(|row| row.values.iter().map(String::as_str))
                .collect();
            let now = if values.is_empty() {
                "is not there".into()
            } else {
                format!("is {}", values.join(", "))
            };
            add(match plan {
                Some(Plan::Keep) => {
                    Finding::good("record", format!("{key} {now}, as it should be"))
                }
                Some(Plan::Change(change)) => Finding::good(
                    "record",
                    format!("{key} {now}, and a run makes it {}", change.to.address),
                ),
                Some(Plan::Refuse { why, advice }) => {
                    let detail = format!("{key} is not ours to overwrite: {why}");
                    Finding::bad("record", detail, (*advice).into())
                }
                None => Finding::good("record", format!("{key} {now}")),
            });
        }
        true
    }

    fn clock(&self) -> Finding {
        match self.access.seen_skew() {
            None => Finding::bad(
                "clock",
                "no answer of AWS to hold this machine's clock against".into(),
                "mend what keeps AWS from answering".into(),
            ),
            Some(skew) if skew.is_large() => Finding::bad(
                "clock",
                format!("this machine's clock is {skew}"),
                "set it (timedatectl shows it); a run corrects its signatures until then".into(),
            ),
            Some(skew) => {
                Finding::good("clock", format!("{skew} by AWS's clock, which is near enough"))
            }
        }
    }

    fn topic(&self, alerts: &Alerts, aws: &Aws<'_>) -> Finding {
        let topic = &alerts.topic;
        if !self.options.alert {
            return Finding::good(
                "topic",
                format!("{topic} was not tried; --alert sends it a message"),
            );
        }
        let (host, names) = (host_name(), self.file.config.shown_names());
        let message =
            message::test(About { host: &host, config: &self.file.id, names: &names, command: "" });
        match aws.publish(topic, &message.subject, &message.body, self.deadline) {
            Ok(id) => Finding::good("topic", format!("{topic} took the test message {id}")),
            Err(error) => Finding::failing("topic", &error),
        }
    }
}

/// Whether others than its owner and group can read or change a file.
fn permissions_of(path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o7777;
            if mode & 0o027 == 0 {
                return Finding::good("permissions", format!("{shown} has mode {mode:04o}"));
            }
            let detail = format!(
                "{shown} has a secret in it, and other users may use it: its mode is {mode:04o}"
            );
            Finding::bad("permissions", detail, format!("chmod 600 {shown}"))
        }
        Err(error) => {
            let hint = "check the file".into();
            Finding::bad("permissions", format!("{shown} cannot be looked at: {error}"), hint)
        }
    }
}
