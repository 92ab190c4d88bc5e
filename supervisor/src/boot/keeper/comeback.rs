//! The boot medium was pulled, or came up too late: what happens when it is there (again).
//!
//! First of all it is guarded: held exclusively, and its number told to the agent, so that nobody erases it. It has to be the
//! very same one: partition GUIDs, size, model and serial number; a copy is a drive like any other. Then, if memory holds all
//! that was on it and what has happened since, PID 1 stops the services and what is in memory is carried back, each file
//! whole or not at all. Where memory began empty, nothing is carried: an empty history must not replace a full one. Reports of
//! crashes are added to the medium's own, and the journal brings its lines by itself.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use nix::sys::statvfs::statvfs;

use super::watched::watched;
use crate::boot::data::place::{ASIDE, SHELF, STATE};
use crate::boot::data::{filesystem, journals};
use crate::boot::end::record;
use crate::boot::keeper;
use crate::boot::kernel::mounts;
use crate::boot::medium::fence;
use crate::boot::medium::found::{EXCHANGED, Found, PULLED, guard};
use crate::boot::medium::known::{Known, Lies};
use crate::boot::medium::said::{Said, progress};
use crate::boot::medium::search::Search;
use crate::crash;
use crate::shell::helper::{Heard, Line};

/// Between two looks for the medium.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for who holds a file of the DATA that was given up: the journal, for 5 s.
const LETS_GO_WITHIN: Duration = Duration::from_secs(15);
/// Deepest folder that is carried.
const DEPTH_MAX: usize = 8;
/// What the medium's own copy keeps: other writers', PID 1's notes (but for [`CRASHES`]), what LMDB makes anew.
const LEFT_OUT: [&str; 4] = ["lost+found", "journal", "supervisor", "lock.mdb"];
/// Reports of services that crashed.
const CRASHES: &str = "supervisor/crashes";
/// End of a backup's name.
const BACKUP: &str = ".backup";
/// The part of DATA that kept backups leave free: a tenth.
const FREE_SHARE: u64 = 10;
/// End of a file's name until it is whole.
const CARRIED: &str = ".carried";

/// In a helper: waits for the medium, guards it, and carries state back when PID 1 says so; then it is the keeper.
pub(in crate::boot) fn wait(line: &Line, part: &str, mark: Option<&str>, same: Option<&str>) -> i32 {
    let mut search = Search::default();
    let mut found = loop {
        // What it is known by tells it from a copy; where that is not known, its mark has to, or that there is no other.
        let fits = match same {
            Some(_) => search.look(part, mark),
            None => search.sure(part, mark),
        };
        match fits {
            Some(found) if same.is_none_or(|same| same == found.identity()) => break found,
            // A copy: looked at once.
            Some(other) => search.pass_over(&other),
            None => {}
        }
        match line.hear_within(LOOK_EVERY) {
            Heard::Closed => return 0,
            Heard::Text(_) | Heard::Nothing => {}
        }
    };
    let known = Known {
        part: part.to_owned(),
        mark: mark.map(str::to_owned),
        same: Some(found.identity()),
    };
    guard(line, &found);
    Said::Back.over(line);
    loop {
        match line.hear_within(LOOK_EVERY) {
            Heard::Closed => return 0,
            Heard::Text(t) if t == "return" => break,
            Heard::Text(_) | Heard::Nothing => {
                if !found.present() {
                    Said::Gone(PULLED.to_owned()).over(line);
                    return 0;
                }
            }
        }
    }
    match come_back(line, &mut found, &known) {
        Ok(Carried { files, left }) => {
            Said::Mounted(format!("returned {files} {left}")).over(line);
            keeper::probe(line, found, &known)
        }
        Err(Memory::Waits(why)) => {
            Said::Gone(why.to_owned()).over(line);
            0
        }
        Err(Memory::Stays(why)) => {
            Said::Stays(why).over(line);
            1
        }
    }
}

