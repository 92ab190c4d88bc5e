//! Whether a drive holds what a job wrote to it, or what stood on it when a job that only reads began: before an interrupted job
//! goes on, and wherever another medium may have come into its place meanwhile (a reset, a pause, hours of self-tests, before it
//! is formatted).
//!
//! Two drives can answer by one name: behind a USB dock that tells only its own serial number, two of the same size do.
//! The pattern and the header cannot be guessed without the job's key. A single sector of them proves nothing all the same: a
//! worker writes on for seconds after its drive was exchanged. A constant stands on many drives: it proves only where every
//! sector that is asked holds it, and both ends whole. A drive of which some
//! sectors can be read and none is the job's is not written to; one of which none can be read proves nothing either way.
//! Tested over simulated drives in `tests/stranger.rs`.
//!
//! [`still`](Still) asks whether a drive is the job's in the middle of it, [`proof`](Proof) at its end too, [`resume`] before an interrupted
//! one goes on, [`front`] and [`over`] whether it was put to use meanwhile, [`headless`] what that drive lost of it, [`left`] whether somebody used it behind its end, [`fingerprint`](Fingerprint) where nothing is written, [`look`](Look) what went wrong at the last time; [`asks`] and [`reads`] are how.

mod asks;
mod fingerprint;
mod front;
mod headless;
mod left;
mod look;
mod over;
mod proof;
mod reads;
mod resume;
mod still;

use wire::job::Phase;

use crate::device::Geometry;
use crate::header;
use crate::playbook::Step;

pub use fingerprint::{Fingerprint, Front};
pub(crate) use front::USED;
pub use front::begins_with_others;
pub(crate) use headless::{Headless, headless};
pub use look::{Look, Unread};
pub use over::{Blank, is_as_left, written_over, wrote_the_beginning};
pub use proof::Proof;
pub(crate) use resume::stranger;
pub use resume::{rests_on_a_constant, stranger_to};
pub use still::{Headers, Proves, Still};

/// Places looked at below the frontier, besides the powers of two.
const EVENLY: u64 = 16;

/// What a drive shows of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// Its header, its pattern, or at its end the constant that it wrote last, wherever it is asked.
    Ours,
    /// Something else wherever it can be read.
    Not,
    /// Nothing that would prove it either way: it cannot be read, or the job left nothing.
    #[default]
    Unknown,
}

/// Whether a trim came behind the last write: it leaves to the drive what it reads as, but for the headers' places.
fn trimmed(steps: &[Step]) -> bool {
    let mut steps = steps.iter().rev();
    let last = steps.find(|step| matches!(step.phase, Phase::Write | Phase::Trim));
    last.is_some_and(|step| step.phase == Phase::Trim)
}

/// Where a drive is asked whatever of it was written: the headers' places, and evenly over it.
fn marks(geometry: Geometry) -> Vec<u64> {
    let headers = header::places(geometry).into_iter().map(|(lba, _)| lba);
    headers.chain(evenly(geometry)).collect()
}

/// Places evenly over a drive.
fn evenly(geometry: Geometry) -> impl Iterator<Item = u64> {
    (0..EVENLY).map(move |n| geometry.sectors / EVENLY * n)
}
