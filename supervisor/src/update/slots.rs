//! Both slots and the environment block as they are on the boot partition, and the one-sector changes of the latter.

use bundle::env::{BLOCK, Env};
use bundle::fat::{Entry, Step, Volume};
use wire::update::{SlotState, SlotView};

use super::partition::Medium;

/// Files that GRUB asks for.
const STARTED: [&str; 3] = ["vmlinuz", "initrd", "system.erofs"];
/// Longest manifest of a slot that is looked at, in bytes.
const MANIFEST_MAX: u32 = 1 << 20;
/// Bytes of the sector that holds all variables.
const SECTOR: usize = 512;

/// The slot that is not this one.
pub(super) fn other(slot: &str) -> &'static str {
    if slot == "b" { "a" } else { "b" }
}

/// What the boot partition says.
#[derive(Debug)]
pub(super) struct Slots {
    /// Its file system.
    pub volume: Volume,
    /// The environment block, or what is wrong with it.
    pub env: Result<Env, String>,
    /// Where it is, in bytes; the file lies in one piece.
    at: u64,
    bytes: Vec<u8>,
    versions: [Option<String>; 2],
}

/// The block, if it says which slot is which. GRUB takes a slot of which it says nothing for a good one, as if it could not read
/// the block at all.
fn says_all(env: Env) -> Result<Env, String> {
    match ["prefer", "a", "b"].into_iter().find(|name| env.get(name).is_none()) {
        None => Ok(env),
        Some(name) => Err(format!(
            "the environment block does not say `{name}`; expected at least prefer, a and b"
        )),
    }
}

/// What is damaged, with its name and what is wrong.
fn damage(volume: &Volume) -> impl Iterator<Item = (&Entry, String)> {
    let entries = volume.entries().iter();
    entries.filter_map(|e| Some((e, format!("{}: {}", e.path, e.damage.as_ref()?))))
}

impl Slots {
    /// Reads everything.
    ///
    /// # Errors
    /// The medium cannot be read, or its file system is damaged where the boot loader needs it. Elsewhere it may be: what people
    /// save is theirs ([`Slots::damage`]), and a slot that is damaged is no good one.
    pub(super) fn read(medium: &impl Medium) -> Result<Self, String> {
        let volume = Volume::read(medium)?;
        if let Some(told) = damage(&volume).find_map(|(e, told)| e.is_within("EFI").then_some(told)) {
            return Err(format!("the boot partition is damaged: {told}"));
        }
        let file = volume
            .find("EFI/debian/grubenv")
            .filter(|e| !e.is_dir && !e.chain.is_empty())
            .ok_or("the boot partition has no environment block: write the image to the stick again")?;
        if (file.size as usize) < BLOCK {
            return Err(format!(
                "the environment block (EFI/debian/grubenv) is cut short: it has {} bytes, expected {BLOCK}; write the image to the stick again",
                file.size
            ));
        }
        let at = volume.geometry().offset(file.chain[0]);
        let mut bytes = volume.file(medium, file)?;
        bytes.truncate(BLOCK);
        let version = |slot: &str| {
            let e = volume
                .find(&format!("{slot}/manifest.json"))
                .filter(|e| e.size <= MANIFEST_MAX)?;
            let bytes = volume.file(medium, e).ok()?;
            let value: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            Some(value.get("version")?.as_str()?.chars().take(32).collect())
        };
        let versions = [version("a"), version("b")];
        let env = Env::parse(&bytes).and_then(says_all);
        Ok(Self {
            volume,
            env,
            at,
            bytes,
            versions,
        })
    }

    /// Version of the system in a slot.
    pub(super) fn version(&self, slot: &str) -> Option<&str> {
        self.versions[usize::from(slot == "b")].as_deref()
    }

    /// A file of a slot.
    pub(super) fn file(&self, slot: &str, name: &str) -> Option<&Entry> {
        self.volume.find(&format!("{slot}/{name}")).filter(|e| !e.is_dir)
    }

    /// A variable; empty where there is none.
    pub(super) fn variable(&self, name: &str) -> &str {
        self.env.as_ref().ok().and_then(|e| e.get(name)).unwrap_or("")
    }

