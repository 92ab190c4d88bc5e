//! Thirty-odd images, made by the tools that make the real thing: what this crate reads from each is what `blkid -p`
//! prints, for the whole image and for every partition.
//!
//! An image whose tool is missing is counted and named in the last line; on a machine after `scripts/setup` none is.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use drive::blkid::{Outcome, Probe, Values};
use drive::content::{ContentKind, look};
use wire::drive::Content;

/// One image: name, size in MiB, the shell that makes it in `$F` (tools needed: the first word of each line), what blkid
/// must call it (checked besides the equality, so that two wrong answers do not pass), and whether it belongs to more.
struct Image {
    name: &'static str,
    mib: u64,
    make: &'static str,
    kind: &'static str,
    member: Option<ContentKind>,
}

const fn plain(name: &'static str, mib: u64, make: &'static str, kind: &'static str) -> Image {
    Image {
        name,
        mib,
        make,
        kind,
        member: None,
    }
}

const fn member(name: &'static str, make: &'static str, kind: &'static str, member: ContentKind) -> Image {
    Image {
        name,
        mib: 64,
        make,
        kind,
        member: Some(member),
    }
}

/// Instead of a script: the tool would need a block device, so [`by_hand`] writes the superblock.
const BY_HAND: &str = "";

const IMAGES: &[Image] = &[
    plain("empty", 8, "true", ""),
    plain(
        "noise",
        8,
        "dd if=/dev/zero bs=1M count=8 status=none | tr '\\0' 'k' > $F",
        "",
    ),
    plain("ext2", 16, "mke2fs -q -t ext2 -L old $F", "ext2"),
    plain("ext3", 16, "mke2fs -q -t ext3 $F", "ext3"),
    plain("ext4", 16, "mke2fs -q -t ext4 -L photos $F", "ext4"),
    member(
        "ext4-journal",
        "mke2fs -q -O journal_dev $F",
        "jbd",
        ContentKind::Journal,
    ),
    plain("xfs", 320, "mkfs.xfs -q -L xdata $F", "xfs"),
    plain("btrfs", 128, "mkfs.btrfs -q -L bdata $F", "btrfs"),
    plain("fat12", 1, "mkfs.vfat -F 12 -n TINY $F", "vfat"),
    plain("fat16", 16, "mkfs.vfat -F 16 $F", "vfat"),
    plain("fat32", 64, "mkfs.vfat -F 32 -n STICK $F", "vfat"),
    plain("exfat", 16, "mkfs.exfat -L camera $F", "exfat"),
    plain("ntfs", 16, "mkntfs -q -F -f -L windows $F", "ntfs"),
    plain("swap", 8, "mkswap -L swappy $F", "swap"),
    plain("f2fs", 128, "mkfs.f2fs -q -l flash $F", "f2fs"),
    plain("jfs", 32, "mkfs.jfs -q -L jay $F", "jfs"),
    plain("nilfs2", 160, "mkfs.nilfs2 -q -L nil $F", "nilfs2"),
    plain("udf", 16, "mkudffs -b 512 -l disc $F", "udf"),
    plain("minix", 8, "mkfs.minix $F", "minix"),
    plain(
        "cramfs",
        1,
        "mkdir -p $D/tree && echo x > $D/tree/f && rm $F && mkfs.cramfs -n crammed $D/tree $F && truncate -s 1M $F",
        "cramfs",
    ),
    plain("bfs", 8, "mkfs.bfs $F", "bfs"),
    plain(
        "squashfs",
        1,
        "mkdir -p $D/tree && echo x > $D/tree/f && mksquashfs $D/tree $F -noappend -quiet -no-progress",
        "squashfs",
    ),
    plain(
        "erofs",
        1,
        "mkdir -p $D/tree && echo x > $D/tree/f && rm $F && mkfs.erofs $F $D/tree",
        "erofs",
    ),
    plain(
        "iso9660",
        1,
        "mkdir -p $D/tree && echo x > $D/tree/f && genisoimage -quiet -V DISC -o $F $D/tree",
        "iso9660",
    ),
    member("lvm2", BY_HAND, "LVM2_member", ContentKind::Lvm),
    member(
        "luks1",
        "echo pw | cryptsetup -q luksFormat --type luks1 --iter-time 1 --key-size 256 $F",
        "crypto_LUKS",
        ContentKind::Luks,
    ),
    member(
        "luks2",
        "echo pw | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label vault $F",
        "crypto_LUKS",
        ContentKind::Luks,
    ),
    member("md-0.90", BY_HAND, "linux_raid_member", ContentKind::Md),
    member("md-1.0", BY_HAND, "linux_raid_member", ContentKind::Md),
    member("md-1.1", BY_HAND, "linux_raid_member", ContentKind::Md),
    member("md-1.2", BY_HAND, "linux_raid_member", ContentKind::Md),
    member("bcache", "make-bcache -B $F", "bcache", ContentKind::Bcache),
    member("zfs", BY_HAND, "zfs_member", ContentKind::Zfs),
    member(
        "btrfs-two",
        "truncate -s 128M $F $D/second && mkfs.btrfs -q -d raid1 -m raid1 $F $D/second",
        "btrfs",
        ContentKind::Btrfs,
    ),
    // One device says of itself that there is one: those that grow from it are elsewhere.
    member(
        "btrfs-seed",
        "truncate -s 128M $F && mkfs.btrfs -q $F && btrfstune -S 1 -f $F",
        "btrfs",
        ContentKind::Btrfs,
    ),
    member(
        "f2fs-two",
        "truncate -s 128M $F $D/second && mkfs.f2fs -q -c $D/second $F",
        "f2fs",
        ContentKind::Pool,
    ),
    member(
        "xfs-realtime",
        "truncate -s 320M $F && truncate -s 64M $D/second && mkfs.xfs -q -f -r rtdev=$D/second $F",
        "xfs",
        ContentKind::Pool,
    ),
    plain("apfs", 64, BY_HAND, "apfs"),
    member("apfs-fusion", BY_HAND, "apfs", ContentKind::Pool),
    member("ceph", BY_HAND, "ceph_bluestore", ContentKind::Ceph),
    member("drbd", BY_HAND, "drbd", ContentKind::Drbd),
    member("vmfs-member", BY_HAND, "VMFS_volume_member", ContentKind::Vmfs),
    member("vmfs", BY_HAND, "VMFS", ContentKind::Vmfs),
    member("oracle-asm", BY_HAND, "oracleasm", ContentKind::Asm),
    member("snapshot", BY_HAND, "DM_snapshot_cow", ContentKind::DeviceMapper),
    plain(
        "dos",
        64,
        "printf 'label: dos\\n,16M,83\\n,16M,82\\n,,5\\n,8M,c\\n' | sfdisk -q $F",
        "dos",
    ),
    plain(
        "gpt",
        64,
        "sgdisk -Z -o -n 1:0:+16M -c 1:system -t 1:ef00 -n 2:0:+16M -c 2:home $F",
        "gpt",
    ),
    plain(
        "gpt-filled",
        128,
        "sgdisk -o -n 1:2048:+32M -c 1:EFI -n 2:0:+32M -c 2:root $F && mkfs.vfat -n ESP --offset 2048 $F 32768 && mke2fs -q -t ext4 -L root -E offset=34603008 $F 32M",
        "gpt",
    ),
    plain("sun", 64, "printf 'label: sun\\n,16M,83\\n' | sfdisk -q $F", "sun"),
    plain("sgi", 64, "printf 'label: sgi\\n' | sfdisk -q $F", "sgi"),
];

