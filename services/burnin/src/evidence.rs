//! What a burn-in has seen so far: phases, throughput over LBA, latencies, defects, incidents, resumes.
//!
//! It is part of every checkpoint, so all of it serialises and all of it is bounded.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use wire::job::{FINDINGS_MAX, FaultKind, Finding, Phase, PhaseState, PhaseStatus, Resume, Surface};
use wire::{Bytes, Lba};

use crate::device::Geometry;
use crate::findings::Defects;

/// Zones in which throughput is kept: fine enough for a curve on any screen.
pub const ZONES: usize = 1024;

/// Smallest zone in bytes: several queues of accesses, so that the order in which they come back does not look like speed.
const ZONE_MIN: u128 = 16 << 20;

/// Most incidents kept one by one; the rest is only counted.
pub const INCIDENTS_MAX: usize = 256;

/// Everything seen by one burn-in, over all its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Engine version that began it.
    pub engine: String,
    /// The drive's size and sectors.
    pub geometry: Geometry,
    /// The phases that move data, in order.
    pub phases: Vec<Record>,
    /// Bad sectors.
    pub defects: Defects,
    /// What happened that is no bad sector; at most [`INCIDENTS_MAX`].
    pub incidents: Vec<Incident>,
    /// Incidents beyond that number.
    pub incidents_more: u64,
    /// Interruptions that it went on after.
    pub resumes: Vec<Resume>,
    /// Why it ended before its end; `None` while it runs, and when it ran to the end.
    pub stopped: Option<Stop>,
}

/// One phase that moves data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which.
    pub phase: Phase,
    /// Where it stands.
    pub status: PhaseStatus,
    /// Bytes done; in the verify phase, bytes read back.
    pub done: Bytes,
    /// Bytes in all.
    pub total: Bytes,
    /// Time spent in it, in seconds, without interruptions.
    pub seconds: f64,
    /// Throughput over LBA.
    pub zones: Zones,
    /// Latencies of whole blocks.
    pub latency: Latency,
}

/// Why a burn-in ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stop {
    /// A person or the agent asked; it can go on from its checkpoint.
    Asked {
        /// Who or why.
        why: String,
    },
    /// The drive is gone.
    Disconnected,
    /// The drive tells another capacity than at the start.
    Resized {
        /// What it tells now.
        bytes: Bytes,
    },
    /// An access did not come back.
    Hung,
    /// The capacity probe proved the capacity false; writing all of it could add nothing.
    FakeCapacity,
    /// So much is unreadable that going on would take weeks and add nothing.
    TooManyErrors,
    /// Our own machinery failed.
    Engine {
        /// The error.
        why: String,
    },
}

/// Something that happened, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Milliseconds since this session began.
    pub at_ms: u64,
    /// What kind.
    pub kind: FaultKind,
    /// In which phase.
    pub phase: Phase,
    /// Where, if it has a place.
    pub lba: Option<Lba>,
    /// Sectors that the access covered.
    pub sectors: u64,
    /// In words.
    pub detail: String,
}

impl Evidence {
    /// Nothing seen yet.
    pub fn new(geometry: Geometry, phases: &[Phase]) -> Self {
        Self {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            geometry,
            phases: phases
                .iter()
                .map(|phase| Record {
                    phase: *phase,
                    status: PhaseStatus::Pending,
                    done: Bytes(0),
                    total: Bytes(0),
                    seconds: 0.0,
                    zones: Zones::default(),
                    latency: Latency::default(),
                })
                .collect(),
            defects: Defects::default(),
            incidents: Vec::new(),
            incidents_more: 0,
            resumes: Vec::new(),
            stopped: None,
        }
    }

    /// Keeps an incident, or counts it when there are too many.
    pub fn incident(&mut self, incident: Incident) {
        if self.incidents.len() < INCIDENTS_MAX {
            self.incidents.push(incident);
        } else {
            self.incidents_more += 1;
        }
    }

    /// The record of a phase.
    pub fn phase(&self, phase: Phase) -> Option<&Record> {
        self.phases.iter().find(|record| record.phase == phase)
    }

    /// Bytes written and then read back without a difference.
    pub fn verified(&self) -> Bytes {
        let read = self.phase(Phase::Verify).map_or(0, |record| record.done.0);
        let bad = self.defects.bad_sectors_below(read / u64::from(self.geometry.sector));
        Bytes(read.saturating_sub(bad * u64::from(self.geometry.sector)))
    }

