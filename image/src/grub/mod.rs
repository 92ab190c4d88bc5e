//! GRUB: its configuration, its environment block, and the two files that start it under BIOS.
//!
//! One configuration serves BIOS, UEFI (Secure Boot or not) and U-Boot; it uses only commands that are inside Debian's
//! signed GRUB. Tries are counted only while a slot is on trial, so a power cut never demotes a proven slot. What GRUB
//! decided, and why, goes onto the kernel command line. Nothing that a user edits is run as GRUB code.

pub use bundle::env::{BLOCK, Env};

use crate::{
    board::Board,
    error::{At, Error, Result},
    exec,
    gpt::BIOS_FIRST,
};
use std::{fs, path::Path, process::Command};

/// Modules of a GRUB made here: enough to read the boot partition and run the configuration.
const MODULES: &[&str] = &[
    "part_gpt",
    "fat",
    "normal",
    "configfile",
    "search",
    "search_fs_uuid",
    "loadenv",
    "linux",
    "probe",
    "test",
    "true",
    "echo",
    "cat",
    "ls",
    "regexp",
    "serial",
    "terminal",
    "reboot",
    "halt",
    "sleep",
    "minicmd",
    "gzio",
];

/// The configuration, with the board's kernel command line in it.
#[must_use]
pub fn config(board: &Board) -> String {
    include_str!("grub.cfg").replace("@CMDLINE@", &board.command_line())
}

/// boot.img for the MBR, told where core.img is.
///
/// # Errors
/// When it is not the file that GRUB 2.12 ships.
pub fn boot_img(i386: &Path) -> Result<[u8; 512]> {
    let path = i386.join("boot.img");
    let bytes = fs::read(&path).at("reading", &path)?;
    let mut b: [u8; 512] = bytes
        .try_into()
        .map_err(|b: Vec<u8>| unexpected(&path, &format!("{} bytes; expected 512", b.len())))?;
    if b[0x5c..0x64] != 1u64.to_le_bytes() || b[0x64] != 0xff {
        return Err(unexpected(
            &path,
            "the place for core.img's sector at 0x5c holds something else",
        ));
    }
    b[0x5c..0x64].copy_from_slice(&BIOS_FIRST.to_le_bytes());
    // Some BIOSes pass a wrong drive number: keep DL as it is, which is what grub-install does for hard disks.
    b[0x66..0x68].copy_from_slice(&[0x90, 0x90]);
    Ok(b)
}

/// core.img for the BIOS boot partition: built by grub-mkimage, told where its own second sector is.
///
/// # Errors
/// When grub-mkimage fails or makes something unexpected.
pub fn core_img(mkimage: &mut Command, i386: &Path, out: &Path) -> Result<Vec<u8>> {
    // An empty drive in the prefix is the drive that the BIOS booted from: never another disk.
    mkimage
        .args(["-O", "i386-pc", "-d"])
        .arg(i386)
        .args(["-p", "(,gpt2)/EFI/debian", "-o"])
        .arg(out)
        .arg("biosdisk")
        .args(MODULES);
    exec::run(mkimage)?;
    let mut c = fs::read(out).at("reading", out)?;
    let room = (crate::gpt::BOOT_FIRST - BIOS_FIRST) * crate::fat32::SECTOR;
    if c.len() < 1024 || c.len() as u64 > room || c[0x1f4..0x1fc] != 2u64.to_le_bytes() {
        return Err(unexpected(
            out,
            "core.img has no block list at 0x1f4, or does not fit its partition",
        ));
    }
    c[0x1f4..0x1fc].copy_from_slice(&(BIOS_FIRST + 1).to_le_bytes());
    Ok(c)
}

/// GRUB for 32-bit UEFI. A prefix without a device is the partition that the firmware started it from.
///
/// The video modules are for the kernel's early console, which without them says that there is no suitable mode.
///
/// # Errors
/// When grub-mkimage fails.
pub fn efi32(mkimage: &mut Command, i386: &Path, out: &Path) -> Result<()> {
    mkimage
        .args(["-O", "i386-efi", "-d"])
        .arg(i386)
        .args(["-p", "/EFI/debian", "-o"])
        .arg(out)
        .args(["efi_gop", "efi_uga", "all_video"])
        .args(MODULES);
    exec::run(mkimage)
}

fn unexpected(file: &Path, what: &str) -> Error {
    Error::Image {
        file: file.to_owned(),
        what: format!("{what}: another version of GRUB than 2.12?"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn the_configuration_carries_the_boards_command_line() {
        let board = Board::load(&Workspace::find().boards(), "x86-64").unwrap();
        let c = config(&board);
        assert!(c.contains("rootfstype=ramfs") && c.contains("console=ttyS0,115200") && !c.contains('@'));
    }

    #[test]
    fn the_configuration_sources_nothing() {
        let text = include_str!("grub.cfg");
        let code = text.lines().filter(|l| !l.trim_start().starts_with('#'));
        for line in code {
            for word in ["source", "configfile", "eval", "normal", "chainloader"] {
                assert!(
                    !line.split_whitespace().any(|w| w == word),
                    "{line}: a user's file must never be run"
                );
            }
        }
    }

    #[test]
    fn a_strange_boot_img_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("boot.img"), [0u8; 512]).unwrap();
        assert!(boot_img(dir.path()).unwrap_err().to_string().contains("0x5c"));
        fs::write(dir.path().join("boot.img"), [0u8; 100]).unwrap();
        assert!(boot_img(dir.path()).unwrap_err().to_string().contains("expected 512"));
    }
}
