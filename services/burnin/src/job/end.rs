//! What a burn-in came to, as it is told: verdict, findings, surface, SMART.

use drive::smart::{Row, Snapshot, delta, own_serial};
use wire::Time;
use wire::job::{FINDINGS_MAX, Finding, Job, JobState, PhaseStatus, SmartRow, Surface, Verdict};

use crate::findings::{more_bad_sectors, not_met_again};
use crate::playbook::moves_data;
use crate::timeline;
use crate::verdict::{Case, judge, limit};

/// Why nothing is passed of a drive that was written and read back, and does not show that any more before its verdict.
pub const NO_LONGER_HELD: &str = "the drive no longer holds what was written to it: another one came into its place after it was read \
                                  back; nothing more is written to it";

/// Why one that cannot be asked for it then is not formatted.
pub const UNSHOWN: &str = "the drive does not show that it is the one that was tested";

/// Why nothing is passed of a drive that cannot be read any more when all was done.
pub const UNREAD: &str = "the drive could not be read any more when all was done";

/// The end of a job.
#[derive(Clone, Debug)]
pub struct End {
    verdict: Verdict,
    findings: Vec<Finding>,
    bad_sectors: u64,
    surface: Vec<Surface>,
    smart: Vec<SmartRow>,
    own_serial: Option<String>,
}

impl End {
    /// Of all that is known.
    pub fn of(case: &Case<'_>) -> Self {
        let evidence = case.evidence;
        let met = evidence.all_findings();
        let lost = not_met_again(case.findings_before_loss, &met);
        let more = more_bad_sectors(&lost, &met);
        let own = |told| own_serial(told, case.bus).map(str::to_owned);
        let bad_sectors = evidence.bad_sectors().saturating_add(more);
        let mut findings = evidence.findings();
        for finding in lost {
            if findings.len() < FINDINGS_MAX && !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        Self {
            verdict: judge(case),
            findings,
            bad_sectors,
            surface: evidence.surfaces(),
            smart: rows(case, case.after),
            own_serial: case.after.and_then(own).or_else(|| case.before.and_then(own)),
        }
    }

    /// Writes it into the job, whose time line is there already, and of which nothing is left open. `aborted`: by a person.
    pub fn tell(self, job: &mut Job, aborted: bool, now: Time) {
        for state in &mut job.phases {
            state.status = ended(state.status);
        }
        job.findings = self.findings;
        job.bad_sectors = self.bad_sectors;
        let ran = job
            .phases
            .iter()
            .rposition(|state| moves_data(state.phase) && state.seconds > 0.0);
        let step = ran.and_then(|at| u16::try_from(at).ok());
        timeline::close(&mut job.timeline, now, self.bad_sectors, step);
        job.surface = self.surface;
        job.smart = self.smart;
        job.own_serial = self.own_serial;
        job.verdict = Some(self.verdict);
        job.heading = Vec::new();
        job.progress = None;
        job.state = if aborted { JobState::Aborted } else { JobState::Finished };
        job.ended = Some(now);
    }
}

/// What becomes of a phase's state at the end of its job.
pub fn ended(status: PhaseStatus) -> PhaseStatus {
    match status {
        PhaseStatus::Pending => PhaseStatus::Skipped,
        PhaseStatus::Running => PhaseStatus::Interrupted,
        ended @ (PhaseStatus::Done | PhaseStatus::Skipped | PhaseStatus::Interrupted) => ended,
    }
}

/// SMART before, while there is none after.
pub fn smart_before(case: &Case<'_>) -> Vec<SmartRow> {
    rows(case, None)
}

/// SMART before and after, side by side; of one side alone with the other empty. Each with the limits of its change.
fn rows(case: &Case<'_>, after: Option<&Snapshot>) -> Vec<SmartRow> {
    let before = case.before;
    let Some(only) = before.or(after) else {
        return Vec::new();
    };
    let rows = delta(before.unwrap_or(only), after.unwrap_or(only));
    let row = |row: Row| {
        let limit = limit(&row, case);
        let row = SmartRow {
            limit,
            ..SmartRow::from(row)
        };
        match (before, after) {
            (Some(_), None) => SmartRow { after: None, ..row },
            (None, Some(_)) => SmartRow { before: None, ..row },
            (Some(_), Some(_)) | (None, None) => row,
        }
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use drive::smart::Protocol;
    use wire::drive::Bus;

    use super::*;
    use crate::Evidence;
    use crate::device::Geometry;

    /// Of both of its bays, which made two drives one.
    #[test]
    fn a_docks_serial_is_not_told_as_its_drives_own() {
        let geometry = Geometry {
            sectors: 8,
            sector: 512,
            physical: 512,
        };
        let evidence = Evidence::new(geometry, &[]);
        for (bus, protocol, own) in [
            (Bus::Usb, Protocol::Scsi, None),
            (Bus::Usb, Protocol::Ata, Some("WX1")),
            (Bus::Usb, Protocol::Nvme, Some("WX1")),
            (Bus::Scsi, Protocol::Scsi, Some("WX1")),
            (Bus::Other, Protocol::Scsi, Some("WX1")),
        ] {
            let told = Snapshot {
                protocol,
                serial: Some(" WX1 ".to_owned()),
                ..Snapshot::default()
            };
            for (before, after) in [(Some(&told), None), (None, Some(&told))] {
                let case = Case {
                    before,
                    after,
                    bus,
                    ..Case::new(&evidence)
                };
                assert_eq!(End::of(&case).own_serial.as_deref(), own, "{bus:?} {protocol:?}");
            }
        }
    }
}
