//! The debug bundle that the console saves: one archive on the boot partition, which any computer reads, without secrets.
//!
//! For a box without network, server or password: state of the units, the log, what the kernel says of memory, mounts,
//! devices and network, what is left of crashes and of earlier boots (`remains`), and `kiln.toml` with hidden values. Secrets
//! are blackened (`wire::secret`), and what the owner has put into `[env]` is, wherever it stands. The dashboard has a bundle
//! of its own with what the server knows.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::data::wipe;
use super::end::record;
use super::kernel::mounts;
use crate::console::pages;
use crate::journal;
use crate::shell::helper::Line;
use crate::update::partition;
use crate::words::text_of;
use crate::{remains, tar};

/// The archive's name on the boot partition: a short one, for every FAT.
pub(super) const NAME: &str = "KILNDBG.TGZ";
/// Where the boot partition is mounted meanwhile.
const AT: &str = "/run/kiln/boot";
/// How long a factory reset writes over the archive: ten times what a stick that takes 3 MB/s needs.
const FORGETS_WITHIN: Duration = Duration::from_mins(1);
/// Files of the kernel's that go in as they are.
const KERNEL: [&str; 12] = [
    "/proc/cmdline",
    "/proc/version",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/mounts",
    "/proc/modules",
    "/proc/partitions",
    "/proc/net/route",
    "/proc/net/dev",
    "/proc/net/tcp",
    "/proc/net/tcp6",
    "/etc/resolv.conf",
];
/// Longest file that goes in, in bytes.
const FILE_MAX: u64 = 8 << 20;
/// Most lines of a log that go in as text, too.
const LINES_MAX: usize = 20_000;

/// In a helper: makes it and puts it on the boot partition `part`. Tells how that went in a sentence.
pub(super) fn save(line: &Line, part: Option<&str>, secrets: &[String]) -> i32 {
    let done = put(part, || archive(&collect(secrets)));
    match done {
        Ok(()) => {
            line.say(&format!(
                "said A debug bundle is on the boot partition of the stick: {NAME}."
            ));
            0
        }
        Err(e) => {
            line.say(&format!("said The debug bundle could not be saved: {e}."));
            1
        }
    }
}

/// Puts an archive on the boot partition. It is made first, which takes seconds: whatever is found before may be another card by then.
fn put(part: Option<&str>, made: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
    let part = part.ok_or_else(|| io::Error::other("the box was started without a boot medium of its own"))?;
    let bytes = made()?;
    let (node, disk) = partition::find(part).map_err(io::Error::other)?;
    with(&node, |file| match disk.is_recounted() {
        // From here on its keeper lets the mount go with the medium.
        false => write(file, &bytes),
        true => Err(io::Error::other("the boot medium was exchanged or reset meanwhile")),
    })
}

/// Writes the file anew, in an order in which a power cut leaves no entry whose clusters the table calls free: vfat's own `fsync` of
/// a file writes its entry first and the table after it, that of a folder the table and nothing of the file
/// (`fat_file_fsync` and `__generic_file_fsync`, linux/fs/fat/file.c and fs/libfs.c). What a cut may leave is clusters that nobody names.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    match remove(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut f = fs::File::create_new(file)?;
    f.write_all(bytes)?;
    sync_folder(file)?;
    f.sync_all()
}

/// Removes the file: its entry is gone before its clusters are free, which they are once nobody has it open.
fn remove(file: &Path) -> io::Result<()> {
    let open = fs::File::open(file);
    fs::remove_file(file)?;
    let synced = sync_folder(file);
    drop(open);
    synced
}

/// Flushes the folder that a file is in, and with it the table.
fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// For a factory reset: writes over the archive of whoever had the box, and removes it. Clusters that an earlier, longer archive had
/// stay as they are.
///
/// # Errors
/// There is one, and it was not written over or not removed.
pub(super) fn forget(node: &Path) -> io::Result<()> {
    with(node, erase)
}

fn erase(file: &Path) -> io::Result<()> {
    let begun = Instant::now();
    let zeros = match wipe::over(file, &mut || begun.elapsed() < FORGETS_WITHIN) {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it was removed, but not all of it was written over",
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => Err(e),
    };
    // Also where nothing could be written over: no other program finds it then.
    let removed = remove(file);
    zeros.and(removed)
}

/// Does something with the archive's file; the partition is mounted no longer than that takes.
fn with(node: &Path, work: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    fs::create_dir_all(AT)?;
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some(node), AT, Some("vfat"), flags, None::<&str>)?;
    let done = work(&Path::new(AT).join(NAME));
    let flushed = mounts::flush(Path::new(AT));
    let left = umount2(AT, MntFlags::empty()).map_err(io::Error::from);
    done.and(flushed).and(left)
}

