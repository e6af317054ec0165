//! The public address of this connection: whom to ask and in what order, who confirms an address
//! before a change, and what an address must be. Asking one reflector is left to `reflector`,
//! asking several in the time there is to `asking`, running the user's command to `command`,
//! reading the interface's addresses to `interface`; what counts as public is in `public`.

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

/// Where addresses come from, and what they must be, as a configuration says it.
#[derive(Debug)]
pub struct Sources {
    /// What is run first. With it, there may be no reflector.
    pub command: Option<CommandLine>,
    /// Who is asked, in this order.
    pub reflectors: Vec<Reflector>,
    /// The interface that has the IPv6 address; if `None`, the other sources are asked for it.
    pub ipv6_interface: Option<String>,
    /// The only networks that addresses may be in, of each family that has one listed.
    pub expected_networks: Vec<Cidr>,
    /// Whether an address may be published that the Internet cannot reach.
    pub allow_non_public: bool,
    /// Whether an address may be published only if a reflector on another host confirms it. That
    /// of the interface needs no confirmation.
    pub require_confirmation: bool,
}

/// One source of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The interface.
    Interface,
    /// The user's command.
    Command,
    /// A reflector, by its place in the list.
    Reflector(usize),
}

/// An address, and who named it.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    /// The address.
    pub address: IpAddr,
    /// Who named it.
    by: Source,
    /// The hosts that had a part in it.
    hosts: BTreeSet<String>,
    /// Those that were asked before and whose failure lasts, with what came instead of an address.
    lasting: BTreeMap<Source, (String, String)>,
}

impl Sources {
    /// The public address of `family`: the first that a source names. Only when all have failed is
    /// it an error, which has each one's reason.
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

    /// Asks for a second opinion before `answer` is written: reflectors on other hosts, those in
    /// front of the first that answered included, unless their failure lasts. The first of them
    /// that names an address decides; another address is an error, even one that may not be
    /// published. That none answers is an error only with `require_confirmation`: a change must
    /// not depend on two unless someone wants it to. The address of an interface needs no other.
    pub fn confirm(&self, answer: &PublicAddress, asking: Asking<'_>) -> Result<(), Error> {
        let (address, family) = (answer.address, Family::of(answer.address));
        let sources = self.of_family(family);
        if answer.by == Source::Interface || sources.len() == 1 && !self.require_confirmation {
            return Ok(());
        }
        let dispute = |source, other| Error::Disagreement {
            first: (self.shown(answer.by), address),
            second: (self.shown(source), other),
        };
        let shared = |hosts: &BTreeSet<String>| answer.hosts.intersection(hosts).next().cloned();
        let mut failed = Failures::new();
        let mut others = Vec::new();
        // Those in front have just failed, or are slow.
        let (front, behind): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .filter(|&source| source != answer.by)
            .partition(|&source| source < answer.by);
        for source in behind.into_iter().chain(front) {
            let host = self.host(source).into_iter().collect();
            if let Some(host) = shared(&host) {
                failed.insert(source, same_host(&host));
            } else if let Some((cause, advice)) = answer.lasting.get(&source) {
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
            let first = (self.shown(answer.by), address);
            return Err(Error::Unconfirmed { first, causes: self.causes(failed) });
        }
        asking.console.step(|| format!("{address} is not confirmed: no other source answers"));
        Ok(())
    }

    /// Whether the answers of those families can be confirmed where that is required.
    pub fn can_confirm(&self, mut families: impl Iterator<Item = Family>) -> bool {
        let hosts: BTreeSet<String> = self.reflectors.iter().map(Reflector::host).collect();
        let sources = hosts.len() + usize::from(self.command.is_some());
        let needs_another = |family| family == Family::V4 || self.ipv6_interface.is_none();
        !self.require_confirmation || sources > 1 || !families.any(needs_another)
    }

    /// The sources of that family's address, in the order in which they are asked.
    pub fn of_family(&self, family: Family) -> Vec<Source> {
        if family == Family::V6 && self.ipv6_interface.is_some() {
            return vec![Source::Interface];
        }
        let command = self.command.iter().map(|_| Source::Command);
        command.chain((0..self.reflectors.len()).map(Source::Reflector)).collect()
    }

    /// The host of a source that has one.
    fn host(&self, source: Source) -> Option<String> {
        let Source::Reflector(index) = source else { return None };
        self.reflectors.get(index).map(Reflector::host)
    }

    /// Asks one source once.
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

    /// What a source said, if it may be published; and tells the step.
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

    /// A source, as messages name it.
    pub fn shown(&self, source: Source) -> String {
        match source {
            Source::Interface => {
                format!("interface {}", self.ipv6_interface.as_deref().unwrap_or_default())
            }
            Source::Command => "address_command".into(),
            Source::Reflector(index) => self.reflectors[index].to_string(),
        }
    }

    /// What is wrong with an address that a source named, and what to do, if anything is.
    fn objection(
        &self,
        address: IpAddr,
        family: Family,
        source: Source,
    ) -> Option<(String, &'static str)> {
        if Family::of(address) != family {
            return Some((
                format!("no {family} address"),
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

    /// Why an address may not be published, in a few words, if so.
    pub fn kind_objected_to(&self, address: IpAddr) -> Option<String> {
        self.not_publishable(address).map(Into::into).or_else(|| self.outside(address))
    }

    /// The kind of an address that may not be published because of its kind. What no host can have
    /// is never published, whatever `allow_non_public` says.
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

/// Why one that names the same address does not confirm it.
fn same_host(host: &str) -> Unanswered {
    let cause = format!("its answer is that of {host}, which has answered already");
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
    fn an_answer_must_be_of_the_family_public_and_expected() {
        let any = &[][..];
        for (networks, allowed, address, family, objection) in [
            (any, false, "9.9.9.9", Family::V4, None),
            (any, false, "2620:fe::9", Family::V4, Some("no IPv4 address")),
            (any, true, "::ffff:9.9.9.9", Family::V4, Some("no IPv4 address")),
            (any, false, "9.9.9.9", Family::V6, Some("no IPv6 address")),
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
