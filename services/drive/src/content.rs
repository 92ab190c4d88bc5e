//! What stands on a drive: libblkid's answers for the whole disk and each partition, in words and for the guard.
//!
//! [`look`] reads through an `O_RDONLY` descriptor (never `O_DIRECT`: libblkid reads unaligned) and may block as long as
//! the drive does; callers use [`crate::probe`], which puts it into a child.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use wire::drive::{Content, Signature};

use crate::blkid::{Outcome, Partition, Probe, Values};
use crate::lock::Lock;
pub use crate::member::{ContentKind, Member};
use crate::places::{self, Mbr, SECTORS};
use crate::salvage::{BEGIN, Salvage, Source};
use crate::summary::summary;
use crate::system::System;
use crate::window::Window;
use crate::{chance, first, partition_type, siblings, told, unlisted, usage};

/// Everything one look at a drive tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What stands on it, for people.
    pub content: Content,
    /// What of it belongs to something larger, also where libblkid calls the whole ambivalent.
    pub members: Vec<Member>,
    /// Whether it carries Kiln itself (a boot stick).
    pub kiln: bool,
    /// Kinds of what stands where a first partition would, on a disk whose table names none: what was laid out there, and has no table
    /// yet.
    #[serde(default)]
    pub unlisted: BTreeSet<String>,
    /// What keeps everybody out of it; asked of a device alone, by [`crate::probe`].
    #[serde(default)]
    pub lock: Option<Lock>,
}

impl Look {
    /// Whether something of it could not be read.
    pub(crate) fn failed(&self) -> bool {
        let unseen = |member: &Member| member.kind == ContentKind::Unseen;
        matches!(self.content, Content::Unreadable { .. }) || self.members.iter().any(unseen)
    }

    /// A drive whose start cannot be read. It is offered all the same: the verdict tells it (rule `unreadable-before`).
    pub fn unreadable(why: impl Into<String>) -> Self {
        Look {
            content: Content::Unreadable { why: why.into() },
            members: Vec::new(),
            kiln: false,
            unlisted: BTreeSet::new(),
            lock: None,
        }
    }
}

/// Names of the first three partitions of a Kiln stick. Source: `image/src/gpt.rs`.
const KILN_PARTITIONS: [&str; 3] = ["bios", "boot", "data"];

/// Number of its partition that is booted from.
const KILN_BOOT: u32 = 2;

/// Label of the file system in that. Source: `image/src/assemble.rs`.
const KILN_LABEL: &str = "KILN";

/// Bytes at the start that must be readable for the content to count as known.
const START: usize = 4096;

