//! Files that a command is given, read to a bound: a device, a disk image or a pipe without an end is told, and not kept in
//! memory; and files that it keeps, which are [`regular`] and replaced whole. Tested below, and by whole commands in `tests/input.rs`.

use std::fs::{self, File, FileType};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::unistd::{AccessFlags, access};

/// Longest text file that is taken, in bytes: a playbook, a trust file, a password. The longest real one has some kilobytes.
const TEXT_MAX: u64 = 1 << 20;

/// The text of a file; also what a shell gives as one, `<(…)`.
///
/// # Errors
/// Naming the file and what is wrong with it.
pub fn text(path: &Path) -> Result<String, String> {
    text_of(path, File::open(path))
}

/// The text of a [`regular`] file.
///
/// # Errors
/// Naming the file and what is wrong with it.
pub fn regular_text(path: &Path) -> Result<String, String> {
    text_of(path, regular(path))
}

fn text_of(path: &Path, file: io::Result<File>) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = file.and_then(|file| up_to(file, TEXT_MAX)).map_err(|e| told(&e))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        told(&format!("byte {at} is no UTF-8; expected a text file"))
    })
}

/// The bytes of a file that has at most so many.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    up_to(File::open(path)?, most)
}

/// The same of a file that is open.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn up_to(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {most} bytes; is this the right file?"),
        ));
    }
    Ok(bytes)
}

/// The bytes of a file of the state folder.
///
/// # Errors
/// When it cannot be read, or is no [`regular`] file.
pub fn kept(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file. Looked at before: the opening of a FIFO waits for somebody who writes to it, and that of a device may set it
/// going.
///
/// # Errors
/// When it is something else, which is told, or cannot be opened.
pub fn regular(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        return File::open(path);
    }
    let told = format!("it is {}; expected a regular file", words(kind));
    Err(io::Error::new(io::ErrorKind::InvalidInput, told))
}

fn words(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Replaces a file whole, so that a kill or a power cut leaves the old one or the new one: written beside under a name of this process's
/// own ([`create_in`]), synced, renamed, directory synced. Others may do so with the same file at the same time: the last one stays.
/// Nothing else in the folder is touched.
///
/// # Errors
/// When it is not on the disk.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |beside, path| fs::rename(beside, path))
}

/// The same of a new file: nothing is replaced.
///
/// # Errors
/// When it is not on the disk; `AlreadyExists` where something has the name.
pub fn put_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, name)
}

/// Gives a file that is whole its name, where nothing has it.
///
/// # Errors
/// `AlreadyExists` where something has it.
pub fn name(beside: &Path, path: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, beside, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE) {
        // Some file systems know no such order (NFS), and some no second names either.
        Err(Errno::EINVAL | Errno::ENOSYS) => match fs::hard_link(beside, path) {
            Ok(()) => fs::remove_file(beside),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && is_free(path) => fs::rename(beside, path),
            Err(error) => Err(error),
        },
        named => Ok(named?),
    }
}

/// Whether nothing has the name, not even a link that leads nowhere.
pub fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether a path ends in a file's name: `x.json/` is a folder's to the kernel, and that of `x.json` to [`Path`].
pub fn ends_in_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let (path, name) = (path.as_os_str().as_encoded_bytes(), name.as_encoded_bytes());
        path.ends_with(name)
    })
}

/// The folder of a file.
pub fn folder(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

/// Names that are tried for a new file, before the folder is given up.
const TRIALS: u32 = 100;

/// What the name of such a file begins with, before the process's number.
const NEW: &str = ".kiln-";

/// What it ends in.
const NEW_ENDING: &str = "new";

/// How long ago such a file must have been written to be a kill's: one in another container, whose number is none here, syncs it within
/// seconds, on a sick disk within minutes.
const LEFT_BEHIND: Duration = Duration::from_mins(10);

/// Removes from the state folder the new files of processes that are gone, as a kill leaves them.
pub fn sweep(dir: &Path, now: SystemTime) {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    for file in files.filter(|file| is_left_behind(file, now).unwrap_or(false)) {
        let _ = fs::remove_file(file.path());
    }
}

/// Whether it is; `None` where it is no new file, or is not known.
fn is_left_behind(file: &fs::DirEntry, now: SystemTime) -> Option<bool> {
    let name = file.file_name().into_string().ok()?;
    let name = name.strip_prefix(NEW)?.strip_suffix(NEW_ENDING)?.strip_suffix('.')?;
    let process: u32 = name.split_once('-')?.0.parse().ok()?;
    let age = now.duration_since(file.metadata().ok()?.modified().ok()?).ok()?;
    Some(age >= LEFT_BEHIND && !Path::new("/proc").join(process.to_string()).exists())
}

/// Who may read a new file: whoever the process's mask lets.
const OF_THE_MASK: u32 = 0o666;

/// Its owner alone.
pub const PRIVATE: u32 = 0o600;

/// Makes a file of a new name and this mode in a folder. One that is there, or a link that somebody laid, is left alone.
///
/// # Errors
/// When the folder takes none.
pub fn create_in(dir: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let mut made = Err(io::ErrorKind::AlreadyExists.into());
    for n in 0..TRIALS {
        let path = dir.join(format!("{NEW}{}-{n}.{NEW_ENDING}", std::process::id()));
        let new = File::options().write(true).create_new(true).mode(mode).open(&path);
        made = new.map(|file| (file, path));
        match &made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(_) | Err(_) => break,
        }
    }
    made
}

