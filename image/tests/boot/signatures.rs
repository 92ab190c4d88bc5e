//! What can stand on a drive, written into its file on the host: just what libblkid needs to know it, checksums
//! included. Only ext4, swap and bcache must be complete, because the guest's kernel really mounts, swaps to and runs them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

/// Size of every drive here, in MiB: below it libblkid does not look for ZFS.
pub(crate) const MIB: u64 = 64;

const UUID: [u8; 16] = *b"kilnkilnkilnkiln";

fn put(path: &Path, offset: u64, bytes: &[u8]) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(bytes, offset)
        .unwrap();
}

fn le(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    buffer[at..at + bytes.len()].copy_from_slice(bytes);
}

/// An ext4 file system that can be mounted, `offset` bytes into the drive.
pub(crate) fn ext4(path: &Path, offset: u64) {
    let blocks = ((MIB << 20) - offset) / 4096;
    let status = Command::new("mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-L",
            "photos",
            "-E",
            &format!("offset={offset}"),
        ])
        .arg(path)
        .arg(blocks.to_string())
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .status()
        .unwrap();
    assert!(status.success(), "mke2fs: {status}");
}

/// An MBR with one Linux partition from 1 MiB to the end.
pub(crate) fn one_partition(path: &Path) {
    let sectors = ((MIB << 20) / 512 - 2048) as u32;
    let mut mbr = [0_u8; 512];
    le(&mut mbr, 446 + 4, &[0x83]);
    le(&mut mbr, 446 + 8, &2048_u32.to_le_bytes());
    le(&mut mbr, 446 + 12, &sectors.to_le_bytes());
    le(&mut mbr, 510, &[0x55, 0xaa]);
    put(path, 0, &mbr);
}

/// A swap space over the whole drive.
pub(crate) fn swap(path: &Path) {
    let mut page = [0_u8; 4096];
    le(&mut page, 1024, &1_u32.to_le_bytes());
    le(&mut page, 1028, &((MIB << 20) as u32 / 4096 - 1).to_le_bytes());
    le(&mut page, 1036, &UUID);
    le(&mut page, 4086, b"SWAPSPACE2");
    put(path, 0, &page);
}

/// An LVM physical volume: the label in sector 1 with its CRC (reflected 0xEDB88320, LVM's own start value).
pub(crate) fn lvm(path: &Path) {
    let mut label = [0_u8; 512];
    le(&mut label, 0, b"LABELONE");
    le(&mut label, 8, &1_u64.to_le_bytes());
    le(&mut label, 20, &32_u32.to_le_bytes());
    le(&mut label, 24, b"LVM2 001");
    le(&mut label, 32, b"kilnkilnkilnkilnkilnkilnkilnkiln");
    let crc = reflected(0xedb8_8320, 0xf597_a6cf, &label[20..]);
    le(&mut label, 16, &crc.to_le_bytes());
    put(path, 512, &label);
}

/// A LUKS 1 header, as far as it says what it is.
pub(crate) fn luks(path: &Path) {
    let mut header = [0_u8; 592];
    le(&mut header, 0, b"LUKS\xba\xbe\0\x01");
    le(&mut header, 168, b"6b696c6e-6b69-4c6e-8b69-6c6e6b696c6e\0");
    put(path, 0, &header);
}

/// A member of an md array that is not running: superblock 1.2 at 4 KiB.
pub(crate) fn md(path: &Path) {
    let mut sb = [0_u8; 260];
    le(&mut sb, 0, &0xa92b_4efc_u32.to_le_bytes());
    le(&mut sb, 4, &1_u32.to_le_bytes());
    le(&mut sb, 16, &UUID);
    le(&mut sb, 32, b"kiln:old");
    le(&mut sb, 72, &1_u32.to_le_bytes());
    le(&mut sb, 80, &16_384_u64.to_le_bytes());
    le(&mut sb, 92, &2_u32.to_le_bytes());
    le(&mut sb, 128, &2048_u64.to_le_bytes());
    le(&mut sb, 136, &16_384_u64.to_le_bytes());
    le(&mut sb, 144, &8_u64.to_le_bytes());
    le(&mut sb, 220, &2_u32.to_le_bytes());
    le(&mut sb, 256, &[0, 0, 1, 0]);
    let sum: u64 = sb
        .chunks_exact(4)
        .map(|w| u64::from(u32::from_le_bytes([w[0], w[1], w[2], w[3]])))
        .sum();
    let folded = ((sum & 0xffff_ffff) + (sum >> 32)) as u32;
    le(&mut sb, 216, &folded.to_le_bytes());
    put(path, 4096, &sb);
}