/// Looks at `size` bytes of an open device or image with logical `sector` size.
///
/// What the drive cannot read hides nothing that stands elsewhere: then a copy of what it can is looked at, and an end of the disk or a
/// partition for which no time was left is told as [`ContentKind::Unseen`].
///
/// # Errors
/// When it could not be looked at for a reason that is not the drive's own.
pub fn look(file: &File, size: u64, sector: u32) -> io::Result<Look> {
    // What the kernel remembers may be of the drive that was there before: docks exchange them without a word. Where it does
    // not forget, the look is as good as it was.
    let _ = nix::fcntl::posix_fadvise(file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    let began = Instant::now();
    let start = read_start(file, size);
    let is_start_bad = start.is_err();
    let kept = places::kernels(&System::default(), file)?;
    match start.and_then(|()| try_look(file, (size, sector), Mbr::Counts, &kept)) {
        Err(error) if is_the_drives(&error) => salvaged(file, (size, sector), &kept, is_start_bad, began, &error),
        looked => looked,
    }
    .map(bounded)
}

/// What stands on it, and how full each file system is, as [`look`] tells it; `None` where something of it cannot be read.
///
/// Apart from the look: what it reads nobody has read before, and a bad sector in it must hold up neither guard nor plan.
pub fn counted(file: &File, size: u64, sector: u32) -> Option<Content> {
    let kept = places::kernels(&System::default(), file).ok()?;
    let look = try_look(file, (size, sector), Mbr::Counts, &kept).ok()?;
    let content = usage::told(look.content.clone(), file, (size, sector));
    Some(bounded(Look { content, ..look }).content)
}

/// The look, with so much of its content as is told.
fn bounded(look: Look) -> Look {
    let content = match look.content {
        Content::Found { signatures, summary } => Content::Found {
            signatures: told::signatures(signatures),
            summary,
        },
        content @ (Content::Unknown | Content::Empty | Content::Unreadable { .. }) => content,
    };
    Look { content, ..look }
}

fn read_start(file: &File, size: u64) -> io::Result<()> {
    let mut start = vec![0; START.min(usize::try_from(size).unwrap_or(START))];
    file.read_exact_at(&mut start, 0)
}

/// The look at what can be read of a drive of which `why` could not: its start, where `is_start_bad`. The look as a whole began then.
/// `kept`: the kernel's partitions.
fn salvaged(
    from: &impl Source,
    (size, sector): (u64, u32),
    kept: &[Partition],
    is_start_bad: bool,
    began: Instant,
    why: &io::Error,
) -> io::Result<Look> {
    let mut salvage = Salvage::new(size, began + BEGIN)?;
    if is_start_bad {
        salvage.failed(0..size.min(START as u64));
    }
    let mut unseen = Vec::new();
    let mut seen = |number: u32, whole: bool| {
        if !whole {
            unseen.push(Member {
                partition: number,
                kind: ContentKind::Unseen,
            });
        }
    };
    seen(0, salvage.take(from, 0, size)?);
    // A partition table that can be read names further places, and there may be a further table in one of them.
    let mbr = if is_start_bad { Mbr::Lost } else { Mbr::Counts };
    let mut taken = BTreeSet::new();
    let mut guessed = false;
    loop {
        let places = places::of(salvage.copy(), (size, sector), mbr)?;
        let mut partitions = places.listed;
        partitions.extend(kept.iter().cloned());
        partitions.retain(|partition| taken.insert((partition.start, partition.size)));
        // What another size of sectors would name comes last: mostly nothing is there, and room and time are bounded.
        guessed |= partitions.is_empty();
        if guessed {
            partitions.extend(places.others);
            partitions.retain(|partition| taken.insert((partition.start, partition.size)));
        }
        if partitions.is_empty() {
            break;
        }
        for partition in partitions {
            let Some(bytes) = partition.within(size) else { continue };
            let start = partition.start;
            let whole = match partition.extended {
                true => salvage.chain(from, start..start + bytes, partition.sector)?,
                false => salvage.take(from, start, bytes)?,
            };
            seen(partition.number, whole || guessed);
        }
    }
    let mut look = try_look(salvage.copy(), (size, sector), mbr, kept)?;
    look.members.extend(unseen);
    look.members.sort_by_key(|member| (member.partition, member.kind));
    // What was found elsewhere says nothing of what the start held.
    if salvage.lost(START as u64) || look.content == Content::Empty {
        look.content = Content::Unreadable { why: why.to_string() };
    }
    Ok(look)
}

/// Whether a read failed by the drive or the way to it, and not by this computer's want of something.
///
/// Source: `blk_errors` in block/blk-core.c. A read that ended early has no number: libblkid and `read_exact` tell it so.
pub fn is_the_drives(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(errno) => matches!(
            errno,
            libc::EIO | libc::ENODATA | libc::EREMOTEIO | libc::EILSEQ | libc::ETIMEDOUT | libc::ENOLINK
        ),
        None => true,
    }
}

