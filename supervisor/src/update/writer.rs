//! The writer: a bundle's head, then the chunks that are missing, then the switch.
//!
//! It remembers nothing: what an earlier try has left is found by its hashes, because the same bundle gets the same places.
//! The order of writes is that of `bundle::fat::plan`, between two changes of the environment block: before it the slot is
//! marked bad, after it, and after every byte was read back from the medium and compared, it is the preferred one, on trial.

use std::collections::HashMap;

use bundle::fat::Plan;
use bundle::{Hash, Manifest, Target, accept};
use wire::update::{UpdateChunk, UpdateNeeds, Writing};

use super::idle;
use super::partition::Medium;
use super::slots::{Slots, carry_out, other};

/// Tries that a new system has.
const TRIES: &str = "3";

/// Why something was not done: a word for programs, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The word.
    pub kind: &'static str,
    /// The sentence.
    pub text: String,
}

impl Refusal {
    /// One.
    pub(super) fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

impl From<bundle::Refused> for Refusal {
    fn from(why: bundle::Refused) -> Self {
        Self::new(why.kind(), why.to_string())
    }
}

/// Everything about the medium.
impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self::new("medium", text)
    }
}

/// An update that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    manifest: Manifest,
    plan: Plan,
    slot: &'static str,
    running: String,
    done: Vec<bool>,
}

impl Writer {
    /// Checks a head, makes room in the slot that does not run, and finds what is there already.
    ///
    /// # Errors
    /// The bundle is refused, the other slot has to stay as it is (`super::idle`), or the medium does not do it.
    pub(super) fn begin(
        medium: &mut impl Medium,
        head: &[u8],
        target: &Target,
        running: &str,
        progress: &mut dyn FnMut(Writing),
    ) -> Result<(Self, UpdateNeeds), Refusal> {
        let manifest = accept(head, target)?;
        let mut slots = Slots::read(medium)?;
        idle::may_write(&slots, running)?;
        let slot = other(running);
        let files: Vec<(&str, u64)> = manifest.files.iter().map(|f| (f.name.as_str(), f.size)).collect();
        let plan = bundle::fat::plan(&slots.volume, slot, &files)?;
        if let Ok(env) = slots.env.clone() {
            let env = env
                .with("prefer", running)
                .with(slot, "bad")
                .with("left", "0")
                .with("once", "")
                // Where both are bad GRUB takes it: not what is about to be overwritten.
                .with("kept", running);
            if slots.env.as_ref() != Ok(&env) {
                slots.set(medium, env)?;
            }
        }
        carry_out(medium, &plan.clear)?;
        carry_out(medium, &plan.allocate)?;
        let mut this = Self {
            done: vec![false; manifest.chunks().count()],
            manifest,
            plan,
            slot,
            running: running.to_owned(),
        };
        let found = this.find_earlier(medium, &|| false)?;
        progress(this.writing());
        let copied = this.copy_running(medium, &slots, progress)?;
        let needs = this.needs(head.len() as u64, found, copied);
        Ok((this, needs))
    }

    /// Place of a chunk on the medium.
    fn place(&self, number: usize) -> Option<(u64, usize, Hash)> {
        let c = self.manifest.chunks().nth(number)?;
        let place = self.plan.places.get(c.file)?;
        Some((place.offset + c.at, c.len, c.hash))
    }