/// Superblocks that need a block device to be made by their own tool are written here, byte by byte.
fn by_hand(name: &str, file: &File, size: u64) {
    let put = |at: u64, bytes: &[u8]| file.write_all_at(bytes, at).unwrap();
    match name {
        // LVM2 label in sector 1: `struct label_header` with its CRC over bytes 20 to 512, and the physical volume's id.
        "lvm2" => {
            let mut sector = [0_u8; 512];
            sector[..8].copy_from_slice(b"LABELONE");
            sector[8..16].copy_from_slice(&1_u64.to_le_bytes());
            sector[20..24].copy_from_slice(&32_u32.to_le_bytes());
            sector[24..32].copy_from_slice(b"LVM2 001");
            sector[32..64].copy_from_slice(b"abcdefABCDEFghijGHIJklmnKLMNopqr");
            sector[64..72].copy_from_slice(&size.to_le_bytes());
            let sum = lvm_crc(&sector[20..]);
            sector[16..20].copy_from_slice(&sum.to_le_bytes());
            put(512, &sector);
        }
        // md 0.90 at the last 64 KiB boundary but one; 1.0 at 8 KiB before the end; 1.1 at the start; 1.2 at 4 KiB.
        "md-0.90" => {
            let at = (size & !0xFFFF) - 0x1_0000;
            let mut block = vec![0_u8; 4096];
            for (word, value) in [
                (0, 0xA92B_4EFC_u32),
                (1, 0),
                (2, 90),
                (5, 0x1111_2222),
                (7, 1),
                (8, 1000),
                (9, 2),
            ] {
                block[word * 4..][..4].copy_from_slice(&value.to_le_bytes());
            }
            put(at, &block);
        }
        "md-1.0" => put((size / 512 - 16) / 8 * 8 * 512, &md1((size / 512 - 16) / 8 * 8)),
        "md-1.1" => put(0, &md1(0)),
        "md-1.2" => put(4096, &md1(8)),
        // Uberblocks of ZFS label 0: 128 KiB into the device, one each KiB; blkid wants several.
        "zfs" => {
            for label in [0, 256 << 10, size - (512 << 10), size - (256 << 10)] {
                for n in 0..128 {
                    let mut uberblock = [0_u8; 168];
                    uberblock[..8].copy_from_slice(&0x00BA_B10C_u64.to_le_bytes());
                    uberblock[8..16].copy_from_slice(&5000_u64.to_le_bytes());
                    uberblock[16..24].copy_from_slice(&(n + 1_u64).to_le_bytes());
                    put(label + (128 << 10) + n * 1024, &uberblock);
                }
            }
        }
        // Magics, where libblkid asks for no more. Source: `libblkid/src/superblocks/` of util-linux.
        "ceph" => put(0, b"bluestore block device\n"),
        "vmfs-member" => put(1 << 20, b"\x0d\xd0\x01\xc0"),
        "vmfs" => put(2 << 20, b"\x5e\xf1\xab\x2f"),
        "oracle-asm" => put(32, b"ORCLDISKDATA1"),
        "snapshot" => put(0, b"SnAp\x01\0\0\0\x01\0\0\0\x08\0\0\0"),
        // `nx_superblock_t`: type of the object, magic, size of a block, and that it knows of two tiers. Source: Apple File System Reference.
        "apfs" | "apfs-fusion" => {
            put(24, &1_u16.to_le_bytes());
            put(32, b"NXSB");
            put(36, &4096_u32.to_le_bytes());
            put(64, &(if name == "apfs" { 2_u64 } else { 0x102 }).to_le_bytes());
            put(72, b"abcdefghijklmnop");
        }
        // `struct md_on_disk_08` in the last 4 KiB: size, device's UUID, magic, its own sectors, bytes for a bit of the map.
        "drbd" => {
            let at = size - 4096;
            put(at, &1000_u64.to_be_bytes());
            put(at + 40, b"abcdefgh");
            put(at + 60, &0x8374_026b_u32.to_be_bytes());
            put(at + 64, &8_u32.to_be_bytes());
            put(at + 76, &4096_u32.to_be_bytes());
        }
        other => panic!("{other} has no superblock by hand"),
    }
}

