//! A region in which nothing can be read or written any more, as under a dead head: how long it is asked, and what is passed over.
//!
//! A drive may take 10 s and more for each access that it fails at. Of each GiB in which a sector proved bad two minutes of its time go
//! into such accesses ([`Limits::failing_ms_per_gib`](crate::worker::Limits)); from then on nothing is located there, and behind each
//! further access that fails 64 MiB are passed over: they are no bad sectors, and count as untested. Where all goes well again nothing is.
//!
//! The bound: of a GiB that is dead throughout two minutes, and then, sixteen times, the accesses that are under way together. Of the whole
//! drive twelve hours, over all sessions, whatever lies where; then the job ends as one with too many errors. So a drive with one dead head
//! of sixteen is judged within its ordinary time and half a day, where 20,000 errors took more than two days. A session that goes on asks
//! what lies behind its checkpoint again, and gives the GiB that it begins in its two minutes once more.
//!
//! Only failures are counted, and none while the drive is silent: one that is slow, is reset or waits for its host passes over nothing.
//! Tested in `tests/dead.rs`.

use std::ops::Range;
use std::time::Duration;

use super::incident::is_own_word;
use super::leg::Area;
use super::{Access, Fault, Pipeline};
use crate::device::Op;
use crate::playbook::Direction;
use crate::worker::Report;

/// Bytes of a zone in which the number of located sectors, and the time for them, is bounded.
const ZONE: u64 = 1 << 30;

/// Runs of bad sectors that must find room before anything is passed over: what has no place could not be asked again.
const ROOM: usize = 64;

/// What a GiB has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Zone {
    /// Which one.
    number: u64,
    /// Sectors that were located in it and that the step had not met before.
    pub located: u32,
    /// Whether anything in it proved bad.
    pub is_bad: bool,
    /// Time of accesses that failed in it.
    failing: Duration,
}

impl Pipeline {
    /// The zone around this sector becomes the one under way.
    pub(super) fn enter(&mut self, lba: u64) {
        let number = lba * u64::from(self.geometry.sector) / ZONE;
        if self.zone.number != number {
            self.zone = Zone {
                number,
                ..Zone::default()
            };
        }
    }

    /// Whether failing pieces of the zone around this sector are located still: there is a budget for each.
    pub(super) fn locates(&mut self, lba: u64) -> bool {
        self.enter(lba);
        self.zone.located < self.limits.located_per_gib
    }

    /// Counts what a failed access took of the drive's time. What fails while the drive is silent is its link's doing.
    pub(super) fn fails_for(&mut self, access: Access, errno: i32, took: Duration) {
        if matches!(access.op, Op::Read | Op::Write) && (is_own_word(errno) || !self.silence.lasts()) {
            self.enter(access.lba);
            // Those that failed beside each other took the same time.
            let took = took.min(self.turned.saturating_sub(self.failed_at));
            self.failed_at = self.turned;
            self.zone.failing += took;
            self.evidence.failing += took;
        }
    }

    /// Whether failing accesses have taken so much of the drive's time that going on could add nothing.
    pub(super) fn has_failed_for_too_long(&self) -> bool {
        self.evidence.failing >= Duration::from_secs(self.limits.failing_s)
    }

    /// Whether nothing more is located in the zone around this sector, for the time that it took.
    pub(super) fn is_dead(&mut self, op: Op, lba: u64) -> bool {
        self.enter(lba);
        let spent = self.zone.failing >= Duration::from_millis(self.limits.failing_ms_per_gib);
        let moves = matches!(op, Op::Read | Op::Write);
        moves && spent && self.zone.is_bad && !self.silence.lasts() && self.evidence.defects.has_room(ROOM)
    }

    /// Behind an access that failed in a dead zone: what waits there to be tried is given up, and what comes next is passed over.
    pub(super) fn leave(&mut self, access: Access) {
        if !self.is_dead(access.op, access.lba) {
            return;
        }
        let (number, sector) = (self.zone.number, u64::from(self.geometry.sector));
        for (group, detour) in self.take_waiting(|lba| lba * sector / ZONE == number) {
            self.settle(group);
            self.pass_over(detour.op, (detour.lba, detour.sectors), Some(group));
            self.close_if_done(group);
        }
        self.jump(access);
    }

    /// Moves the sweep on, where the access was begun behind the last such move. Headers are written wherever they belong.
    fn jump(&mut self, access: Access) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        let Area::Range { to, order, .. } = leg.area else {
            return;
        };
        let (aside, position) = (leg.aside, leg.area.position(access.lba, access.sectors, self.geometry));
        let from = self.cursor;
        let end = (from + self.limits.pass_bytes / u64::from(self.geometry.sector)).min(to);
        if position < self.passed_to || from >= end || (aside && access.op == Op::Write) {
            return;
        }
        let first_time = self.passed_to == 0;
        (self.cursor, self.passed_to) = (end, end);
        // What is read beside a step's own work is no part of what it tested.
        if aside {
            return;
        }
        let sectors = self.at_positions(order, from..end);
        self.pass_over(access.op, (sectors.start, sectors.end - sectors.start), None);
        if first_time {
            let text = format!(
                "{}: accesses around {} failed for {} s: what follows is passed over, {} MiB behind each that fails, and counts as untested",
                self.phase().label(),
                wire::Lba(access.lba),
                self.zone.failing.as_secs(),
                self.limits.pass_bytes >> 20
            );
            self.reports.push(Report::Log { text });
        }
    }

    /// Notes sectors that are not asked.
    pub(super) fn pass_over(&mut self, op: Op, (first, sectors): (u64, u64), group: Option<u64>) {
        if let Some(group) = group.and_then(|id| self.groups.get_mut(&id)) {
            group.stays_unusable(sectors);
        }
        let fault = Fault::PassedOver { write: op == Op::Write };
        for lba in first..first + sectors {
            let visit = self.visit(lba);
            self.evidence.defects.add_one(visit, lba, fault);
        }
        self.unsaved_findings = true;
        self.untold_findings = true;
    }

    /// The sectors at these positions of a sweep.
    fn at_positions(&self, order: Direction, at: Range<u64>) -> Range<u64> {
        let sectors = self.geometry.sectors;
        match order {
            Direction::Forward => at,
            Direction::Reverse => sectors - at.end..sectors - at.start,
        }
    }

    /// The sectors that a session which goes on from this frontier comes to again; `None` where the step is no sweep.
    pub(super) fn ahead_of(&self, frontier: u64) -> Option<Range<u64>> {
        match self.legs.get(self.leg)?.area {
            Area::Range { order, .. } => Some(self.at_positions(order, frontier..self.geometry.sectors)),
            Area::Points(_) | Area::Stretch { .. } | Area::Random { .. } => None,
        }
    }
}
