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
use std::net::IpAddr;

use crate::child::CommandLine;
use crate::cidr::Cidr;
use crate::console::Console;
use crate::record::Family;
use crate::retry::Retry;
use crate::transport::Via;
use crate::transport::url::SecretUrl;
pub use asking::Asking;
pub use error::{Error, SourceError};
use public::{CGNAT, is_of_no_host, not_public};

/// The sources of addresses and the rules for them, from the configuration.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Asked before the reflectors. With a command, the list of reflectors may be empty.
    pub command: Option<CommandLine>,
    /// In the order in which they are asked.
    pub reflectors: Vec<SecretUrl>,
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

#[derive(Clone, Debug)]
pub struct PublicAddress {
    pub address: IpAddr,
    source: Source,
    /// The hosts that named it. This machine itself has none.
    hosts: BTreeSet<String>,
    /// The connection of the last exchange, if there was one.
    pub via: Via,
    failed: Failures,
}

/// The last error of each source, in the order of the list.
type Failures = BTreeMap<Source, SourceError>;

impl Sources {
    /// The public address of `family` that the first source names. If all sources fail, there is an
    /// error for each cause.
    pub fn find(&self, family: Family, asking: &Asking) -> Result<PublicAddress, Vec<Error>> {
        match self.first_accepted(&self.of_family(family), family, asking, |_, result| result) {
            (Some(found), failed) => Ok(PublicAddress { failed, ..found }),
            (None, failed) => {
                Err(self
                    .by_cause(failed, |sources, error| Error::not_found(family, sources, error)))
            }
        }
    }

    /// Asks sources on other hosts to confirm the address `found` before it is written. Sources
    /// that failed earlier are asked last, or not at all if a retry cannot help.
    ///
    /// The first source that names an address decides: a different address is an error, even one
    /// that may not be published. If no source names an address, that is an error only with
    /// `require_confirmation`. The address of an interface needs no confirmation.
    pub fn confirm(&self, found: &PublicAddress, asking: &Asking) -> Result<(), Vec<Error>> {
        let (address, family) = (found.address, Family::of(found.address));
        let sources = self.of_family(family);
        if found.source == Source::Interface || sources.len() == 1 && !self.require_confirmation {
            return Ok(());
        }
        let is_lasting = |error: &&SourceError| error.retry == Retry::Never;
        let known_error = |source| match self.host(source).filter(|h| found.hosts.contains(h)) {
            Some(host) => Some(same_host(&host)),
            None => found.failed.get(&source).filter(is_lasting).cloned(),
        };
        let mut failed = Failures::new();
        let mut others = Vec::new();
        // The sources in front of the first one have just failed, or are slow.
        let (front, behind): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .filter(|&source| source != found.source)
            .partition(|&source| source < found.source);
        for source in behind.into_iter().chain(front) {
            match known_error(source) {
                Some(error) => drop(failed.insert(source, error)),
                None => others.push(source),
            }
        }
        let (second, now) =
            self.first_accepted(&others, family, asking, |source, result| match result {
                Ok(second) => match found.hosts.intersection(&second.hosts).next() {
                    Some(host) if second.address == address => Err(same_host(host)),
                    _ => Ok((source, second.address)),
                },
                Err(SourceError { rejected: Some(second), .. }) => Ok((source, second)),
                Err(error) => Err(error),
            });
        let first = (self.name_of(found.source), address);
        match second {
            Some((_, second)) if second == address => Ok(()),
            Some((source, second)) => {
                Err(vec![Error::disagreement(&first, &(self.name_of(source), second))])
            }
            None if self.require_confirmation => {
                failed.extend(now);
                Err(self
                    .by_cause(failed, |others, error| Error::unconfirmed(&first, others, error)))
            }
            None => {
                let unconfirmed = || format!("{address} is not confirmed: no other source answers");
                asking.console.step(unconfirmed);
                Ok(())
            }
        }
    }

