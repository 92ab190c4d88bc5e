//! Where entries go: a ring in memory, and files on DATA that are rotated, compressed and bounded.
//!
//! What is not in the files yet waits in the ring, and in nothing else: while the medium is away too, for as long as the ring holds
//! it. Once state is on the medium again, all of that is written, and what was written shortly before the medium left is looked
//! for: it may never have come out of the kernel's cache.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};

use super::earlier;
use super::entry::{self, Entry, Moment, Sender};
use super::senders::{LeftOut, Senders};
use crate::boot::data::place::STATE_WHERE;
use crate::boot::data::proof;
use crate::shell::{clock, log};

/// Bytes of entries kept in memory: some twenty thousand lines.
const RING_MAX: usize = 8 << 20;
/// A file is closed and compressed at this size, in bytes.
const FILE_MAX: u64 = 4 << 20;
/// What a file may have beyond that, in bytes: all that waits in the ring is written before its size is looked at.
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
/// Numbers of files are below this one, which would take a million years of a file in each second.
const NUMBER_MAX: u64 = 1 << 45;
/// Entries wait this long in memory before they are written, so that a stick is not worn by single lines.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// So many bytes that wait are written at once, where there is a file.
const WRITE_AT: usize = 256 * 1024;
/// What was written so long ago is on the medium: twice what the kernel's cache (30 s), its turns (5 s) and ext4's (5 s) take.
const LANDS_WITHIN: Duration = Duration::from_secs(80);
/// Of every file: addresses, names of people and what services say of them are nobody else's. The server asks PID 1's
/// socket for what it shows.
const MODE: u32 = 0o600;
/// The number of the last kernel record that has gone its way to the files: it begins anew with the kernel, as `/run` does.
const KERNEL_KEPT: &str = "/run/kiln/journal/kernel";

/// Ring and files.
#[derive(Debug)]
pub(super) struct Store {
    ring: VecDeque<Shown>,
    ring_bytes: usize,
    senders: Senders,
    /// Number of the ring's first entry; they are counted from the start.
    first: u64,
    /// Entries before this one have been given to the files.
    given: u64,
    /// Entries before this one are on the medium, whatever becomes of the kernel's cache.
    landed: u64,
    /// When entries were given lately, and up to which one.
    lately: VecDeque<(Instant, u64)>,
    /// Bytes in the ring that wait for the files.
    waiting: usize,
    /// The ring has lost an entry that was in no file yet.
    lost: bool,
    written: Instant,
    dir: PathBuf,
    /// Forced by tests; `None`: ask PID 1's file.
    on_disk: Option<bool>,
    /// Bytes that the file system of a folder has, and how much of them is used, in percent; others for tests.
    usage: fn(&Path) -> (u64, u8),
    file: Option<File>,
    /// Why nothing is written, after an error, until state is somewhere else.
    gave_up: Option<String>,
    boot: String,
    /// When the last entry was, in microseconds of the monotonic clock: none that comes later was before it.
    last: u64,
    /// Where [`KERNEL_KEPT`] is; another place for tests.
    kernel_file: PathBuf,
    /// Kernel records up to here are in the files: an earlier journal of this boot has read them.
    kernel_kept: Option<u64>,
    /// The last one that waits.
    kernel_pending: Option<u64>,
}

/// An entry of the ring.
#[derive(Debug)]
struct Shown {
    entry: Entry,
    /// It is for the files, too: an earlier journal of this boot has not written it.
    filed: bool,
}

impl Shown {
    /// Bytes of it that the files get.
    fn filed(&self) -> &[u8] {
        if self.filed { &self.entry.0 } else { &[] }
    }
}

