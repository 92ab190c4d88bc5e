//! When the host's own buffers are tested: after wrong data that bad memory explains as well as a bad drive.

use std::time::Duration;

use wire::job::FaultKind;

use super::Pipeline;
use crate::memory::Tested;
use crate::worker::Report;

impl Pipeline {
    /// Something was wrong that memory can be blamed for: the buffers are tested before anything new is begun.
    ///
    /// Not once they are known as bad, and not without end: each test takes some tenths of a second.
    pub(super) fn doubt_memory(&mut self) {
        let tests = self.evidence.memory;
        if tests.bad == 0 && self.memory_tests_left > 0 {
            self.memory_tests_left -= 1;
            self.memory_doubted = true;
        }
    }

    /// Whether the shell is to test its buffers now; none is busy then. It answers with [`Pipeline::memory_tested`].
    pub fn doubts_memory(&self) -> bool {
        self.memory_doubted && self.flights.is_empty() && !self.over
    }

    /// Takes the result of a test of the buffers, asked for or not.
    pub fn memory_tested(&mut self, now: Duration, told: &Tested) {
        self.turn(now);
        if self.over {
            return;
        }
        self.memory_doubted = false;
        if told.is_good() {
            self.evidence.memory.good += 1;
            self.reports.push(Report::Log { text: told.text() });
        } else {
            self.evidence.memory.bad += 1;
            // Once is enough, however often it shows.
            if self.evidence.memory.bad == 1 {
                let (lba, sectors) = told.block.map_or((None, 0), |(lba, sectors)| (Some(lba), sectors));
                self.incident(FaultKind::HostMemory, lba, sectors, told.text());
            }
        }
        self.unsaved_findings = true;
        self.tally.doubt();
        self.proceed(now);
    }
}
