//! Where entries go: a ring in memory, and files on DATA that are rotated, compressed and bounded.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};

use super::entry::{self, Entry, Moment};
use crate::boot::proof;

/// Bytes of entries kept in memory: some twenty thousand lines.
const RING_MAX: usize = 8 << 20;
/// A file is closed and compressed at this size, in bytes.
const FILE_MAX: u64 = 4 << 20;
/// What a file may have beyond that, in bytes: all that is pending is written before its size is looked at.
const READ_MORE: u64 = RING_MAX as u64 + 1;
/// Longest file of the journal's, in bytes and before it is compressed.
pub(super) const FILE_MOST: u64 = FILE_MAX + READ_MORE;
/// The file that is written now.
pub(super) const CURRENT: &str = "current.export";
/// Most bytes that are cut from a torn file, about as many as the longest entry has: where more cannot be read, something in its
/// middle is damaged, and what stands behind that is kept.
const CUT_MAX: u64 = 1 << 20;
/// All files together, in bytes; the oldest go first.
const TOTAL_MAX: u64 = 64 << 20;
/// The same as a part of what DATA holds: a tenth.
const TOTAL_PART: u64 = 10;
/// Entries wait this long in memory before they are written, so that a stick is not worn by single lines.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Pending bytes that are written at once.
const WRITE_AT: usize = 256 * 1024;
/// Of every file: addresses, names of people and what services say of them are nobody's but root's. The server asks PID 1's
/// socket for what it shows.
const MODE: u32 = 0o600;
/// PID 1 writes `disk` or `ram` here once it is settled.
const STATE_WHERE: &str = "/run/kiln/state";
/// The number of the last kernel record that has gone its way to the files: it begins anew with the kernel, as `/run` does.
const KERNEL_KEPT: &str = "/run/kiln/journal-kernel";

/// Ring and files.
#[derive(Debug)]
pub(super) struct Store {
    ring: VecDeque<Entry>,
    ring_bytes: usize,
    pending: Vec<u8>,
    written: Instant,
    dir: PathBuf,
    /// Forced by tests; `None`: ask PID 1's file.
    on_disk: Option<bool>,
    /// Bytes that the file system of a folder has, and how much of them is used, in percent; others for tests.
    usage: fn(&Path) -> (u64, u8),
    file: Option<File>,
    /// After an error nothing is written until state is somewhere else.
    gave_up_on: Option<String>,
    boot: String,
    /// When the last entry was, in microseconds of the monotonic clock: none that comes later was before it.
    last: u64,
    /// Where [`KERNEL_KEPT`] is; another place for tests.
    kernel_file: PathBuf,
    /// Kernel records up to here are in the files: an earlier journal of this boot has read them.
    kernel_kept: Option<u64>,
    /// The last one that is pending.
    kernel_pending: Option<u64>,
}

impl Store {
    pub(super) fn new() -> Store {
        Store {
            ring: VecDeque::new(),
            ring_bytes: 0,
            pending: Vec::new(),
            written: Instant::now(),
            dir: folder(),
            on_disk: None,
            usage: proof::usage,
            file: None,
            gave_up_on: None,
            boot: boot(),
            last: 0,
            kernel_file: PathBuf::new(),
            kernel_kept: None,
            kernel_pending: None,
        }
        .going_on(Path::new(KERNEL_KEPT))
    }

    /// Reads how far an earlier journal of this boot has come with the kernel's records.
    fn going_on(mut self, file: &Path) -> Store {
        self.kernel_kept = fs::read_to_string(file).ok().and_then(|t| t.trim().parse().ok());
        self.kernel_file = file.to_owned();
        self
    }

    /// Takes a record of the kernel, whose ring is read from its beginning at each start: what an earlier journal of this boot
    /// has written is shown again, and not written again.
    pub(super) fn add_kernel(&mut self, record: &[u8]) {
        let number = entry::sequence(record);
        let (entry, at) = Entry::kernel(record, Moment::now(), self.last);
        self.last = at.mono;
        if number.is_some_and(|n| self.kernel_kept.is_some_and(|kept| n <= kept)) {
            let entry = self.stamped(entry);
            self.show(entry);
            return;
        }
        if self.take(entry) {
            self.kernel_pending = number.or(self.kernel_pending);
        }
    }

