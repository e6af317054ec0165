//! The tests of one configuration, in the order in which a person would look: files, addresses, the
//! zone and its records (`records`), the clock, the topic. Each test sends the requests of a run,
//! with the code of a run.

use std::net::IpAddr;
use std::path::absolute;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::permissions_of;
use super::report::Finding;
use crate::address::{PublicAddress, Source, SourceError};
use crate::aws::Aws;
use crate::cli::CheckOptions;
use crate::clock::{SET_CLOCK, timestamp};
use crate::config::{Alerts, Config};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::{Environment, host_name};
use crate::notify::lock::{AlertLock, NO_PLACE};
use crate::notify::message::{self, About};
use crate::paste;
use crate::record::Family;
use crate::session::Session;

/// How long to wait for a source after its deadline: unless it hangs, it ends by then with an error
/// that says why.
const GRACE: Duration = Duration::from_millis(500);

/// What the tests of one configuration share.
pub struct Steps<'a> {
    pub environment: &'a Environment,
    pub session: &'a Arc<Session>,
    pub options: CheckOptions,
    pub deadline: Deadline,
}

impl Steps<'_> {
    pub fn config(&self) -> &Config {
        &self.session.file.config
    }

    pub fn console(&self) -> &Console {
        &self.session.console
    }

    /// Tests everything, and reports each finding at once.
    pub fn all(&self, tell: &impl Fn(Finding)) {
        let config = self.config();
        let aws = self.session.aws();
        self.console().doing("looking at files");
        self.files(tell);
        self.console().doing("asking for the public address");
        let addresses = self.addresses(tell);
        self.console().doing("listing the records");
        self.records(&aws, &addresses, tell);
        if let Some(alerts) = &config.alerts {
            self.console().doing("publishing a test message");
            tell(self.topic(alerts, &aws));
        }
        if config.change_command.is_some() {
            tell(Finding::unknown("command", "change_command runs only after a change"));
        }
        if let Some(heartbeat) = &config.heartbeat {
            for (url, run) in heartbeat.urls().zip(["a real run", "a failed run"]) {
                let detail = format!("only {run} fetches {url}");
                tell(Finding::unknown("heartbeat", detail));
            }
        }
    }

    fn files(&self, tell: &impl Fn(Finding)) {
        let credentials = &self.session.account.credentials;
        let file = &self.session.file;
        let config = file.config.has_secret().then_some(file.path.as_path());
        for path in [config, credentials.file.as_deref()].into_iter().flatten() {
            tell(permissions_of(path));
        }
        let (key, source) = (credentials.shown_key_id(), &credentials.source);
        tell(Finding::ok("credentials", format!("key id {key} from {source}")));
        if let Some(lock) = file.alert_lock(self.environment) {
            tell(check_lock(&lock));
        }
    }

    /// Asks every source, all at the same time, and reports whether they agree. A source that hangs
    /// does not delay the others. Returns the address per family that a run would use.
    fn addresses(&self, tell: &impl Fn(Finding)) -> Vec<IpAddr> {
        let sources = &self.config().sources;
        let deadline = self.deadline.share(2);
        let mut started = Vec::new();
        for family in self.config().families() {
            for source in sources.of_family(family) {
                let session = Arc::clone(self.session);
                let receiver = detached::start(move |sender| {
                    // Sending fails if the deadline has passed.
                    let _ = sender.send(ask(&session, source, family, deadline));
                });
                started.push((family, source, receiver));
            }
        }
        let mut addresses = Vec::new();
        for family in self.config().families() {
            let mut found: Vec<(String, IpAddr)> = Vec::new();
            for (_, source, receiver) in started.iter().filter(|(of, ..)| *of == family) {
                let name = sources.name_of(*source);
                match receiver
                    .as_ref()
                    .map(|receiver| detached::next(receiver, deadline.later(GRACE)))
                {
                    Ok(Ok(Ok(PublicAddress { address, via, .. }))) => {
                        tell(Finding::ok("address", format!("{name} says {address}{via}")));
                        found.push((name, address));
                    }
                    Ok(Ok(Err(SourceError { cause, advice, .. }))) => {
                        let detail = format!("{name} over {family}: {cause}");
                        tell(Finding::failed("address", detail, advice));
                    }
                    Ok(Err(_)) | Err(_) => {
                        let detail = format!("{name} over {family}: it did not end in time");
                        tell(Finding::failed("address", detail, "check the connection".into()));
                    }
                }
            }
            let Some((first, address)) = found.first() else { continue };
            addresses.push(*address);
            if let Some((other, another)) = found.iter().find(|(_, another)| another != address) {
                let detail = format!("{first} says {address}, but {other} says {another}");
                let hint = "check which is right".into();
                tell(Finding::failed("address", detail, hint));
            }
        }
        addresses
    }

    pub(super) fn clock(&self) -> Finding {
        const NAME: &str = "clock";
        match self.session.account.seen().last_skew {
            None => Finding::unknown(NAME, "no response of AWS had a time to compare with"),
            Some(skew) if skew.is_large() => Finding::warning(
                NAME,
                format!("this machine's clock is {skew}, which a run corrects in its signatures"),
                SET_CLOCK.into(),
            ),
            Some(skew) => {
                Finding::ok(NAME, format!("this machine's clock is {skew}, which is close enough"))
            }
        }
    }

    fn topic(&self, alerts: &Alerts, aws: &Aws<'_>) -> Finding {
        const NAME: &str = "topic";
        let topic = &alerts.topic;
        if !self.options.alert {
            let detail = format!("whether {topic} accepts messages");
            return Finding::unknown(NAME, detail)
                .hint("test it with --alert, which publishes a test message");
        }
        let (host, names) = (host_name(), self.config().name_list());
        let message = message::test(About {
            host: &host,
            config: &self.session.file.id,
            names: &names,
            command: "",
        });
        match aws.publish(topic, &message.subject, &message.body, self.deadline) {
            Ok(id) => {
                let via = &self.session.account.seen().via;
                Finding::ok(NAME, format!("{topic} accepted the test message {id}{via}"))
            }
            Err(error) => Finding::error(NAME, error),
        }
    }
}

