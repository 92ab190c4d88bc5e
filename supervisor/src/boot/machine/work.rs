//! What helpers of the boot do: each function runs in a child of its own and may block as long as it likes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::boot::config::board::Board;
use crate::boot::end::pstore;
use crate::boot::kernel::modules::{self, Modules};
use crate::boot::kernel::mounts;
use crate::shell::helper::Line;
use crate::shell::log;

/// Where the host's `fw_cfg` shows in a virtual machine.
const QEMU: [&str; 2] = [
    "/sys/bus/acpi/devices/QEMU0002:00",
    "/sys/firmware/devicetree/base/fw-cfg@9020000",
];
/// Its driver among the early modules, of no use anywhere else.
const FW_CFG: &str = "qemu_fw_cfg.ko";

/// In a helper: the board's watchdog, what EROFS needs, `/system`, and variables that a virtual machine's host passes in.
pub(super) fn early(line: &Line, board: &Board) -> i32 {
    let file = |name: &String| Path::new("/kiln/early").join(name);
    let in_qemu = QEMU.iter().any(|p| Path::new(p).exists());
    let early = board.early.iter().filter(|name| in_qemu || *name != FW_CFG);
    for name in board.watchdog.early.iter().chain(early) {
        if let Err(e) = modules::insert(&file(name)) {
            log::warn(&format!("module {name}: {e}"));
        }
    }
    if let Err(e) = mounts::system() {
        line.say(&format!("broken system.erofs: {e}"));
        return 1;
    }
    // Before "system": units are prepared with it.
    if in_qemu {
        for (name, value) in from_host() {
            line.say(&format!("env {name}={value}"));
        }
    }
    line.say("system");
    0
}

/// Variables from QEMU's fw_cfg, under `opt/kiln/env/`.
fn from_host() -> Vec<(String, String)> {
    if !Path::new("/sys/firmware/qemu_fw_cfg").exists()
        && let Ok(m) = Modules::read()
        && m.has("qemu_fw_cfg")
        && let Err(e) = m.load("qemu_fw_cfg")
    {
        log::warn(&format!("module {e}"));
    }
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/firmware/qemu_fw_cfg/by_name/opt/kiln/env")
        .into_iter()
        .flatten()
        .flatten()
        .take(64)
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Ok(bytes) = fs::read(entry.path().join("raw"))
            && bytes.len() < 4096
            && let Ok(value) = String::from_utf8(bytes)
            && !value.contains('\0')
        {
            found.push((name, value));
        }
    }
    found
}

/// In a helper: a module for every device that is there; where not `whole`, for what a medium may need.
pub(super) fn coldplug(line: &Line, extra: &[String], whole: bool) -> i32 {
    let modules = match Modules::read() {
        Ok(m) => m,
        Err(e) => {
            log::error(&format!("module tables: {e}"));
            return 1;
        }
    };
    let present = modules::present();
    let mut text = String::new();
    for m in &present {
        if text.len() + m.len() > 12_000 {
            line.say(&format!("seen {text}"));
            text.clear();
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(m);
    }
    line.say(&format!("seen {text}"));
    for failed in modules::load_for(&modules, &present, extra, whole) {
        log::info(&format!("module {failed}"));
    }
    0
}

/// In a helper: modules for devices that have just appeared, chosen likewise.
pub(super) fn hotplug(modaliases: &BTreeSet<String>, whole: bool) -> i32 {
    match Modules::read() {
        Ok(modules) => {
            for failed in modules::load_for(&modules, modaliases, &[], whole) {
                log::info(&format!("module {failed}"));
            }
            0
        }
        Err(e) => {
            log::error(&format!("module tables: {e}"));
            1
        }
    }
}

/// In a helper, when the bus is quiet: watchdogs, from the board's own to the kernel's timer; memory for crash dumps, where nothing
/// better keeps them; then what nobody waits for.
pub(super) fn late(board: &Board) -> i32 {
    let there = || Path::new("/dev/watchdog").exists();
    if let Ok(m) = Modules::read() {
        for name in &board.watchdog.late {
            if !there() && m.has(name) {
                let _ = m.load(name);
            }
        }
    }
    if let Some(name) = board.watchdog.fallback.as_ref().filter(|_| !there()) {
        let file = Path::new("/kiln/early").join(name);
        if let Err(e) = modules::insert(&file) {
            log::warn(&format!("module {name}: {e}"));
        }
    }
    // devtmpfs makes the node a moment after the driver has registered.
    for _ in 0..50 {
        if there() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    if let Ok(m) = Modules::read() {
        // The first store that registers is the kernel's only one: ERST and UEFI's variables outlive a power cut, too.
        let backend = fs::read_to_string(pstore::BACKEND);
        if pstore::has_none(backend.as_deref().unwrap_or_default())
            && let Err(e) = m.load(pstore::IN_MEMORY)
        {
            log::warn(&format!("module {e}: a crash of the kernel will not be kept"));
        }
        for name in board.late.iter().filter(|name| m.has(name)) {
            if let Err(e) = m.load(name) {
                log::warn(&format!("module {name}: {e}"));
            }
        }
    }
    0
}
