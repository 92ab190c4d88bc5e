//! The boot loader: what firmware runs before the kernel. Made for an image, and made again to compare one with.
//!
//! Shim and GRUB are Debian's files as they are; what is made here (`core.img`, GRUB for 32-bit firmware) is a function of the
//! packages that `boards/NAME/packages.lock` names.

use crate::{
    board::{Arch, Board, Firmware, Request},
    error::{At, Error, Result},
    grub,
    packages::{Packages, Unpacked, host_arch},
    tools::Tools,
    workspace::Workspace,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The files of it.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// Programs in `EFI/BOOT/`, by name.
    pub efi: BTreeMap<String, PathBuf>,
    /// Boot code of the MBR and core.img, when the board has a BIOS.
    pub bios: Option<([u8; 512], Vec<u8>)>,
}

impl Loader {
    /// From the board's unpacked `[[boot]]` packages; what has to be made is put into `dir`.
    ///
    /// # Errors
    /// A package lacks a file, or grub-mkimage fails.
    pub fn make(board: &Board, boot: &[Unpacked], tools: &Tools, dir: &Path) -> Result<Self> {
        let mut efi = efi_files(board, boot)?;
        if board.firmware.contains(&Firmware::Uefi32) {
            let made = dir.join("bootia32.efi");
            let i386 = in_packages(boot, "usr/lib/grub/i386-efi")?;
            grub::efi32(&mut tools.command("usr/bin/grub-mkimage")?, &i386, &made)?;
            efi.insert("BOOTIA32.EFI".into(), made);
        }
        let bios = if board.firmware.contains(&Firmware::Bios) {
            let i386 = in_packages(boot, "usr/lib/grub/i386-pc")?;
            let core = grub::core_img(
                &mut tools.command("usr/bin/grub-mkimage")?,
                &i386,
                &dir.join("core.img"),
            )?;
            Some((grub::boot_img(&i386)?, core))
        } else {
            None
        };
        Ok(Self { efi, bios })
    }

    /// The same from packages that were fetched before; `None` where one of them was not: nothing is fetched for a comparison.
    ///
    /// # Errors
    /// As [`Loader::make`].
    pub fn at_hand(ws: &Workspace, board: &Board) -> Result<Option<Self>> {
        let mut packages = Packages::of_board(ws, board, false)?;
        let arch = board.arch.debian();
        let mut get = |requests: &[Request], arch: &str| -> Result<Option<Vec<Unpacked>>> {
            match packages.has(requests, arch) {
                true => packages.get(requests, arch).map(|all| Some(all.concat())),
                false => Ok(None),
            }
        };
        let (Some(boot), Some(tools)) = (get(&board.boot, arch)?, get(&board.tools, host_arch())?) else {
            return Ok(None);
        };
        let dir = ws.build(&board.name)?.join("compared");
        fs::create_dir_all(&dir).at("making", &dir)?;
        Self::make(board, &boot, &Tools::new(tools), &dir).map(Some)
    }
}

/// Debian's signed shim and GRUB under the names that firmware and shim look for.
fn efi_files(board: &Board, boot: &[Unpacked]) -> Result<BTreeMap<String, PathBuf>> {
    if !board.firmware.contains(&Firmware::Uefi) {
        return Ok(BTreeMap::new());
    }
    let efi = board.arch.efi();
    let grub_dir = match board.arch {
        Arch::X86_64 => "x86_64-efi-signed",
        Arch::Aarch64 => "arm64-efi-signed",
    };
    let files = [
        (
            format!("BOOT{}.EFI", efi.to_uppercase()),
            in_packages(boot, &format!("usr/lib/shim/shim{efi}.efi.signed"))?,
        ),
        (
            format!("grub{efi}.efi"),
            in_packages(boot, &format!("usr/lib/grub/{grub_dir}/grub{efi}.efi.signed"))?,
        ),
    ];
    Ok(files.into())
}

fn in_packages(packages: &[Unpacked], path: &str) -> Result<PathBuf> {
    packages
        .iter()
        .map(|p| p.dir.join(path))
        .find(|p| p.exists())
        .ok_or_else(|| Error::Incomplete(format!("none of the board's `[[boot]]` packages has {path}")))
}