/// The boot medium leaves: its partition is unmounted as soon as whoever is at the archive has met the error that there is now.
pub(super) fn let_go() {
    let _ = umount2(AT, MntFlags::MNT_DETACH);
}

/// Names and contents.
fn collect(secrets: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, bytes: io::Result<Vec<u8>>| {
        let bytes = bytes.unwrap_or_else(|e| format!("not there: {e}\n").into_bytes());
        files.push((name.to_owned(), wire::secret::blacken(&bytes, secrets)));
    };
    add("status.json", status());
    let log = pages::exported();
    if let Ok(log) = &log {
        let text = pages::tail(log, LINES_MAX).join("\n");
        add("log.txt", Ok(text.into_bytes()));
    }
    add("journal.export", log);
    for path in KERNEL {
        add(&path[1..].replace('/', "-"), read(Path::new(path)));
    }
    add(
        "kiln.toml",
        read(Path::new(super::config::site::FILE)).map(|b| {
            text_of(&b)
                .map_or_else(|e| e.to_string(), |text| masked(&text))
                .into_bytes()
        }),
    );
    let left = remains::collect(Path::new(record::FOLDER), &journal::folder(), &journal::boot());
    for (name, bytes) in left {
        if name == remains::EARLIER {
            let text = pages::tail(&bytes, LINES_MAX).join("\n");
            add("log-earlier.txt", Ok(text.into_bytes()));
        }
        add(&name, Ok(bytes));
    }
    files
}

