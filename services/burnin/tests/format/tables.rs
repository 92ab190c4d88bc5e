//! Partition tables, read by programs that are not ours.

use std::io::{Seek, SeekFrom, Write};

use burnin::format::table::{Ids, encode};
use proptest::prelude::*;

use super::*;

/// A sparse file as large as the drive with the table's two ends in it.
fn image(layout: &Layout, filesystem: FileSystem, dir: &Path) -> String {
    let encoded = encode(layout, filesystem, &Ids::from_random([7; 32])).unwrap();
    let path = dir.join("image");
    let mut file = File::create(&path).unwrap();
    file.set_len(layout.capacity).unwrap();
    file.write_all(&encoded.head).unwrap();
    file.seek(SeekFrom::Start(encoded.tail_at)).unwrap();
    file.write_all(&encoded.tail).unwrap();
    path.to_str().unwrap().to_owned()
}

fn sfdisk_agrees(layout: &Layout, filesystem: FileSystem) {
    let dir = tempfile::tempdir().unwrap();
    let path = image(layout, filesystem, dir.path());
    // sfdisk takes a file's sectors for 512 bytes; a loop device can have others.
    let attached = (layout.sector != 512).then(|| Loop::of(Path::new(&path), layout.capacity, layout.sector));
    let read = match &attached {
        Some(None) => return,
        Some(Some(drive)) => drive.node.clone(),
        None => path.clone(),
    };
    let told = output("sfdisk", &["--json", &read]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let table = &told["partitiontable"];
    assert_eq!(
        table["label"],
        if layout.table == Table::Gpt { "gpt" } else { "dos" },
        "{layout:?}"
    );
    let partitions = table["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 1);
    assert_eq!(partitions[0]["start"], layout.first, "{layout:?}");
    assert_eq!(partitions[0]["size"], layout.sectors, "{layout:?}");
    if layout.table == Table::Gpt && layout.sector == 512 {
        let told = output("sgdisk", &["-v", &path]);
        assert!(told.contains("No problems found"), "{told}");
    }
}

fn have(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        not_run(&format!("there is no {program}"));
    }
    there
}

#[test]
fn tables_at_the_edges_are_read_by_other_programs() {
    if !have("sfdisk") || !have("sgdisk") {
        return;
    }
    for (capacity, sector, table) in [
        (16 << 20, 512, Table::Mbr),
        (16 << 20, 512, Table::Gpt),
        ((16 << 20) + 512, 512, Table::Gpt),
        (2 << 40, 512, Table::Auto),
        ((2 << 40) + 512, 512, Table::Auto),
        (8 << 40, 512, Table::Gpt),
        (12_000_138_625_024, 512, Table::Auto),
        (8 << 40, 4096, Table::Gpt),
        (500_107_862_016, 4096, Table::Mbr),
    ] {
        for filesystem in [FileSystem::Ext4, FileSystem::Exfat, FileSystem::Swap] {
            let layout = plan(capacity, sector, &request(filesystem, table, 0, "")).unwrap();
            sfdisk_agrees(&layout, filesystem);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_table_is_read_equal_by_sfdisk_and_sgdisk(
        sectors in (16_u64 << 20) / 512..(6_u64 << 40) / 512,
        wide: bool,
        gpt: bool,
        random: [u8; 32],
    ) {
        if !have("sfdisk") || !have("sgdisk") {
            return Ok(());
        }
        let sector = if wide { 4096 } else { 512 };
        let capacity = (sectors * 512).next_multiple_of(u64::from(sector));
        let table = if gpt { Table::Gpt } else { Table::Auto };
        let layout = plan(capacity, sector, &request(FileSystem::Ext4, table, 0, "")).unwrap();
        sfdisk_agrees(&layout, FileSystem::Ext4);
        let ids = Ids::from_random(random);
        prop_assert_eq!((ids.disk[7] >> 4, ids.disk[8] >> 6), (4, 2));
        prop_assert!(encode(&layout, FileSystem::Ext4, &ids).is_ok());
    }
}
