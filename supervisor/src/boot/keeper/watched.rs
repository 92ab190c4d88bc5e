//! What takes long at the medium (a check, a repair, a reset that writes over DATA, state that is carried) is watched meanwhile.
//!
//! Whoever works there may wait in the kernel for as long as the medium likes, and looks at nothing then. So a thread beside it looks
//! each second what lies there, and gives the medium up where that is another one; the work meets the error, and ends. Tested: here,
//! over loop devices, which no fence is needed for.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::boot::bundle;
use crate::boot::data::place::{ASIDE, STATE};
use crate::boot::data::shut;
use crate::boot::kernel::mounts;
use crate::boot::medium::fence;
use crate::boot::medium::found::{EXCHANGED, Found};
use crate::boot::medium::known::{Known, Lies, Looks};
use crate::boot::medium::said::Said;
use crate::shell::helper::Line;
use crate::shell::log;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does the work, and looks at what lies there until it is done.
///
/// # Errors
/// Why the medium has left: it is given up, and what the work has said counts for nothing.
pub(super) fn watched<T>(
    line: &Line,
    found: &mut Found,
    known: &Known,
    work: impl FnOnce() -> T,
) -> Result<T, &'static str> {
    let (over, is_over) = channel::<()>();
    let log_here = log::beside();
    let look = move || {
        log_here();
        let (mut looks, mut is_left) = (Looks::default(), false);
        while is_over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            is_left |= looks.lies(known, found) == Lies::Another;
            if is_left {
                // Again and again: where no fence stands, what the work mounts next would be written to.
                give_up(line, found);
            }
        }
        is_left
    };
    thread::scope(|scope| {
        // Who has no memory for it works all the same: without its medium the box keeps nothing.
        let looks = thread::Builder::new()
            .spawn_scoped(scope, look)
            .inspect_err(|e| log::warn(&format!("nobody watches over the boot medium meanwhile: {e}")));
        let done = work();
        drop(over);
        match looks.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(false)) | Err(_) => Ok(done),
            Ok(Ok(true) | Err(_)) => Err(EXCHANGED),
        }
    })
}

/// Gives the medium up, so that nothing is written to what is put in its place: DATA, where it is in use, and what else is open there.
/// Once more does no harm.
pub(super) fn give_up(line: &Line, found: &Found) {
    if let Err(why) = fence::raise(found) {
        Said::Unfenced(why).over(line);
    }
    bundle::let_go();
    for at in [STATE, ASIDE] {
        if mounts::source(at).is_ok_and(|device| device.starts_with("/dev"))
            && let Err(e) = shut::shut(Path::new(at))
        {
            log::warn(&format!("giving DATA up: {e}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs::{self, File};
    use std::time::Instant;

    use nix::mount::{MsFlags, mount};
    use rig::not_run;

    use super::*;
    use crate::boot::medium::found;
    use crate::boot::medium::search::tests::{disks, done};
    use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};

    #[test]
    fn what_is_at_the_medium_ends_with_it_and_a_reset_ends_nothing() {
        // A thread of its own: other tests keep the `/dev` and the `/run` that they have.
        thread::spawn(exchanged).join().unwrap();
    }

    fn exchanged() {
        let dir = tempfile::tempdir().unwrap();
        let [ours, other, data] = ["ours", "other", "data"].map(|name| dir.path().join(name));
        for file in [&ours, &other] {
            File::create(file).unwrap().set_len(8 << 20).unwrap();
            done("sgdisk", &["-n", "1:2048:4095", &file.to_string_lossy()]).unwrap();
        }
        File::create(&data).unwrap().set_len(32 << 20).unwrap();
        done("mke2fs", &["-q", "-F", "-t", "ext4", &data.to_string_lossy()]).unwrap();
        let gpt = Gpt::read(&File::open(&ours).unwrap(), (8 << 20) / SECTOR).unwrap();
        let mounted = disks(&[ours.clone(), data]).and_then(|loops| {
            let none = None::<&str>;
            mount(Some("none"), "/run", Some("tmpfs"), MsFlags::empty(), none).map_err(|e| e.to_string())?;
            fs::create_dir_all(ASIDE).map_err(|e| e.to_string())?;
            mount(Some(&loops[1].node), ASIDE, Some("ext4"), MsFlags::empty(), none).map_err(|e| e.to_string())?;
            Ok(loops)
        });
        let loops = match mounted {
            Ok(loops) => loops,
            Err(why) => return not_run(&why),
        };
        let mut found = found::tests::of(&loops[0]);
        let known = Known {
            part: guid_text(&gpt.partitions[0].guid),
            mark: None,
            same: Some(found.identity()),
        };
        let line = Line::unheard().unwrap();
        let write = |time: Duration| {
            let begun = Instant::now();
            let mut written = Ok(());
            while written.is_ok() && begun.elapsed() < time {
                written = fs::write(Path::new(ASIDE).join("carried"), "state");
                thread::sleep(LOOK_EVERY / 20);
            }
            written.err().and_then(|e| e.raw_os_error())
        };
        let reset = watched(&line, &mut found, &known, || {
            loops[0].exchange(&ours);
            write(LOOK_EVERY * 2)
        });
        assert_eq!(reset, Ok(None));
        let mut met = None;
        let exchanged = watched(&line, &mut found, &known, || {
            loops[0].exchange(&other);
            met = write(LOOK_EVERY * 30);
        });
        assert_eq!(exchanged, Err(EXCHANGED));
        assert_eq!(met, Some(libc::EIO));
    }
}
