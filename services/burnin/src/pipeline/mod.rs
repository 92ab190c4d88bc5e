//! Decides what a burn-in does next: a pure state machine that takes the time as an argument.
//!
//! ```text
//!  a session:  [headers] ─► step ─► step ─► … ─► [the headers' places] ─► over
//!  Probe:      write points ─► flush ─► read points
//!  Write:      [recheck after a resume] ─► write all ─► flush
//!  Verify:     read all and compare            Seek: likewise at random places for a time
//!  Trim:       trim all but headers ─► flush   TrimCheck, Scan: read all
//! ```
//!
//! The shell ([`crate::runner`]) asks [`Pipeline::next`] for requests while slots are
//! free, tells what came of each with [`Pipeline::complete`], calls [`Pipeline::tick`] at
//! least once a second, and carries [`Pipeline::reports`] to whoever listens. Nothing here
//! reads a clock, a file or a buffer.
//!
//! What must stay true, and is held by `tests/resume/` over random kills and power cuts:
//! - a checkpoint's frontier covers only sectors whose access came back *before* the flush began;
//! - verify begins only after a flush that covers every write;
//! - a job that keeps headers has no checkpoint before a flush that covers them, and each later session none while it writes
//!   them again, but the one that it went on from;
//! - an access under way, or under examination, holds the frontier below it;
//! - what is under examination stands in each checkpoint, in what is told, and at a stop, as it was seen ([`detour`]).
//!
//! A failing block is halved down to the physical sector, a differing one is read again
//! ([`detour`]); both are bounded by [`Limits`].

mod ahead;
mod begin;
mod course;
mod detour;
mod flight;
mod flush;
mod incident;
mod leg;
mod memory;
mod probe;
mod report;
mod request;
mod silence;
mod tally;
mod visit;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wire::job::{FaultKind, Phase};
use wire::{Bytes, Lba};

use crate::checkpoint::Holds;
use crate::device::{Access, Geometry, Op};
use crate::evidence::{Evidence, Stop};
use crate::findings::{Class, Fault};
use crate::pattern::JobKey;
use crate::playbook::Step;
use crate::worker::{Limits, Report};
use detour::{Detour, Group};
use flight::{Flight, Kind};
use flush::Balked;
use incident::{is_own_word, verb};
use leg::{Area, Leg};
use silence::Silence;
use tally::Tally;

pub use leg::{Content, PROBE_PASS, SAMPLE_PASS, WRITE_PASS};
pub(crate) use probe::{PROBE_RANDOM, places as probe_places};
pub use request::{Error, Outcome, Request};
pub use silence::SILENCE;
pub(crate) use silence::is_answer;
pub(crate) use tally::is_weighed;

/// Longest time between two calls that is not taken for a pause of this process.
///
/// The shell calls at least once a second; a longer gap means that the process or the whole
/// machine stood still, and must not be charged to the drive.
const PAUSE: Duration = Duration::from_secs(2);

/// How much time of accesses may be spent on failing ones without one between them that brings something. A drive that is "becoming
/// ready" for ever fails each after three minutes, so none of them hangs, and 20,000 errors would take weeks. Chosen.
const BARREN: Duration = Duration::from_hours(1);

/// The kernel's error for an access that the drive refuses because another computer has reserved it, and for nothing else.
///
/// Source: `block/blk-core.c`, `BLK_STS_RESV_CONFLICT` (before 6.5 `BLK_STS_NEXUS`): SCSI's RESERVATION CONFLICT, NVMe's likewise.
const RESERVED: i32 = libc::EBADE;

/// Why nothing more is written to a drive that the kernel was told to protect.
const READ_ONLY: &str = "this computer was told meanwhile to let nothing be written to the drive (as by blockdev --setro): let it be written \
                         to again, and go on";

/// Failing or differing blocks under examination at once; the sweep waits for the rest.
const DETOURS_MAX: usize = 32;

