//! What the boot medium's keeper tells PID 1: one line each, of which the first word says what it is.
//!
//! A keeper outlives PID 1's replacement: the words of an earlier image have to be understood by a later one. Tested: here, and
//! in `machine/medium.rs`.

use std::fmt::{self, Display};

use crate::shell::helper::Line;

/// One line of the keeper's.
///
/// | line | meaning |
/// |---|---|
/// | `progress TEXT` | what takes time, for the console |
/// | `part PARTUUID` | the boot partition has this name from now on: the image's were made the medium's own |
/// | `mark TEXT` | the boot partition carries this mark from now on (`mark`); without one: nobody can tell which |
/// | `disk MAJ:MIN SYSPATH` | found; carries the descriptor that keeps the whole disk from being opened exclusively |
/// | `mounted HOW` | state is on disk; `HOW` is plain, repaired, made, remade, reset, or `returned FILES LEFT` |
/// | `noreset WHY` | a factory reset was asked for and not done |
/// | `unwritten TEXT` | a factory reset is done, but not all of DATA was written over before |
/// | `bundle WHY` | a factory reset is done, but a debug bundle is still on the boot partition, or can be read there |
/// | `traces JSON` | what the last boot left behind |
/// | `crash TEXT` | services crashed in an earlier boot; all that no boot has told yet |
/// | `dumps JSON` | crash dumps of the kernel that came late (answer to PID 1's `pstore SINCE`, once all drivers were loaded) |
/// | `ram WHY` | there is no usable medium |
/// | `alive` | a probe came back, with data or with an error, or a long read gets on |
/// | `same TEXT` | what the medium is known by when it comes back |
/// | `room PERCENT` | how much of DATA is used |
/// | `gone WHY` | the medium has left |
/// | `unfenced WHY` | it leaves, and what is put in its place could not be kept from being written to (`fence`) |
/// | `faulty WHY` | it is there, and nothing can be kept on it any more |
/// | `saved whole TEXT`, `saved part TEXT` | what was in memory of the state folder is in RAM now, all of it or not (answer to PID 1's `save`) |
/// | `failed WHY` | no RAM could be mounted for it (the other answer); the keeper ends |
/// | `back` | the medium is there again, guarded (`comeback`); PID 1 answers `return` where state can go back |
/// | `stays WHY` | state could not go back |
/// | `marked`, `unmarked WHY` | DATA is marked to be made anew at the next start, or cannot be (answer to PID 1's `reset`) |
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table has them")]
pub(in crate::boot) enum Said {
    Progress(String),
    Part(String),
    Mark(String),
    Disk(String),
    Mounted(String),
    NoReset(String),
    Unwritten(String),
    Bundle(String),
    Traces(String),
    Crash(String),
    Dumps(String),
    Ram(String),
    Alive,
    Same(String),
    Room(u8),
    Gone(String),
    Unfenced(String),
    Faulty(String),
    Saved(String),
    Failed(String),
    Back,
    Stays(String),
    Marked,
    Unmarked(String),
}

impl Said {
    /// Reads a line; `None` for a word that is none of these.
    pub(in crate::boot) fn parse(line: &str) -> Option<Said> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        Some(match word {
            "progress" => Said::Progress(rest),
            "part" => Said::Part(rest),
            "mark" => Said::Mark(rest),
            "disk" => Said::Disk(rest),
            "mounted" => Said::Mounted(rest),
            "noreset" => Said::NoReset(rest),
            "unwritten" => Said::Unwritten(rest),
            "bundle" => Said::Bundle(rest),
            "traces" => Said::Traces(rest),
            "crash" => Said::Crash(rest),
            "dumps" => Said::Dumps(rest),
            "ram" => Said::Ram(rest),
            "alive" => Said::Alive,
            "same" => Said::Same(rest),
            "room" => Said::Room(rest.parse().ok()?),
            "gone" => Said::Gone(rest),
            "unfenced" => Said::Unfenced(rest),
            "faulty" => Said::Faulty(rest),
            "saved" => Said::Saved(rest),
            "failed" => Said::Failed(rest),
            "back" => Said::Back,
            "stays" => Said::Stays(rest),
            "marked" => Said::Marked,
            "unmarked" => Said::Unmarked(rest),
            _ => return None,
        })
    }

    /// Tells PID 1.
    pub(in crate::boot) fn over(&self, line: &Line) {
        line.say(&self.to_string());
    }
}

/// Tells PID 1 what takes time, or what went wrong on the way.
pub(in crate::boot) fn progress(line: &Line, text: impl Display) {
    Said::Progress(text.to_string()).over(line);
}

impl Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, rest) = match self {
            Said::Progress(rest) => ("progress", rest),
            Said::Part(rest) => ("part", rest),
            Said::Mark(rest) => ("mark", rest),
            Said::Disk(rest) => ("disk", rest),
            Said::Mounted(rest) => ("mounted", rest),
            Said::NoReset(rest) => ("noreset", rest),
            Said::Unwritten(rest) => ("unwritten", rest),
            Said::Bundle(rest) => ("bundle", rest),
            Said::Traces(rest) => ("traces", rest),
            Said::Crash(rest) => ("crash", rest),
            Said::Dumps(rest) => ("dumps", rest),
            Said::Ram(rest) => ("ram", rest),
            Said::Same(rest) => ("same", rest),
            Said::Gone(rest) => ("gone", rest),
            Said::Unfenced(rest) => ("unfenced", rest),
            Said::Faulty(rest) => ("faulty", rest),
            Said::Saved(rest) => ("saved", rest),
            Said::Failed(rest) => ("failed", rest),
            Said::Stays(rest) => ("stays", rest),
            Said::Unmarked(rest) => ("unmarked", rest),
            Said::Room(percent) => return write!(f, "room {percent}"),
            Said::Alive => return f.write_str("alive"),
            Said::Back => return f.write_str("back"),
            Said::Marked => return f.write_str("marked"),
        };
        write!(f, "{word} {rest}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// Each once, as it comes over the line.
    const LINES: [&str; 24] = [
        "progress making DATA",
        "part 0b1d",
        "mark 2beef",
        "disk 8:0 /sys/devices/x/block/sda",
        "mounted returned 12 0",
        "noreset it is read only",
        "unwritten 2 files of DATA were written over",
        "bundle Read-only file system (os error 30)",
        "traces {}",
        "crash agent crashed",
        "dumps {}",
        "ram it did not appear",
        "alive",
        "same 1|2|3",
        "room 85",
        "gone the boot medium was pulled",
        "unfenced its state is running and not offline",
        "faulty it takes no writes",
        "saved whole 4 files",
        "failed ENOMEM: Out of memory",
        "back",
        "stays its keeper is gone",
        "marked",
        "unmarked Input/output error (os error 5)",
    ];

    #[test]
    fn every_word_of_the_keeper_is_heard() {
        let mut kinds = std::collections::HashSet::new();
        for line in LINES {
            let said = Said::parse(line).unwrap();
            assert_eq!(said.to_string(), line);
            kinds.insert(std::mem::discriminant(&said));
        }
        assert_eq!(kinds.len(), LINES.len());
        for other in ["", "Marked", "room", "room 300", "hello"] {
            assert_eq!(Said::parse(other), None, "{other:?}");
        }
    }
}
