//! The boot medium's keeper: one helper that finds it (`medium::search`), has it made ready (`ready`), and then probes it for ever.
//!
//! DATA is mounted, else repaired, else made and grown: first boot and repair are the same path. While it is there, `mirror`
//! holds the state's files, and puts them into memory should the medium leave, or another one lie in its place; `comeback` waits for
//! it then, and carries them back. What takes long is `watched`. The keeper may hang on a bad stick; PID 1 only hears its lines ([`Said`]).

pub(super) mod comeback;
pub mod mirror;
mod ready;
mod watched;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::boot::data::place::{self, STATE};
use crate::boot::data::proof::Proof;
use crate::boot::data::reset;
use crate::boot::end::{pstore, record};
use crate::boot::kernel::mounts;
use crate::boot::medium::found::{EXCHANGED, Found, PULLED, is_gone};
use crate::boot::medium::known::{Known, Lies, Looks};
use crate::boot::medium::said::Said;
use crate::boot::medium::search::{PATIENCE, find};
use crate::shell::helper::{Heard, Line};
use crate::shell::log;
use mirror::Mirror;
use watched::give_up;

/// Between two looks at the state folder.
const TURN: Duration = Duration::from_secs(1);
/// How long a disk that is being pulled may still be seen.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// Looks between two probes of the medium.
const PROBE_TURNS: u64 = 5;
/// Files that memory does not hold: so many are named.
const LOST_TOLD: usize = 16;

/// Goes on probing and holding copies after an earlier keeper of the disk at `path`, `/devices/…/block/sda`, has died. What lies there
/// is asked first.
pub(super) fn watch(line: &Line, path: &str, known: &Known) -> i32 {
    let sys = Path::new("/sys").join(path.trim_start_matches('/'));
    let Some(disk) = sys.file_name().map(|n| n.to_string_lossy().into_owned()) else {
        return 1;
    };
    probe(line, Found::before(disk, sys), known)
}

/// Does all of it; returns only when the medium is gone or was never there.
pub fn keep(line: &Line, part: &str, mark: Option<&str>, reset: bool) -> i32 {
    let mut found = match find(line, part, mark, PATIENCE) {
        Ok(found) => found,
        Err(why) => {
            Said::Ram(why).over(line);
            return 1;
        }
    };
    let mut known = Known {
        part: part.to_owned(),
        mark: mark.map(str::to_owned),
        same: Some(found.identity()),
    };
    match ready::settle(line, &mut found, &mut known, reset) {
        Ok(()) => {}
        Err(e) => Said::Ram(e).over(line),
    }
    probe(line, found, &known)
}

/// Reads a block past the cache, for ever, keeps the state folder's files in memory, and proves that DATA takes writes, where it is
/// still the medium that lies there. An answer is an answer, even an error; silence is what PID 1 worries about.
pub(super) fn probe(line: &Line, mut found: Found, known: &Known) -> i32 {
    #[repr(align(4096))]
    struct Block([u8; 4096]);
    let mut block = Box::new(Block([0; 4096]));
    let mut mirror = Mirror::new(mirror::room(crate::boot::kernel::sysctl::memory().unwrap_or(0)));
    let mut turn = 0u64;
    let mut proof = Proof::new(Path::new(STATE));
    // A keeper without DATA (write-protected, damaged) only watches the disk.
    let on_disk = mounts::source(STATE).is_ok_and(|d| d.starts_with("/dev"));
    let (mut gone, mut faulty, mut room) = (false, false, None);
    let mut looks = Looks::default();
    loop {
        let mut left = None;
        // What cannot be asked is neither written to nor copied from.
        let mut is_ours = false;
        if !gone {
            let lies = looks.lies(known, &mut found);
            is_ours = lies == Lies::Same;
            left = (lies == Lies::Another).then_some(EXCHANGED);
        }
        if is_ours && !faulty && on_disk {
            // Before files are looked at: what cannot be read any more must not push out what is held.
            match proof.look() {
                Ok(share) if room != Some(share) => {
                    room = Some(share);
                    Said::Room(share).over(line);
                }
                Ok(_) => {}
                Err(why) => {
                    // A disk that is being pulled refuses everything a moment before it is gone.
                    std::thread::sleep(LEAVES_WITHIN);
                    if found.present() {
                        faulty = true;
                        Said::Faulty(why).over(line);
                    }
                }
            }
        }
        if is_ours && !faulty {
            // A medium that is slow, and reads on, is not a silent one; and it may be exchanged meanwhile.
            let mut said = Instant::now();
            mirror.refresh(Path::new(STATE), &mut || {
                if said.elapsed() >= TURN {
                    said = Instant::now();
                    Said::Alive.over(line);
                    if looks.lies(known, &mut found) == Lies::Another {
                        left = Some(EXCHANGED);
                        give_up(line, &found);
                    }
                }
            });
        }
        if !gone && left.is_none() && turn.is_multiple_of(PROBE_TURNS) {
            // Opened afresh each time, so that a disk that has left is never held.
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_DIRECT)
                .open(found.node());
            let result = file.and_then(|f| f.read_at(&mut block.0, (turn % 64) * 4096));
            if !found.sys.exists() || result.is_err_and(|e| is_gone(&e)) {
                left = Some(PULLED);
            } else {
                Said::Alive.over(line);
            }
        }
        turn += 1;
        if let Some(why) = left {
            gone = true;
            give_up(line, &found);
            Said::Gone(why.to_owned()).over(line);
        }
        match line.hear_within(TURN) {
            Heard::Text(t) if t == "save" => {
                if let Err(e) = place::state_in_ram() {
                    Said::Failed(e.to_string()).over(line);
                    return 1;
                }
                let (saved, lost) = mirror.save(Path::new(STATE));
                let told = if lost.is_empty() {
                    format!("whole {saved} files")
                } else {
                    let named = lost[..lost.len().min(LOST_TOLD)].join(", ");
                    format!("part {saved} files; lost are {}: {named}", lost.len())
                };
                Said::Saved(told).over(line);
                return 0;
            }
            Heard::Text(t) => {
                if let Some(row) = t.strip_prefix("row ").filter(|_| on_disk && !gone && !faulty) {
                    keep_row(row);
                }
                if let Some(since) = t.strip_prefix("pstore").filter(|_| on_disk && !gone && !faulty) {
                    let dir = Path::new(record::FOLDER);
                    let found = pstore::collect(Path::new(pstore::AT), dir, since.trim().parse().ok(), pstore::began());
                    Said::Dumps(serde_json::to_string(&found).unwrap_or_default()).over(line);
                }
                if t == reset::MARK_IT {
                    match mark_data(!gone && known.lies(&mut found) == Lies::Same) {
                        Ok(()) => Said::Marked.over(line),
                        Err(e) => Said::Unmarked(e.to_string()).over(line),
                    }
                }
            }
            Heard::Nothing => {}
            Heard::Closed => return 0,
        }
    }
}

