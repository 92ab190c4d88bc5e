//! The initramfs as the boot loader handed it over. With `retain_initrd` the kernel keeps it, and shows it as one file.
//!
//! GRUB hands `system.erofs` over under a name at which no file can be made. The kernel passes over it, so it is not copied:
//! it stays where the loader put it, and a loop device over that part of the file is mounted. What the kernel could make, as of
//! a stick whose GRUB has an older configuration, is no concern of this file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::shell::log;

/// The member that holds the system. Its parent is a directory, which it names once more: nothing can be written there.
pub const MEMBER: &str = "system.erofs/.";

/// Where the kernel shows it (since 6.7).
const INITRD: &str = "/sys/firmware/initrd";
/// Length of a member's head in the "newc" format, in bytes: a magic of 6, then 13 numbers of 8 hexadecimal digits.
const HEAD: usize = 110;
/// How much is read ahead, in KiB: there is no disk to wait for, and what a program never touches is not copied.
const AHEAD_KIB: &str = "8";
/// What is read at once: as much as the kernel gives of such a file.
const PAGE: usize = 4096;

/// Where in archives that lie one behind the other the system is, in bytes. `read` fills a buffer from a place.
///
/// # Errors
/// It cannot be read, is no "newc" archive at a byte that is told, or has no such member.
pub fn find(size: u64, mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>) -> Result<Range<u64>, String> {
    let mut page = [0; PAGE];
    let mut at = 0;
    while at < size {
        let there = usize::try_from(size - at).map_or(PAGE, |left| left.min(PAGE));
        let bytes = &mut page[..there];
        read(bytes, at).map_err(|e| format!("byte {at} of the initramfs: {e}"))?;
        // Zeros fill up what is between two archives; members begin at multiples of four.
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        if zeros >= 4 {
            at += zeros as u64 / 4 * 4;
            continue;
        }
        let malformed = || format!("no member of an archive at byte {at} of the initramfs");
        let (content, name) = member(bytes).ok_or_else(malformed)?;
        let begin = at + (HEAD as u64 + u64::from(name.len)).next_multiple_of(4);
        let end = begin + u64::from(content);
        if end > size {
            return Err(format!("the initramfs ends within the member at byte {at}"));
        }
        if name.is(MEMBER) && content > 0 {
            return Ok(begin..end);
        }
        at = end.next_multiple_of(4);
    }
    Err(format!("the initramfs has no {MEMBER}"))
}

/// A member's name, of which only the beginning is there where it is long.
struct Name<'a> {
    /// Its length with the closing zero, as the head says.
    len: u32,
    there: &'a [u8],
}

impl Name<'_> {
    fn is(&self, name: &str) -> bool {
        self.there.strip_suffix(&[0]) == Some(name.as_bytes())
    }
}

/// Length of the content, and the name, of the member whose head this begins with.
fn member(bytes: &[u8]) -> Option<(u32, Name<'_>)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let numbers = head.strip_prefix(b"070701").or(head.strip_prefix(b"070702"))?;
    let number = |i: usize| {
        let digits = numbers.get(i * 8..i * 8 + 8)?;
        digits
            .iter()
            .try_fold(0, |n, d| Some(n << 4 | char::from(*d).to_digit(16)?))
    };
    let (content, len) = (number(6)?, number(11)?);
    let there = rest.get(..len as usize).unwrap_or(rest);
    (len > 0).then_some((content, Name { len, there }))
}

/// A read-only block device over the system in the initramfs, and a descriptor of it: without one it is gone.
///
/// # Errors
/// The kernel kept no initramfs, it has no system, or there is no loop device to be had.
pub fn device() -> io::Result<(PathBuf, File)> {
    let initrd = File::open(INITRD).map_err(|e| told(INITRD, &e))?;
    let size = initrd.metadata()?.len();
    let part = find(size, |into, at| initrd.read_exact_at(into, at)).map_err(io::Error::other)?;
    let control = File::open("/dev/loop-control").map_err(|e| told("/dev/loop-control", &e))?;
    // SAFETY: an open descriptor; it takes no argument.
    let number = unsafe { request::free(control.as_raw_fd()) }?;
    let node = PathBuf::from(format!("/dev/loop{number}"));
    let device = File::open(&node).map_err(|e| told(&node, &e))?;
    let config = request::Config::new(initrd.as_raw_fd(), &part);
    // SAFETY: an open descriptor and a structure of the kernel's shape that outlives the call.
    unsafe { request::configure(device.as_raw_fd(), &raw const config) }.map_err(|e| told(&node, &e.into()))?;
    let ahead = format!("/sys/block/loop{number}/queue/read_ahead_kb");
    if let Err(e) = std::fs::write(&ahead, AHEAD_KIB) {
        log::warn(&format!("{ahead}: {e}"));
    }
    Ok((node, device))
}

fn told(what: impl AsRef<Path>, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", what.as_ref().display()))
}

/// The loop driver's requests (linux/loop.h).
mod request {
    use std::ops::Range;

    /// `LO_FLAGS_READ_ONLY` and `LO_FLAGS_AUTOCLEAR`: it is gone when nothing uses it any more.
    const FLAGS: u32 = 1 | 4;

