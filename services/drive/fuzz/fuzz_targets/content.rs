//! Whatever stands at the beginning of a drive, and wherever its tables lead: the look at it ends, names nothing twice, and tells little;
//! how full it is changes nothing of that.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;

use drive::content::{counted, look};
use libfuzzer_sys::fuzz_target;

/// Bytes of the drive: a table's entries lead within it and beyond.
const SIZE: u64 = 8 << 20;

/// Bytes in which a drive's content is told, so that those of several fit a frame.
const CONTENT_MAX: usize = 64 << 10;

/// The first byte: the drive's sectors, and where the rest of the second half goes; the rest: its beginning.
fn drive(bytes: &[u8]) -> std::io::Result<Option<(File, u32)>> {
    let Some((&choice, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let file = tempfile::tempfile()?;
    file.set_len(SIZE)?;
    let (start, more) = rest.split_at(rest.len().min(8192));
    file.write_all_at(start, 0)?;
    let at = u64::from(choice >> 1) << 16;
    let room = usize::try_from(SIZE - at).unwrap_or(0);
    file.write_all_at(&more[..more.len().min(room)], at)?;
    // An MBR is one by these two bytes, which no fuzzer finds soon.
    if start.len() >= 512 {
        file.write_all_at(&[0x55, 0xaa], 510)?;
    }
    Ok(Some((file, if choice & 1 == 0 { 512 } else { 4096 })))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((file, sector))) = drive(bytes) else { return };
    let seen = look(&file, SIZE, sector).expect("an image can be read everywhere");
    let mut members: Vec<_> = seen.members.iter().map(|it| (it.partition, it.kind)).collect();
    let all = members.len();
    members.dedup();
    assert_eq!(members.len(), all, "{seen:?}");
    let told = serde_json::to_vec(&seen.content).expect("a content is JSON");
    assert!(told.len() < CONTENT_MAX, "{seen:?}");
    if let Some(full) = counted(&file, SIZE, sector) {
        assert!(full.is_same(&seen.content), "{full:?}");
    }
});
