//! What a process takes of the memory.

use std::fs;

/// Proportional set size of a process in MiB: a page that several share counts for each by its part. `None` where it is gone.
pub fn pss(pid: i32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
