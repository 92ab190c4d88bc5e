#![no_main]

use drive::kernel_log::{Way, hidden, newest};
use libfuzzer_sys::fuzz_target;

const DISK: &str = "/devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/sdc";
const STICK: &str = "/devices/pci0000:00/0000:00:14.0/usb2/2-1.4/2-1.4:1.0/host7/target7:0:0/7:0:0:0/block/sdh";
const FLASH: &str = "/devices/pci0000:00/0000:00:1d.0/0000:04:00.0/nvme/nvme0/nvme0n1";

fuzz_target!(|text: &str| {
    let _ = newest(text);
    for path in [DISK, STICK, FLASH] {
        let way = Way::of(path);
        let _ = hidden(text, &way);
        for line in text.lines() {
            let _ = way.is_reset(line);
            // The last line's word counts, and its time changes nothing of it.
            let last = format!("{text}\n[    1.000000] {line}");
            assert!(way.hidden(line).is_none_or(|sectors| hidden(&last, &way) == sectors));
        }
    }
});
