//! What a drive of which all was written and read back is, before its verdict stands: hours of self-tests lie between, and what was
//! tested in them, or would be formatted after them, may be another one.

use drive::guard::added;
use wire::drive::Content;

use super::{NO_LONGER_HELD, UNSHOWN, Why};
use crate::ours::Shown;

/// What it is since. `E`: what else may come first, as a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since<E> {
    /// The job's; it may be formatted where that was asked for.
    Ours,
    /// Another one, and why that is known.
    Another(String),
    /// Tested, and not to be formatted, and why.
    Refused(String),
    /// Something else came first.
    Ended(E),
}

impl<E> Since<E> {
    /// Of a drive that comes to be formatted, by what the guard finds on it; `agreed`: what stood on it when it was chosen.
    pub fn of_found(agreed: &Content, now: &Content) -> Self {
        match added(agreed, now) {
            None => Self::Ours,
            Some(summary) => Self::Refused(format!(
                "\"{summary}\" was put on it while it was tested; nothing of that is erased"
            )),
        }
    }

    /// Of a drive that is only read, by what stands on it.
    pub fn of_read(shown: Shown) -> Self {
        match shown {
            Shown::Not => Self::Another(Why::Exchanged.words().to_owned()),
            Shown::Ours | Shown::Unknown => Self::Ours,
        }
    }

    /// Of a drive that was written, by what it shows of that. `may`: what the guard says of a drive that comes to be formatted;
    /// `formats`: whether it does.
    pub fn of_written(shown: Shown, formats: bool, may: Self) -> Self {
        match (shown, may) {
            (_, ended @ (Self::Ended(_) | Self::Another(_))) => ended,
            (Shown::Not, Self::Ours | Self::Refused(_)) => Self::Another(NO_LONGER_HELD.to_owned()),
            (Shown::Unknown, Self::Ours) if formats => Self::Refused(UNSHOWN.to_owned()),
            (Shown::Ours | Shown::Unknown, may) => may,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_drive_that_shows_what_was_written_is_formatted_and_one_that_shows_another_is_never_the_jobs() {
        type Of = Since<&'static str>;
        let busy = || Of::Refused("it is mounted".to_owned());
        let another = || Of::Another(NO_LONGER_HELD.to_owned());
        let unshown = || Of::Refused(UNSHOWN.to_owned());
        for (shown, formats, may, want) in [
            (Shown::Ours, true, Of::Ours, Of::Ours),
            (Shown::Ours, true, busy(), busy()),
            (Shown::Unknown, true, Of::Ours, unshown()),
            (Shown::Unknown, true, busy(), busy()),
            (Shown::Unknown, false, Of::Ours, Of::Ours),
            (Shown::Not, true, Of::Ours, another()),
            (Shown::Not, true, busy(), another()),
            (Shown::Not, false, Of::Ours, another()),
            (Shown::Ours, true, Of::Ended("asked"), Of::Ended("asked")),
            (
                Shown::Ours,
                true,
                Of::Another("gone".to_owned()),
                Of::Another("gone".to_owned()),
            ),
        ] {
            assert_eq!(
                Of::of_written(shown, formats, may.clone()),
                want,
                "{shown:?}, {formats}, {may:?}"
            );
        }
        assert_eq!(Of::of_read(Shown::Unknown), Of::Ours);
        assert_eq!(Of::of_read(Shown::Ours), Of::Ours);
        assert!(matches!(Of::of_read(Shown::Not), Since::Another(_)));
    }
}