/// Why state stays in memory.
enum Memory {
    /// The medium has left, and is waited for.
    Waits(&'static str),
    /// It is there, and cannot take it.
    Stays(String),
}

impl From<String> for Memory {
    fn from(why: String) -> Self {
        Memory::Stays(why)
    }
}

/// Whether it is still the medium that lies there.
fn is_there(found: &mut Found, known: &Known) -> Result<(), Memory> {
    let gone = match known.lies(found) {
        Lies::Same if found.present() => return Ok(()),
        Lies::Same | Lies::Unclear => PULLED,
        Lies::Another => EXCHANGED,
    };
    Err(Memory::Waits(gone))
}

/// What was brought from memory to the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    /// Files that were brought.
    files: usize,
    /// Backups for which there was no room or no place; memory is given back with them.
    left: usize,
}

/// Carries memory back to DATA and mounts it in memory's place; returns what that was.
fn come_back(line: &Line, found: &mut Found, known: &Known) -> Result<Carried, Memory> {
    // Services took their time to end, and who holds DATA may, too: what is mended and written to then may be another card in the
    // same reader.
    is_there(found, known)?;
    let part = found.data()?;
    let_go(&part)?;
    is_there(found, known)?;
    let carried = watched(line, found, known, || bring(line, &part)).map_err(Memory::Waits)?;
    // Before memory is given back: it may be another one that has taken its last files, or the medium has left with the error.
    is_there(found, known)?;
    let carried = carried?;
    // Over what is in memory, which is there until this has succeeded.
    let memory = File::open(STATE).map_err(|e| format!("opening the state in memory: {e}"))?;
    filesystem::mount_at(&part, STATE).map_err(|e| format!("mounting DATA: {e}"))?;
    journals::give(Path::new(STATE));
    clear(Path::new(&format!("/proc/self/fd/{}", memory.as_raw_fd())));
    Ok(carried)
}

/// Checks DATA, and brings to it what is in memory; it is mounted no longer than that takes.
fn bring(line: &Line, part: &Path) -> Result<Carried, String> {
    filesystem::check(line, part)?;
    let told = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
    fs::create_dir_all(ASIDE).map_err(told("making a place for DATA"))?;
    filesystem::mount_at(part, ASIDE).map_err(|e| format!("mounting DATA: {e}"))?;
    let tell = |text: &str| progress(line, text);
    let fits = |size| leaves_room(Path::new(ASIDE), size);
    let carried = carry(Path::new(STATE), Path::new(ASIDE), fits, tell).and_then(|n| {
        record::keep_faults_now(&Path::new(ASIDE).join("supervisor"))?;
        mounts::flush(Path::new(ASIDE))?;
        Ok(n)
    });
    let left = umount2(ASIDE, MntFlags::empty());
    let carried = carried.map_err(told("writing state to DATA"))?;
    left.map_err(|e| format!("unmounting DATA: {e}"))?;
    Ok(carried)
}

