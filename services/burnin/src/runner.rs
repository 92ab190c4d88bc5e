//! Carries the pipeline's requests to a device and its results back: the loop of one burn-in.
//!
//! Here sectors are filled and compared; nothing is decided. One thread, one device.

use std::io;
use std::time::Duration;

use crate::device::{Access, Device, Done, Geometry, Op};
use crate::evidence::Evidence;
use crate::findings::Fault;
use crate::pattern::{Pattern, Seen, UNIT};
use crate::pipeline::{self, Outcome, Pipeline, Request};
use crate::worker::{Order, Report};

/// Longest wait for the drive before listening to the caller again.
const WAIT: Duration = Duration::from_millis(250);

/// How long accesses under way are waited for after the end, so that their buffers can be freed.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs an order to its end and returns what was seen.
///
/// `engine` is a line about how the drive is reached. `asked` is called several times a
/// second and says why to stop, once somebody asked for it; `emit` takes each report.
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
    let pattern = Pattern::new(order.key);
    let engine = format!("{:?} pattern, {engine}", pattern.kernel()).to_lowercase();
    let mut pipeline = Pipeline::new(order, &engine, device.now())?;
    let mut flying: Vec<Option<Request>> = vec![None; device.slots()];
    while !pipeline.is_over() {
        if let Err(error) = turn(device, &pattern, order.geometry, &mut pipeline, &mut flying, asked) {
            pipeline.broke(error.to_string());
        }
        pipeline.reports().into_iter().for_each(&mut *emit);
    }
    let until = device.now() + DRAIN;
    while flying.iter().any(Option::is_some) && device.now() < until {
        match device.wait(WAIT) {
            Ok(Some(done)) => flying[done.slot] = None,
            Ok(None) => {}
            Err(_) => break,
        }
    }
    Ok(pipeline.evidence().clone())
}

/// Fills every free slot, waits for one access, hands its result over.
fn turn(
    device: &mut dyn Device,
    pattern: &Pattern,
    geometry: Geometry,
    pipeline: &mut Pipeline,
    flying: &mut [Option<Request>],
    asked: &mut dyn FnMut() -> Option<String>,
) -> io::Result<()> {
    let now = device.now();
    if let Some(why) = asked() {
        pipeline.stop(now, &why);
    }
    for slot in 0..flying.len() {
        if flying[slot].is_none()
            && let Some(request) = pipeline.next(now, slot)
        {
            if request.access.op == Op::Write {
                let words = words(request.access, geometry);
                pattern.fill(&mut device.buffer(slot)[..words], request.access.lba * geometry.units(), request.pass);
            }
            flying[slot] = Some(request);
            device.submit(request.access)?;
        }
    }
    pipeline.tick(device.now());
    if pipeline.is_over() {
        return Ok(());
    }
    let Some(done) = device.wait(WAIT)? else { return Ok(()) };
    let now = device.now();
    if let Some(request) = flying.get_mut(done.slot).and_then(Option::take) {
        let outcome = inspect(device, pattern, geometry, request, done);
        pipeline.complete(now, done.slot, outcome);
    }
    Ok(())
}

fn words(access: Access, geometry: Geometry) -> usize {
    (access.sectors * u64::from(geometry.sector)) as usize / 8
}

/// Turns a result into an outcome: compares what was read, asks the size after an error.
fn inspect(device: &mut dyn Device, pattern: &Pattern, geometry: Geometry, request: Request, done: Done) -> Outcome {
    let access = request.access;
    let due = access.sectors * u64::from(geometry.sector);
    let failed = match done.result {
        Ok(_) if access.op == Op::Flush => return Outcome::Done,
        Ok(bytes) if bytes == due => None,
        // Less than asked for: a drive that shrank, or an error in the middle. Asking again tells which.
        Ok(_) => Some(libc::EIO),
        Err(errno) => Some(errno),
    };
    if let Some(errno) = failed {
        let bytes = device.size();
        return if bytes == geometry.bytes() { Outcome::Failed { errno } } else { Outcome::Changed { bytes } };
    }
    if access.op == Op::Write {
        return Outcome::Done;
    }
    let data = &device.buffer(done.slot)[..words(access, geometry)];
    let bad = compare(pattern, data, access.lba, request.pass, geometry);
    if bad.is_empty() { Outcome::Done } else { Outcome::Differs(bad) }
}

/// The sectors of `data`, read from `lba` on, that are not what `pass` wrote there.
pub fn compare(pattern: &Pattern, data: &[u64], lba: u64, pass: u8, geometry: Geometry) -> Vec<(u64, Fault)> {
    let units = geometry.units();
    let first = lba * units;
    let mut bad = Vec::new();
    let mut from = 0;
    while let Some(at) = pattern.differs(data, from, first, pass) {
        let sector = lba + at as u64 / units;
        let unit = &data[at * UNIT / 8..(at + 1) * UNIT / 8];
        if let Some(seen) = pattern.decode(unit, first + at as u64, pass) {
            bad.push((sector, fault(seen, sector, units, pass)));
        }
        from = ((sector - lba + 1) * units) as usize;
    }
    bad
}

fn fault(seen: Seen, sector: u64, units: u64, pass: u8) -> Fault {
    match seen {
        Seen::Flips { bits } => Fault::Flips { bits },
        Seen::Torn { .. } => Fault::Torn,
        Seen::Zeros => Fault::Zeros,
        Seen::Ones => Fault::Ones,
        Seen::Foreign => Fault::Foreign,
        Seen::Of { unit, pass: of } => match (unit / units) as i64 - sector as i64 {
            0 if of == pass => Fault::Torn,
            0 => Fault::Stale { pass: of },
            shift => Fault::Moved { shift, fresh: of == pass },
        },
    }
}
