//! The second look: halving a failing block down to the sector, reading a differing one again. Of a trim that fails: [`trim`].

use std::collections::BTreeSet;
use std::time::Duration;

use wire::Lba;
use wire::job::FaultKind;
use wire::unproven::{GIVEN_UP, NOT_REPRODUCED, NOT_TRIED_AGAIN, OVERWRITTEN};

use super::incident::is_own_word;
use super::{Access, Fault, Kind, Outcome, Pipeline};
use crate::device::{Op, errno_text};
use crate::evidence::Evidence;
use crate::findings::Visit;
use crate::ours::Headless;

mod trim;

/// Bytes of a zone in which the number of located sectors is bounded.
const LOCATE_ZONE: u64 = 1 << 30;

/// Pause before the smallest piece that failed is tried again.
///
/// A drive that is being pulled fails every access for some tenths of a second before the kernel
/// takes it away; nothing may be called a bad sector in that time.
pub(super) const PATIENCE: Duration = Duration::from_millis(700);

/// One access that examines a piece again.
pub(super) struct Detour {
    pub op: Op,
    pub lba: u64,
    pub sectors: u64,
    /// When it may begin.
    pub due: Duration,
    /// The block it belongs to.
    group: u64,
    work: Work,
}

enum Work {
    /// It failed as part of something larger: try, and halve when it fails.
    Halve,
    /// The smallest piece failed, first in the silence of this number: try again.
    Retry { left: u32, silence: u64 },
    /// It differed: read it again.
    Again { left: u32, suspects: Vec<Suspect> },
}

impl Detour {
    /// Whether it is the smallest piece that failed first in the silence of this number, and waits to be tried again.
    pub(super) fn is_of(&self, silence: u64) -> bool {
        matches!(self.work, Work::Retry { silence: of, .. } if of == silence)
    }
}

/// A sector that differed in the first read.
struct Suspect {
    lba: u64,
    fault: Fault,
    /// Whether a further read differed too.
    again: bool,
}

impl Suspect {
    /// What is known of it so far.
    fn seen(&self) -> Fault {
        if self.again { self.fault } else { Fault::Transient }
    }
}

/// A block under examination; it holds the frontier until all its detours are done.
pub(super) struct Group {
    pub first: u64,
    pub sectors: u64,
    open: usize,
    /// Sectors that stayed unusable.
    unusable: u64,
    /// The error that began it, or the medium's own word that came later.
    errno: Option<i32>,
    /// The access that met it.
    op: Op,
}

impl Group {
    /// Its error in words, and what became of it.
    fn text(&self, errno: i32, became: &str) -> String {
        let (sectors, first) = (self.sectors, Lba(self.first));
        format!("{} within {sectors} sectors from {first}; {became}", errno_text(errno))
    }

    /// What it is where it does not show again: what the medium could not give or take is the drive's own word about itself, all else
    /// blames cable and controller as much.
    fn kind(&self, errno: i32) -> FaultKind {
        match (self.op, errno) {
            (Op::Read, libc::ENODATA) => FaultKind::ReadError,
            (Op::Write, libc::ENODATA) => FaultKind::WriteError,
            _ => FaultKind::Transient,
        }
    }
}

impl Pipeline {
    /// What came of a piece of the sweep.
    pub(super) fn first_look(&mut self, access: Access, outcome: Outcome) {
        match outcome {
            Outcome::Done | Outcome::Gone | Outcome::Changed { .. } => {}
            Outcome::Kept(sectors) => self.keeps(access, sectors),
            Outcome::Differs(bad) if bad.iter().any(|(lba, fault)| self.is_ahead(*lba, *fault)) => {
                let why = "the drive holds data of a later pass than its checkpoint knows of, or what a later trim left, so \
                           the checkpoint is older than what was done: burn it in anew";
                self.broke(why.to_owned());
            }
            Outcome::Differs(bad) => self.doubt(access, bad, None),
            Outcome::Failed { errno } => {
                self.errors += 1;
                let group = self.open_group(access, Some(errno));
                self.examine(access.op, access.lba, access.sectors, group, errno);
                self.close_if_done(group);
            }
        }
    }

