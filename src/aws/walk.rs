//! Plans one walk through a hosted zone that lists names: where each page starts, how many record
//! sets it requests, and which names were listed completely. Pure: `Aws` sends the requests. Of
//! several names, one that the walk missed is unknown, not absent: `Aws` lists it separately.

use std::collections::{BTreeMap, BTreeSet};

use super::route53::{PAGE, Page, Start};
use crate::record::{DnsName, RecordSet};

/// The most record sets that Route 53 puts on a page.
const MAX_PAGE: usize = 300;
/// The first page requests at least this many record sets. A zone with fewer fits on one page;
/// more would only cost bytes on a home connection.
const MIN_FIRST_PAGE: usize = 100;
/// The factor by which pages grow after a page with several wanted names, and shrink otherwise.
const STEP: usize = 5;
/// The most pages that the record sets of one name may fill.
const MAX_PAGES: usize = 50;

/// A walk through one zone.
pub struct Walk<'a> {
    /// The names with their sort keys, in Route 53's order.
    wanted: Vec<(String, &'a DnsName)>,
    listed: BTreeMap<DnsName, Vec<RecordSet>>,
    /// Names whose record sets were in two places of one page.
    scattered: BTreeSet<DnsName>,
    /// The name whose record sets continue on the next page.
    open: Option<DnsName>,
    start: Start,
    /// The sort key of `start`.
    sort_key: String,
    /// For how many pages in a row `sort_key` did not change.
    stayed: usize,
    page_size: usize,
    max_page_size: usize,
    /// Whether the walk ended within the record sets of a name.
    is_cut_off: bool,
}

impl<'a> Walk<'a> {
    /// Starts at the first of `names` in Route 53's order. `None` without a name.
    pub fn new(names: &'a [DnsName]) -> Option<Self> {
        let mut wanted: Vec<_> = names.iter().map(|name| (sort_key_of(name), name)).collect();
        wanted.sort();
        wanted.dedup();
        let (sort_key, first) = wanted.first()?.clone();
        let page_size = match wanted.len() {
            1 => PAGE,
            // Enough for a small zone; otherwise about as much as listing each name separately.
            several => MIN_FIRST_PAGE.saturating_add(several * PAGE).min(MAX_PAGE),
        };
        Some(Self {
            wanted,
            listed: BTreeMap::new(),
            scattered: BTreeSet::new(),
            open: None,
            start: Start::at(first),
            sort_key,
            stayed: 0,
            page_size,
            max_page_size: page_size,
            is_cut_off: false,
        })
    }

    /// Where the next page starts.
    pub const fn start(&self) -> &Start {
        &self.start
    }

    /// How many record sets to request on the next page.
    pub const fn page_size(&self) -> usize {
        self.page_size
    }

    pub fn wants(&self, name: &DnsName) -> bool {
        self.wanted.iter().any(|(_, wanted)| *wanted == name)
    }

    /// Makes all further pages smaller, after a response that was too large. Returns false if they
    /// cannot get smaller.
    pub fn shrink(&mut self) -> bool {
        let was = self.page_size;
        self.page_size = (was / STEP).max(PAGE);
        self.max_page_size = self.page_size;
        self.page_size < was
    }

    /// Takes the page that was requested. Returns whether the walk continues.
    pub fn take(&mut self, page: Page) -> bool {
        let last = self.take_record_sets(page.record_sets);
        let Some(next) = page.next else { return false };
        let Ok(name) = DnsName::from_route53(next.name()) else { return self.end(last) };
        let sort_key = sort_key_of(&name);
        let reached = |(wanted, _): &&(String, _)| (&self.sort_key..&sort_key).contains(&wanted);
        self.page_size = if self.wanted.iter().filter(reached).count() > 1 {
            (self.page_size * STEP).min(self.max_page_size)
        } else {
            (self.page_size / STEP).max(PAGE).min(self.max_page_size)
        };
        let stays = sort_key == self.sort_key;
        if stays && self.wants(&name) || last.as_ref() == Some(&name) && sort_key > self.sort_key {
            // The name continues on the next page.
            self.stayed = if stays { self.stayed + 1 } else { 0 };
            if next == self.start || self.stayed > MAX_PAGES {
                return self.end(Some(name));
            }
            self.open = last;
            (self.start, self.sort_key) = (next, sort_key);
            return true;
        }
        // Skip the record sets before the next wanted name.
        let next_wanted = self.wanted.iter().find(|(wanted, name)| {
            *wanted >= sort_key && *wanted > self.sort_key && !self.listed.contains_key(*name)
        });
        let Some((sort_key, name)) = next_wanted.filter(|_| sort_key > self.sort_key) else {
            return self.end(last.filter(|last| *last == name));
        };
        (self.start, self.sort_key, self.stayed) = (Start::at(name), sort_key.clone(), 0);
        true
    }

