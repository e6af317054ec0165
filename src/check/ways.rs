//! Whether the servers that a configuration needs can be reached: their names looked up, their TLS
//! trusted, or which proxy stands before them. Asks the servers themselves for nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use http::Uri;

use super::report::Finding;
use crate::address::reflector::Reflector;
use crate::aws::{Aws, Service};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::transport::Network;

/// What is found of each server, once; servers that hang leave the rest its time.
pub fn ways(config: &Config, network: &Network, aws: &Aws<'_>, deadline: Deadline) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for Server { uri, may_be_proxied } in servers(config, aws) {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if !seen.insert((host.clone(), uri.port_u16(), uri.scheme_str().map(str::to_owned))) {
            continue;
        }
        match network.proxy_for(&uri).filter(|_| may_be_proxied) {
            Some(proxy) => {
                findings.push(Finding::good("proxy", format!("{host} is reached through {proxy}")));
            }
            None => findings.extend(way(&uri, &host, network, deadline.share(3))),
        }
    }
    findings
}

struct Server {
    uri: Uri,
    /// Reflectors never are.
    may_be_proxied: bool,
}

fn servers(config: &Config, aws: &Aws<'_>) -> Vec<Server> {
    let reflectors = config.sources.reflectors.iter().map(Reflector::url);
    let mut servers: Vec<Server> =
        reflectors.map(|url| Server { uri: url.uri().clone(), may_be_proxied: false }).collect();
    let heartbeat = config.heartbeat.as_ref().map(|heartbeat| heartbeat.url.uri().clone());
    let sns = config
        .alerts
        .as_ref()
        .map(|alerts| Service::Sns { region: alerts.topic.region().to_owned() });
    let of_aws = [Service::Route53]
        .into_iter()
        .chain(sns)
        .filter_map(|service| aws.endpoint(&service).base.parse().ok());
    servers.extend(
        heartbeat.into_iter().chain(of_aws).map(|uri| Server { uri, may_be_proxied: true }),
    );
    servers
}

fn way(uri: &Uri, host: &str, network: &Network, deadline: Deadline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_err() {
        match network.addresses(host, deadline) {
            Ok(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                findings.push(Finding::good("dns", format!("{host} is {}", shown.join(", "))));
            }
            Err(failure) => {
                let detail = format!("{host}: {failure}");
                return vec![Finding::bad("dns", detail, failure.advice().into())];
            }
        }
    }
    if uri.scheme_str() == Some("https") {
        let began = Instant::now();
        findings.push(match network.handshake(uri, deadline) {
            Ok(version) => {
                let took = began.elapsed().as_millis();
                Finding::good("tls", format!("{host} is trusted, {version}, in {took} ms"))
            }
            Err(failure) => {
                Finding::bad("tls", format!("{host}: {failure}"), failure.advice().into())
            }
        });
    }
    findings
}