    /// Reads what is suspected once more, or judges it.
    fn again(&mut self, access: Access, group: u64, left: u32, mut suspects: Vec<Suspect>) {
        if left > 1 {
            let work = Work::Again {
                left: left - 1,
                suspects,
            };
            self.push(access.op, access.lba, access.sectors, group, work);
        } else {
            self.judge(&mut suspects);
        }
    }

    /// What came of a detour.
    pub(super) fn second_look(&mut self, detour: Detour, outcome: Outcome) {
        let Detour {
            op,
            lba,
            sectors,
            group,
            work,
            ..
        } = detour;
        let access = Access {
            slot: 0,
            op,
            lba,
            sectors,
        };
        self.settle(group);
        match (work, outcome) {
            (_, Outcome::Changed { .. }) => {}
            (Work::Halve | Work::Retry { .. }, Outcome::Done | Outcome::Gone | Outcome::Kept(_)) => {
                self.took_trim |= op == Op::Trim;
            }
            (Work::Halve | Work::Retry { .. }, Outcome::Differs(bad)) => self.doubt(access, bad, Some(group)),
            (Work::Halve, Outcome::Failed { errno }) => {
                self.failed_again(group, errno);
                self.examine(op, lba, sectors, group, errno);
            }
            (Work::Retry { left, silence }, Outcome::Failed { errno }) => {
                self.failed_again(group, errno);
                if op == Op::Trim {
                    self.trim_failed_again(access, group, errno, (left, silence));
                } else if let Some((left, silence)) = self.tries_left(left, silence) {
                    self.push(op, lba, sectors, group, Work::Retry { left, silence });
                } else {
                    self.unusable(op, lba, sectors, group, errno);
                }
            }
            (Work::Again { left, suspects }, Outcome::Done | Outcome::Gone | Outcome::Kept(_)) => {
                self.again(access, group, left, suspects);
            }
            (Work::Again { left, mut suspects }, Outcome::Differs(bad)) => {
                for (lba, fault) in bad {
                    match suspects.iter_mut().find(|s| s.lba == lba) {
                        Some(suspect) => (suspect.again, suspect.fault) = (true, fault),
                        None if self.known(lba) => {}
                        None => suspects.push(Suspect {
                            lba,
                            fault,
                            again: false,
                        }),
                    }
                }
                self.again(access, group, left, suspects);
            }
            (Work::Again { left, mut suspects }, Outcome::Failed { errno }) => {
                self.failed_again(group, errno);
                if let Some(middle) = self.middle(lba, sectors).filter(|_| self.locates(lba)) {
                    // Unreadable now, and most of it may be no part of that: each half is read again for itself.
                    let (before, after): (Vec<_>, Vec<_>) = suspects.into_iter().partition(|s| s.lba < middle);
                    for (from, to, suspects) in [(middle, lba + sectors, after), (lba, middle, before)] {
                        let work = match suspects.is_empty() {
                            true => Work::Halve,
                            false => Work::Again { left, suspects },
                        };
                        self.push(op, from, to - from, group, work);
                    }
                } else {
                    // What was seen there is believed, and the piece is located like any failing one.
                    for suspect in &mut suspects {
                        suspect.again = true;
                    }
                    self.judge(&mut suspects);
                    self.examine(op, lba, sectors, group, errno);
                }
            }
        }
        self.close_if_done(group);
    }

    /// A further look at a block failed: where that does not show again it is told all the same. What the medium itself could not do
    /// outranks the error that began it, which blames the link as much.
    fn failed_again(&mut self, group: u64, errno: i32) {
        self.errors += 1;
        if let Some(group) = self.groups.get_mut(&group) {
            group.errno = match group.errno {
                Some(first) if !is_own_word(errno) => Some(first),
                _ => Some(errno),
            };
        }
    }

