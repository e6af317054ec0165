//! The tests of one configuration, in the order in which a person would look: files, addresses, the
//! zone and its records (`records`), the clock, the topic. Each test sends the requests of a run,
//! with the code of a run.

use std::net::IpAddr;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::CheckOptions;
use super::files::permissions_of;
use super::report::Finding;
use crate::address::reflector::Reply;
use crate::address::{Asking, Source, SourceError};
use crate::aws::Aws;
use crate::clock::timestamp;
use crate::config::{Alerts, ConfigFile};
use crate::console::Console;
use crate::deadline::Deadline;
use crate::detached;
use crate::environment::{Environment, host_name};
use crate::notify::lock::{AlertLock, NO_PLACE};
use crate::notify::message::{self, About};
use crate::notify::state::State;
use crate::paste;
use crate::record::Family;
use crate::retry::Limit;
use crate::session::Session;
use crate::transport::Network;

/// How long to wait for a source after its deadline: unless it hangs, it ends by then with an error
/// that says why.
const GRACE: Duration = Duration::from_millis(500);

/// What the tests of one configuration share.
pub struct Steps<'a> {
    pub environment: &'a Environment,
    pub file: Arc<ConfigFile>,
    pub session: &'a Session,
    pub options: CheckOptions,
    pub deadline: Deadline,
    pub console: &'a Console,
}

impl Steps<'_> {
    /// Tests everything, and reports each finding at once.
    pub fn all(&self, tell: &impl Fn(Finding)) {
        let config = &self.file.config;
        let topic = config.alerts.as_ref().map(|alerts| &alerts.topic);
        let aws = self.session.aws(topic, &self.file.id, self.console);
        self.console.doing("looking at files");
        self.files(tell);
        self.console.doing("asking for the public address");
        let addresses = self.addresses(tell);
        self.console.doing("listing the records");
        self.records(&aws, &addresses, tell);
        if let Some(alerts) = &config.alerts {
            self.console.doing("publishing a test message");
            tell(self.topic(alerts, &aws));
        }
        if config.change_command.is_some() {
            tell(Finding::unknown("command", "change_command is run after a change only"));
        }
        if let Some(heartbeat) = &config.heartbeat {
            for (url, run) in heartbeat.urls().zip(["a real run", "a failed run"]) {
                let detail = format!("{url} is fetched by {run} only");
                tell(Finding::unknown("heartbeat", detail));
            }
        }
    }

    fn files(&self, tell: &impl Fn(Finding)) {
        let credentials = &self.session.account.credentials;
        let config = self.file.config.has_secret().then_some(self.file.path.as_path());
        for path in [config, credentials.file.as_deref()].into_iter().flatten() {
            tell(permissions_of(path));
        }
        let (key, source) = (credentials.shown_key_id(), &credentials.source);
        tell(Finding::ok("credentials", format!("key id {key} from {source}")));
        if let Some(lock) = self.file.alert_lock(self.environment) {
            tell(lock_of(&lock));
        }
    }

    /// Asks every source, all at the same time, and reports whether they agree. A source that hangs
    /// does not delay the others. Returns the address per family that a run would use.
    fn addresses(&self, tell: &impl Fn(Finding)) -> Vec<IpAddr> {
        let sources = &self.file.config.sources;
        let deadline = self.deadline.share(2);
        let mut asked = Vec::new();
        for family in self.file.config.families() {
            for source in sources.of_family(family) {
                let question = Question {
                    file: Arc::clone(&self.file),
                    network: self.session.account.network.clone(),
                    limit: self.session.account.limit,
                    console: self.console.clone(),
                    deadline,
                };
                let answer = detached::start(move |sender| {
                    // Sending fails if the deadline has passed.
                    let _ = sender.send(question.ask(source, family));
                });
                asked.push((family, source, answer));
            }
        }
        let mut taken = Vec::new();
        for family in self.file.config.families() {
            let mut said: Vec<(String, IpAddr)> = Vec::new();
            for (_, source, answer) in asked.iter().filter(|(of, ..)| *of == family) {
                let shown = self.shown(*source);
                match answer.as_ref().map(|answer| detached::next(answer, deadline.later(GRACE))) {
                    Ok(Ok(Ok(Reply { address, via, .. }))) => {
                        tell(Finding::ok("address", format!("{shown} says {address}{via}")));
                        said.push((shown, address));
                    }
                    Ok(Ok(Err(SourceError { asked, unanswered }))) => {
                        let detail = format!("{asked} over {family}: {}", unanswered.cause);
                        tell(Finding::failed("address", detail, unanswered.advice));
                    }
                    Ok(Err(_)) | Err(_) => {
                        let detail = format!("{shown} over {family}: it did not end in time");
                        tell(Finding::failed("address", detail, "check the connection".into()));
                    }
                }
            }
            let Some((first, address)) = said.first() else { continue };
            taken.push(*address);
            if let Some((other, another)) = said.iter().find(|(_, another)| another != address) {
                let detail = format!("{first} says {address}, but {other} says {another}");
                let hint = "nothing would be changed: check which is right".into();
                tell(Finding::failed("address", detail, hint));
            }
        }
        taken
    }

    fn shown(&self, source: Source) -> String {
        match source {
            Source::Interface => "the interface".into(),
            source => self.file.config.sources.shown(source),
        }
    }

    pub(super) fn clock(&self) -> Finding {
        const NAME: &str = "clock";
        match self.session.account.seen().last_skew {
            None => Finding::unknown(NAME, "no answer of AWS to hold this machine's clock against"),
            Some(skew) if skew.is_large() => Finding::warning(
                NAME,
                format!("this machine's clock is {skew}"),
                "set it (timedatectl shows it); a run corrects its signatures until then".into(),
            ),
            Some(skew) => Finding::ok(NAME, format!("{skew} by AWS's clock, which is near enough")),
        }
    }

    fn topic(&self, alerts: &Alerts, aws: &Aws<'_>) -> Finding {
        const NAME: &str = "topic";
        let topic = &alerts.topic;
        if !self.options.alert {
            let detail = format!("whether {topic} takes messages");
            return Finding::unknown(NAME, detail).hint("--alert sends it one");
        }
        let (host, names) = (host_name(), self.file.config.shown_names());
        let message =
            message::test(About { host: &host, config: &self.file.id, names: &names, command: "" });
        match aws.publish(topic, &message.subject, &message.body, self.deadline) {
            Ok(id) => {
                let via = &self.session.account.seen().via;
                Finding::ok(NAME, format!("{topic} took the test message {id}{via}"))
            }
            Err(error) => Finding::trouble(NAME, error),
        }
    }
}

