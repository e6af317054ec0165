//! The integration tests: whole runs of the built binary against real servers on loopback. They
//! check only what is visible from outside. Each module has one subject. The servers and the
//! sandbox are in support/.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::items_after_statements,
    clippy::too_many_lines,
    reason = "a test reads best from top to bottom, and many collect messages to compare at the end"
)]

mod address_command;
mod alerts;
mod autodns_py;
mod bad_input;
mod bodies;
mod certificates;
mod changes;
mod checks;
mod connections;
mod credential_process;
mod credentials;
mod deadlines;
mod emulator;
mod endpoints;
mod everyday;
mod hangs;
mod heartbeats;
mod ipv6_hosts;
mod killed;
mod leaks;
mod lock_place;
mod messages;
mod pages;
mod profile_files;
mod proxies;
mod reflectors;
mod retries;
mod route53_failures;
mod several_configs;
mod sources;
mod support;
mod support_tests;
mod unmanaged_records;
mod walks;
mod wrong_clock;
