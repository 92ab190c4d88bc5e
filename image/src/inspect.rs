//! Reading an image back: what is in it (`inspect`), and whether it is whole and of a board (`verify`).

use crate::{
    board::{Board, Firmware},
    cpio,
    error::{At, Error, Result},
    fat32::{Entry, Reader, SECTOR},
    gpt::{self, Table, guid_text},
    grub::{self, Env},
    slot::Manifest,
};
use sha2::{Digest, Sha256};
use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// An open image.
#[derive(Debug)]
pub struct Image<'a> {
    path: &'a Path,
    file: File,
    total: u64,
    table: Table,
}

impl<'a> Image<'a> {
    /// Opens an image and reads its partition tables.
    ///
    /// # Errors
    /// When it is not an image of ours, or damaged.
    pub fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).at("opening", path)?;
        let len = file.metadata().at("examining", path)?.len();
        if len < gpt::TOTAL * SECTOR || len % SECTOR != 0 {
            return Err(wrong(
                path,
                format!(
                    "{len} bytes; expected a disk image of at least {} bytes",
                    gpt::TOTAL * SECTOR
                ),
            ));
        }
        let total = len / SECTOR;
        let table = Table::read(&file, total).map_err(|e| wrong(path, e))?;
        Ok(Self {
            path,
            file,
            total,
            table,
        })
    }

    fn boot(&self) -> Result<(Reader<'_>, Vec<Entry>)> {
        let reader =
            Reader::open(&self.file, gpt::BOOT_FIRST).map_err(|e| self.wrong(format!("boot partition: {e}")))?;
        let entries = reader.walk().map_err(|e| self.wrong(format!("boot partition: {e}")))?;
        Ok((reader, entries))
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        wrong(self.path, what.into())
    }

    fn content(&self, reader: &Reader<'_>, entries: &[Entry], path: &str) -> Result<Vec<u8>> {
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
            self.total * SECTOR >> 20,
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
            let _ = writeln!(
                out,
                "  {:>9} bytes at sector {:>7}  /{}",
                e.size,
                gpt::BOOT_FIRST + reader.sector(e),
                e.path
            );
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
            }
        }
        Ok(out)
    }

    /// Checks that the image is whole and of this board: tables, boot code, file system, hashes, configuration.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, board: &Board) -> Result<()> {
        let fresh = Table::fresh();
        let places = |t: &Table| t.partitions.iter().map(|p| (p.kind, p.first)).collect::<Vec<_>>();
        if places(&self.table) != places(&fresh) {
            return Err(self.wrong("its partitions are not where Kiln's are"));
        }
        self.verify_bios(board)?;
        let (reader, entries) = self.boot()?;
        for e in entries.iter().filter(|e| !e.is_dir) {
            if !reader.contiguous(e).map_err(|e| self.wrong(e))? {
                return Err(self.wrong(format!("/{} is in pieces", e.path)));
            }
        }
        Env::parse(&self.content(&reader, &entries, "EFI/debian/grubenv")?).map_err(|e| self.wrong(e))?;
        if self.content(&reader, &entries, "EFI/debian/grub.cfg")? != grub::config(board).as_bytes() {
            return Err(self.wrong(format!("/EFI/debian/grub.cfg is not that of board {}", board.name)));
        }
        if board.firmware.contains(&Firmware::Uefi) {
            let efi = board.arch.efi();
            for name in [
                format!("EFI/BOOT/BOOT{}.EFI", efi.to_uppercase()),
                format!("EFI/BOOT/grub{efi}.efi"),
            ] {
                if !self.content(&reader, &entries, &name)?.starts_with(b"MZ") {
                    return Err(self.wrong(format!("/{name} is no EFI program")));
                }
            }
        }
        let manifest =
            Manifest::parse(&self.content(&reader, &entries, "a/manifest.json")?).map_err(|e| self.wrong(e))?;
        if (manifest.board.as_str(), manifest.arch.as_str()) != (board.name.as_str(), board.arch.name()) {
            return Err(self.wrong(format!(
                "slot a is for board {:?} ({}); expected {:?} ({})",
                manifest.board,
                manifest.arch,
                board.name,
                board.arch.name()
            )));
        }
        for name in ["vmlinuz", "initrd", "system.erofs"] {
            let note = manifest
                .files
                .get(name)
                .ok_or_else(|| self.wrong(format!("slot a's manifest does not list {name}")))?;
            let bytes = self.content(&reader, &entries, &format!("a/{name}"))?;
            if bytes.len() as u64 != note.size || hex::encode(Sha256::digest(&bytes)) != note.sha256 {
                return Err(self.wrong(format!("/a/{name} is not the file that slot a's manifest describes")));
            }
        }
        let initrd = self.content(&reader, &entries, "a/initrd")?;
        let names = cpio::list(&initrd).map_err(|e| self.wrong(format!("/a/initrd: {e}")))?;
        for needed in ["init", "kiln/kiln-server", "kiln/board.toml", "dev/console"] {
            if !names.iter().any(|(n, _)| n == needed) {
                return Err(self.wrong(format!("/a/initrd has no {needed}")));
            }
        }
        if self.content(&reader, &entries, "a/system.erofs")?.get(1024..1028) != Some(&0xe0f5_e1e2u32.to_le_bytes()) {
            return Err(self.wrong("/a/system.erofs is no EROFS image"));
        }
        Ok(())
    }

    fn verify_bios(&self, board: &Board) -> Result<()> {
        let mut mbr = [0u8; 512];
        self.file.read_exact_at(&mut mbr, 0).at("reading", self.path)?;
        if mbr[510..] != [0x55, 0xaa] || mbr[450] != 0xee || mbr[466] != 0x0c {
            return Err(self.wrong("its MBR has no hybrid partition table"));
        }
        if !board.firmware.contains(&Firmware::Bios) {
            return Ok(());
        }
        if mbr[0x5c..0x64] != gpt::BIOS_FIRST.to_le_bytes() {
            return Err(self.wrong("its boot code does not point at the BIOS boot partition"));
        }
        let mut core = [0u8; 512];
        self.file
            .read_exact_at(&mut core, gpt::BIOS_FIRST * SECTOR)
            .at("reading", self.path)?;
        if core[0x1f4..0x1fc] != (gpt::BIOS_FIRST + 1).to_le_bytes() {
            return Err(self.wrong("core.img in the BIOS boot partition has no block list"));
        }
        Ok(())
    }
}

fn wrong(path: &Path, what: String) -> Error {
    Error::Image {
        file: path.to_owned(),
        what,
    }
}
