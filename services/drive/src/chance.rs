//! What libblkid takes for a file system by two bytes alone, where the rest of its header cannot be one.
//!
//! Random data, and a burn-in's pattern is such, holds two given bytes once in 65,536 drives. A burn-in that ended well was not formatted for
//! that, since "hfsplus" had been put on its drive meanwhile. Of 213,037 random images libblkid 2.38 named ten so, and five a
//! RAID of `JMicron`, whose checksum later ones look at.

use std::io;

use crate::window::Window;

/// Where HFS Plus has its volume header, and ext2 and its successors their superblock.
const HEADER: u64 = 1024;

/// Whether what libblkid calls `kind` is none: of a version that never was.
///
/// ```text
///  HFS Plus            ext2, ext3, ext4 and their journals
///  1024   "H+", "HX"   1024+56   magic, 2 bytes
///    +2   4, 5         1024+76   revision, 4 bytes, little-endian: 0 or 1
/// ```
///
/// Source: Apple's Technical Note TN1150, "Volume Header"; `fs/ext4/ext4.h`, `EXT4_GOOD_OLD_REV` and `EXT4_DYNAMIC_REV`. The kernel writes
/// to no other.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn is_chance(kind: &str, window: Window<'_>) -> io::Result<bool> {
    Ok(match kind {
        "hfsplus" => match window.read::<4>(HEADER)? {
            Some([b'H', b'+', high, low]) => [high, low] != [0, 4],
            Some([b'H', b'X', high, low]) => [high, low] != [0, 5],
            // One that is wrapped in an HFS has its header elsewhere.
            Some(_) | None => false,
        },
        "ext2" | "ext3" | "ext4" | "ext4dev" | "jbd" => {
            let revision = window.read::<4>(HEADER + 76)?;
            revision.is_some_and(|revision| u32::from_le_bytes(revision) > 1)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::FileExt;

    use wire::drive::Content;

    use crate::content::look;

    /// What a look tells of 64 MiB whose third sector, of nothing else that says anything, holds these bytes.
    fn told(bytes: &[(usize, &[u8])]) -> Content {
        let size = 64 << 20;
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        let mut header = vec![0xA7; 512];
        for (at, bytes) in bytes {
            header[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        file.write_all_at(&header, 1024).unwrap();
        look(&file, size, 512).unwrap().content
    }

    fn is(content: &Content, what: &str) -> bool {
        matches!(content, Content::Found { signatures, .. } if signatures[0].kind.starts_with(what))
    }

    #[test]
    fn two_bytes_of_random_data_are_no_file_system() {
        for (signature, version) in [(b"H+", 4_u16), (b"HX", 5)] {
            let hfsplus = |version: u16| told(&[(0, signature), (2, &version.to_be_bytes())]);
            assert!(is(&hfsplus(version), "hfsplus"), "{version}");
            for other in [0, version ^ 1, 0xA7A7] {
                let told = hfsplus(other);
                assert!(!matches!(told, Content::Found { .. }), "{other}: {told:?}");
            }
        }
        // Of no feature that has a checksum.
        let ext = |revision: u32| told(&[(56, &[0x53, 0xEF]), (76, &revision.to_le_bytes()), (92, &[0; 12])]);
        assert!(is(&ext(1), "ext"), "{:?}", ext(1));
        for other in [2, 0xA7A7_A7A7] {
            assert!(
                !matches!(ext(other), Content::Found { .. }),
                "{other}: {:?}",
                ext(other)
            );
        }
    }
}
