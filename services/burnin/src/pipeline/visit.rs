//! Where the step under way has been before, so that no bad sector without a place is counted twice.

use super::Pipeline;
use super::leg::Area;
use crate::evidence::Evidence;
use crate::findings::{Class, Visit};

impl Pipeline {
    /// How the step under way comes to a sector. It may have been there before by a seek, beside its own work, and where the session
    /// went back behind the frontier that it resumed at.
    pub(super) fn visit(&self, lba: u64) -> Visit {
        let (step, phase) = self.step_at();
        let again = self.legs.get(self.leg).is_some_and(|leg| match leg.area {
            _ if leg.aside => true,
            Area::Random { .. } => true,
            Area::Range { .. } => leg.area.position(lba, 1, self.geometry) < self.resumed_at,
            Area::Points(_) | Area::Stretch { .. } => false,
        });
        Visit {
            step,
            phase,
            round: self.round(),
            again,
        }
    }

    /// How often the step under way was run to its end before.
    fn round(&self) -> u32 {
        self.evidence.phases.get(self.at).map_or(0, |record| record.rounds)
    }

    /// Notes that a sector was counted without a place: a session that goes on from before its block counts it again.
    pub(super) fn count_ahead(&mut self, lba: u64, class: Class) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        let block = self
            .groups
            .values()
            .find(|g| (g.first..g.first + g.sectors).contains(&lba));
        let (first, sectors) = block.map_or((lba, 1), |group| (group.first, group.sectors));
        // Of a block that began before the frontier resumed at, only what lies behind it is counted.
        let position = leg.area.position(first, sectors, self.geometry).max(self.resumed_at);
        *self.counted_ahead.entry((position, class)).or_default() += 1;
        // Writes before the frontier are done again where no flush has covered them.
        let frontier = if self.writes_data() {
            self.durable
        } else {
            self.frontier()
        };
        self.counted_ahead = self.counted_ahead.split_off(&(frontier, Class::Bits));
    }

    /// What was seen so far, for a session that goes on from this frontier: what it comes to again is not counted twice.
    pub(super) fn to_go_on_from(&self, frontier: u64) -> Evidence {
        let mut evidence = self.with_suspects(|lba| Visit {
            again: true,
            ..self.visit(lba)
        });
        let (step, round) = (self.step_at().0, self.round());
        for ((_, class), sectors) in self.counted_ahead.range((frontier, Class::Bits)..) {
            evidence.defects.take_back(step, round, *class, *sectors);
        }
        evidence
    }
}
