//! One drive's burn-in in a few numbers, for comparison with others of its model.

use std::collections::BTreeMap;

use drive::smart::Snapshot;
use serde::{Deserialize, Serialize};
use wire::drive::Bus;
use wire::job::Phase;
use wire::{Bytes, DriveId};

use wire::meaning::Meaning;

use super::{Case, case, figures, limit};
use crate::evidence::{Evidence, Record, Zone};

/// Zones in which drives are compared: fine enough for a bad head's stretch, coarse enough to be no noise.
pub const PEER_ZONES: usize = 16;

/// What is remembered of one drive's burn-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The drive.
    pub drive: DriveId,
    /// Its model.
    pub model: String,
    /// Its capacity.
    pub capacity: Bytes,
    /// Bytes a second of writes in [`PEER_ZONES`] zones, 0 where nothing was measured; empty where nothing was written, and where it
    /// came near to a limit of pace: what is measured then is the interface's speed here and the medium's there.
    pub write: Vec<u64>,
    /// The same of the read-back.
    pub read: Vec<u64>,
    /// 99th percentile of one write, in microseconds; `None` where there are no rates.
    pub write_p99_us: Option<u64>,
    /// 99th percentile of one read, likewise.
    pub read_p99_us: Option<u64>,
    /// Mean temperature over the job, in degrees Celsius.
    pub temperature: Option<f64>,
    /// Whether other drives behind its controller were burned in meanwhile; `None` where nobody noted it.
    #[serde(default)]
    pub shared: Option<bool>,
    /// How many they were on the mean; `None` where nobody counted.
    #[serde(default)]
    pub company: Option<f64>,
    /// How they were linked; `None` where nobody noted it.
    #[serde(default)]
    pub bus: Option<Bus>,
    /// Megabits a second of its link; `None` where nothing told it.
    #[serde(default)]
    pub link_mbps: Option<u32>,
    /// Counters of faults after the job: `ata.reallocated`, `nvme.media_errors`, `scsi.grown_defects` …
    pub smart: BTreeMap<String, u64>,
}

impl Peer {
    /// What is remembered of this case; `None` for a burn-in that did not run to its end, whose numbers are of a part, and for one that
    /// did not write and read back the whole drive with data: a minute's heat is no burn-in's, and it has no rates.
    pub fn of(case: &Case<'_>, drive: DriveId, model: &str, capacity: Bytes) -> Option<Self> {
        let has_ended = case.evidence.stopped.is_none() && super::unfinished(case.evidence) == 0;
        let is_whole = [Phase::Write, Phase::Verify].map(|phase| keyed(case.evidence, phase).is_some());
        (has_ended && is_whole == [true; 2]).then(|| Self::measured(case, drive, model, capacity))
    }

    /// Whether its rates are known: they are not where it came near to a limit of pace, nor in what earlier versions kept of samples and
    /// constants.
    pub fn has_rates(&self) -> bool {
        !self.write.is_empty() || !self.read.is_empty()
    }

    fn measured(case: &Case<'_>, drive: DriveId, model: &str, capacity: Bytes) -> Self {
        let of = |phase| keyed(case.evidence, phase).filter(|record| !limit::touched(record));
        let (write, read) = (of(Phase::Write), of(Phase::Verify));
        let p99 = |record: Option<&Record>| {
            let latency = &record?.latency;
            (latency.count() > 0).then(|| latency.quantile_us(0.99))
        };
        Self {
            drive,
            model: model.to_owned(),
            capacity,
            write: write.map_or_else(Vec::new, |record| rates(record.zones.zones())),
            read: read.map_or_else(Vec::new, |record| rates(record.zones.zones())),
            write_p99_us: p99(write),
            read_p99_us: p99(read),
            temperature: super::heat::mean(case),
            shared: Some(case.shared),
            company: case.company,
            bus: Some(case.bus),
            link_mbps: case.link_mbps,
            smart: case
                .last()
                .or(case.first())
                .map(|of| counters(of, case.spins()))
                .unwrap_or_default(),
        }
    }

