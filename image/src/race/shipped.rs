//! The image that is handed out, beside its kernel alone with the modules that it had loaded by then.
//!
//! The whole initramfs and `system.erofs` are given to the kernel as GRUB does it, on a machine with a network card and a SCSI
//! controller. A unit that waits for the server tells when it was started, so when the server had said that it listens, asks it
//! once, and tells when it was answered and which modules are there. Then the same kernel loads exactly these and is asked how far it has come. There is no medium: what its host's disk costs is no
//! instruction of ours, and QEMU's clock runs ahead while a disk is waited for. So state is in RAM.

use std::fs;

use serde::Serialize;

use super::{LIMIT_NAME, QUIET, archive, boot};
use crate::assemble::{self, Options};
use crate::board::Board;
use crate::cpio::{Archive, Node};
use crate::cross::Binaries;
use crate::error::{At, Error, Result};
use crate::race::field::FIELD;
use crate::tree;
use crate::workspace::Workspace;

/// What the machine has beside processor, memory and serial line.
const DEVICES: [&str; 6] = [
    "-netdev",
    "user,id=net,restrict=on",
    "-device",
    "virtio-net-pci,netdev=net,romfile=",
    "-device",
    "virtio-scsi-pci",
];

/// The unit that asks.
const UNIT: &str = r#"description = "Asks the server once"
exec = ["/race/kiln-racer", "answered"]
type = "oneshot"
after = ["server"]
devices = "block"
"#;

/// What was measured, instructions in millions.
#[derive(Debug, Clone, Serialize)]
pub struct Shipped {
    /// Kernel's start to what waits for the server, so a little behind the word that it listens: of the round that answered first.
    pub listening: f64,
    /// Kernel's start to the first answer of the server, which what begins once it listens competes with: the least of the rounds.
    pub answered: f64,
    /// The kernel alone with the same modules: likewise.
    pub kernel: f64,
    /// The same, with the image's own command line, which leaves the kernel's self-tests of ciphers out.
    pub told: f64,
    /// Modules that were loaded when it answered.
    pub modules: Vec<String>,
}

impl Shipped {
    /// One line for people.
    fn line(&self) -> String {
        let beside = |kernel: f64| {
            format!(
                "{kernel:.1} M: {:.3} and {:.3} x",
                self.listening / kernel,
                self.answered / kernel
            )
        };
        format!(
            "shipped image: {:.1} M until the server listens, {:.1} M to its first answer; its kernel with the same {} modules {}; with \
             the image's command line {}",
            self.listening,
            self.answered,
            self.modules.len(),
            beside(self.kernel),
            beside(self.told),
        )
    }
}

/// Measures it, `rounds` boots each.
///
/// # Errors
/// The image cannot be built, or does not come to its end.
pub fn shipped(ws: &Workspace, board: &Board, rounds: usize) -> Result<Shipped> {
    let parts = assemble::whole_parts(ws, board, &Options::default())?;
    let racer = Binaries::build_these(ws, board, false, &[("probe", "kiln-racer")])?.path("kiln-racer");
    let racer = fs::read(&racer).at("reading", &racer)?;
    let (vmlinuz, modules) = tree::kernel(ws, board)?;
    let dir = tempfile::tempdir().map_err(|e| Error::Incomplete(format!("a folder for the race: {e}")))?;
    let (initrd, serial) = (dir.path().join("initrd"), dir.path().join("serial"));

    let read = |path| fs::read(path).at("reading", path);
    let mut whole = read(&parts.slot.initrd)?;
    // The kernel wants each archive to begin at a multiple of four.
    whole.resize(whole.len().next_multiple_of(512), 0);
    let mut more = Archive::default();
    more.add("system.erofs/.", Node::File(0o644, read(&parts.slot.system)?));
    more.add("race/kiln-racer", Node::File(0o755, racer.clone()));
    more.add("etc/kiln/units/race.toml", Node::File(0o644, UNIT.into()));
    whole.extend(more.bytes());
    fs::write(&initrd, whole).at("writing", &initrd)?;
    let cmdline = format!("{} quiet", board.command_line());

    let mut found: Option<(f64, f64, Vec<String>)> = None;
    for round in 0..rounds.max(1) {
        let lines = boot(&vmlinuz, &initrd, &cmdline, &DEVICES, &serial)?;
        eprintln!("shipped round {}: {}", round + 1, lines.join(" | "));
        let (listening, answered) = (number(&lines, "listening")?, number(&lines, "answered")?);
        if found.as_ref().is_none_or(|(_, best, _)| answered < *best) {
            let names = lines
                .iter()
                .find_map(|l| l.strip_prefix("modules "))
                .unwrap_or_default();
            found = Some((listening, answered, names.split(',').map(str::to_owned).collect()));
        }
    }
    let (listening, answered, names) = found.unwrap_or_default();

    let alone = FIELD
        .iter()
        .find(|c| c.name == LIMIT_NAME)
        .ok_or_else(|| Error::Incomplete(format!("{LIMIT_NAME} is not in the field")))?;
    fs::write(&initrd, archive(alone, &[], &modules.in_order(&names)?, &racer, &[])?).at("writing", &initrd)?;
    let alone = |cmdline: &str| -> Result<f64> {
        let mut least = f64::INFINITY;
        for _ in 0..rounds.max(1) {
            let lines = boot(&vmlinuz, &initrd, cmdline, &DEVICES, &serial)?;
            eprintln!("its kernel with {} modules: {}", names.len(), lines.join(" | "));
            least = least.min(number(&lines, "limit")?);
        }
        Ok(least)
    };
    let (kernel, told) = (alone(QUIET)?, alone(&cmdline)?);
    let it = Shipped {
        listening,
        answered,
        kernel,
        told,
        modules: names,
    };
    println!("{}", it.line());
    Ok(it)
}

/// Millions that stand after a word.
fn number(lines: &[String], word: &str) -> Result<f64> {
    let found = lines
        .iter()
        .find_map(|l| l.strip_prefix(word)?.trim().split(' ').next()?.parse::<u64>().ok());
    found
        .map(|n| n as f64 / 1e6)
        .ok_or_else(|| Error::Incomplete(format!("the box did not tell {word:?}; it told {lines:?}")))
}
