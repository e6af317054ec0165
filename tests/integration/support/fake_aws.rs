//! A fake AWS that checks what an emulator does not: the signature (sigv4.rs), the five-minute
//! window, the signing region and the permissions of a key. It passes good requests on to
//! `fake_route53.rs` and `fake_sns.rs`. A test can script a fault for an operation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use time::{Duration, OffsetDateTime};

use super::ca::Certificate;
use super::fake_route53::{self, FakeRoute53, RecordSet, Zone};
use super::fake_sns::{self, FakeSns, Published};
use super::http::{Reply, Request, Response};
use super::latch::Latch;
use super::server::{Listen, Protocol, Server};
use super::sigv4::{self, Receiver, Secret};

pub const KEY_ID: &str = "AKIAEXAMPLEOFATEST07";
/// Contains every base64 character that a form or URL encodes.
pub const SECRET_KEY: &str = "sEcr3t/Of+The/Key+wQ7zLpV0bN5tYh1KdJm8xE";
pub const ZONE_ID: &str = "Z0123456789ABCDEFGHIJ";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:dyndns-status";

/// A section of a profile file with the key of the fake AWS.
pub fn key_section(name: &str) -> String {
    format!("[{name}]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET_KEY}\n")
}

/// The operations that the program calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    List,
    Change,
    Publish,
}

/// What happens to an operation instead of its normal response.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error in the XML of the service.
    Error(u16, &'static str, String),
    /// The operation is not carried out. The reply is this one.
    Instead(Reply),
    /// The operation is carried out. The reply is this one.
    After(Reply),
    /// The operation is carried out. Its response is held until a test opens the latch.
    Held(Latch),
    /// No fault. Faults queued after it hit later requests.
    Pass,
}

impl Fault {
    pub fn error(status: u16, code: &'static str, message: &str) -> Self {
        Self::Error(status, code, message.to_owned())
    }
}

/// The `Date` header of the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateHeader {
    /// AWS's time.
    Right,
    /// There is no such header.
    None,
    /// AWS's time, in a response with an `Age` header.
    Aged,
    /// AWS's time plus this duration.
    Off(Duration),
}

/// Everything that a test may read or set between runs.
#[derive(Debug)]
pub struct AwsState {
    pub route53: FakeRoute53,
    pub sns: FakeSns,
    pub keys: BTreeMap<String, Secret>,
    /// The operations that each key may not call.
    pub denied: Vec<(String, Operation)>,
    /// How far AWS's clock is ahead of this machine's.
    pub ahead: Duration,
    pub date: DateHeader,
    /// The most requests per second that Route 53 accepts, if there is a limit.
    pub rate: Option<usize>,
    /// The times at which Route 53 accepted the last requests.
    accepted_at: VecDeque<Instant>,
    /// How many requests Route 53 throttled.
    pub throttled: usize,
    /// The region that Route 53 requires in signatures.
    pub route53_region: String,
    /// The operations with a good signature, in order, including those that met a fault.
    pub operations: Vec<Operation>,
    next: BTreeMap<Operation, VecDeque<Fault>>,
    always: BTreeMap<Operation, Fault>,
    violations: Vec<String>,
}

impl AwsState {
    /// Whether the account has used up its requests of this second. A throttled request does not
    /// count.
    fn is_over_its_rate(&mut self) -> bool {
        let Some(rate) = self.rate else { return false };
        let now = Instant::now();
        self.accepted_at.retain(|time| now.duration_since(*time).as_secs() < 1);
        let is_over = self.accepted_at.len() >= rate;
        if !is_over {
            self.accepted_at.push_back(now);
        }
        is_over
    }
}

/// The server. It stops when dropped.
pub struct FakeAws {
    server: Server,
    state: Arc<Mutex<AwsState>>,
}

impl FakeAws {
    /// Starts with one zone, the record `home.example.com A 192.175.48.1`, one topic and one key.
    pub fn start() -> Self {
        Self::start_as(Listen::V4, Protocol::Tls(Certificate::Good))
    }