fn try_look(file: &File, (size, sector): (u64, u32), mbr: Mbr, kept: &[Partition]) -> io::Result<Look> {
    let mut signatures = Vec::new();
    let mut members = Vec::new();
    let whole = Window { file, start: 0, size };
    // A firmware's RAID counts from the end in the sectors of the dock that it was made in.
    let others = SECTORS.into_iter().filter(|other| *other != sector);
    Inner::of(whole, (0, None), sector, others)?.into(&mut signatures, &mut members);

    let places = places::of(file, (size, sector), mbr)?;
    if places.is_unfit {
        members.push(Member {
            partition: 0,
            kind: ContentKind::Unseen,
        });
    }
    // Either alone is what anybody's drive may bear.
    let is_ours = is_kiln_table(&places.listed);
    let mut has_label = false;
    // What a job has overwritten since is still a partition to the kernel: of those nothing but memberships is told.
    let mut kept = kept.to_vec();
    let place = |partition: &Partition| (partition.start, partition.size);
    kept.retain(|kept| places.listed.iter().all(|partition| place(partition) != place(kept)));
    let blank = Values::new();
    let mut is_blank = true;
    let mut unlisted = BTreeSet::new();
    if places.listed.is_empty() {
        // Of most disks both ends are one.
        for end in BTreeSet::from(first::ends(size, sector)) {
            unlisted.extend(kinds_in(file, (first::START, end), sector)?);
        }
    }
    for partition in places.listed {
        if partition.extended {
            signatures.push(Signature {
                kind: "extended".to_owned(),
                ..signature(partition.number, &blank, None)
            });
            continue;
        }
        let inner = Inner::of_partition(file, &partition, (size, sector))?;
        is_blank &= inner.signatures.is_empty() && inner.members.is_empty();
        let by_type = partition.kind.as_deref();
        let by_type = by_type.and_then(partition_type::member);
        members.extend(by_type.map(|kind| Member {
            partition: partition.number,
            kind,
        }));
        if inner.signatures.is_empty() {
            signatures.push(signature(partition.number, &blank, partition.name));
        }
        has_label |= inner.kiln && partition.number == KILN_BOOT;
        inner.into(&mut signatures, &mut members);
    }
    // Of what another size of sectors would name only what is there is told, and to people where the table names nothing that is.
    for partition in places.others {
        if !partition.extended {
            let mut inner = Inner::of_partition(file, &partition, (size, sector))?;
            inner.signatures.retain(|_| is_blank);
            inner.into(&mut signatures, &mut members);
        }
    }
    for partition in kept {
        members.extend(Inner::of_partition(file, &partition, (size, sector))?.members);
    }

    members.sort_by_key(|member: &Member| (member.partition, member.kind));
    members.dedup();
    let content = if signatures.is_empty() {
        Content::Empty
    } else {
        let summary = summary(&signatures);
        Content::Found { signatures, summary }
    };
    Ok(Look {
        content,
        members,
        kiln: is_ours && has_label,
        unlisted,
        lock: None,
    })
}

/// Kinds of all that stands between these bytes, as if they were a partition: what libblkid finds there, and what it does not know.
fn kinds_in(file: &File, (start, end): (u64, u64), sector: u32) -> io::Result<BTreeSet<String>> {
    let Some(size) = end.checked_sub(start).filter(|size| *size > 0) else {
        return Ok(BTreeSet::new());
    };
    let found = Probe::new(file, start, size, sector)?.every()?;
    let window = Window { file, start, size };
    let mut kinds = BTreeSet::new();
    for values in &found {
        if !is_chance(values, window)? {
            kinds.extend(kind(values).cloned());
        }
    }
    let unlisted = unlisted::of(window)?;
    kinds.extend(unlisted.into_iter().map(|unlisted| unlisted.name));
    Ok(kinds)
}

/// What stands on the whole disk or in one partition.
#[derive(Default)]
struct Inner {
    signatures: Vec<Signature>,
    members: Vec<Member>,
    kiln: bool,
}

impl Inner {
    /// One that reaches beyond the device (a table from a larger drive) is looked into as far as it goes.
    fn of_partition(file: &File, partition: &Partition, (size, sector): (u64, u32)) -> io::Result<Self> {
        let Some(size) = partition.within(size) else {
            return Ok(Self::default());
        };
        let start = partition.start;
        let place = (partition.number, partition.name.as_ref());
        Self::of(Window { file, start, size }, place, sector, [])
    }