/// One burn-in under way.
pub struct Pipeline {
    key: JobKey,
    geometry: Geometry,
    limits: Limits,
    steps: Vec<Step>,
    /// Sectors of one access.
    block: u64,
    /// Accesses that may be under way at once.
    slots: u64,
    /// Whether the order gave a header to keep on the drive.
    headed: bool,
    /// The step under way: index into the evidence's records.
    at: usize,
    /// What was written last over the whole drive, or is being written.
    holds: Option<Holds>,
    /// The stretches of the step under way.
    legs: Vec<Leg>,
    leg: usize,
    /// Whether the headers' places are given the last pattern: the very end.
    closing: bool,
    /// The step that waits for the parent's own steps before it.
    awaiting: Option<u16>,
    cursor: u64,
    flights: BTreeMap<usize, Flight>,
    detours: Vec<Detour>,
    groups: BTreeMap<u64, Group>,
    group_next: u64,
    /// Trim check: sectors that kept their data in pieces that came back before one in front of them, by position in the sweep.
    kept_ahead: BTreeMap<u64, u64>,
    /// Bad sectors that were counted without a place, by the position of their block and class: those before the frontier are left out.
    counted_ahead: BTreeMap<(u64, Class), u64>,
    /// Frontier of the running step that this session resumed at: what lies before was looked at already.
    resumed_at: u64,
    /// Frontier of the running step that the last flush made durable.
    durable: u64,
    /// Whether the end of the running write leg has been flushed.
    flushed: bool,
    errors: u64,
    /// Time of all accesses that failed since one brought something, and none of which told anything of the medium.
    barren: Duration,
    silence: Silence,
    rereads_left: u32,
    /// Whether the host's buffers are to be tested before anything new is begun, and how often that may still be.
    memory_doubted: bool,
    memory_tests_left: u32,
    /// The GiB that the step last located in, and how many sectors there that it had not met before.
    located: (u64, u32),
    /// Whether a trim of this session went well: what fails from then on is no refusal, but by the kernel's own word.
    took_trim: bool,
    /// Whether one of an earlier session did. The drive may hang on another bridge since, which takes none.
    took_trim_before: bool,
    /// Whether it went on after an interruption, and no verify has ended since.
    unread: bool,
    stopping: Option<String>,
    /// Why nothing new is begun for now: heat, or a person.
    held: Option<String>,
    /// The limit of pace in force, in bytes a second above 0.
    limit: Option<u64>,
    over: bool,
    evidence: Evidence,
    /// `None` once its drive has proved itself.
    opening: Option<begin::Opening>,
    reports: Vec<Report>,
    turned: Duration,
    moved_at: Duration,
    checkpoint_at: Duration,
    checkpoint_bytes: u64,
    /// Bytes of writes that were begun, and that no flush covers which went well or is under way.
    unflushed: u64,
    /// A flush that failed and is to be tried again.
    balked: Option<Balked>,
    /// Bytes that all checkpoints of this session cost their medium, and the last.
    spent: (u64, u64),
    /// Sums of the last one's rows: what has not changed is not written again.
    settled: Vec<u32>,
    began: Duration,
    /// How much is bad by now, and what it comes to.
    tally: Tally,
    unsaved_findings: bool,
    untold_findings: bool,
    /// When findings were told last; `None` before the first.
    findings_told_at: Option<Duration>,
    told_at: Duration,
    /// Percent of the whole that were told last: a later estimate takes none of them back.
    told_percent: f64,
    moved: u64,
    rates: VecDeque<(Duration, u64)>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("leg", &self.legs.get(self.leg))
            .field("cursor", &self.cursor)
            .field("durable", &self.durable)
            .field("flights", &self.flights.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// The next request for a free slot; `None` when there is nothing to do until something comes back.
    pub fn next(&mut self, now: Duration, slot: usize) -> Option<Request> {
        self.turn(now);
        if self.over || self.memory_doubted || self.is_at_first_fault() || self.flights.contains_key(&slot) {
            return None;
        }
        let rests = self.stopping.is_some() || self.held.is_some() || self.awaiting.is_some();
        // Before any flush, which would only fail, too.
        if !rests && self.awaits_an_answer() {
            return self.ask_again(now, slot);
        }
        if let Some(flush) = self.next_flush(now, slot) {
            return Some(flush);
        }
        if rests {
            return None;
        }
        let detour_under_way = self.flights.values().any(|f| matches!(f.kind, Kind::Detour(_)));
        if !detour_under_way && let Some(last) = self.detours.iter().rposition(|d| d.due <= now) {
            return self.fly_detour(now, slot, last);
        }
        self.fly_sweep(now, slot)
    }

    /// Begins the detour at this place of those that wait.
    fn fly_detour(&mut self, now: Duration, slot: usize, at: usize) -> Option<Request> {
        let content = self.legs.get(self.leg)?.content;
        let detour = self.detours.remove(at);
        let access = Access {
            slot,
            op: detour.op,
            lba: detour.lba,
            sectors: detour.sectors,
        };
        Some(self.fly(now, Request { access, content }, Kind::Detour(detour)))
    }

    /// Begins the next piece of the leg, where that may be.
    fn fly_sweep(&mut self, now: Duration, slot: usize) -> Option<Request> {
        let leg = self.legs.get(self.leg)?;
        if self.at_end() || self.groups.len() >= DETOURS_MAX || self.outruns_flush(now) {
            return None;
        }
        let (lba, sectors, cursor) = leg.area.piece(self.cursor, self.block, self.geometry);
        let access = Access {
            slot,
            op: leg.op,
            lba,
            sectors,
        };
        let content = leg.content;
        self.cursor = cursor;
        Some(self.fly(now, Request { access, content }, Kind::Sweep))
    }

    /// Takes what came of the request in `slot`.
    pub fn complete(&mut self, now: Duration, slot: usize, outcome: Outcome) {
        self.turn(now);
        let Some(flight) = self.flights.remove(&slot) else {
            return;
        };
        if self.over {
            return;
        }
        let access = flight.request.access;
        let took = now.saturating_sub(flight.began);
        let (flushed, own) = self.waited(now, &flight);
        if access.op == Op::Flush && matches!(outcome, Outcome::Done) {
            // In whole seconds, so that it hardly ever changes a checkpoint.
            let own = Duration::from_secs(own.as_secs());
            self.evidence.longest_flush = self.evidence.longest_flush.max(own);
        }
        // A flush empties the whole cache, and is judged by itself. A trim of much at once may take long, too.
        if matches!(access.op, Op::Read | Op::Write) && own >= Duration::from_millis(self.limits.slow_ms) {
            let text = format!("{} took {:.1} s", verb(access.op), own.as_secs_f64());
            self.incident(FaultKind::Slow, Some(access.lba), access.sectors, text);
        }
        if let Outcome::Changed { bytes } = outcome {
            let (kind, text, stop) = if bytes == 0 {
                (
                    FaultKind::Disconnect,
                    "the drive went away".to_owned(),
                    Stop::Disconnected,
                )
            } else {
                let now = Bytes(bytes);
                (
                    FaultKind::Reset,
                    format!("the drive tells another capacity: {now}"),
                    Stop::Resized { bytes: now },
                )
            };
            self.incident(kind, None, 0, text);
            self.finish(Some(stop));
            return;
        }
        // It refused, and nothing failed: no error, and nothing to try again while another computer may be writing to it.
        if outcome == (Outcome::Failed { errno: RESERVED }) {
            let verb = verb(access.op);
            self.reports.push(Report::Log {
                text: format!("another computer has reserved the drive, which refuses {verb}"),
            });
            self.finish(Some(Stop::Reserved));
            return;
        }
        // The kernel refused it and asked the drive nothing. Source: `block/fops.c`, `blkdev_write_iter`; no `BLK_STS_` stands for it.
        if access.op != Op::Read && outcome == (Outcome::Failed { errno: libc::EPERM }) {
            self.broke(READ_ONLY.to_owned());
            return;
        }
        if self.is_barren(access, took, &outcome) {
            let text = "for an hour of accesses each one failed, and none told of the medium".to_owned();
            self.incident(FaultKind::Hang, Some(access.lba), access.sectors, text);
            self.finish(Some(Stop::Hung));
            return;
        }
        self.silence.heard(now, took, access, &outcome);
        match flight.kind {
            Kind::Flush(flush) => self.after_flush(now, flush, &outcome),
            Kind::Sweep => {
                match &outcome {
                    Outcome::Failed { errno } if access.op == Op::Trim => self.trim_failed(access, *errno),
                    Outcome::Failed { .. } => {}
                    Outcome::Done
                    | Outcome::Differs(_)
                    | Outcome::Gone
                    | Outcome::Kept(_)
                    | Outcome::Changed { .. } => {
                        self.took_trim |= access.op == Op::Trim;
                        self.measure(now, access, (took, took.saturating_sub(flushed)));
                    }
                }
                if access.op != Op::Trim {
                    self.first_look(access, outcome);
                }
            }
            Kind::Detour(detour) => self.second_look(detour, outcome),
        }
        self.proceed(now);
    }

    /// Whether nothing has gone well for so long that nothing will.
    fn is_barren(&mut self, access: Access, took: Duration, outcome: &Outcome) -> bool {
        if matches!(access.op, Op::Read | Op::Write) {
            self.barren = match outcome {
                Outcome::Failed { errno } if !is_own_word(*errno) => self.barren + took,
                Outcome::Failed { .. }
                | Outcome::Done
                | Outcome::Differs(_)
                | Outcome::Gone
                | Outcome::Kept(_)
                | Outcome::Changed { .. } => Duration::ZERO,
            };
        }
        self.barren >= BARREN
    }

    /// Looks at the clock: time-outs, progress, checkpoints. To be called at least once a second.
    pub fn tick(&mut self, now: Duration) {
        self.turn(now);
        if self.over {
            return;
        }
        if let Some((access, patience)) = self.hung(now) {
            let waited = patience.as_secs();
            let text = format!("{} has not come back for {waited} s", verb(access.op));
            self.incident(
                FaultKind::Hang,
                (access.op != Op::Flush).then_some(access.lba),
                access.sectors,
                text,
            );
            self.finish(Some(Stop::Hung));
            return;
        }
        if let Some(why) = self.stopping.clone()
            && let Some((access, held)) = self.held_at_end(now)
        {
            self.evidence.held = Some(format!(
                "{} at {} had not come back for {} s when the job was ended",
                verb(access.op),
                Lba(access.lba),
                held.as_secs()
            ));
            self.finish(Some(Stop::Asked { why }));
            return;
        }
        self.proceed(now);
        self.tell(now);
    }

    /// Asks for a checkpoint and the end; accesses under way are waited for, but for those that the drive holds for too long.
    pub fn stop(&mut self, now: Duration, why: &str) {
        self.turn(now);
        self.stopping.get_or_insert_with(|| why.to_owned());
        self.proceed(now);
    }

    /// Begins nothing new until [`Pipeline::release`]; what is under way comes back, a checkpoint is taken, and from then
    /// on time is charged to nobody.
    pub fn hold(&mut self, now: Duration, why: &str) {
        self.turn(now);
        if self.held.is_none() && !self.over {
            self.reports.push(Report::Log {
                text: format!("{}: on hold: {why}", self.phase().label()),
            });
            self.held = Some(why.to_owned());
        }
    }

    /// Goes on after [`Pipeline::hold`].
    pub fn release(&mut self, now: Duration) {
        self.turn(now);
        if self.held.take().is_some() && !self.over {
            self.moved_at = now;
            self.rates.clear();
            self.rates.push_back((now, self.moved));
            self.reports.push(Report::Log {
                text: format!("{}: goes on", self.phase().label()),
            });
        }
    }

    /// Notes how fast the shell lets it go from now on, in bytes a second; 0: not at all.
    pub fn allow(&mut self, rate: Option<u64>) {
        // What comes back while nothing may begin was begun at the rate before.
        if rate != Some(0) {
            self.limit = rate;
        }
    }

    /// Whether somebody asked for the end: only flushes are begun from then on.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Our own machinery failed: ends at once, at the last checkpoint.
    pub fn broke(&mut self, why: String) {
        if !self.over {
            self.finish(Some(Stop::Engine { why }));
        }
    }

    /// What there is to tell since the last call.
    pub fn reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Whether nothing more will be asked for. Accesses may still be under way after a hang.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Everything seen so far.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What legs are made for.
    fn drive(&self) -> leg::Drive {
        leg::Drive {
            geometry: self.geometry,
            block: self.block,
            trim: self.limits.trim_bytes / u64::from(self.geometry.sector),
            key: self.key,
        }
    }

    /// Number and phase of the step under way.
    fn step_at(&self) -> (u16, Phase) {
        let records = &self.evidence.phases;
        let record = records.get(self.at).or(records.last());
        record.map_or((0, Phase::Verify), |record| (record.step, record.phase))
    }

    /// The phase under way.
    fn phase(&self) -> Phase {
        self.step_at().1
    }

    fn record(&mut self) -> Option<&mut crate::evidence::Record> {
        self.evidence.phases.get_mut(self.at)
    }

    /// Whether the running leg changes what the drive holds.
    fn writes_data(&self) -> bool {
        self.legs
            .get(self.leg)
            .is_some_and(|leg| matches!(leg.op, Op::Write | Op::Trim))
    }

    /// Whether this session's headers are still being written. No checkpoint is handed out meanwhile: whoever went on from one
    /// could not tell the drive from another one.
    fn opens_headers(&self) -> bool {
        let writes = |leg: &Leg| leg.aside && leg.op == Op::Write;
        !self.closing && self.legs.get(self.leg).is_some_and(writes)
    }

    /// Whether the running leg has no further piece to begin.
    fn at_end(&self) -> bool {
        let Some(leg) = self.legs.get(self.leg) else {
            return false;
        };
        if let Area::Random { .. } = leg.area
            && let Some(record) = self.evidence.phases.get(self.at)
        {
            let due = record.work.seconds.saturating_mul(u64::from(record.rounds) + 1);
            return record.seconds >= due as f64 || self.cursor >= self.limits.seeks_max;
        }
        self.cursor >= leg.area.end()
    }

    /// Whether every piece of the leg has come back and been examined.
    fn swept(&self) -> bool {
        let examined = self.detours.is_empty() && self.groups.is_empty() && !self.memory_doubted;
        self.awaiting.is_none() && self.at_end() && examined && !self.busy()
    }

    /// Sectors of the running step that are done, in the order of its sweep.
    fn frontier(&self) -> u64 {
        let Some(leg) = self.legs.get(self.leg) else {
            return self.geometry.sectors;
        };
        match &leg.area {
            _ if leg.aside => self.durable,
            Area::Points(_) | Area::Stretch { .. } | Area::Random { .. } => 0,
            Area::Range { .. } => {
                let position = |lba, sectors| leg.area.position(lba, sectors, self.geometry);
                let flying = self.flights.values().filter(|f| matches!(f.kind, Kind::Sweep));
                let lowest = flying
                    .map(|f| position(f.request.access.lba, f.request.access.sectors))
                    .chain(self.groups.values().map(|g| position(g.first, g.sectors)))
                    .min();
                lowest.unwrap_or(self.cursor).min(self.cursor)
            }
        }
    }

    /// Time passes. A gap in which this process stood still is charged to nobody.
    fn turn(&mut self, now: Duration) {
        let gap = now.saturating_sub(self.turned);
        self.turned = now;
        if gap > PAUSE {
            for flight in self.flights.values_mut() {
                flight.began += gap;
                flight.served += gap;
            }
            self.moved_at += gap;
            if let Some(at) = self.rates.back().map(|(at, _)| *at) {
                let moved = self.moved;
                self.rates.clear();
                self.rates.push_back((at + gap, moved));
            }
        } else if !self.over
            && ((self.held.is_none() && self.awaiting.is_none()) || !self.flights.is_empty())
            && let Some(record) = self.record()
        {
            record.seconds += gap.as_secs_f64();
        }
    }

    fn bytes(&self, access: Access) -> u64 {
        access.sectors * u64::from(self.geometry.sector)
    }

    /// Books a piece that came back: zone, latency, bytes. `alone`: what it took without the flushes that it waited for.
    fn measure(&mut self, now: Duration, access: Access, (took, alone): (Duration, Duration)) {
        let bytes = self.bytes(access);
        let since = now.saturating_sub(self.moved_at).min(took);
        self.moved_at = now;
        self.moved += bytes;
        self.checkpoint_bytes += bytes;
        let sectors = self.geometry.sectors;
        let at = access.lba * u64::from(self.geometry.sector);
        let limit = self.limit;
        if let Some(record) = self.record() {
            record.allowed.add(access.lba, sectors, bytes, since, limit);
            record
                .zones
                .add((access.lba, access.sectors), sectors, bytes, since, took);
            record.stretches.add(at, bytes, since, took);
            if record.work.soak.is_some() {
                record.by_round.add(access.lba, sectors, bytes, since, limit);
            }
            record.timed(now, took, alone);
        }
    }

    /// Trimmed sectors were read, and so many of them kept their data.
    fn keeps(&mut self, access: Access, sectors: u64) {
        let Some(leg) = self.legs.get(self.leg) else { return };
        let position = leg.area.position(access.lba, access.sectors, self.geometry);
        self.kept_ahead.insert(position, sectors);
        // Each further checkpoint has the others before its frontier.
        self.kept_ahead = self.kept_ahead.split_off(&self.frontier());
        if let Some(record) = self.record() {
            record.keeps = record.keeps.saturating_add(sectors);
            record.kept = record.kept.max(record.keeps);
        }
    }
}
