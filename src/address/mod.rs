//! The public address of this line: whom to ask and in what order, whom to ask again before a
//! change, and what an answer must be. Asking one reflector is `reflector`'s, reading the
//! interface's addresses is `interface`'s; what counts as public is in `public`.

pub mod block;
pub mod interface;
pub mod public;
pub mod reflector;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use crate::console::Console;
use crate::deadline::Deadline;
use crate::error::{Cause, Error};
use crate::record::Family;
use crate::retry::{Again, Attempts, Limit, RetryAfter};
use crate::transport::{Failure, Network};
use block::Block;
use public::{CGNAT, is_of_no_host, not_public};
use reflector::{Reflector, Unanswered};

/// Where addresses come from, and what they must be, as a configuration says it.
#[derive(Debug)]
pub struct Sources {
    /// Who is asked, in this order; at least one.
    pub reflectors: Vec<Reflector>,
    /// The interface that has the IPv6 address; if `None`, the reflectors are asked for it.
    pub ipv6_interface: Option<String>,
    /// The only networks that addresses may be in, of each family that has one listed.
    pub expected_networks: Vec<Block>,
    /// Whether an address may be published that the Internet cannot reach.
    pub allow_non_public: bool,
}

/// One source of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The interface.
    Interface,
    /// A reflector, by its place in the list.
    Reflector(usize),
}

/// An address, and who named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address.
    pub address: IpAddr,
    /// Who named it.
    by: Source,
}

/// Why one source named no address.
#[derive(Debug)]
pub struct Reason {
    /// Who was asked: a URL without its query string, or an interface.
    pub asked: String,
    /// What came instead of an address, and what to do.
    pub problem: String,
    /// When the source wants to be asked again, if it says so.
    pub retry_after: Option<RetryAfter>,
    /// Why, where something else failed.
    pub source: Option<Cause>,
}

impl Reason {
    /// Whether it is this machine that has no way to any source of that family.
    fn is_of_this_machine(&self) -> bool {
        let cause = self.source.as_ref().and_then(|cause| cause.downcast_ref::<Failure>());
        cause.is_some_and(Failure::is_no_way)
    }
}

/// The later of two times that servers named.
fn later(one: Option<RetryAfter>, other: Option<RetryAfter>) -> Option<RetryAfter> {
    let length = |after: RetryAfter| match after {
        RetryAfter::Required(length) | RetryAfter::Suggested(length) => length,
    };
    one.into_iter().chain(other).max_by_key(|after| length(*after))
}

/// With what, and for how long, sources are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The way to reflectors.
    pub network: &'a Network,
    /// Where steps are told.
    pub console: &'a Console,
    /// How often.
    pub limit: Limit,
    /// Until when.
    pub deadline: Deadline,
}

impl Sources {
    /// The public address of `family`: the first that a source names. When all have failed, those
    /// that may answer in a moment are asked again; only when that is over is it an error, which
    /// has each one's reason.
    pub fn find(&self, family: Family, asking: Asking<'_>) -> Result<Answer, Error> {
        let mut attempts = Attempts::new(asking.limit);
        // In the order of the list, each source's last reason.
        let mut reasons: BTreeMap<usize, Reason> = BTreeMap::new();
        let mut open: Vec<(usize, Source)> =
            self.of_family(family).into_iter().enumerate().collect();
        loop {
            let mut passing = Vec::new();
            let (mut again, mut retry_after) = (Again::No, None);
            for (done, &(place, source)) in open.iter().enumerate() {
                // One that hangs leaves the others their time.
                let deadline = asking.deadline.share(open.len() - done);
                match self.ask(source, family, Asking { deadline, ..asking }) {
                    Ok(address) => return Ok(Answer { address, by: source }),
                    Err((reason, its)) => {
                        if reason.is_of_this_machine() {
                            // The others would fail alike: one cause is said once.
                            again = its;
                            passing.clone_from(&open);
                            reasons = BTreeMap::from([(place, reason)]);
                            break;
                        }
                        let after = reason.retry_after;
                        reasons.insert(place, reason);
                        let too_long = matches!(after, Some(RetryAfter::Required(length))
                            if length >= asking.deadline.left());
                        if its != Again::No && !too_long {
                            again = again.max(its);
                            retry_after = later(retry_after, after);
                            passing.push((place, source));
                        }
                    }
                }
            }
            let Some(wait) = attempts.before(asking.deadline, again, retry_after) else {
                return Err(Error::Address { family, reasons: reasons.into_values().collect() });
            };
            asking.console.step(|| {
                format!(
                    "no source of the {family} address; asking again in {} ms",
                    wait.as_millis()
                )
            });
            thread::sleep(wait);
            open = passing;
        }
    }

