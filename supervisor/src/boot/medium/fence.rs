//! The fence around a disk in whose place another medium may lie by now: it takes no command until nothing of ours is left that could
//! be written to it.
//!
//! That DATA is given up (`data::shut`) is not enough. What its journal has committed waits in the kernel's memory for its place on the
//! medium, and goes there when the last file of it is closed: seconds after it was unmounted for all to see. So the fence stands until
//! no partition of the disk is held any more. Who has raised it may be killed before that; a note tells who comes after it.
//!
//! Only a disk on a SCSI bus, as USB is one, goes on under one name with another medium in it. A card in a slot of the board (mmc)
//! takes no command until the kernel has made it a disk of its own, and a disk of NVMe or virtio comes and goes with its name: what
//! is still to be written to one that has left reaches none. Tested: here, over a state that is played, and by boot tests
//! (`image/tests/boot/medium.rs`).

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::found::Found;
use crate::shell::helper::{Heard, Line};
use crate::shell::log;

/// Which disk is fenced: its folder below `/sys`. Gone once it takes commands again.
pub(in crate::boot) const NOTE: &str = "/run/kiln/fence";
/// Between two looks whether it may be lifted.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A fence that stands for longer is told: the journal lets go of its file within 5 s, and whoever else holds one was to end in 15.
const STANDS_FOR: Duration = Duration::from_secs(30);

/// States of a disk on a SCSI bus in which it takes commands, and none.
const RUNNING: &str = "running";
const OFFLINE: &str = "offline";
/// Those of one that leaves the bus: it takes none any more.
const LEAVES: [&str; 2] = ["cancel", "deleted"];

/// Has the disk take no command from now on, until [`lift`] lets it. Nothing is done, and nothing has to be, where no other medium
/// can come under its name, or it is no more.
///
/// # Errors
/// In words, why it takes commands.
pub(in crate::boot) fn raise(found: &Found) -> Result<(), String> {
    if !is_scsi(&found.sys) {
        return Ok(());
    }
    // Before it stands: nobody would lift it else, should this process end in between.
    let noted = fs::write(NOTE, found.sys.as_os_str().as_encoded_bytes());
    let raised = put(&State(&found.sys), OFFLINE);
    match noted {
        Err(e) if raised.is_ok() => Err(format!("it could not be noted in {NOTE}: {e}")),
        _ => raised,
    }
}

/// In a helper: has the disk that the note tells of take commands again, once nobody holds a partition of it; and the next, where another
/// one was fenced meanwhile.
pub(in crate::boot) fn lift(line: &Line) -> i32 {
    let (begun, mut told) = (Instant::now(), false);
    let Some(mut sys) = noted(Path::new(NOTE)) else {
        return 0;
    };
    loop {
        let done = match is_any_held(&sys, Path::new("/dev")) {
            true => Err("a process still holds a file of it".to_owned()),
            false => put(&State(&sys), RUNNING),
        };
        match done {
            Ok(()) => {
                log::info(&format!("the fence around {} is lifted", sys.display()));
                match done_with(&sys, Path::new(NOTE)) {
                    Some(other) => sys = other,
                    None => return 0,
                }
            }
            Err(why) if !told && begun.elapsed() >= STANDS_FOR => {
                told = true;
                line.say(&format!("stands {why}"));
            }
            Err(_) => {}
        }
        match line.hear_within(LOOK_EVERY) {
            Heard::Closed => return 1,
            Heard::Text(_) | Heard::Nothing => {}
        }
    }
}

/// The folder of the disk that a note tells of.
fn noted(note: &Path) -> Option<PathBuf> {
    fs::read_to_string(note).ok().map(PathBuf::from)
}

/// Takes away the note of a disk whose fence is lifted; of another one, whose fence was raised meanwhile, it stays, and that is told.
fn done_with(sys: &Path, note: &Path) -> Option<PathBuf> {
    let other = noted(note).filter(|noted| noted != sys);
    if other.is_none() {
        let _ = fs::remove_file(note);
    }
    other
}

/// Whether a partition is held by somebody: by a file system, too, which outlives its mount until its last file is closed.
pub(in crate::boot) fn is_held(partition: &Path) -> bool {
    let open = OpenOptions::new().read(true).custom_flags(libc::O_EXCL).open(partition);
    // Of a disk that takes no command a free one is refused otherwise: who holds it is asked first (`bdev_open` in block/bdev.c).
    open.is_err_and(|e| e.raw_os_error() == Some(libc::EBUSY))
}

/// Whether any partition of a disk is, by its node in `dev`.
fn is_any_held(sys: &Path, dev: &Path) -> bool {
    let parts = fs::read_dir(sys).into_iter().flatten().flatten();
    parts
        .filter(|part| part.path().join("partition").exists())
        .any(|part| is_held(&dev.join(part.file_name())))
}

fn is_scsi(sys: &Path) -> bool {
    fs::read_link(sys.join("device/subsystem")).is_ok_and(|bus| bus.ends_with("scsi"))
}

/// What a disk on a SCSI bus is told, and tells, of whether it takes commands.
trait Attribute {
    fn set(&self, line: &[u8]) -> io::Result<()>;
    fn get(&self) -> io::Result<String>;
}

