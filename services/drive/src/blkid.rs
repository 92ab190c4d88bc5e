//! libblkid, wrapped once: low-level probing of an open descriptor, as `blkid -p` does it.
//!
//! Everything unsafe about libblkid is in this file. It only ever reads. Its answers are held equal to those of
//! `blkid -p` by `tests/blkid_images.rs`, over prepared images.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use blkid_sys as sys;

use crate::content::is_the_drives;

/// Names and values of one probing, as `TYPE=ext4`.
pub type Values = BTreeMap<String, String>;

/// What the safe probing says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// No signature.
    Nothing,
    /// One, without doubt.
    Found(Values),
    /// Signatures of several kinds that exclude each other.
    Ambivalent,
}

/// A partition, as libblkid reads the table (not as the kernel does).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number, from 1.
    pub number: u32,
    /// Start in bytes.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
    /// Name in a GPT.
    pub name: Option<String>,
    /// Its kind, as the table tells it: a GUID in lower case, or an MBR's byte as `0x8e`.
    pub kind: Option<String>,
    /// Whether it is an MBR's extended partition, which only holds others.
    pub extended: bool,
    /// Bytes of the sectors in which the table counts.
    pub sector: u32,
}

impl Partition {
    /// How many bytes of it are on a device of `size` bytes; `None` where it begins beyond, or has none.
    pub fn within(&self, size: u64) -> Option<u64> {
        let room = size.checked_sub(self.start)?;
        Some(room.min(self.size)).filter(|bytes| *bytes > 0)
    }
}

/// Most partitions that are looked at: GPT's usual table has 128 entries.
pub(crate) const PARTITIONS_MAX: c_int = 256;

/// Most signatures on one device or partition.
const SIGNATURES_MAX: usize = 32;

/// Superblock values that `blkid -p` asks for.
const SUPERBLOCK_FLAGS: u32 = sys::BLKID_SUBLKS_LABEL
    | sys::BLKID_SUBLKS_UUID
    | sys::BLKID_SUBLKS_TYPE
    | sys::BLKID_SUBLKS_SECTYPE
    | sys::BLKID_SUBLKS_USAGE
    | sys::BLKID_SUBLKS_VERSION;

/// A probe over a range of an open file.
#[derive(Debug)]
pub struct Probe<'f> {
    raw: NonNull<sys::blkid_struct_probe>,
    /// Bytes of a sector.
    sector: u32,
    /// The descriptor that libblkid reads from must stay open.
    file: PhantomData<&'f File>,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        // SAFETY: `raw` came from blkid_new_probe and is freed once, here.
        unsafe { sys::blkid_free_probe(self.raw.as_ptr()) }
    }
}

fn failed(what: &str) -> io::Error {
    let os = io::Error::last_os_error();
    match os.raw_os_error() {
        Some(0) | None => io::Error::other(format!("libblkid failed {what}")),
        Some(_) => os,
    }
}

impl<'f> Probe<'f> {
    /// A probe over `size` bytes (0: to the end) of `file` from `offset`, with the device's logical `sector` size.
    pub fn new(file: &'f File, offset: u64, size: u64, sector: u32) -> io::Result<Self> {
        let range = |n: u64| i64::try_from(n).map_err(|_| io::Error::other("an offset beyond 2^63"));
        let (offset, size) = (range(offset)?, range(size)?);
        // SAFETY: no arguments; a null pointer is taken for what it is.
        let raw = NonNull::new(unsafe { sys::blkid_new_probe() }).ok_or_else(|| failed("making a probe"))?;
        let sector = sector.max(512);
        let probe = Probe {
            raw,
            sector,
            file: PhantomData,
        };
        // SAFETY: `raw` is a live probe; the descriptor outlives it by 'f.
        if unsafe { sys::blkid_probe_set_device(raw.as_ptr(), file.as_raw_fd(), offset, size) } != 0 {
            return Err(failed("taking the device"));
        }
        // SAFETY: `raw` is a live probe; any number is accepted.
        if unsafe { sys::blkid_probe_set_sectorsize(raw.as_ptr(), sector) } != 0 {
            return Err(failed("setting the sector size"));
        }
        Ok(probe)
    }