    /// Everything found wrong: bad sectors, then incidents that say something about the drive.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = self.defects.findings(self.geometry);
        let told = self.incidents.iter().map(|i| Finding {
            step: 0,
            kind: i.kind,
            lba: i.lba,
            sectors: i.sectors,
            found: None,
            phase: i.phase,
            detail: i.detail.clone(),
        });
        findings.extend(told);
        findings.truncate(FINDINGS_MAX);
        findings
    }

    /// The phases as others see them.
    pub fn phase_states(&self) -> Vec<PhaseState> {
        self.phases
            .iter()
            .map(|r| PhaseState {
                note: String::new(),
                rounds: 0,
                phase: r.phase,
                status: r.status,
                seconds: r.seconds,
                bytes: r.done,
            })
            .collect()
    }

    /// Throughput and latencies as others see them; phases that measured nothing are left out.
    pub fn surfaces(&self) -> Vec<Surface> {
        self.phases
            .iter()
            .filter(|r| r.phase != Phase::Probe && r.latency.count() > 0)
            .map(|r| Surface {
                step: 0,
                latencies: Vec::new(),
                phase: r.phase,
                zones: r.zones.rates(),
                p50_us: r.latency.quantile_us(0.5),
                p99_us: r.latency.quantile_us(0.99),
                max_us: r.latency.max_us(),
            })
            .collect()
    }
}

/// Throughput over LBA: bytes and time in equal zones from LBA 0 to the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Zones(Vec<Zone>);

/// One zone: bytes moved, nanoseconds taken, longest access in nanoseconds. Kept as a short array in checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone(pub u64, pub u64, pub u64);

impl Zones {
    /// Adds `count` sectors of `bytes` in all that took `time` of the drive's, from `lba` on, of a drive of `sectors`.
    pub fn add(&mut self, (lba, count): (u64, u64), sectors: u64, bytes: u64, time: Duration, longest: Duration) {
        if self.0.is_empty() {
            let zones = u128::from(sectors) * u128::from(bytes) / u128::from(count.max(1)) / ZONE_MIN;
            self.0.resize((zones as usize).clamp(1, ZONES), Zone::default());
        }
        let zones = self.0.len();
        let at = (u128::from(lba) * zones as u128 / u128::from(sectors.max(1))) as usize;
        let zone = &mut self.0[at.min(zones - 1)];
        zone.0 += bytes;
        zone.1 += time.as_nanos() as u64;
        zone.2 = zone.2.max(longest.as_nanos() as u64);
    }

    /// Whether the numbers are ones that adding up could give.
    pub(crate) fn are_possible(&self) -> bool {
        self.0.len() <= ZONES && self.0.iter().all(|zone| zone.0.max(zone.1).max(zone.2) < 1 << 62)
    }

    /// The zones: bytes, nanoseconds, longest access in nanoseconds.
    pub fn zones(&self) -> &[Zone] {
        &self.0
    }

    /// Bytes a second of each; 0 where nothing was measured.
    pub fn rates(&self) -> Vec<Bytes> {
        self.0
            .iter()
            .map(|zone| {
                Bytes(
                    (u128::from(zone.0) * 1_000_000_000)
                        .checked_div(u128::from(zone.1))
                        .unwrap_or(0) as u64,
                )
            })
            .collect()
    }
}

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
        // It cannot fail: the histogram grows by itself up to the longest value.
        let _ = self.0.record((time.as_micros() as u64).clamp(1, LATENCY_MAX_US));
    }

    /// Accesses measured.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency in microseconds that this share (0 to 1) of the accesses stayed below.
    pub fn quantile_us(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
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
    fn zones_cover_the_drive_and_give_rates() {
        let mut zones = Zones::default();
        let sectors = 40_000_000;
        for lba in (0..sectors).step_by(2000) {
            zones.add(
                (lba, 2000),
                sectors,
                2000 * 512,
                Duration::from_millis(10),
                Duration::from_millis(10),
            );
        }
        let rates = zones.rates();
        assert_eq!(rates.len(), ZONES);
        assert!(rates.iter().all(|r| *r == Bytes(102_400_000)), "{rates:?}");
        let mut tiny = Zones::default();
        tiny.add((2, 1), 3, 512, Duration::ZERO, Duration::ZERO);
        assert_eq!(tiny.rates(), [Bytes(0)]);
    }

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