/// md 1.x superblock that says it lies at sector `at`. Source: `struct mdp_superblock_1` in `linux/raid/md_p.h`.
fn md1(at: u64) -> Vec<u8> {
    let mut block = vec![0_u8; 4096];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xA92B_4EFC_u32.to_le_bytes());
    put(4, &1_u32.to_le_bytes());
    put(16, b"0123456789abcdef");
    put(32, b"box:store");
    put(72, &1_u32.to_le_bytes());
    put(80, &100_000_u64.to_le_bytes());
    put(92, &2_u32.to_le_bytes());
    put(128, &2048_u64.to_le_bytes());
    put(136, &100_000_u64.to_le_bytes());
    put(144, &at.to_le_bytes());
    put(168, b"fedcba9876543210");
    put(220, &2_u32.to_le_bytes());
    // Checksum: sum of the 32-bit words over 256 bytes and two bytes a device, with its own field as zero.
    let mut sum: u64 = block[..256]
        .chunks(4)
        .map(|w| u64::from(u32::from_le_bytes(w.try_into().unwrap())))
        .sum();
    sum += block[256..260]
        .chunks(2)
        .map(|w| u64::from(u16::from_le_bytes(w.try_into().unwrap())))
        .sum::<u64>();
    let sum = (sum & 0xFFFF_FFFF).wrapping_add(sum >> 32) as u32;
    block[216..220].copy_from_slice(&sum.to_le_bytes());
    block
}