impl Store {
    pub(super) fn new() -> Store {
        Store {
            ring: VecDeque::new(),
            ring_bytes: 0,
            senders: Senders::default(),
            first: 0,
            given: 0,
            landed: 0,
            lately: VecDeque::new(),
            waiting: 0,
            lost: false,
            written: Instant::now(),
            dir: folder(),
            on_disk: None,
            usage: proof::usage,
            file: None,
            gave_up: None,
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
        file.clone_into(&mut self.kernel_file);
        self
    }

    /// Takes a record of the kernel, whose ring is read from its beginning at each start: what an earlier journal of this boot
    /// has written is shown again, and not written again.
    pub(super) fn add_kernel(&mut self, record: &[u8]) {
        let number = entry::sequence(record);
        let (entry, at) = Entry::kernel(record, Moment::now(), self.last);
        self.last = at.mono;
        if number.is_some_and(|n| self.kernel_kept.is_some_and(|kept| n <= kept)) {
            return self.show(entry, false);
        }
        self.show(entry, true);
        self.kernel_pending = number.or(self.kernel_pending);
    }

    /// Nothing waits any more: notes how far the kernel's records have come.
    fn kept(&mut self) {
        // One of them may be what was lost: the next journal reads them again.
        if self.lost {
            return;
        }
        if let Some(n) = self.kernel_pending.take() {
            self.kernel_kept = Some(n);
            // Where it cannot be noted, the next journal writes some lines twice.
            let _ = fs::write(&self.kernel_file, format!("{n}\n"));
        }
    }

    /// Takes one entry into the ring and, later, into the file.
    pub(super) fn add(&mut self, entry: Entry) {
        self.last = Moment::now().mono;
        self.show(entry, true);
    }

    /// The same of a sender that may write no more than its part; `now` in milliseconds.
    pub(super) fn add_of(&mut self, sender: &Sender, now: u64, entry: Entry) {
        if self.takes(sender, now, entry.0.len()) {
            self.add(entry);
        }
    }

    /// Takes a datagram of the native protocol: nobody has more of it read than its sender may write.
    pub(super) fn add_native(&mut self, sender: &Sender, now: u64, bytes: &[u8]) {
        if !self.takes(sender, now, bytes.len()) {
            return;
        }
        // What the entries have more than that counts as well: the shortest are nearly all stamp.
        let mut paid = bytes.len();
        for entry in Entry::native(bytes, sender) {
            let more = entry.0.len().saturating_sub(paid);
            paid = paid.saturating_sub(entry.0.len());
            if more == 0 || self.takes(sender, now, more) {
                self.add(entry);
            }
        }
    }

    fn takes(&mut self, sender: &Sender, now: u64, bytes: usize) -> bool {
        let (left_out, takes) = self.senders.takes(sender, now, bytes);
        self.tell(left_out);
        takes
    }

    /// Tells what was left out until `now` of those who have fallen silent.
    fn tell_left_out(&mut self, now: u64) {
        let left_out = self.senders.left_out(now);
        self.tell(left_out);
    }

    fn tell(&mut self, left_out: impl IntoIterator<Item = LeftOut>) {
        for left in left_out {
            let who = left.sender.unit.as_deref().unwrap_or("no unit");
            self.add(Entry::of_journal(&format!("{who}: {left}"), &left.sender));
        }
    }

    fn stamped(&self, mut entry: Entry) -> Entry {
        let at = entry.0.len().saturating_sub(1);
        let id = format!("_BOOT_ID={}\n", self.boot);
        entry.0.splice(at..at, id.into_bytes());
        entry
    }

    /// Puts an entry into the ring; `filed`: it waits there for the files.
    fn show(&mut self, entry: Entry, filed: bool) {
        let shown = Shown {
            entry: self.stamped(entry),
            filed,
        };
        self.ring_bytes += shown.entry.0.len();
        self.waiting += shown.filed().len();
        self.ring.push_back(shown);
        while self.ring_bytes > RING_MAX {
            let Some(old) = self.ring.pop_front() else { break };
            self.ring_bytes -= old.entry.0.len();
            if self.first == self.given {
                self.given += 1;
                self.waiting -= old.filed().len();
                self.lost |= old.filed;
            }
            self.first += 1;
        }
    }

    /// Has entries wait for the files from this one on: the ring's first, where it has lost that one.
    fn wait_from(&mut self, given: u64) {
        self.given = given.max(self.first);
        self.waiting = self.waits().map(<[u8]>::len).sum();
    }

    fn waits(&self) -> impl Iterator<Item = &[u8]> {
        let at = usize::try_from(self.given - self.first).unwrap_or(usize::MAX);
        self.ring.iter().skip(at).map(Shown::filed)
    }

    /// All of it is in a file; `synced`: on the medium, too.
    fn gave(&mut self, synced: bool) {
        let now = Instant::now();
        self.given = self.first + self.ring.len() as u64;
        self.waiting = 0;
        self.lately.push_back((now, self.given));
        while let Some((at, given)) = self.lately.front()
            && (synced || now - *at >= LANDS_WITHIN || *given <= self.first)
        {
            self.landed = *given;
            self.lately.pop_front();
        }
    }

    /// The medium has left: what was given lately waits again.
    fn take_back(&mut self) {
        if self.lately.is_empty() {
            return;
        }
        self.lately.clear();
        self.wait_from(self.landed);
    }

    /// Passes over what a file that ends with the entry `last` has got after all.
    fn pass_over(&mut self, last: &[u8]) {
        let found = self.waits().position(|entry| entry == last);
        if let Some(n) = found {
            self.wait_from(self.given + n as u64 + 1);
        }
    }

    /// Writes what is due.
    pub(super) fn settle(&mut self) {
        self.tell_left_out(clock::now());
        if (self.waiting >= WRITE_AT && self.file.is_some()) || self.written.elapsed() >= WRITE_EVERY {
            self.write();
        }
    }

    /// Writes everything, to the medium: the journal ends.
    pub(super) fn finish(&mut self) {
        self.tell_left_out(u64::MAX);
        self.write();
        if let Some(f) = &self.file {
            let _ = f.sync_all();
        }
    }

    fn write(&mut self) {
        if self.waiting == 0 {
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
            self.take_back();
            self.gave_up = None;
            return;
        }
        if self.gave_up.is_some() {
            return;
        }
        match self.append().and_then(|()| self.make_room((self.usage)(&self.dir))) {
            Ok(()) => self.kept(),
            // Room may be made, by us first of all.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                self.file = None;
                let _ = self.make_room((self.usage)(&self.dir));
            }
            Err(e) => {
                self.file = None;
                let folder = self.dir.display();
                let why = format!("the log is kept in memory alone, its files cannot be written: {folder}: {e}");
                log::error(&format!("{why}. Mend that folder and restart the box"));
                self.gave_up = Some(why);
            }
        }
    }

