//! What a drive of which all was written and read back is, before its verdict stands: hours of self-tests lie between, and what was
//! tested in them, or would be formatted after them, may be another one.

use std::time::Duration;

use drive::guard::added;
use wire::drive::Content;

use super::{NO_LONGER_HELD, UNSHOWN, Why};
use crate::ours::{Look, Shown};

/// No hand exchanges a drive in less time.
pub const EXCHANGE: Duration = Duration::from_secs(1);

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
    pub fn of_read(look: &Look) -> Self {
        match look.shown {
            Shown::Not => Self::Another(Why::Exchanged.words().to_owned()),
            Shown::Ours | Shown::Unknown if let Some(why) = look.blind() => Self::Another(why),
            Shown::Ours | Shown::Unknown => Self::Ours,
        }
    }

    /// Of a drive that was written, by what it shows of that. `may`: what the guard says of a drive that comes to be formatted;
    /// `formats`: whether it does.
    pub fn of_written(look: &Look, formats: bool, may: Self) -> Self {
        match (look.shown, may) {
            (_, ended @ (Self::Ended(_) | Self::Another(_))) => ended,
            (Shown::Not, Self::Ours | Self::Refused(_)) => Self::Another(NO_LONGER_HELD.to_owned()),
            (Shown::Ours | Shown::Unknown, _) if let Some(why) = look.blind() => Self::Another(why),
            (Shown::Unknown, Self::Ours) if formats => Self::Refused(UNSHOWN.to_owned()),
            (Shown::Ours, Self::Ours) if let Some(lba) = look.differs => Self::Another(format!(
                "{} does not hold any more what was read back from it: the drive lost it, or something else wrote there",
                wire::Lba(lba)
            )),
            (Shown::Ours | Shown::Unknown, may) => may,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ours::Unread;

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
            let look = Look {
                shown,
                ..Look::default()
            };
            assert_eq!(
                Of::of_written(&look, formats, may.clone()),
                want,
                "{shown:?}, {formats}, {may:?}"
            );
        }
        let read = |shown| {
            Of::of_read(&Look {
                shown,
                ..Look::default()
            })
        };
        assert_eq!(read(Shown::Unknown), Of::Ours);
        assert_eq!(read(Shown::Ours), Of::Ours);
        assert!(matches!(read(Shown::Not), Since::Another(_)));
    }

    #[test]
    fn a_drive_that_cannot_be_read_any_more_or_lost_what_was_read_back_has_not_come_through() {
        type Of = Since<()>;
        let failed = |once| Look {
            unread: vec![Unread {
                lba: 7,
                sectors: 1,
                errno: Some(5),
                once,
            }],
            ..Look::default()
        };
        for shown in [Shown::Ours, Shown::Unknown] {
            let of = |once, formats, may| {
                let look = Look { shown, ..failed(once) };
                Of::of_written(&look, formats, may)
            };
            for (formats, may) in [
                (false, Of::Ours),
                (true, Of::Ours),
                (true, Of::Refused("it is mounted".to_owned())),
            ] {
                let of = of(false, formats, may);
                assert!(
                    matches!(&of, Since::Another(why) if why.contains("LBA 7")),
                    "{shown:?}: {of:?}"
                );
            }
            // What was read when tried again is judged by the rules.
            assert_eq!(of(true, false, Of::Ours), Of::Ours, "{shown:?}");
            let read = |once| Of::of_read(&Look { shown, ..failed(once) });
            assert!(matches!(read(false), Since::Another(_)));
            assert_eq!(read(true), Of::Ours);
            let late = Look { shown, ..Look::late() };
            assert!(matches!(Of::of_written(&late, false, Of::Ours), Since::Another(_)));
            assert!(matches!(Of::of_read(&late), Since::Another(_)));
        }
        let lost = Look {
            shown: Shown::Ours,
            differs: Some(9),
            ..Look::default()
        };
        for formats in [false, true] {
            let of = Of::of_written(&lost, formats, Of::Ours);
            assert!(matches!(&of, Since::Another(why) if why.contains("LBA 9")), "{of:?}");
        }
        let busy = Of::Refused("swap was put on it".to_owned());
        assert_eq!(Of::of_written(&lost, true, busy.clone()), busy);
    }
}