    /// `superblock_flags`: beside those that `blkid -p` has; `None` for no superblocks at all.
    fn enable(&mut self, superblock_flags: Option<u32>, partition_flags: u32) {
        let raw = self.raw.as_ptr();
        let flags = SUPERBLOCK_FLAGS | superblock_flags.unwrap_or(0);
        // SAFETY: `raw` is a live probe; the calls only set its fields, for each of the five.
        unsafe { sys::blkid_probe_enable_superblocks(raw, c_int::from(superblock_flags.is_some())) };
        // SAFETY: as above.
        unsafe { sys::blkid_probe_set_superblocks_flags(raw, flags.cast_signed()) };
        // SAFETY: as above.
        unsafe { sys::blkid_probe_enable_partitions(raw, 1) };
        // SAFETY: as above.
        unsafe { sys::blkid_probe_set_partitions_flags(raw, partition_flags.cast_signed()) };
        // SAFETY: as above.
        unsafe { sys::blkid_reset_probe(raw) };
    }

    /// What `blkid -p` answers: superblocks and partition table, only if they do not contradict each other.
    pub fn safe(&mut self) -> io::Result<Outcome> {
        self.enable(Some(0), sys::BLKID_PARTS_ENTRY_DETAILS);
        nix::errno::Errno::clear();
        // SAFETY: `raw` is a live probe with its device set.
        match unsafe { sys::blkid_do_safeprobe(self.raw.as_ptr()) } {
            0 => Ok(Outcome::Found(self.values())),
            1 => Ok(Outcome::Nothing),
            -2 => Ok(Outcome::Ambivalent),
            _ => Err(failed("reading")),
        }
    }

    /// Every signature, contradictory or not and also with a wrong checksum, as `wipefs` lists them.
    pub fn every(&mut self) -> io::Result<Vec<Values>> {
        self.enable(Some(sys::BLKID_SUBLKS_BADCSUM), 0);
        let mut all = Vec::new();
        while all.len() < SIGNATURES_MAX {
            nix::errno::Errno::clear();
            // SAFETY: `raw` is a live probe with its device set; each call goes on after the last one's result.
            match unsafe { sys::blkid_do_probe(self.raw.as_ptr()) } {
                0 => all.push(self.values()),
                1 => break,
                _ => return Err(failed("reading")),
            }
        }
        Ok(all)
    }

    /// The partition table's entries, in order; none where there is no table.
    pub fn partitions(&mut self) -> io::Result<Vec<Partition>> {
        self.entries(0)
    }

    /// The same of a disk whose first sector cannot be read, or tells of something else: a GPT alone counts, without its protective MBR,
    /// and has a copy at the end.
    pub fn partitions_without_mbr(&mut self) -> io::Result<Vec<Partition>> {
        let mut names = [c"gpt".as_ptr().cast_mut(), std::ptr::null_mut()];
        let only = sys::BLKID_FLTR_ONLYIN.cast_signed();
        // SAFETY: `raw` is a live probe; the list of names ends with null, and is only read during the call.
        if unsafe { sys::blkid_probe_filter_partitions_type(self.raw.as_ptr(), only, names.as_mut_ptr()) } < 0 {
            return Err(failed("choosing what to look for"));
        }
        self.entries(sys::BLKID_PARTS_FORCE_GPT)
    }

