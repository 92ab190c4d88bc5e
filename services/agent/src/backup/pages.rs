//! The pages in which the agent's part of a backup is handed out.
//!
//! What goes along is settled with the first page, by table and key. Counted anew for each page it would be another row's number
//! whenever a job ends meanwhile: a store at its bound forgets the oldest with each that does, all behind it move up by one, and
//! one of them would be in no page. A row is read when its page is asked for; one that is gone by then is passed over.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use store::{Row, Store};
use wire::Problem;
use wire::command::Answer;

use super::{KEY, PLAYBOOKS, left_alone, row};
use crate::books::Books;
use crate::{jobs, notary};

/// Bytes of keys and values in one page; as hexadecimal digits they fit a frame of 512 KiB.
const PAGE: usize = 150 << 10;

/// The backup that is being taken: the server takes one at a time.
#[derive(Debug, Default)]
pub struct Pages {
    listed: Vec<Listed>,
    /// Number of the row with which the next page begins; none before the first page and behind the last.
    next: Option<u64>,
}

/// What goes along, by where it is read.
#[derive(Debug)]
enum Listed {
    Row(&'static str, Vec<u8>),
    Playbook(String),
    Seed,
}

impl Pages {
    /// One page: rows from number `from` on. With 0 a backup begins, and any before it is over. `over`: the jobs that are.
    ///
    /// # Errors
    /// When the store cannot be read; `agent-busy` for a page that does not follow the one before.
    pub fn page(
        &mut self,
        store: &Store,
        books: &Books,
        over: &BTreeSet<String>,
        from: u64,
    ) -> Result<Answer, Problem> {
        if from == 0 {
            self.listed = list(store, books, over).map_err(failed)?;
        } else if self.next != Some(from) {
            // The rows of two lists together are no backup of anything.
            return Err(
                Problem::new("agent-busy", 503, "This backup is no longer being taken").with(format!(
                    "row {from}: the agent was started again, or another backup was begun; take it again"
                )),
            );
        }
        let (mut rows, mut bytes) = (Vec::new(), 0);
        self.next = None;
        let texts = OnceCell::new();
        let first = usize::try_from(from).unwrap_or(usize::MAX);
        for (number, listed) in (from..).zip(self.listed.iter().skip(first)) {
            let found = match listed {
                Listed::Row(table, key) => store.row(table, key).map_err(failed)?,
                Listed::Playbook(name) => {
                    let text = texts.get_or_init(|| books.texts()).get(name);
                    text.map(|text| file(PLAYBOOKS, name, text))
                }
                Listed::Seed => {
                    let seed = notary::seed_text(store).map_err(failed)?;
                    seed.map(|seed| file(KEY, "seed", &seed))
                }
            };
            let Some(found) = found else { continue };
            let length = found.key.len() + found.value.len();
            if !rows.is_empty() && bytes + length > PAGE {
                self.next = Some(number);
                break;
            }
            bytes += length;
            rows.push(row(&found.table, &found.key, &found.value));
        }
        if self.next.is_none() {
            self.listed = Vec::new();
        }
        Ok(Answer::Records { rows, next: self.next })
    }
}

/// All that goes along as things are now.
fn list(store: &Store, books: &Books, over: &BTreeSet<String>) -> store::Result<Vec<Listed>> {
    let is_open = |table: &str, key: &[u8]| {
        table == jobs::JOBS.name() && !std::str::from_utf8(key).is_ok_and(|key| over.contains(key))
    };
    let rows = store.keys(&left_alone())?.into_iter();
    let rows = rows.filter(|(table, key)| !is_open(table, key));
    let rows = rows.map(|(table, key)| Listed::Row(table, key));
    let texts = books.texts().into_keys().map(Listed::Playbook);
    Ok(rows.chain(texts).chain([Listed::Seed]).collect())
}

/// What is no row of the store, as one.
fn file(table: &str, key: &str, value: &str) -> Row {
    Row {
        table: table.to_owned(),
        key: key.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    }
}

fn failed(error: store::Error) -> Problem {
    Problem::new("store", 503, "The agent's store cannot be read").with(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::job::JobState;

    use super::super::tests::place;
    use super::*;
    use crate::jobs::{Ended, JOBS_MAX, Jobs, Past, past};

    fn finish(jobs: &Jobs) -> store::Pending<Past> {
        let mut record = crate::record::tests::record();
        record.job.state = JobState::Finished;
        let end = Ended {
            certificate: Some("c".repeat(1000)),
            ..Ended::default()
        };
        jobs.finish(&mut record, end)
    }

    fn certificates(store: &Store) -> BTreeSet<String> {
        let all = store.read(|r| past::CERTIFICATES.all(r)).unwrap();
        all.into_iter().map(|(key, _)| key).collect()
    }

    /// A box that is full forgets its oldest job with each that ends: what stood behind it moves up.
    #[test]
    fn a_job_that_ends_while_a_backup_is_taken_takes_no_other_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let jobs = Jobs::new(store.clone(), dir.path(), None);
        let ended: Vec<_> = (0..JOBS_MAX).map(|_| finish(&jobs)).collect();
        for ended in ended {
            assert!(ended.wait().unwrap().gone.is_empty());
        }
        let before = certificates(&store);
        let over = before.clone();
        let (mut sent, mut from, mut count) = (BTreeSet::new(), Some(0), 0);
        let mut pages = Pages::default();
        while let Some(number) = from {
            let Answer::Records { rows, next } = pages.page(&store, &books, &over, number).unwrap() else {
                panic!("no records")
            };
            let those = rows.iter().filter(|row| row.table == past::CERTIFICATES.name());
            sent.extend(those.map(|row| String::from_utf8(hex::decode(&row.key).unwrap()).unwrap()));
            if number == 0 {
                assert_eq!(finish(&jobs).wait().unwrap().gone.len(), 1);
            }
            (from, count) = (next, count + 1);
        }
        assert!(count > 2, "{count}");
        let after = certificates(&store);
        assert_eq!(before.difference(&after).count(), 1);
        let lacking: Vec<_> = before.intersection(&after).filter(|key| !sent.contains(*key)).collect();
        assert!(lacking.is_empty(), "{lacking:?}");
    }

    #[test]
    fn a_page_that_does_not_follow_the_one_before_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (store, books) = place(dir.path());
        let jobs = Jobs::new(store.clone(), dir.path(), None);
        (0..400).for_each(|_| drop(finish(&jobs).wait().unwrap()));
        let over = certificates(&store);
        let mut pages = Pages::default();
        let mut page = |from| -> Result<Option<u64>, String> {
            let answer = pages.page(&store, &books, &over, from);
            let Answer::Records { next, .. } = answer.map_err(|problem| problem.kind)? else {
                panic!("no records")
            };
            Ok(next)
        };
        let refused = || Err("agent-busy".to_owned());
        assert_eq!(page(7), refused(), "none was begun");
        let second = page(0).unwrap().unwrap();
        let third = page(second).unwrap().unwrap();
        assert_eq!(page(second), refused(), "it had that");
        // Another begins: the one before cannot be ended with its rows.
        assert_eq!(page(0), Ok(Some(second)));
        assert_eq!(page(third), refused());
        let mut from = Some(second);
        while let Some(number) = from {
            from = page(number).unwrap();
        }
        assert_eq!(page(second), refused(), "it is over");
    }
}
