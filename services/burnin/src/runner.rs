//! Carries the pipeline's requests to a device and its results back: the loop of one burn-in.
//!
//! Here sectors are filled and compared; nothing is decided. One thread, one device.

use std::io;
use std::time::Duration;

use crate::device::{Access, Device, Done, Geometry, Op};
use crate::evidence::{Evidence, Stop};
use crate::findings::Fault;
use crate::header;
use crate::medium::Medium;
use crate::memory::{self, Tested};
use crate::ours;
use crate::pace::Bucket;
use crate::pattern::Kernel;
use crate::pipeline::{self, Outcome, Pipeline, Request};
use crate::sheet::Sheet;
use crate::worker::{Order, Report};
use drive::medium::RECOUNTED;

/// Longest wait for the drive before listening to the caller again.
const WAIT: Duration = Duration::from_millis(250);

/// How long accesses under way are waited for after the end, so that their buffers can be freed.
const DRAIN: Duration = Duration::from_secs(2);

/// How long the drive's size is taken for true while its accesses go well. Asking is a system call, and asked after every
/// access it was a tenth of the engine's CPU time.
const SIZE: Duration = Duration::from_millis(100);
/// How many bytes go by in that time at most: what a fast drive that was exchanged could take of another one's data.
const SIZE_BYTES: u64 = 8 << 20;

/// What the parent asks of a job under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A checkpoint and the end; who or why.
    Stop(String),
    /// No faster than this many bytes a second; `None`: no limit, 0: wait.
    Pace(Option<u64>),
    /// No further access until [`Ask::Release`]; who or why.
    Hold(String),
    /// Go on after [`Ask::Hold`].
    Release,
    /// The drive has proved itself under this count of the kernel's; after [`Report::Recounted`].
    Medium(u64),
    /// Begin this step: what stands before it and is not the worker's was done.
    Go(u16),
}

/// Bytes of which a read's buffer has a word changed beforehand: a page of memory.
const SPOILED: usize = 4096;

/// One burn-in under way on one device.
#[derive(Debug)]
pub struct Session {
    sheet: Sheet,
    geometry: Geometry,
    pipeline: Pipeline,
    flying: Vec<Option<Request>>,
    medium: Medium,
    /// Of writes that wait for a read in their slot: the failures that it answers for.
    asking: Vec<Option<u64>>,
    /// Where the data in each buffer belongs.
    holds: Vec<Option<u64>>,
    bucket: Bucket,
    held: bool,
    /// When the drive was last asked for its size.
    sized_at: Duration,
    /// Bytes that went well since.
    unsized_bytes: u64,
}

impl Session {
    /// Begins an order, or goes on with it. `engine` is a line about how the drive is reached.
    ///
    /// # Errors
    /// When the order cannot be begun.
    pub fn new(device: &dyn Device, order: &Order, engine: &str) -> Result<Self, pipeline::Error> {
        Self::with_kernel(device, order, engine, Kernel::best())
    }

