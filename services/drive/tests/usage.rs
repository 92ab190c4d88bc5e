//! How full file systems are that the real formatters made and filled, and when they were mounted.
//!
//! An image whose tool is missing is named; on a machine after `scripts/setup` none is.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use drive::content::counted;
use wire::Bytes;
use wire::drive::{Content, Signature};

/// Bytes of the file that is put in.
const FILE: u64 = 5 << 20;

/// Kind, MiB, what makes it in `$F`, and what puts `$D/file` in; empty where the first does.
const SYSTEMS: &[(&str, u64, &str, &str)] = &[
    ("ext2", 64, "mke2fs -q -t ext2 -d $D/tree $F", ""),
    ("ext3", 64, "mke2fs -q -t ext3 -d $D/tree $F", ""),
    ("ext4", 64, "mke2fs -q -t ext4 -d $D/tree $F", ""),
    (
        "ext4",
        64,
        "mke2fs -q -t ext4 -b 1024 -O ^64bit -m 20 -d $D/tree $F",
        "",
    ),
    ("ext4", 64, "mke2fs -q -t ext4 -O bigalloc -C 16384 -d $D/tree $F", ""),
    ("xfs", 320, "mkfs.xfs -q -p $D/proto $F", ""),
    ("btrfs", 128, "mkfs.btrfs -q --rootdir $D/tree $F", ""),
    ("vfat", 4, "mkfs.vfat -F 12 -s 8 $F", ""),
    ("vfat", 16, "mkfs.vfat -F 12 -s 16 $F", "mcopy -i $F $D/tree/* ::"),
    ("vfat", 32, "mkfs.vfat -F 16 $F", "mcopy -i $F $D/tree/* ::"),
    ("vfat", 64, "mkfs.vfat -F 32 $F", "mcopy -i $F $D/tree/* ::"),
    ("vfat", 512, "mkfs.vfat -F 32 -S 4096 $F", "mcopy -i $F $D/tree/* ::"),
    ("exfat", 64, "mkfs.exfat -c 4096 $F", ""),
    ("ntfs", 64, "mkntfs -q -F -f $F", "ntfscp -q -f $F $D/tree/* file"),
    (
        "ntfs",
        64,
        "mkntfs -q -F -f -c 65536 $F",
        "ntfscp -q -f $F $D/tree/* file",
    ),
];

fn sh(script: &str, dir: &Path) -> bool {
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("MTOOLS_SKIP_CHECK", "1")
        .env("D", dir)
        .env("F", dir.join("image"))
        .output()
        .unwrap();
    let is_missing = output.status.code() == Some(127);
    assert!(output.status.success() || is_missing, "{script}: {output:?}");
    !is_missing
}

fn image(dir: &Path, mib: u64) -> File {
    let path = dir.join("image");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.set_len(mib << 20).unwrap();
    file
}

fn of(file: &File) -> Signature {
    let size = file.metadata().unwrap().len();
    let content = counted(file, size, 512).unwrap();
    let Content::Found { signatures, .. } = content else {
        panic!("{content:?}")
    };
    let mut systems = signatures.into_iter().filter(|it| it.kind != "dos" && it.kind != "gpt");
    systems.next().unwrap()
}

