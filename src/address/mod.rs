//! The public address of this connection: the order of the sources, the confirmation before a
//! change, and the rules for an address. `asking` asks several sources at once, `reflector` one
//! reflector; `command` runs the user's command, `interface` reads the addresses of an interface,
//! and `public` decides which addresses are public.

mod asking;
mod command;
mod error;
pub mod interface;
pub mod public;
pub mod reflector;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use crate::child::CommandLine;
use crate::cidr::Cidr;
use crate::console::Console;
use crate::record::Family;
use crate::retry::Retry;
pub use asking::Asking;
use asking::{Failures, Said};
pub use error::{Error, SourceError};
use public::{CGNAT, is_of_no_host, not_public};
use reflector::{Reflector, Reply, Unanswered};

/// The sources of addresses and the rules for them, from the configuration.
#[derive(Debug)]
pub struct Sources {
    /// Asked before the reflectors. With a command, the list of reflectors may be empty.
    pub command: Option<CommandLine>,
    /// In the order in which they are asked.
    pub reflectors: Vec<Reflector>,
    /// The only source of the IPv6 address, if set.
    pub ipv6_interface: Option<String>,
    /// Addresses must be in one of these networks. A family without any is not restricted.
    pub expected_networks: Vec<Cidr>,
    /// Whether addresses that the Internet cannot reach may be published.
    pub allow_non_public: bool,
    /// Whether a reflector on another host must confirm an address before it is published. The
    /// address of the interface needs no confirmation.
    pub require_confirmation: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Interface,
    Command,
    /// The index in the list of reflectors.
    Reflector(usize),
}

/// An address and its source.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    pub address: IpAddr,
    by: Source,
    /// The host of the reflector and the hosts that it redirected to.
    hosts: BTreeSet<String>,
    /// Sources that failed before and that a retry cannot help, with cause and advice.
    lasting: BTreeMap<Source, (String, String)>,
}

impl Sources {
    /// The public address of `family` that the first source names. If all sources fail, the error
    /// has the cause of each.
    pub fn find(&self, family: Family, asking: Asking<'_>) -> Result<PublicAddress, Error> {
        let sources = self.of_family(family);
        match self.first_of(&sources, family, asking, |source, said| Ok((source, said?))) {
            (Some((by, Reply { address, hosts, .. })), failed) => {
                let lasting = failed
                    .into_iter()
                    .filter(|(_, failed)| failed.retry == Retry::Never)
                    .map(|(source, Unanswered { cause, advice, .. })| (source, (cause, advice)))
                    .collect();
                Ok(PublicAddress { address, by, hosts, lasting })
            }
            (None, failed) => Err(Error::NotFound { family, causes: self.causes(failed) }),
        }
    }

    /// Asks sources on other hosts to confirm the address `found` before it is written. Sources
    /// that failed earlier are asked last, or not at all if a retry cannot help.
    ///
    /// The first source that names an address decides: a different address is an error, even one
    /// that may not be published. If no source names an address, that is an error only with
    /// `require_confirmation`. The address of an interface needs no confirmation.
    pub fn confirm(&self, found: &PublicAddress, asking: Asking<'_>) -> Result<(), Error> {
        let (address, family) = (found.address, Family::of(found.address));
        let sources = self.of_family(family);
        if found.by == Source::Interface || sources.len() == 1 && !self.require_confirmation {
            return Ok(());
        }
        let dispute = |source, other| Error::Disagreement {
            first: (self.shown(found.by), address),
            second: (self.shown(source), other),
        };
        let shared = |hosts: &BTreeSet<String>| found.hosts.intersection(hosts).next().cloned();
        let mut failed = Failures::new();
        let mut others = Vec::new();
        // The sources in front of the first one have just failed, or are slow.
        let (front, behind): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .filter(|&source| source != found.by)
            .partition(|&source| source < found.by);
        for source in behind.into_iter().chain(front) {
            let host = self.host(source).into_iter().collect();
            if let Some(host) = shared(&host) {
                failed.insert(source, same_host(&host));
            } else if let Some((cause, advice)) = found.lasting.get(&source) {
                failed.insert(source, Unanswered::never(cause, advice));
            } else {
                others.push(source);
            }
        }
        let (verdict, now) = self.first_of(&others, family, asking, |source, said| match said {
            Ok(reply) if reply.address == address => match shared(&reply.hosts) {
                Some(host) => Err(same_host(&host)),
                None => Ok(Ok(())),
            },
            Ok(Reply { address: other, .. }) | Err(Unanswered { named: Some(other), .. }) => {
                Ok(Err(dispute(source, other)))
            }
            Err(unanswered) => Err(unanswered),
        });
        if let Some(verdict) = verdict {
            return verdict;
        }
        if self.require_confirmation {
            failed.extend(now);
            let first = (self.shown(found.by), address);
            return Err(Error::Unconfirmed { first, causes: self.causes(failed) });
        }
        asking.console.step(|| format!("{address} is not confirmed: no other source answers"));
        Ok(())
    }