/// Whether the lock can be used. Without it, alerts repeat.
fn lock_of(lock: &AlertLock) -> Finding {
    const NAME: &str = "alert_lock";
    const REPEATS: &str = "alerts would repeat at every failing run";
    let Some(path) = lock.path() else {
        let detail = format!("alert_lock {NO_PLACE}");
        return Finding::failed(NAME, detail, format!("{REPEATS}: set alert_lock"));
    };
    let shown = path.display();
    let folder = path.parent().filter(|folder| !lock.makes_folder() && !folder.is_dir());
    if let Some(folder) = folder {
        let detail = format!("{shown}: there is no folder {}", folder.display());
        let folder = absolute(folder).unwrap_or_else(|_| folder.into());
        let make = paste::command(Path::new("mkdir"), &["-p", &folder.to_string_lossy()]);
        return Finding::failed(NAME, detail, make);
    }
    match lock.state() {
        State::Absent => Finding::ok(NAME, format!("{shown}: no alert is out")),
        State::Held { since, .. } => {
            Finding::ok(NAME, format!("{shown}: an alert is out since {}", timestamp(since)))
        }
        State::Unusable(why) => Finding::failed(NAME, why, format!("{REPEATS}: name another file")),
    }
}

/// A source to ask in its own thread.
struct Question {
    file: Arc<ConfigFile>,
    network: Network,
    limit: Limit,
    console: Console,
    deadline: Deadline,
}

impl Question {
    /// The reply of the source, and the time with all redirects.
    fn ask(&self, source: Source, family: Family) -> Result<Reply, SourceError> {
        let Self { network, limit, console, deadline, .. } = self;
        let asking = Asking { network, console, limit: *limit, deadline: *deadline };
        let began = Instant::now();
        let mut reply = self.file.config.sources.ask(source, family, asking)?;
        reply.via.took = began.elapsed();
        Ok(reply)
    }
}
