//! The book: agents, hosts, drives and histories on the medium; what a report changes is one commit.
//!
//! | file | what it is |
//! |---|---|
//! | `enrolment.rs` | tokens and agents: who may report |
//! | `report.rs` | what a report, or a reading of this box's own drives, changes |
//! | `last.rs` | the last report of each host as it came |
//! | `ratings.rs` | what drives are rated for, told by people or built in |
//! | `told.rs` | the events that follow, which wait in an outbox until they are logged |

mod enrolment;
mod last;
mod ratings;
mod report;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use store::{Store, Write};
use wire::{Problem, Time};

use crate::tables::{DRIVES, Drive, HOSTS, Host, LAST, POINTS, Point};
use crate::{pool, thin};
pub use enrolment::Admitted;
pub use last::Packed;
pub use report::{Own, Taken};
pub use told::event;

/// Points of one drive that are read at once.
const POINTS_READ: usize = 4 * thin::MOST;

/// Host name under which this box's own drives stand; no host agent can have it, for the blank in it.
pub const THIS_BOX: &str = "this box";

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, with words.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The medium failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

type Done<T> = Result<T, Failure>;

/// The book.
#[derive(Clone, Debug)]
pub struct Book {
    store: Store,
}

impl Book {
    /// The book in a store that was opened with [`crate::tables::NAMES`].
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Runs a write whose work may refuse; it does so before it has written anything.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_, '_>) -> store::Result<Result<T, Problem>> + Send + 'static,
    ) -> Done<T> {
        self.store.write(work).await?.map_err(Failure::Refused)
    }

    /// Takes a host away with its drives and histories; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_host(&self, hostname: String) -> store::Result<bool> {
        self.store.write(move |w| forget(w, &hostname)).await
    }

    /// Takes a drive away that its host's last report had no more, with its history; its words, or `None` if there is none.
    ///
    /// # Errors
    /// `drive-present` where the host still reports it; the medium.
    pub async fn drop_drive(&self, hostname: String, id: String) -> Done<Option<Drive>> {
        self.change(move |w| {
            let known = DRIVES.get(w, id.as_str())?.filter(|drive| drive.hostname == hostname);
            let Some(drive) = known else { return Ok(Ok(None)) };
            if drive.present {
                let problem = Problem::new("drive-present", 409, "The host still reports this drive");
                return Ok(Err(problem.with(
                    "it would be back with the next report; take it out of the computer first",
                )));
            }
            POINTS.delete_of(w, &id)?;
            DRIVES.delete(w, id.as_str())?;
            Ok(Ok(Some(drive)))
        })
        .await
    }

    /// Takes a ZFS pool out of what a host's last report told, with its alerts; false if there was none.
    ///
    /// # Errors
    /// The medium.
    pub async fn drop_pool(&self, hostname: String, name: String) -> store::Result<bool> {
        self.store
            .write(move |w| {
                let Some(mut host) = HOSTS.get(w, hostname.as_str())? else {
                    return Ok(false);
                };
                let Some(pools) = host.zfs.get_mut("pools").and_then(Value::as_array_mut) else {
                    return Ok(false);
                };
                let before = pools.len();
                // Its datasets are shown with their pool alone.
                pools.retain(|told| pool::name(told).as_ref() != Some(&name));
                if pools.len() == before {
                    return Ok(false);
                }
                host.pools.remove(&name);
                HOSTS.put(w, hostname.as_str(), &host)?;
                Ok(true)
            })
            .await
    }

    /// All hosts.
    ///
    /// # Errors
    /// The medium.
    pub fn hosts(&self) -> store::Result<Vec<Host>> {
        Ok(self
            .store
            .read(|r| HOSTS.all(r))?
            .into_iter()
            .map(|(_, host)| host)
            .collect())
    }

    /// This box itself as a host, made of its own drives; `None` while none of them has said anything. `version` is what
    /// stands as the version of its agent, which is of the same release.
    ///
    /// # Errors
    /// The medium.
    pub fn own_host(&self, version: &str) -> store::Result<Option<Host>> {
        let own = self.drives(|drive| drive.hostname == THIS_BOX)?;
        let Some(newest) = own.iter().map(|drive| drive.last_seen).max() else {
            return Ok(None);
        };
        Ok(Some(Host {
            hostname: THIS_BOX.to_owned(),
            agent_id: 0,
            agent_version: version.to_owned(),
            first_seen: own.iter().map(|drive| drive.first_seen).min().unwrap_or(newest),
            last_seen: newest,
            last_report: newest,
            told_interval: None,
            reports: own.iter().map(|drive| drive.reports).sum(),
            rejected: Vec::new(),
            led_identify: false,
            listen_addr: String::new(),
            address: None,
            zfs: Value::Null,
            alerts: BTreeMap::new(),
            pools: BTreeMap::new(),
            told: BTreeSet::new(),
        }))
    }

    /// All drives that `wanted` wants.
    ///
    /// # Errors
    /// The medium.
    pub fn drives(&self, wanted: impl Fn(&Drive) -> bool) -> store::Result<Vec<Drive>> {
        let all = self.store.read(|r| DRIVES.all(r))?.into_iter().map(|(_, drive)| drive);
        let mut those: Vec<Drive> = all.filter(|drive| wanted(drive)).collect();
        those.sort_by(|a, b| (&a.hostname, &a.reading.device).cmp(&(&b.hostname, &b.reading.device)));
        Ok(those)
    }

    /// A drive's history since a moment, oldest first.
    ///
    /// # Errors
    /// The medium.
    pub fn points(&self, drive: &str, since: Time) -> store::Result<Vec<(i64, Point)>> {
        let after = u64::try_from(since.as_second()).unwrap_or(0).saturating_sub(1);
        let points = self.store.read(|r| POINTS.after_of(r, drive, after, POINTS_READ))?;
        Ok(points
            .into_iter()
            .map(|(at, point)| (i64::try_from(at).unwrap_or(i64::MAX), point))
            .collect())
    }

    /// Gives a drive a name; false if there is no such drive.
    ///
    /// # Errors
    /// The medium.
    pub async fn name(&self, id: String, alias: String) -> store::Result<bool> {
        self.store
            .write(move |w| {
                let Some(mut drive) = DRIVES.get(w, id.as_str())? else {
                    return Ok(false);
                };
                drive.alias = alias;
                DRIVES.put(w, id.as_str(), &drive)?;
                Ok(true)
            })
            .await
    }

    /// Takes points away that are older than `before`; says how many.
    ///
    /// # Errors
    /// The medium.
    pub async fn clean(&self, before: Time) -> store::Result<usize> {
        let before = u64::try_from(before.as_second()).unwrap_or(0);
        self.store
            .write(move |w| {
                let mut gone = 0;
                for (id, _) in DRIVES.all(w)? {
                    for (at, _) in POINTS.after_of(w, &id, 0, POINTS_READ)? {
                        if at < before && POINTS.delete(w, &(id.clone(), at))? {
                            gone += 1;
                        }
                    }
                }
                Ok(gone)
            })
            .await
    }
}

/// Takes a host, its drives and their histories out of the book; false if there was none.
fn forget(w: &mut Write<'_, '_>, hostname: &str) -> store::Result<bool> {
    for (id, drive) in DRIVES.all(w)? {
        if drive.hostname == hostname {
            POINTS.delete_of(w, &id)?;
            DRIVES.delete(w, id.as_str())?;
        }
    }
    LAST.delete(w, hostname)?;
    HOSTS.delete(w, hostname)
}