    /// All record sets of each name that was listed completely. Of several names, one without
    /// record sets is unknown: a walk may have missed it. The walk of one name begins at that name.
    pub fn listed(mut self) -> BTreeMap<DnsName, Vec<RecordSet>> {
        if let ([(_, only)], false) = (self.wanted.as_slice(), self.is_cut_off) {
            self.listed.entry((*only).clone()).or_default();
        }
        self.listed.retain(|name, _| !self.scattered.contains(name));
        self.listed
    }

    /// Takes the record sets of one page. Returns the name of the last one if it is wanted.
    fn take_record_sets(&mut self, record_sets: Vec<Option<RecordSet>>) -> Option<DnsName> {
        let mut previous = self.open.take();
        let mut names_of_page: BTreeSet<DnsName> = previous.iter().cloned().collect();
        for record_set in record_sets {
            let Some(set) = record_set else {
                previous = None;
                continue;
            };
            if previous.as_ref() != Some(&set.name) {
                if !names_of_page.insert(set.name.clone()) {
                    self.scattered.insert(set.name.clone());
                }
                // If an earlier page listed this name too, this page is newer.
                self.listed.remove(&set.name);
                previous = Some(set.name.clone());
            }
            self.listed.entry(set.name.clone()).or_default().push(set);
        }
        previous
    }

    /// Ends the walk and discards `last`, because some of its record sets may be missing.
    fn end(&mut self, last: Option<DnsName>) -> bool {
        if let Some(last) = last {
            self.listed.remove(&last);
            self.is_cut_off = true;
        }
        false
    }
}