#[test]
fn a_full_file_system_is_told_from_a_fresh_one() {
    let mut not_run: Vec<&str> = Vec::new();
    for (kind, mib, make, fill) in SYSTEMS {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(dir.path().join("proto"), "/\n0 0\nd--755 0 0\n$\n").unwrap();
        let file = image(dir.path(), *mib);
        if !sh(make, dir.path()) {
            not_run.push(make);
            continue;
        }
        let fresh = of(&file);
        assert_eq!(fresh.kind, *kind, "{make}");
        let few = fresh.used.unwrap_or_else(|| panic!("{make}: not told"));
        // What a formatter itself takes for files: folders, and NTFS' own files.
        assert!(few.0 < FILE, "{make}: {few:?}");
        assert_eq!(fresh.mounted, None, "{make}");

        std::fs::write(tree.join("file"), vec![0x5A; usize::try_from(FILE).unwrap()]).unwrap();
        let proto = format!(
            "/\n0 0\nd--755 0 0\nfile ---644 0 0 {}\n$\n",
            tree.join("file").display()
        );
        std::fs::write(dir.path().join("proto"), proto).unwrap();
        let (again, script) = match *fill {
            "" if *kind == "exfat" || *mib == 4 => continue,
            "" => (image(dir.path(), *mib), *make),
            fill => (file, fill),
        };
        if !sh(script, dir.path()) {
            not_run.push(script);
            continue;
        }
        let full = of(&again).used.unwrap();
        let added = full.0.saturating_sub(few.0);
        assert!(
            (FILE..FILE + FILE / 8).contains(&added),
            "{make}: {few:?}, then {full:?}"
        );
    }
    println!("file systems not made, for want of their tools: {not_run:?}");
}

#[test]
fn exfat_counts_what_its_own_checker_counts() {
    let dir = tempfile::tempdir().unwrap();
    for cluster in [4096, 131_072] {
        let file = image(dir.path(), 512);
        if !sh(
            &format!("mkfs.exfat -c {cluster} $F && dump.exfat $F > $D/dump"),
            dir.path(),
        ) {
            println!("NOT RUN: exFAT, for want of exfatprogs");
            return;
        }
        let dump = std::fs::read_to_string(dir.path().join("dump")).unwrap();
        let of_dump = |name: &str| -> u64 {
            let line = dump.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.rsplit(':').next().unwrap().trim().parse().unwrap()
        };
        let taken = of_dump("Cluster Count") - of_dump("Free Clusters");
        assert_eq!(of(&file).used, Some(Bytes(taken * cluster)), "{dump}");
    }
}

#[test]
fn what_was_not_unmounted_is_not_counted_and_when_it_was_mounted_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = image(dir.path(), 64);
    assert!(sh("mke2fs -q -t ext4 -O ^metadata_csum $F", dir.path()));
    let noon = 1_773_316_800_u32;
    file.write_all_at(&noon.to_le_bytes(), 1024 + 0x2C).unwrap();
    let told = of(&file);
    assert!(told.used.is_some());
    assert_eq!(told.mounted.map(|at| at.as_second()), Some(i64::from(noon)));
    let size = file.metadata().unwrap().len();
    let words = counted(&file, size, 512).unwrap().words();
    assert!(
        words.starts_with("ext4 (") && words.ends_with(" used, last mounted 12 March 2026)"),
        "{words}"
    );
    // Its journal must be played first.
    let mut features = [0; 1];
    file.read_exact_at(&mut features, 1024 + 0x60).unwrap();
    file.write_all_at(&[features[0] | 4], 1024 + 0x60).unwrap();
    let told = of(&file);
    assert_eq!((told.used, told.mounted.is_some()), (None, true));
}

#[test]
fn partitions_are_counted_each_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let file = image(dir.path(), 128);
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("file"), vec![0x5A; usize::try_from(FILE).unwrap()]).unwrap();
    let made = sh(
        "sgdisk -o -n 1:2048:+48M -n 2:0:+48M $F >/dev/null; \
         mke2fs -q -t ext4 -d $D/tree -E offset=1048576 $F 48M; mke2fs -q -t ext4 -E offset=51380224 $F 48M",
        dir.path(),
    );
    if !made {
        println!("NOT RUN: two partitions, for want of sgdisk");
        return;
    }
    let Content::Found { signatures, .. } = counted(&file, 128 << 20, 512).unwrap() else {
        panic!("nothing is found");
    };
    let used: Vec<Option<bool>> = signatures.iter().map(|it| it.used.map(|used| used.0 >= FILE)).collect();
    assert_eq!(used, [None, Some(true), Some(false)], "{signatures:?}");
}
