//! Which lines about resets tell of one: the bus, the transport and the disk behind them each have words of their own for it.
//!
//! A USB drive that is reset once is told by `uas_eh_device_reset_handler start`, `reset SuperSpeed USB device` and, with the next
//! command, `Power-on or device reset occurred`. Words that come again, or later than all of one reset do, tell the next.

use std::time::Duration;

/// Longest time from a reset's first line to its last: a bus and a disk that starts again behind it take some seconds. Sources:
/// `HUB_ROOT_RESET_TIME` and `HUB_RESET_TIMEOUT`, `drivers/usb/core/hub.c`; `ata_eh_reset_timeouts`, whose first try has 10 s,
/// `drivers/ata/libata-eh.c`.
const TOGETHER: Duration = Duration::from_secs(10);

/// The last reset of one drive, or of one of its NVMe controllers.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// Time of its first line.
    began: Duration,
    /// The words that told it.
    told: Vec<&'static str>,
}

impl Event {
    /// Takes a line that tells a reset by these words; whether it is another one than the last.
    pub(super) fn is_new(&mut self, at: Duration, words: &'static str) -> bool {
        let new = self.told.is_empty() || at.saturating_sub(self.began) > TOGETHER || self.told.contains(&words);
        if new {
            (self.began, self.told) = (at, Vec::new());
        }
        self.told.push(words);
        new
    }
}