/// The kernel's, of the disk with this folder below `/sys`.
struct State<'a>(&'a Path);

impl State<'_> {
    fn path(&self) -> PathBuf {
        self.0.join("device/state")
    }
}

impl Attribute for State<'_> {
    fn set(&self, line: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path())?.write_all(line)
    }

    fn get(&self) -> io::Result<String> {
        let mut told = String::new();
        fs::File::open(self.path())?.read_to_string(&mut told)?;
        Ok(told)
    }
}

/// Puts a disk into a state, as the kernel wants it: a whole line (`store_state_field`, linux/drivers/scsi/scsi_sysfs.c).
///
/// # Errors
/// In words, where the disk is there and in another state afterwards.
fn put(disk: &impl Attribute, state: &str) -> Result<(), String> {
    let set = disk.set(format!("{state}\n").as_bytes());
    match disk.get() {
        Ok(told) if told.trim() == state || LEAVES.contains(&told.trim()) => Ok(()),
        Ok(told) => {
            let why = set.err().map(|e| format!(" ({e})")).unwrap_or_default();
            Err(format!("its state is {} and not {state}{why}", told.trim()))
        }
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => Ok(()),
        Err(e) => Err(format!("its state cannot be read: {e}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::cell::RefCell;
    use std::fs::File;
    use std::os::unix::fs::symlink;

    use rig::{Loop, not_run};

    use super::*;

    /// A disk that takes what `store_state_field` takes: one of two words with its line feed, while it is in one of these two states.
    struct Played(RefCell<&'static str>);

    impl Attribute for Played {
        fn set(&self, line: &[u8]) -> io::Result<()> {
            let states: [(&[u8], _); 2] = [(b"running\n", RUNNING), (b"offline\n", OFFLINE)];
            let asked = states.iter().find(|(taken, _)| line.starts_with(taken));
            let mut state = self.0.borrow_mut();
            match asked {
                Some((_, asked)) if [RUNNING, OFFLINE].contains(&*state) => *state = asked,
                _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
            }
            Ok(())
        }

        fn get(&self) -> io::Result<String> {
            match *self.0.borrow() {
                "" => Err(io::Error::from_raw_os_error(libc::ENODEV)),
                state => Ok(format!("{state}\n")),
            }
        }
    }

    #[test]
    fn a_disk_takes_the_words_that_the_kernel_takes_and_one_that_does_not_is_told() {
        let disk = Played(RefCell::new(RUNNING));
        for word in [OFFLINE, OFFLINE, RUNNING] {
            put(&disk, word).unwrap();
            assert_eq!(*disk.0.borrow(), word);
        }
        let blocked = put(&Played(RefCell::new("blocked")), OFFLINE).unwrap_err();
        assert!(blocked.contains("blocked and not offline (Invalid"), "{blocked}");
        for leaves in ["", "cancel", "deleted"] {
            put(&Played(RefCell::new(leaves)), OFFLINE).unwrap();
        }
    }

    #[test]
    fn only_a_disk_on_a_scsi_bus_is_fenced() {
        let sys = tempfile::tempdir().unwrap();
        assert!(!is_scsi(sys.path()));
        for (bus, fenced) in [("../../../bus/scsi", true), ("../../../bus/mmc", false)] {
            let device = sys.path().join("device");
            fs::create_dir(&device).unwrap();
            symlink(bus, device.join("subsystem")).unwrap();
            assert_eq!(is_scsi(sys.path()), fenced, "{bus}");
            fs::remove_dir_all(&device).unwrap();
        }
        // Nothing of this machine is touched: it has no note.
        raise(&Found::before("sdx".into(), sys.path().to_owned())).unwrap();
    }

    #[test]
    fn a_second_disk_that_is_fenced_meanwhile_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("fence");
        let [one, other] = ["/sys/block/sda", "/sys/block/sdb"].map(Path::new);
        fs::write(&note, "/sys/block/sdb").unwrap();
        assert_eq!(done_with(one, &note).as_deref(), Some(other));
        assert_eq!(done_with(other, &note), None);
        assert!(!note.exists());
        assert_eq!(done_with(other, &note), None);
    }

    #[test]
    fn a_disk_is_held_as_long_as_anybody_holds_a_partition_of_it() {
        let [sys, dev] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(1 << 20).unwrap();
        let disk = match Loop::over(image.path()) {
            Ok(disk) => disk,
            Err(why) => return not_run(&why),
        };
        for part in ["sdx1", "sdx2", "queue"] {
            fs::create_dir(sys.path().join(part)).unwrap();
        }
        for part in ["sdx1", "sdx2"] {
            File::create(sys.path().join(part).join("partition")).unwrap();
        }
        // The first has no node any more.
        symlink(&disk.node, dev.path().join("sdx2")).unwrap();
        let is_held = || is_any_held(sys.path(), dev.path());
        assert!(!is_held());
        let mut exclusive = OpenOptions::new();
        exclusive.read(true).custom_flags(libc::O_EXCL);
        let held = exclusive.open(&disk.node).unwrap();
        assert!(is_held());
        drop(held);
        assert!(!is_held());
    }
}
