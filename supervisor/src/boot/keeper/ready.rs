//! Makes a boot medium that was found ready for use: guarded, its table and names its own, DATA grown, mended and mounted, and
//! what the last boot left behind told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::watched::watched;
use crate::boot::bundle;
use crate::boot::data::place::STATE;
use crate::boot::data::{filesystem, journals, lost};
use crate::boot::data::{reset, superblock, tool};
use crate::boot::end::{pstore, record};
use crate::boot::kernel::modules::Modules;
use crate::boot::medium::found::{Found, guard};
use crate::boot::medium::known::Known;
use crate::boot::medium::mark;
use crate::boot::medium::said::{Said, progress};
use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};
use crate::boot::table::guid::{self, Need};
use crate::crash;
use crate::shell::helper::Line;

/// What mounting the boot partition takes, which otherwise comes later.
const FAT: [&str; 3] = ["vfat", "nls_cp437", "nls_ascii"];
/// `BLKPG` (linux/blkpg.h, linux/fs.h).
const BLKPG: libc::c_ulong = 0x1269;
/// `BLKPG_RESIZE_PARTITION`.
const BLKPG_RESIZE: libc::c_int = 3;

nix::ioctl_read!(blk_size64, 0x12, 114, u64);

/// Does all of that; `known` is what it is known by from then on.
///
/// # Errors
/// In words, why nothing can be kept on it.
pub(super) fn settle(line: &Line, found: &mut Found, known: &mut Known, reset: bool) -> Result<(), String> {
    let node = found.node();
    let read_only = fs::read_to_string(found.sys.join("ro")).is_ok_and(|t| t.trim() == "1");
    let disk = OpenOptions::new()
        .read(true)
        .write(!read_only)
        .open(&node)
        .map_err(|e| format!("opening {}: {e}", node.display()))?;
    // GRUB's own write to its environment block may still be in the medium's cache.
    let _ = disk.sync_all();
    let mut bytes = 0u64;
    // SAFETY: BLKGETSIZE64 writes one u64 that outlives the call.
    unsafe { blk_size64(disk.as_raw_fd(), &raw mut bytes) }.map_err(|e| format!("size of {}: {e}", node.display()))?;
    guard(line, found);
    let gpt = Gpt::read(&disk, bytes / SECTOR).map_err(|e| format!("partition table of {}: {e}", node.display()))?;
    if read_only {
        return Err("the boot medium is write-protected".into());
    }
    if gpt.data().is_none() {
        return Err(format!("{} has no DATA partition", node.display()));
    }
    let boot = gpt
        .partitions
        .iter()
        .find(|p| guid_text(&p.guid) == known.part)
        .map(|p| (p.first, p.number));
    let gpt = grow_partition(line, &disk, &gpt, bytes).unwrap_or(gpt);
    note_new(line, found, &gpt);
    let gpt = own_names(line, &disk, gpt, bytes, &mut known.part);
    if let Some((first, _)) = boot {
        new_mark(line, &disk, first, &mut known.mark);
    }
    let Some(data) = gpt.data() else {
        return Err("DATA is gone".into());
    };
    let part = found.partition(data.number);
    if let (true, Some((first, _))) = (reset, boot)
        && let Err(e) = reset::by_flag(&disk, first, &part)
    {
        Said::NoReset(e.clone()).over(line);
    }
    let part_bytes = (data.last - data.first + 1) * SECTOR;
    let boot_part = boot.map(|(_, number)| found.partition(number));
    let how = watched(line, found, known, || {
        mounted(line, &part, part_bytes, boot_part.as_deref())
    })??;
    let _ = fs::set_permissions(STATE, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    journals::give(Path::new(STATE));
    let dir = Path::new(record::FOLDER);
    let mut traces = record::take(dir);
    let dumps = pstore::collect(Path::new(pstore::AT), dir, traces.since, None);
    (traces.panic, traces.older) = (dumps.last, dumps.older);
    let json = serde_json::json!({ "record": traces.record, "cut_short": traces.cut_short, "panic": traces.panic, "older": traces.older, "since": traces.since, "fault": traces.fault, "row": traces.row });
    Said::Traces(json.to_string()).over(line);
    let crashes = crash::untold(&crash::folder());
    if !crashes.is_empty() {
        Said::Crash(crashes.join("; ")).over(line);
    }
    Said::Mounted(how.to_owned()).over(line);
    Ok(())
}

/// Makes DATA ready and mounts it; `boot` is the boot partition. Says how.
fn mounted(line: &Line, part: &Path, part_bytes: u64, boot: Option<&Path>) -> Result<&'static str, String> {
    load(line, &["ext4"]);
    if let (true, Some(boot)) = (reset::asked(part), boot) {
        // Before DATA loses its mark: should the power go, it is done again.
        load(line, &FAT);
        if let Err(e) = bundle::forget(boot) {
            Said::Bundle(e.to_string()).over(line);
        }
    }
    let how = filesystem::mount(line, part)?;
    if how == "plain" && superblock::file_system_bytes(part).is_some_and(|fs| fs + (16 << 20) < part_bytes) {
        progress(line, "growing DATA");
        let _ = tool::run(line, "/usr/sbin/resize2fs", &[&part.to_string_lossy()], "growing DATA");
    }
    Ok(how)
}