    /// Whether both had a link of one kind and speed to themselves, or both shared it with about as many: rates and latencies are of one kind
    /// only then.
    pub(super) fn is_linked_like(&self, other: &Self) -> bool {
        let told = |peer: &Self| Some((peer.shared?, peer.bus?, peer.link_mbps));
        told(self).is_some_and(|own| told(other) == Some(own) && (!own.0 || self.has_company_like(other)))
    }

    /// Two on a link that twenty fill are faster than the twenty.
    fn has_company_like(&self, other: &Self) -> bool {
        let near =
            |(own, others): (f64, f64)| (own - others).abs() <= own.max(others) * figures().population_company.value;
        self.company.zip(other.company).is_some_and(near)
    }

    /// The drive of a case against which others are held. Its identity plays no part in that.
    pub(super) fn own(case: &Case<'_>) -> Self {
        let nobody = DriveId::from_serial("own", "own", 1).expect("a model and a serial make an identity");
        Self::measured(case, nobody, "", Bytes(case.evidence.geometry.bytes()))
    }
}

/// By what name a drive is compared with others of its model: its own where SMART told it (`told`: the last it did), since a dock has one
/// name, the kernel's `model`, for whatever is in it.
pub fn model<'a>(told: Option<&'a Snapshot>, model: &'a str) -> &'a str {
    let own = told.and_then(|told| told.model.as_deref()).map(str::trim);
    own.filter(|own| !own.is_empty()).unwrap_or(model)
}

/// The newest of each drive, of those with rates where there are some. `known`: the oldest first, each with whatever else tells which drive
/// it is of, as `same` asks it.
pub fn newest<T>(
    known: impl IntoIterator<Item = T>,
    peer: impl Fn(&T) -> &Peer,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<T> {
    let mut newest: Vec<T> = Vec::new();
    for one in known {
        match newest.iter_mut().find(|other| same(&one, other)) {
            Some(older) if peer(older).has_rates() && !peer(&one).has_rates() => {}
            Some(older) => *older = one,
            None => newest.push(one),
        }
    }
    newest
}

/// The first such step of data. Flash may take constants by another way.
fn keyed(evidence: &Evidence, phase: Phase) -> Option<&Record> {
    let mut records = evidence.phases.iter();
    records.find(|record| record.phase == phase && record.work.fill.is_keyed())
}

/// Bytes a second in [`PEER_ZONES`] equal parts of the drive.
fn rates(zones: &[Zone]) -> Vec<u64> {
    if zones.len() < PEER_ZONES {
        return Vec::new();
    }
    (0..PEER_ZONES)
        .map(|part| {
            let part = &zones[part * zones.len() / PEER_ZONES..(part + 1) * zones.len() / PEER_ZONES];
            let bytes: u128 = part.iter().map(|zone| u128::from(zone.0)).sum();
            let time: u128 = part.iter().map(|zone| u128::from(zone.1)).sum();
            let rate = (bytes * 1_000_000_000).checked_div(time).unwrap_or(0);
            u64::try_from(rate).unwrap_or(u64::MAX)
        })
        .collect()
}

/// Counters that tell of the drive itself: those of a link are its cable's, and of the box that it was in.
fn counters(of: &Snapshot, spins: Option<bool>) -> BTreeMap<String, u64> {
    let ata = of.attributes.iter().filter_map(|attribute| {
        let meaning = case::meaning(attribute.id, &attribute.name, spins)
            .filter(|meaning| !matches!(meaning, Meaning::Helium | Meaning::FlashFailures | Meaning::Crc))?;
        Some((format!("ata.{}", meaning.key()), attribute.count))
    });
    let nvme = of.nvme.as_ref().and_then(|nvme| nvme.media_errors);
    let scsi = of.scsi.as_ref().and_then(|scsi| scsi.grown_defects);
    let others = [("nvme.media_errors", nvme), ("scsi.grown_defects", scsi)];
    let others = others
        .into_iter()
        .filter_map(|(name, count)| Some((name.to_owned(), count?)));
    let mut counters = BTreeMap::new();
    for (name, count) in ata.chain(others) {
        let known = counters.entry(name).or_insert(count);
        *known = count.max(*known);
    }
    counters
}
