//! Add-ons: what is kept of each, and the list of them.
//!
//! The built-in agent is add-on 1 and is made by the server itself. Everything else is registered by a person. How an
//! add-on is at this moment (online, degraded, offline) is the hub's business, not the record's.

pub mod asked;
mod manifest;
pub mod outcall;
pub mod replies;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use store::{Store, Table};
use wire::{Problem, Time};

use crate::hub::AGENT;
use crate::tables::NUMBERS;

pub use manifest::{Kept, MANIFEST_MAX, Sent, Taken, read_manifest};

/// The table.
pub const ADDONS: Table<u64, Addon> = Table::new("addons");

/// When each add-on was heard last, beside the rows with their manifests.
pub(crate) const SEEN: Table<u64, Time> = Table::new("addons-seen");

/// Most add-ons of one box.
pub(crate) const ADDONS_MAX: usize = 10_000;

/// What is kept of an add-on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Addon {
    /// Number.
    pub id: u64,
    /// Name, as a person gave it.
    pub name: String,
    /// Where it listens, if it does.
    pub url: String,
    /// Version, from the manifest.
    pub version: String,
    /// Description, from the manifest.
    pub description: String,
    /// The manifest as it came.
    pub manifest: Kept,
    /// Whether it may connect.
    pub enabled: bool,
    /// Whether it enrolled by `POST /api/addons/connect`: those exist in the field and send up to 512 KiB a frame.
    pub enrolled: bool,
    /// When it was registered.
    pub created: Time,
    /// When it was changed last.
    pub updated: Time,
    /// When it was heard last, as far as the medium knows.
    pub last_seen: Option<Time>,
}

/// Whether a text can be an add-on's name.
///
/// # Errors
/// Says how long a name is.
pub fn check_name(name: &str) -> Result<(), Problem> {
    if name.trim().is_empty() || name.chars().count() > 128 || name.contains(char::is_control) {
        let expected = "name: expected 1 to 128 characters, not only blanks, without control characters";
        return Err(Problem::new("bad-name", 400, "This cannot be a name").with(expected));
    }
    Ok(())
}

/// The add-ons, in memory and on the medium.
#[derive(Debug)]
pub struct Addons {
    store: Store,
    all: RwLock<BTreeMap<u64, Addon>>,
    /// Held by whoever changes a row.
    changing: tokio::sync::Mutex<()>,
}

impl Addons {
    /// Reads the table.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store) -> store::Result<Self> {
        let mut all: BTreeMap<u64, Addon> = store.read(|r| ADDONS.all(r))?.into_iter().collect();
        for (id, at) in store.read(|r| SEEN.all(r))? {
            if let Some(addon) = all.get_mut(&id) {
                addon.last_seen = Some(at);
            }
        }
        Ok(Self {
            store,
            all: RwLock::new(all),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// One add-on.
    pub fn get(&self, id: u64) -> Option<Addon> {
        self.all
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// All of them, by number.
    pub fn list(&self) -> Vec<Addon> {
        self.all
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Changes an add-on as it is at this moment, and no other change comes in between: one that was disabled stays so
    /// whatever it sends meanwhile. `None` where there is none any more. What stays the same is not written.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn update(&self, id: u64, change: impl FnOnce(&mut Addon)) -> store::Result<Option<Addon>> {
        let _one_at_a_time = self.changing.lock().await;
        let Some(before) = self.get(id) else { return Ok(None) };
        let mut row = before.clone();
        change(&mut row);
        if row != before {
            self.keep(row.clone()).await?;
        }
        Ok(Some(row))
    }

    /// Stores a row as it is: of a new add-on, or while [`Self::changing`] is held. Whoever has a copy of an older row uses
    /// [`Self::update`], or an add-on that was taken away meanwhile would be back.
    async fn keep(&self, addon: Addon) -> store::Result<()> {
        let row = addon.clone();
        self.store.write_growing(move |w| ADDONS.put(w, &row.id, &row)).await?;
        self.all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(addon.id, addon);
        Ok(())
    }

    /// Keeps when add-ons were heard last: all that changed in one go.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn saw(&self, seen: Vec<(u64, Time)>) -> store::Result<()> {
        let changed: Vec<(u64, Time)> = {
            let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
            let news = seen.into_iter().filter(|(id, at)| {
                let row = all.get_mut(id);
                row.is_some_and(|row| row.last_seen.replace(*at) != Some(*at))
            });
            news.collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        let write = move |w: &mut store::Write<'_, '_>| changed.iter().try_for_each(|(id, at)| SEEN.put(w, id, at));
        self.store.write(write).await
    }

    /// A new add-on with the next number.
    ///
    /// # Errors
    /// When there are too many, or it is not on the medium.
    pub async fn add(&self, now: Time, name: &str, url: &str) -> Result<Addon, crate::app::Failure> {
        if self.all.read().unwrap_or_else(PoisonError::into_inner).len() >= ADDONS_MAX {
            let problem = Problem::new("too-many", 409, "There are too many add-ons on this box");
            return Err(problem
                .with(format!("at most {ADDONS_MAX}; take one away first"))
                .into());
        }
        // Number 1 is the built-in agent's, whether this box has one or not.
        let id = AGENT + self.store.write(move |w| NUMBERS.bump(w, "addon")).await?;
        let addon = Addon {
            id,
            name: name.to_owned(),
            url: url.to_owned(),
            version: "0.0.0".to_owned(),
            description: "Awaiting first connection".to_owned(),
            manifest: Kept::default(),
            enabled: true,
            enrolled: false,
            created: now,
            updated: now,
            last_seen: None,
        };
        let _one_at_a_time = self.changing.lock().await;
        self.keep(addon.clone()).await?;
        Ok(addon)
    }

    /// Makes the record of the built-in agent where it is missing.
    ///
    /// # Errors
    /// When it is not on the medium.
    pub async fn ensure_agent(&self, now: Time) -> store::Result<()> {
        if self.get(AGENT).is_some() {
            return Ok(());
        }
        let addon = Addon {
            id: AGENT,
            name: "burn-in agent".to_owned(),
            url: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Sees this box's drives and burns them in".to_owned(),
            manifest: Kept::default(),
            enabled: true,
            enrolled: true,
            created: now,
            updated: now,
            last_seen: None,
        };
        let _one_at_a_time = self.changing.lock().await;
        self.keep(addon).await
    }

    /// Takes an add-on away; false if there was none.
    ///
    /// # Errors
    /// When that is not on the medium.
    pub async fn remove(&self, id: u64) -> store::Result<bool> {
        let _one_at_a_time = self.changing.lock().await;
        let there = self
            .all
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
            .is_some();
        if there {
            let write = move |w: &mut store::Write<'_, '_>| {
                SEEN.delete(w, &id)?;
                ADDONS.delete(w, &id)
            };
            self.store.write(write).await?;
        }
        Ok(there)
    }
}
