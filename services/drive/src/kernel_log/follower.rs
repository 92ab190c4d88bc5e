//! Follows the kernel's log for one drive, and knows what of it was missed: a reset that nobody could hear is not none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::records::{News, Records};
use super::rescan::Rescan;
use super::{Way, hidden, newest, news, oldest, read};
use crate::multipath;
use crate::system::System;

/// What the log tells by the line that [`Way::is_resized`] knows.
const ANNOUNCED: &str = "the drive announces another capacity";

/// Why resets of a drive, or some of them, cannot be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unheard {
    /// The kernel tells none of this kind of drive: its log has no name for the way to it.
    Kind,
    /// Its log could not be read, or not all of it; in words why.
    Log(String),
}

impl Unheard {
    /// Of two reasons the one that weighs more, the earlier one where they weigh the same.
    pub fn worse(known: Option<Self>, told: Option<&Self>) -> Option<Self> {
        match (known, told) {
            (Some(known @ Self::Log(_)), _) => Some(known),
            (known, None) | (known @ Some(Self::Kind), Some(Self::Kind)) => known,
            (_, told) => told.cloned(),
        }
    }
}

/// What a look brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Resets that none of the lines before told, each in the kernel's first words of it: these count.
    pub resets: Vec<String>,
    /// That the drive announced another capacity, which the kernel is made to ask for, or that it could not be made to; in words.
    pub resized: Option<String>,
    /// Whether any line told of a reset, be it one that counts already, or that the drive is not as it was: it may have been exchanged.
    pub heard: bool,
}

/// Where lines come from.
#[derive(Debug)]
enum Source {
    /// The kernel's log, from a place on.
    Records(Records),
    /// The whole ring at each look, where there is no `/dev/kmsg` or it may not be read.
    Ring,
    /// A file in place of the kernel's own log, whole at each look.
    File(PathBuf),
}

/// Follows the kernel's log for one drive.
#[derive(Debug)]
pub struct Follower {
    way: Way,
    link: bool,
    source: Source,
    /// Time of the newest line that was read; `None` while none could be.
    seen: Option<Duration>,
    rescan: Rescan,
    hidden: u64,
    unheard: Option<Unheard>,
    /// The last reset of each that has resets of its own, of which a later look may bring further lines.
    events: BTreeMap<String, Event>,
}

impl Follower {
    /// Begins behind what the log tells now; `syspath` is the drive's directory below `/sys`.
    pub fn new(system: &System, syspath: &str) -> Self {
        Self::reading(system, syspath, None)
    }

    /// The same over a file with the log's lines, where there is one: what no test can have the kernel say.
    pub fn reading(system: &System, syspath: &str, file: Option<&Path>) -> Self {
        let way = way(system, syspath);
        let source = match file {
            Some(file) => Source::File(file.to_owned()),
            // Before the ring is read, so that nothing can come between the two.
            None => Records::from_now().map_or(Source::Ring, Source::Records),
        };
        let mut follower = Self::begin(way, has_link(syspath), file.map_or_else(read, std::fs::read_to_string));
        follower.source = source;
        follower.rescan.file = system.path("sys").join(syspath).join("device/rescan");
        follower
    }

    fn begin(way: Way, link: bool, log: io::Result<String>) -> Self {
        let mut follower = Self {
            way,
            link,
            source: Source::Ring,
            seen: None,
            rescan: Rescan::default(),
            hidden: 0,
            unheard: None,
            events: BTreeMap::new(),
        };
        if let Ok(log) = &log {
            follower.hidden = hidden(log, &follower.way);
        }
        follower.heed(log);
        follower
    }

    /// Sectors of 512 bytes that the kernel says are hidden; 0 where it says nothing, or no longer.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// Why resets since the beginning may not all be known; `None` where they are, or where there is no link to reset.
    pub fn unheard(&self) -> Option<&Unheard> {
        self.unheard.as_ref()
    }

    /// Has the kernel ask the drive for its capacity again, so that whoever holds it sees another one; nobody waits for it, since until it
    /// is known whose drive it is nothing more is to be written. In words; where it cannot, [`Follower::unheard`] says so.
    fn remeasure(&mut self) -> String {
        match self.rescan.ask() {
            Ok(()) => format!("{ANNOUNCED}; the kernel is asking for it"),
            Err(cause) => self.could_not_ask(&cause),
        }
    }

