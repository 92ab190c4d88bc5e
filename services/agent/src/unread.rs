//! Rows that this version cannot read, as a newer one left them before the box fell back: they are moved beside the store, so
//! that one of them keeps neither all jobs from being taken up nor every event from being told.
//!
//! Not of the pins, which say whom the agent obeys, nor of wishes: what cannot be read there is no consent.

use serde_json::json;
use store::{Error, Store, TakenOut};
use wire::event::Severity;

use crate::bays::BAYS;
use crate::events::Happening;
use crate::jobs::{self, JOBS, KNOWN, past};
use crate::outbox::SPOOL;

/// Rows of a table that are moved one by one; where more cannot be read, all of it is.
const ONE_BY_ONE: usize = 20;

/// Moves them; what became of them. Called before anything else is read.
///
/// # Errors
/// When LMDB or the medium fails.
pub fn take_out(store: &Store) -> store::Result<Vec<TakenOut>> {
    let mut taken: Vec<TakenOut> = Vec::new();
    loop {
        let (table, key, why) = match read(store) {
            Ok(()) => return Ok(taken),
            Err(Error::Value { table, key, why }) => (table, key, why),
            Err(other) => return Err(other),
        };
        let before = taken.iter().filter(|taken| taken.table == table).count();
        if before > ONE_BY_ONE {
            // The whole table is gone already.
            return Err(Error::Value { table, key, why });
        }
        let key = (before < ONE_BY_ONE).then_some(key);
        taken.push(store.take_out(table, key.as_deref(), &why)?);
    }
}

fn read(store: &Store) -> store::Result<()> {
    store.read(|r| {
        JOBS.all(r).map(drop)?;
        jobs::samples_are_readable(r)?;
        past::CERTIFICATES.all(r).map(drop)?;
        past::PEERS.all(r).map(drop)?;
        BAYS.all(r).map(drop)?;
        KNOWN.all(r).map(drop)?;
        SPOOL.all(r).map(drop)
    })
}

/// What is told of it.
pub fn told(taken: &[TakenOut]) -> Option<Happening> {
    let entries: usize = taken.iter().map(|taken| taken.entries).sum();
    let last = taken.last()?;
    let message = format!(
        "{entries} of the agent's records cannot be read by this version ({}) and lie beside its store now, in {}; the rest goes on",
        last.why,
        last.path.display()
    );
    let rows: Vec<_> = taken
        .iter()
        .map(|taken| json!({ "path": taken.path, "table": taken.table, "entries": taken.entries, "why": taken.why }))
        .collect();
    let data = json!({ "taken_out": rows });
    Some(Happening::new(
        "agent.records_set_aside",
        Severity::Critical,
        None,
        message,
        data,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::Value;
    use store::{Check, Options, Table};

    use super::*;
    use crate::jobs::{Jobs, tables};
    use crate::record::tests::record;

    /// As after a fall back to the system of before an update.
    #[test]
    fn a_row_of_a_newer_version_keeps_no_other_job_and_no_event_back() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let jobs = Jobs::new(store::open(dir.path(), &options).unwrap().store, dir.path(), None);
        let mut good = record();
        let told = [crate::events::started(&good.job)];
        jobs.save(&mut good, Some("c"), &told).wait().unwrap();
        let newer = |w: &mut store::Write<'_, '_>| {
            let row = json!({ "of": "another shape" });
            Table::<String, Value>::new("jobs").put(w, "0", &row)?;
            Table::<u64, Value>::new("spool").put(w, &1, &row)?;
            Table::<String, Value>::new("known").put(w, "sn-x", &row)
        };
        jobs.store().write(newer).wait().unwrap();
        assert!(jobs.load().is_err());
        let taken = take_out(jobs.store()).unwrap();
        assert_eq!(taken.len(), 3, "{taken:?}");
        assert!(taken.iter().all(|taken| taken.path.exists() && taken.entries == 1));
        let kept = jobs.load().unwrap();
        assert_eq!((kept.len(), &kept[0].record), (1, &good));
        assert_eq!(jobs.store().read(|r| SPOOL.all(r)).unwrap().len(), 1);
        assert!(
            self::told(&taken)
                .unwrap()
                .event
                .message
                .contains("3 of the agent's records")
        );
        assert_eq!(take_out(jobs.store()).unwrap(), []);
        assert!(self::told(&[]).is_none());
        // A table that is strange all over goes as a whole.
        let many = |w: &mut store::Write<'_, '_>| {
            let strange = Table::<String, Value>::new("known");
            (0..50).try_for_each(|number| strange.put(w, &number.to_string(), &json!({ "of": "another shape" })))
        };
        jobs.store().write(many).wait().unwrap();
        let taken = take_out(jobs.store()).unwrap();
        assert_eq!(taken.iter().map(|taken| taken.entries).sum::<usize>(), 50);
        assert_eq!(taken.len(), ONE_BY_ONE + 1);
    }
}