fn load(line: &Line, modules: &[&str]) {
    let known = match Modules::read() {
        Ok(known) => known,
        Err(e) => return progress(line, format_args!("the list of modules: {e}")),
    };
    // What the kernel has built in is no module.
    for e in modules
        .iter()
        .filter(|m| known.has(m))
        .filter_map(|m| known.load(m).err())
    {
        progress(line, format_args!("module {e}"));
    }
}

/// Notes that a fresh image has no DATA yet, before its GUIDs, by which that is known, are gone: the power may go before DATA
/// is made, and what the stick was before may lie behind the image.
fn note_new(line: &Line, found: &Found, gpt: &Gpt) {
    if let (Need::Names, Some(data)) = (guid::need(gpt, true), gpt.data())
        && let Err(e) = lost::note_new(&found.partition(data.number))
    {
        progress(line, format_args!("noting that DATA is new: {e}"));
    }
}

/// Makes the table the medium's own, or mends it; DATA lies where it lay in either case.
///
/// It comes after growing, which puts the backup where the kernel looks for it: into the last sector.
fn own_names(line: &Line, disk: &File, gpt: Gpt, bytes: u64, part: &mut String) -> Gpt {
    let number = gpt
        .partitions
        .iter()
        .find(|p| guid_text(&p.guid) == *part)
        .map(|p| p.number);
    match guid::settle(disk, bytes / SECTOR) {
        Ok(None) => gpt,
        Ok(Some((need, new))) => {
            let named = new.partitions.iter().find(|p| Some(p.number) == number);
            if let (Need::Names, Some(p)) = (need, named) {
                *part = guid_text(&p.guid);
                Said::Part(part.clone()).over(line);
            } else {
                progress(
                    line,
                    "the boot medium's partition table was damaged and was mended from its backup",
                );
            }
            new
        }
        Err(e) => {
            progress(
                line,
                format_args!("giving the boot medium's partitions names of their own: {e}"),
            );
            gpt
        }
    }
}

/// Makes the mark another one than that of a copy made before this start.
fn new_mark(line: &Line, disk: &File, first: u64, known: &mut Option<String>) {
    let mut word = [0u8; 8];
    let drawn = File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut word));
    let who = format!("{:016x}", u64::from_le_bytes(word));
    let before = known.clone();
    if let Err(e) = drawn.and_then(|()| mark::renew(disk, first, &who, known)) {
        progress(line, format_args!("giving the boot medium a mark of its own: {e}"));
    }
    if *known != before {
        Said::Mark(known.clone().unwrap_or_default()).over(line);
    }
}

/// Extends DATA's entry and tells the kernel; the file system follows later.
fn grow_partition(line: &Line, disk: &File, gpt: &Gpt, bytes: u64) -> Option<Gpt> {
    #[repr(C)]
    struct Partition {
        start: i64,
        length: i64,
        number: libc::c_int,
        names: [u8; 128],
    }
    #[repr(C)]
    struct Argument {
        op: libc::c_int,
        flags: libc::c_int,
        length: libc::c_int,
        data: *mut Partition,
    }
    let data = gpt.data()?;
    let last = match gpt.grow_data(disk, bytes / SECTOR) {
        Ok(Some(last)) => last,
        Ok(None) => return None,
        Err(e) => {
            progress(line, format_args!("growing the DATA partition: {e}"));
            return None;
        }
    };
    let mut p = Partition {
        start: i64::try_from(data.first * SECTOR).ok()?,
        length: i64::try_from((last - data.first + 1) * SECTOR).ok()?,
        number: i32::try_from(data.number).ok()?,
        names: [0; 128],
    };
    let size = i32::try_from(size_of::<Partition>()).ok()?;
    let mut a = Argument {
        op: BLKPG_RESIZE,
        flags: 0,
        length: size,
        data: &raw mut p,
    };
    // SAFETY: both structures have the layout of linux/blkpg.h and outlive the call.
    if unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, &raw mut a) } < 0 {
        progress(
            line,
            format_args!("telling the kernel of the larger DATA: {}", io::Error::last_os_error()),
        );
        return None;
    }
    Gpt::read(disk, bytes / SECTOR).ok()
}
