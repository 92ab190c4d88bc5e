//! Shingled recording, declared or by behaviour: long pauses of writes while reads go on as ever, or nearly so, are its
//! house-keeping, and no slow sectors.
//!
//! Source: facts on drive-managed SMR: scrutiny 159, storj 3854, openzfs 10182 (undeclared, trim on a disk gives it away),
//! dm-zoned-tools 3: stalls of tens of seconds, single megabytes a second.

use std::time::Duration;

use wire::job::{FaultKind, Phase};

use super::Metrics;
use crate::evidence::{Evidence, Record, stalls};
use crate::findings::is_slow_write;
use crate::verdict::{Case, figures};
use crate::worker::SLOW_MS;

/// How long a write must take to count as a pause.
const PAUSE: Duration = stalls::LONGEST;

/// From when on an access is told as slow.
const LONG: Duration = Duration::from_millis(SLOW_MS);

/// Writes that pause, of a drive that may have platters or be flash.
const WRITES_PAUSE: &str = "pace.writes_pause";

pub(super) fn put(case: &Case<'_>, metrics: &mut Metrics) {
    let declared = declared(case);
    let pauses = behaves(case.evidence);
    // Flash pauses, too, while it clears its cache, and a bridge may hide which of both it is: only known platters are shingled.
    let behaves = case.spins() == Some(true) && pauses;
    let shingled = declared.is_some() || behaves;
    // Of neither is it a fault, as far as anybody can tell.
    let unknown = !shingled && case.spins().is_none() && pauses;
    match (declared, behaves) {
        (Some(by), _) => metrics.say("smr.found", 1.0, format!("declared: {by}")),
        (None, true) => metrics.say(
            "smr.found",
            1.0,
            "writes pause for seconds where reads hardly do".to_owned(),
        ),
        (None, false) => metrics.put("smr.found", 0.0),
    }
    metrics.put(WRITES_PAUSE, f64::from(u8::from(unknown)));
    // What a drive takes its time for in writes alone is told as that.
    let slow = case.evidence.incidents_of(FaultKind::Slow);
    let told = || case.evidence.incidents.iter().filter(|i| i.kind == FaultKind::Slow);
    let reads = told().filter(|i| !is_slow_write(&i.detail)).count() as u64;
    // Of very many only some are kept one by one: reads that came behind them are known by their time alone.
    let lost = slow > told().count() as u64;
    let reads = if lost {
        reads.max(long_reads(case.evidence))
    } else {
        reads
    };
    let excused = shingled || unknown;
    // Without a whole pass nobody can tell whether it pauses so: what may be house-keeping is neither that nor a fault.
    let disturbed = disturbed(case);
    let undecided = !excused && !disturbed && case.spins() != Some(false) && !has_pass(case.evidence);
    let of_medium = if excused || undecided { reads.min(slow) } else { slow };
    metrics.put(
        "io.slow_writes_alone",
        if undecided { slow - of_medium } else { 0 } as f64,
    );
    // What cleans up may do so before it answers. A reset is no excuse: kernels reset what has not answered a flush for a minute.
    let flush = case.evidence.longest_flush.as_secs_f64();
    let is_own = !(excused || (case.spins() != Some(false) && !has_pass(case.evidence)));
    metrics.put("io.flush_s", if is_own { flush } else { 0.0 });
    metrics.put("io.flush_excused_s", if is_own { 0.0 } else { flush });
    let slow = of_medium as f64;
    // Where the link or the heat had a part in it, a long access says nothing of the medium.
    let name = if disturbed { "io.slow_disturbed" } else { "io.slow" };
    metrics.put("io.slow", 0.0);
    metrics.put("io.slow_disturbed", 0.0);
    metrics.put(name, slow);
}

/// Whether it came to a write of the whole drive and to a verify, by which a shingled disk is known.
fn has_pass(evidence: &Evidence) -> bool {
    let has = |phase| {
        evidence
            .phases
            .iter()
            .any(|record| record.phase == phase && record.done.0 > 0)
    };
    has(Phase::Write) && has(Phase::Verify)
}

/// Accesses of steps that read alone which took as long as those that are told one by one.
fn long_reads(evidence: &Evidence) -> u64 {
    let reads = |record: &&Record| {
        matches!(
            record.phase,
            Phase::Verify | Phase::Seek | Phase::TrimCheck | Phase::Scan
        )
    };
    let long = evidence
        .phases
        .iter()
        .filter(reads)
        .map(|record| record.latency.at_least(LONG));
    long.sum()
}

/// By what the drive declares itself shingled.
fn declared(case: &Case<'_>) -> Option<String> {
    if let Some(by) = case.smr {
        return Some(by.to_owned());
    }
    let told = case.last().or(case.first())?;
    if let Some(zoned) = told
        .zoned
        .as_deref()
        .filter(|zoned| !zoned.eq_ignore_ascii_case("not reported"))
    {
        return Some(format!("zones: {zoned}"));
    }
    (case.has_platters() && told.trim == Some(true)).then(|| "a disk that takes trim commands".to_owned())
}

/// Whether writes paused again and again, and reads hardly did.
fn behaves(evidence: &Evidence) -> bool {
    // Pauses and accesses of all steps of a kind.
    let pauses = |phase| {
        let records = evidence.phases.iter().filter(|record| record.phase == phase);
        records.fold((0, 0), |(pauses, all), record| {
            (pauses + record.stalls.at_least(PAUSE), all + record.latency.count())
        })
    };
    let ((written, writes), (read, reads)) = (pauses(Phase::Write), pauses(Phase::Verify));
    let rarer = u128::from(read) * u128::from(figures().reads_rarer.value) * u128::from(writes)
        <= u128::from(written) * u128::from(reads);
    reads > 0 && written >= figures().pauses.value && rarer
}

/// Whether the link or the heat disturbed the run. Going on after an interruption is no excuse: a worker knows its own
/// pauses, and a drive has spun up before it is there.
fn disturbed(case: &Case<'_>) -> bool {
    let link = [
        FaultKind::Transient,
        FaultKind::Disconnect,
        FaultKind::Reset,
        FaultKind::Hang,
    ];
    let errors = link.iter().any(|kind| case.evidence.disturbances_of(*kind) > 0);
    errors || case.kernel.resets > 0 || case.too_hot.is_some() || case.paused_for_heat
}

/// Whether its writes pause for house-keeping: it was found to be shingled, or pauses as such a disk or as flash does.
pub(super) fn keeps_house(metrics: &Metrics) -> bool {
    ["smr.found", WRITES_PAUSE]
        .iter()
        .any(|name| metrics.get(name) == Some(1.0))
}
