//! The boot medium's keeper: one helper that finds it (`medium::search`), has it made ready (`ready`), and then probes it for ever.
//!
//! DATA is mounted, else repaired, else made and grown: first boot and repair are the same path. While it is there, `mirror`
//! holds the state's files, and puts them into memory should the medium leave; `comeback` waits for it then, and carries them
//! back. The keeper may hang on a bad stick; PID 1 only hears its lines ([`Said`]).

pub(super) mod comeback;
pub mod mirror;
mod ready;

use std::cell::Cell;
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
use crate::boot::medium::found::{Found, PULLED, is_gone};
use crate::boot::medium::said::Said;
use crate::boot::medium::search::{PATIENCE, find};
use crate::shell::helper::{Heard, Line};
use crate::shell::log;
use mirror::Mirror;

/// Between two looks at the state folder.
const TURN: Duration = Duration::from_secs(1);
/// How long a disk that is being pulled may still be seen.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// Looks between two probes of the medium.
const PROBE_TURNS: u64 = 5;
/// Files that memory does not hold: so many are named.
const LOST_TOLD: usize = 16;

/// Goes on probing and holding copies after an earlier keeper of the disk at `path`, `/devices/…/block/sda`, has died.
pub fn watch(line: &Line, path: &str) -> i32 {
    let sys = Path::new("/sys").join(path.trim_start_matches('/'));
    let Some(disk) = sys.file_name().map(|n| n.to_string_lossy().into_owned()) else {
        return 1;
    };
    probe(line, &Found::now(disk, sys))
}

/// Does all of it; returns only when the medium is gone or was never there.
pub fn keep(line: &Line, part: &str, mark: Option<&str>, reset: bool) -> i32 {
    let found = match find(line, part, mark, PATIENCE) {
        Ok(found) => found,
        Err(why) => {
            Said::Ram(why).over(line);
            return 1;
        }
    };
    match ready::settle(line, &found, part, reset) {
        Ok(()) => {}
        Err(e) => Said::Ram(e).over(line),
    }
    probe(line, &found)
}

/// Reads a block past the cache, for ever, keeps the state folder's files in memory, and proves that DATA takes writes. An
/// answer is an answer, even an error; silence is what PID 1 worries about.
pub(super) fn probe(line: &Line, found: &Found) -> i32 {
    #[repr(align(4096))]
    struct Block([u8; 4096]);
    let mut block = Box::new(Block([0; 4096]));
    let mut mirror = Mirror::new(mirror::room(crate::boot::kernel::sysctl::memory().unwrap_or(0)));
    let mut turn = 0u64;
    let mut proof = Proof::new(Path::new(STATE));
    // A keeper without DATA (write-protected, damaged) only watches the disk.
    let on_disk = mounts::source(STATE).is_ok_and(|d| d.starts_with("/dev"));
    let (mut gone, mut faulty, mut room) = (false, false, None);
    loop {
        if !gone && !faulty && on_disk {
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
        if !gone {
            if !faulty {
                // A medium that is slow, and reads on, is not a silent one.
                let said = Cell::new(Instant::now());
                mirror.refresh(Path::new(STATE), &|| {
                    if said.get().elapsed() >= TURN {
                        said.set(Instant::now());
                        Said::Alive.over(line);
                    }
                });
            }
            if turn.is_multiple_of(PROBE_TURNS) {
                // Opened afresh each time, so that a disk that has left is never held.
                let file = OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_DIRECT)
                    .open(found.node());
                let result = file.and_then(|f| f.read_at(&mut block.0, (turn % 64) * 4096));
                gone = !found.sys.exists() || result.is_err_and(|e| is_gone(&e));
                match gone {
                    true => Said::Gone(PULLED.to_owned()).over(line),
                    false => Said::Alive.over(line),
                }
            }
            turn += 1;
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
                    match mark_data() {
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

/// Marks DATA to be made anew at the next start.
fn mark_data() -> io::Result<()> {
    let part = mounts::source(STATE)?;
    match part.starts_with("/dev") {
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