    /// Sectors that differ: read them again while there is budget, else believe it.
    fn doubt(&mut self, access: Access, bad: Vec<(u64, Fault)>, group: Option<u64>) {
        let mut suspects: Vec<Suspect> = bad
            .into_iter()
            .filter(|(lba, _)| !self.known(*lba))
            .map(|(lba, fault)| Suspect {
                lba,
                fault,
                again: false,
            })
            .collect();
        let (Some(first), Some(last)) = (suspects.first().map(|s| s.lba), suspects.last().map(|s| s.lba)) else {
            return;
        };
        let own = group.is_none();
        let group = group.unwrap_or_else(|| self.open_group(access, None));
        if self.rereads_left == 0 || self.limits.rereads == 0 {
            for suspect in &mut suspects {
                suspect.again = true;
            }
            self.judge(&mut suspects);
        } else {
            self.rereads_left -= 1;
            let work = Work::Again {
                left: self.limits.rereads,
                suspects,
            };
            // Whole physical sectors of what was read: where they fail now, that is what fails.
            let grain = self.geometry.grain();
            let from = (first / grain * grain).max(access.lba);
            let to = (last + 1).next_multiple_of(grain).min(access.lba + access.sectors);
            self.push(Op::Read, from, to - from, group, work);
        }
        if own {
            self.close_if_done(group);
        }
    }

    /// Whether failing pieces of the zone around this sector are located still: there is a budget for each.
    fn locates(&mut self, lba: u64) -> bool {
        let zone = lba * u64::from(self.geometry.sector) / LOCATE_ZONE;
        if self.located.0 != zone {
            self.located = (zone, 0);
        }
        self.located.1 < self.limits.located_per_gib
    }

    /// Where a piece is halved: at the beginning of a physical sector, wherever the piece begins; `None` of one that is no more than one.
    fn middle(&self, lba: u64, sectors: u64) -> Option<u64> {
        let grain = self.geometry.grain();
        let middle = (lba + sectors / 2).next_multiple_of(grain);
        let middle = if middle < lba + sectors { middle } else { middle - grain };
        (middle > lba).then_some(middle)
    }

    /// A piece that fails: halve it, try the smallest again, or give it up where too much is bad already.
    fn examine(&mut self, op: Op, lba: u64, sectors: u64, group: u64, errno: i32) {
        if !self.locates(lba) && !self.silence.lasted() {
            self.unusable(op, lba, sectors, group, errno);
        } else if let Some(middle) = self.middle(lba, sectors) {
            self.push(op, middle, lba + sectors - middle, group, Work::Halve);
            self.push(op, lba, middle - lba, group, Work::Halve);
        } else if self.limits.rereads == 0 {
            self.unusable(op, lba, sectors, group, errno);
        } else {
            self.push(
                op,
                lba,
                sectors,
                group,
                Work::Retry {
                    left: self.limits.rereads,
                    silence: self.silence.number(),
                },
            );
        }
    }

    /// How often what failed with `left` tries left may still fail, and the silence that it waits in: as often as before where the drive
    /// has been silent since it failed first in the silence of that number, unless somebody waits for the end. A later silence, in which
    /// more than it fails, costs a try.
    pub(super) fn tries_left(&self, left: u32, silence: u64) -> Option<(u32, u64)> {
        if self.stopping.is_none() && self.silence.lasts_since(silence) {
            return Some((left, silence));
        }
        let silence = match self.silence.is_wide() {
            true => self.silence.number(),
            false => silence,
        };
        left.checked_sub(1).filter(|left| *left > 0).map(|left| (left, silence))
    }

