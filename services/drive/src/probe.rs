//! Looking at a drive's content in a child process, with a deadline.
//!
//! Reading a dying drive can block in the kernel for minutes, and a thread that blocks there keeps its whole process
//! from ending. So the child reads, and is left behind when it does not come back.

use std::fs::File;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::drive::Content;

use crate::child;
use crate::content::{self, Look};
use crate::lock::Lock;
use crate::sysfs::DevNum;
use crate::system::System;

/// First argument of a child that probes: `PROGRAM drive-probe NODE`.
const ARGUMENT: &str = "drive-probe";

/// First argument of one that only asks whether the drive is locked: `PROGRAM drive-lock NODE`.
const LOCK: &str = "drive-lock";

/// First argument of one that counts how full the file systems are: `PROGRAM drive-usage NODE`.
const USAGE: &str = "drive-usage";

/// Longest time for that: it counts for four seconds at most, and a bad sector in it is not waited for.
const COUNTING: Duration = Duration::from_secs(8);

/// Bytes at the beginning that are read for that.
const FIRST: usize = 4096;

/// How long a look may take: three reads of bad sectors at 7 s each (what drives for arrays take), so that one hides neither end.
/// The kernel's cache may read a bad place twice; a drive with several such places is not looked at in time, and refused.
/// Longer than the kernel's 30 s for one command would make a dead drive's plan wait longer than people do.
pub const DEADLINE: Duration = Duration::from_secs(25);

/// Longest answer: 256 partitions with labels.
const ANSWER_MAX: usize = 1 << 20;

/// Who looks.
#[derive(Debug, Clone)]
pub enum Prober {
    /// This program again, as a child. Its `main` must call [`crate::answer_child`] before anything else.
    Reexec,
    /// Another program that calls [`crate::answer_child`], such as `kiln-drive`.
    Program(PathBuf),
    /// This process, which then hangs with the drive: for tests over images.
    InProcess,
}

impl Prober {
    /// The program that answers as a child; `None` where this process does it itself.
    pub(crate) fn program(&self) -> Option<&Path> {
        match self {
            Self::Reexec => Some(Path::new("/proc/self/exe")),
            Self::Program(program) => Some(program),
            Self::InProcess => None,
        }
    }
}

/// Why there is no look.
#[derive(Debug, thiserror::Error)]
pub enum NoLook {
    /// The child failed or was late.
    #[error(transparent)]
    Child(#[from] child::Failed),
    /// The program does not answer probes.
    #[error("{0} does not answer probes (its main must call drive::answer_child)")]
    NotAProber(PathBuf),
    /// The node could not be opened.
    #[error("{0}")]
    Open(String),
    /// The node is now another device.
    #[error("the device is {found} now, not {expected}")]
    OtherDevice {
        /// Device number that was asked for.
        expected: DevNum,
        /// Device number that was found.
        found: DevNum,
    },
}

/// What the child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Look { number: (u32, u32), look: Look },
    Failed(String),
}

/// Looks at the device or image that opens as `node`; `expected` is the device number it must have. `drive`: the node of the drive that
/// the look may hang on, also where it is opened by another name.
///
/// # Errors
/// When there was no look. What the drive itself refuses is not an error but [`wire::drive::Content::Unreadable`].
pub fn probe_with_deadline(
    prober: &Prober,
    (node, drive): (&Path, &Path),
    expected: Option<DevNum>,
    deadline: Duration,
) -> Result<Look, NoLook> {
    let answer = match prober.program() {
        None => inspect(node),
        Some(program) => ask(program, ARGUMENT, (node, drive), deadline)?,
    };
    match answer {
        Answer::Failed(why) => Err(NoLook::Open(why)),
        Answer::Look {
            number: (major, minor),
            look,
        } => {
            let found = DevNum { major, minor };
            match expected {
                Some(expected) if expected != found => Err(NoLook::OtherDevice { expected, found }),
                Some(_) | None => Ok(look),
            }
        }
    }
}

/// What keeps everybody out of the device that opens as `node`, if something does and it says so: one read and a question, of a drive that
/// is only read. `drive` as for [`probe_with_deadline`].
pub(crate) fn lock_with_deadline(prober: &Prober, (node, drive): (&Path, &Path), deadline: Duration) -> Option<Lock> {
    match prober.program() {
        None => locked(node),
        Some(program) => ask(program, LOCK, (node, drive), deadline).ok()?,
    }
}