/// Waits until nobody holds DATA as it was when it left: under its old name that is mended by no tool, and takes no write.
fn let_go(part: &Path) -> Result<(), String> {
    let begun = Instant::now();
    while fence::is_held(part) {
        if begun.elapsed() >= LETS_GO_WITHIN {
            return Err("a process still holds a file of DATA as it was when it left".into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Gives the memory back; what it held is on DATA.
fn clear(dir: &Path) {
    for e in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = e.path();
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
}

/// Brings everything below `from` into `to`: each file whole or not at all, with owner and mode; what `from` has no more goes.
/// To the backups on the medium, which memory never had, those that were made meanwhile are added last, the newest first, those of
/// which `fits` says so of their size; `tell` hears of what cannot be written.
///
/// # Errors
/// The first thing but a backup that could not be written; what was written before it stays.
pub(super) fn carry(from: &Path, to: &Path, fits: impl Fn(u64) -> bool, tell: impl Fn(&str)) -> io::Result<Carried> {
    // What a power cut has left of an earlier try is no backup, and takes the room of the rest.
    for entry in fs::read_dir(to.join(SHELF)).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().ends_with(CARRIED.as_bytes())
            && let Err(e) = fs::remove_file(entry.path())
        {
            tell(&format!("removing {}: {e}", entry.path().display()));
        }
    }
    let files = carry_folder((from, to), Path::new(""))? + crash::bring(&from.join(CRASHES), &to.join(CRASHES))?;
    let backups = add_backups(&from.join(SHELF), &to.join(SHELF), fits, tell);
    Ok(Carried {
        files: files + backups.files,
        ..backups
    })
}

/// Whether a file system keeps a tenth of itself free with so many bytes more; one that does not say so does.
fn leaves_room(at: &Path, bytes: u64) -> bool {
    statvfs(at).ok().is_none_or(|told| {
        let size = |blocks: u64| blocks.saturating_mul(told.fragment_size());
        is_spare(size(told.blocks()), size(told.blocks_available()), bytes)
    })
}

fn is_spare(total: u64, free: u64, bytes: u64) -> bool {
    free.checked_sub(bytes).is_some_and(|left| left >= total / FREE_SHARE)
}

/// Adds the backups in `from` to those in `to`.
fn add_backups(from: &Path, to: &Path, fits: impl Fn(u64) -> bool, tell: impl Fn(&str)) -> Carried {
    let is_done = |what: &str, path: &Path, done: io::Result<()>| {
        done.inspect_err(|e| tell(&format!("{what} {}: {e}", path.display())))
            .is_ok()
    };
    let mut backups: Vec<_> = fs::read_dir(from).into_iter().flatten().flatten().collect();
    // Beside them lies what the server had not finished.
    backups.retain(|entry| entry.file_name().as_encoded_bytes().ends_with(BACKUP.as_bytes()));
    let mut carried = Carried { files: 0, left: 0 };
    let Ok(meta) = fs::symlink_metadata(from) else {
        return carried;
    };
    if !is_done("making", to, carry_into(to, &meta)) {
        carried.left = backups.len();
        return carried;
    }
    // Their names begin with their number: where room is short, it is the newest one's.
    backups.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    for entry in backups {
        let done = match entry.metadata() {
            Ok(meta) if meta.is_file() && !fits(meta.len()) => {
                carried.left += 1;
                continue;
            }
            Ok(meta) if meta.is_file() => carry_file(&entry.path(), &to.join(entry.file_name()), &meta),
            Ok(_) => continue,
            Err(e) => Err(e),
        };
        match is_done("carrying", &entry.path(), done) {
            true => carried.files += 1,
            false => carried.left += 1,
        }
    }
    is_done("writing", to, File::open(to).and_then(|dir| dir.sync_all()));
    carried
}

/// Brings a folder `below` both roots, but for the backups.
fn carry_folder((from_root, to_root): (&Path, &Path), below: &Path) -> io::Result<usize> {
    let (from, to) = (&from_root.join(below), &to_root.join(below));
    if below.components().count() > DEPTH_MAX {
        return Err(io::Error::other(format!("{} lies too deep", from.display())));
    }
    let left_out = |name: &OsStr| LEFT_OUT.iter().any(|l| name == *l) || below.join(name) == Path::new(SHELF);
    let mut files = 0;
    let mut kept = std::collections::BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if left_out(&name) {
            continue;
        }
        let (meta, target) = (fs::symlink_metadata(entry.path())?, to.join(&name));
        if meta.is_dir() {
            carry_into(&target, &meta)?;
            files += carry_folder((from_root, to_root), &below.join(&name))?;
        } else if meta.is_file() {
            carry_file(&entry.path(), &target, &meta)?;
            files += 1;
        } else {
            // Sockets and pipes are made anew by whoever needs them.
            continue;
        }
        kept.insert(name);
    }
    for entry in fs::read_dir(to)?.flatten() {
        let name = entry.file_name();
        if kept.contains(&name) || left_out(&name) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }?;
    }
    File::open(to)?.sync_all()?;
    Ok(files)
}

/// Makes the folder `to` with owner and mode of memory's, if it is not there.
fn carry_into(to: &Path, meta: &fs::Metadata) -> io::Result<()> {
    match fs::create_dir(to) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        Ok(()) | Err(_) => give(to, meta),
    }
}

