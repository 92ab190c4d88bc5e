//! How a burn-in begins that may have begun before: it goes on, begins anew, or nothing is done to its drive.
//!
//! Two steps, since asking a drive blocks: [`Again::asks`] tells what the drive is to be asked, [`Again::begins`] what follows.
//!
//! | kept | asked | goes on | begins anew | refused |
//! |---|---|---|---|---|
//! | its verdict, or what cannot be read | nothing | | | always |
//! | a checkpoint | nothing; every header, after a reset while they were written | else | | a header is missing |
//! | that it had one, or one of other steps | the headers | its own header, and tags that tell where | else | another drive's or a later header, its own mark of its end or of a format, another's data before its own header; none of its own, where nobody agreed again |
//! | nothing | the headers | its own header, and tags that tell where | else | another drive's or a later header, its own mark of its end or of a format, another's data before its own header |
//! | that it began | the headers | its own header, and tags that tell where | else | another drive's or a later header, its own mark of its end or of a format, another's data where others stood |
//! | any of these, of a job that only reads | what stands on it | the same, with a checkpoint | nothing tells, or no checkpoint | something else |

use super::whose::{ENDED, FOREIGN, FORMATTED, Whose};
use crate::ours::{Shown, USED};

/// What is kept of a burn-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing, where there may have been something.
    Nothing,
    /// That it began; it had no checkpoint yet.
    Begun,
    /// That it had a checkpoint, which is lost, damaged, or of other steps.
    Lost,
    /// A checkpoint to go on from: of this key, this drive's size and these steps.
    Place,
    /// Its verdict.
    Ended,
    /// Something that cannot be read, and that may tell of faults.
    Unreadable,
}

/// A burn-in that is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Whether it writes.
    pub erases: bool,
    /// What is kept of it.
    pub kept: Kept,
    /// Whether a person agreed a moment ago that what stands on this drive may be lost; an agent that starts again asks nobody.
    pub agreed: bool,
    /// Whether the drive was reset while its headers were written, so that another one may hold some of them.
    pub doubted: bool,
}

/// What the drive is to be asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// Whose headers it carries, and how far that job was.
    Headers,
    /// Whether it holds each header of this job.
    EveryHeader,
    /// Whether the same stands on it as when the job began.
    Fingerprint,
}

/// What it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was not asked.
    Nothing,
    /// To [`Asks::Headers`].
    Headers {
        /// Whether some sector is a header of this very job.
        ours: bool,
        /// Whose the header is that most of them tell.
        whose: Option<Whose>,
        /// Whether header and tags tell where to go on.
        place: bool,
        /// Whether the drive begins with what is not this job's ([`crate::begins_with_others`]). Of a job that only began, which may not have
        /// come to its first sector, this needs to know what stood there before.
        used: bool,
    },
    /// To [`Asks::EveryHeader`] and [`Asks::Fingerprint`].
    Shown(Shown),
}

/// How it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// From the checkpoint that is kept.
    GoesOn,
    /// From what the drive tells.
    FromDrive,
    /// Anew. `proven`: the drive carries this job's header; else it must hold what was agreed on.
    Anew {
        /// See there.
        proven: bool,
    },
    /// Not: nothing is written.
    Refused(Why),
}

/// Why it does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has its verdict.
    Ended,
    /// What is kept cannot be read.
    Unreadable,
    /// The drive carries the burn-in of a drive by another name, a later one, or this one's mark of its end or of a format.
    Foreign(Whose),
    /// Nothing on the drive is this job's, which had written to its drive.
    NoTrace,
    /// It carries this job's header, or is not as that began, and begins with something else.
    Used,
    /// Not every header stands that was written around a reset.
    HalfWritten,
    /// The same, where none of them could be read.
    Unshown,
    /// What stands on a drive that is only read is not what stood there.
    Exchanged,
}

impl Why {
    /// As a sentence about the drive.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ended => "its burn-in has its verdict",
            Self::Unreadable => "what is kept of its burn-in cannot be read",
            Self::Foreign(Whose::Ended) => ENDED,
            Self::Foreign(Whose::Formatted) => FORMATTED,
            Self::Foreign(Whose::Later) => "another burn-in was begun on it since",
            Self::Foreign(_) => FOREIGN,
            Self::NoTrace => {
                "it carries no header of this job, and its checkpoint is lost or damaged: this is another drive with the same name, \
                 or one that lost everything"
            }
            Self::Used => USED,
            Self::HalfWritten => {
                "the drive was reset while this job's headers were written to it, and does not hold all of them: another drive may \
                 have come into its place, or it stores less than it claims; nothing more is written to it"
            }
            Self::Unshown => {
                "it could not be read whether the drive is still the one that was chosen; nothing more is written to it"
            }
            Self::Exchanged => {
                "the drive holds something else than when this job began to read it: another one came into its place, or much was \
                 written to it since; what was read so far proves nothing of it. Begin anew"
            }
        }
    }
}

impl Again {
    /// What the drive is to be asked.
    pub fn asks(&self) -> Asks {
        match self.kept {
            Kept::Ended | Kept::Unreadable => Asks::Nothing,
            _ if !self.erases => Asks::Fingerprint,
            Kept::Place if self.doubted => Asks::EveryHeader,
            Kept::Place => Asks::Nothing,
            Kept::Nothing | Kept::Begun | Kept::Lost => Asks::Headers,
        }
    }

    /// How it begins. An answer to something else than [`Self::asks`] counts as none.
    pub fn begins(&self, told: Told) -> Begin {
        match (self.asks(), told) {
            (Asks::Nothing, _) => match self.kept {
                Kept::Ended => Begin::Refused(Why::Ended),
                Kept::Place => Begin::GoesOn,
                Kept::Unreadable | Kept::Nothing | Kept::Begun | Kept::Lost => Begin::Refused(Why::Unreadable),
            },
            (Asks::EveryHeader, Told::Shown(Shown::Ours)) => Begin::GoesOn,
            (Asks::EveryHeader, Told::Shown(Shown::Not)) => Begin::Refused(Why::HalfWritten),
            (Asks::EveryHeader, _) => Begin::Refused(Why::Unshown),
            (Asks::Fingerprint, Told::Shown(Shown::Not)) => Begin::Refused(Why::Exchanged),
            (Asks::Fingerprint, Told::Shown(Shown::Ours)) if self.kept == Kept::Place => Begin::GoesOn,
            (Asks::Fingerprint, told) => Begin::Anew {
                proven: told == Told::Shown(Shown::Ours),
            },
            (
                Asks::Headers,
                Told::Headers {
                    ours,
                    whose,
                    place,
                    used,
                },
            ) => self.by_headers(ours, whose, place, used),
            (Asks::Headers, Told::Nothing | Told::Shown(_)) => self.by_headers(false, None, false, false),
        }
    }

    fn by_headers(self, ours: bool, whose: Option<Whose>, place: bool, used: bool) -> Begin {
        let foreign = whose.filter(|whose| {
            matches!(
                whose,
                Whose::OtherDrive | Whose::Later | Whose::Ended | Whose::Formatted
            )
        });
        // After a reset while they were written some headers of its own prove nothing.
        let proven = ours && !self.doubted;
        match foreign {
            Some(whose) => Begin::Refused(Why::Foreign(whose)),
            None if proven && place && whose == Some(Whose::Mine) => Begin::FromDrive,
            None if used && (ours || self.kept == Kept::Begun) => Begin::Refused(Why::Used),
            None if !proven && !self.agreed && self.kept == Kept::Lost => Begin::Refused(Why::NoTrace),
            None => Begin::Anew { proven },
        }
    }
}
