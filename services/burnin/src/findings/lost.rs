//! Findings of a session whose record was lost: which are kept, and what they make of the drive without it.

use std::ops::Range;

use wire::different;
use wire::job::{FINDINGS_MAX, FaultKind, Finding, Outcome};

use super::is_slow_write;

/// What a finding alone makes of a drive: for those whose burn-in's record was lost.
fn outcome(finding: &Finding) -> Outcome {
    match finding.kind {
        // A shingled disk takes its time to write; whether it is one was known to the lost record.
        FaultKind::Slow if is_slow_write(&finding.detail) => Outcome::Inconclusive,
        FaultKind::Slow => Outcome::Failed,
        FaultKind::Disconnect | FaultKind::Reset | FaultKind::Hang | FaultKind::HostMemory => Outcome::Inconclusive,
        // An error that did not show again blames the link as much as the drive; data that once were wrong do not.
        FaultKind::Transient if is_error(finding) => Outcome::Inconclusive,
        FaultKind::BitFlip
        | FaultKind::Corrupt
        | FaultKind::LostWrite
        | FaultKind::Stale
        | FaultKind::Misdirected
        | FaultKind::WrapAround
        | FaultKind::Truncated
        | FaultKind::Zeroed
        | FaultKind::ReadError
        | FaultKind::WriteError
        | FaultKind::Transient => Outcome::Failed,
    }
}

/// Whether this was an error that may not show again, or that nobody can lay to the drive, and no wrong data.
fn is_error(finding: &Finding) -> bool {
    finding.kind == FaultKind::Transient && finding.is_unproven()
}

/// Adds to `lost` what was `told` and is not among the findings `saved` in the checkpoint that a job goes on from: what shows
/// only once would be forgotten by an interruption between finding and checkpoint. At most [`FINDINGS_MAX`] are kept.
pub fn keep_untold(lost: &mut Vec<Finding>, told: &[Finding], saved: &[Finding]) {
    let of = |f: &Finding| (f.step, f.phase, f.lba, f.kind, is_error(f));
    let same = |a: &Finding, b: &Finding| of(a) == of(b);
    for found in told {
        let kept = saved.iter().chain(lost.iter()).any(|kept| same(kept, found));
        if !kept && lost.len() < FINDINGS_MAX {
            lost.push(found.clone());
        }
    }
}

/// Those of `lost` that were not met again: whose sectors are not all among those `met` in the same step and phase, of the same kind. What
/// was wrong once, or failed once, was under examination: it is met again in whatever that came to, of an access that failed in any part.
pub fn not_met_again(lost: &[Finding], met: &[Finding]) -> Vec<Finding> {
    let again = |was: &Finding, is: &Finding| {
        let place = (was.step, was.phase) == (is.step, is.phase);
        let same = (was.kind, is_error(was)) == (is.kind, is_error(is));
        let examined = was.kind == FaultKind::Transient || was.is_unproven();
        let for_good = examined && is_bad_sector(is);
        place && (same || for_good)
    };
    let left = lost.iter().filter(|was| {
        let met = || met.iter().filter(|is| again(was, is));
        match was.lba {
            None => met().all(|is| is.lba.is_some()),
            Some(_) if was.is_unproven() => !met().any(|is| overlap(is, was)),
            Some(_) => !covers(met(), was),
        }
    });
    left.cloned().collect()
}

/// Sectors of `lost` that are bad, and in none of the findings `met`.
pub fn more_bad_sectors(lost: &[Finding], met: &[Finding]) -> u64 {
    let bad = |findings: &[Finding]| -> Vec<Range<u64>> {
        let bad = findings.iter().filter(|f| is_bad_sector(f)).filter_map(range);
        bad.collect()
    };
    let (lost, met) = (bad(lost), bad(met));
    different(lost.into_iter().chain(met.iter().cloned())) - different(met)
}

/// Whether a finding is of sectors that did not hold what they should, or could not be read or written.
fn is_bad_sector(finding: &Finding) -> bool {
    let is_bad = finding.kind != FaultKind::Slow && outcome(finding) == Outcome::Failed;
    // An error that did not show again is of all that was asked for at once.
    finding.lba.is_some() && is_bad && !finding.is_unproven()
}

/// The sectors of a finding that has a place.
fn range(finding: &Finding) -> Option<Range<u64>> {
    finding
        .lba
        .map(|lba| lba.0..lba.0.saturating_add(finding.sectors.max(1)))
}

/// Whether two findings have a sector in common.
fn overlap(one: &Finding, other: &Finding) -> bool {
    range(one)
        .zip(range(other))
        .is_some_and(|(one, other)| one.start < other.end && other.start < one.end)
}