/// LVM's CRC-32: the usual polynomial, starting from 0xf597a6cf, not inverted. Source: `lib/misc/crc.c`.
fn lvm_crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xF597_A6CF, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// What `blkid -p` prints about `size` bytes from `offset`; ambivalent is `None`.
fn blkid(path: &Path, offset: u64, size: u64) -> Option<Values> {
    let output = Command::new("blkid")
        .args(["-p", "-o", "export", "-O", &offset.to_string(), "-S", &size.to_string()])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    match output.status.code() {
        Some(8) => None,
        Some(0 | 2) => Some(
            String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .filter_map(|line| line.split_once('='))
                .filter(|(name, _)| *name != "DEVNAME")
                .map(|(name, value)| (name.to_owned(), value.replace('\\', "")))
                .collect(),
        ),
        code => panic!("blkid -p {}: {code:?}", path.display()),
    }
}

fn ours(file: &File, offset: u64, size: u64) -> Option<Values> {
    match Probe::new(file, offset, size, 512).unwrap().safe().unwrap() {
        Outcome::Nothing => Some(BTreeMap::new()),
        Outcome::Found(values) => Some(values.into_iter().map(|(n, v)| (n, v.replace('\\', ""))).collect()),
        Outcome::Ambivalent => None,
    }
}

