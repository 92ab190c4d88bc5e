//! Whether a request can be meant: labels that the file system takes, shares that make sense.

use wire::options::{FileSystem, FormatRequest};
use wire::shown::is_hidden;

/// Largest share kept back for root, in percent. Source: mke2fs(8) takes at most 50.
const RESERVED_MAX: u8 = 50;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The label is too long.
    #[error("label: {length} {unit}; {filesystem} takes at most {most}")]
    LongLabel {
        /// Its length.
        length: usize,
        /// Bytes or characters.
        unit: &'static str,
        /// The file system.
        filesystem: &'static str,
        /// What it takes.
        most: usize,
    },
    /// The label holds something that no label may.
    #[error("label: {found:?} is not allowed; expected printable characters without `/` and `\\`")]
    BadLabel {
        /// The character.
        found: char,
    },
    /// The label begins or ends with a blank.
    #[error("label: it begins or ends with a blank, which the tools that read labels leave out")]
    Blank,
    /// There is no file system to bear it.
    #[error("label: a partition without a file system has none; leave it empty")]
    NoLabel,
    /// Too much is kept back.
    #[error("reserved_percent: {0}; ext4 takes 0 to {RESERVED_MAX}")]
    Reserved(u8),
    /// The file system keeps nothing back.
    #[error("reserved_percent: {0} keeps nothing back for root; expected 0")]
    NoReserve(&'static str),
}

/// Name of a file system as its tools call it.
pub(super) fn name(filesystem: FileSystem) -> &'static str {
    match filesystem {
        FileSystem::Ext4 => "ext4",
        FileSystem::Xfs => "xfs",
        FileSystem::Btrfs => "btrfs",
        FileSystem::Exfat => "exfat",
        FileSystem::Swap => "swap",
        FileSystem::Raw => "raw",
    }
}

/// Whether the request can be met by some drive, whatever its size.
///
/// # Errors
/// Which field is wrong, and what is expected.
pub fn check(request: &FormatRequest) -> Result<(), BadRequest> {
    let filesystem = request.filesystem;
    match (filesystem, request.reserved_percent) {
        (_, 0) => {}
        (FileSystem::Ext4, percent) if percent > RESERVED_MAX => return Err(BadRequest::Reserved(percent)),
        (FileSystem::Ext4, _) => {}
        (other, _) => return Err(BadRequest::NoReserve(name(other))),
    }
    let label = request.label.as_str();
    if label.is_empty() {
        return Ok(());
    }
    if let Some(found) = label.chars().find(|c| is_hidden(*c) || matches!(c, '/' | '\\')) {
        return Err(BadRequest::BadLabel { found });
    }
    // It would be formatted, read back without the blank, and told as a failure.
    if label.trim() != label {
        return Err(BadRequest::Blank);
    }
    // Sources: mke2fs(8), mkfs.xfs(8), btrfs-filesystem(8), exFAT specification §7.3, mkswap (16 bytes with the NUL).
    let (length, unit, most) = match filesystem {
        FileSystem::Ext4 => (label.len(), "bytes", 16),
        FileSystem::Xfs => (label.len(), "bytes", 12),
        // mkfs.btrfs 6.2 keeps 254 of the 255.
        FileSystem::Btrfs => (label.len(), "bytes", 254),
        FileSystem::Exfat => (label.encode_utf16().count(), "UTF-16 units", 11),
        FileSystem::Swap => (label.len(), "bytes", 15),
        FileSystem::Raw => return Err(BadRequest::NoLabel),
    };
    if length > most {
        return Err(BadRequest::LongLabel {
            length,
            unit,
            filesystem: name(filesystem),
            most,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashMap;

    use super::*;

    fn request(filesystem: FileSystem, label: &str, reserved_percent: u8) -> FormatRequest {
        FormatRequest {
            table: wire::options::Table::default(),
            filesystem,
            reserved_percent,
            label: label.to_owned(),
        }
    }

    #[test]
    fn limits_are_the_file_systems_own() {
        use FileSystem::{Btrfs, Exfat, Ext4, Raw, Swap, Xfs};
        // The form of the dashboard offers the same.
        let cases = include_str!("../../../wire/cases/labels.json");
        let cases: HashMap<FileSystem, usize> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 6);
        for (filesystem, most) in cases {
            assert_eq!(check(&request(filesystem, &"a".repeat(most), 0)), Ok(()));
            let told = check(&request(filesystem, &"a".repeat(most + 1), 0)).unwrap_err();
            let due = match filesystem {
                Raw => BadRequest::NoLabel.to_string(),
                Ext4 | Xfs | Btrfs | Exfat | Swap => format!(" at most {most}"),
            };
            assert!(told.to_string().ends_with(&due), "{told}");
        }
        assert!(
            check(&request(Ext4, "üüüüüüüüü", 0)).is_err(),
            "bytes count, not characters"
        );
        assert_eq!(check(&request(Exfat, "üüüüüüüüüüü", 0)), Ok(()));
        assert_eq!(check(&request(Raw, "x", 0)), Err(BadRequest::NoLabel));
        for label in ["a/b", "a\nb", "a\0", "a\\b"] {
            assert!(check(&request(Ext4, label, 0)).is_err(), "{label:?}");
        }
        for label in ["abc ", " abc", " ", "a\u{a0}"] {
            assert_eq!(check(&request(Ext4, label, 0)), Err(BadRequest::Blank), "{label:?}");
            assert_eq!(check(&request(Swap, label, 0)), Err(BadRequest::Blank), "{label:?}");
        }
        assert_eq!(check(&request(Ext4, "a b", 0)), Ok(()));
        for percent in [0, 2, 50] {
            assert_eq!(check(&request(Ext4, "", percent)), Ok(()));
        }
        assert_eq!(check(&request(Ext4, "", 51)), Err(BadRequest::Reserved(51)));
        assert_eq!(check(&request(Xfs, "", 2)), Err(BadRequest::NoReserve("xfs")));
    }
}