/// Makes a file in a folder and removes it.
///
/// # Errors
/// When the folder takes none.
pub fn try_out(dir: &Path) -> io::Result<()> {
    let (_, trial) = create_in(dir, OF_THE_MASK)?;
    fs::remove_file(trial)
}

/// Whether the folder may take a file, as far as that is known without making one.
///
/// # Errors
/// When it takes none.
pub fn may_take(dir: &Path) -> io::Result<()> {
    Ok(access(dir, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

/// Has a new file `named` once it holds the bytes; it goes where that fails.
fn put(path: &Path, bytes: &[u8], named: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    let (mut file, beside) = create_in(folder(path), OF_THE_MASK)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| named(&beside, path)) {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    File::open(folder(path))?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(bytes(&path, 5).unwrap(), b"12345");
        assert!(
            bytes(&path, 4)
                .unwrap_err()
                .to_string()
                .starts_with("more than 4 bytes")
        );
    }

    #[test]
    fn a_new_file_touches_nothing_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        fs::write(&theirs, "precious").unwrap();
        for n in 0..3 {
            let name = format!(".kiln-{}-{n}.new", std::process::id());
            std::os::unix::fs::symlink(&theirs, dir.path().join(name)).unwrap();
        }
        replace(&dir.path().join("c.json"), b"new").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("c.json")).unwrap(), "new");
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "precious");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
        assert!(create_in(&dir.path().join("none"), PRIVATE).is_err());
    }

    #[test]
    fn a_new_file_takes_no_name_that_something_has() {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, link, free) = (
            dir.path().join("theirs"),
            dir.path().join("link"),
            dir.path().join("free"),
        );
        fs::write(&theirs, "precious").unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for taken in [&theirs, &link] {
            assert!(!is_free(taken));
            let error = put_new(taken, b"new").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        assert!(is_free(&free));
        put_new(&free, b"new").unwrap();
        assert_eq!(fs::read_to_string(&free).unwrap(), "new");
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "precious");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "something is left behind");
    }

    #[test]
    fn what_could_not_be_put_in_its_place_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir_all(taken.join("full")).unwrap();
        assert!(replace(&taken, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Drives that end at the very same moment, each taking back what was kept of the others.
    #[test]
    fn those_who_replace_a_file_at_once_do_not_get_in_each_others_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drive.json");
        std::thread::scope(|scope| {
            for n in 0..16 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| replace(path, &[n; 5000]).unwrap()));
            }
        });
        let text = fs::read(&path).unwrap();
        assert!(text.len() == 5000 && text.iter().all(|byte| *byte == text[0]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_kills_left_in_the_state_folder_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let own = format!(".kiln-{}-0.new", std::process::id());
        // Above the highest number that the kernel gives.
        let gone = ".kiln-4194305-0.new";
        for name in [
            gone,
            &own,
            "drive.json",
            "drive.new",
            ".kiln-x-0.new",
            ".kiln-4194305-0.json",
        ] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let left = || fs::read_dir(dir.path()).unwrap().count();
        let now = SystemTime::now();
        sweep(dir.path(), now);
        assert_eq!(left(), 6, "it may be another container's");
        sweep(dir.path(), now + LEFT_BEHIND * 2);
        assert_eq!(left(), 5);
        assert!(!dir.path().join(gone).exists());
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some");
        fs::write(&path, b"ab\xff").unwrap();
        let told = text(&path).unwrap_err();
        assert!(
            told.ends_with("some: byte 2 is no UTF-8; expected a text file"),
            "{told}"
        );
    }
}