    /// Whether there are enough sources to confirm the addresses of these families, if required.
    pub fn can_confirm(&self, mut families: impl Iterator<Item = Family>) -> bool {
        let hosts: BTreeSet<String> = self.reflectors.iter().map(Reflector::host).collect();
        let sources = hosts.len() + usize::from(self.command.is_some());
        let needs_another = |family| family == Family::V4 || self.ipv6_interface.is_none();
        !self.require_confirmation || sources > 1 || !families.any(needs_another)
    }

    /// The sources for the address of `family`, in the order in which they are asked.
    pub fn of_family(&self, family: Family) -> Vec<Source> {
        if family == Family::V6 && self.ipv6_interface.is_some() {
            return vec![Source::Interface];
        }
        let command = self.command.iter().map(|_| Source::Command);
        command.chain((0..self.reflectors.len()).map(Source::Reflector)).collect()
    }

    /// Only reflectors have a host.
    fn host(&self, source: Source) -> Option<String> {
        let Source::Reflector(index) = source else { return None };
        self.reflectors.get(index).map(Reflector::host)
    }

    /// Asks one source, without retries.
    pub fn ask(
        &self,
        source: Source,
        family: Family,
        asking: Asking<'_>,
    ) -> Result<Reply, SourceError> {
        let said = self.question(source, family, asking)();
        self.examined(source, family, said, asking.console)
            .map_err(|unanswered| SourceError { asked: self.shown(source), unanswered })
    }

    /// Rejects an address that may not be published, and prints the step.
    fn examined(&self, source: Source, family: Family, said: Said, console: &Console) -> Said {
        let said = said.and_then(|reply| match self.objection(reply.address, family, source) {
            Some((objection, advice)) => Err(Unanswered {
                named: Some(reply.address),
                ..Unanswered::never(
                    format!("it answered {}, which is {objection}", reply.address),
                    advice,
                )
            }),
            None => Ok(reply),
        });
        console.step(|| {
            let shown = self.shown(source);
            match (&said, source) {
                (Ok(Reply { address, .. }), Source::Interface) => format!("{shown} has {address}"),
                (Ok(Reply { address, .. }), _) => format!("{shown} answered {address}"),
                (Err(unanswered), _) => format!("{shown} over {family}: {unanswered}"),
            }
        });
        said
    }

    fn of_interface(&self) -> Said {
        let interface = self.ipv6_interface.as_deref().unwrap_or_default();
        let unfit = |address: Ipv6Addr| self.kind_objected_to(address.into());
        match interface::address_of(interface, unfit) {
            Ok(address) => Ok(Reply::of_this_machine(address.into())),
            Err(cause) => Err(Unanswered::never(cause, "check ipv6_interface")),
        }
    }

    fn causes(&self, failed: Failures) -> Vec<SourceError> {
        let cause = |(source, unanswered)| SourceError { asked: self.shown(source), unanswered };
        failed.into_iter().map(cause).collect()
    }

    /// The name of a source in messages.
    pub fn shown(&self, source: Source) -> String {
        match source {
            Source::Interface => {
                format!("interface {}", self.ipv6_interface.as_deref().unwrap_or_default())
            }
            Source::Command => "address_command".into(),
            Source::Reflector(index) => self.reflectors[index].to_string(),
        }
    }

