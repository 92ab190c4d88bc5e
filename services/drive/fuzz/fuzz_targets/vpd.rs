//! Whatever a drive puts into its VPD pages is a value or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| {
    let _ = drive::vpd::serial(page);
    let _ = drive::vpd::wwn(page);
    let _ = drive::vpd::ata(page);
    let _ = drive::vpd::rotation(page);
});
