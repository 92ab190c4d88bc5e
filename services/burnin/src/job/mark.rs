//! When whoever keeps what is told of a job marks its drive as one that ended ([`crate::header::retire`]).
//!
//! Behind a mark nobody goes on with the job. A first fault is told in one moment with the end: a mark before both are kept would leave a drive
//! that failed, and nobody who knows. What else ends a job before its end the engine marks itself ([`crate::runner`]). Tested here, and the
//! order over whole burn-ins in the command line's `tests/kept/marked.rs`.

use crate::evidence::{Evidence, Stop};

/// When it is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not here.
    Never,
    /// At once: that a person ended it is kept before it ends.
    AtOnce,
    /// Once what it found is kept.
    OnceKept,
}

impl Mark {
    /// That of a job that came to this. `aborted`: by a person, for good.
    pub fn of(evidence: &Evidence, aborted: bool) -> Self {
        match evidence.stopped {
            _ if aborted => Self::AtOnce,
            Some(Stop::FirstFault) => Self::OnceKept,
            Some(
                Stop::Asked { .. }
                | Stop::Disconnected
                | Stop::Resized { .. }
                | Stop::Hung
                | Stop::Reserved
                | Stop::FakeCapacity
                | Stop::TooManyErrors
                | Stop::Engine { .. }
                | Stop::Stranger { .. },
            )
            | None => Self::Never,
        }
    }

    /// Whether it is written now. `kept`: whether all that was found stands on the medium of whoever keeps it.
    pub fn is_due(self, kept: bool) -> bool {
        match self {
            Self::Never => false,
            Self::AtOnce => true,
            Self::OnceKept => kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Geometry;

    #[test]
    fn a_first_fault_is_marked_once_it_is_kept_and_an_abort_at_once() {
        let geometry = Geometry {
            sectors: 1_200,
            sector: 512,
            physical: 512,
        };
        let asked = Stop::Asked { why: String::new() };
        for (stopped, aborted, unkept, kept) in [
            (None, false, false, false),
            (None, true, true, true),
            (Some(asked), false, false, false),
            (Some(Stop::TooManyErrors), false, false, false),
            (Some(Stop::FirstFault), false, false, true),
            (Some(Stop::FirstFault), true, true, true),
        ] {
            let evidence = Evidence {
                stopped,
                ..Evidence::new(geometry, &[])
            };
            let mark = Mark::of(&evidence, aborted);
            assert_eq!((mark.is_due(false), mark.is_due(true)), (unkept, kept), "{evidence:?}");
        }
    }
}
