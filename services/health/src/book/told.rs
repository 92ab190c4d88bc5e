//! The events that follow from reports. They are written in the report's own commit and wait until they are logged.

use std::collections::BTreeMap;

use serde_json::json;
use wire::event::{NewEvent, Severity};

use super::Book;
use crate::alert::{self, Change};
use crate::tables::{Drive, OUTBOX};

impl Book {
    /// Events that wait to be logged, oldest first.
    ///
    /// # Errors
    /// The medium.
    pub fn outbox(&self) -> store::Result<Vec<(u64, NewEvent)>> {
        self.store.read(|r| OUTBOX.after(r, &0, 256))
    }

    /// Takes logged events away.
    ///
    /// # Errors
    /// The medium.
    pub async fn logged(&self, up_to: u64) -> store::Result<()> {
        self.store
            .write(move |w| {
                for (number, _) in OUTBOX.all(w)? {
                    if number <= up_to {
                        OUTBOX.delete(w, &number)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// Most parts of what is news that an event names: an event is kept for years.
const NEWS_MAX: usize = 32;

/// The event of a pool's change, with the name that existing clients know it by.
pub(super) fn of_pool(change: &Change, hostname: &str, pool: &str) -> NewEvent {
    let mut told = event(change, hostname, None);
    told.message = format!("{hostname} ZFS pool {pool}: {}", change.message);
    told.data["pool"] = pool.into();
    let critical = change.severity == Severity::Critical;
    let name = match (
        change.kind == alert::Kind::PoolHealth,
        change.kind == alert::Kind::PoolFull,
    ) {
        (true, _) if critical => "zfs_pool_faulted",
        (true, _) => "zfs_pool_degraded",
        (_, true) if critical => "zfs_capacity_critical",
        (_, true) => "zfs_capacity_warning",
        (false, false) => "zfs_vdev_errors",
    };
    if !change.resolved {
        told.data["event_type"] = name.into();
    }
    told
}

/// The event of a change.
pub fn event(change: &Change, hostname: &str, drive: Option<&Drive>) -> NewEvent {
    let kind = if change.resolved {
        "drive.alert_resolved"
    } else {
        "drive.alert"
    };
    let what = match drive {
        Some(drive) => {
            let r = &drive.reading;
            let called = if drive.alias.is_empty() { &r.model } else { &drive.alias };
            let serial = if r.serial.is_empty() { "no serial" } else { &r.serial };
            format!("{hostname} {} ({called}, {serial})", r.device)
        }
        None => hostname.to_owned(),
    };
    let reading = drive.map(|drive| &drive.reading);
    let news: BTreeMap<_, _> = change.news.iter().take(NEWS_MAX).collect();
    let data = json!({
        "alert": change.kind,
        "hostname": hostname,
        "host": hostname,
        "device": reading.map(|r| &r.device),
        "model": reading.map(|r| &r.model),
        "serial": reading.map(|r| &r.serial),
        "drive_key": drive.map(|drive| &drive.id),
        "value": change.value,
        "was": change.was,
        "since": change.since,
        "news": news,
    });
    NewEvent::new(kind, change.severity, format!("{what}: {}", change.message), data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::Time;

    use super::*;
    use crate::alert::{Alerts, judge_pool};
    use crate::pool::pools;

    /// Whoever is told of alerts with a cool-down goes by it.
    #[test]
    fn an_event_names_what_is_new_of_an_alert_and_no_more_than_some() {
        let mut alerts = Alerts::new();
        let told = [1, 2, 100].map(|lost| {
            let devices = (0..lost).map(|number| json!({ "name": format!("sd{number}"), "state": "FAULTED" }));
            let zfs =
                json!({ "pools": [{ "name": "tank", "health": "DEGRADED", "devices": devices.collect::<Vec<_>>() }] });
            let (after, changes) = judge_pool(&alerts, &pools(&zfs)[0], Time::UNIX_EPOCH);
            alerts = after;
            of_pool(&changes[0], "nas", "tank").data["news"].clone()
        });
        assert_eq!(told[..2], [json!({ "sd0": 2.0 }), json!({ "sd1": 2.0 })]);
        assert_eq!(told[2].as_object().unwrap().len(), NEWS_MAX);
    }
}
