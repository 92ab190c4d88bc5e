//! What starts the boot loader: Debian's builds of OVMF and AAVMF, and which of QEMU's switches they need.

use std::path::{Path, PathBuf};

use super::Error;
use super::arch::Arch;

/// What starts the boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS; x86-64 only.
    Bios,
    /// OVMF or AAVMF, with a variable store of the machine's own.
    Uefi,
    /// The same with Secure Boot on and Microsoft's keys enrolled, as machines are sold.
    SecureBoot,
    /// UEFI of 32 bits on a 64-bit processor, as on some small boards of 2013 to 2016; x86-64 only.
    Uefi32,
}

impl Firmware {
    /// Its code and the variable store that it starts with; `None`: QEMU brings it along.
    pub fn files(self, arch: Arch) -> Result<Option<(PathBuf, PathBuf)>, Error> {
        let (code, variables) = match (self, arch) {
            (Self::Bios, Arch::X86_64) => return Ok(None),
            (Self::Bios | Self::Uefi32, Arch::Arm64) => {
                return Err(Error::Impossible(
                    "ARM64 has no BIOS and no 32-bit UEFI; its firmware is UEFI".into(),
                ));
            }
            (Self::Uefi, Arch::X86_64) => ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),
            (Self::SecureBoot, Arch::X86_64) => ("OVMF/OVMF_CODE_4M.secboot.fd", "OVMF/OVMF_VARS_4M.ms.fd"),
            (Self::Uefi32, Arch::X86_64) => ("OVMF/OVMF32_CODE_4M.secboot.fd", "OVMF/OVMF32_VARS_4M.fd"),
            (Self::Uefi, Arch::Arm64) => ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"),
            (Self::SecureBoot, Arch::Arm64) => ("AAVMF/AAVMF_CODE.ms.fd", "AAVMF/AAVMF_VARS.ms.fd"),
        };
        let files = [code, variables].map(|f| Path::new("/usr/share").join(f));
        if let Some(missing) = files.iter().find(|f| !f.exists()) {
            return Err(Error::Missing {
                what: "UEFI firmware",
                path: missing.clone(),
            });
        }
        let [code, variables] = files;
        Ok(Some((code, variables)))
    }

    /// Whether its code runs in system management mode, where nothing else may write to its variables.
    #[must_use]
    pub fn needs_smm(self, arch: Arch) -> bool {
        arch == Arch::X86_64 && matches!(self, Self::SecureBoot | Self::Uefi32)
    }

    /// Gives a machine its own variable store in `dir`, unless it has one from an earlier start.
    pub fn copy_variables(self, arch: Arch, dir: &Path) -> Result<(), Error> {
        let own = dir.join("vars.fd");
        let Some((_, fresh)) = self.files(arch)? else {
            return Ok(());
        };
        if own.exists() {
            return Ok(());
        }
        // Debian's ARM64 store is 64 MiB of holes: read and written, it would cost that much.
        let status = std::process::Command::new("cp")
            .arg("--sparse=always")
            .arg(&fresh)
            .arg(&own)
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::Impossible(format!(
                "cp of {} to {} ended with {status}",
                fresh.display(),
                own.display()
            ))),
            Err(cause) => Err(Error::File {
                what: "copying firmware variables to",
                path: own,
                cause,
            }),
        }
    }
}
