//! Whose burn-in a header on a drive tells of.

use wire::{Bytes, DriveId, Time};

use crate::device::Geometry;
use crate::header::Header;
use crate::pattern::JobKey;
use crate::playbook::Step;

/// The burn-in that asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Its drive.
    pub drive: &'a DriveId,
    /// Size and sectors of that drive.
    pub geometry: Geometry,
    /// Its steps.
    pub steps: &'a [Step],
    /// Its secret; `None` where nothing is known of it but the header.
    pub key: Option<JobKey>,
    /// When it was started, where that is known.
    pub started: Option<Time>,
}

/// What a header is to the burn-in that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Its own, of these very steps.
    Mine,
    /// Its own by all that is known, of other steps or another size.
    OtherSteps,
    /// Of a drive by another name: of two behind one bridge the other, a copy, or this very one where a dock tells another name of it.
    OtherDrive,
    /// Of another burn-in of this drive, as an aborted one leaves it.
    Earlier,
    /// Of one that was begun on this drive since.
    Later,
    /// Its own, and no header any more: it was ended before its end.
    Ended,
    /// Its own, and no header any more: its test had come to its end, and its format was begun.
    Formatted,
}

/// That what is kept of a burn-in is older than its end.
pub(super) const ENDED: &str = "it was ended, as the marks tell that it then left on the drive: what is kept of it is older than that, or lies \
                                elsewhere";

/// That what is kept of a burn-in is older than its format.
pub(super) const FORMATTED: &str = "its test had come to its end, and the drive was being formatted: what is kept of it is older than that, \
                                    or lies elsewhere";

/// That a drive is called otherwise in its header. Whether it is another one the names do not tell.
pub(super) const FOREIGN: &str = "it carries the burn-in of another drive, or its own by the name that it has elsewhere, as without a dock: \
                                  there that goes on";

impl Whose {
    /// Of this header.
    pub fn of(header: &Header, asker: &Asker<'_>) -> Self {
        let theirs = &header.note;
        if theirs.drive != *asker.drive {
            return Self::OtherDrive;
        }
        if asker.key.is_some_and(|key| key != header.key) {
            return match asker.started.is_some_and(|mine| theirs.started > mine) {
                true => Self::Later,
                false => Self::Earlier,
            };
        }
        match header.geometry == asker.geometry && header.steps == asker.steps {
            true => Self::Mine,
            false => Self::OtherSteps,
        }
    }

    /// Why it is not gone on with, as a sentence about the drive of size and sectors `now`; `None` for one's own.
    pub fn words(self, header: &Header, now: Geometry) -> Option<String> {
        let theirs = &header.note;
        match self {
            Self::Mine => None,
            Self::OtherSteps => {
                let then = header.geometry;
                let of = match then.bytes() == now.bytes() {
                    false => format!("of another size ({} was told then)", Bytes(then.bytes())),
                    true if then != now => format!("in sectors of {} bytes ({} physical)", then.sector, then.physical),
                    true => "with other steps".to_owned(),
                };
                Some(format!("the burn-in on it was `{}` {of}", theirs.playbook))
            }
            Self::OtherDrive => Some(format!("{FOREIGN} ({})", theirs.drive)),
            Self::Earlier => Some(format!("it carries an earlier burn-in, begun {}", theirs.started)),
            Self::Later => Some(format!("another burn-in was begun on it {}", theirs.started)),
            Self::Ended => Some(ENDED.to_owned()),
            Self::Formatted => Some(FORMATTED.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::Phase;
    use wire::options::PlanOptions;

    use super::*;
    use crate::header::Note;
    use crate::playbook::plain;

    #[test]
    fn a_header_is_ones_own_by_drive_key_and_steps() {
        let drive = DriveId::from_serial("Model", "WD-1", 1 << 30).unwrap();
        let other = DriveId::from_serial("Model", "WD-2", 1 << 30).unwrap();
        let geometry = Geometry {
            sectors: 1 << 21,
            sector: 512,
            physical: 512,
        };
        let steps = plain(&[Phase::Write, Phase::Verify]);
        let header = Header {
            key: JobKey([5; 16]),
            geometry,
            steps: steps.clone(),
            note: Note {
                job: "a test".to_owned(),
                drive: drive.clone(),
                playbook: "surface".to_owned(),
                options: PlanOptions::default(),
                started: Time::UNIX_EPOCH,
                baseline: None,
                front: None,
            },
        };
        let mine = Asker {
            drive: &drive,
            geometry,
            steps: &steps,
            key: Some(header.key),
            started: Some(Time::UNIX_EPOCH),
        };
        let shorter = Geometry {
            sectors: 1 << 20,
            ..geometry
        };
        let small = Geometry {
            physical: 4096,
            ..geometry
        };
        let (strange, fewer) = (Some(JobKey([6; 16])), &steps[..1]);
        let before = Some(Time::from_second(-60).unwrap());
        for (asker, whose, part) in [
            (mine, Whose::Mine, ""),
            (Asker { key: None, ..mine }, Whose::Mine, ""),
            (Asker { steps: fewer, ..mine }, Whose::OtherSteps, "other steps"),
            (
                Asker {
                    geometry: shorter,
                    ..mine
                },
                Whose::OtherSteps,
                "of another size (1.07 GB",
            ),
            (
                Asker {
                    geometry: small,
                    ..mine
                },
                Whose::OtherSteps,
                "in sectors of 512 bytes (512 physical)",
            ),
            (
                Asker { drive: &other, ..mine },
                Whose::OtherDrive,
                "of another drive, or its own by the name that it has elsewhere",
            ),
            (Asker { key: strange, ..mine }, Whose::Earlier, "an earlier burn-in"),
            (
                Asker {
                    key: strange,
                    started: before,
                    ..mine
                },
                Whose::Later,
                "begun on it",
            ),
        ] {
            assert_eq!(Whose::of(&header, &asker), whose);
            let words = whose.words(&header, asker.geometry).unwrap_or_default();
            assert_eq!(words.is_empty(), whose == Whose::Mine);
            assert!(words.contains(part), "{whose:?}: {words}");
            assert_eq!(words.contains("size"), part.contains("size"), "{words}");
        }
    }
}
