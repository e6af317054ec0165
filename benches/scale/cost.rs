//! Computes the cost of the reflector on Lambda from AWS's list prices. docs/scale.md has the
//! sources of the prices and names what could not be verified. Must do only arithmetic.

/// Runs of one device in a month of 30.4 days, every five minutes.
const RUNS: f64 = 12.0 * 24.0 * 30.4;
/// USD per million requests, and the free requests per month.
const REQUESTS: (f64, f64) = (0.20, 1e6);
/// USD per GB-second (x86, the first tier), and the free GB-seconds per month.
const COMPUTE: (f64, f64) = (0.000_016_666_7, 400_000.0);
/// USD per GB sent to the Internet (the first 10 TB), and the free GB per month.
const TRANSFER: (f64, f64) = (0.09, 100.0);
/// `MemorySize` in cloudformation/autodns.yaml, in GB.
const MEMORY: f64 = 128.0 / 1024.0;
/// Billed seconds of a warm invocation. This is an assumption.
const BILLED: f64 = 0.003;
/// Bytes of a response with its head. This is an assumption.
const ANSWER: f64 = 600.0;

/// The bill of the reflector for one month. The `for_…` fields are in USD.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    pub requests: f64,
    pub for_requests: f64,
    pub gb_seconds: f64,
    pub for_compute: f64,
    /// In gigabytes.
    pub transfer: f64,
    pub for_transfer: f64,
}

impl Bill {
    /// Computes the bill for `devices` with one address family each and a run every five minutes.
    pub fn of(devices: f64) -> Self {
        let requests = devices * RUNS;
        let gb_seconds = requests * BILLED * MEMORY;
        let transfer = requests * ANSWER / 1e9;
        let beyond = |amount: f64, (price, free): (f64, f64)| (amount - free).max(0.0) * price;
        Self {
            requests,
            for_requests: beyond(requests, REQUESTS) / 1e6,
            gb_seconds,
            for_compute: beyond(gb_seconds, COMPUTE),
            transfer,
            for_transfer: beyond(transfer, TRANSFER),
        }
    }

    pub fn sum(&self) -> f64 {
        self.for_requests + self.for_compute + self.for_transfer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values were computed by hand.
    #[test]
    fn usage_within_free_tier_costs_nothing() {
        for (devices, requests, usd) in [
            (10.0, 87_552.0, [0.0, 0.0, 0.0]),
            (10_000.0, 87_552_000.0, [17.31, 0.0, 0.0]),
            (1_000_000.0, 8_755_200_000.0, [1750.84, 48.05, 463.78]),
        ] {
            let bill = Bill::of(devices);
            assert!((bill.requests - requests).abs() < 1.0, "{bill:?}");
            for (part, expected) in
                [bill.for_requests, bill.for_compute, bill.for_transfer].into_iter().zip(usd)
            {
                assert!((part - expected).abs() < 0.01, "{bill:?}");
            }
            assert!((bill.sum() - usd.iter().sum::<f64>()).abs() < 0.02);
        }
    }
}
