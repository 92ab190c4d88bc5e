//! Whether an image is whole and of a board: tables, boot loader, file system, configuration, and every slot's signature and
//! hashes. Each error names the file that is wrong and what was expected.
//!
//! The boot loader is compared byte for byte with the one that the board's packages make, where those are at hand. Without them
//! only its shape is looked at: that it points where it must, and that each program is one for the board's processor; who made
//! it is not known then. Nothing else may lie below `EFI/`, where firmware, shim and GRUB look for more to run.

use crate::{
    board::{Arch, Board, Firmware},
    cpio,
    error::{At, Result},
    fat32::{Entry, Reader, SECTOR},
    gpt::{self, Table},
    grub::{self, Env},
    inspect::{Image, is_test},
    key::Public,
    loader::Loader,
    signature::Signatures,
    slot::{ABOUT, Manifest, NEEDED},
};
use std::{fs, os::unix::fs::FileExt};

/// Machines of PE programs (PE format, "Machine types").
const MACHINE_I386: u16 = 0x014c;
const MACHINE_X86_64: u16 = 0x8664;
const MACHINE_ARM64: u16 = 0xaa64;
/// Bytes of the MBR that are code: the disk's number and the partitions follow.
const CODE: usize = 440;

/// What was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Slots that are there, and the keys that signed each.
    pub slots: Vec<(&'static str, Vec<Public>)>,
    /// Whether it carries the archive of a test image.
    pub test: bool,
    /// Whether the boot loader was compared with the board's packages.
    pub loader: bool,
}

/// Files below `EFI/` besides the programs.
const DATA: [&str; 3] = ["EFI/debian/grub.cfg", "EFI/debian/grubenv", "EFI/debian/grubmark"];