    /// The same with a certain kernel of the pattern, for measuring one beside another.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn with_kernel(
        device: &dyn Device,
        order: &Order,
        engine: &str,
        kernel: Kernel,
    ) -> Result<Self, pipeline::Error> {
        let mut session = Self::unproven(device, order, engine, kernel)?;
        session.pipeline.begins(device.now());
        Ok(session)
    }

    /// One whose drive has not proved itself yet.
    fn unproven(device: &dyn Device, order: &Order, engine: &str, kernel: Kernel) -> Result<Self, pipeline::Error> {
        let sheet = Sheet::new(order, kernel);
        let engine = format!("{} pattern, {engine}", sheet.kernel());
        let pipeline = Pipeline::new(order, &engine, device.now())?;
        let mut session = Self {
            sheet,
            geometry: order.geometry,
            pipeline,
            flying: vec![None; device.slots()],
            medium: Medium::of(order.medium),
            asking: vec![None; device.slots()],
            holds: vec![None; device.slots()],
            bucket: Bucket::new(None),
            held: false,
            sized_at: Duration::ZERO,
            unsized_bytes: 0,
        };
        session.ask(device.now(), Ask::Pace(order.pace));
        Ok(session)
    }

    /// Does what the parent asks.
    pub fn ask(&mut self, now: Duration, ask: Ask) {
        match ask {
            Ask::Stop(why) => self.pipeline.stop(now, &why),
            Ask::Pace(rate) => {
                self.bucket.set_rate(now, rate);
                self.pipeline.allow(rate);
            }
            Ask::Hold(why) => {
                self.held = true;
                self.pipeline.hold(now, &why);
            }
            Ask::Release => self.held = false,
            Ask::Medium(count) => self.medium.proves(count),
            Ask::Go(step) => self.pipeline.go(now, step),
        }
        if self.bucket.rate() == Some(0) {
            self.pipeline.hold(now, "its turn has not come yet");
        } else if !self.held && !self.medium.is_recounted() {
            self.pipeline.release(now);
        }
    }

    /// Whether nothing may be begun now.
    fn waits(&self) -> bool {
        let holds = self.held || self.medium.is_recounted() || self.bucket.rate() == Some(0);
        holds && !self.pipeline.is_stopping()
    }

    /// Fills every free slot, waits for one access, hands its result over; returns what there is to tell.
    pub fn step(&mut self, device: &mut dyn Device) -> Vec<Report> {
        if let Err(error) = self.turn(device) {
            self.pipeline.broke(error.to_string());
        }
        let mut reports = self.pipeline.reports();
        if self.medium.tells() {
            reports.push(Report::Recounted);
        }
        reports
    }

    /// Asks for a checkpoint and the end.
    pub fn stop(&mut self, now: Duration, why: &str) {
        self.pipeline.stop(now, why);
    }

    /// Whether the end was reported.
    pub fn is_over(&self) -> bool {
        self.pipeline.is_over()
    }

    /// Everything seen so far.
    pub fn evidence(&self) -> &Evidence {
        self.pipeline.evidence()
    }

    fn turn(&mut self, device: &mut dyn Device) -> io::Result<()> {
        if self.pipeline.doubts_memory() {
            let told = memory::test(device);
            self.pipeline.memory_tested(device.now(), &told);
        }
        let now = device.now();
        if self.is_recounted(device) {
            self.pipeline.hold(now, RECOUNTED);
        }
        let mut wait = WAIT;
        for slot in 0..self.flying.len() {
            // On hold and at the end only flushes are begun, which no pace holds back.
            let pace = self
                .bucket
                .wait(now)
                .filter(|_| !self.pipeline.is_stopping() && !self.waits());
            if let Some(until) = pace {
                wait = wait.min(until.saturating_sub(now));
                break;
            }
            if self.flying[slot].is_none()
                && let Some(request) = self.pipeline.next(now, slot)
            {
                if matches!(request.access.op, Op::Read | Op::Write) {
                    let bytes = request.access.sectors * u64::from(self.geometry.sector);
                    self.bucket.take(now, bytes);
                }
                self.begin(device, request)?;
            }
        }
        self.pipeline.tick(device.now());
        if self.pipeline.is_over() {
            return Ok(());
        }
        let Some(done) = device.wait(wait)? else { return Ok(()) };
        let now = device.now();
        if let Some(request) = self.flying.get_mut(done.slot).and_then(Option::take) {
            let done = match self.asking[done.slot].take() {
                Some(failures) => match self.refused(device, done, failures) {
                    Some(errno) => Done {
                        result: Err(errno),
                        ..done
                    },
                    None => {
                        self.pipeline.begins_late(now, done.slot);
                        return self.begin(device, request);
                    }
                },
                None => done,
            };
            let sized = self.is_sized(now, request);
            let outcome = inspect(device, &self.sheet, self.geometry, request, done, sized);
            self.heard(request.access, &outcome);
            let steady = match &outcome {
                Outcome::Gone => false,
                Outcome::Differs(bad) => self.is_steady(device, request, bad),
                Outcome::Done | Outcome::Kept(_) | Outcome::Failed { .. } | Outcome::Changed { .. } => true,
            };
            if !steady {
                let told = Tested::unsteady(request.access, device.block() as u64);
                self.pipeline.memory_tested(now, &told);
            }
            self.pipeline.complete(now, done.slot, outcome);
        }
        Ok(())
    }

    /// Begins an access; a write behind a failure with the read that it waits for.
    fn begin(&mut self, device: &mut dyn Device, request: Request) -> io::Result<()> {
        let Request { access, content } = request;
        let slot = access.slot;
        self.flying[slot] = Some(request);
        if let Some((read, failures)) = self.medium.asks(access, self.geometry) {
            self.asking[slot] = Some(failures);
            self.holds[slot] = Some(read.lba);
            return device.submit(read);
        }
        if access.op == Op::Write {
            let words = self.geometry.words(access.sectors);
            self.sheet.fill(&mut device.buffer(slot)[..words], access.lba, content);
        }
        // What the buffer still has of before may be what is expected: a read that brings nothing must not look right.
        if access.op == Op::Read && (content.is_constant() || self.holds[slot] == Some(access.lba)) {
            spoil(&mut device.buffer(slot)[..self.geometry.words(access.sectors)]);
        }
        if matches!(access.op, Op::Read | Op::Write) {
            self.holds[slot] = Some(access.lba);
        }
        device.submit(access)
    }

    /// Whether the kernel counts another medium than the one that may be written.
    fn is_recounted(&mut self, device: &mut dyn Device) -> bool {
        if self.medium.is_counted() {
            self.medium.counts(device.medium());
        }
        self.medium.is_recounted()
    }

    /// With which error a write fails that waited for this read; `None` where it may begin.
    fn refused(&mut self, device: &mut dyn Device, done: Done, failures: u64) -> Option<i32> {
        let failed = match done.result {
            Ok(bytes) => (bytes != u64::from(self.geometry.sector)).then_some(libc::EIO),
            Err(errno) => Some(errno),
        };
        if !self.medium.asked(failures, failed) {
            return failed;
        }
        // As the kernel refused it until it had counted it.
        self.is_recounted(device).then_some(libc::EIO)
    }

    fn heard(&mut self, access: Access, outcome: &Outcome) {
        match outcome {
            Outcome::Failed { errno } => self.medium.heard(access, Some(*errno)),
            Outcome::Done | Outcome::Differs(_) | Outcome::Gone | Outcome::Kept(_) => self.medium.heard(access, None),
            Outcome::Changed { .. } => {}
        }
    }

    /// Whether the drive is asked for its size though the access went well: now and then, before what a flush made durable
    /// is believed, and where nothing else is under way. So it is asked at the end of every stretch, too, before the next.
    fn is_sized(&mut self, now: Duration, request: Request) -> bool {
        self.unsized_bytes += request.access.sectors * u64::from(self.geometry.sector);
        let due = now.saturating_sub(self.sized_at) >= SIZE
            || self.unsized_bytes >= SIZE_BYTES
            || request.access.op == Op::Flush
            || self.flying.iter().all(Option::is_none);
        if due {
            (self.sized_at, self.unsized_bytes) = (now, 0);
        }
        due
    }

    /// Whether a second look at the same bytes in memory sees the same differences: else memory made them.
    fn is_steady(&self, device: &mut dyn Device, request: Request, bad: &[(u64, Fault)]) -> bool {
        let Access { slot, lba, .. } = request.access;
        device.settle(slot);
        let data = &device.buffer(slot)[..self.geometry.words(request.access.sectors)];
        self.sheet.compare(data, lba, request.content).0 == bad
    }

    /// Marks the headers of a job that ended for good before its end: only its verdict is left of it, and no other box may go
    /// on with it. At a first fault that is left to who keeps what is told ([`crate::job::Mark`]).
    fn retire(&mut self, device: &mut dyn Device, order: &Order) {
        let ended = match &self.evidence().stopped {
            Some(Stop::TooManyErrors | Stop::FakeCapacity | Stop::Resized { .. } | Stop::Hung) => true,
            // Its fault is told with its end: a mark before that is kept would leave a drive that failed, and nobody who knows.
            Some(Stop::FirstFault) => false,
            // It goes on from its checkpoint, or the drive is not there, or nothing more may be done to it.
            Some(
                Stop::Asked { .. } | Stop::Engine { .. } | Stop::Stranger { .. } | Stop::Disconnected | Stop::Reserved,
            )
            | None => false,
        };
        if ended && order.header.is_some() && self.flying.iter().all(Option::is_none) {
            header::retire(device, self.geometry, order.key);
        }
    }

    /// Waits a little for accesses under way, so that their buffers can be freed.
    fn drain(&mut self, device: &mut dyn Device) {
        let until = device.now() + DRAIN;
        while self.flying.iter().any(Option::is_some) && device.now() < until {
            match device.wait(WAIT) {
                Ok(Some(done)) => self.flying[done.slot] = None,
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
}

/// Changes a word of each page, which is what a controller moves at a time.
fn spoil(data: &mut [u64]) {
    for word in data.iter_mut().step_by(SPOILED / size_of::<u64>()) {
        *word = !*word;
    }
}

/// Runs an order to its end and returns what was seen.
///
/// `asked` is called several times a second and says why to stop, once somebody asked for
/// it; `emit` takes each report. A [`Report::Yield`] is answered as soon as `emit` returns: the caller's own steps are to
/// be done in it.
///
/// # Errors
/// When the order cannot be begun. Whatever happens afterwards is in the evidence.
pub fn run(
    device: &mut dyn Device,
    order: &Order,
    engine: &str,
    asked: &mut dyn FnMut() -> Option<String>,
    emit: &mut dyn FnMut(Report),
) -> Result<Evidence, pipeline::Error> {
    let mut stopped = false;
    let waiting = std::cell::Cell::new(None);
    let mut asked = || {
        if let Some(step) = waiting.take() {
            return Some(Ask::Go(step));
        }
        let why = asked().filter(|_| !stopped)?;
        stopped = true;
        Some(Ask::Stop(why))
    };
    let mut emit = |report: Report| {
        if let Report::Yield { step } = report {
            waiting.set(Some(step));
        }
        emit(report);
    };
    run_asked(device, order, engine, &mut asked, &mut emit)
}

/// As [`run`], with everything that can be asked; `asked` is called until it has nothing more to ask.
///
/// # Errors
/// As [`run`].
pub fn run_asked(
    device: &mut dyn Device,
    order: &Order,
    engine: &str,
    asked: &mut dyn FnMut() -> Option<Ask>,
    emit: &mut dyn FnMut(Report),
) -> Result<Evidence, pipeline::Error> {
    let mut session = Session::unproven(device, order, engine, Kernel::best())?;
    let mut looked = false;
    while !session.is_over() {
        while let Some(ask) = asked() {
            let stop = matches!(ask, Ask::Stop(_));
            session.ask(device.now(), ask);
            if stop {
                break;
            }
        }
        // Before its turn has come it does not even look at the drive, which may have to spin up for that.
        if !looked && !session.waits() && !session.pipeline.is_stopping() {
            looked = true;
            // What the drive lost of its headers alone tells, before they are written again.
            let looked = match ours::stranger(device, order) {
                Some(why) => Err(why),
                None => ours::headless(device, order),
            };
            match looked {
                Ok(lost) => {
                    session.pipeline.begins(device.now());
                    session.pipeline.lost(lost);
                }
                Err(why) => session.pipeline.broke(why),
            }
        }
        let reports = session.step(device);
        if session.is_over() {
            // Before anybody hears of the end and takes the drive away.
            session.drain(device);
            session.retire(device, order);
        }
        reports.into_iter().for_each(&mut *emit);
    }
    Ok(session.evidence().clone())
}

/// Turns a result into an outcome: compares what was read. The drive is asked for its size where `sized` says so, and
/// wherever something is wrong, so that no other drive's data is held against this one.
fn inspect(
    device: &mut dyn Device,
    sheet: &Sheet,
    geometry: Geometry,
    request: Request,
    done: Done,
    sized: bool,
) -> Outcome {
    let access = request.access;
    let words = geometry.words(access.sectors);
    let due = access.sectors * u64::from(geometry.sector);
    let failed = match done.result {
        Ok(_) if matches!(access.op, Op::Flush | Op::Trim) => None,
        Ok(bytes) if bytes == due => None,
        // Less than asked for: a drive that shrank, or an error in the middle. Asking again tells which.
        Ok(_) => Some(libc::EIO),
        Err(errno) => Some(errno),
    };
    let right = failed.is_none()
        && (access.op != Op::Read || sheet.is_right(&device.buffer(done.slot)[..words], access.lba, request.content));
    if sized || !right {
        let bytes = device.size();
        if !geometry.is_of(bytes) {
            return Outcome::Changed { bytes };
        }
    }
    // A drive that the kernel took offline after it reset it in vain keeps its size. Source: blk-core.c, BLK_STS_OFFLINE.
    if failed == Some(libc::ENODEV) {
        return Outcome::Changed { bytes: 0 };
    }
    if let Some(errno) = failed {
        return Outcome::Failed { errno };
    }
    if right {
        return Outcome::Done;
    }
    match sheet.compare(&device.buffer(done.slot)[..words], access.lba, request.content) {
        (bad, 0) if bad.is_empty() => Outcome::Gone,
        (bad, kept) if bad.is_empty() => Outcome::Kept(kept),
        (bad, _) => Outcome::Differs(bad),
    }
}