    /// `struct loop_config` with its `struct loop_info64`.
    #[repr(C)]
    pub(super) struct Config {
        fd: u32,
        block_size: u32,
        device: u64,
        inode: u64,
        rdevice: u64,
        offset: u64,
        size_limit: u64,
        number: u32,
        encrypt_type: u32,
        encrypt_key_size: u32,
        flags: u32,
        file_name: [u8; 64],
        crypt_name: [u8; 64],
        encrypt_key: [u8; 32],
        init: [u64; 2],
        reserved: [u64; 8],
    }

    // What the kernel copies from us: 8 + 232 + 64 bytes.
    const _: () = assert!(size_of::<Config>() == 304);

    impl Config {
        /// Over a part of an open file.
        pub(super) fn new(fd: i32, part: &Range<u64>) -> Self {
            Self {
                fd: fd.cast_unsigned(),
                block_size: 0,
                device: 0,
                inode: 0,
                rdevice: 0,
                offset: part.start,
                size_limit: part.end - part.start,
                number: 0,
                encrypt_type: 0,
                encrypt_key_size: 0,
                flags: FLAGS,
                file_name: [0; 64],
                crypt_name: [0; 64],
                encrypt_key: [0; 32],
                init: [0; 2],
                reserved: [0; 8],
            }
        }
    }

    nix::ioctl_none_bad!(
        /// `LOOP_CTL_GET_FREE`: number of a device that is free, made where none is.
        free,
        0x4c82
    );
    nix::ioctl_write_ptr_bad!(
        /// `LOOP_CONFIGURE`
        configure,
        0x4c0a,
        Config
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use super::*;

    /// A member as GRUB and the kernel's own tool write it.
    fn put(to: &mut Vec<u8>, name: &str, content: &[u8]) {
        let number = |n: usize| format!("{n:08X}");
        to.extend(b"070701");
        for i in 0..13 {
            let n = match i {
                6 => content.len(),
                11 => name.len() + 1,
                _ => 0,
            };
            to.extend(number(n).bytes());
        }
        to.extend(name.bytes().chain([0]));
        to.resize(to.len().next_multiple_of(4), 0);
        to.extend(content);
        to.resize(to.len().next_multiple_of(4), 0);
    }

    fn found(bytes: &[u8]) -> Result<&[u8], String> {
        let read = |into: &mut [u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            into.copy_from_slice(&bytes[at..at + into.len()]);
            Ok(())
        };
        find(bytes.len() as u64, read).map(|r| &bytes[r.start as usize..r.end as usize])
    }

    #[test]
    fn the_system_is_found_behind_another_archive_and_any_padding() {
        for (padding, before) in [(0, 3), (4, 4097), (512, 70_000), (9000, 0)] {
            let mut all = Vec::new();
            put(&mut all, "init", &vec![7; before]);
            // A file whose content looks like the member is none.
            let mut decoy = Vec::new();
            put(&mut decoy, MEMBER, b"decoy");
            put(&mut all, "decoy", &decoy);
            put(&mut all, "TRAILER!!!", b"");
            all.resize(all.len() + padding, 0);
            put(&mut all, "system.erofs", b"");
            put(&mut all, MEMBER, b"the system");
            put(&mut all, "kiln/kiln.toml", b"");
            put(&mut all, "TRAILER!!!", b"");
            assert_eq!(found(&all), Ok(&b"the system"[..]), "{padding} {before}");
        }
    }

    #[test]
    fn what_is_no_archive_or_lacks_the_system_is_told() {
        let mut all = Vec::new();
        put(&mut all, "system.erofs", b"of an older stick");
        put(&mut all, "TRAILER!!!", b"");
        assert!(found(&all).unwrap_err().contains("has no system.erofs/."));
        let end = all.len();
        put(&mut all, MEMBER, &[1; 300]);
        assert_eq!(found(&all), Ok(&[1; 300][..]));
        assert_eq!(
            found(&all[..all.len() - 4]).unwrap_err(),
            format!("the initramfs ends within the member at byte {end}")
        );
        let cut = found(&all[..end + 50]).unwrap_err();
        assert_eq!(cut, format!("no member of an archive at byte {end} of the initramfs"));
        all[end + 60] = b'x';
        assert!(found(&all).unwrap_err().contains("no member"));
        assert!(
            found(b"\x28\xb5\x2f\xfd compressed")
                .unwrap_err()
                .contains("at byte 0 ")
        );
        assert!(found(&[0; 9000]).is_err() && found(&[]).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let told = find(8192, |_, _| Err(io::Error::other("it burnt"))).unwrap_err();
        assert_eq!(told, "byte 0 of the initramfs: it burnt");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_found_outside(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), archive: bool) {
            let mut all = Vec::new();
            if archive {
                put(&mut all, MEMBER, &bytes);
                all.truncate(all.len().saturating_sub(bytes.len() / 3));
            } else {
                all = bytes;
            }
            if let Ok(found) = found(&all) {
                proptest::prop_assert!(found.len() <= all.len());
            }
        }
    }
}