/// Whether all sectors of a finding are among those of `met`, however they are split there.
fn covers<'a>(met: impl Iterator<Item = &'a Finding>, was: &Finding) -> bool {
    let Some(all) = range(was) else { return false };
    let within = |is: &Finding| {
        let is = range(is)?;
        Some(is.start.max(all.start)..is.end.min(all.end))
    };
    different(met.filter_map(within)) == all.end - all.start
}

/// What findings together make of a drive whose burn-in's record was lost; `None` without any.
///
/// `among`: all that were found with them, met again or not: where the host's memory is bad (`host_bad`, or by one of those), wrong bits
/// are not the drive's, and where the link was disturbed, long accesses are not.
pub fn outcome_of_all(findings: &[Finding], among: &[Finding], host_bad: bool) -> Option<Outcome> {
    let host_bad = host_bad || among.iter().any(|f| f.kind == FaultKind::HostMemory);
    let link =
        |f: &Finding| matches!(f.kind, FaultKind::Disconnect | FaultKind::Reset | FaultKind::Hang) || is_error(f);
    let disturbed = among.iter().any(link);
    let of = |finding: &Finding| {
        // Where the link had a part in it, a long access says nothing of the medium.
        let by_link = finding.kind == FaultKind::Slow && disturbed;
        let by_host = matches!(
            finding.kind,
            FaultKind::BitFlip | FaultKind::Corrupt | FaultKind::Transient
        ) && host_bad;
        if by_link || by_host {
            Outcome::Inconclusive
        } else {
            outcome(finding)
        }
    };
    findings.iter().map(of).max()
}

