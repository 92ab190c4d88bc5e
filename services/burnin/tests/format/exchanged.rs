//! A drive that is exchanged in the midst of a format, under its name or without a word: the other one is not written to.

use super::*;

/// A dock may have another drive by now, whose first sector and end were lost.
#[test]
fn another_identity_is_not_written_to() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let file = File::options().write(true).open(&drive.node).unwrap();
    file.write_all_at(&vec![0x5a; 64 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let wanted = request(FileSystem::Raw, Table::Auto, 0, "");
    let (formatted, said) = drive.format_as(&wanted, &mut || Err("the serial is another".to_owned()));
    assert_eq!(said[0], Said::Ready);
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("the serial is another") && problem.ends_with("nothing was written"),
        "{problem}"
    );
    assert!(fs::read(&drive.node).unwrap().iter().all(|byte| *byte == 0x5a));
}

#[test]
fn another_identity_stops_it_before_a_file_system_is_made() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let wanted = request(FileSystem::Ext4, Table::Auto, 0, "x");
    let mut asked = 0;
    let (formatted, said) = drive.format_as(&wanted, &mut || {
        asked += 1;
        if asked == 1 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    assert_eq!(said[..2], [Said::Ready, Said::Laid]);
    assert!(formatted.problem.unwrap().contains("the serial is another"));
    let part = Command::new("blkid").args(["-p", &drive.partition()]).output().unwrap();
    assert!(!String::from_utf8_lossy(&part.stdout).contains("ext4"));
}

#[test]
fn another_identity_behind_the_file_system_gets_no_table() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut asked = 0;
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked <= 2 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("the serial is another") && problem.contains("no partition table was written"),
        "{problem}"
    );
    let mut start = [0; 512];
    File::open(&drive.node).unwrap().read_exact_at(&mut start, 0).unwrap();
    assert_ne!(&start[510..], [0x55, 0xaa]);
}

#[test]
fn another_identity_when_all_is_done_is_not_told_as_formatted() {
    let Some(drive) = Loop::new(64 << 20, 512) else { return };
    let mut asked = 0;
    let (formatted, _) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked <= 3 {
            Ok(())
        } else {
            Err("the serial is another".to_owned())
        }
    });
    let problem = formatted.problem.unwrap();
    assert!(
        problem.contains("when all was done: the serial is another") && !problem.contains("format it by hand"),
        "{problem}"
    );
}

/// A dock goes on under one name with whatever is put into it, and tells nobody.
#[test]
fn another_drive_that_came_without_a_word_gets_neither_file_system_nor_table() {
    for (at, undone) in [(Said::Laid, "no file system"), (Said::Made, "no partition table")] {
        let Some(drive) = Loop::new(64 << 20, 512) else { return };
        let other = vec![0x5a; 64 << 20];
        let formatted = format_spoilt(&drive, FileSystem::Ext4, &at, &|file, _| {
            file.write_all_at(&other, 0).unwrap();
        });
        let path = drive._dir.as_ref().unwrap().path().join("drive");
        assert!(fs::read(path).unwrap() == other, "{at:?}: it was written to");
        let problem = formatted.problem.unwrap_or_default();
        assert!(problem.contains("another one is in its place"), "{at:?}: {problem:?}");
        assert!(
            problem.contains(undone) && !problem.contains("format it by hand"),
            "{problem}"
        );
    }
}

/// Programs take the partition by its name, and a name can pass to another drive: it is asked for before each.
#[test]
fn a_name_that_becomes_another_drives_is_not_formatted() {
    let (Some(drive), Some(other)) = (Loop::new(64 << 20, 512), Loop::new(64 << 20, 512)) else {
        return;
    };
    let before = fs::read(&other.node).unwrap();
    let number = fs::metadata(&other.node).unwrap().rdev();
    let mut node = String::new();
    let mut asked = 0;
    let (formatted, said) = drive.format_as(&request(FileSystem::Ext4, Table::Auto, 0, "x"), &mut || {
        asked += 1;
        if asked == 1 {
            return Ok(());
        }
        node = drive.partition();
        fs::remove_file(&node).unwrap();
        let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
        nix::sys::stat::mknod(node.as_str(), nix::sys::stat::SFlag::S_IFBLK, mode, number).unwrap();
        Ok(())
    });
    fs::remove_file(&node).unwrap();
    assert_eq!(said[..2], [Said::Ready, Said::Laid]);
    assert!(formatted.problem.unwrap().contains("is another device now"));
    assert!(
        before == fs::read(&other.node).unwrap(),
        "the other drive was written to"
    );
}