    fn entries(&mut self, flags: u32) -> io::Result<Vec<Partition>> {
        self.enable(None, flags);
        nix::errno::Errno::clear();
        // SAFETY: `raw` is a live probe with its device set. The list belongs to the probe and lives until its next use.
        let list = unsafe { sys::blkid_probe_get_partitions(self.raw.as_ptr()) };
        // Of a table that could not be read to its end nobody knows what it names; libblkid lists what it came to, or nothing.
        let error = io::Error::last_os_error();
        if is_the_drives(&error) {
            return Err(error);
        }
        if list.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: `list` is not null and belongs to the live probe.
        let count = unsafe { sys::blkid_partlist_numof_partitions(list) };
        let mut partitions = Vec::new();
        for n in 0..count.clamp(0, PARTITIONS_MAX) {
            // SAFETY: `list` as above, `n` is below the count.
            let entry = unsafe { sys::blkid_partlist_get_partition(list, n) };
            if entry.is_null() {
                continue;
            }
            // SAFETY: `entry` is not null and belongs to `list`, for this and the next five.
            let number = unsafe { sys::blkid_partition_get_partno(entry) };
            // SAFETY: as above.
            let start = unsafe { sys::blkid_partition_get_start(entry) };
            // SAFETY: as above.
            let size = unsafe { sys::blkid_partition_get_size(entry) };
            // SAFETY: as above.
            let extended = unsafe { sys::blkid_partition_is_extended(entry) } != 0;
            // SAFETY: as above.
            let name = unsafe { sys::blkid_partition_get_name(entry) };
            // SAFETY: libblkid gives a NUL-terminated text, or null, that lives as long as the list.
            let name = unsafe { owned(name) };
            // SAFETY: as for the entry.
            let kind = unsafe { sys::blkid_partition_get_type_string(entry) };
            // SAFETY: as for the name.
            let guid = unsafe { owned(kind) };
            // SAFETY: as for the entry.
            let byte = unsafe { sys::blkid_partition_get_type(entry) };
            // libblkid counts partitions in sectors of 512 bytes, whatever the device's are.
            let bytes = |sectors: i64| u64::try_from(sectors).ok().and_then(|n| n.checked_mul(512));
            if let (Ok(number), Some(start), Some(size)) = (u32::try_from(number), bytes(start), bytes(size)) {
                partitions.push(Partition {
                    number,
                    start,
                    size,
                    name,
                    kind: guid.or_else(|| (byte > 0).then(|| format!("{byte:#04x}"))),
                    extended,
                    sector: self.sector,
                });
            }
        }
        Ok(partitions)
    }

    fn values(&self) -> Values {
        let mut values = Values::new();
        // SAFETY: `raw` is a live probe.
        let count = unsafe { sys::blkid_probe_numof_values(self.raw.as_ptr()) };
        for n in 0..count {
            let mut name: *const c_char = std::ptr::null();
            let mut data: *const c_char = std::ptr::null();
            let mut length: usize = 0;
            // SAFETY: `raw` is a live probe, `n` is below its count, and the three pointers are valid for writing.
            let got = unsafe {
                sys::blkid_probe_get_value(self.raw.as_ptr(), n, &raw mut name, &raw mut data, &raw mut length)
            };
            if got != 0 || data.is_null() {
                continue;
            }
            // SAFETY: libblkid gives a NUL-terminated name that lives until the probe is used again.
            let Some(name) = (unsafe { owned(name) }) else { continue };
            // SAFETY: `data` is valid for `length` bytes until the probe is used again.
            let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) };
            // Most values count the NUL that ends them; binary ones are not asked for.
            let data = data.split(|b| *b == 0).next().unwrap_or_default();
            values.insert(name, String::from_utf8_lossy(data).into_owned());
        }
        values
    }
}

/// Whether this libblkid looks for a TYPE of that name.
#[cfg(test)]
pub(crate) fn knows(kind: &str) -> bool {
    let name = std::ffi::CString::new(kind).expect("a TYPE holds no NUL");
    // SAFETY: a NUL-terminated text that lives for the call.
    unsafe { sys::blkid_known_fstype(name.as_ptr()) == 1 }
}

/// A copy of C text; `None` for a null pointer or an empty text.
///
/// # Safety
/// `text` is null or points to a NUL-terminated text that lives for the call.
unsafe fn owned(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated by this function's contract.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    (!text.is_empty()).then(|| text.into_owned())
}