/// Brings one file to its place, whole or not at all.
fn carry_file(from: &Path, to: &Path, meta: &fs::Metadata) -> io::Result<()> {
    let mut part = to.as_os_str().to_owned();
    part.push(CARRIED);
    let part = Path::new(&part);
    let done = fs::copy(from, part)
        .and_then(|_| File::open(part)?.sync_all())
        .and_then(|()| give(part, meta))
        .and_then(|()| fs::rename(part, to));
    if done.is_err() {
        let _ = fs::remove_file(part);
    }
    done
}

fn give(path: &Path, meta: &fs::Metadata) -> io::Result<()> {
    let has = fs::metadata(path)?;
    if (has.uid(), has.gid()) != (meta.uid(), meta.gid()) {
        std::os::unix::fs::chown(path, Some(meta.uid()), Some(meta.gid()))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::os::unix::fs::OpenOptionsExt;

    use nix::mount::{MsFlags, mount};
    use nix::sys::stat::{Mode, SFlag, mknod, stat};

    use super::*;
    use crate::boot::medium::found;
    use crate::boot::medium::search::tests::{disks, done};
    use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};

    fn all_fits(_: u64) -> bool {
        true
    }

    fn nothing_told(text: &str) {
        panic!("told: {text}");
    }

    #[test]
    fn memory_replaces_the_mediums_state_and_leaves_what_is_others() {
        let (ram, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (r, d) = (|n: &str| ram.path().join(n), |n: &str| disk.path().join(n));
        for dir in ["server/db", "agent"] {
            fs::create_dir_all(r(dir)).unwrap();
            fs::create_dir_all(d(dir)).unwrap();
        }
        for (path, text) in [
            ("server/db/data.mdb", "old"),
            ("agent/removed-meanwhile", "old"),
            ("server/db/lock.mdb", "lock"),
        ] {
            fs::write(d(path), text).unwrap();
        }
        for dir in ["journal", "supervisor", "plugin"] {
            fs::create_dir(d(dir)).unwrap();
            fs::write(d(dir).join("x"), "the medium's").unwrap();
        }
        fs::write(r("server/db/data.mdb"), "new and longer").unwrap();
        fs::set_permissions(r("server/db/data.mdb"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir_all(r(CRASHES)).unwrap();
        fs::write(r("supervisor/x"), "memory's").unwrap();
        fs::write(r(CRASHES).join("000000000007-agent-1.txt"), "agent crashed\n").unwrap();
        fs::write(r("agent/new"), "n").unwrap();

        let all = Carried { files: 3, left: 0 };
        assert_eq!(carry(ram.path(), disk.path(), all_fits, nothing_told).unwrap(), all);
        assert_eq!(fs::read_to_string(d("server/db/data.mdb")).unwrap(), "new and longer");
        assert_eq!(fs::metadata(d("server/db/data.mdb")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(d("agent/new")).unwrap(), "n");
        assert!(!d("agent/removed-meanwhile").exists() && !d("plugin").exists());
        for dir in ["journal", "supervisor"] {
            assert_eq!(fs::read_to_string(d(dir).join("x")).unwrap(), "the medium's");
        }
        assert!(d("server/db/lock.mdb").exists());
        let report = d(CRASHES).join("000000000007-agent-1.txt");
        assert_eq!(fs::read_to_string(report).unwrap(), "agent crashed\n");
    }

    #[test]
    fn who_still_holds_the_data_that_was_given_up_is_waited_for() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(1 << 20).unwrap();
        let disk = match rig::Loop::over(image.path()) {
            Ok(disk) => disk,
            Err(why) => return rig::not_run(&why),
        };
        let held = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_EXCL)
            .open(&disk.node)
            .unwrap();
        let lets_go = std::thread::spawn(move || {
            std::thread::sleep(LOOK_EVERY / 2);
            drop(held);
        });
        assert!(fence::is_held(&disk.node));
        let_go(&disk.node).unwrap();
        assert!(lets_go.is_finished() && !fence::is_held(&disk.node));
    }

    #[test]
    fn nothing_is_carried_to_the_card_that_was_put_in_its_place_while_data_was_let_go() {
        // A thread of its own: other tests keep the `/dev` and the `/var/lib` that they have.
        std::thread::spawn(exchanged).join().unwrap();
    }

    fn exchanged() {
        let dir = tempfile::tempdir().unwrap();
        let [ours, other, data] = ["ours", "other", "data"].map(|name| dir.path().join(name));
        for file in [&ours, &other] {
            File::create(file).unwrap().set_len(8 << 20).unwrap();
            let parts = ["-n", "1:2048:4095", "-n", "3:4096:8191", &file.to_string_lossy()];
            done("sgdisk", &parts).unwrap();
        }
        File::create(&data).unwrap().set_len(32 << 20).unwrap();
        done("mke2fs", &["-q", "-F", "-t", "ext4", &data.to_string_lossy()]).unwrap();
        let gpt = Gpt::read(&File::open(&ours).unwrap(), (8 << 20) / SECTOR).unwrap();
        let part = guid_text(&gpt.partitions[0].guid);
        // DATA is a device of its own here: a loop device that is open keeps its file, where a card's partition keeps its place.
        let placed = disks(&[ours, data]).and_then(|loops| {
            let (none, told) = (None::<&str>, |e: nix::Error| e.to_string());
            for own in ["/var/lib", "/run"] {
                mount(Some("none"), own, Some("tmpfs"), MsFlags::empty(), none).map_err(told)?;
            }
            let node = found::tests::of(&loops[0]).partition(3);
            fs::create_dir(STATE)
                .and_then(|()| fs::remove_file(&node))
                .map_err(|e| e.to_string())?;
            let number = stat(&loops[1].node).map_err(told)?.st_rdev;
            mknod(&node, SFlag::S_IFBLK, Mode::S_IRUSR | Mode::S_IWUSR, number).map_err(told)?;
            Ok((loops, node))
        });
        let (loops, node) = match placed {
            Ok(placed) => placed,
            Err(why) => return rig::not_run(&why),
        };
        fs::write(Path::new(STATE).join("settings"), "of the owner's").unwrap();
        let mut exclusive = fs::OpenOptions::new();
        let held = exclusive.read(true).custom_flags(libc::O_EXCL).open(&node).unwrap();
        let same = found::tests::of(&loops[0]).identity();
        let (keeper, line) = Line::pair().unwrap();
        let waits = std::thread::spawn(move || wait(&line, &part, None, Some(&same)));
        let told = |words: &[&str]| {
            while let Some((said, _)) = keeper.next() {
                if words.iter().any(|word| said.starts_with(word)) {
                    return said;
                }
            }
            panic!("the keeper has ended");
        };
        told(&["back"]);
        assert!(keeper.tell("return"));
        std::thread::sleep(LOOK_EVERY * 2);
        loops[0].exchange(&other);
        drop(held);
        assert_eq!(told(&["gone", "mounted", "stays"]), format!("gone {EXCHANGED}"));
        assert_eq!(waits.join().unwrap(), 0);
        assert_eq!(
            fs::read_to_string(Path::new(STATE).join("settings")).unwrap(),
            "of the owner's"
        );
    }

    #[test]
    fn backups_on_the_medium_stay_and_those_made_meanwhile_are_added() {
        for made in [None, Some("new.backup")] {
            let (ram, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fs::create_dir_all(ram.path().join("server")).unwrap();
            fs::create_dir_all(disk.path().join(SHELF)).unwrap();
            fs::write(disk.path().join(SHELF).join("old.backup"), "old").unwrap();
            // Left by a power cut.
            fs::write(disk.path().join(SHELF).join("cut.backup.carried"), "cu").unwrap();
            if let Some(made) = made {
                fs::create_dir(ram.path().join(SHELF)).unwrap();
                fs::write(ram.path().join(SHELF).join(made), "new").unwrap();
            }
            carry(ram.path(), disk.path(), all_fits, nothing_told).unwrap();
            let names: std::collections::BTreeSet<_> = fs::read_dir(disk.path().join(SHELF))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            let wanted = ["old.backup"].into_iter().chain(made).map(str::to_owned).collect();
            assert_eq!(names, wanted);
        }
    }

    #[test]
    fn backups_leave_a_tenth_of_the_medium_free_and_what_is_half_made_is_none() {
        let (ram, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(ram.path().join(SHELF)).unwrap();
        fs::create_dir(disk.path().join("server")).unwrap();
        for (name, size) in [("1.backup", 40), ("2.backup", 50), ("3.backup", 60), ("half", 10)] {
            let file = File::create(ram.path().join(SHELF).join(name)).unwrap();
            file.set_len(size).unwrap();
        }
        // 200 bytes of 1000 are free: the newest fits, the next does not, the oldest does.
        let there = |name: &str| fs::metadata(disk.path().join(SHELF).join(name)).map_or(0, |m| m.len());
        let taken = || {
            ["1.backup", "2.backup", "3.backup", "half"]
                .map(there)
                .iter()
                .sum::<u64>()
        };
        let fits = |size| is_spare(1000, 200 - taken(), size);
        let done = carry(ram.path(), disk.path(), fits, nothing_told).unwrap();
        assert_eq!(done, Carried { files: 2, left: 1 });
        assert_eq!(["1.backup", "2.backup", "3.backup", "half"].map(there), [40, 0, 60, 0]);
        assert!(!is_spare(1000, 50, 60) && is_spare(1000, 160, 60) && !is_spare(1000, 159, 60));
    }

    #[test]
    fn a_backup_without_a_place_keeps_nothing_else_from_being_carried() {
        // In the shelf's place stands a file; in a backup's, a folder.
        for shelf_is_file in [true, false] {
            let (ram, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (r, d) = (|n: &str| ram.path().join(n), |n: &str| disk.path().join(n));
            fs::create_dir_all(r(SHELF)).unwrap();
            fs::write(r("server/kiln.mdb"), "new").unwrap();
            for name in ["1.backup", "2.backup"] {
                fs::write(r(SHELF).join(name), name).unwrap();
            }
            fs::create_dir(d("server")).unwrap();
            fs::write(d("server/kiln.mdb"), "old").unwrap();
            if shelf_is_file {
                fs::write(d(SHELF), "").unwrap();
            } else {
                fs::create_dir_all(d(SHELF).join("2.backup")).unwrap();
            }
            let told = std::cell::RefCell::new(Vec::new());
            let tell = |text: &str| told.borrow_mut().push(text.to_owned());
            let done = carry(ram.path(), disk.path(), all_fits, tell).unwrap();
            let told = told.into_inner();
            assert_eq!(fs::read_to_string(d("server/kiln.mdb")).unwrap(), "new");
            let (files, left) = if shelf_is_file { (1, 2) } else { (2, 1) };
            assert_eq!(done, Carried { files, left }, "{told:?}");
            assert!(told[0].contains("2.backup: "), "{told:?}");
            assert_eq!(told.len(), left);
            if !shelf_is_file {
                assert_eq!(fs::read_to_string(d(SHELF).join("1.backup")).unwrap(), "1.backup");
                assert!(!d(SHELF).join("2.backup.carried").exists());
            }
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file_whole() {
        let (ram, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(ram.path().join("data.mdb"), "new").unwrap();
        fs::write(disk.path().join("data.mdb"), "old").unwrap();
        // Where the copy would go stands a folder.
        fs::create_dir(disk.path().join("data.mdb.carried")).unwrap();
        assert!(carry(ram.path(), disk.path(), all_fits, nothing_told).is_err());
        assert_eq!(fs::read_to_string(disk.path().join("data.mdb")).unwrap(), "old");
    }
}
