//! What happened once: told as it happens, and kept with its place and time.

use wire::Lba;
use wire::job::FaultKind;

use super::Pipeline;
use crate::device::Op;
use crate::evidence::Incident;
use crate::findings::A_WRITE;
use crate::worker::Report;

impl Pipeline {
    pub(super) fn incident(&mut self, kind: FaultKind, lba: Option<u64>, sectors: u64, detail: String) {
        let phase = self.phase();
        self.reports.push(Report::Log {
            text: match lba {
                Some(lba) => format!("{}: {}: {detail}", phase.label(), Lba(lba)),
                None => format!("{}: {detail}", phase.label()),
            },
        });
        let incident = self.incident_at(kind, lba, sectors, detail);
        self.evidence.incident(incident);
        self.tally.doubt();
        self.unsaved_findings = true;
        self.untold_findings = true;
    }

    /// An incident of now.
    pub(super) fn incident_at(&self, kind: FaultKind, lba: Option<u64>, sectors: u64, detail: String) -> Incident {
        let (step, phase) = self.step_at();
        Incident {
            at_ms: u64::try_from(self.turned.as_millis()).unwrap_or(u64::MAX),
            kind,
            step,
            phase,
            lba: lba.map(Lba),
            sectors,
            detail,
        }
    }
}

/// Whether an error is the drive's own word about its medium: trying again adds nothing to it.
pub(super) fn is_own_word(errno: i32) -> bool {
    errno == libc::ENODATA
}

pub(super) fn verb(op: Op) -> &'static str {
    match op {
        Op::Read => "a read",
        Op::Write => A_WRITE,
        Op::Flush => "a flush",
        Op::Trim => "a trim",
    }
}
