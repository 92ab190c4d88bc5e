//! A burn-in's durable progress: one line of head with a checksum, then two of packed JSON.
//!
//! ```text
//!  kiln-checkpoint 5 CRC32C-IN-HEX LENGTH\n
//!  base64 of deflated {"key":…,"geometry":…,"steps":[…],"step":1,"frontier":123456,"holds":{…},"record":{…}}\n
//!  base64 of deflated evidence, without the record of the step under way
//! ```
//!
//! The sum is that of both. The last line changes with a step or a finding and not on the way, so whoever keeps one checkpoint after
//! another on a medium that wears writes it only where it differs ([`split`]).
//!
//! A text that was cut, changed or comes from another version is an [`Error`] that says
//! so; the caller sets it aside under a dated name and tells it. Everything before
//! `frontier` is on stable storage: the pipeline hands out a checkpoint only after a flush.
//! Tested here, in `tests/resume/`, and by the fuzz target `checkpoint`.

use std::io::{BufWriter, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use wire::job::{Phase, PhaseStatus};

use crate::device::Geometry;
use crate::evidence::{Evidence, INCIDENTS_MAX, Record};
use crate::findings::RUNS_MAX;
use crate::pattern::JobKey;
use crate::playbook::{Fill, STEPS_MAX, Step, moves_data};

/// Version of the layout. An older or newer one is refused, not guessed at.
///
/// 1 knew phases instead of steps, and no second pass; what 2 tells of was written with another base block of the pattern,
/// and what 3 tells of with other tags of a complement. 4 had the evidence in one.
pub const VERSION: u32 = 5;

/// Longest accepted text in bytes: 64 steps' zones and latencies and 4096 runs take less.
pub const TEXT_MAX: usize = 4 << 20;

/// Longest content once unpacked.
const JSON_MAX: u64 = 32 << 20;

/// Fewest bytes that the limit of what a step may have moved is taken from; the capacity where that is more.
const MOVED_MIN: u64 = 1 << 40;

/// Bytes that no seeks move: 144 PB, a hundred times what a day of them has over the widest link.
const SOUGHT_MAX: u64 = 1 << 57;

/// Where a burn-in stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The job's secret.
    pub key: JobKey,
    /// Size and sectors of the drive.
    pub geometry: Geometry,
    /// All steps of the playbook.
    pub steps: Vec<Step>,
    /// The step under way, one that moves data.
    pub step: u16,
    /// Sectors of that step that are done, in the order in which it sweeps.
    pub frontier: u64,
    /// What the drive holds, or is being filled with.
    pub holds: Option<Holds>,
    /// Everything seen so far.
    pub evidence: Evidence,
}

/// The line that changes with each checkpoint: a [`Checkpoint`] with the record of its step for all of the evidence.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    key: JobKey,
    geometry: Geometry,
    steps: Vec<Step>,
    step: u16,
    frontier: u64,
    holds: Option<Holds>,
    record: Option<Record>,
}

/// What was written last over the whole drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Which bytes.
    pub fill: Fill,
    /// In which pass.
    pub pass: u8,
    /// By which step.
    pub step: u16,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not begin as a checkpoint does.
    #[error("no checkpoint: expected `kiln-checkpoint {VERSION} CRC LENGTH` in the first line")]
    Head,
    /// Another version wrote it.
    #[error("checkpoint of version {0}: this engine reads version {VERSION}")]
    Version(String),
    /// It was cut, or something was added.
    #[error("checkpoint of {is} bytes instead of {due}: it was cut or extended")]
    Length {
        /// Bytes there are.
        is: usize,
        /// Bytes its head names.
        due: usize,
    },
    /// Its bytes changed.
    #[error("checkpoint whose checksum is wrong: {is:08x} instead of {due:08x}")]
    Checksum {
        /// Sum of the bytes.
        is: u32,
        /// Sum its head names.
        due: u32,
    },
    /// The sum is right and the content is not.
    #[error("checkpoint with impossible content: {0}")]
    Content(String),
    /// It belongs to another job.
    #[error("checkpoint of another job: {0} differs")]
    Other(&'static str),
}