/// Whether these findings of a burn-in whose record was lost fail its drive whatever comes: a long access does not, which the end may
/// excuse.
pub fn fails(findings: &[Finding]) -> bool {
    let weighed = findings.iter().filter(|finding| finding.kind != FaultKind::Slow);
    let weighed: Vec<Finding> = weighed.cloned().collect();
    outcome_of_all(&weighed, findings, false) == Some(Outcome::Failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::Lba;
    use wire::job::Phase;
    use wire::unproven::{FAILED_OR_REFUSED, NOT_REPRODUCED, NOT_TRIED_AGAIN};

    use super::*;

    fn found(kind: FaultKind, lba: u64, sectors: u64) -> Finding {
        Finding {
            step: 1,
            kind,
            lba: Some(Lba(lba)),
            sectors,
            found: None,
            phase: Phase::Verify,
            detail: String::new(),
        }
    }

    /// A sector that differs is told as wrong once until it was looked at again: killed before that, both were told of it.
    #[test]
    fn what_was_under_examination_is_what_it_came_to() {
        use FaultKind::{BitFlip, Corrupt, Slow, Transient};
        let lost = [found(Transient, 50_000, 1)];
        assert_eq!(not_met_again(&lost, &[found(BitFlip, 50_000, 1)]), []);
        assert_eq!(not_met_again(&lost, &[found(Slow, 50_000, 8)]), lost);
        assert_eq!(not_met_again(&lost, &[found(BitFlip, 50_001, 1)]), lost);
        let elsewhere = Finding {
            step: 3,
            ..found(BitFlip, 50_000, 1)
        };
        assert_eq!(not_met_again(&lost, &[elsewhere]), lost);
        // An access that failed as a whole, and the one sector that it came to.
        let group = Finding {
            detail: format!("EIO; {NOT_TRIED_AGAIN}"),
            ..found(Transient, 40_960, 2048)
        };
        let lost = [group.clone()];
        assert_eq!(not_met_again(&lost, &[found(FaultKind::ReadError, 41_000, 1)]), []);
        assert_eq!(not_met_again(&lost, &[found(FaultKind::ReadError, 50_000, 1)]), lost);
        assert_eq!(more_bad_sectors(&lost, &[]), 0);
        // What was seen to be wrong for good is not made right by having been wrong once since.
        let flip = [found(BitFlip, 7, 4)];
        assert_eq!(not_met_again(&flip, &[found(Transient, 7, 4)]), flip);
        assert_eq!(not_met_again(&flip, &[found(BitFlip, 7, 3)]), flip);
        assert_eq!(not_met_again(&flip, &[found(BitFlip, 6, 3), found(BitFlip, 9, 9)]), []);
        assert_eq!(more_bad_sectors(&flip, &[found(Corrupt, 0, 9)]), 2);
        assert_eq!(more_bad_sectors(&flip, &[found(Corrupt, 0, 11)]), 0);
        assert_eq!(more_bad_sectors(&[flip[0].clone(), flip[0].clone()], &[]), 4);
        assert_eq!(more_bad_sectors(&[found(Slow, 7, 4)], &[]), 0);
    }

    /// What a finding is judged as where its burn-in's record is lost is what the rule of the verdict makes of it.
    #[test]
    fn a_finding_alone_is_judged_as_by_the_rule_about_it() {
        use crate::verdict::Rules;
        let worst = |id: &str| {
            let rule = Rules::built_in().iter().find(|rule| rule.id == id).unwrap();
            let limits = [
                (rule.failed, Outcome::Failed),
                (rule.inconclusive, Outcome::Inconclusive),
                (rule.warn, Outcome::Warn),
            ];
            limits
                .into_iter()
                .find_map(|(limit, outcome)| limit.map(|_| outcome))
                .unwrap()
        };
        let of = |kind, phase, detail: &str| Finding {
            step: 0,
            kind,
            lba: Some(Lba(7)),
            sectors: 1,
            found: None,
            phase,
            detail: detail.to_owned(),
        };
        for kind in [
            FaultKind::BitFlip,
            FaultKind::Corrupt,
            FaultKind::LostWrite,
            FaultKind::Stale,
            FaultKind::Zeroed,
            FaultKind::Misdirected,
            FaultKind::WrapAround,
            FaultKind::Truncated,
            FaultKind::ReadError,
            FaultKind::WriteError,
            FaultKind::Transient,
            FaultKind::Slow,
            FaultKind::Hang,
            FaultKind::Disconnect,
            FaultKind::Reset,
            FaultKind::HostMemory,
        ] {
            let rule = match kind {
                FaultKind::BitFlip
                | FaultKind::Corrupt
                | FaultKind::LostWrite
                | FaultKind::Stale
                | FaultKind::Zeroed => "verify-mismatch",
                FaultKind::Misdirected => "verify-misplaced",
                FaultKind::WrapAround | FaultKind::Truncated => "capacity-false",
                FaultKind::ReadError => "read-error",
                FaultKind::WriteError => "write-error",
                FaultKind::Transient => "verify-transient",
                FaultKind::Slow => "slow-access",
                FaultKind::Hang => "hang",
                FaultKind::Disconnect => "disconnect",
                FaultKind::Reset => "resets",
                FaultKind::HostMemory => "host-memory",
            };
            assert_eq!(outcome(&of(kind, Phase::Verify, "")), worst(rule), "{kind:?}");
        }
        let retried = of(FaultKind::Transient, Phase::Verify, &format!("EIO; {NOT_REPRODUCED}"));
        assert_eq!(outcome(&retried), worst("error-not-reproduced"));
        let cut = of(FaultKind::Transient, Phase::Verify, &format!("EIO; {NOT_TRIED_AGAIN}"));
        assert_eq!(outcome(&cut), worst("error-not-reproduced"));
        let refused = of(
            FaultKind::Transient,
            Phase::Trim,
            &format!("EREMOTEIO; {FAILED_OR_REFUSED}"),
        );
        assert_eq!(outcome(&refused), worst("error-not-reproduced"));
        // Wrong data and an error at one place are two things: the one does not stand for the other.
        let mut lost = Vec::new();
        let wrong = of(FaultKind::Transient, Phase::Verify, "differed once");
        keep_untold(&mut lost, std::slice::from_ref(&wrong), std::slice::from_ref(&retried));
        assert_eq!(lost, [wrong]);
        // What may be excused is neither failed nor passed: a shingled disk's writes, a disturbed link.
        let slow = |phase| of(FaultKind::Slow, phase, "a read took 12.0 s");
        let written = |phase| of(FaultKind::Slow, phase, "a write took 12.0 s");
        let judged = |findings: &[Finding]| outcome_of_all(findings, findings, false);
        for phase in [Phase::Probe, Phase::Write, Phase::Verify] {
            assert_eq!(judged(&[written(phase)]), Some(Outcome::Inconclusive));
        }
        assert_eq!(judged(&[slow(Phase::Write)]), Some(Outcome::Failed));
        assert_eq!(
            judged(&[slow(Phase::Verify), retried.clone()]),
            Some(Outcome::Inconclusive)
        );
        assert_eq!(judged(&[slow(Phase::Verify)]), Some(Outcome::Failed));
        // What disturbed it was met again, and is told elsewhere; it was there all the same.
        let slow = [slow(Phase::Verify)];
        let both = [slow[0].clone(), retried];
        assert_eq!(outcome_of_all(&slow, &both, false), Some(Outcome::Inconclusive));
        // Nor is one that nothing excuses yet a fault that a job is to end at.
        assert!(!fails(&slow) && !fails(&both));
        assert!(fails(&[slow[0].clone(), of(FaultKind::ReadError, Phase::Verify, "")]));
    }
}