    pub fn start_as(listen: Listen, protocol: Protocol) -> Self {
        let mut route53 = FakeRoute53::new();
        let record_sets = vec![
            RecordSet::new("example.com", "NS", 172_800, &["ns-1.awsdns-00.com."]),
            RecordSet::new("home.example.com", "A", 300, &["192.175.48.1"]),
            RecordSet::new("host.example.com", "A", 300, &["192.175.48.99"]),
        ];
        route53.zones.insert(ZONE_ID.into(), Zone { name: "example.com.".into(), record_sets });
        let mut sns = FakeSns::default();
        sns.topics.insert(TOPIC.into(), Vec::new());
        let secret = Secret { secret: SECRET_KEY.into(), token: None };
        let state = Arc::new(Mutex::new(AwsState {
            route53,
            sns,
            keys: BTreeMap::from([(KEY_ID.to_owned(), secret)]),
            denied: Vec::new(),
            ahead: Duration::ZERO,
            date: DateHeader::Right,
            rate: None,
            accepted_at: VecDeque::new(),
            throttled: 0,
            route53_region: "us-east-1".to_owned(),
            operations: Vec::new(),
            next: BTreeMap::new(),
            always: BTreeMap::new(),
            violations: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(listen, protocol, move |request| response(&shared, request));
        Self { server, state }
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn url(&self) -> String {
        self.server.url("127.0.0.1")
    }

    pub fn state(&self) -> MutexGuard<'_, AwsState> {
        lock(&self.state)
    }

    /// The state without the server, for the search for secrets after a run.
    pub fn shared_state(&self) -> Arc<Mutex<AwsState>> {
        Arc::clone(&self.state)
    }

    /// Sets the fault of the next operation of this kind. Several faults queue up.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.state().next.entry(operation).or_default().push_back(fault);
    }

    /// Sets the fault of every later operation of this kind.
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.state().always.insert(operation, fault);
    }

    /// Removes all faults, queued and lasting.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.next.clear();
        state.always.clear();
    }

    /// Puts a record set into the zone and removes those of the same name and type.
    pub fn put(&self, record_set: RecordSet) {
        let mut state = self.state();
        let zone = state.route53.zones.get_mut(ZONE_ID).expect("the zone");
        zone.record_sets
            .retain(|other| (&other.name, &other.kind) != (&record_set.name, &record_set.kind));
        zone.record_sets.push(record_set);
    }

    /// Adds a record set and keeps those of the same name and type, as for weighted records.
    pub fn add(&self, record_set: RecordSet) {
        let mut state = self.state();
        state.route53.zones.get_mut(ZONE_ID).expect("the zone").record_sets.push(record_set);
    }

    pub fn remove(&self, name: &str, kind: &str) {
        let mut state = self.state();
        let name = fake_route53::normal(name);
        let zone = state.route53.zones.get_mut(ZONE_ID).expect("the zone");
        zone.record_sets.retain(|record_set| {
            (record_set.name.as_str(), record_set.kind.as_str()) != (name.as_str(), kind)
        });
    }

    /// `name type ttl value…` of every record set but NS, sorted.
    pub fn record_sets(&self) -> Vec<String> {
        let state = self.state();
        let mut record_sets: Vec<String> = state.route53.zones[ZONE_ID]
            .record_sets
            .iter()
            .filter(|record_set| record_set.kind != "NS")
            .map(|record_set| {
                let ttl = record_set.ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
                format!(
                    "{} {} {ttl} {}",
                    record_set.name,
                    record_set.kind,
                    record_set.values.join(",")
                )
            })
            .collect();
        record_sets.sort();
        record_sets
    }

    /// The messages published to the usual topic, oldest first.
    pub fn published(&self) -> Vec<Published> {
        self.state().sns.topics[TOPIC].clone()
    }

    pub fn operations(&self) -> Vec<Operation> {
        self.state().operations.clone()
    }