    fn could_not_ask(&mut self, cause: &io::Error) -> String {
        let why = format!("{ANNOUNCED}, and the kernel could not be made to ask for it: {cause}");
        self.miss(why.clone());
        why
    }

    /// What the kernel told of resets since the last look. Where nothing can be told, [`Follower::unheard`] says why.
    pub fn look(&mut self) -> Told {
        let late = self.rescan.heed().map_err(|cause| self.could_not_ask(&cause)).err();
        let mut told = match &mut self.source {
            Source::Records(records) => {
                let news = records.look();
                self.take(news)
            }
            Source::Ring => self.heed(read()),
            Source::File(file) => {
                let log = std::fs::read_to_string(file);
                self.heed(log)
            }
        };
        told.resized = told.resized.or(late);
        told
    }

    /// Takes what is new.
    fn take(&mut self, news: io::Result<News>) -> Told {
        if self.way == Way::default() {
            return Told::default();
        }
        let Some(news) = self.readable(news) else {
            return Told::default();
        };
        if news.lost {
            self.miss(LOST.to_owned());
        }
        self.told(news.lines)
    }

    /// What these lines tell.
    fn told(&mut self, lines: Vec<(Duration, String)>) -> Told {
        let mut told = Told::default();
        let mut is_resized = false;
        for (at, text) in lines {
            is_resized |= self.way.is_resized(&text);
            told.heard |= self.way.is_changed(&text);
            let Some((of, words)) = self.way.reset(&text) else {
                continue;
            };
            told.heard = true;
            if self.events.entry(of.to_owned()).or_default().is_new(at, words) {
                told.resets.push(text);
            }
        }
        // Once for all lines, and behind the last of them.
        told.resized = is_resized.then(|| self.remeasure());
        told
    }

    /// Takes the whole log.
    fn heed(&mut self, log: io::Result<String>) -> Told {
        if self.way == Way::default() {
            self.unheard = self.link.then_some(Unheard::Kind);
            return Told::default();
        }
        let Some(log) = self.readable(log) else {
            return Told::default();
        };
        let (oldest, newest) = (oldest(&log), newest(&log));
        if newest.is_none() && !log.trim().is_empty() {
            self.miss("the lines of the kernel's log have no times".to_owned());
        }
        let Some(seen) = self.seen else {
            self.seen = newest.or(Some(Duration::ZERO));
            return Told::default();
        };
        // The line that was read last stands in the ring until it is overwritten, or the log is cleared.
        if seen > Duration::ZERO && oldest.is_none_or(|oldest| oldest > seen) {
            self.miss(LOST.to_owned());
        }
        self.seen = newest.max(Some(seen));
        let lines = news(&log, &self.way, seen);
        self.told(lines)
    }

    /// What was read, or a note that it was not.
    fn readable<T>(&mut self, read: io::Result<T>) -> Option<T> {
        read.map_err(|cause| self.miss(format!("the kernel's log may not be read: {cause}")))
            .ok()
    }

    fn miss(&mut self, why: String) {
        if !self.link {
            return;
        }
        self.unheard = Unheard::worse(self.unheard.take(), Some(&Unheard::Log(why)));
    }
}

const LOST: &str = "lines of the kernel's log were lost before they were read";

/// Whether there is a link at all: loop devices, RAM disks, drives over the network and a guest's paravirtual ones have none.
fn has_link(syspath: &str) -> bool {
    let paravirtual = |part: &str| part.starts_with("virtio") || part.starts_with("vbd-");
    !(syspath.contains("/virtual/block/") || syspath.split('/').any(paravirtual))
}