    /// Whether there are enough sources to confirm the addresses of these families, if required.
    pub fn can_confirm(&self, mut families: impl Iterator<Item = Family>) -> bool {
        let hosts: BTreeSet<String> = self.reflectors.iter().map(SecretUrl::host).collect();
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

    /// Only reflectors have a host. Two reflectors on the same host count as one source.
    fn host(&self, source: Source) -> Option<String> {
        let Source::Reflector(index) = source else { return None };
        self.reflectors.get(index).map(SecretUrl::host)
    }

    /// Asks one source, without retries. An address that may not be published is an error.
    pub fn ask(
        &self,
        source: Source,
        family: Family,
        asking: &Asking,
    ) -> Result<PublicAddress, SourceError> {
        let Asking { network, console, deadline, .. } = asking;
        let local = |address| (address, BTreeSet::new(), Via::default());
        let (address, hosts, via) = match source {
            Source::Interface => {
                let interface = self.ipv6_interface.as_deref().unwrap_or_default();
                interface::address_of(interface, |address| self.why_unfit(address.into()))
                    .map(|address| local(address.into()))
                    .map_err(|cause| SourceError::never(cause, "check ipv6_interface"))?
            }
            Source::Command => {
                console.step(|| format!("running address_command for {family}"));
                // Half of the time is reserved for the reflectors.
                let share = if self.reflectors.is_empty() { 1 } else { 2 };
                let time = command::LIMIT.min(deadline.left() / share);
                match &self.command {
                    Some(command) => local(command::ask(command, family, time)?),
                    None => return Err(SourceError::never("it is not set", "set address_command")),
                }
            }
            Source::Reflector(index) => {
                let reflector = &self.reflectors[index];
                console.step(|| format!("asking {reflector} over {family}"));
                reflector::ask(reflector, &network.direct(family), console.secrets(), *deadline)?
            }
        };
        match self.rejection(address, family, source) {
            None => Ok(PublicAddress { address, source, hosts, via, failed: Failures::new() }),
            Some((cause, advice)) => Err(SourceError {
                rejected: Some(address),
                ..SourceError::never(format!("it answered {address}, which is {cause}"), advice)
            }),
        }
    }

    /// Prints the result of asking a source, with `--verbose`.
    pub fn report(
        &self,
        source: Source,
        family: Family,
        result: &Result<PublicAddress, SourceError>,
        console: &Console,
    ) {
        console.step(|| {
            let name = self.name_of(source);
            match (result, source) {
                (Ok(found), Source::Interface) => format!("{name} has {}", found.address),
                (Ok(found), _) => format!("{name} answered {}", found.address),
                (Err(error), _) => format!("{name} over {family}: {error}"),
            }
        });
    }

    /// Returns an error per cause: `make` builds it from the names of the sources that failed with
    /// this cause. At least one, also if no source was asked.
    fn by_cause(&self, failed: Failures, make: impl Fn(&str, SourceError) -> Error) -> Vec<Error> {
        let mut causes: Vec<(String, SourceError)> = Vec::new();
        for (source, error) in failed {
            let known = causes.iter_mut().find(|(_, known)| known.to_string() == error.to_string());
            match known {
                Some((sources, _)) => *sources = format!("{sources} and {}", self.name_of(source)),
                None => causes.push((self.name_of(source), error)),
            }
        }
        if causes.is_empty() {
            let error = SourceError::never("there is none", "check reflect_url");
            causes.push(("any source".into(), error));
        }
        causes.into_iter().map(|(sources, error)| make(&sources, error)).collect()
    }

    /// The name of a source in messages.
    pub fn name_of(&self, source: Source) -> String {
        match source {
            Source::Interface => {
                format!("interface {}", self.ipv6_interface.as_deref().unwrap_or_default())
            }
            Source::Command => "address_command".into(),
            Source::Reflector(index) => self.reflectors[index].to_string(),
        }
    }

    /// Why an address may not be published, as a phrase that follows "which is", and the advice.
    fn rejection(
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
        if let Some(kind) = self.unfit_kind(address) {
            let (more, advice) = if is_of_no_host(address) {
                ("", if by_command { "check address_command" } else { "check the reflector" })
            } else if kind == CGNAT {
                (
                    ", so this connection has no public IPv4 address of its own",
                    "ask the provider for one, or use IPv6 (record_types) or a tunnel",
                )
            } else if by_command {
                ("", "check address_command, or set allow_non_public")
            } else {
                ("", "check the route to the reflector, or set allow_non_public")
            };
            return Some((format!("not a public address: {kind}{more}"), advice));
        }
        let advice = "check for a VPN or another route, or correct expected_networks";
        self.outside_expected(address).map(|outside| (outside, advice))
    }

    /// Why an address may not be published, in a few words; `None` if it may.
    pub fn why_unfit(&self, address: IpAddr) -> Option<String> {
        self.unfit_kind(address).map(Into::into).or_else(|| self.outside_expected(address))
    }

    /// The kind of an address that may not be published. `allow_non_public` does not allow
    /// addresses that no host can have.
    fn unfit_kind(&self, address: IpAddr) -> Option<&'static str> {
        not_public(address).filter(|_| !self.allow_non_public || is_of_no_host(address))
    }

    fn outside_expected(&self, address: IpAddr) -> Option<String> {
        let of_family = || self.expected_networks.iter().filter(|cidr| cidr.has_family_of(address));
        if of_family().next().is_none() || of_family().any(|cidr| cidr.contains(address)) {
            return None;
        }
        let listed: Vec<String> = of_family().map(ToString::to_string).collect();
        Some(format!("outside the expected networks {}", listed.join(", ")))
    }
}

/// Why a source that names the same address does not confirm it.
fn same_host(host: &str) -> SourceError {
    let cause = format!("its response is from {host}, which named the address already");
    SourceError::never(cause, "name a source on another host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(networks: &[&str], allow_non_public: bool) -> Sources {
        Sources {
            command: None,
            reflectors: vec![SecretUrl::parse(reflector::DEFAULTS[0]).unwrap()],
            ipv6_interface: None,
            expected_networks: networks.iter().map(|text| Cidr::parse(text).unwrap()).collect(),
            allow_non_public,
            require_confirmation: false,
        }
    }

    #[test]
    fn address_must_be_of_the_family_public_and_expected() {
        let any = &[][..];
        for (networks, allowed, address, family, expected) in [
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
            let rejection = sources(networks, allowed).rejection(
                address.parse().unwrap(),
                family,
                Source::Reflector(0),
            );
            let rejection = rejection.as_ref().map(|(cause, _)| cause.as_str());
            assert_eq!(rejection, expected, "{address} {networks:?}");
        }
    }
}