    /// What is damaged on the boot partition, each with its name, as far as it is read all the same.
    pub(super) fn damage(&self) -> impl Iterator<Item = (&Entry, String)> {
        damage(&self.volume)
    }

    /// Whether a slot may be started: as GRUB judges, but one whose files are damaged is nothing to go back to.
    pub(super) fn state(&self, slot: &str) -> SlotState {
        match self.marked(slot) {
            SlotState::Good if damage(&self.volume).any(|(e, _)| e.is_within(slot)) => SlotState::Bad,
            state @ (SlotState::Good | SlotState::Trying | SlotState::Bad | SlotState::Empty) => state,
        }
    }

    /// Whether a slot may be started, as GRUB judges: by the block, and by what its folder says.
    fn marked(&self, slot: &str) -> SlotState {
        let there = STARTED.iter().all(|n| self.file(slot, n).is_some_and(|e| e.size > 0));
        match self.variable(slot) {
            _ if !there => SlotState::Empty,
            "good" => SlotState::Good,
            "trying" => SlotState::Trying,
            // GRUB takes an unreadable block for two good slots.
            _ if self.env.is_err() => SlotState::Good,
            _ => SlotState::Bad,
        }
    }

    /// Tries that a slot on trial has left.
    fn left(&self) -> u8 {
        self.variable("left").parse::<u8>().unwrap_or(0).min(3)
    }

    /// The slot that the next start takes, as GRUB judges.
    fn next(&self) -> &'static str {
        let prefer = if self.variable("prefer") == "b" { "b" } else { "a" };
        let there = |slot| self.marked(slot) != SlotState::Empty;
        let may = |slot| matches!(self.marked(slot), SlotState::Good | SlotState::Trying);
        let spent = self.marked(prefer) == SlotState::Trying && self.left() == 0;
        if may(prefer) && !spent {
            return prefer;
        }
        if may(other(prefer)) {
            return other(prefer);
        }
        // Nothing may be started: the one that was kept last, else whatever is there.
        let kept = ["a", "b"].into_iter().find(|s| self.variable("kept") == *s);
        let or_other = if there(prefer) { prefer } else { other(prefer) };
        kept.filter(|slot| there(slot)).unwrap_or(or_other)
    }

    /// What everybody sees of them.
    pub(super) fn view(&self, running: &str) -> Vec<SlotView> {
        let (next, left) = (self.next(), self.left());
        ["a", "b"]
            .map(|slot| SlotView {
                name: slot.to_owned(),
                state: self.state(slot),
                version: self.version(slot).map(str::to_owned),
                running: slot == running,
                next: slot == next,
                tries_left: if self.state(slot) == SlotState::Trying { left } else { 0 },
            })
            .into()
    }

    /// Writes the block: one sector, unless the rest of it is damaged, and reads it back.
    ///
    /// # Errors
    /// The medium does not take it.
    pub(super) fn set(&mut self, medium: &mut impl Medium, env: Env) -> Result<(), String> {
        let told = |e: std::io::Error| format!("writing the environment block: {e}");
        let bytes = env.bytes();
        if self.env.is_ok() && self.bytes == bytes {
            // The one sector that has to live is not written for nothing.
            return Ok(());
        }
        if self.bytes.get(SECTOR..) != bytes.get(SECTOR..) {
            medium
                .write_at(self.at + SECTOR as u64, &bytes[SECTOR..])
                .map_err(told)?;
            medium.flush().map_err(told)?;
        }
        medium.write_at(self.at, &bytes[..SECTOR]).map_err(told)?;
        medium.flush().map_err(told)?;
        let mut back = vec![0; BLOCK];
        medium.read_at(self.at, &mut back).map_err(told)?;
        if back != bytes {
            return Err("the boot medium does not keep what is written to it: replace it".into());
        }
        (self.env, self.bytes) = (Ok(env), bytes);
        Ok(())
    }
}

/// Carries steps out, in order.
///
/// # Errors
/// The first that failed.
pub(super) fn carry_out(medium: &mut impl Medium, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        match step {
            Step::Write { offset, bytes } => medium.write_at(*offset, bytes),
            Step::Flush => medium.flush(),
        }
        .map_err(|e| format!("writing the boot partition: {e}"))?;
    }
    Ok(())
}