/// The supervisor's present state, as every client of its socket gets it.
fn status() -> io::Result<Vec<u8>> {
    let mut s = UnixStream::connect(wire::supervisor::CONTROL_SOCKET)?;
    s.set_read_timeout(Some(Duration::from_secs(5)))?;
    s.write_all(b"{\"watch\":{}}\n")?;
    let mut line = Vec::new();
    BufReader::new(s.take(FILE_MAX)).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `kiln.toml` with its keys, and values only of those that are known to hold no secret. By the parsed file: the same thing can
/// be written in many ways.
fn masked(text: &str) -> String {
    match text.parse::<toml::Table>() {
        Ok(table) => {
            let mut out = String::new();
            keys(&table, "", &mut out);
            out
        }
        Err(e) => {
            let line = e.span().and_then(|s| crate::unit::place(text, s.start).0).unwrap_or(0);
            format!("(hidden: line {line} of {} is not TOML)\n", text.lines().count())
        }
    }
}

/// One line for each value below `path`.
fn keys(table: &toml::Table, path: &str, out: &mut String) {
    for (key, value) in table {
        let at = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match value.as_table() {
            Some(t) => keys(t, &at, out),
            None if is_open(path, key) => out.push_str(&format!("{at} = {value}\n")),
            None => out.push_str(&format!("{at} = (hidden)\n")),
        }
    }
}

/// Whether a key below `path` is one of the name, the ports, the network or the clock, and is shown.
fn is_open(path: &str, key: &str) -> bool {
    match path.split('.').next() {
        Some("") => ["hostname", "listen", "factory_reset"].contains(&key),
        Some("network") => ["address", "gateway", "dns", "ipv6", "off"].contains(&key),
        Some("time") => key == "servers",
        _ => false,
    }
}

/// All of it as one archive, compressed.
fn archive(files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    tar::write(&mut out, "kiln-debug", files)?;
    out.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rig::not_run;

    use super::*;
    use crate::boot::medium::found;
    use crate::boot::medium::search::tests::{disks, done};
    use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};
    use crate::journal::entry::{self, Entry, Sender};

    #[test]
    fn the_partition_is_looked_for_once_there_is_something_to_put_there() {
        // A thread of its own: other tests keep the `/dev` and the `/run` that they have.
        std::thread::spawn(leaves_meanwhile).join().unwrap();
    }

    fn leaves_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        fs::File::create(&file).unwrap().set_len(8 << 20).unwrap();
        done("sgdisk", &["-n", "1:2048:4095", &file.to_string_lossy()]).unwrap();
        let gpt = Gpt::read(&fs::File::open(&file).unwrap(), (8 << 20) / SECTOR).unwrap();
        let part = guid_text(&gpt.partitions[0].guid);
        let placed = disks(&[file]).and_then(|loops| {
            let none = None::<&str>;
            mount(Some("none"), "/run", Some("tmpfs"), MsFlags::empty(), none).map_err(|e| e.to_string())?;
            Ok(loops)
        });
        let loops = match placed {
            Ok(loops) => loops,
            Err(why) => return not_run(&why),
        };
        let number = fs::read(found::tests::of(&loops[0]).sys.join("dev")).unwrap();
        fs::create_dir("/run/kiln").unwrap();
        fs::write("/run/kiln/boot-disk", number).unwrap();
        // A loop device's partition, which the kernel has not looked for, is as far as it comes.
        let stays = put(Some(&part), || Ok(Vec::new())).unwrap_err().to_string();
        assert!(stays.contains("partition 1"), "{stays}");
        // As PID 1 does when the medium leaves; the disk is there.
        let leaves = || fs::remove_file("/run/kiln/boot-disk").map(|()| Vec::new());
        let told = put(Some(&part), leaves).unwrap_err().to_string();
        assert_eq!(told, "the boot medium is not there");
    }

    #[test]
    fn an_archive_takes_the_place_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(NAME);
        for bytes in [&[1; 9000][..], &[2; 100]] {
            write(&file, bytes).unwrap();
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_reset_leaves_nothing_of_the_archive() {
        let dir = tempfile::tempdir().unwrap();
        let (file, bytes) = (dir.path().join(NAME), dir.path().join("where-it-lay"));
        erase(&file).unwrap();
        fs::write(&file, [7; 5000]).unwrap();
        fs::hard_link(&file, &bytes).unwrap();
        erase(&file).unwrap();
        assert!(!file.exists());
        assert_eq!(fs::read(&bytes).unwrap(), [0; 5000]);
        // A folder of that name is nobody's archive, and is told.
        fs::create_dir(&file).unwrap();
        assert!(erase(&file).is_err() && file.exists());
    }

    #[test]
    fn secrets_are_in_no_file() {
        let secrets = ["hunter2-hunter2".to_owned(), "80".to_owned()];
        // The log's binary field keeps its length, and the entry behind it can be read.
        let mut d = b"URL\n".to_vec();
        let value = b"Cookie: a=b\nhttps://ada:hunter2@host/?x=hunter2\n{\"m\":\"{\\\"token\\\":\\\"hunter2\\\"}\"}";
        d.extend_from_slice(&(value.len() as u64).to_le_bytes());
        d.extend_from_slice(value);
        d.extend_from_slice(b"\nMESSAGE=port 80, hunter2-hunter2\n");
        let sender = Sender::default();
        let entries: Vec<u8> = [&d[..], b"MESSAGE=password: hunter2\n", b"MESSAGE=last\n"]
            .iter()
            .flat_map(|d| Entry::native(d, &sender))
            .flat_map(|e| e.0)
            .collect();
        let log = wire::secret::blacken(&entries, &secrets);
        assert_eq!((log.len(), entry::whole(&log)), (entries.len(), log.len()));
        assert!(!String::from_utf8_lossy(&log).contains("hunter2"));
        let (fields, _) = entry::fields(&log);
        assert_eq!(fields[0].1.len(), value.len());
        assert_eq!(
            pages::tail(&log, 9),
            [": port 80, ***************", ": password: *******", ": last"]
        );
        let toml = "hostname = 'a'\n[network]\naddress = '10.0.0.1/8'\n[network.eth1]\noff = true\n[env]\nADMIN_PASSWORD = 'hunter2'\nX = \'\'\'\n[network]\nmore\'\'\'\n[alerts.mail]\npassword='p'\n";
        let shown = masked(toml);
        for open in [
            "network.address = \"10.0.0.1/8\"",
            "network.eth1.off = true",
            "hostname = \"a\"",
        ] {
            assert!(shown.contains(open), "{shown}");
        }
        assert!(shown.contains("env.ADMIN_PASSWORD = (hidden)") && shown.contains("alerts.mail.password = (hidden)"));
        for secret in ["hunter2", "more", "'p'", "\"p\""] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        for toml in [
            "alerts = { phone = { url = 'tgram://BOT:hunter2/CHAT' } }",
            "alerts.mail.url = 'mailtos://u:hunter2@x'",
            "hostname.x = 'hunter2'",
            "key = 'hunter2'",
            "[networks]\naddress = 'hunter2'",
            "[timer.x]\nservers = ['hunter2']",
            "[network]\npsk = 'hunter2'",
            "[[alerts.list]]\nurl = 'hunter2'",
            "[network]\naddress = '10.0.0.1/8\nhunter2",
        ] {
            let shown = masked(toml);
            assert!(
                !shown.contains("hunter2") && shown.contains("(hidden"),
                "{toml}: {shown}"
            );
        }
    }
}