/// Whether the lock can be used. Without it, alerts repeat.
fn check_lock(lock: &AlertLock) -> Finding {
    const NAME: &str = "alert_lock";
    const REPEATS: &str = "so every failing run would repeat the alert";
    let Some(path) = lock.path() else {
        let detail = format!("alert_lock {NO_PLACE}, {REPEATS}");
        return Finding::failed(NAME, detail, "set alert_lock".into());
    };
    let shown = path.display();
    let folder = path.parent().filter(|folder| !lock.makes_folder() && !folder.is_dir());
    if let Some(folder) = folder {
        let detail = format!("{shown}: there is no folder {}", folder.display());
        let folder = absolute(folder).unwrap_or_else(|_| folder.into());
        let make = paste::command(&["mkdir", "-p", &folder.to_string_lossy()]);
        return Finding::failed(NAME, detail, make);
    }
    match lock.held() {
        Ok(None) => Finding::ok(NAME, format!("{shown}: no alert is active")),
        Ok(Some(held)) => Finding::ok(
            NAME,
            format!("{shown}: an alert is active since {}", timestamp(held.since)),
        ),
        Err(why) => {
            let hint = "set another path in alert_lock".into();
            Finding::failed(NAME, format!("{why}, {REPEATS}"), hint)
        }
    }
}

/// Asks one source. The time of the result includes all redirects.
fn ask(
    session: &Session,
    source: Source,
    family: Family,
    deadline: Deadline,
) -> Result<PublicAddress, SourceError> {
    let (sources, asking) = (&session.file.config.sources, session.asking(deadline));
    let began = Instant::now();
    let mut result = sources.ask(source, family, &asking);
    sources.report(source, family, &result, &asking.console);
    if let Ok(address) = &mut result {
        address.via.took = began.elapsed();
    }
    result
}
