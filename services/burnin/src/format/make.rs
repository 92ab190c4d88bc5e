//! The child: from a drive that it holds to a partition that it has verified.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use wire::options::{FileSystem, Formatted};

use super::disk::{self, Aligned, Node};
use super::layout::{ALIGN, ALIGN_BYTES, Layout};
use super::request::name;
use super::table::{Encoded, Ids, encode};
use super::tool::{self, Call};
use super::words::{self, Words};
use super::{Heard, NEXT_STEP, Order, Said, confine, ext4, mounted, unformatted};
use crate::{hand_over, header};

/// Most of a program's words that are repeated in a message.
const WORDS_MAX: usize = 400;

/// Runs the child: an [`Order`] on standard input, the drive as descriptor 3, [`Said`] on standard output.
///
/// Exit code 0 whenever it could tell what came of it.
pub fn child() -> ExitCode {
    let Some(drive) = hand_over::taken() else {
        eprintln!("formatter: no drive was handed over: a burn-in starts it");
        return ExitCode::from(64);
    };
    let mut lines = io::stdin().lines();
    let Some(order) = next::<Order>(&mut lines) else {
        return ExitCode::from(70);
    };
    let mut maker = Maker {
        formatted: Formatted {
            problem: None,
            ..unformatted(&order.request, String::new())
        },
        half_done: false,
        ask: &mut || match next::<Heard>(&mut lines) {
            Some(Heard::Go) => Ok(()),
            Some(Heard::Stop { why }) => Err(why),
            None => Err("nobody answers any more".to_owned()),
        },
    };
    if let Err(problem) = maker.make(drive, &order) {
        maker.formatted.problem = Some(match maker.half_done {
            true => format!("{problem}; {NEXT_STEP}"),
            false => problem,
        });
    }
    let done = Said::Done(maker.formatted);
    if say(&done).is_err() {
        return ExitCode::from(71);
    }
    ExitCode::SUCCESS
}

fn next<T: serde::de::DeserializeOwned>(lines: &mut impl Iterator<Item = io::Result<String>>) -> Option<T> {
    serde_json::from_str(&lines.next()?.ok()?).ok()
}

fn say(said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

struct Maker<'a> {
    formatted: Formatted,
    /// Whether it has begun on a drive that is still the armed one, as far as anybody knows: what is told to be done to another one may
    /// cost somebody's data.
    half_done: bool,
    ask: &'a mut dyn FnMut() -> Result<(), String>,
}

/// Turns an error into a sentence that says what was tried.
trait Told<T> {
    fn told(self, what: &str) -> Result<T, String>;
}

