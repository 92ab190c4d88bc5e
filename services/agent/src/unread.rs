//! Rows that this version cannot read, as a newer one left them before the box fell back: they are moved beside the store, so
//! that one of them keeps neither all jobs from being taken up nor every event from being told.
//!
//! Not of the pins, which say whom the agent obeys, nor of wishes: what cannot be read there is no consent.

use serde_json::json;
use store::{Error, Store, TakenOut};
use wire::event::Severity;

use crate::bays::BAYS;
use crate::controller::LIT;
use crate::events::Happening;
use crate::jobs::{self, JOBS, KNOWN, past};
use crate::outbox::SPOOL;

/// Moves them; what became of them, and why others could not be moved. Called before anything else is read.
pub fn take_out(store: &Store) -> (Vec<TakenOut>, Vec<Error>) {
    let tables = [
        store.take_out_unreadable(&JOBS),
        jobs::samples::take_out_unreadable(store),
        store.take_out_unreadable(&past::CERTIFICATES),
        store.take_out_unreadable(&past::PEERS),
        store.take_out_unreadable(&BAYS),
        store.take_out_unreadable(&KNOWN),
        store.take_out_unreadable(&LIT),
        store.take_out_unreadable(&SPOOL),
    ];
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    for table in tables {
        match table {
            Ok(some) => taken.extend(some),
            Err(error) => failed.push(error),
        }
    }
    (taken, failed)
}

/// What is told of it.
pub fn told(taken: &[TakenOut]) -> Option<Happening> {
    let entries: usize = taken.iter().map(|taken| taken.entries).sum();
    let last = taken.last()?;
    let cut: usize = taken.iter().map(|taken| taken.cut).sum();
    let too_many = match cut {
        0 => String::new(),
        cut => format!("; they are so many that of {cut} only the keys were kept"),
    };
    let message = format!(
        "{entries} of the agent's records cannot be read by this version ({}) and lie beside its store now, in {}{too_many}; the rest goes on",
        last.why,
        last.path.display()
    );
    let rows: Vec<_> = taken
        .iter()
        .map(|taken| json!({ "path": taken.path, "table": taken.table, "entries": taken.entries, "only_keys": taken.cut, "why": taken.why }))
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
        let (taken, failed) = take_out(jobs.store());
        assert!(failed.is_empty(), "{failed:?}");
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
        assert!(take_out(jobs.store()).0.is_empty());
        assert!(self::told(&[]).is_none());
    }

    #[test]
    fn of_a_table_of_which_many_rows_cannot_be_read_the_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            check: Check::InProcess,
            ..Options::new(&tables())
        };
        let jobs = Jobs::new(store::open(dir.path(), &options).unwrap().store, dir.path(), None);
        let mut good = record();
        jobs.save(&mut good, Some("c"), &[]).wait().unwrap();
        let many = |w: &mut store::Write<'_, '_>| {
            let strange = Table::<String, Value>::new("jobs");
            (0..50).try_for_each(|number| strange.put(w, &number.to_string(), &json!({ "of": "another shape" })))
        };
        jobs.store().write(many).wait().unwrap();
        let (taken, failed) = take_out(jobs.store());
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!(taken.len(), 1, "told in one line: {taken:?}");
        assert_eq!(taken[0].entries, 50);
        let kept = jobs.load().unwrap();
        assert_eq!((kept.len(), &kept[0].record), (1, &good));
    }
}
