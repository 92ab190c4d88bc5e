//! A used disk with a table as large as a table may be: what is told of it fits beside that of other drives, and nothing of it is lost to
//! the guard or to who compares.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use drive::content::{ContentKind, Look, Member, look};
use wire::drive::Content;

/// Partitions of the table, two MiB each: libblkid looks for no RAID on what is as small as a floppy disk.
const PARTITIONS: u64 = 200;

const EACH: u64 = 2 << 20;

const SIZE: u64 = (PARTITIONS + 2) * EACH;

fn looked(file: &File) -> Look {
    look(file, SIZE, 512).unwrap()
}

#[test]
fn a_huge_table_is_told_in_few_bytes_and_its_last_partition_still_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.set_len(SIZE).unwrap();
    let mut table = Command::new("/usr/sbin/sgdisk");
    table.args(["-o", "-S", "256"]);
    for n in 1..=PARTITIONS {
        let name = format!("-c={n}:{}{n}", "\u{1}".repeat(30));
        table.args([format!("-n={n}:{}:+2M", n * EACH / 512), name]);
    }
    let system = dir.path().join("ext2");
    let format = Command::new("/usr/sbin/mke2fs")
        .args(["-q", "-t", "ext2", "-L", "\u{1}\u{1}\u{1}\u{1}"])
        .args([system.as_os_str(), "1024".as_ref()])
        .output();
    let (Ok(table), Ok(format)) = (table.arg(&path).output(), format) else {
        eprintln!("NOT RUN: a huge table, for want of sgdisk or mke2fs");
        return;
    };
    assert!(
        table.status.success() && format.status.success(),
        "{table:?} {format:?}"
    );
    let system = std::fs::read(system).unwrap();
    for n in 1..=PARTITIONS {
        file.write_all_at(&system, n * EACH).unwrap();
    }
    // A firmware RAID's member. Source: libblkid/src/superblocks/isw_raid.c.
    let end = (PARTITIONS + 1) * EACH - 1024;
    file.write_all_at(b"Intel Raid ISM Cfg Sig. 1.0.00", end).unwrap();

    let before = looked(&file);
    let length = serde_json::to_vec(&before.content).unwrap().len();
    assert!(length < 24 << 10, "{length}");
    let words = before.content.words();
    assert!(
        words.starts_with("GPT, 200 partitions: ext2 ") && words.len() < 1 << 10,
        "{words}"
    );
    let member = Member {
        partition: 200,
        kind: ContentKind::Md,
    };
    assert_eq!(before.members, [member]);
    assert_eq!(looked(&file), before);

    // The UUID of the file system in the last but one.
    file.write_all_at(b"x", (PARTITIONS - 1) * EACH + 1024 + 104).unwrap();
    let after = looked(&file).content;
    assert!(!after.is_same(&before.content));
    let last = |content: Content| {
        let Content::Found { mut signatures, .. } = content else {
            panic!("{content:?}")
        };
        signatures.pop().unwrap()
    };
    assert_eq!(last(after).kind, last(before.content).kind);
}
