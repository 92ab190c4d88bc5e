//! Whether a drive lets nobody at what is on it: an ATA password that was not given, or encryption of its own (TCG Opal, Enterprise)
//! that is locked.
//!
//! Used drives come so: every access to such a drive fails, or reads what the drive shows instead of its own first sectors, and none of it
//! is a fault. What is asked only reads, and goes to no drive behind a bridge, which may do anything with a command that it does not
//! know. A SATA drive's own encryption the kernel keeps from being asked (`libata.allow_tpm`).
//!
//! Decoding is pure, and tested over pages made by the standards. An ATA password ran on a disk that is played to the image's kernel;
//! encryption never ran on a device.
//!
//! Source: ACS-4 §9.11.8 (word 128 of IDENTIFY DEVICE); TCG Storage Architecture Core Specification 2.01 §3.3.6 (Level 0 Discovery).

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};
use wire::drive::Bus;

use crate::pass_through::{self, Order, PAGE};
use crate::sysfs::{self, DevNum};
use crate::{System, nvme};

/// What keeps everybody out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// A password.
    #[error(
        "it is locked by an ATA password, so that every access fails, which is no fault of the drive; who knows the password unlocks it \
         with another system (`hdparm --security-unlock PASSWORD DEVICE`, then `--security-disable`)"
    )]
    Password,
    /// A password that was tried too often.
    #[error(
        "it is locked by an ATA password that was given wrong too often; switch the drive off and on before the right one is given with \
         another system (`hdparm --security-unlock PASSWORD DEVICE`, then `--security-disable`)"
    )]
    Exhausted,
    /// Its own encryption.
    #[error(
        "it is locked by its own encryption (TCG Opal or Enterprise), so that accesses fail, which is no fault of the drive; unlock it with \
         another system, or have it forget all it holds by the PSID that is printed on its label (`sedutil-cli \
         --yesIreallywanttoERASEALLmydatausingthePSID PSID DEVICE`)"
    )]
    Encryption,
}

impl Lock {
    /// Asks the drive that `file` has open. `failed`: some of it could not be read, without which only NVMe drives are asked: they may
    /// show something readable instead of what they hold.
    pub fn of(system: &System, file: &File, failed: bool) -> Option<Self> {
        let number = DevNum::from_raw(file.metadata().ok()?.rdev());
        let device = sysfs::read_number(system, number)?;
        let encrypted = |page: &[u8; PAGE]| is_locked(page).then_some(Self::Encryption);
        match device.identity.bus {
            Bus::Nvme => nvme::discovery(file).ok().and_then(|page| encrypted(&page)),
            Bus::Sata if failed => password(&pass_through::page(file, Order::IDENTIFY).ok()?),
            Bus::Scsi if failed && sysfs::speaks_ata(system, number) => {
                password(&pass_through::page(file, Order::IDENTIFY).ok()?)
            }
            Bus::Scsi if failed => pass_through::discovery(file).ok().and_then(|page| encrypted(&page)),
            Bus::Sata | Bus::Scsi | Bus::Usb | Bus::Virtio | Bus::Mmc | Bus::Loop | Bus::Other => None,
        }
    }
}

/// What an IDENTIFY page says of a password.
///
/// ```text
///  word 128   bit 0  it knows passwords      bit 2  it is locked
///             bit 1  one is set              bit 4  too many were tried
/// ```
fn password(page: &[u8; PAGE]) -> Option<Lock> {
    const LOCKED: u16 = 0b111;
    let word = u16::from_le_bytes([page[256], page[257]]);
    let exhausted = word >> 4 & 1 == 1;
    // A page of ones is no page.
    (word & LOCKED == LOCKED && word != u16::MAX).then_some(if exhausted { Lock::Exhausted } else { Lock::Password })
}

/// Whether a page of Level 0 Discovery tells that a range of the drive is locked.
///
/// ```text
///  0    length behind it, u32      48   descriptors: code u16, version, length u8, so many bytes
///                                       0002h, Locking: bit 1 enabled, bit 2 locked
/// ```
fn is_locked(page: &[u8; PAGE]) -> bool {
    const HEADER: usize = 48;
    const LOCKING: u16 = 2;
    let length = u32::from_be_bytes([page[0], page[1], page[2], page[3]]);
    let end = usize::try_from(length).map_or(PAGE, |length| length.saturating_add(4).min(PAGE));
    let mut rest = page.get(HEADER..end).unwrap_or_default();
    while let [c1, c0, _version, length, body @ ..] = rest {
        let length = usize::from(*length);
        if u16::from_be_bytes([*c1, *c0]) == LOCKING {
            return body
                .first()
                .is_some_and(|flags| length > 0 && flags >> 1 & 0b11 == 0b11);
        }
        rest = body.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn identify(word: u16) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[256..258].copy_from_slice(&word.to_le_bytes());
        page
    }

    #[test]
    fn a_password_locks_a_drive_only_where_one_is_set_and_was_not_given() {
        // As smartctl words them: disabled, frozen; enabled and not locked, at either level; locked; locked and tried too often.
        for (word, told) in [
            (0x0000, None),
            (0x0009, None),
            (0x0021, None),
            (0x0003, None),
            (0x010b, None),
            (0x0007, Some(Lock::Password)),
            (0x0127, Some(Lock::Password)),
            (0x0037, Some(Lock::Exhausted)),
            (0xffff, None),
        ] {
            assert_eq!(password(&identify(word)), told, "{word:#06x}");
        }
    }

    /// A page with these features.
    fn discovered(features: &[(u16, &[u8])]) -> [u8; PAGE] {
        let mut bytes = vec![0_u8; 48];
        for (code, body) in features {
            bytes.extend(code.to_be_bytes());
            bytes.extend([0x10, body.len() as u8]);
            bytes.extend(*body);
        }
        let length = bytes.len() as u32 - 4;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes.resize(PAGE, 0);
        bytes.try_into().unwrap()
    }

    #[test]
    fn encryption_locks_a_drive_where_its_locking_feature_says_so() {
        let tper: (u16, &[u8]) = (1, &[0x11; 12]);
        let opal: (u16, &[u8]) = (0x203, &[0x0e; 16]);
        for (flags, locked) in [
            (0x09, false),
            (0x0b, false),
            (0x0d, false),
            (0x0f, true),
            (0x3f, true),
            (0x1f, true),
        ] {
            let mut body = [0; 12];
            body[0] = flags;
            assert_eq!(is_locked(&discovered(&[tper, (2, &body), opal])), locked, "{flags:#x}");
        }
        assert!(!is_locked(&discovered(&[tper, opal])), "it has no such feature");
        assert!(!is_locked(&[0; PAGE]));
        assert!(!is_locked(&discovered(&[(2, &[])])), "a feature without flags");
        // What stands behind the length that it tells is none of it.
        let mut cut = discovered(&[tper, (2, &[0x0f])]);
        cut[3] = 48 + 12;
        assert!(!is_locked(&cut));
    }

    proptest! {
        #[test]
        fn any_page_is_decoded(bytes in prop::collection::vec(any::<u8>(), PAGE)) {
            let page: [u8; PAGE] = bytes.try_into().unwrap();
            let _ = (is_locked(&page), password(&page));
        }
    }

    #[test]
    fn what_is_no_drive_is_not_locked() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Lock::of(&System::default(), &file, true), None);
    }
}