    /// Why no files are written, where they were given up.
    pub(super) fn gave_up(&self) -> Option<&str> {
        self.gave_up.as_deref()
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

    fn append(&mut self) -> io::Result<()> {
        let current = self.dir.join(CURRENT);
        if self.file.is_none() {
            self.own()?;
            let mut file = open(&current)?;
            let End { last, torn } = end(&file)?;
            match torn {
                Some(Torn { good, bytes }) if bytes <= CUT_MAX => file.set_len(good)?,
                Some(_) => {
                    self.rotate(&current)?;
                    file = open(&current)?;
                }
                None => {}
            }
            if let Some(last) = last {
                self.pass_over(&last);
            }
            self.file = Some(file);
        }
        let bytes = self.waits().collect::<Vec<_>>().concat();
        if let Some(f) = &mut self.file {
            f.write_all(&bytes)?;
            if f.metadata()?.len() < FILE_MAX {
                self.gave(false);
                return Ok(());
            }
            f.sync_all()?;
            self.gave(true);
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
        for shown in &self.ring {
            bytes.extend_from_slice(&shown.entry.0);
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

/// Compressed files: number, path, size; oldest first. What is no file, or has a number that the journal never reaches, is none
/// of its own.
pub(super) fn old(dir: &Path) -> io::Result<Vec<(u64, PathBuf, u64)>> {
    let mut files = Vec::new();
    for e in fs::read_dir(dir)?.flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".export.gz").and_then(|n| n.parse().ok());
        if let Some(n) = number.filter(|n| *n < NUMBER_MAX) {
            let meta = e.metadata()?;
            if meta.is_file() {
                files.push((n, e.path(), meta.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn open(current: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{CURRENT}: {e}"));
    how.read(true)
        .append(true)
        .create(true)
        .mode(MODE)
        .open(current)
        .map_err(named)
}

/// A file that does not end with a whole entry: what is appended to half of one cannot be read.
#[derive(Debug, PartialEq, Eq)]
struct Torn {
    /// Bytes up to the end of its last whole entry.
    good: u64,
    /// Bytes behind that.
    bytes: u64,
}

/// How a file ends.
#[derive(Debug, Default)]
struct End {
    /// Its last whole entry.
    last: Option<Vec<u8>>,
    torn: Option<Torn>,
}

fn end(file: &File) -> io::Result<End> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() == 0 {
        return Ok(End::default());
    }
    let mut bytes = Vec::new();
    file.take(FILE_MOST).read_to_end(&mut bytes)?;
    let good = entry::whole(&bytes) as u64;
    // A file that is longer than any of ours is not judged by its beginning.
    let torn = good < meta.len() && meta.len() < FILE_MOST;
    Ok(End {
        last: earlier::entries(&bytes).last().map(<[u8]>::to_vec),
        torn: torn.then(|| Torn {
            good,
            bytes: meta.len() - good,
        }),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
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
    fn what_came_while_state_was_in_memory_is_written_once_it_is_on_the_medium_again() {
        // The medium has all that was written before it left, or the kernel's cache has lost it.
        for lost in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let current = dir.path().join(CURRENT);
            let mut s = store(dir.path());
            let line = |text: &[u8]| Entry::line(text, &Sender::default());
            s.add(line(b"before"));
            s.add(line(b"just before"));
            s.finish();
            s.on_disk = Some(false);
            s.add_kernel(b"4,7,1,-;usb 1-1: device descriptor read, error -71\n");
            s.finish();
            s.add(line(b"meanwhile"));
            s.finish();
            assert!(
                !dir.path().join("kernel").exists(),
                "a journal that starts now reads it again"
            );
            if lost {
                let text = fs::read_to_string(&current).unwrap();
                let cut = text.find("\n\n").unwrap() + 20;
                open(&current).unwrap().set_len(cut as u64).unwrap();
            }
            s.on_disk = Some(true);
            s.add(line(b"after"));
            s.finish();
            let text = fs::read_to_string(&current).unwrap();
            let messages: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("MESSAGE=")).collect();
            let kernels = "usb 1-1: device descriptor read, error -71";
            let wanted = ["before", "just before", kernels, "meanwhile", "after"];
            assert_eq!(messages, wanted, "lost: {lost}");
            assert_eq!(fs::read_to_string(dir.path().join("kernel")).unwrap(), "7\n");
        }
    }

    #[test]
    fn what_a_medium_refuses_on_its_way_out_is_written_when_it_is_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("journal");
        // In the folder's place stands what is none.
        fs::write(&folder, "").unwrap();
        let mut s = store(&folder);
        s.add(Entry::line(b"why it failed", &Sender::default()));
        s.finish();
        assert!(s.gave_up().is_some());
        s.on_disk = Some(false);
        s.finish();
        fs::remove_file(&folder).unwrap();
        s.on_disk = Some(true);
        s.finish();
        let text = fs::read_to_string(folder.join(CURRENT)).unwrap();
        assert_eq!(text.matches("MESSAGE=why it failed\n").count(), 1, "{text}");
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
            s.add_kernel(record);
            while !s.lost {
                s.add(Entry::line(&[b'x'; 60_000], &Sender::default()));
            }
            s.add_kernel(b"6,6,1,-;a later one\n");
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
        assert!(s.ring_bytes <= RING_MAX && s.waiting <= s.ring_bytes);
        let out = s.exported();
        assert!(out.len() <= RING_MAX && out.len() > RING_MAX / 2);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            0,
            "nothing is written while state is in RAM"
        );
    }

    #[test]
    fn who_babbles_pushes_nobody_else_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        s.written = Instant::now() + WRITE_EVERY;
        let of = |unit: &str| Sender {
            unit: Some(unit.into()),
            ..Sender::default()
        };
        let (a, b) = (of("a"), of("b"));
        s.add_of(&b, 5_000, Entry::line(b"drive 3 is failing", &b));
        for n in 0..50_000 {
            s.add_of(&a, 5_000 + n / 1_000, Entry::line(b"again", &a));
        }
        s.add_of(&b, 5_100, Entry::line(b"and drive 4", &b));
        let told = |s: &Store| {
            let text = String::from_utf8(s.exported()).unwrap();
            assert!(text.contains("MESSAGE=drive 3 is failing\n") && text.contains("MESSAGE=and drive 4\n"));
            let babbled = text.matches("MESSAGE=again\n").count();
            (babbled, text.matches("messages suppressed").count(), text)
        };
        let (babbled, suppressed, _) = told(&s);
        assert!((1_000..20_000).contains(&babbled) && suppressed == 0, "{babbled}");
        s.tell_left_out(5_000 + 60_000);
        s.tell_left_out(5_000 + 60_001);
        let (_, suppressed, text) = told(&s);
        let line = format!("MESSAGE=a: {} messages suppressed", 50_000 - babbled);
        assert!(suppressed == 1 && text.contains(&line), "{line}");
        // The next minute is its own again.
        s.add_of(&a, 70_000, Entry::line(b"well again", &a));
        assert!(told(&s).2.contains("MESSAGE=well again\n"));
    }

    #[test]
    fn who_babbles_on_over_the_minute_is_told_of_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        let a = Sender {
            unit: Some("a".into()),
            ..Sender::default()
        };
        for n in 0..50_000 {
            s.add_of(&a, 5_000 + n / 1_000, Entry::line(b"again", &a));
        }
        // Its next line comes before anybody has asked what was left out.
        s.add_of(&a, 66_000, Entry::line(b"and again", &a));
        s.tell_left_out(66_001);
        let text = String::from_utf8(s.exported()).unwrap();
        assert_eq!(text.matches("messages suppressed").count(), 1);
        let left_out = 50_000 - text.matches("MESSAGE=again\n").count();
        let line = text.find(&format!("MESSAGE=a: {left_out} messages suppressed"));
        assert!(line.is_some() && line < text.find("MESSAGE=and again\n"), "{left_out}");
    }

    #[test]
    fn a_message_of_nothing_but_fields_counts_with_all_its_bytes_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = store(dir.path());
        let sender = Sender::default();
        let flood = b"A=\n".repeat(2_700_000);
        let begun = Instant::now();
        for _ in 0..10_000 {
            s.add_native(&sender, 5_000, &flood);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(s.ring.len(), 1);
        s.tell_left_out(u64::MAX);
        assert!(
            String::from_utf8(s.exported())
                .unwrap()
                .contains(" 9999 messages suppressed")
        );
        // Nor do many short ones get more room than their entries have.
        let mut s = store(dir.path());
        for _ in 0..1_000 {
            s.add_native(&sender, 5_000, &b"A=\n\n".repeat(1_024));
        }
        assert!(s.ring_bytes < 4 << 20, "{}", s.ring_bytes);
    }

    #[test]
    fn files_that_are_given_up_say_why() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(CURRENT)).unwrap();
        let mut s = store(dir.path());
        s.add(Entry::line(b"text", &Sender::default()));
        s.finish();
        let told = s.gave_up().unwrap();
        let why = format!("{}: {CURRENT}: Is a directory", dir.path().display());
        assert!(told.contains("in memory alone") && told.contains(&why), "{told}");
    }

    #[test]
    fn what_looks_like_a_file_of_its_own_and_is_none_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |n: &str| dir.path().join(n);
        fs::write(at(&format!("{}.export.gz", u64::MAX)), "x").unwrap();
        fs::create_dir(at("00000007.export.gz")).unwrap();
        let mut s = store(dir.path());
        s.usage = |_| (100 << 20, 99);
        for _ in 0..100 {
            s.add(Entry::line(&[b'y'; 50_000], &Sender::default()));
        }
        s.finish();
        assert_eq!(s.gave_up(), None);
        assert!(at(&format!("{}.export.gz", u64::MAX)).exists() && at("00000007.export.gz").exists());
        // The medium is full, so the one that was made went at once; with room it stays.
        s.usage = |_| (100 << 30, 50);
        for _ in 0..100 {
            s.add(Entry::line(&[b'y'; 50_000], &Sender::default()));
        }
        s.finish();
        assert!(at("00000001.export.gz").is_file());
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
            s.written = Instant::now().checked_sub(WRITE_EVERY).unwrap();
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
            s.written = Instant::now().checked_sub(WRITE_EVERY).unwrap();
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
            s.written = Instant::now().checked_sub(WRITE_EVERY).unwrap();
            s.settle();
        };
        write(&mut s, b"no room");
        assert_eq!(s.gave_up(), None);
        fs::remove_file(dir.path().join("current.export")).unwrap();
        write(&mut s, b"room again");
        let text = fs::read_to_string(dir.path().join("current.export")).unwrap();
        assert!(text.contains("MESSAGE=room again") && text.contains("MESSAGE=no room\n"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_left_alone() {
        let mut s = store(Path::new("/proc/nowhere"));
        s.add(Entry::line(b"x", &Sender::default()));
        s.written = Instant::now().checked_sub(WRITE_EVERY).unwrap();
        s.settle();
        assert!(s.gave_up().is_some());
        assert!(s.waiting > 0, "state may go on in memory and come back");
    }
}