    /// Members are also looked for in sectors of `others`.
    fn of(
        window: Window<'_>,
        (number, name): (u32, Option<&String>),
        sector: u32,
        others: impl IntoIterator<Item = u32>,
    ) -> io::Result<Self> {
        let probe = |sector| Probe::new(window.file, window.start, window.size, sector);
        let tell = |values: &Values| signature(number, values, name.cloned());
        let mut inner = Self::default();
        for values in signatures_of(&mut probe(sector)?)? {
            if is_chance(&values, window)? {
                continue;
            }
            inner.kiln |= is_kiln_boot(&values);
            inner.signatures.push(tell(&values));
        }
        for sector in std::iter::once(sector).chain(others) {
            for values in probe(sector)?.every()? {
                if is_chance(&values, window)? {
                    continue;
                }
                if let Some(kind) = member_of(&values, window)? {
                    inner.add(tell(&values), Some(kind));
                }
            }
        }
        for unlisted in unlisted::of(window)? {
            let kind = unlisted.name;
            let told = tell(&Values::new());
            inner.add(Signature { kind, ..told }, unlisted.member);
        }
        Ok(inner)
    }

    /// Adds what was found beside the safe answer.
    fn add(&mut self, signature: Signature, member: Option<ContentKind>) {
        let partition = signature.partition;
        self.members.extend(member.map(|kind| Member { partition, kind }));
        if self.signatures.iter().all(|told| told.kind != signature.kind) {
            self.signatures.push(signature);
        }
    }

    fn into(self, signatures: &mut Vec<Signature>, members: &mut Vec<Member>) {
        signatures.extend(self.signatures);
        members.extend(self.members);
    }
}

/// Whether the first partitions of a table are named as those of a Kiln stick.
fn is_kiln_table(listed: &[Partition]) -> bool {
    let names = listed
        .iter()
        .take(KILN_PARTITIONS.len())
        .map(|partition| partition.name.as_deref());
    names.eq(KILN_PARTITIONS.map(Some))
}

/// Whether a file system bears the label of a Kiln stick's boot partition.
fn is_kiln_boot(values: &Values) -> bool {
    let is = |key: &str, value: &str| values.get(key).is_some_and(|found| found == value);
    is("TYPE", "vfat") && is("LABEL", KILN_LABEL)
}

/// What people are shown of one device or partition: the safe answer, or all of them where that is ambivalent.
fn signatures_of(probe: &mut Probe<'_>) -> io::Result<Vec<Values>> {
    let found = match probe.safe()? {
        Outcome::Nothing => Vec::new(),
        Outcome::Found(values) => vec![values],
        Outcome::Ambivalent => probe.every()?,
    };
    // Values without a kind describe the device itself (its place in a table).
    Ok(found.into_iter().filter(|values| kind(values).is_some()).collect())
}

/// What the owner of a superblock belongs to beside this drive.
fn member_of(values: &Values, window: Window<'_>) -> io::Result<Option<ContentKind>> {
    let Some(kind) = values.get("TYPE") else {
        return Ok(None);
    };
    let usage = values.get("USAGE").map_or("", String::as_str);
    match ContentKind::of(kind, usage) {
        None => siblings::of(kind, window),
        member => Ok(member),
    }
}

/// Whether it is none, for all that libblkid asked of it.
fn is_chance(values: &Values, window: Window<'_>) -> io::Result<bool> {
    kind(values).map_or(Ok(false), |kind| chance::is_chance(kind, window))
}

/// TYPE of a superblock, else PTTYPE of a table.
fn kind(values: &Values) -> Option<&String> {
    values.get("TYPE").or_else(|| values.get("PTTYPE"))
}