impl Image<'_> {
    /// Checks that the image is whole and of this board, and where keys are given, that one of them signed each slot. `loader`:
    /// what to compare its boot loader with.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, board: &Board, trusted: &[Public], loader: Option<&Loader>) -> Result<Verified> {
        let fresh = Table::fresh();
        let places = |t: &Table| t.partitions.iter().map(|p| (p.kind, p.first)).collect::<Vec<_>>();
        if places(&self.table) != places(&fresh) {
            return Err(self.wrong("its partitions are not where Kiln's are"));
        }
        self.verify_bios(board, loader.and_then(|l| l.bios.as_ref()))?;
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
        self.verify_efi(&reader, &entries, board, loader)?;
        let mut slots = Vec::new();
        for slot in ["a", "b"] {
            let prefix = format!("{slot}/");
            // GRUB starts what is in a folder `B`, too.
            let is_below = |path: &str| path.get(..2).is_some_and(|p| p.eq_ignore_ascii_case(&prefix));
            if entries.iter().any(|e| !e.is_dir && is_below(&e.path)) {
                slots.push((slot, self.verify_slot(&reader, &entries, slot, board, trusted)?));
            } else if slot == "a" {
                return Err(self.wrong("slot a is empty: there is no system to start"));
            }
        }
        Ok(Verified {
            slots,
            test: is_test(&entries),
            loader: loader.is_some(),
        })
    }

    /// The programs that firmware and shim run, and that there is nothing else that they could.
    fn verify_efi(&self, reader: &Reader<'_>, entries: &[Entry], board: &Board, loader: Option<&Loader>) -> Result<()> {
        let efi = board.arch.efi();
        let own = match board.arch {
            Arch::X86_64 => MACHINE_X86_64,
            Arch::Aarch64 => MACHINE_ARM64,
        };
        let mut programs = Vec::new();
        if board.firmware.contains(&Firmware::Uefi) {
            programs.push((format!("BOOT{}.EFI", efi.to_uppercase()), own));
            programs.push((format!("grub{efi}.efi"), own));
        }
        if board.firmware.contains(&Firmware::Uefi32) {
            programs.push(("BOOTIA32.EFI".to_owned(), MACHINE_I386));
        }
        for (program, machine) in &programs {
            let name = format!("EFI/BOOT/{program}");
            let bytes = self.content(reader, entries, &name)?;
            if self::machine(&bytes) != Some(*machine) {
                return Err(self.wrong(format!("/{name} is no EFI program for this board's processor")));
            }
            let Some(loader) = loader else { continue };
            let made = loader
                .efi
                .get(program)
                .map(|p| fs::read(p).at("reading", p))
                .transpose()?;
            if made.as_ref() != Some(&bytes) {
                return Err(self.wrong(format!("/{name} is not the one of the board's packages")));
            }
        }
        let known = |path: &str| {
            let is = |known: &str| path.eq_ignore_ascii_case(known);
            DATA.into_iter().any(is) || programs.iter().any(|(p, _)| is(&format!("EFI/BOOT/{p}")))
        };
        let below = |path: &str| path.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("EFI/"));
        match entries.iter().find(|e| !e.is_dir && below(&e.path) && !known(&e.path)) {
            Some(e) => Err(self.wrong(format!("/{} is no file of the boot loader", e.path))),
            None => Ok(()),
        }
    }

    /// One slot: signature, then board, then every file of its folder.
    fn verify_slot(
        &self,
        reader: &Reader<'_>,
        entries: &[Entry],
        slot: &str,
        board: &Board,
        trusted: &[Public],
    ) -> Result<Vec<Public>> {
        let wrong = |what: String| self.wrong(format!("slot {slot}: {what}"));
        let listed = |name: &str| entries.iter().any(|e| e.path == format!("{slot}/{name}"));
        if let Some(missing) = ABOUT.iter().chain(&NEEDED).find(|n| !listed(n)) {
            return Err(wrong(format!("it has no {missing}")));
        }
        let read = |name: &str| self.content(reader, entries, &format!("{slot}/{name}"));
        let bytes = read("manifest.json")?;
        let keys = Signatures::check(&read("manifest.sig")?, &bytes).map_err(wrong)?;
        if !trusted.is_empty() && !keys.iter().any(|k| trusted.contains(k)) {
            let by: Vec<String> = keys.iter().map(Public::described).collect();
            return Err(wrong(format!(
                "it is signed by {}, and by none of the keys that --trust names",
                by.join(" and ")
            )));
        }
        let manifest = Manifest::parse(&bytes).map_err(wrong)?;
        if (manifest.board.as_str(), manifest.arch.as_str()) != (board.name.as_str(), board.arch.name()) {
            return Err(wrong(format!(
                "it is for board {:?} ({}); expected {:?} ({})",
                manifest.board,
                manifest.arch,
                board.name,
                board.arch.name()
            )));
        }
        let prefix = format!("{slot}/");
        for entry in entries.iter().filter(|e| !e.is_dir) {
            if let Some(name) = entry.path.strip_prefix(&prefix).filter(|n| !ABOUT.contains(n)) {
                manifest.check(name, &read(name)?).map_err(wrong)?;
            }
        }
        if let Some(missing) = manifest.files.keys().find(|n| !listed(n)) {
            return Err(wrong(format!("its manifest.json lists {missing}, which is not there")));
        }
        let names = cpio::list(&read("initrd")?).map_err(|e| wrong(format!("initrd: {e}")))?;
        for needed in ["init", "kiln/board.toml", "dev/console"] {
            if !names.iter().any(|(n, _)| n == needed) {
                return Err(wrong(format!("initrd has no {needed}")));
            }
        }
        if read("system.erofs")?.get(1024..1028) != Some(&0xe0f5_e1e2u32.to_le_bytes()) {
            return Err(wrong("system.erofs is no EROFS image".into()));
        }
        Ok(keys)
    }

    fn verify_bios(&self, board: &Board, made: Option<&([u8; 512], Vec<u8>)>) -> Result<()> {
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
        let Some((boot, wanted)) = made else { return Ok(()) };
        if mbr[..CODE] != boot[..CODE] {
            return Err(self.wrong("its boot code (MBR) is not the one of the board's packages"));
        }
        let mut core = vec![0; wanted.len()];
        self.file
            .read_exact_at(&mut core, gpt::BIOS_FIRST * SECTOR)
            .at("reading", self.path)?;
        if core != *wanted {
            return Err(self.wrong("core.img in the BIOS boot partition is not the one of the board's packages"));
        }
        Ok(())
    }
}

/// The processor that a PE program is for; `None` where it is none (PE format, "MS-DOS stub" and "COFF file header").
fn machine(bytes: &[u8]) -> Option<u16> {
    let at = bytes.strip_prefix(b"MZ").and(bytes.get(0x3c..)?.first_chunk::<4>())?;
    let header = bytes.get(usize::try_from(u32::from_le_bytes(*at)).ok()?..)?;
    let machine = header.strip_prefix(b"PE\0\0")?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*machine))
}
