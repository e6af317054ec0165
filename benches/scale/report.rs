//! Makes the tables of docs/scale.md: chooses the fleets to simulate and formats their outcomes.

use std::fmt::Write;
use std::thread;
use std::time::Duration;

use crate::cost::Bill;
use crate::fleet::{Fleet, Outcome, Spread, simulate};
use crate::throttle::{Rule, Throttle};

/// A capacity must hold for each of these seeds. The other tables use only the first.
const SEEDS: [u64; 2] = [1, 2];
/// The rounds of an hour, at one every five minutes.
const ROUNDS: u32 = 12;
/// The sizes of fleets in the tables of outcomes.
const SIZES: [u32; 7] = [10, 100, 300, 500, 1000, 1500, 3000];

const FLEET: Fleet =
    Fleet { machines: 0, spread: Spread::OwnMinute, minutes: 5, renumbered: false, rounds: ROUNDS };

/// Returns each table with its name in the page.
pub fn tables() -> [(&'static str, String); 6] {
    let write: [fn() -> String; 6] =
        [capacity_of_rules, capacity_of_intervals, quiet, renumbered, reflector, peaks];
    let written = thread::scope(|scope| {
        write.map(|write| scope.spawn(write)).map(|table| table.join().expect("a table"))
    });
    let [capacity, longer, quiet, renumbered, reflector, peaks] = written;
    [
        ("capacity", capacity),
        ("longer", longer),
        ("quiet", quiet),
        ("renumbered", renumbered),
        ("reflector", reflector),
        ("peaks", peaks),
    ]
}

fn run(fleet: &Fleet, rule: Rule, seed: u64, stop_at_failure: bool) -> Outcome {
    let mut throttle = Throttle::new(rule);
    simulate(fleet, seed, stop_at_failure, |now| throttle.lets_through(now))
}

/// The sizes of fleets to try, times a power of ten. They are about a tenth apart (the series E24
/// of IEC 60063). Smaller steps are useless: another seed changes the capacity by as much.
const STEPS: [u32; 24] = [
    10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91,
];

fn step(index: usize) -> u32 {
    (0..index / STEPS.len()).fold(STEPS[index % STEPS.len()], |size, _| size * 10)
}

/// Returns the size of the largest fleet with no failed run in a simulated hour.
fn capacity(fleet: &Fleet, rule: Rule) -> String {
    let rounds = u32::try_from(60 / fleet.minutes).unwrap_or(1);
    let all_well = |index| {
        let fleet = Fleet { machines: step(index), rounds, ..*fleet };
        SEEDS.iter().all(|&seed| run(&fleet, rule, seed, true).failed == 0)
    };
    let (mut good, mut bad) = (0, 8);
    assert!(all_well(good), "{fleet:?} {rule:?}: not even {}", step(good));
    while all_well(bad) {
        (good, bad) = (bad, bad + 8);
    }
    while bad - good > 1 {
        let middle = usize::midpoint(good, bad);
        if all_well(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    thousands(f64::from(step(good)))
}

fn capacity_of_rules() -> String {
    let mut table = String::from(
        "| Route 53 allows | runs | one second | own minute | own second |\n\
         |---|---|--:|--:|--:|\n",
    );
    for (name, rule) in [
        ("10 per second, 50 at once", Rule::ROUTE_53),
        ("5 in any second", Rule::FIVE),
        ("5 in any second, refusals counted", Rule::FIVE_STRICT),
    ] {
        for (runs, renumbered) in [("quiet", false), ("all change", true)] {
            let cells =
                Spread::ALL.map(|spread| capacity(&Fleet { spread, renumbered, ..FLEET }, rule));
            row(&mut table, &[name.into(), runs.into(), cells.join(" | ")]);
        }
    }
    table
}

fn capacity_of_intervals() -> String {
    let mut table = String::from(
        "| every | own minute, quiet | all change | own second, quiet | all change |\n\
         |--:|--:|--:|--:|--:|\n",
    );
    for minutes in [10, 15] {
        let cells = [Spread::OwnMinute, Spread::OwnSecond].map(|spread| {
            [false, true].map(|renumbered| {
                let fleet = Fleet { spread, minutes, renumbered, ..FLEET };
                capacity(&fleet, Rule::ROUTE_53)
            })
        });
        let mut all = vec![format!("{minutes} min")];
        all.extend(cells.concat());
        row(&mut table, &all);
    }
    table
}

fn quiet() -> String {
    by_spread("Pis", &SIZES, |machines, spread| {
        let outcome = run(&Fleet { machines, spread, ..FLEET }, Rule::ROUTE_53, SEEDS[0], false);
        let Outcome { runs, failed, requests, longest, .. } = outcome;
        let a_run = f64::from(requests) / f64::from(runs);
        format!("{}, {a_run:.1}, {:.0} s", percent(failed, runs), longest.as_secs_f64())
    })
}

fn renumbered() -> String {
    by_spread("Pis", &SIZES, |machines, spread| {
        let fleet = Fleet { machines, spread, renumbered: true, ..FLEET };
        let outcome = run(&fleet, Rule::ROUTE_53, SEEDS[0], false);
        let right = outcome.all_right.map_or("not in an hour".into(), minutes_and_seconds);
        format!("{}, {right}", percent(outcome.failed_at_first, machines))
    })
}

fn reflector() -> String {
    let mut table = String::from(
        "| devices | requests per month | USD | GB-seconds | USD | GB out | USD | USD total |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for devices in [10.0, 10_000.0, 1_000_000.0] {
        let bill = Bill::of(devices);
        let usd = |amount: f64| format!("{amount:.2}");
        row(
            &mut table,
            &[
                thousands(devices),
                thousands(bill.requests),
                usd(bill.for_requests),
                thousands(bill.gb_seconds),
                usd(bill.for_compute),
                thousands(bill.transfer),
                usd(bill.for_transfer),
                usd(bill.sum()),
            ],
        );
    }
    table
}

/// Lambda's default: 1,000 executions at once, and ten times as many requests per second.
const LAMBDA: u32 = 10_000;

fn peaks() -> String {
    by_spread("devices", &[10_000, 100_000, 1_000_000], |devices, spread| {
        // Simulates a thousandth of the devices against a thousandth of the rate, which behaves the
        // same. For the smallest fleet it is a hundredth, so that there are enough devices.
        let scale = (devices / 100).min(1000);
        let rule = Rule::Second { most: LAMBDA / scale, refused_count: false };
        let peak = f64::from(devices)
            / match spread {
                Spread::OneSecond => 1.0,
                Spread::OwnMinute => 5.0,
                Spread::OwnSecond => 300.0,
            };
        let fleet = Fleet { machines: devices / scale, spread, ..FLEET };
        let outcome = run(&fleet, rule, SEEDS[0], false);
        format!(
            "{}, {}, {:.0} s",
            thousands(peak),
            percent(outcome.failed, outcome.runs),
            outcome.longest.as_secs_f64()
        )
    })
}

/// Returns a table with a row per size and a column per `Spread`.
fn by_spread(sizes_of: &str, sizes: &[u32], cell: impl Fn(u32, Spread) -> String) -> String {
    let mut table =
        format!("| {sizes_of} | one second | own minute | own second |\n|--:|--:|--:|--:|\n");
    for &size in sizes {
        let cells = Spread::ALL.map(|spread| cell(size, spread));
        row(&mut table, &[thousands(f64::from(size)), cells.join(" | ")]);
    }
    table
}

fn row(table: &mut String, cells: &[String]) {
    // Writing to a string does not fail.
    let _ = writeln!(table, "| {} |", cells.join(" | "));
}

/// Formats a share. "0 %" means exactly none.
fn percent(part: u32, whole: u32) -> String {
    let share = 100.0 * f64::from(part) / f64::from(whole);
    match part {
        0 => "0 %".into(),
        _ if share < 0.1 => "< 0.1 %".into(),
        _ => format!("{share:.1} %"),
    }
}

fn minutes_and_seconds(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

/// Formats a number without a fraction and with commas between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_for_the_tables() {
        for (number, text) in [(0.4, "0"), (999.0, "999"), (1000.0, "1,000"), (1e6, "1,000,000")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!([percent(0, 9), percent(1, 9000), percent(1, 3)], ["0 %", "< 0.1 %", "33.3 %"]);
        assert_eq!(minutes_and_seconds(Duration::from_secs(605)), "10:05 min");
        assert_eq!([0, 23, 24, 49].map(step), [10, 91, 100, 1100]);
    }
}