    /// Nothing is pending any more: notes how far the kernel's records have come.
    fn kept(&mut self) {
        if let Some(n) = self.kernel_pending.take() {
            self.kernel_kept = Some(n);
            // Where it cannot be noted, the next journal writes some lines twice.
            let _ = fs::write(&self.kernel_file, format!("{n}\n"));
        }
    }

    /// Takes one entry into the ring and, later, into the file.
    pub(super) fn add(&mut self, entry: Entry) {
        self.last = Moment::now().mono;
        self.take(entry);
    }

    /// The same, and whether it will come into the file.
    fn take(&mut self, entry: Entry) -> bool {
        let entry = self.stamped(entry);
        // Before the state folder is settled, entries wait here, but not without bound.
        let fits = self.pending.len() + entry.0.len() <= RING_MAX;
        if fits {
            self.pending.extend_from_slice(&entry.0);
        }
        self.show(entry);
        fits
    }

    fn stamped(&self, mut entry: Entry) -> Entry {
        let at = entry.0.len().saturating_sub(1);
        let id = format!("_BOOT_ID={}\n", self.boot);
        entry.0.splice(at..at, id.into_bytes());
        entry
    }

    /// Puts an entry into the ring.
    fn show(&mut self, entry: Entry) {
        self.ring_bytes += entry.0.len();
        self.ring.push_back(entry);
        while self.ring_bytes > RING_MAX {
            match self.ring.pop_front() {
                Some(e) => self.ring_bytes -= e.0.len(),
                None => break,
            }
        }
    }

    /// Writes what is due.
    pub(super) fn settle(&mut self) {
        if self.pending.len() >= WRITE_AT || self.written.elapsed() >= WRITE_EVERY {
            self.write();
        }
    }

    /// Writes everything, to the medium: the journal ends.
    pub(super) fn finish(&mut self) {
        self.write();
        if let Some(f) = &self.file {
            let _ = f.sync_all();
        }
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let place = match self.on_disk {
            Some(true) => "disk".to_owned(),
            Some(false) => "ram".to_owned(),
            None => fs::read_to_string(STATE_WHERE).unwrap_or_default().trim().to_owned(),
        };
        self.written = Instant::now();
        if place != "disk" {
            self.file = None;
            if place == "ram" {
                self.pending.clear();
                self.kept();
            }
            self.gave_up_on = None;
            return;
        }
        if self.gave_up_on.as_deref() == Some("disk") {
            self.pending.clear();
            self.kernel_pending = None;
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        match self
            .append(&pending)
            .and_then(|()| self.make_room((self.usage)(&self.dir)))
        {
            Ok(()) => self.kept(),
            // Room may be made, by us first of all; what could not be written is still in the ring.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                self.file = None;
                self.kernel_pending = None;
                let _ = self.make_room((self.usage)(&self.dir));
            }
            Err(_) => {
                self.file = None;
                self.kernel_pending = None;
                self.gave_up_on = Some(place);
            }
        }
    }

    /// Removes the oldest files while they, or all that is on DATA, are too much. The share of `(size, percent)` is the one
    /// before: each file gives some of it back.
    fn make_room(&self, (size, mut percent): (u64, u8)) -> io::Result<()> {
        if percent <= proof::SHARE_MAX && self.file.is_some() {
            return Ok(());
        }
        let mut files = self.old()?;
        let mut total: u64 = files.iter().map(|f| f.2).sum();
        let most = TOTAL_MAX.min(size / TOTAL_PART);
        while (total > most || percent > proof::SHARE_MAX) && !files.is_empty() {
            let (_, path, bytes) = files.remove(0);
            fs::remove_file(path)?;
            total -= bytes;
            percent = percent.saturating_sub(u8::try_from(bytes * 100 / size.max(1)).unwrap_or(100));
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let current = self.dir.join(CURRENT);
        if self.file.is_none() {
            self.own()?;
            let mut file = open(&current)?;
            match torn(&file)? {
                Some(Torn { good, bytes }) if bytes <= CUT_MAX => file.set_len(good)?,
                Some(_) => {
                    self.rotate(&current)?;
                    file = open(&current)?;
                }
                None => {}
            }
            self.file = Some(file);
        }
        if let Some(f) = &mut self.file {
            f.write_all(bytes)?;
            if f.metadata()?.len() < FILE_MAX {
                return Ok(());
            }
            f.sync_all()?;
        }
        self.file = None;
        self.rotate(&current)
    }

    /// The folder, which nobody else may look into; what an earlier version has left open there is closed.
    fn own(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let close = |path: &Path, mode: u32| {
            let now = fs::symlink_metadata(path)?;
            let open = now.permissions().mode() & 0o777 & !mode != 0;
            match open && !now.is_symlink() {
                true => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
                false => Ok(()),
            }
        };
        close(&self.dir, 0o700)?;
        for entry in fs::read_dir(&self.dir)?.flatten() {
            close(&entry.path(), MODE)?;
        }
        Ok(())
    }

    /// Compresses the full file under the next number and removes the oldest.
    fn rotate(&self, current: &Path) -> io::Result<()> {
        let number = self.old()?.last().map_or(1, |(n, _, _)| n + 1);
        let target = self.dir.join(format!("{number:08}.export.gz"));
        let part = self.dir.join("part.gz");
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(MODE)
            .open(&part)?;
        let mut gz = GzEncoder::new(file, Compression::fast());
        io::copy(&mut File::open(current)?, &mut gz)?;
        gz.finish()?.sync_all()?;
        fs::rename(&part, &target)?;
        fs::remove_file(current)?;
        Ok(())
    }

    fn old(&self) -> io::Result<Vec<(u64, PathBuf, u64)>> {
        old(&self.dir)
    }

    /// Everything in memory, oldest first.
    pub(super) fn exported(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.ring_bytes);
        for e in &self.ring {
            bytes.extend_from_slice(&e.0);
        }
        bytes
    }
}