    fn read(medium: &impl Medium, offset: u64, len: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; len];
        medium
            .read_at(offset, &mut bytes)
            .map_err(|e| format!("reading the boot partition: {e}"))?;
        Ok(bytes)
    }

    fn put(medium: &mut impl Medium, offset: u64, bytes: &[u8]) -> Result<(), String> {
        let mut whole = bytes.to_vec();
        // Whole sectors; the file's last cluster is nobody else's.
        whole.resize(bytes.len().next_multiple_of(512), 0);
        medium
            .write_at(offset, &whole)
            .map_err(|e| format!("writing the boot partition: {e}"))
    }

    /// Compares every chunk's place with its hash, until `given_up` says that nobody wants it any more.
    fn find_earlier(&mut self, medium: &impl Medium, given_up: &dyn Fn() -> bool) -> Result<u32, Refusal> {
        for n in 0..self.done.len() {
            if given_up() {
                return Err(Refusal::new(
                    "given-up",
                    "the update was given up before it was switched to",
                ));
            }
            if let Some((offset, len, hash)) = self.place(n) {
                self.done[n] = Hash::of(&Self::read(medium, offset, len)?) == hash;
            }
        }
        Ok(count(&self.done, true))
    }

    /// Copies what the running system has, too.
    #[expect(clippy::cast_possible_truncation, reason = "a chunk has at most 1 MiB")]
    fn copy_running(
        &mut self,
        medium: &mut impl Medium,
        slots: &Slots,
        progress: &mut dyn FnMut(Writing),
    ) -> Result<u32, String> {
        if self.done.iter().all(|d| *d) {
            return Ok(0);
        }
        let mut have = HashMap::new();
        for f in &self.manifest.files {
            let Some(e) = slots.file(&self.running, &f.name) else {
                continue;
            };
            // Ours lie in one piece; one that does not, or is damaged, is not copied from.
            if e.damage.is_some() || e.chain.windows(2).any(|w| w[0] + 1 != w[1]) {
                continue;
            }
            let Some(first) = e.chain.first() else { continue };
            let (base, size) = (slots.volume.geometry().offset(*first), u64::from(e.size));
            for at in (0..size).step_by(bundle::CHUNK as usize) {
                let len = (size - at).min(bundle::CHUNK) as usize;
                let bytes = Self::read(medium, base + at, len)?;
                have.insert(Hash::of(&bytes), (base + at, len));
            }
        }
        let mut copied = 0;
        for n in 0..self.done.len() {
            let Some((to, len, hash)) = self.place(n).filter(|_| !self.done[n]) else {
                continue;
            };
            let Some((from, _)) = have.get(&hash).filter(|(_, l)| *l == len) else {
                continue;
            };
            let bytes = Self::read(medium, *from, len)?;
            if Hash::of(&bytes) == hash {
                Self::put(medium, to, &bytes)?;
                self.done[n] = true;
                copied += 1;
                progress(self.writing());
            }
        }
        Ok(copied)
    }

    fn needs(&self, head: u64, found: u32, copied: u32) -> UpdateNeeds {
        let chunks = self.manifest.chunks().enumerate().filter(|(n, _)| !self.done[*n]);
        UpdateNeeds {
            version: self.manifest.version.clone(),
            slot: self.slot.to_owned(),
            chunks: field(self.done.len()),
            found,
            copied,
            need: chunks
                .map(|(n, c)| UpdateChunk {
                    number: field(n),
                    offset: head + c.offset,
                    len: field(c.len),
                })
                .collect(),
        }
    }

    /// How far it is.
    pub(super) fn writing(&self) -> Writing {
        Writing {
            version: self.manifest.version.clone(),
            done: count(&self.done, true),
            chunks: field(self.done.len()),
        }
    }

    /// Takes a chunk.
    ///
    /// # Errors
    /// There is none of that number, its bytes are not the signed ones, or the medium does not take it.
    pub(super) fn chunk(&mut self, medium: &mut impl Medium, number: u32, bytes: &[u8]) -> Result<(), Refusal> {
        let n = number as usize;
        let Some(c) = self.manifest.chunks().nth(n) else {
            return Err(Refusal::new("no-chunk", format!("the update has no chunk {number}")));
        };
        if bytes.len() != c.len || Hash::of(bytes) != c.hash {
            return Err(bundle::Refused::Chunk {
                file: c.name.to_owned(),
                number: c.number,
            }
            .into());
        }
        if let Some((offset, ..)) = self.place(n).filter(|_| !self.done[n]) {
            Self::put(medium, offset, bytes)?;
            self.done[n] = true;
        }
        Ok(())
    }

    /// Compares everything on the medium, makes the slot whole, and the next to be started. `before` is called when all is
    /// proven and nothing but the switch is left. Until the slot is made whole `given_up` is asked before each chunk.
    ///
    /// # Errors
    /// Something is missing, it was given up, or the medium did not keep what was written; what runs is what the next start
    /// takes, then.
    pub(super) fn finish(
        mut self,
        medium: &mut impl Medium,
        given_up: &dyn Fn() -> bool,
        before: impl FnOnce(&str, &str) -> Result<(), String>,
    ) -> Result<(String, String), Refusal> {
        let missing = count(&self.done, false);
        if missing > 0 {
            return Err(Refusal::new(
                "incomplete",
                format!(
                    "{missing} of {} chunks have not come: send the update again, it goes on from there",
                    self.done.len()
                ),
            ));
        }
        medium.flush().map_err(|e| format!("flushing the boot medium: {e}"))?;
        let kept = self.find_earlier(medium, given_up)?;
        if kept as usize != self.done.len() {
            return Err(Refusal::new(
                "medium",
                format!(
                    "the boot medium gives back other bytes than were written, {} times: replace it",
                    self.done.len() - kept as usize
                ),
            ));
        }
        carry_out(medium, &self.plan.publish)?;
        let mut slots = Slots::read(medium)?;
        for (f, p) in self.manifest.files.iter().zip(&self.plan.places) {
            let whole = slots.file(self.slot, &f.name).is_some_and(|e| {
                u64::from(e.size) == f.size
                    && e.chain.first().map(|c| slots.volume.geometry().offset(*c)) == Some(p.offset)
                    && e.chain.windows(2).all(|w| w[0] + 1 == w[1])
            });
            if !whole {
                return Err(Refusal::new(
                    "medium",
                    format!("the boot medium does not keep /{}/{}: replace it", self.slot, f.name),
                ));
            }
        }
        before(self.slot, &self.manifest.version)?;
        let env = slots.env.clone()?;
        let env = env
            .with("prefer", self.slot)
            .with(self.slot, "trying")
            .with("left", TRIES)
            .with("once", "");
        slots.set(medium, env)?;
        Ok((self.slot.to_owned(), self.manifest.version))
    }
}

fn count(done: &[bool], what: bool) -> u32 {
    field(done.iter().filter(|d| **d == what).count())
}

/// A number of chunks, or of bytes in one, as the wire has it; a bundle's head has room for far fewer.
fn field(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