/// A btrfs superblock at 64 KiB with its CRC-32C.
pub(crate) fn btrfs(path: &Path) {
    let mut sb = vec![0_u8; 4096];
    le(&mut sb, 32, &UUID);
    le(&mut sb, 48, &65_536_u64.to_le_bytes());
    le(&mut sb, 64, b"_BHRfS_M");
    le(&mut sb, 72, &1_u64.to_le_bytes());
    le(&mut sb, 112, &(MIB << 20).to_le_bytes());
    le(&mut sb, 136, &2_u64.to_le_bytes());
    le(&mut sb, 144, &4096_u32.to_le_bytes());
    le(&mut sb, 148, &16_384_u32.to_le_bytes());
    let crc = !reflected(0x82f6_3b78, !0, &sb[32..]);
    le(&mut sb, 0, &crc.to_le_bytes());
    put(path, 65_536, &sb);
}

/// A btrfs over two drives that can be mounted; both files exist, and grow to what mkfs.btrfs wants at least.
pub(crate) fn btrfs_of_two(one: &Path, other: &Path) {
    for path in [one, other] {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(256 << 20)
            .unwrap();
    }
    let status = Command::new("mkfs.btrfs")
        .args(["-q", "-f", "-m", "raid1", "-d", "raid1"])
        .args([one, other])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .status()
        .unwrap();
    assert!(status.success(), "mkfs.btrfs: {status}");
}

/// A bcache backing device that the kernel runs: superblock at 4 KiB with its CRC-64.
pub(crate) fn bcache(path: &Path) {
    let mut sb = [0_u8; 208];
    le(&mut sb, 8, &8_u64.to_le_bytes());
    le(&mut sb, 16, &1_u64.to_le_bytes());
    le(
        &mut sb,
        24,
        &[
            0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
        ],
    );
    le(&mut sb, 40, &UUID);
    // Sectors a block: the kernel takes none that is smaller than the device's own.
    le(&mut sb, 192, &8_u16.to_le_bytes());
    let mut crc = !0_u64;
    for byte in &sb[8..] {
        crc ^= u64::from(*byte) << 56;
        for _ in 0..8 {
            crc = if crc >> 63 == 1 {
                crc << 1 ^ 0x42f0_e1eb_a9ea_3693
            } else {
                crc << 1
            };
        }
    }
    le(&mut sb, 0, &(!crc).to_le_bytes());
    put(path, 4096, &sb);
}

/// ZFS labels: uberblocks in the first of the four labels.
pub(crate) fn zfs(path: &Path) {
    for n in 0..8_u64 {
        let mut uberblock = [0_u8; 32];
        le(&mut uberblock, 0, &0x00ba_b10c_u64.to_le_bytes());
        le(&mut uberblock, 8, &5000_u64.to_le_bytes());
        put(path, (128 << 10) + n * 1024, &uberblock);
    }
}

/// A reflected CRC of 32 bits, without the final inversion.
fn reflected(polynomial: u32, start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 }
        })
    })
}

/// The host's own libblkid knows each of them for what it is meant to be.
#[test]
fn blkid_knows_every_signature() {
    type Maker = fn(&Path);
    let makers: [(Maker, &str); 9] = [
        (|p| ext4(p, 0), "ext4"),
        (swap, "swap"),
        (lvm, "LVM2_member"),
        (luks, "crypto_LUKS"),
        (md, "linux_raid_member"),
        (btrfs, "btrfs"),
        (bcache, "bcache"),
        (zfs, "zfs_member"),
        (one_partition, "dos"),
    ];
    for (make, kind) in makers {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MIB << 20).unwrap();
        make(file.path());
        let output = Command::new("blkid")
            .args(["-p", "-o", "export"])
            .arg(file.path())
            .env("PATH", "/usr/sbin:/sbin:/usr/bin")
            .output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        assert!(said.contains(&format!("TYPE={kind}\n")), "{kind}: {said:?}");
    }
}
