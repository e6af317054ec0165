//! autodns keeps a Route 53 record pointing at a home internet connection's public address.
//!
//! One run, in `commands::update`:
//!
//! ```text
//! configuration -> session -> public address -> current record -> plan -> change -> notify
//!  \____ setup: exit 2 ____/
//!                           \______ can fail while trying: alert once, exit 1 ______/
//! ```
//!
//! The rooms, from the top down. A room imports only what stands below it; tests/documents/rooms.rs
//! reads this list and checks that.
//!
//! * `commands`: update, check and policy, the only code that calls across rooms.
//! * `cli`: the command line.
//! * `session`: what one configuration's run shares: its file, network, credentials and limits.
//! * `config`: autodns.json.
//! * `notify`: the alert, which is sent once, and the heartbeat.
//! * `address`: the public address, from reflectors, a command or an interface.
//! * `aws`: signed requests to Route 53 and SNS.
//! * `credentials`: where boto and AWS's tools look, in their order.
//! * `transport`: HTTP, TLS and URLs, the only room that names ureq and rustls.
//! * `record`: names, record sets and the plan of a change. Pure.
//! * The leaves, which import only each other: `console`, `secrets`, `environment`, `error`,
//!   `retry`, `deadline`, `detached`, `files`, `paste`, `percent`, `clock`,
//!   `child`, `cidr`.

mod address;
mod aws;
mod child;
mod cidr;
mod cli;
mod clock;
mod commands;
mod config;
mod console;
mod credentials;
mod deadline;
mod detached;
mod environment;
mod error;
mod files;
mod notify;
mod paste;
mod percent;
mod record;
mod retry;
mod secrets;
mod session;
mod transport;

pub use commands::run;

/// Parts for the fuzz targets, the simulation of a fleet and the tests of the documents. They
/// change without notice.
pub mod parts {
    pub use crate::address::interface;
    pub use crate::address::public::not_public;
    pub use crate::address::reflector::read_response;
    pub use crate::aws::fault::Fault;
    pub use crate::aws::skew::Skew;
    pub use crate::aws::xml::Element;
    pub use crate::aws::{route53, sns};
    pub use crate::cli::{CHECK_HELP, COMMANDS, DEFAULT_DEADLINE, HELP, POLICY_HELP};
    pub use crate::clock::{calendar, read_date};
    pub use crate::commands::Status;
    pub use crate::commands::update::RESERVED_FOR_ALERT;
    pub use crate::config::{Config, ConfigFile, KEYS};
    pub use crate::credentials::ini::{Ini, Repeated};
    pub use crate::credentials::process;
    pub use crate::record::plan::Plan;
    pub use crate::record::{DnsName, RecordKey, RecordType, Ttl};
    pub use crate::retry::{Attempts, MaxAttempts, Retry};
    pub use crate::secrets::Secrets;
    pub use crate::transport::shown_name;
    pub use crate::transport::url::SecretUrl;
}