    fn unusable(&mut self, op: Op, lba: u64, sectors: u64, group: u64, errno: i32) {
        // What this step has met before costs nothing: seeks come to the same bad sectors again and again.
        let step = self.step_at().0;
        let known = (lba..lba + sectors).all(|lba| self.evidence.defects.covers(step, lba));
        self.located.1 += u32::from(!known);
        let fault = if op == Op::Write {
            Fault::Write { errno }
        } else {
            Fault::Read { errno }
        };
        if let Some(group) = self.groups.get_mut(&group) {
            group.unusable += sectors;
        }
        for lba in lba..lba + sectors {
            if !self.known(lba) {
                self.defect(lba, fault);
            }
        }
    }

    fn judge(&mut self, suspects: &mut [Suspect]) {
        suspects.sort_by_key(|s| s.lba);
        let mut doubtful = false;
        for suspect in suspects {
            let fault = suspect.seen();
            doubtful |= fault.may_be_memory();
            self.defect(suspect.lba, fault);
        }
        if doubtful {
            self.doubt_memory();
        }
    }

    /// What was told of the headers' places before this session wrote them again.
    pub(crate) fn lost(&mut self, headless: Headless) {
        for unread in headless.unread {
            let end = if unread.once { NOT_REPRODUCED } else { OVERWRITTEN };
            let text = format!("a read of this job's header: {}; {end}", errno_text(unread.errno));
            self.incident(FaultKind::Transient, Some(unread.lba), 1, text);
        }
        // Sectors that lost what was flushed to them.
        let new = |(lba, _): &(u64, Fault)| !self.known(*lba);
        let new: Vec<(u64, Fault)> = headless.lost.into_iter().filter(new).collect();
        for (lba, fault) in &new {
            self.defect(*lba, *fault);
        }
        if new.iter().any(|(_, fault)| fault.may_be_memory()) {
            self.doubt_memory();
        }
    }

    fn defect(&mut self, lba: u64, fault: Fault) {
        let visit = self.visit(lba);
        let known = self.evidence.defects.covers(visit.step, lba);
        self.tally.takes_up(visit.step, &self.evidence.defects);
        let counted = self.evidence.defects.add_one(visit, lba, fault);
        if counted && !visit.again {
            self.count_ahead(lba, fault.class());
        }
        if counted || (!known && self.evidence.defects.covers(visit.step, lba)) {
            self.count_bad(lba, fault);
        }
        // Where the host's memory is known as bad, more of what that makes changes nothing.
        if self.evidence.memory.bad == 0 || !fault.may_be_memory() {
            self.tally.doubt();
        }
        self.unsaved_findings = true;
        self.untold_findings = true;
    }

    /// What was seen so far, with what is under examination as it was seen: what may show only once is not forgotten where the job is
    /// stopped before it was looked at again.
    pub(super) fn as_it_stands(&self) -> Evidence {
        self.with_suspects(|lba| self.visit(lba))
    }

    /// What was seen so far, with what is under examination as it was seen; `visit`: how the step comes to a sector.
    pub(super) fn with_suspects(&self, visit: impl Fn(u64) -> Visit) -> Evidence {
        let mut evidence = self.evidence.clone();
        let flying = self.flights.values().filter_map(|flight| match &flight.kind {
            Kind::Detour(detour) => Some(detour),
            Kind::Sweep | Kind::Flush(_) => None,
        });
        for detour in self.detours.iter().chain(flying) {
            let Work::Again { suspects, .. } = &detour.work else {
                continue;
            };
            for suspect in suspects {
                evidence
                    .defects
                    .add_one(visit(suspect.lba), suspect.lba, suspect.seen());
            }
        }
        for group in self.groups.values() {
            if let Some(errno) = group.errno {
                let text = group.text(errno, NOT_TRIED_AGAIN);
                evidence.incident(self.incident_at(group.kind(errno), Some(group.first), group.sectors, text));
            }
        }
        if let Some(balked) = self.balked {
            evidence.incident(self.incident_at(FaultKind::Transient, None, 0, balked.text(NOT_TRIED_AGAIN)));
        }
        evidence
    }

    /// Whether a sector is already known as unwritable by the step that wrote: then reading it can prove nothing new.
    fn known(&self, lba: u64) -> bool {
        self.holds
            .is_some_and(|holds| self.evidence.defects.covers(holds.step, lba))
    }