    /// Waits until a request for this operation arrives.
    #[track_caller]
    pub fn wait_for(&self, operation: Operation) {
        let start = Instant::now();
        while !self.operations().contains(&operation) {
            assert!(start.elapsed().as_secs() < 60, "no {operation:?} arrived");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// What was wrong with each invalid request.
    pub fn violations(&self) -> Vec<String> {
        let state = self.state();
        let lists = [&state.violations, &state.route53.violations, &state.sns.violations];
        let mut all: Vec<String> = lists.into_iter().flatten().cloned().collect();
        all.extend(self.server.violations());
        all
    }
}

fn lock(state: &Mutex<AwsState>) -> MutexGuard<'_, AwsState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn response(state: &Mutex<AwsState>, request: &Request) -> Reply {
    let mut state = lock(state);
    let now = OffsetDateTime::now_utc() + state.ahead;
    match (handle(&mut state, request), state.date) {
        (Reply::Response(response), DateHeader::Right) => {
            response.with("Date", &http_date(now)).into()
        }
        (Reply::Response(response), DateHeader::Aged) => {
            response.with("Date", &http_date(now)).with("Age", "1").into()
        }
        (Reply::Response(response), DateHeader::Off(by)) => {
            response.with("Date", &http_date(now + by)).into()
        }
        (other, _) => other,
    }
}

fn handle(state: &mut AwsState, request: &Request) -> Reply {
    let Some((operation, zone_id)) = operation_of(request) else {
        state.violations.push(format!("no such operation: {} {}", request.method, request.target));
        return fake_route53::error("Sender", 404, "UnknownOperation", "No such operation").into();
    };
    let topic = (operation == Operation::Publish).then(|| FakeSns::topic_of(request)).flatten();
    let topic = topic.unwrap_or_default();
    let (service, region) = match operation {
        Operation::Publish => ("sns", FakeSns::region_of(&topic).unwrap_or("us-east-1")),
        Operation::List | Operation::Change => ("route53", state.route53_region.as_str()),
    };
    let receiver = Receiver { service, region, now: OffsetDateTime::now_utc() + state.ahead };
    let key_id = match sigv4::check(request, receiver, &state.keys) {
        Ok(key_id) => key_id,
        Err(rejection) => return error(operation, 403, rejection.code, &rejection.message).into(),
    };
    if operation != Operation::Publish && state.is_over_its_rate() {
        state.throttled += 1;
        return error(operation, 400, "Throttling", "Rate exceeded").into();
    }
    state.operations.push(operation);
    let queued = state.next.get_mut(&operation).and_then(VecDeque::pop_front);
    let fault = queued.or_else(|| state.always.get(&operation).cloned());
    match fault {
        Some(Fault::Error(status, code, message)) => {
            return error(operation, status, code, &message).into();
        }
        Some(Fault::Instead(reply)) => return reply,
        Some(Fault::Held(latch)) => {
            return Reply::held(
                &latch,
                perform(state, operation, &zone_id, &topic, &key_id, request),
            );
        }
        Some(Fault::After(reply)) => {
            perform(state, operation, &zone_id, &topic, &key_id, request);
            return reply;
        }
        Some(Fault::Pass) | None => {}
    }
    perform(state, operation, &zone_id, &topic, &key_id, request).into()
}

/// The operation that a request calls, and the zone in its path.
fn operation_of(request: &Request) -> Option<(Operation, String)> {
    if request.method == "POST" && request.target == "/" {
        return Some((Operation::Publish, String::new()));
    }
    let rest = request.path().strip_prefix("/2013-04-01/hostedzone/")?;
    match (request.method.as_str(), rest.split_once('/')?) {
        ("GET", (id, "rrset")) => Some((Operation::List, id.to_owned())),
        ("POST", (id, "rrset/")) => Some((Operation::Change, id.to_owned())),
        _ => None,
    }
}

fn perform(
    state: &mut AwsState,
    operation: Operation,
    zone_id: &str,
    topic: &str,
    key_id: &str,
    request: &Request,
) -> Response {
    let user = "User: arn:aws:iam::123456789012:user/pi is not authorized to perform:";
    let because = "because no identity-based policy allows the";
    if state.denied.contains(&(key_id.to_owned(), operation)) {
        let zone = format!("arn:aws:route53:::hostedzone/{zone_id}");
        let (code, action, resource) = match operation {
            Operation::List => ("AccessDenied", "route53:ListResourceRecordSets", zone.as_str()),
            Operation::Change => {
                ("AccessDenied", "route53:ChangeResourceRecordSets", zone.as_str())
            }
            Operation::Publish => ("AuthorizationError", "SNS:Publish", topic),
        };
        let message = format!("{user} {action} on resource: {resource} {because} {action} action");
        return error(operation, 403, code, &message);
    }
    match operation {
        Operation::List => state.route53.list(zone_id, request.query()),
        Operation::Change => state.route53.change(zone_id, &request.body),
        Operation::Publish => state.sns.publish(request),
    }
}

fn error(operation: Operation, status: u16, code: &str, message: &str) -> Response {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    match operation {
        Operation::Publish => fake_sns::error(kind, status, code, message),
        Operation::List | Operation::Change => fake_route53::error(kind, status, code, message),
    }
}

fn http_date(time: OffsetDateTime) -> String {
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &weekday[..3],
        time.day(),
        &month[..3],
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
