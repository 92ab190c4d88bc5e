//! What the shell is asked for, and what it answers.

use crate::checkpoint;
use crate::device::{Access, BadGeometry};
use crate::findings::Fault;

use super::Content;

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The access; its slot is one that [`super::Pipeline::next`] was offered.
    pub access: Access,
    /// What to write or to expect.
    pub content: Content,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It came back; what was read is what was expected.
    Done,
    /// It was read, and these sectors differ, in rising order.
    Differs(Vec<(u64, Fault)>),
    /// It was read and differed, and at the second look at the same bytes nothing did: memory or the way to it, and nothing
    /// of the drive. The shell tells it with [`super::Pipeline::memory_tested`].
    Gone,
    /// Trimmed sectors were read, and so many hold what stood there before.
    Kept(u64),
    /// The kernel told an error.
    Failed {
        /// Its number.
        errno: i32,
    },
    /// It failed, and the drive is gone or tells another capacity.
    Changed {
        /// Capacity in bytes as told now; 0 when gone.
        bytes: u64,
    },
}

/// Why an order cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its sectors cannot be tested.
    #[error("geometry: {0}")]
    Geometry(#[from] BadGeometry),
    /// Its checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// It has nothing to do.
    #[error("steps: expected at least one that moves data")]
    Steps,
    /// Its block does not fit the drive's sectors.
    #[error("io.block of {block} bytes: expected a multiple of the physical sector of {physical}")]
    Block {
        /// Block in bytes.
        block: u32,
        /// Physical sector in bytes.
        physical: u32,
    },
}