fn signature(partition: u32, values: &Values, name: Option<String>) -> Signature {
    let value = |key: &str| {
        values
            .get(key)
            .filter(|value| !value.is_empty())
            .map(|value| told::text(value))
    };
    let superblock = values.contains_key("TYPE");
    Signature {
        partition,
        kind: kind(values).cloned().unwrap_or_else(|| "unknown".to_owned()),
        label: value("LABEL"),
        uuid: if superblock { value("UUID") } else { value("PTUUID") },
        name: name.map(|name| told::text(&name)),
        used: None,
        mounted: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_the_drives_own_errors_make_it_unreadable() {
        for errno in [libc::EIO, libc::ENODATA, libc::EREMOTEIO, libc::ETIMEDOUT] {
            assert!(is_the_drives(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        for errno in [
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::EACCES,
            libc::EBADF,
            libc::EINVAL,
            libc::ENXIO,
        ] {
            assert!(!is_the_drives(&io::Error::from_raw_os_error(errno)), "{errno}");
        }
        assert!(is_the_drives(&io::Error::from(io::ErrorKind::UnexpectedEof)));
    }
    /// An image with a bad place, each read of which takes 6.5 s of its clock.
    struct Slow {
        image: File,
        bad: std::ops::Range<u64>,
        now: std::cell::Cell<Instant>,
    }

    impl Source for Slow {
        fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
            if at < self.bad.end && at + bytes.len() as u64 > self.bad.start {
                self.now.set(self.now.get() + std::time::Duration::from_millis(6_500));
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            self.image.read_exact_at(bytes, at)
        }

        fn now(&self) -> Instant {
            self.now.get()
        }
    }

    const SIZE: u64 = 256 << 20;

    /// The look at an image whose bad place took 6.5 s before.
    fn looked(image: File, bad: std::ops::Range<u64>) -> Look {
        let began = Instant::now();
        let now = std::cell::Cell::new(began + std::time::Duration::from_millis(6_500));
        let is_start_bad = bad.start < START as u64;
        let from = Slow { image, bad, now };
        let why = io::Error::from_raw_os_error(libc::EIO);
        salvaged(&from, (SIZE, 512), &[], is_start_bad, began, &why).unwrap()
    }

    fn image() -> File {
        let image = tempfile::tempfile().unwrap();
        image.set_len(SIZE).unwrap();
        image
    }

    fn member(partition: u32, kind: ContentKind) -> Member {
        Member { partition, kind }
    }

    #[test]
    fn a_slow_bad_sector_at_the_start_hides_no_member_at_the_end() {
        for bad in [0..512, 0..(64 << 10), (64 << 10)..(65 << 10)] {
            let image = image();
            // A firmware RAID's member. Source: libblkid/src/superblocks/isw_raid.c.
            image
                .write_all_at(b"Intel Raid ISM Cfg Sig. 1.0.00", SIZE - 1024)
                .unwrap();
            let look = looked(image, bad.clone());
            assert_eq!(look.members, [member(0, ContentKind::Md)], "{bad:?}");
        }
    }

    #[test]
    fn a_drive_that_reads_nothing_slowly_is_a_finding_and_what_was_never_tried_is_told() {
        let look = looked(image(), 0..SIZE);
        assert!(
            matches!(look.content, Content::Unreadable { .. }) && look.members.is_empty(),
            "{look:?}"
        );
        let image = image();
        let late = Instant::now();
        let from = Slow {
            image,
            bad: 0..0,
            now: late.into(),
        };
        let why = io::Error::from_raw_os_error(libc::EIO);
        let look = salvaged(&from, (SIZE, 512), &[], true, late.checked_sub(BEGIN).unwrap(), &why).unwrap();
        assert_eq!(look.members, [member(0, ContentKind::Unseen)], "{look:?}");
    }

    #[test]
    fn a_bad_first_sector_hides_no_member_in_a_partition_of_a_gpt() {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(SIZE).unwrap();
        let made = std::process::Command::new("/usr/sbin/sgdisk")
            .args(["-o", "-n", "1:2048:+16M", "-n", "2:0:+64M"])
            .arg(image.path())
            .output();
        let Ok(made) = made else {
            eprintln!("NOT RUN: a GPT with a bad first sector, for want of sgdisk");
            return;
        };
        assert!(made.status.success(), "{made:?}");
        let end = (1 << 20) + (16 << 20) + (64 << 20);
        let file = File::options().read(true).write(true).open(image.path()).unwrap();
        file.write_all_at(b"Intel Raid ISM Cfg Sig. 1.0.00", end - 1024)
            .unwrap();
        for bad in [0..512, 0..(64 << 10)] {
            let look = looked(file.try_clone().unwrap(), bad.clone());
            assert_eq!(look.members, [member(2, ContentKind::Md)], "{bad:?}");
        }
    }
}
