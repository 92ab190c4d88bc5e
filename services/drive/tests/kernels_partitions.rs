//! A partition that the kernel has and no table names any more. Needs root and loop devices.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use drive::content::{ContentKind, Member, look};
use rig::{Loops, not_run};
use wire::drive::Content;

const SIZE: u64 = 64 << 20;

/// `dd` over the first sectors is the usual accident: `mdadm --assemble --scan` finds the array all the same, until the box restarts.
#[test]
fn a_member_in_a_partition_of_a_table_that_was_lost_is_found_and_nothing_else_of_it() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(SIZE).unwrap();
    let drive = match Loops::default().partitions().over(image.path()) {
        Ok(drive) => drive,
        Err(why) => return not_run(&format!("a lost partition table: {why}")),
    };
    let (start, bytes) = (1_u64 << 20, 16_u64 << 20);
    let added = Command::new("addpart")
        .arg(&drive.node)
        .args(["3", &(start / 512).to_string(), &(bytes / 512).to_string()])
        .output();
    match added {
        Ok(added) => assert!(added.status.success(), "{added:?}"),
        Err(error) => return not_run(&format!("a lost partition table: addpart: {error}")),
    }
    let file = File::options().read(true).write(true).open(&drive.node).unwrap();
    let seen = || look(&file, SIZE, 512).unwrap();
    let empty = seen();
    assert_eq!((&empty.members, &empty.content), (&Vec::new(), &Content::Empty));
    // A firmware RAID's member at the end of the partition. Source: libblkid/src/superblocks/isw_raid.c.
    let at = start + bytes - 1024;
    file.write_all_at(b"Intel Raid ISM Cfg Sig. 1.0.00", at).unwrap();
    file.sync_all().unwrap();
    let found = seen();
    let member = Member {
        partition: 3,
        kind: ContentKind::Md,
    };
    assert_eq!((found.members, found.content), (vec![member], Content::Empty));
    let gone = Command::new("delpart").arg(&drive.node).arg("3").status();
    assert!(gone.unwrap().success());
    assert_eq!(seen().members, Vec::new());
}