/// Where the journal's files are.
pub(crate) fn folder() -> PathBuf {
    std::env::var("STATE_DIRECTORY").map_or_else(|_| PathBuf::from("/var/lib/kiln/journal"), PathBuf::from)
}

/// This boot's id, as every entry has it.
pub(crate) fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().replace('-', "")
}

/// Compressed files: number, path, size; oldest first.
pub(super) fn old(dir: &Path) -> io::Result<Vec<(u64, PathBuf, u64)>> {
    let mut files = Vec::new();
    for e in fs::read_dir(dir)?.flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        if let Some(n) = name.strip_suffix(".export.gz").and_then(|n| n.parse().ok()) {
            files.push((n, e.path(), e.metadata()?.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn open(current: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).append(true).create(true).mode(MODE).open(current)
}

/// A file that does not end with a whole entry: what is appended to half of one cannot be read.
#[derive(Debug, PartialEq, Eq)]
struct Torn {
    /// Bytes up to the end of its last whole entry.
    good: u64,
    /// Bytes behind that.
    bytes: u64,
}

fn torn(file: &File) -> io::Result<Option<Torn>> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() == 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(FILE_MOST).read_to_end(&mut bytes)?;
    let good = entry::whole(&bytes) as u64;
    // A file that is longer than any of ours is not judged by its beginning.
    let torn = good < meta.len() && meta.len() < FILE_MOST;
    Ok(torn.then(|| Torn {
        good,
        bytes: meta.len() - good,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::entry::Sender;
    use super::*;

    fn store(dir: &Path) -> Store {
        Store {
            dir: dir.to_owned(),
            on_disk: Some(true),
            usage: |_| (100 << 30, 50),
            ..Store::new()
        }
        .going_on(&dir.join("kernel"))
    }

    #[test]
    fn what_waits_is_written_when_the_journal_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        s.written = Instant::now() + WRITE_EVERY;
        s.add(Entry::line(b"the last words", &Sender::default()));
        s.settle();
        assert!(!dir.path().join("current.export").exists());
        s.finish();
        let text = fs::read_to_string(dir.path().join("current.export")).unwrap();
        assert!(text.contains("MESSAGE=the last words\n"), "{text}");
    }

    #[test]
    fn the_kernels_lines_are_written_once_though_its_ring_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let records = |s: &mut Store, numbers: std::ops::Range<u64>| {
            for n in numbers {
                s.add_kernel(format!("6,{n},1,-;line {n} here\n").as_bytes());
            }
        };
        let mut first = store(dir.path());
        records(&mut first, 0..5);
        first.finish();
        // Killed before they were written.
        records(&mut first, 5..7);
        drop(first);
        let mut second = store(dir.path());
        records(&mut second, 0..9);
        second.finish();
        let text = fs::read_to_string(dir.path().join("current.export")).unwrap();
        let shown = String::from_utf8(second.exported()).unwrap();
        for n in 0..9 {
            let line = format!("MESSAGE=line {n} here\n");
            assert_eq!(text.matches(&line).count(), 1, "{n} in the file");
            assert_eq!(shown.matches(&line).count(), 1, "{n} in memory");
        }
    }

    #[test]
    fn a_kernels_line_has_its_own_time_but_none_before_the_entry_that_was_taken_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        s.add_kernel(b"6,1,2000,-;early\n");
        s.add_kernel(b"6,2,1000,-;of another processor\n");
        s.add(Entry::line(b"a service", &Sender::default()));
        let taken = s.last;
        s.add_kernel(b"6,3,3000,-;read late\n");
        s.add_kernel(format!("6,4,{},-;of a fast clock\n", u64::MAX).as_bytes());
        let text = String::from_utf8(s.exported()).unwrap();
        let times: Vec<u64> = text
            .lines()
            .filter_map(|l| l.strip_prefix("__MONOTONIC_TIMESTAMP=")?.parse().ok())
            .collect();
        assert_eq!(times[..2], [2000, 2000]);
        assert!(
            times[2] <= taken && times[3] == taken && times[4] <= Moment::now().mono,
            "{times:?}"
        );
        assert!(text.contains("_SOURCE_MONOTONIC_TIMESTAMP=3000\n"), "{text}");
    }

    #[test]
    fn a_kernels_line_that_is_in_no_file_is_written_by_the_next_journal() {
        let record = b"6,5,1,-;from the kernel\n";
        let current = |dir: &Path| dir.join("current.export");
        let full = |dir: &Path| {
            let mut s = store(dir);
            while s.take(Entry::line(&[b'x'; 60_000], &Sender::default())) {}
            while s.take(Entry::line(b"", &Sender::default())) {}
            s.add_kernel(record);
            s.finish();
        };
        let refused = |dir: &Path| {
            std::os::unix::fs::symlink("/dev/full", current(dir)).unwrap();
            let mut s = store(dir);
            s.add_kernel(record);
            s.finish();
            fs::remove_file(current(dir)).unwrap();
            s.add(Entry::line(b"room again", &Sender::default()));
            s.finish();
        };
        let earlier: [&dyn Fn(&Path); 2] = [&full, &refused];
        for journal in earlier {
            let dir = tempfile::tempdir().unwrap();
            journal(dir.path());
            let mut next = store(dir.path());
            next.add_kernel(record);
            next.finish();
            let text = fs::read_to_string(current(dir.path())).unwrap();
            assert_eq!(text.matches("MESSAGE=from the kernel\n").count(), 1, "{}", text.len());
        }
    }

    #[test]
    fn what_is_written_behind_a_torn_entry_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let current = dir.path().join("current.export");
        let line = |text: &[u8]| Entry::line(text, &Sender::default());
        for torn in [
            &b"__REALTIME_TIMESTAMP=1\nMESS"[..],
            b"LONG\n\x09\0\0\0\0\0\0\0ab",
            &[0; 512],
        ] {
            fs::write(&current, [&line(b"whole").0[..], torn].concat()).unwrap();
            let mut s = store(dir.path());
            s.add(line(b"next"));
            s.finish();
            let bytes = fs::read(&current).unwrap();
            assert_eq!(entry::whole(&bytes), bytes.len());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (whole, next) = text.split_once("MESSAGE=whole\n\n").unwrap();
            assert!(!whole.contains("MESSAGE") && next.starts_with("__REALTIME"), "{text}");
        }
    }

    #[test]
    fn what_stands_behind_a_damaged_place_is_kept_in_an_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let current = dir.path().join("current.export");
        let line = |text: &[u8]| Entry::line(text, &Sender::default()).0;
        let mut damaged = [line(b"whole"), vec![0; 512], b"\n".to_vec()].concat();
        while damaged.len() as u64 <= 2 * CUT_MAX {
            damaged.extend(line(&[b'x'; 60_000]));
        }
        fs::write(&current, &damaged).unwrap();
        let mut s = store(dir.path());
        s.add(Entry::line(b"next", &Sender::default()));
        s.finish();
        let [(1, old, _)] = &s.old().unwrap()[..] else {
            panic!("{:?}", s.old())
        };
        let mut kept = Vec::new();
        flate2::read::GzDecoder::new(File::open(old).unwrap())
            .read_to_end(&mut kept)
            .unwrap();
        assert!(kept == damaged, "{} of {} bytes", kept.len(), damaged.len());
        let text = fs::read_to_string(&current).unwrap();
        assert!(
            text.starts_with("__REALTIME") && text.contains("MESSAGE=next\n"),
            "{text}"
        );
    }

    #[test]
    fn the_ring_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = Store {
            on_disk: Some(false),
            ..store(dir.path())
        };
        for _ in 0..400 {
            s.add(Entry::line(&[b'x'; 60_000], &Sender::default()));
            s.settle();
        }
        assert!(s.ring_bytes <= RING_MAX && s.pending.len() <= RING_MAX);
        let out = s.exported();
        assert!(out.len() <= RING_MAX && out.len() > RING_MAX / 2);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing is written while state is in RAM"
        );
    }

    #[test]
    fn files_are_rotated_compressed_and_complete() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        for n in 0..200 {
            s.add(Entry::line(
                format!("line {n} {}", "y".repeat(50_000)).as_bytes(),
                &Sender::default(),
            ));
            s.written = Instant::now() - WRITE_EVERY;
            s.settle();
        }
        let files = s.old().unwrap();
        assert!(files.len() >= 2, "{files:?}");
        let mut text = String::new();
        for (_, path, _) in files {
            flate2::read::GzDecoder::new(File::open(path).unwrap())
                .read_to_string(&mut text)
                .unwrap();
        }
        text.push_str(&fs::read_to_string(dir.path().join("current.export")).unwrap_or_default());
        for n in 0..200 {
            assert!(text.contains(&format!("MESSAGE=line {n} ")), "line {n} is lost");
        }
    }

    #[test]
    fn no_other_service_can_read_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        // As an earlier version has left it.
        fs::create_dir(&journal).unwrap();
        fs::set_permissions(&journal, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["00000001.export.gz", "current.export"] {
            fs::write(journal.join(name), "").unwrap();
            fs::set_permissions(journal.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let mut s = store(&journal);
        for n in 0..100 {
            s.add(Entry::line(
                format!("{n} {}", "y".repeat(60_000)).as_bytes(),
                &Sender::default(),
            ));
            s.written = Instant::now() - WRITE_EVERY;
            s.settle();
        }
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&journal), 0o700);
        let files: Vec<_> = fs::read_dir(&journal).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(files.len() >= 3, "{files:?}");
        for f in files {
            assert_eq!(mode(&f), 0o600, "{}", f.display());
        }
    }

    #[test]
    fn the_oldest_files_make_room_when_data_is_full_or_they_are_a_tenth_of_it() {
        const MIB: u64 = 1 << 20;
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        for n in 1..=20 {
            let f = File::create(dir.path().join(format!("{n:08}.export.gz"))).unwrap();
            f.set_len(MIB).unwrap();
        }
        let left = || s.old().unwrap().iter().map(|f| f.0).collect::<Vec<_>>();
        s.make_room((1000 * MIB, 50)).unwrap();
        assert_eq!(left().len(), 20);
        s.make_room((150 * MIB, 50)).unwrap();
        assert_eq!(left(), (6..=20).collect::<Vec<_>>(), "a tenth, the youngest");
        s.make_room((100 * MIB, 85)).unwrap();
        assert_eq!(left(), (11..=20).collect::<Vec<_>>());
        s.make_room((100 * MIB, 100)).unwrap();
        assert_eq!(left(), [] as [u64; 0], "others have filled it");
    }

    #[test]
    fn a_folder_that_is_full_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        // The device that is always full stands where the file is.
        std::os::unix::fs::symlink("/dev/full", dir.path().join("current.export")).unwrap();
        let write = |s: &mut Store, text: &[u8]| {
            s.add(Entry::line(text, &Sender::default()));
            s.written = Instant::now() - WRITE_EVERY;
            s.settle();
        };
        write(&mut s, b"no room");
        assert_eq!(s.gave_up_on, None);
        fs::remove_file(dir.path().join("current.export")).unwrap();
        write(&mut s, b"room again");
        let text = fs::read_to_string(dir.path().join("current.export")).unwrap();
        assert!(text.contains("MESSAGE=room again"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_left_alone() {
        let mut s = store(Path::new("/proc/nowhere"));
        s.add(Entry::line(b"x", &Sender::default()));
        s.written = Instant::now() - WRITE_EVERY;
        s.settle();
        assert_eq!(s.gave_up_on.as_deref(), Some("disk"));
        assert!(s.pending.is_empty());
    }
}
