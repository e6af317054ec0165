//! Simulates many machines that run autodns against one throttle, event by event. A run retries and
//! gives up by the rule of the real program, `autodns::parts::Attempts`, and by its deadlines. The
//! same seed gives the same outcome. Must not sleep or use the network.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use autodns::parts::DEFAULT_DEADLINE;
use autodns::parts::RESERVED_FOR_ALERT;
use autodns::parts::{Attempts, MaxAttempts, Retry};

/// The time from a request to its response.
const ROUND_TRIP: Duration = Duration::from_millis(100);
/// Machines that start at the same second differ by up to this, because of their clocks and speed.
const SAME_SECOND: Duration = Duration::from_secs(1);
/// The look-ups get the time of a run divided by this, as in `update::job`.
const LOOK_UP_SHARE: u32 = 2;

/// When the machines of a fleet start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All at the same second, with `*/5 * * * *` on each machine.
    OneSecond,
    /// Each in its own minute, at the first second, like a cron line without `sleep`.
    OwnMinute,
    /// Each at its own second, like the cron line of `scripts/deploy-pi.sh` and the timer of the
    /// Debian package.
    OwnSecond,
}

impl Spread {
    pub const ALL: [Self; 3] = [Self::OneSecond, Self::OwnMinute, Self::OwnSecond];
}

/// A fleet, and the work of its runs.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Each machine has one configuration and needs one list request for its names.
    pub machines: u32,
    pub spread: Spread,
    /// The minutes from one run to the next.
    pub minutes: u64,
    /// Whether every address has changed before the first run, so that every record must change.
    pub renumbered: bool,
    /// How often each machine runs.
    pub rounds: u32,
}

/// The outcome of all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub runs: u32,
    /// Failed runs. After a failed run, a machine sends its alert.
    pub failed: u32,
    /// The failed runs that were the first run of their machine.
    pub failed_at_first: u32,
    /// The requests of all runs, including refused ones.
    pub requests: u32,
    /// The duration of the longest successful run.
    pub longest: Duration,
    /// When the last record became right. `None` if a record is still wrong or none was.
    pub all_right: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Run {
    began: Duration,
    lists_left: u32,
    attempts: Attempts,
}

/// Runs the fleet. Calls `lets_through` for each request, in the order of arrival. With
/// `stop_at_failure`, ends at the first failed run.
pub fn simulate(
    fleet: &Fleet,
    seed: u64,
    stop_at_failure: bool,
    mut lets_through: impl FnMut(Duration) -> bool,
) -> Outcome {
    let mut random = Random(seed);
    let interval = Duration::from_secs(fleet.minutes * 60);
    let work = DEFAULT_DEADLINE.saturating_sub(RESERVED_FOR_ALERT);
    let look_ups = work / LOOK_UP_SHARE;
    let mut outcome = Outcome::default();
    let offsets: Vec<Duration> = (0..fleet.machines)
        .map(|_| match fleet.spread {
            Spread::OneSecond => Duration::ZERO,
            Spread::OwnMinute => Duration::from_secs(60 * random.below(fleet.minutes)),
            Spread::OwnSecond => interval.mul_f64(random.number()),
        })
        .collect();
    let start = |machine: usize, round: u32, random: &mut Random| Run {
        began: interval * round + offsets[machine] + SAME_SECOND.mul_f64(random.number()),
        lists_left: 1,
        attempts: Attempts::new(MaxAttempts::default()),
    };
    // A connection takes two round trips, TCP and TLS, before the first request.
    let first_arrival = |run: &Run| run.began + 2 * ROUND_TRIP + ROUND_TRIP / 2;
    let mut runs: Vec<Run> = (0..offsets.len()).map(|m| start(m, 0, &mut random)).collect();
    let mut rounds = vec![0; runs.len()];
    let mut stale = vec![fleet.renumbered; runs.len()];
    let mut stale_left = if fleet.renumbered { fleet.machines } else { 0 };
    // Requests that arrive at the same moment are ordered by the machine's number.
    let mut arrivals: BinaryHeap<Reverse<(Duration, usize)>> =
        runs.iter().enumerate().map(|(m, run)| Reverse((first_arrival(run), m))).collect();

    while let Some(Reverse((arrival, machine))) = arrivals.pop() {
        let run = &mut runs[machine];
        outcome.requests += 1;
        let good = lets_through(arrival);
        let answered = arrival + ROUND_TRIP / 2;
        let lists = run.lists_left > 0;
        let deadline = run.began + if lists { look_ups } else { work };
        let next = if answered > deadline {
            None
        } else if good {
            run.attempts = Attempts::new(MaxAttempts::default());
            run.lists_left = run.lists_left.saturating_sub(1);
            if !lists {
                stale[machine] = false;
                stale_left -= 1;
                if stale_left == 0 {
                    outcome.all_right = Some(answered);
                }
            }
            Some(answered)
        } else {
            let wait = run.attempts.delay_with(Retry::Throttled, None, random.number());
            wait.filter(|wait| *wait < deadline.saturating_sub(answered))
                .map(|wait| answered + wait)
        };
        let done = good && next.is_some() && run.lists_left == 0 && !stale[machine];
        if let Some(next) = next.filter(|_| !done) {
            arrivals.push(Reverse((next + ROUND_TRIP / 2, machine)));
            continue;
        }
        outcome.runs += 1;
        if done {
            outcome.longest = outcome.longest.max(answered.saturating_sub(run.began));
        } else {
            outcome.failed += 1;
            outcome.failed_at_first += u32::from(rounds[machine] == 0);
            if stop_at_failure {
                break;
            }
        }
        rounds[machine] += 1;
        if rounds[machine] < fleet.rounds {
            *run = start(machine, rounds[machine], &mut random);
            arrivals.push(Reverse((first_arrival(run), machine)));
        }
    }
    outcome
}