/// Marks DATA to be made anew at the next start, where it `is_there`.
fn mark_data(is_there: bool) -> io::Result<()> {
    let part = mounts::source(STATE)?;
    match is_there && part.starts_with("/dev") {
        true => reset::ask(&part),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "DATA is not in use")),
    }
}

/// Where this boot stands in a row of reboots, as PID 1 words it.
fn keep_row(json: &str) {
    let kept = serde_json::from_str::<record::Row>(json)
        .map_err(io::Error::from)
        .and_then(|row| row.keep(Path::new(record::FOLDER)));
    if let Err(e) = kept {
        log::warn(&format!("counting reboots in a row: {e}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs::{self, File};

    use nix::mount::{MsFlags, mount};
    use rig::not_run;

    use super::*;
    use crate::boot::medium::found;
    use crate::boot::medium::search::tests::{disks, done};
    use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};
    use crate::shell::helper::Helper;

    /// Waits until the keeper says something that begins so.
    fn told(keeper: &Helper, begins: &str) {
        let begun = Instant::now();
        loop {
            let (said, _) = keeper.next().unwrap();
            if said.starts_with(begins) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{begins:?} does not come");
            assert!(said.starts_with("room") || said == "alive", "{said}");
        }
    }

    #[test]
    fn another_card_in_the_reader_ends_what_is_written_to_data_and_state_goes_on_from_memory() {
        // A thread of its own: other tests keep the `/dev` and the `/var/lib` that they have.
        std::thread::spawn(exchanged).join().unwrap();
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
            mount(Some("none"), "/var/lib", Some("tmpfs"), MsFlags::empty(), none).map_err(|e| e.to_string())?;
            fs::create_dir(STATE).map_err(|e| e.to_string())?;
            // DATA is a device of its own here: a loop device that is open keeps its file, where a card's partition keeps its place.
            mount(Some(&loops[1].node), STATE, Some("ext4"), MsFlags::empty(), none).map_err(|e| e.to_string())?;
            Ok(loops)
        });
        let loops = match mounted {
            Ok(loops) => loops,
            Err(why) => return not_run(&why),
        };
        let file = Path::new(STATE).join("settings");
        fs::write(&file, "of the owner's").unwrap();
        let found = found::tests::of(&loops[0]);
        let known = Known {
            part: guid_text(&gpt.partitions[0].guid),
            mark: None,
            same: Some(found.identity()),
        };
        let (keeper, line) = Line::pair().unwrap();
        let probes = std::thread::spawn(move || probe(&line, found, &known));
        told(&keeper, "alive");
        loops[0].exchange(&ours);
        told(&keeper, "alive");
        fs::write(&file, "after a reset").unwrap();
        loops[0].exchange(&other);
        told(&keeper, &format!("gone {EXCHANGED}"));
        assert_eq!(fs::write(&file, "lost").unwrap_err().raw_os_error(), Some(libc::EIO));
        assert!(keeper.tell("save"));
        told(&keeper, "saved whole");
        assert_eq!(probes.join().unwrap(), 0);
        assert_eq!(fs::read_to_string(&file).unwrap(), "after a reset");
    }
}