    fn open_group(&mut self, access: Access, errno: Option<i32>) -> u64 {
        let id = self.group_next;
        self.group_next += 1;
        self.untold_findings = true;
        self.groups.insert(
            id,
            Group {
                first: access.lba,
                sectors: access.sectors,
                open: 0,
                unusable: 0,
                errno,
                op: access.op,
            },
        );
        id
    }

    fn push(&mut self, op: Op, lba: u64, sectors: u64, group: u64, work: Work) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.open += 1;
        }
        let due = match work {
            Work::Retry { .. } => self.turned + PATIENCE,
            Work::Halve | Work::Again { .. } => self.turned,
        };
        self.detours.push(Detour {
            op,
            lba,
            sectors,
            due,
            group,
            work,
        });
    }

    /// No more is examined: what failed by itself and is not done counts as bad as it stands, and what differed as it was seen.
    pub(super) fn book_open_groups(&mut self) {
        let flying = std::mem::take(&mut self.flights).into_values();
        let flying = flying.filter_map(|flight| match flight.kind {
            Kind::Detour(detour) => Some(detour),
            Kind::Sweep | Kind::Flush(_) => None,
        });
        let open: Vec<Detour> = std::mem::take(&mut self.detours).into_iter().chain(flying).collect();
        let groups = std::mem::take(&mut self.groups);
        let mut untried = BTreeSet::new();
        for detour in open {
            let Some(group) = groups.get(&detour.group) else {
                continue;
            };
            match (detour.work, group.errno) {
                (Work::Again { mut suspects, .. }, _) => self.judge(&mut suspects),
                // What never failed by itself, nor by the medium's word, may be good: an error of the link fails once.
                (Work::Halve, Some(errno)) if group.op != Op::Trim && !is_own_word(errno) => {
                    untried.insert(detour.group);
                }
                (Work::Halve | Work::Retry { .. }, Some(errno)) if group.op != Op::Trim => {
                    let fault = match group.op {
                        Op::Write => Fault::Write { errno },
                        Op::Read | Op::Flush | Op::Trim => Fault::Read { errno },
                    };
                    for lba in detour.lba..detour.lba + detour.sectors {
                        if !self.known(lba) {
                            self.defect(lba, fault);
                        }
                    }
                }
                (Work::Halve | Work::Retry { .. }, _) => {}
            }
        }
        for (id, group) in &groups {
            let Some(errno) = group.errno else { continue };
            let (kind, text) = match group.op {
                Op::Trim => trim::seen(errno, GIVEN_UP),
                Op::Read | Op::Write | Op::Flush if untried.contains(id) && group.unusable == 0 => {
                    (group.kind(errno), group.text(errno, NOT_TRIED_AGAIN))
                }
                Op::Read | Op::Write | Op::Flush => continue,
            };
            self.incident(kind, Some(group.first), group.sectors, text);
        }
    }

    /// No more is examined, since the step is given up: what failed counts as seen once.
    pub(super) fn give_up_open_groups(&mut self) {
        for (_, group) in std::mem::take(&mut self.groups) {
            if let Some(errno) = group.errno {
                let text = group.text(errno, GIVEN_UP);
                self.incident(group.kind(errno), Some(group.first), group.sectors, text);
            }
        }
        self.detours.clear();
    }

    fn settle(&mut self, group: u64) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.open = group.open.saturating_sub(1);
        }
    }

    fn close_if_done(&mut self, id: u64) {
        if self.groups.get(&id).is_none_or(|group| group.open > 0) {
            return;
        }
        // What was told of it while it was open may be no more.
        self.untold_findings = true;
        if let Some(group) = self.groups.remove(&id)
            && let (0, Some(errno)) = (group.unusable, group.errno)
        {
            let text = group.text(errno, NOT_REPRODUCED);
            self.incident(group.kind(errno), Some(group.first), group.sectors, text);
        }
    }
}