/// The sort key of a name. Route 53 sorts in ASCII order by the reversed labels with the final dot,
/// as in `com.example.www.`. Source: `ListResourceRecordSets` in the Route 53 API reference.
fn sort_key_of(name: &DnsName) -> String {
    let mut sort_key = String::with_capacity(name.normalised().len() + 1);
    for label in name.normalised().rsplit('.') {
        sort_key.push_str(label);
        sort_key.push('.');
    }
    sort_key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::from_config(text).unwrap()
    }

    fn names(hosts: &[&str]) -> Vec<DnsName> {
        hosts.iter().map(|host| name(&format!("{host}.example.com"))).collect()
    }

    /// A page with one record set per host (`-` is an unwanted name), and the start of the next.
    fn page(hosts: &[&str], next: Option<(&str, &str)>) -> Page {
        let record_set = |host: &&str| {
            (*host != "-").then(|| RecordSet {
                name: name(&format!("{host}.example.com")),
                record_type: "TXT".into(),
                ttl: None,
                values: vec![],
                other_members: vec![],
            })
        };
        let next = next.map(|(host, identifier)| {
            Start::new(&format!("{host}.example.com."), Some("TXT"), Some(identifier))
        });
        Page { record_sets: hosts.iter().map(record_set).collect(), next }
    }

    fn listed(walk: Walk<'_>) -> Vec<(String, usize)> {
        let counted = |(name, record_sets): (DnsName, Vec<_>)| {
            (name.to_string().replace(".example.com", ""), record_sets.len())
        };
        walk.listed().into_iter().map(counted).collect()
    }

    fn counts(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
        expected.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
    }

    #[test]
    fn order_is_ascii_over_reversed_labels_with_last_dot() {
        let sorted = ["example.com", "a-b.example.com", "a.example.com", "x.a.example.com"];
        let places: Vec<String> = sorted.iter().map(|text| sort_key_of(&name(text))).collect();
        assert_eq!(places[2], "com.example.a.");
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn walk_starts_at_the_first_name() {
        assert!(Walk::new(&[]).is_none());
        for once_or_twice in [names(&["a"]), names(&["a", "a"])] {
            assert_eq!(Walk::new(&once_or_twice).unwrap().page_size(), PAGE);
        }
        let both = names(&["b", "a"]);
        let walk = Walk::new(&both).unwrap();
        assert_eq!(*walk.start(), Start::at(&name("a.example.com")));
        assert_eq!(walk.page_size(), 120);
        let many: Vec<String> = (0..40).map(|index| format!("n{index}")).collect();
        let many = names(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(Walk::new(&many).unwrap().page_size(), 300);
    }

    #[test]
    fn walk_skips_ahead_and_adapts_its_pages() {
        let wanted = names(&["a", "m", "n", "z"]);
        let mut walk = Walk::new(&wanted).unwrap();
        assert_eq!(walk.page_size(), 140);
        assert!(walk.take(page(&["a", "a", "-"], Some(("b", "1")))));
        assert_eq!((walk.start(), walk.page_size()), (&Start::at(&wanted[1]), 28));
        assert!(walk.take(page(&["m", "n", "-"], Some(("o", "1")))));
        assert_eq!((walk.start(), walk.page_size()), (&Start::at(&wanted[3]), 140));
        assert!(!walk.take(page(&["z"], None)));
        assert_eq!(listed(walk), counts(&[("a", 2), ("m", 1), ("n", 1), ("z", 1)]));
    }

    #[test]
    fn record_sets_of_one_name_continue_on_the_next_page() {
        let wanted = names(&["a", "b"]);
        let mut walk = Walk::new(&wanted).unwrap();
        assert!(walk.take(page(&["a", "a"], Some(("a", "3")))));
        assert_eq!(*walk.start(), Start::new("a.example.com.", Some("TXT"), Some("3")));
        assert!(walk.take(page(&["a", "b"], Some(("b", "2")))));
        // The list is cut off: the rest of b is missing.
        assert!(!walk.take(page(&["b"], Some(("b", "2")))));
        assert_eq!(listed(walk), counts(&[("a", 3)]));
    }

    #[test]
    fn walk_that_does_not_advance_ends() {
        let wanted = names(&["b", "c"]);
        let mut walk = Walk::new(&wanted).unwrap();
        assert!(!walk.take(page(&["-", "-"], Some(("a", "1")))));
        assert_eq!(listed(walk), []);
        let mut walk = Walk::new(&wanted).unwrap();
        let went = (0..1000).take_while(|index| {
            let identifier = (index % 2).to_string();
            walk.take(page(&["b"], Some(("b", &identifier))))
        });
        assert_eq!(went.count(), MAX_PAGES);
        assert_eq!(listed(walk), []);
    }

    #[test]
    fn walk_of_one_name_lists_it_completely_or_not_at_all() {
        let wanted = names(&["b"]);
        for (pages, expected) in [
            (&[(&["b", "b", "-"][..], Some(("c", "1")))][..], counts(&[("b", 2)])),
            (&[(&["-"], Some(("c", "1")))], counts(&[("b", 0)])),
            (&[(&[], None)], counts(&[("b", 0)])),
            (&[(&["b"], Some(("b", "2"))), (&["b"], None)], counts(&[("b", 2)])),
            // A server that ignores where the list is to start.
            (&[(&["-"], Some(("b", "1"))), (&["b"], None)], counts(&[("b", 1)])),
            (&[(&["b"], Some(("b", "2"))), (&["b"], Some(("b", "2")))], vec![]),
            (&[(&["b"], Some(("a", "1")))], counts(&[("b", 1)])),
            (&[(&["b", "-", "b"], None)], vec![]),
        ] {
            let mut walk = Walk::new(&wanted).unwrap();
            for (index, (hosts, next)) in pages.iter().enumerate() {
                let continues = walk.take(page(hosts, *next));
                assert_eq!(continues, index + 1 < pages.len(), "{pages:?}");
            }
            assert_eq!(listed(walk), expected, "{pages:?}");
        }
    }

    #[test]
    fn name_in_two_places_of_a_page_is_discarded() {
        let wanted = names(&["a", "b", "c"]);
        let mut walk = Walk::new(&wanted).unwrap();
        assert!(!walk.take(page(&["a", "b", "a", "c"], None)));
        assert_eq!(listed(walk), counts(&[("b", 1), ("c", 1)]));
    }

    #[test]
    fn pages_stay_small_after_one_was_too_large() {
        let wanted = names(&["a", "b", "c"]);
        let mut walk = Walk::new(&wanted).unwrap();
        assert!(walk.shrink());
        assert_eq!(walk.page_size(), 26);
        assert!(walk.take(page(&["a", "b"], Some(("c", "1")))));
        assert_eq!(walk.page_size(), 26);
        assert!(walk.shrink());
        assert!(!walk.shrink(), "a page of ten is as small as pages are");
    }
}
