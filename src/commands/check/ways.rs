//! Whether the servers that a configuration needs can be reached: their names looked up, their TLS
//! trusted, or which proxy stands before them. Asks the servers themselves for nothing.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::Uri;

use super::report::Finding;
use crate::address::reflector::Reflector;
use crate::aws::{Aws, Service};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::detached::{self, NoResult};
use crate::notify::heartbeat::Heartbeat;
use crate::transport::{Network, addresses_of_host};

/// How much longer than its deadline a server is waited for: what is asked of it ends by then of
/// itself, and says why, unless it hangs.
const GRACE: Duration = Duration::from_millis(500);

/// Tells what is found of each server, once. All of them are asked at the same time, so that one
/// that hangs costs no other its time.
pub fn ways(
    config: &Config,
    network: &Network,
    aws: &Aws<'_>,
    deadline: Deadline,
    tell: &impl Fn(Finding),
) {
    let mut seen = BTreeSet::new();
    let mut asked = Vec::new();
    for Server { uri, may_be_proxied } in servers(config, aws) {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if !seen.insert((host.clone(), uri.port_u16(), uri.scheme_str().map(str::to_owned))) {
            continue;
        }
        let proxy = network.proxy_for(&uri).filter(|_| may_be_proxied);
        let findings = detached::start({
            let (host, network) = (host.clone(), network.clone());
            move |findings| {
                let tell = |finding| drop(findings.send(finding));
                match proxy {
                    Some(proxy) => tell(Finding::unknown(
                        "proxy",
                        format!(
                            "{host} is reached through {proxy}, which looks its name up itself"
                        ),
                    )),
                    None => way(&uri, &host, &network, deadline, &tell),
                }
            }
        });
        asked.push((host, findings));
    }
    for (host, findings) in asked {
        let Ok(findings) = findings else {
            tell(Finding::unknown("tls", format!("{host}: no thread could be started for it")));
            continue;
        };
        loop {
            match detached::next(&findings, deadline.later(GRACE)) {
                Ok(finding) => tell(finding),
                Err(NoResult::Overdue) => {
                    let detail =
                        format!("{host}: the look-up or the handshake did not end in time");
                    tell(Finding::failed("tls", detail, "check the connection".into()));
                    break;
                }
                // The thread has said everything.
                Err(NoResult::Died | NoResult::NoThread) => break,
            }
        }
    }
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
    let heartbeat = config.heartbeat.iter().flat_map(Heartbeat::urls).map(|url| url.uri().clone());
    let sns = config
        .alerts
        .as_ref()
        .map(|alerts| Service::Sns { region: alerts.topic.region().to_owned() });
    let of_aws = [Service::Route53]
        .into_iter()
        .chain(sns)
        .filter_map(|service| aws.endpoint(&service).base.parse().ok());
    servers.extend(heartbeat.chain(of_aws).map(|uri| Server { uri, may_be_proxied: true }));
    servers
}

fn way(uri: &Uri, host: &str, network: &Network, deadline: Deadline, tell: &impl Fn(Finding)) {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_err() {
        match addresses_of_host(host, deadline) {
            Ok(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                tell(Finding::ok("dns", format!("{host} is {}", shown.join(", "))));
            }
            Err(failure) => {
                let detail = format!("{host}: {failure}");
                return tell(Finding::failed("dns", detail, failure.advice().into()));
            }
        }
    }
    if uri.scheme_str() == Some("https") {
        let began = Instant::now();
        tell(match network.handshake(uri, deadline) {
            Ok(version) => {
                let took = began.elapsed().as_millis();
                Finding::ok("tls", format!("{host} is trusted, {version}, in {took} ms"))
            }
            Err(failure) => {
                Finding::failed("tls", format!("{host}: {failure}"), failure.advice().into())
            }
        });
    }
}