    /// Asks a second reflector, of another host, before `answer` is written. One that names
    /// another address is an error; that no other answers is not, since a change must not depend
    /// on two.
    pub fn confirm(&self, answer: &Answer, asking: Asking<'_>) -> Result<(), Error> {
        let Source::Reflector(first) = answer.by else { return Ok(()) };
        if self.reflectors.len() == 1 {
            return Ok(());
        }
        let family = Family::of(answer.address);
        let said_by = &self.reflectors[first];
        // Those in front of the first that answered have just failed.
        for index in first + 1..self.reflectors.len() {
            let other = &self.reflectors[index];
            if other.has_host_of(said_by) {
                continue;
            }
            let deadline = asking.deadline.share(self.reflectors.len() - index);
            match self.ask(Source::Reflector(index), family, Asking { deadline, ..asking }) {
                Ok(address) if address == answer.address => return Ok(()),
                Ok(address) => {
                    return Err(Error::Disagreement {
                        first: (said_by.to_string(), answer.address),
                        second: (other.to_string(), address),
                    });
                }
                Err(_) => {}
            }
        }
        let address = answer.address;
        asking.console.step(|| format!("{address} is not confirmed: no other source answers"));
        Ok(())
    }

    /// The sources of that family's address, in the order in which they are asked.
    #[must_use]
    pub fn of_family(&self, family: Family) -> Vec<Source> {
        if family == Family::V6 && self.ipv6_interface.is_some() {
            return vec![Source::Interface];
        }
        (0..self.reflectors.len()).map(Source::Reflector).collect()
    }

    /// Asks one source once. The error is its reason, and whether it may answer in a moment.
    pub fn ask(
        &self,
        source: Source,
        family: Family,
        asking: Asking<'_>,
    ) -> Result<IpAddr, (Reason, Again)> {
        let Asking { network, console, deadline, .. } = asking;
        let reflector = match source {
            Source::Reflector(index) => &self.reflectors[index],
            Source::Interface => {
                let name = self.ipv6_interface.as_deref().unwrap_or_default();
                return self.of_interface(name, console).map_err(|reason| (reason, Again::No));
            }
        };
        console.step(|| format!("asking {reflector} over {family}"));
        let answer = reflector.ask(&network.direct(family), console.secrets(), deadline).and_then(
            |address| match self.objection(address, family) {
                Some(objection) => Err(Unanswered::for_good(format!(
                    "it answered {address}, which is {objection}"
                ))),
                None => Ok(address),
            },
        );
        console.step(|| match &answer {
            Ok(address) => format!("{reflector} answered {address}"),
            Err(unanswered) => format!("{reflector} over {family}: {}", unanswered.problem),
        });
        answer.map_err(|Unanswered { problem, again, retry_after, source }| {
            (Reason { asked: reflector.to_string(), problem, retry_after, source }, again)
        })
    }

    fn of_interface(&self, interface: &str, console: &Console) -> Result<IpAddr, Reason> {
        let unfit = |address: std::net::Ipv6Addr| self.kind_objected_to(address.into());
        match interface::address_of(interface, unfit) {
            Ok(address) => {
                console.step(|| format!("interface {interface} has {address}"));
                Ok(address.into())
            }
            Err(problem) => Err(Reason {
                asked: format!("interface {interface}"),
                problem: format!("{problem}; check ipv6_interface"),
                retry_after: None,
                source: None,
            }),
        }
    }

    /// What is wrong with an address that a reflector named, and what to do, if anything is.
    fn objection(&self, address: IpAddr, family: Family) -> Option<String> {
        if Family::of(address) != family {
            return Some(format!(
                "no {family} address; use a reflector that answers with the address it was called \
                 from"
            ));
        }
        if let Some(kind) = self.not_publishable(address) {
            let rest = if is_of_no_host(address) {
                "; check the reflector"
            } else if kind == CGNAT {
                ", so this connection has no public IPv4 address of its own; ask the provider for \
                 one, or use IPv6 (record_types) or a tunnel"
            } else {
                "; check the way to the reflector, or set allow_non_public"
            };
            return Some(format!("not a public address: {kind}{rest}"));
        }
        self.outside(address).map(|outside| {
            format!("{outside}; check which way the traffic goes, or expected_networks")
        })
    }

    /// Why an address may not be published, in a few words, if so.
    fn kind_objected_to(&self, address: IpAddr) -> Option<String> {
        self.not_publishable(address).map(Into::into).or_else(|| self.outside(address))
    }

    /// The kind of an address that may not be published because of its kind. What no host can have
    /// is never published, whatever `allow_non_public` says.
    fn not_publishable(&self, address: IpAddr) -> Option<&'static str> {
        not_public(address).filter(|_| !self.allow_non_public || is_of_no_host(address))
    }

    fn outside(&self, address: IpAddr) -> Option<String> {
        let of_family = || {
            let family = Family::of(address);
            self.expected_networks.iter().filter(move |block| block.family() == family)
        };
        if of_family().next().is_none() || of_family().any(|block| block.contains(address)) {
            return None;
        }
        let listed: Vec<String> = of_family().map(ToString::to_string).collect();
        Some(format!("outside the expected networks {}", listed.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(networks: &[&str], allow_non_public: bool) -> Sources {
        Sources {
            reflectors: vec![Reflector::parse(Reflector::DEFAULT).unwrap()],
            ipv6_interface: None,
            expected_networks: networks.iter().map(|text| Block::parse(text).unwrap()).collect(),
            allow_non_public,
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
            let said = sources(networks, allowed).objection(address.parse().unwrap(), family);
            let said = said.as_deref().and_then(|text| text.split("; ").next());
            assert_eq!(said, objection, "{address} {networks:?}");
        }
    }
}