impl Checkpoint {
    /// Whether no step that the drive can do follows the one under way: at its end the headers give way to what was written last.
    pub(crate) fn is_in_last_step(&self) -> bool {
        let mut later = self.evidence.phases.iter().filter(|record| record.step > self.step);
        later.all(|record| record.unsupported.is_some())
    }

    /// Where a burn-in stands of which all steps that move data are done: `evidence` is all that it came to, `before` its last
    /// checkpoint's text, if one was taken. `None` where no step moves data.
    pub fn of_the_end(key: JobKey, steps: &[Step], before: Option<&str>, evidence: &Evidence) -> Option<Self> {
        let last = evidence.phases.last()?.step;
        let before = before.and_then(|text| Self::decode(text).ok());
        Some(Self {
            key,
            geometry: evidence.geometry,
            steps: steps.to_vec(),
            step: last,
            frontier: evidence.geometry.sectors,
            holds: before.and_then(|before| before.holds),
            evidence: evidence.clone(),
        })
    }

    /// Whether it is one [of the end](Self::of_the_end): all of its steps are over, and the last one is at its end.
    pub fn is_of_the_end(&self) -> bool {
        let over = |record: &Record| !matches!(record.status, PhaseStatus::Pending | PhaseStatus::Running);
        self.frontier == self.geometry.sectors
            && self.evidence.stopped.is_none()
            && self.evidence.phases.iter().all(over)
    }

    /// As text.
    pub fn encode(&self) -> String {
        self.clone().into_text()
    }

    /// As text, without a second one in memory.
    pub(crate) fn into_text(self) -> String {
        let mut evidence = self.evidence;
        let at = evidence.phases.iter().position(|record| record.step == self.step);
        let under_way = UnderWay {
            key: self.key,
            geometry: self.geometry,
            steps: self.steps,
            step: self.step,
            frontier: self.frontier,
            holds: self.holds,
            record: at.map(|at| evidence.phases.remove(at)),
        };
        text(&pack_json(&under_way), &pack_json(&evidence))
    }
}

/// A checkpoint's text in two: what each one has anew, and what changes with a step or a finding. Together they are the text.
pub fn split(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('\n').map_or(text.len(), |end| end + 1))
}

/// JSON as a checkpoint's text, whatever it says: the fuzz target begins here.
#[doc(hidden)]
pub fn frame(under_way: &[u8], evidence: &[u8]) -> String {
    let packed = |json: &[u8]| pack(|to| to.write_all(json));
    text(&packed(under_way), &packed(evidence))
}

fn text(under_way: &str, evidence: &str) -> String {
    let body = format!("{under_way}\n{evidence}");
    let sum = crc32c::crc32c(body.as_bytes());
    format!("kiln-checkpoint {VERSION} {sum:08x} {}\n{body}", body.len())
}

/// Packed as it is made, so that a worker's memory never holds all of the plain text.
fn pack_json(value: &impl Serialize) -> String {
    pack(|to| serde_json::to_writer(to, value).map_err(std::io::Error::other))
}

fn pack(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut packed = BufWriter::with_capacity(16 << 10, DeflateEncoder::new(Vec::new(), Compression::best()));
    write(&mut packed)
        .and_then(|()| packed.into_inner().map_err(|error| error.into_error()))
        .and_then(DeflateEncoder::finish)
        .map(|bytes| BASE64.encode(bytes))
        .unwrap_or_default()
}

fn unpack<T: serde::de::DeserializeOwned>(packed: &str) -> Result<T, Error> {
    let content = |error: &dyn std::fmt::Display| Error::Content(error.to_string());
    let packed = BASE64.decode(packed).map_err(|e| content(&e))?;
    let mut json = Vec::new();
    DeflateDecoder::new(&packed[..])
        .take(JSON_MAX)
        .read_to_end(&mut json)
        .map_err(|e| content(&e))?;
    serde_json::from_slice(&json).map_err(|e| content(&e))
}

