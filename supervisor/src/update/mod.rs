//! Updates: a bundle goes into the slot that does not run, and that slot proves itself before it is kept.
//!
//! Everything that touches the boot partition is done by helpers; PID 1 itself hears their lines and decides.
//!
//! | part | what |
//! |---|---|
//! | `back` | back to the other slot: by a person, or by the ladder |
//! | `block` | what is told of an environment block that cannot be read |
//! | `partition` | the boot partition's bytes, past the cache, exclusively |
//! | `slots` | both slots and the environment block, and its one-sector changes |
//! | `idle` | whether the slot that does not run may be overwritten: a pure table |
//! | `writer` | begin, chunks, finish: nothing that can be started is ever half of something |
//! | `serve` | the writer behind its socket (`wire::update`) |
//! | `settle` | at each start: how the last update ended, and what is kept |
//! | `trial` | when a slot on trial is kept, and when it has failed: a pure rule |
//! | `floor` | keys that were replaced and versions that were kept stay so, whatever runs |
//! | `notes` | what has to outlive a start, on DATA |
//!
//! Writing survives a cut at any moment: `played/cuts` cuts it at every write, with any unflushed sectors lost, and resumes.

mod back;
pub(crate) mod block;
mod floor;
mod idle;
mod notes;
pub mod partition;
#[cfg(test)]
mod played;
mod serve;
mod settle;
mod slots;
mod trial;
mod turn;
mod writer;

use std::path::{Path, PathBuf};

use bundle::KeySet;
use serde::{Deserialize, Serialize};
use wire::update::{TrustedKeys, UpdateView};

use crate::boot::data::place::STATE_WHERE;
use crate::shell::helper::Line;
use crate::shell::paths::Paths;
pub use trial::Trial;
pub use turn::Known;

/// What PID 1 knows of updates, as plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What everybody sees.
    pub view: UpdateView,
    /// The look at how the last update ended has been taken.
    settled: bool,
    /// How often that failed.
    failed: u32,
    /// It has told whether the running slot is on trial.
    #[serde(default)]
    looked: bool,
    /// What a start on trial is at until then.
    #[serde(default)]
    step: trial::Step,
    /// What the server has proven, while the running slot is on trial.
    trial: Option<Trial>,
    /// The environment block was not readable and is written anew once this start has proven itself.
    heal: bool,
    /// What was wrong with that block at this start; empty where nothing was.
    #[serde(default)]
    block: Option<String>,
    /// The block that was damaged at this start has been written anew.
    #[serde(default)]
    healed: bool,
    /// What the way back to the other slot has come to.
    #[serde(default)]
    back: back::Back,
    /// Why the boot partition could not be looked at.
    #[serde(default)]
    trouble: Option<String>,
}

/// Where everything that an update concerns is.
#[derive(Debug, Clone)]
struct Here {
    /// GUID of the boot partition; `None` below a root, where it is the file `dev/boot`.
    part: Option<String>,
    root: Paths,
    /// The slot that runs.
    slot: String,
}

impl Here {
    fn socket(&self) -> PathBuf {
        self.root.at(Path::new(wire::update::UPDATE_SOCKET))
    }

    /// The keys that the image trusts.
    ///
    /// # Errors
    /// There are none, in a sentence.
    fn keys(&self) -> Result<KeySet, String> {
        let path = self.root.at(Path::new("/etc/kiln/update-keys.json"));
        let bytes = std::fs::read(&path).map_err(|e| {
            format!(
                "this box trusts no keys ({}: {e}): it cannot be updated",
                path.display()
            )
        })?;
        KeySet::parse(&bytes).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// The keys that count now, for people.
    fn trusted(&self) -> Option<TrustedKeys> {
        let set = floor::Floor::read(&self.notes()).keys(self.keys().ok()?);
        Some(TrustedKeys {
            fingerprints: set.keys.iter().map(bundle::Public::fingerprint).collect(),
            threshold: u32::try_from(set.threshold).unwrap_or(u32::MAX),
            version: set.version,
        })
    }

    /// Tells PID 1 the keys that count now.
    fn tell_keys(&self, line: &Line) {
        line.say(&format!(
            "keys {}",
            serde_json::to_string(&self.trusted()).unwrap_or_default()
        ));
    }

    /// Whether a system in the other slot waits for its trial: how that ends is told of it, and of nothing that was refused meanwhile.
    /// Nobody here may have the partition open.
    fn waits(&self) -> bool {
        let other = slots::other(&self.slot);
        match self.open().and_then(|p| slots::Slots::read(&p)) {
            Ok(slots) => slots.state(other) == wire::update::SlotState::Trying,
            Err(_) => notes::trial(&self.notes()).is_some_and(|note| note.slot == other),
        }
    }

    fn board(&self) -> PathBuf {
        self.root.at(Path::new("/kiln/board.toml"))
    }

    fn notes(&self) -> PathBuf {
        self.root.at(Path::new("/var/lib/kiln/supervisor/update"))
    }

    /// Whether the services' state, and so what is noted here, outlives this start; below a root it does.
    ///
    /// # Errors
    /// It is kept in memory, and what to do.
    fn lasts(&self) -> Result<(), String> {
        let place = std::fs::read_to_string(self.root.at(Path::new(STATE_WHERE))).unwrap_or_default();
        if place.trim() != "ram" {
            return Ok(());
        }
        Err("DATA is not in use: state is kept in memory, where a new system cannot prove itself, so the box would leave it \
             again. Put the boot medium back or restart the box, as the banner of the dashboard says; where DATA cannot be used \
             after that either, write the image to the medium anew"
            .into())
    }

    /// Opens the boot partition, for this process alone.
    fn open(&self) -> Result<partition::Partition, String> {
        let (node, disk) = match &self.part {
            Some(part) => partition::find(part).map(|(node, disk)| (node, Some(disk)))?,
            None => (self.root.at(Path::new("/dev/boot")), None),
        };
        partition::Partition::open(&node, disk)
    }
}