/// `SplitMix64` (Steele, Lea and Flood 2014): pseudo-random numbers that depend only on the seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to 1, computed as in the program.
    fn number(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::{Rule, Throttle};

    const FLEET: Fleet =
        Fleet { machines: 10, spread: Spread::OneSecond, minutes: 5, renumbered: false, rounds: 3 };

    /// Returns the outcome, and for each request its arrival and whether it was let through.
    fn logged(fleet: &Fleet, rule: Rule, seed: u64) -> (Outcome, Vec<(Duration, bool)>) {
        let mut throttle = Throttle::new(rule);
        let mut log = Vec::new();
        let outcome = simulate(fleet, seed, false, |now| {
            let good = throttle.lets_through(now);
            log.push((now, good));
            good
        });
        (outcome, log)
    }

    #[test]
    fn ten_machines_are_never_throttled() {
        for spread in Spread::ALL {
            for (renumbered, requests) in [(false, 30), (true, 40)] {
                let fleet = Fleet { spread, renumbered, ..FLEET };
                let (outcome, _) = logged(&fleet, Rule::ROUTE_53, 1);
                assert_eq!((outcome.runs, outcome.failed), (30, 0), "{spread:?}");
                assert_eq!(outcome.requests, requests, "{spread:?}");
                assert_eq!(outcome.all_right.is_some(), renumbered, "{spread:?}");
            }
        }
    }

    #[test]
    fn run_lasts_as_long_as_its_round_trips() {
        for (renumbered, round_trips) in [(false, 3), (true, 4)] {
            let fleet = Fleet { machines: 1, renumbered, rounds: 1, ..FLEET };
            let (outcome, _) = logged(&fleet, Rule::ROUTE_53, 1);
            assert_eq!(outcome.longest, round_trips * ROUND_TRIP);
        }
    }

    #[test]
    fn requests_per_second_stay_within_the_rule() {
        for (rule, most) in [(Rule::ROUTE_53, 50 + 10), (Rule::FIVE, 5), (Rule::FIVE_STRICT, 5)] {
            for spread in Spread::ALL {
                let fleet = Fleet { machines: 700, spread, renumbered: true, rounds: 1, ..FLEET };
                let (outcome, log) = logged(&fleet, rule, 7);
                assert_eq!(outcome.requests as usize, log.len());
                assert!(log.is_sorted_by_key(|(at, _)| at), "time ran backwards");
                let good: Vec<Duration> =
                    log.iter().filter(|(_, good)| *good).map(|(at, _)| *at).collect();
                let second = Duration::from_secs(1);
                for (index, &at) in good.iter().enumerate() {
                    let within = good[index..].iter().take_while(|&&then| then < at + second);
                    assert!(within.count() <= most, "{rule:?} {spread:?} at {at:?}");
                }
            }
        }
    }

    #[test]
    fn refused_machine_fails_in_time_and_runs_again() {
        let mut last = Duration::ZERO;
        let outcome = simulate(&FLEET, 3, false, |now| {
            last = now;
            false
        });
        assert_eq!((outcome.runs, outcome.failed, outcome.failed_at_first), (30, 30, 10));
        // Full jitter on 1, 2, 4, 8, 16, 20, 20, … seconds: a handful of requests in 40 s.
        assert!((4 * 30..=12 * 30).contains(&outcome.requests), "{outcome:?}");
        let third = Duration::from_mins(10);
        assert!((third..third + Duration::from_secs(41)).contains(&last), "{last:?}");
    }

    #[test]
    fn change_gets_the_time_that_is_left_after_look_ups() {
        let fleet = Fleet { machines: 1, renumbered: true, rounds: 1, ..FLEET };
        let mut arrivals = Vec::new();
        // Only the list request is let through.
        let outcome = simulate(&fleet, 3, false, |now| {
            arrivals.push(now);
            arrivals.len() == 1
        });
        assert_eq!((outcome.failed, outcome.all_right), (1, None));
        // The next delay would be 20 seconds at most, and would end too late.
        let last = arrivals.last().copied().unwrap_or_default();
        assert!((Duration::from_secs(59)..Duration::from_secs(81)).contains(&last), "{last:?}");
    }

    #[test]
    fn same_seed_gives_the_same_outcome() {
        let fleet = Fleet { machines: 400, renumbered: true, ..FLEET };
        assert_eq!(logged(&fleet, Rule::FIVE, 1), logged(&fleet, Rule::FIVE, 1));
        assert_ne!(logged(&fleet, Rule::FIVE, 1), logged(&fleet, Rule::FIVE, 2));
    }
}