impl Checkpoint {
    /// From text; never panics, whatever the text is.
    ///
    /// # Errors
    /// Each says what is wrong; all mean the same to the caller: set it aside and begin anew.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let (head, body) = text
            .get(..TEXT_MAX.min(text.len()))
            .unwrap_or("")
            .split_once('\n')
            .ok_or(Error::Head)?;
        let mut words = head.split(' ');
        if words.next() != Some("kiln-checkpoint") {
            return Err(Error::Head);
        }
        let version = words.next().ok_or(Error::Head)?;
        if version.parse() != Ok(VERSION) {
            return Err(Error::Version(version.chars().take(20).collect()));
        }
        let due = words
            .next()
            .and_then(|w| u32::from_str_radix(w, 16).ok())
            .ok_or(Error::Head)?;
        let length = words.next().and_then(|w| w.parse().ok()).ok_or(Error::Head)?;
        if body.len() != length {
            return Err(Error::Length {
                is: body.len(),
                due: length,
            });
        }
        let is = crc32c::crc32c(body.as_bytes());
        if is != due {
            return Err(Error::Checksum { is, due });
        }
        let (under_way, evidence) = body
            .split_once('\n')
            .ok_or_else(|| Error::Content("one line instead of two".to_owned()))?;
        let under_way: UnderWay = unpack(under_way)?;
        let mut evidence: Evidence = unpack(evidence)?;
        let at = evidence.phases.partition_point(|record| record.step < under_way.step);
        evidence.phases.splice(at..at, under_way.record);
        let checkpoint = Self {
            key: under_way.key,
            geometry: under_way.geometry,
            steps: under_way.steps,
            step: under_way.step,
            frontier: under_way.frontier,
            holds: under_way.holds,
            evidence,
        };
        checkpoint.possible().map_err(Error::Content)?;
        Ok(checkpoint)
    }

    /// Whether the numbers fit each other, so that whoever goes on with them can calculate without care.
    fn possible(&self) -> Result<(), String> {
        let Self { geometry, evidence, .. } = self;
        geometry.check().map_err(|e| e.to_string())?;
        if evidence.geometry != *geometry {
            return Err("the evidence is of a drive of another size".to_owned());
        }
        let due = (0..).zip(&self.steps).filter(|(_, step)| moves_data(step.phase));
        if self.steps.len() > STEPS_MAX || !due.eq(evidence.phases.iter().map(|r| (r.step, &r.work))) {
            return Err("the evidence is of other steps".to_owned());
        }
        if evidence.phases.iter().any(|record| record.phase != record.work.phase) {
            return Err("a record of another phase than its step's".to_owned());
        }
        let soaks = self.steps.iter().filter_map(|step| step.soak);
        if soaks
            .into_iter()
            .any(|soak| soak.first > soak.last || usize::from(soak.last) >= self.steps.len())
        {
            return Err("a block of steps that is none".to_owned());
        }
        if evidence.step(self.step).is_none() {
            return Err(format!("step {} of {}", self.step, self.steps.len()));
        }
        if self.frontier > geometry.sectors {
            return Err(format!("sector {} lies behind the end", self.frontier));
        }
        for record in &evidence.phases {
            // Seeks come by again and again until their time is over, however small the drive.
            let most = if record.phase == Phase::Seek {
                SOUGHT_MAX
            } else {
                geometry.bytes().max(MOVED_MIN).saturating_mul(4)
            };
            if record.done.0.max(record.total.0) > most
                || record.rounds > 1 << 24
                || !record.zones.are_possible()
                || !record.stretches.are_possible()
                || !(0.0..1e12).contains(&record.seconds)
            {
                return Err(format!("figures of {:?}", record.phase));
            }
        }
        let inside =
            |first: u64, count: u64| count > 0 && first.checked_add(count).is_some_and(|end| end <= geometry.sectors);
        match evidence.defects.runs().find(|run| !inside(run.first, run.count)) {
            Some(run) => Err(format!(
                "bad sectors {} to {} of {}",
                run.first, run.count, geometry.sectors
            )),
            None if evidence.defects.runs().count() > RUNS_MAX || evidence.incidents.len() > INCIDENTS_MAX => {
                Err("more entries than any burn-in keeps".to_owned())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::findings::Fault;
    use crate::playbook::plain;

    fn sample() -> Checkpoint {
        let geometry = Geometry {
            sectors: 5_000,
            sector: 512,
            physical: 4096,
        };
        let steps = plain(&[Phase::SmartBefore, Phase::Probe, Phase::Write, Phase::Verify]);
        let mut evidence = Evidence::new(geometry, &steps);
        evidence
            .defects
            .add((3, Phase::Verify), 7, 3, Fault::Moved { shift: -4, fresh: true });
        Checkpoint {
            key: JobKey([7; 16]),
            geometry,
            steps,
            step: 3,
            frontier: 4_096,
            holds: Some(Holds {
                fill: Fill::Keyed,
                pass: 1,
                step: 2,
            }),
            evidence,
        }
    }

    #[test]
    fn what_a_test_came_to_is_told_from_what_it_stands_at() {
        let mut sample = sample();
        let geometry = sample.geometry;
        sample.frontier = geometry.sectors;
        assert!(!sample.is_of_the_end(), "its steps are not over");
        for record in &mut sample.evidence.phases {
            record.status = PhaseStatus::Done;
        }
        let end = Checkpoint::of_the_end(sample.key, &sample.steps, Some(&sample.encode()), &sample.evidence).unwrap();
        assert_eq!((end.step, end.frontier, end.holds), (3, geometry.sectors, sample.holds));
        let end = Checkpoint::decode(&end.encode()).unwrap();
        assert!(end.is_of_the_end());
        let nothing = Evidence::new(geometry, &[]);
        assert_eq!(Checkpoint::of_the_end(sample.key, &[], None, &nothing), None);
    }

    #[test]
    fn what_is_encoded_decodes() {
        assert_eq!(Checkpoint::decode(&sample().encode()).unwrap(), sample());
    }

    /// What 24 drives write down anew each half minute decides what a day of checkpoints costs; the agent measures that over texts of
    /// these lengths (`jobs`). This drive's pace and accesses vary more than those of most.
    #[test]
    fn what_a_checkpoint_of_a_long_burn_in_has_anew_is_small() {
        let steps = crate::playbook::Playbook::named("thorough").unwrap().steps().to_vec();
        let mut checkpoint = sample();
        let geometry = Geometry {
            sectors: 39_062_500_000,
            sector: 512,
            physical: 4096,
        };
        checkpoint.evidence = Evidence::new(geometry, &steps);
        let mut seed = 1;
        for record in &mut checkpoint.evidence.phases {
            for n in 0..40_000_u64 {
                let noise = crate::sim::next_random(&mut seed);
                // Most within a third, one of a hundred up to a second.
                let long = if noise.is_multiple_of(100) {
                    noise % 1_000_000_000
                } else {
                    0
                };
                let time = std::time::Duration::from_nanos(3_000_000 + noise % 900_000 + long);
                let lba = n * (geometry.sectors / 40_000);
                record.zones.add((lba, 1024), geometry.sectors, 512 << 10, time, time);
                record.latency.add(time);
            }
            record.done.0 = 12_345_678_901_234;
        }
        (
            checkpoint.geometry,
            checkpoint.steps,
            checkpoint.step,
            checkpoint.frontier,
        ) = (geometry, steps, 6, 17_000_000_000);
        let text = checkpoint.encode();
        let read = Checkpoint::decode(&text).unwrap();
        assert_eq!(
            read.encode().len(),
            text.len(),
            "packing loses nothing more the second time"
        );
        let (anew, seldom) = split(&text);
        eprintln!("{} bytes, {} anew", text.len(), anew.len());
        assert!(
            anew.len() < 7_000 && seldom.len() < 40_000,
            "{} and {} bytes",
            anew.len(),
            seldom.len()
        );
        let mut later = read;
        later.frontier += 1 << 30;
        let own = later.step;
        later.evidence.step_mut(own).unwrap().seconds += 28.0;
        assert_eq!(split(&later.encode()).1, seldom, "it is written down again");
    }

    #[test]
    fn another_version_and_impossible_content_are_told() {
        let text = sample().encode();
        for other in [VERSION - 1, VERSION + 1] {
            let text = text.replacen(&format!(" {VERSION} "), &format!(" {other} "), 1);
            let told = Checkpoint::decode(&text).unwrap_err().to_string();
            assert!(told.contains(&format!("version {other}")), "{told}");
        }
        let beyond = Checkpoint {
            frontier: 5_001,
            ..sample()
        };
        assert!(matches!(Checkpoint::decode(&beyond.encode()), Err(Error::Content(_))));
        let mut outside = sample();
        outside.evidence.defects.add((3, Phase::Verify), 4_999, 2, Fault::Zeros);
        assert!(matches!(Checkpoint::decode(&outside.encode()), Err(Error::Content(_))));
        let nowhere = Checkpoint { step: 0, ..sample() };
        assert!(matches!(Checkpoint::decode(&nowhere.encode()), Err(Error::Content(_))));
    }

    /// Half an hour of a fast SSD's seeks is many times its capacity: a checkpoint that refuses them takes a good drive for a lost one.
    #[test]
    fn what_seeks_move_is_bounded_by_no_capacity() {
        let seek = Step {
            seconds: 1_800,
            ..Step::from(Phase::Seek)
        };
        let steps = [plain(&[Phase::Write, Phase::Verify]), vec![seek]].concat();
        let geometry = Geometry {
            sectors: 250_000_000_000 / 512,
            sector: 512,
            physical: 4096,
        };
        let with = |step: usize, done: u64| {
            let mut evidence = Evidence::new(geometry, &steps);
            evidence.phases[step].seconds = 1_700.0;
            evidence.phases[step].done.0 = done;
            let checkpoint = Checkpoint {
                geometry,
                steps: steps.clone(),
                step: 2,
                frontier: 0,
                evidence,
                ..sample()
            };
            Checkpoint::decode(&checkpoint.encode()).map(|read| read == checkpoint)
        };
        for done in [0, 250_000_000_000, 4_398_046_511_104 + 65_536, 13_000_000_000_000_000] {
            assert!(with(2, done).unwrap(), "{done}");
        }
        assert!(matches!(with(2, u64::MAX), Err(Error::Content(_))));
        assert!(
            matches!(with(1, 4_398_046_511_104 + 65_536), Err(Error::Content(_))),
            "a sweep comes by once"
        );
    }

    proptest! {
        #[test]
        fn any_cut_or_changed_byte_is_seen(cut in 0_usize..2_000, at in 0_usize..2_000, with in 1_u8..128) {
            let text = sample().encode();
            prop_assert!(Checkpoint::decode(&text[..cut.min(text.len() - 1)]).is_err());
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= with;
            if let Ok(changed) = String::from_utf8(bytes) && let Ok(read) = Checkpoint::decode(&changed) {
                // Only the head's spelling can change without changing what it says (a hexadecimal digit's case).
                prop_assert_eq!(read, sample());
            }
        }

        #[test]
        fn decode_never_panics(text in ".{0,300}", body in ".{0,100}") {
            let _ = Checkpoint::decode(&text);
            let framed = frame(body.as_bytes(), b"{}");
            let _ = Checkpoint::decode(&framed);
        }
    }
}
