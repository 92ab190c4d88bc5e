//! Reading an image back: what is in it. Whether it is right is `verify`'s question.

use crate::{
    error::{At, Error, Result},
    fat32::{Entry, Reader, SECTOR},
    gpt::{self, Table, guid_text},
    grub::Env,
    key::Public,
    signature::Signatures,
    slot::Manifest,
};
use std::{
    fs::File,
    io::{Seek, SeekFrom},
    path::Path,
};

/// The archive that only test images carry.
const TEST: &str = "kiln/test.cpio";

/// Whether GRUB, which goes by no case, finds what makes a test image of this one.
pub(crate) fn is_test(entries: &[Entry]) -> bool {
    entries.iter().any(|e| e.path.eq_ignore_ascii_case(TEST))
}

/// An open image.
#[derive(Debug)]
pub struct Image<'a> {
    pub(crate) path: &'a Path,
    pub(crate) file: File,
    total: u64,
    pub(crate) table: Table,
}

impl<'a> Image<'a> {
    /// Opens an image and reads its partition tables.
    ///
    /// # Errors
    /// When it is not an image of ours, or damaged.
    pub fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).at("opening", path)?;
        // By its end, because a stick's device node has no length of its own.
        let len = (&file).seek(SeekFrom::End(0)).at("measuring", path)?;
        if len < gpt::TOTAL * SECTOR || len % SECTOR != 0 {
            return Err(Error::image(
                path,
                format!(
                    "{len} bytes; expected a disk image of at least {} bytes",
                    gpt::TOTAL * SECTOR
                ),
            ));
        }
        let total = len / SECTOR;
        let table = Table::read(&file, total).map_err(|e| Error::image(path, e))?;
        Ok(Self {
            path,
            file,
            total,
            table,
        })
    }

    pub(crate) fn boot(&self) -> Result<(Reader<'_>, Vec<Entry>)> {
        let reader =
            Reader::open(&self.file, gpt::BOOT_FIRST).map_err(|e| self.wrong(format!("boot partition: {e}")))?;
        let entries = reader.walk().map_err(|e| self.wrong(format!("boot partition: {e}")))?;
        Ok((reader, entries))
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) -> Error {
        Error::image(self.path, what)
    }

    pub(crate) fn content(&self, reader: &Reader<'_>, entries: &[Entry], path: &str) -> Result<Vec<u8>> {
        let e = entries
            .iter()
            .find(|e| e.path == path)
            .ok_or_else(|| self.wrong(format!("the boot partition has no {path}")))?;
        reader.read(e).map_err(|e| self.wrong(e))
    }

    /// What is in the image, for people.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn describe(&self) -> Result<String> {
        use std::fmt::Write as _;
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{} MiB, disk {}",
            (self.total * SECTOR) >> 20,
            guid_text(self.table.guid)
        );
        for p in &self.table.partitions {
            let _ = writeln!(
                out,
                "  {:<5} sectors {:>8} to {:>8}  {}",
                p.name,
                p.first,
                p.last,
                guid_text(p.guid)
            );
        }
        let (reader, entries) = self.boot()?;
        for e in entries.iter().filter(|e| !e.is_dir) {
            let at = reader.sector(e).map_or_else(
                || "of no sector".to_owned(),
                |sector| format!("at sector {:>7}", gpt::BOOT_FIRST + sector),
            );
            let _ = writeln!(out, "  {:>9} bytes {at:<17}  /{}", e.size, e.path);
        }
        let env = Env::parse(&self.content(&reader, &entries, "EFI/debian/grubenv")?).map_err(|e| self.wrong(e))?;
        let v = |n| env.get(n).unwrap_or("");
        let _ = writeln!(
            out,
            "environment block: prefer={} a={} b={} left={} once={}",
            v("prefer"),
            v("a"),
            v("b"),
            v("left"),
            v("once")
        );
        for slot in ["a", "b"] {
            let name = format!("{slot}/manifest.json");
            if entries.iter().any(|e| e.path == name) {
                let m = Manifest::parse(&self.content(&reader, &entries, &name)?).map_err(|e| self.wrong(e))?;
                let _ = writeln!(
                    out,
                    "slot {slot}: Kiln {} for {} ({}), kernel {}, {} packages",
                    m.version,
                    m.board,
                    m.arch,
                    m.kernel,
                    m.packages.len()
                );
                let _ = writeln!(out, "        {}", self.signed_by(&reader, &entries, slot)?);
            }
        }
        if is_test(&entries) {
            let _ = writeln!(out, "a test image: its boot partition carries /{TEST}");
        }
        Ok(out)
    }

    /// Who signed a slot, in words; that a signature does not fit is an answer here.
    fn signed_by(&self, reader: &Reader<'_>, entries: &[Entry], slot: &str) -> Result<String> {
        if !entries.iter().any(|e| e.path == format!("{slot}/manifest.sig")) {
            return Ok("not signed".into());
        }
        let manifest = self.content(reader, entries, &format!("{slot}/manifest.json"))?;
        let signatures = self.content(reader, entries, &format!("{slot}/manifest.sig"))?;
        Ok(match Signatures::check(&signatures, &manifest) {
            Ok(keys) => {
                let keys: Vec<String> = keys.iter().map(Public::described).collect();
                format!("signed by {}", keys.join(" and "))
            }
            Err(wrong) => format!("its signature is bad: {wrong}"),
        })
    }
}
