//! The usual fixture of a test: a fake AWS, a fake reflector, and a sandbox with a config and a key
//! for them. A test changes only what it is about.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::fake_aws::{AwsState, FakeAws, KEY_ID, SECRET_KEY, TOPIC, ZONE_ID};
use super::fake_reflector::{FakeReflector, HOST, SECRET_QUERY};
use super::http::Family;
use super::proxy;
use super::sandbox::{Run, Running, Sandbox};

pub struct Fixture {
    pub aws: FakeAws,
    pub reflector: FakeReflector,
    pub sandbox: Sandbox,
    config: Value,
    state: Arc<Mutex<AwsState>>,
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(FakeAws::start(), FakeReflector::start())
    }

    pub fn with(aws: FakeAws, reflector: FakeReflector) -> Self {
        let mut sandbox = Sandbox::new();
        sandbox.set("AWS_ENDPOINT_URL", aws.url());
        sandbox.set("AWS_ACCESS_KEY_ID", KEY_ID);
        sandbox.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        sandbox.secret(SECRET_KEY);
        sandbox.secret(SECRET_QUERY);
        sandbox.secret(proxy::PASSWORD);
        sandbox.placeholder(&format!("127.0.0.1:{}", aws.server().port()), "{aws}");
        sandbox.placeholder(&reflector.server().url(HOST), "{reflector}");
        sandbox.placeholder(&format!(":{}", reflector.server().port()), ":{port}");
        sandbox.placeholder(ZONE_ID, "{zone}");
        sandbox.placeholder(TOPIC, "{topic}");
        let config = json!({
            "hosted_zone_id": ZONE_ID,
            "dns_name": "home.example.com",
            "topic_arn": TOPIC,
            "alert_lock": sandbox.path("autodns.lock"),
            "reflect_url": reflector.url(),
        });
        let state = aws.shared_state();
        let fixture = Self { aws, reflector, sandbox, config, state };
        fixture.write_config("autodns.json", &fixture.config);
        fixture
    }

    /// A fixture without credentials in the environment.
    pub fn without_credentials() -> Self {
        let mut fixture = Self::new();
        fixture.unset_credentials();
        fixture
    }

    /// Removes the credentials from the environment.
    pub fn unset_credentials(&mut self) {
        self.sandbox.unset("AWS_ACCESS_KEY_ID");
        self.sandbox.unset("AWS_SECRET_ACCESS_KEY");
    }

    /// A fixture with both record types in its config.
    pub fn with_both_families() -> Self {
        let mut fixture = Self::new();
        fixture.configure(|config| config["record_types"] = json!(["A", "AAAA"]));
        fixture
    }

    /// A fixture with both record types, whose reflector fails over IPv6. A run changes the IPv4
    /// record and sends an alert.
    pub fn with_failing_ipv6() -> Self {
        let fixture = Self::with_both_families();
        fixture.reflector.fails(Family::V6);
        fixture
    }

    /// Changes the config, in memory and on disk.
    pub fn configure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.write_config("autodns.json", &self.config);
    }

    /// Removes a key from the config.
    pub fn remove_from_config(&mut self, key: &str) {
        self.configure(|config| {
            config.as_object_mut().expect("an object").remove(key);
        });
    }

    pub fn config(&self) -> Value {
        self.config.clone()
    }

    /// Writes a config of any content and returns its path.
    pub fn write_config(&self, name: &str, config: &Value) -> String {
        self.sandbox.write(name, format!("{config:#}\n"))
    }

    /// Runs the program with the config.
    #[track_caller]
    pub fn run(&self) -> Run {
        self.run_with(&[])
    }

    /// Runs the program with these options and the config.
    #[track_caller]
    pub fn run_with(&self, options: &[&str]) -> Run {
        let path = self.sandbox.path("autodns.json");
        self.run_args(&[options, &[path.as_str()]].concat())
    }

    /// Runs the program with these arguments only.
    #[track_caller]
    pub fn run_args(&self, arguments: &[&str]) -> Run {
        self.finish(self.sandbox.spawn(arguments))
    }

    pub fn spawn(&self) -> Running {
        self.sandbox.spawn(&[&self.sandbox.path("autodns.json")])
    }

    /// Waits for a run, and fails if it leaked a secret or sent an invalid request.
    #[track_caller]
    pub fn finish(&self, running: Running) -> Run {
        let run = running.finish(&self.sandbox);
        let published = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.sns.topics.values().flatten().cloned().collect::<Vec<_>>()
        };
        for alert in published {
            self.sandbox.assert_no_secret_in("an alert's subject", &alert.subject);
            self.sandbox.assert_no_secret_in("an alert's message", &alert.message);
        }
        let violations = self.aws.violations();
        assert!(violations.is_empty(), "AWS would reject these requests: {violations:#?}");
        let violations = self.reflector.server().violations();
        assert!(violations.is_empty(), "a reflector would reject these: {violations:#?}");
        run
    }

    /// Fails if a server was connected to or a file was written.
    #[track_caller]
    pub fn assert_untouched(&self, run: &Run) {
        assert_eq!(self.reflector.server().connections(), 0, "connections to the reflector");
        assert_eq!(self.aws.server().connections(), 0, "connections to AWS");
        run.assert_wrote(&[]);
    }
}