    /// Why an address may not be published, as a phrase that follows "which is", and the advice.
    fn objection(
        &self,
        address: IpAddr,
        family: Family,
        source: Source,
    ) -> Option<(String, &'static str)> {
        if Family::of(address) != family {
            return Some((
                format!("not an {family} address"),
                "use a reflector that answers with the address it was called from",
            ));
        }
        let by_command = source == Source::Command;
        if let Some(kind) = self.not_publishable(address) {
            let (more, advice) = if is_of_no_host(address) {
                ("", if by_command { "check the command" } else { "check the reflector" })
            } else if kind == CGNAT {
                (
                    ", so this connection has no public IPv4 address of its own",
                    "ask the provider for one, or use IPv6 (record_types) or a tunnel",
                )
            } else if by_command {
                ("", "check the command, or set allow_non_public")
            } else {
                ("", "check the way to the reflector, or set allow_non_public")
            };
            return Some((format!("not a public address: {kind}{more}"), advice));
        }
        let advice = "check which way the traffic goes, or expected_networks";
        self.outside(address).map(|outside| (outside, advice))
    }

    /// Why an address may not be published, in a few words; `None` if it may.
    pub fn kind_objected_to(&self, address: IpAddr) -> Option<String> {
        self.not_publishable(address).map(Into::into).or_else(|| self.outside(address))
    }

    /// The kind of an address that may not be published. `allow_non_public` does not allow
    /// addresses that no host can have.
    fn not_publishable(&self, address: IpAddr) -> Option<&'static str> {
        not_public(address).filter(|_| !self.allow_non_public || is_of_no_host(address))
    }

    fn outside(&self, address: IpAddr) -> Option<String> {
        let of_family = || self.expected_networks.iter().filter(|cidr| cidr.has_family_of(address));
        if of_family().next().is_none() || of_family().any(|cidr| cidr.contains(address)) {
            return None;
        }
        let listed: Vec<String> = of_family().map(ToString::to_string).collect();
        Some(format!("outside the expected networks {}", listed.join(", ")))
    }
}

/// Why a source that names the same address does not confirm it.
fn same_host(host: &str) -> Unanswered {
    let cause = format!("its response is from {host}, which has answered already");
    Unanswered::never(cause, "name a source on another host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(networks: &[&str], allow_non_public: bool) -> Sources {
        Sources {
            command: None,
            reflectors: vec![Reflector::parse(Reflector::DEFAULTS[0]).unwrap()],
            ipv6_interface: None,
            expected_networks: networks.iter().map(|text| Cidr::parse(text).unwrap()).collect(),
            allow_non_public,
            require_confirmation: false,
        }
    }

    #[test]
    fn address_must_be_of_the_family_public_and_expected() {
        let any = &[][..];
        for (networks, allowed, address, family, objection) in [
            (any, false, "9.9.9.9", Family::V4, None),
            (any, false, "2620:fe::9", Family::V4, Some("not an IPv4 address")),
            (any, true, "::ffff:9.9.9.9", Family::V4, Some("not an IPv4 address")),
            (any, false, "9.9.9.9", Family::V6, Some("not an IPv6 address")),
            (any, false, "10.1.2.3", Family::V4, Some("not a public address: private")),
            (any, true, "10.1.2.3", Family::V4, None),
            (any, true, "127.0.0.1", Family::V4, None),
            (any, true, "0.0.0.0", Family::V4, Some("not a public address: \"this network\"")),
            (any, true, "224.0.0.1", Family::V4, Some("not a public address: multicast")),
            (any, true, "::", Family::V6, Some("not a public address: unspecified")),
            (any, true, "::ffff:9.9.9.9", Family::V6, Some("not a public address: IPv4-mapped")),
            (&["9.9.0.0/16"], false, "9.9.9.9", Family::V4, None),
            (&["9.8.0.0/16", "9.9.0.0/16"], false, "9.9.9.9", Family::V4, None),
            (
                &["9.8.0.0/16", "9.7.0.0/16"],
                false,
                "9.9.9.9",
                Family::V4,
                Some("outside the expected networks 9.8.0.0/16, 9.7.0.0/16"),
            ),
            // A family with no network listed is not restricted.
            (&["9.8.0.0/16"], false, "2620:fe::9", Family::V6, None),
            (
                &["9.8.0.0/16", "2620:fd::/32"],
                false,
                "2620:fe::9",
                Family::V6,
                Some("outside the expected networks 2620:fd::/32"),
            ),
            (&["10.0.0.0/8"], false, "10.1.2.3", Family::V4, Some("not a public address: private")),
            (&["10.0.0.0/8"], true, "10.1.2.3", Family::V4, None),
        ] {
            let said = sources(networks, allowed).objection(
                address.parse().unwrap(),
                family,
                Source::Reflector(0),
            );
            let said = said.as_ref().map(|(cause, _)| cause.as_str());
            assert_eq!(said, objection, "{address} {networks:?}");
        }
    }
}