/// The way to the drive at `syspath`, by every controller that leads to it.
fn way(system: &System, syspath: &str) -> Way {
    let mut way = Way::of(syspath);
    for controller in multipath::controllers(system, syspath) {
        way.0.extend(Way::of(&controller).0);
    }
    way
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::tests::{NVME, SATA, USB};
    use super::*;

    #[test]
    fn what_could_not_be_read_is_not_called_no_reset() {
        let denied = || Err(io::Error::from_raw_os_error(libc::EPERM));
        let log = |text: &str| Ok(text.to_owned());
        let first = "[    1.000000] ata3: SATA link up\n";
        let begin = |log| Follower::begin(Way::of(SATA), has_link(SATA), log);
        let unheard = |follower: &Follower| match follower.unheard() {
            Some(Unheard::Log(why)) => why.clone(),
            other => format!("{other:?}"),
        };

        let mut open = begin(log(first));
        assert_eq!(open.heed(log(first)), Told::default());
        let more = format!("{first}[    2.000000][  T12] ata3: hard resetting link\n");
        assert_eq!(open.heed(log(&more)).resets, ["ata3: hard resetting link"]);
        assert_eq!(open.unheard(), None);
        // What was missed stays missed.
        open.heed(denied());
        open.heed(log(&more));
        assert!(unheard(&open).contains("may not be read"), "{open:?}");

        let mut never = begin(denied());
        assert!(unheard(&never).contains("Operation not permitted"), "{never:?}");
        assert_eq!(never.heed(denied()), Told::default());

        let mut flooded = begin(log(&more));
        assert_eq!(
            flooded
                .heed(log("[    9.000000] ata3: soft resetting link\n"))
                .resets
                .len(),
            1
        );
        assert!(unheard(&flooded).contains("were lost"), "{flooded:?}");
        let mut cleared = begin(log(first));
        cleared.heed(log(""));
        assert!(unheard(&cleared).contains("were lost"), "{cleared:?}");
        let untimed = begin(log("ata3: SATA link up\n"));
        assert!(unheard(&untimed).contains("no times"), "{untimed:?}");
        let mut young = begin(log(""));
        assert_eq!(young.heed(log(first)), Told::default());
        assert_eq!(young.unheard(), None, "a log without a line has lost none");
    }

    #[test]
    fn what_is_new_counts_where_it_names_the_drive() {
        let mut follower = Follower::begin(Way::of(SATA), has_link(SATA), Ok(String::new()));
        let mut hear = |news| (follower.take(news), follower.unheard().cloned());
        let news = |lines: &[&str], lost| {
            Ok(News {
                lines: lines.iter().map(|line| (Duration::ZERO, (*line).to_owned())).collect(),
                lost,
            })
        };
        let (told, unheard) = hear(news(&["ata3: hard resetting link", "ata4: hard resetting link"], false));
        assert_eq!((told.resets.len(), told.heard, unheard), (1, true, None));
        let (told, unheard) = hear(news(&[], true));
        assert_eq!((told, unheard), (Told::default(), Some(Unheard::Log(LOST.to_owned()))));
        let (told, unheard) = hear(Err(io::Error::from_raw_os_error(libc::EIO)));
        assert!(
            told == Told::default() && unheard == Some(Unheard::Log(LOST.to_owned())),
            "the earlier one stays"
        );
    }

    #[test]
    fn the_lines_of_one_reset_count_once() {
        let lines = |from: u64| {
            let told = [
                (0, "scsi host6: uas_eh_device_reset_handler start"),
                (120, "usb 2-1.4: reset SuperSpeed USB device number 3 using xhci_hcd"),
                (180, "scsi host6: uas_eh_device_reset_handler success"),
                (2_400, "sd 6:0:0:0: Power-on or device reset occurred"),
            ];
            told.map(|(after, text)| (Duration::from_millis(from + after), text.to_owned()))
        };
        let heard = |looks: &[&[(Duration, String)]]| {
            let mut follower = Follower::begin(Way::of(USB), has_link(USB), Ok(String::new()));
            let news = looks.iter().map(|lines| News {
                lines: lines.to_vec(),
                lost: false,
            });
            let told = news.map(|news| follower.take(Ok(news))).collect::<Vec<_>>();
            // Between two lines the drive may have been exchanged, so that each look that brings one is to be heeded.
            assert!(told.iter().all(|told| told.heard), "{told:?}");
            assert_eq!(follower.take(Ok(News::default())), Told::default());
            told.iter().map(|told| told.resets.len()).sum::<usize>()
        };
        let (first, second, late) = (lines(5_000), lines(8_000), lines(60_000));
        assert_eq!(heard(&[&first]), 1);
        assert_eq!(
            heard(&[&first[..1], &first[1..3], &first[3..]]),
            1,
            "over several looks"
        );
        assert_eq!(heard(&[&first, &late]), 2);
        assert_eq!(heard(&[&first, &second]), 2, "the same words again");
        let mut ring = Follower::begin(
            Way::of(USB),
            has_link(USB),
            Ok("[    1.000000] usb 2-1.4: new\n".to_owned()),
        );
        let log = first
            .iter()
            .map(|(at, text)| format!("[{:12.6}] {text}\n", at.as_secs_f64()));
        let log = format!("[    1.000000] usb 2-1.4: new\n{}", log.collect::<String>());
        assert_eq!(ring.heed(Ok(log.clone())).resets.len(), 1);
        assert_eq!(ring.heed(Ok(log.clone())), Told::default(), "nothing is new");
        let log = format!("{log}[    8.000000] scsi host6: uas_eh_device_reset_handler start\n");
        assert!(ring.heed(Ok(log)).heard);
    }

    #[test]
    fn a_drive_whose_resets_the_kernel_does_not_tell_is_told_apart() {
        for (path, want) in [
            (
                "/sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0",
                Some(Unheard::Kind),
            ),
            ("/sys/devices/virtual/block/loop0", None),
            ("/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda", None),
            ("/sys/devices/vbd-51712/block/xvda", None),
        ] {
            let follower = Follower::begin(Way::of(path), has_link(path), Ok(String::new()));
            assert_eq!(follower.unheard(), want.as_ref(), "{path}");
        }
        let (log, kind) = (Unheard::Log("why".to_owned()), Unheard::Kind);
        for (known, told, want) in [
            (None, None, None),
            (None, Some(&kind), Some(&kind)),
            (Some(&kind), Some(&log), Some(&log)),
            (Some(&log), Some(&kind), Some(&log)),
            (Some(&kind), None, Some(&kind)),
        ] {
            assert_eq!(Unheard::worse(known.cloned(), told).as_ref(), want);
        }
    }

    #[test]
    fn an_nvme_drive_with_several_controllers_is_heard_by_each() {
        let root = tempfile::tempdir().unwrap();
        let system = System::at(root.path());
        // As `sysfs` tells it: below `/sys`.
        let syspath = multipath::made_up(root.path(), 0, ["0000:02:00.0", "0000:03:00.0"]);
        let other = multipath::made_up(root.path(), 1, ["0000:04:00.0", "0000:05:00.0"]);
        let (way, other) = (way(&system, &syspath), way(&system, &other));
        for (line, of) in [
            ("nvme nvme0: resetting controller", [true, false]),
            ("nvme nvme1: controller is down; will reset: CSTS=0x3", [true, false]),
            ("nvme nvme2: resetting controller", [false, true]),
            ("nvme nvme10: resetting controller", [false, false]),
        ] {
            assert_eq!([way.is_reset(line), other.is_reset(line)], of, "{line}");
        }
        assert_eq!(super::way(&system, NVME), Way::of(NVME));
    }

    #[test]
    fn the_controllers_of_a_drive_are_reset_each_by_itself() {
        let way = Way(["nvme nvme1", "nvme nvme10"].map(str::to_owned).to_vec());
        let mut follower = Follower::begin(way, true, Ok(String::new()));
        let mut hear = |lines: &[(u64, &str)]| {
            let lines = lines
                .iter()
                .map(|(at, text)| (Duration::from_secs(*at), (*text).to_owned()));
            let news = News {
                lines: lines.collect(),
                lost: false,
            };
            follower.take(Ok(news)).resets.len()
        };
        let both = [
            (20, "nvme nvme1: controller is down; will reset: CSTS=0x3"),
            (21, "nvme nvme10: resetting controller"),
            (22, "nvme nvme1: resetting controller"),
            (23, "nvme nvme10: I/O 12 QID 3 timeout, reset controller"),
        ];
        assert_eq!(hear(&both), 2, "one of each, by other words");
        assert_eq!(hear(&[(25, "nvme nvme10: resetting controller")]), 1);
        assert_eq!(hear(&[(26, "nvme nvme1: I/O 12 QID 3 timeout, reset controller")]), 0);
    }
}