impl<T, E: std::fmt::Display> Told<T> for Result<T, E> {
    fn told(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

impl Maker<'_> {
    fn checked(&mut self, what: impl Into<String>) {
        self.formatted.checks.push(what.into());
    }

    fn make(&mut self, drive: File, order: &Order) -> Result<(), String> {
        let filesystem = order.request.filesystem;
        let layout = super::plan(order.capacity, order.sector, &order.request).map_err(|e| e.to_string())?;
        tool::available(filesystem).map_err(|e| e.to_string())?;
        mounted::alone().told("a mount namespace of its own")?;
        let found = crate::device::geometry(&drive).told("reading the drive's size")?;
        if found.sector != order.sector || !found.is_of(order.capacity) {
            return Err(format!(
                "the drive has {} bytes now; nothing was written",
                found.bytes()
            ));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).told("random numbers")?;
        let encoded = encode(&layout, filesystem, &Ids::from_random(random)).told("making the table")?;
        let watch = disk::reader(&order.node).told("opening the drive for reading")?;
        if !disk::same_device(&drive, &watch).told("comparing devices")? {
            return Err(format!(
                "{} is another device now; nothing was written",
                order.node.display()
            ));
        }
        disk::lock(&watch);
        say(&Said::Ready).told("telling")?;
        self.confirmed("nothing was written")?;
        self.half_done = true;
        let node = lay(drive, &watch, order, &layout, &encoded)?;
        self.fill(order, &watch, &layout, &node)?;
        // Before the question, as every wait: it may last as long as a person needs to exchange the drive.
        let drive = disk::claim(&order.node, &watch).told("claiming the drive for its table")?;
        self.still_marked(&Said::Made, order, &watch, "no partition table was written")?;
        commit(&drive, &layout, &encoded).told("writing the table")?;
        self.read_again(&watch, &order.node, &layout, &encoded)?;
        layout.tell(&mut self.formatted);
        drop(node);
        disk::refresh(&drive);
        Ok(())
    }

    /// Makes the file system and verifies it.
    fn fill(&mut self, order: &Order, watch: &File, layout: &Layout, node: &Node) -> Result<(), String> {
        disk::wait_until_free(node).told("the partition is held")?;
        let mut ask = || self.still_marked(&Said::Laid, order, watch, "no file system was made");
        match tool::maker(&order.request) {
            Some(call) => Self::call(&call, node, ask)?,
            None => ask()?,
        }
        self.verify(order, watch, layout, node)
    }

    /// Waits for the parent's word that the drive still is the one that was armed.
    fn confirmed(&mut self, undone: &str) -> Result<(), String> {
        (self.ask)().map_err(|why| {
            self.half_done = false;
            format!("the drive's identity was not confirmed: {why}; {undone}")
        })
    }

    /// The same right before a write, once this is said; and the drive itself tells it, since a dock does not tell that its drive was
    /// exchanged.
    fn still_marked(&mut self, said: &Said, order: &Order, watch: &File, undone: &str) -> Result<(), String> {
        say(said).told("telling")?;
        self.confirmed(undone)?;
        let mark = mark(order);
        if disk::read(watch, 0, mark.len()).told("reading the mark of this format")? == mark {
            return Ok(());
        }
        self.half_done = false;
        Err(format!(
            "the drive does not begin with the mark of this format any more: another one is in its place, or something wrote there; {undone}"
        ))
    }

    fn read_again(&mut self, watch: &File, node: &Path, layout: &Layout, encoded: &Encoded) -> Result<(), String> {
        disk::drop_cache(watch).told("dropping the cache")?;
        let (behind, tail) = encoded.behind(layout);
        for (at, expected) in [(0, encoded.head.as_slice()), (behind, tail)] {
            same(watch, at, expected, "the table", layout.sector)?;
        }
        // libblkid reads unaligned, which direct access refuses.
        let plain = File::open(node).told("opening the drive for libblkid")?;
        if !disk::same_device(watch, &plain).told("comparing devices")? {
            return Err(format!("{} is another device now", node.display()));
        }
        let partitions = drive::blkid::Probe::new(&plain, 0, 0, layout.sector)
            .and_then(|mut probe| probe.partitions())
            .told("reading the table by libblkid")?;
        let found: Vec<_> = partitions.iter().map(|p| (p.number, p.start, p.size)).collect();
        if found != [(1, layout.start(), layout.size())] {
            return Err(format!("libblkid reads other partitions: {found:?}"));
        }
        self.checked("partition table read again past the cache: equal");
        Ok(())
    }

    /// Runs a program on the partition, and again where somebody holds that for a moment; `ask`: whether it may, before each time.
    fn call(call: &Call, node: &Node, mut ask: impl FnMut() -> Result<(), String>) -> Result<(), String> {
        let path = tool::find(call.program).ok_or_else(|| format!("{} is not on this system", call.program))?;
        let at = Said::At {
            what: call.program.to_owned(),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            ask()?;
            say(&at).told("telling")?;
            let name = node.path().told("the partition's node")?;
            let (status, said) = run(&path, call, name).told(call.program)?;
            node.path().told("the partition's node")?;
            let words = said.text();
            // Whoever has so much to say of a new file system may have said it.
            let suspicious = call.must_not_say.is_some_and(|word| said.cut || words.contains(word));
            if status.success() && !suspicious {
                return Ok(());
            }
            // Whoever looks at a new partition (udev) may hold it for a moment.
            if tries < 5 && words.contains("busy") {
                std::thread::sleep(std::time::Duration::from_millis(200));
                disk::wait_until_free(node).told("the partition is held")?;
                continue;
            }
            // Killed for want of memory it says nothing itself.
            return Err(match words::short(&words, WORDS_MAX).as_str() {
                "" => format!("{} failed without a word ({status})", call.program),
                words => format!("{} failed: {words}", call.program),
            });
        }
    }

    fn verify(&mut self, order: &Order, watch: &File, layout: &Layout, node: &Node) -> Result<(), String> {
        let filesystem = order.request.filesystem;
        disk::drop_cache(&node.part).told("dropping the cache")?;
        if let Some(call) = tool::checker(filesystem) {
            Self::call(&call, node, || Ok(()))?;
            self.checked(format!("{} {}: clean", call.program, call.args.join(" ")));
        }
        match filesystem {
            FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Exfat => {
                let path = node.path().told("the partition's node")?;
                let told = mounted::verify(path, filesystem, layout.size()).told("mounting it read-only")?;
                self.formatted.checks.extend(told);
            }
            FileSystem::Raw => {
                for at in ends(layout) {
                    same(watch, at, &vec![0; ALIGN_BYTES], "the blank partition", layout.sector)?;
                }
                self.checked("both ends of the partition read again past the cache: blank");
            }
            FileSystem::Swap => {}
        }
        disk::drop_cache(&node.part).told("dropping the cache")?;
        let plain = node.open(File::options().read(true)).told("opening the partition")?;
        if filesystem == FileSystem::Ext4 {
            let reserved = order.request.reserved_percent;
            let copies = ext4::copies(&plain, layout.size(), reserved).told("superblock copies")?;
            self.checked(format!(
                "superblock, group descriptors and {copies} copies of both: equal, {reserved} % kept back"
            ));
        }
        let values = match drive::blkid::Probe::new(&plain, 0, 0, order.sector).and_then(|mut p| p.safe()) {
            Ok(drive::blkid::Outcome::Found(values)) => values,
            Ok(drive::blkid::Outcome::Nothing) => drive::blkid::Values::new(),
            Ok(drive::blkid::Outcome::Ambivalent) => return Err("libblkid finds several signatures on it".to_owned()),
            Err(error) => return Err(format!("libblkid: {error}")),
        };
        let value = |name: &str| values.get(name).cloned();
        let expected = (filesystem != FileSystem::Raw).then(|| name(filesystem).to_owned());
        if value("TYPE") != expected {
            let words = |found: Option<String>| found.unwrap_or_else(|| "no file system".to_owned());
            return Err(format!(
                "libblkid finds {} on it, expected {}",
                words(value("TYPE")),
                words(expected)
            ));
        }
        if value("LABEL").unwrap_or_default() != order.request.label {
            return Err(format!(
                "libblkid reads the label {:?}, expected {:?}",
                value("LABEL").unwrap_or_default(),
                order.request.label
            ));
        }
        self.formatted.uuid = value("UUID");
        self.checked("type and label by libblkid: as asked for");
        Ok(())
    }
}

/// Leaves the drive with a partition that the kernel shows and nothing stands in.
fn lay(drive: File, watch: &File, order: &Order, layout: &Layout, encoded: &Encoded) -> Result<Node, String> {
    write_mark(&drive, &mark(order)).told("marking the drive")?;
    blank(&drive, layout, order.request.filesystem, encoded).told("blanking the drive's end")?;
    disk::tell_kernel(&drive, layout).told("telling the kernel")?;
    // From here on `watch` alone keeps the device number from passing to another drive.
    drop(drive);
    disk::partition(watch, layout).told("the partition's node")
}

/// What tells on the drive itself that its test is over: the sector that is written last.
fn mark(order: &Order) -> Vec<u8> {
    let mut sector = vec![0; order.sector as usize];
    let mark = header::formatting(order.key);
    sector[..mark.len()].copy_from_slice(&mark);
    sector
}

fn write_mark(drive: &File, mark: &[u8]) -> io::Result<()> {
    drive.write_all_at(Aligned::of(mark).as_ref(), 0)?;
    drive.sync_all()
}

/// Reads `what` again past the cache.
///
/// # Errors
/// When it cannot be read, or is not as it was written.
fn same(drive: &File, at: u64, expected: &[u8], what: &str, sector: u32) -> Result<(), String> {
    let found = disk::read(drive, at, expected.len()).told(&format!("reading {what} again"))?;
    let Some(differs) = found.iter().zip(expected).position(|(a, b)| a != b) else {
        return Ok(());
    };
    let byte = at + differs as u64;
    Err(format!(
        "{what} reads back differently at byte {byte} (LBA {}): it lies, or another program wrote there, which a new burn-in's verify tells",
        byte / u64::from(sector)
    ))
}

/// The first and the last MiB of the partition.
fn ends(layout: &Layout) -> [u64; 2] {
    [layout.start(), layout.start() + layout.size() - ALIGN]
}

/// Blanks what the table does not cover: the drive's last MiB, and both ends of a partition that gets no file system.
fn blank(drive: &File, layout: &Layout, filesystem: FileSystem, encoded: &Encoded) -> io::Result<()> {
    let zeros = Aligned::zeroed(ALIGN_BYTES);
    if filesystem == FileSystem::Raw {
        for at in ends(layout) {
            drive.write_all_at(zeros.as_ref(), at)?;
        }
    }
    drive.write_all_at(zeros.as_ref(), encoded.tail_at)?;
    drive.sync_all()
}

/// Writes the table, its first sector last and by itself: whoever is cut off before that leaves a drive without one.
fn commit(drive: &File, layout: &Layout, encoded: &Encoded) -> io::Result<()> {
    let (behind, tail) = encoded.behind(layout);
    if !tail.is_empty() {
        drive.write_all_at(Aligned::of(tail).as_ref(), behind)?;
    }
    let (first, rest) = encoded.head.split_at(layout.sector as usize);
    drive.write_all_at(Aligned::of(rest).as_ref(), u64::from(layout.sector))?;
    drive.sync_all()?;
    drive.write_all_at(Aligned::of(first).as_ref(), 0)?;
    drive.sync_all()
}

/// A program's end and what it said on either stream.
fn run(path: &Path, call: &Call, node: &Path) -> io::Result<(ExitStatus, Words)> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(path);
    command
        .args(&call.args)
        .arg(node)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let allowed: PathBuf = node.to_owned();
    // SAFETY: this process has one thread, so that its child may allocate between fork and exec; what is called
    // makes system calls on the child alone.
    unsafe {
        command.pre_exec(move || {
            confine::unspared();
            confine::to_node(&allowed)
        });
    }
    let mut child = command.spawn()?;
    // It holds this side's copies of what the program writes to.
    drop(command);
    let words = Words::read(reader)?;
    Ok((child.wait()?, words))
}