/// Makes the image; false if its tool is not there.
fn make(image: &Image, dir: &Path, path: &Path) -> bool {
    let size = image.mib << 20;
    let file = File::create_new(path).unwrap();
    file.set_len(size).unwrap();
    if image.make == BY_HAND {
        by_hand(image.name, &file, size);
        return true;
    }
    let output = Command::new("sh")
        .args(["-euc", image.make])
        .env("F", path)
        .env("D", dir)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => true,
        Some(127) => false,
        code => panic!("{}: {code:?}: {}", image.name, String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn what_is_read_from_each_image_is_what_blkid_prints() {
    let mut read = 0;
    let mut missing = Vec::new();
    for image in IMAGES {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        if !make(image, dir.path(), &path) {
            missing.push(image.name);
            continue;
        }
        let file = File::open(&path).unwrap();
        let size = file.metadata().unwrap().len();
        let whole = ours(&file, 0, size);
        assert_eq!(whole, blkid(&path, 0, size), "{}", image.name);
        let found = whole.unwrap();
        let kind = found
            .get("TYPE")
            .or_else(|| found.get("PTTYPE"))
            .map_or("", String::as_str);
        assert_eq!(kind, image.kind, "{}", image.name);
        for partition in Probe::new(&file, 0, size, 512).unwrap().partitions().unwrap() {
            let (start, length) = (partition.start, partition.size);
            assert_eq!(
                ours(&file, start, length),
                blkid(&path, start, length),
                "{}, partition {}",
                image.name,
                partition.number
            );
        }
        let seen = look(&file, size, 512).unwrap();
        assert_eq!(
            matches!(seen.content, Content::Empty),
            image.kind.is_empty(),
            "{}: {seen:?}",
            image.name
        );
        let members: Vec<ContentKind> = seen.members.iter().map(|member| member.kind).collect();
        assert_eq!(members, Vec::from_iter(image.member), "{}: {seen:?}", image.name);
        assert!(!seen.kiln, "{}", image.name);
        read += 1;
    }
    if !missing.is_empty() {
        rig::not_run(&format!("blkid images for want of their tools: {missing:?}"));
    }
    assert!(read >= 30, "only {read} images; missing tools for {missing:?}");
}

/// A disk on which something stands that the table, as libblkid reads it here, does not name, and what is to be found all the same.
struct Hidden {
    name: &'static str,
    /// `$F`: 64 MiB. `$F.luks`: a container of 4 MiB.
    make: &'static str,
    members: &'static [(u32, ContentKind)],
    kiln: bool,
}

const HIDDEN: &[Hidden] = &[
    Hidden {
        name: "a partition that reaches beyond the device",
        make: "printf 'label: dos\n2048,120000\n' | sfdisk -q $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc; truncate -s 48M $F",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "a table in a partition beyond the device",
        make: "printf 'label: dos\\n2048,16384\\n65536,40000,82\\n' | sfdisk -q $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc; truncate -s 24M $F",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "a GPT of a larger device",
        make: "printf 'label: gpt\n2048,120000\n' | sfdisk -q $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc; truncate -s 48M $F",
        members: &[(0, ContentKind::Unseen)],
        kiln: false,
    },
    Hidden {
        name: "a GPT in sectors of 4096 bytes",
        make: "printf 'g\nn\n1\n256\n12000\nw\n' | fdisk -w always -b 4096 $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "an MBR in sectors of 4096 bytes",
        make: "printf 'o\nn\np\n1\n256\n12000\nw\n' | fdisk -w always -b 4096 $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "an MBR in sectors of 4096 bytes over an older file system",
        make: "mkfs.ext4 -q -E offset=1048576 $F 8M; printf 'o\\nn\\np\\n1\\n2048\\n12000\\nw\\n' | fdisk -w always -W never -b 4096 $F; dd if=$F.luks of=$F bs=1M seek=8 conv=notrunc",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "a cut GPT over an older image of a disc",
        make: "printf 'label: gpt\\n2048,120000\\n' | sfdisk -q $F; printf '\\001CD001\\001\\000' | dd of=$F bs=1 seek=32768 conv=notrunc; truncate -s 48M $F",
        members: &[(0, ContentKind::Unseen)],
        kiln: false,
    },
    Hidden {
        name: "a GPT without its first sector",
        make: "printf 'label: gpt\\n2048,120000\\n' | sfdisk -q $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc; dd if=/dev/zero of=$F bs=512 count=1 conv=notrunc",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "an empty GPT in sectors of 4096 bytes",
        make: "printf 'g\\nw\\n' | fdisk -w always -b 4096 $F",
        members: &[],
        kiln: false,
    },
    Hidden {
        name: "a Kiln stick in sectors of 4096 bytes",
        make: "printf 'g\nn\n1\n256\n511\nn\n2\n512\n4607\nn\n3\n4608\n8703\nx\nn\n1\nbios\nn\n2\nboot\nn\n3\ndata\nr\nw\n' | fdisk -w always -b 4096 $F; mkfs.vfat -F 32 -n KILN --offset 4096 $F 16384",
        members: &[],
        kiln: true,
    },
    Hidden {
        name: "a partition behind a file system over the whole disk",
        make: "mkfs.vfat $F; printf 'label: dos\n2048,16384\n' | sfdisk -q --wipe never $F; dd if=$F.luks of=$F bs=1M seek=1 conv=notrunc",
        members: &[(1, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "another MBR in front of a GPT",
        make: "printf 'label: gpt\\n2048,20000\\n40960,60000\\n' | sfdisk -q $F; cp $F $F.gpt; printf 'label: dos\\n2048,16384\\n' | sfdisk -q --wipe never $F; dd if=$F.gpt of=$F bs=512 skip=1 seek=1 count=40 conv=notrunc; dd if=$F.luks of=$F bs=1M seek=20 conv=notrunc",
        members: &[(2, ContentKind::Luks)],
        kiln: false,
    },
    Hidden {
        name: "more partitions than are looked at",
        make: "sgdisk -o -S 512 $F; for n in $(seq 300); do echo \"-n $n:$((2048 + n * 64)):+16\"; done | xargs sgdisk -a 1 $F",
        members: &[(0, ContentKind::Unseen)],
        kiln: false,
    },
    Hidden {
        name: "an Apple Partition Map of a RAID",
        make: "printf 'ER\\002\\000\\000\\002\\000\\000' | dd of=$F bs=512 conv=notrunc; for n in 1 2; do { printf 'PM\\000\\000\\000\\000\\000\\002'; [ $n = 1 ] && printf '\\000\\000\\000\\001\\000\\000\\000\\077' || printf '\\000\\000\\000\\100\\000\\001\\000\\000'; head -c 32 /dev/zero; [ $n = 1 ] && printf Apple_partition_map || printf Apple_RAID; } | dd of=$F bs=512 seek=$n conv=notrunc; done",
        members: &[(2, ContentKind::Pool)],
        kiln: false,
    },
    Hidden {
        name: "a member of Storage Spaces",
        make: "printf 'label: gpt\n2048,120000,E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D\n' | sfdisk -q $F",
        members: &[(1, ContentKind::Pool)],
        kiln: false,
    },
    Hidden {
        name: "a dynamic disk",
        make: "printf 'label: dos\n2048,120000,42\n' | sfdisk -q $F",
        members: &[(1, ContentKind::Pool)],
        kiln: false,
    },
];

#[test]
fn what_a_table_does_not_name_here_is_found_all_the_same() {
    for hidden in HIDDEN {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let luks = "truncate -s 4M $F.luks; echo pw | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 $F.luks";
        let done = Command::new("sh")
            .args(["-euc", &format!("truncate -s 64M $F; {luks}; {}", hidden.make)])
            .env("F", &path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {told}", hidden.name);
        let file = File::open(&path).unwrap();
        let size = file.metadata().unwrap().len();
        let seen = look(&file, size, 512).unwrap();
        let members: Vec<_> = seen.members.iter().map(|it| (it.partition, it.kind)).collect();
        assert_eq!(
            (&members[..], seen.kiln),
            (hidden.members, hidden.kiln),
            "{}: {seen:?}",
            hidden.name
        );
    }
}

/// What a partition of this type is, whatever is in it.
const BY_TYPE: &[(&str, Option<ContentKind>)] = &[
    ("381CFCCC-7288-11E0-92EE-000C2911D0B2", Some(ContentKind::Pool)),
    ("77719A0C-A4A0-11E3-A47E-000C29745A24", Some(ContentKind::Pool)),
    ("52414944-0000-11AA-AA11-00306543ECAC", Some(ContentKind::Pool)),
    ("52414944-5F4F-11AA-AA11-00306543ECAC", Some(ContentKind::Pool)),
    ("53746F72-6167-11AA-AA11-00306543ECAC", Some(ContentKind::CoreStorage)),
    ("FA709C7E-65B1-4593-BFD5-E71D61DE9B02", Some(ContentKind::Pool)),
    ("45B0969E-9B03-4F30-B4C6-B4B80CEFF106", Some(ContentKind::Ceph)),
    ("4FBD7E29-9D25-41B8-AFD0-062C0CEFF05D", Some(ContentKind::Ceph)),
    ("CAFECAFE-9B03-4F30-B4C6-B4B80CEFF106", Some(ContentKind::Ceph)),
    ("37AFFC90-EF7D-4E96-91C3-2D7AE055B174", Some(ContentKind::Cluster)),
    ("558D43C5-A1AC-43C0-AAC8-D1472B2923D1", Some(ContentKind::Pool)),
    ("516E7CBA-6ECF-11D6-8FF8-00022D09712B", Some(ContentKind::Zfs)),
    ("6A898CC3-1DD2-11B2-99A6-080020736631", None),
    ("A19D880F-05FC-4D3B-A006-743F0F84911E", None),
    ("E6D6D379-F507-44C2-A23C-238F2A3DF928", None),
    ("AA31E02A-400F-11DB-9590-000C2911D1B8", None),
    ("0FC63DAF-8483-4772-8E79-3D69D8477DE4", None),
];

#[test]
fn a_partition_that_only_its_type_calls_a_member_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    for (guid, wanted) in BY_TYPE {
        for make in ["", "mkfs.ext4 -q -F -E offset=1048576 $F 8M"] {
            let table =
                format!("rm -f $F; truncate -s 64M $F; printf 'label: gpt\\n2048,32768,{guid}\\n' | sfdisk -q $F");
            let done = Command::new("sh")
                .args(["-euc", &format!("{table}; {make}")])
                .env("F", &path)
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
            let seen = look(&File::open(&path).unwrap(), 64 << 20, 512).unwrap();
            let members: Vec<_> = seen.members.iter().map(|it| (it.partition, it.kind)).collect();
            assert_eq!(
                members,
                Vec::from_iter(wanted.map(|kind| (1, kind))),
                "{guid} {make}: {seen:?}"
            );
        }
    }
}

/// What was a physical volume is one, though a bit of it flipped: its owner may still have its data back.
#[test]
fn a_member_with_a_wrong_checksum_is_a_member_and_told() {
    for at in [528, 552] {
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 << 20).unwrap();
        by_hand("lvm2", &file, 64 << 20);
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        let seen = look(&file, 64 << 20, 512).unwrap();
        let members: Vec<_> = seen.members.iter().map(|it| it.kind).collect();
        assert_eq!(members, [ContentKind::Lvm], "{at}");
        assert_eq!(seen.content.words(), "LVM physical volume", "{at}");
    }
}

#[test]
fn a_filled_partition_table_reads_as_a_sentence_with_its_labels() {
    let image = IMAGES.iter().find(|image| image.name == "gpt-filled").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    assert!(make(image, dir.path(), &path));
    let file = File::open(&path).unwrap();
    let seen = look(&file, file.metadata().unwrap().len(), 512).unwrap();
    let words = seen.content.words();
    let Content::Found { signatures, .. } = seen.content else {
        panic!("{:?}", seen.content)
    };
    assert_eq!(words, "GPT, 2 partitions: FAT \"ESP\", ext4 \"root\"");
    assert_eq!(signatures[2].name.as_deref(), Some("root"));
    assert!(signatures.iter().all(|s| s.uuid.is_some()));
}

/// Neither names nor a label alone make one: an ordinary drive that bears them would be refused for ever.
#[test]
fn a_kiln_stick_is_known_by_its_table_and_its_boot_file_system_together() {
    for (script, is_stick) in [
        (
            "sgdisk -o -a 1 -n 1:34:2047 -c 1:bios -n 2:2048:+36M -c 2:boot -n 3:0:+16M -c 3:data $F; \
             mkfs.vfat -F 32 -n KILN --offset 2048 $F 36864",
            true,
        ),
        (
            "sgdisk -o -a 1 -n 1:34:2047 -c 1:bios -n 2:2048:+36M -c 2:boot -n 3:0:+16M -c 3:data $F",
            false,
        ),
        (
            "sgdisk -o -n 1:2048:+40M $F; mkfs.vfat -F 32 -n KILN --offset 2048 $F 40960",
            false,
        ),
    ] {
        let image = Image {
            name: "kiln",
            mib: 64,
            make: script,
            kind: "gpt",
            member: None,
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        assert!(make(&image, dir.path(), &path));
        let file = File::open(&path).unwrap();
        assert_eq!(look(&file, 64 << 20, 512).unwrap().kiln, is_stick, "{script}");
    }
}

/// A drive that once was in a pool and was then formatted: blkid calls it ambivalent, and the guard must know all.
#[test]
fn contradicting_signatures_are_all_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    let size = 64 << 20;
    file.set_len(size).unwrap();
    let ext4 = Image {
        name: "ext4",
        mib: 64,
        make: "mke2fs -q -F -t ext4 -L data $F",
        kind: "ext4",
        member: None,
    };
    let output = Command::new("sh")
        .args(["-euc", ext4.make])
        .env("F", &path)
        .output()
        .unwrap();
    assert!(output.status.success());
    by_hand("zfs", &file, size);
    let seen = look(&file, size, 512).unwrap();
    assert_eq!(
        seen.members.iter().map(|m| m.kind).collect::<Vec<_>>(),
        [ContentKind::Zfs],
        "{seen:?}"
    );
    let words = seen.content.words();
    assert!(words.contains("ext4") || words.contains("ZFS"), "{words}");
}

#[test]
fn an_image_shorter_than_its_start_is_unreadable_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    std::fs::write(&path, [0; 100]).unwrap();
    let seen = look(&File::open(&path).unwrap(), 4096, 512).unwrap();
    assert!(matches!(seen.content, Content::Unreadable { .. }), "{seen:?}");
}