/// The same content, with how full its file systems are and when they were mounted; as it was where that cannot be told, or something
/// else stands there now. `drive` as for [`probe_with_deadline`].
pub fn counted(prober: &Prober, (node, drive): (&Path, &Path), content: Content) -> Content {
    if !matches!(content, Content::Found { .. }) {
        return content;
    }
    let told: Option<Content> = match prober.program() {
        None => count(node),
        Some(program) => {
            let mut command = Command::new(program);
            let ran = child::run_in_passing(command.arg(USAGE).arg(node), drive, COUNTING, ANSWER_MAX);
            ran.ok()
                .and_then(|output| serde_json::from_slice(&output.stdout).ok().flatten())
        }
    };
    match told {
        Some(told) if told.is_same(&content) => told,
        Some(_) | None => content,
    }
}

fn count(node: &Path) -> Option<Content> {
    let (file, _, size, sector) = open(node).ok()?;
    content::counted(&file, size, sector)
}

fn locked(node: &Path) -> Option<Lock> {
    let (file, _, size, _) = open(node).ok()?;
    let mut first = vec![0; FIRST.min(usize::try_from(size).unwrap_or(FIRST))];
    let failed = file.read_exact_at(&mut first, 0).is_err();
    Lock::of(&System::default(), &file, failed)
}

fn ask<T: DeserializeOwned>(
    program: &Path,
    what: &str,
    (node, drive): (&Path, &Path),
    deadline: Duration,
) -> Result<T, NoLook> {
    let mut command = Command::new(program);
    let output = child::run(command.arg(what).arg(node), drive, deadline, ANSWER_MAX)?;
    serde_json::from_slice(&output.stdout).map_err(|_| NoLook::NotAProber(program.to_owned()))
}

/// Opens `node` for reading and looks at it.
fn inspect(node: &Path) -> Answer {
    match open(node) {
        Err(error) => Answer::Failed(format!("opening {}: {error}", node.display())),
        Ok((file, number, size, sector)) => match content::look(&file, size, sector) {
            Ok(mut look) => {
                look.lock = Lock::of(&System::default(), &file, look.failed());
                Answer::Look {
                    number: (number.major, number.minor),
                    look,
                }
            }
            Err(error) => Answer::Failed(format!("looking at {}: {error}", node.display())),
        },
    }
}

fn open(node: &Path) -> std::io::Result<(File, DevNum, u64, u32)> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(node)?;
    let metadata = file.metadata()?;
    if metadata.file_type().is_block_device() {
        let sector = crate::guard::logical_sector(&file).unwrap_or(512);
        // A part of a sector cannot be read, and is told as no part of the drive.
        let size = file.seek(SeekFrom::End(0))?;
        let size = size - size % u64::from(sector.max(1));
        Ok((file, DevNum::from_raw(metadata.rdev()), size, sector))
    } else if metadata.is_file() {
        Ok((file, DevNum { major: 0, minor: 0 }, metadata.len(), 512))
    } else {
        Err(std::io::Error::other("neither a block device nor a file"))
    }
}

/// See [`crate::answer_child`].
#[expect(clippy::exit, reason = "a child answers and does nothing of what its program is for")]
pub(crate) fn answer() {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(what), Some(node)) = (arguments.next(), arguments.next()) else {
        return;
    };
    let node = Path::new(&node);
    let answer = match what.to_str() {
        Some(ARGUMENT) => serde_json::to_string(&inspect(node)),
        Some(LOCK) => serde_json::to_string(&locked(node)),
        Some(USAGE) => serde_json::to_string(&count(node)),
        Some(_) | None => return,
    };
    match answer {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("drive-probe: {error}"),
    }
    std::process::exit(0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::child::Failed;
    use crate::child::tests::held_by;

    /// The guard opens a drive by its descriptor, whose number is another drive's a moment later.
    #[test]
    fn a_drive_that_holds_a_child_is_not_looked_at_by_any_name_and_another_by_that_name_is() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("prober");
        crate::common::script(&script, r#"echo '{"failed":"asked"}'"#);
        let prober = Prober::Program(script);
        let (hangs, number) = (Path::new("/dev/that-hangs-there"), Path::new("/proc/self/fd/7"));
        let look = |drive: &str, deadline| probe_with_deadline(&prober, (number, Path::new(drive)), None, deadline);
        let _held = held_by(hangs);
        let told = look("/dev/that-hangs-there", Duration::from_millis(100));
        assert!(matches!(told, Err(NoLook::Child(Failed::Held))), "{told:?}");
        let told = look("/dev/that-does-not", DEADLINE);
        assert!(matches!(&told, Err(NoLook::Open(why)) if why == "asked"), "{told:?}");
    }
}
