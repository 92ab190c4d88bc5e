//! How long accesses took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// How long accesses took: 1 µs to an hour, two significant digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u32)>", into = "Vec<(u64, u32)>")]
pub struct Latency(Histogram<u32>);

/// Longest latency that is told apart, in microseconds: an hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;

impl Default for Latency {
    fn default() -> Self {
        let mut histogram = Histogram::new(2).expect("two significant digits are allowed");
        histogram.auto(true);
        Self(histogram)
    }
}

impl Latency {
    /// Adds one access.
    pub fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // It cannot fail: the histogram grows by itself up to the longest value.
        let _ = self.0.record(micros.clamp(1, LATENCY_MAX_US));
    }

    /// Accesses measured.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency in microseconds that this share (0 to 1) of the accesses stayed below.
    pub fn quantile_us(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// How many accesses took at least so long, to the hundredth that latencies are kept to.
    pub fn at_least(&self, long: Duration) -> u64 {
        let long = u64::try_from(long.as_micros()).unwrap_or(u64::MAX);
        let values = self.0.iter_recorded();
        let longer = values.filter(|value| self.0.lowest_equivalent(value.value_iterated_to()) >= long);
        longer.map(|value| u64::from(value.count_at_value())).sum()
    }

    /// How many accesses took [2^i, 2^(i+1)) microseconds, from i = 0 to the last that is not empty.
    pub fn octaves(&self) -> Vec<u64> {
        let mut octaves = Vec::new();
        for value in self.0.iter_recorded() {
            let at = value.value_iterated_to().max(1).ilog2() as usize;
            if octaves.len() <= at {
                octaves.resize(at + 1, 0);
            }
            octaves[at] += u64::from(value.count_at_value());
        }
        octaves
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> u64 {
        self.0.max()
    }
}

impl From<Vec<(u64, u32)>> for Latency {
    fn from(pairs: Vec<(u64, u32)>) -> Self {
        let mut latency = Self::default();
        for (value, count) in pairs {
            let _ = latency.0.record_n(value.clamp(1, LATENCY_MAX_US), count);
        }
        latency
    }
}

impl From<Latency> for Vec<(u64, u32)> {
    fn from(latency: Latency) -> Self {
        latency
            .0
            .iter_recorded()
            .map(|v| (v.value_iterated_to(), v.count_at_value()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn latencies_survive_serialisation() {
        let mut latency = Latency::default();
        for us in [10_u64, 10, 250, 9_000, 12_000_000] {
            latency.add(Duration::from_micros(us));
        }
        let again: Latency = serde_json::from_str(&serde_json::to_string(&latency).unwrap()).unwrap();
        assert_eq!(again.count(), 5);
        assert_eq!(again.quantile_us(0.5), latency.quantile_us(0.5));
        assert!(again.max_us().abs_diff(12_000_000) <= 120_000, "{}", again.max_us());
    }
}
