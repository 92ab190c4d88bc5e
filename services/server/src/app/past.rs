//! What the medium knows from before, and what was set aside of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Weak;

use store::Store;
use tokio::sync::mpsc;
use wire::boxes::{Banner, CertificateEntry};
use wire::drive::Drive;
use wire::event::Severity;
use wire::job::Job;
use wire::{DriveId, JobId};

use super::App;
use crate::hub::told::{self, Told};
use crate::hub::{self, Input, Past};
use crate::last_words::{self, Word};
use crate::scribe;
use crate::tables::{CERTIFICATES, EVENTS, JOBS, SEALS, STATE};

/// Newest jobs read at start: the hub takes fewer for all that there are.
const JOBS_READ: usize = hub::JOBS;

/// Lists of drives that wait until their last words are looked up. All of them become one look-up, so more wait only where the
/// agent tells that many new drives during one; then it is waited for room, and nothing is lost.
pub(super) const RECALLS: usize = 64;

/// Jobs that wait until the hub hears what is known of them here: more than the certificates that one drive's failure takes back.
pub(super) const AMENDED: usize = 1024;

impl App {
    /// Settings with which nothing could be done.
    pub(super) async fn tell_what_is_not_used(&self, wrong: &[String]) {
        if wrong.is_empty() {
            return;
        }
        let text = format!("Settings are not used, see [env] of kiln.toml: {}", wrong.join("; "));
        let severity = Severity::Warning;
        let banner = Some(Banner { severity, text });
        self.feed(Input::Banner {
            key: "settings",
            banner,
        })
        .await;
    }

    pub(super) async fn tell_what_was_taken_out(&self, dir: &std::path::Path, now: Vec<store::TakenOut>) {
        if let Some(banner) = of_unread(dir) {
            let banner = Some(banner);
            self.feed(Input::Banner { key: "unread", banner }).await;
        }
        for taken in now {
            let store::TakenOut {
                path,
                table,
                entries,
                cut,
                why,
            } = taken;
            let too_many = match cut {
                0 => String::new(),
                cut => format!(" (so many that of {cut} only the keys were kept)"),
            };
            let message = format!(
                "{entries} records of table {table} could not be read and were moved to {}{too_many}: {why}",
                path.display()
            );
            let data =
                serde_json::json!({ "path": path, "table": table, "records": entries, "only_keys": cut, "why": why });
            self.record("box.records_set_aside", Severity::Warning, message, data)
                .await;
        }
    }

    /// Tells of a store and of keys that were set aside, now or before.
    pub(super) async fn tell_what_was_set_aside(
        &self,
        dir: &std::path::Path,
        now: Option<store::SetAside>,
        keys: &[PathBuf],
    ) {
        if let Some(banner) = of_stores(dir) {
            let banner = Some(banner);
            self.feed(Input::Banner { key: "store", banner }).await;
        }
        if let Some(aside) = now {
            let data = serde_json::json!({ "path": aside.path, "why": aside.why });
            let message = format!(
                "The server's store was set aside as {}: {}",
                aside.path.display(),
                aside.why
            );
            self.record("box.store_set_aside", Severity::Warning, message, data)
                .await;
        }
        if let Some(path) = keys.first() {
            let text = format!(
                "A key file of the server was malformed and lies in {}; the agent refuses new burn-ins until its own state is reset",
                path.display()
            );
            let banner = Some(warning(text));
            self.feed(Input::Banner { key: "key", banner }).await;
        }
    }

    /// Makes the banners of what was set aside those of what lies in `dir` now.
    pub(crate) async fn tell_what_lies_aside(&self, dir: &std::path::Path) {
        for (key, banner) in [("store", of_stores(dir)), ("unread", of_unread(dir))] {
            self.feed(Input::Banner { key, banner }).await;
        }
    }

    /// One job: as the hub holds it, else as the medium has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn job(&self, id: JobId) -> store::Result<Option<Job>> {
        match self.hub(|hub| hub.job_of(id).cloned()) {
            Some(job) => Ok(Some(job)),
            None => self.store.read(|r| JOBS.get(r, id.to_string().as_str())),
        }
    }

    /// The newest `most` jobs of a drive, by its id or its serial number, the newest first, and an older failure that still stands:
    /// as the hub holds each, else as the medium has it. Looks through all jobs on the medium: not for a thread that others wait for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn jobs_of(&self, drive: &str, most: usize) -> store::Result<Vec<Job>> {
        let kept = self.store.read(|r| last_words::kept(r))?;
        let held: Vec<Word> = self.hub(|hub| hub.jobs().map(Word::from).collect());
        let is = |word: &Word| word.drive.as_str() == drive || (!word.serial.is_empty() && word.serial == drive);
        let words = kept.into_iter().chain(held).filter(is);
        let by_id: BTreeMap<JobId, Word> = words.map(|word| (word.job, word)).collect();
        let words: Vec<Word> = by_id.into_values().collect();
        let jobs = last_words::newest(&words, most).into_iter().map(|id| self.job(id));
        Ok(jobs.collect::<store::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Looks up the jobs that have the last word on these drives, and tells the hub.
    async fn recall(&self, drives: BTreeSet<DriveId>) {
        let store = self.store.clone();
        let found = tokio::task::spawn_blocking(move || store.read(|r| last_words::jobs_of(r, &drives))).await;
        match found {
            Ok(Ok(jobs)) if jobs.is_empty() => {}
            Ok(Ok(jobs)) => self.feed(Input::Recalled(jobs)).await,
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "earlier jobs of drives could not be read"
            ),
            Err(error) => tracing::error!(%error, "earlier jobs of drives were not looked up"),
        }
    }

    /// The certificate of a job, byte for byte as it was signed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn certificate(&self, id: JobId) -> store::Result<Option<String>> {
        self.store.read(|r| CERTIFICATES.get(r, id.to_string().as_str()))
    }

    /// What is listed of the certificates that this box signed, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn certificates(&self) -> store::Result<Vec<CertificateEntry>> {
        let mut entries: Vec<CertificateEntry> =
            self.store.read(|r| SEALS.all(r))?.into_iter().map(|(_, e)| e).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.info.made));
        Ok(entries)
    }
}

fn warning(text: String) -> Banner {
    let severity = Severity::Warning;
    Banner { severity, text }
}

/// The banner of stores that were set aside.
fn of_stores(dir: &std::path::Path) -> Option<Banner> {
    let earlier = store::earlier(dir);
    let aside = earlier.last()?;
    Some(warning(format!(
        "The server's store was damaged and a new one was begun: history before it is in {} ({}). Settings, Box removes the file and clears this",
        aside.path.display(),
        aside.why
    )))
}

/// The banner of records that could not be read.
fn of_unread(dir: &std::path::Path) -> Option<Banner> {
    let unread = store::unread(dir);
    Some(warning(format!(
        "Records of the server could not be read and lie in {}: an older system was started after a newer one, or they were damaged. Settings, Box removes the file and clears this",
        unread.last()?.display()
    )))
}

/// Looks up what the hub wants to know of drives, for as long as the server lives: all jobs on the medium are read for it, and the
/// agent's connection must not wait for that.
pub(super) async fn recall_each(app: Weak<App>, mut asked: mpsc::Receiver<Vec<DriveId>>) {
    let mut lists = Vec::new();
    while asked.recv_many(&mut lists, RECALLS).await > 0 {
        let Some(app) = app.upgrade() else { return };
        app.recall(lists.drain(..).flatten().collect()).await;
    }
}

/// Tells the hub of jobs of which more is known here than was told, for as long as the server lives.
pub(super) async fn amend_each(app: Weak<App>, mut amended: mpsc::Receiver<Job>) {
    while let Some(job) = amended.recv().await {
        let Some(app) = app.upgrade() else { return };
        app.feed(Input::Amended(Box::new(job))).await;
    }
}

/// What the medium knows from before.
pub(super) fn past(store: &Store) -> store::Result<Past> {
    store.read(|r| {
        let word = |key| -> store::Result<serde_json::Value> { Ok(STATE.get(r, key)?.unwrap_or_default()) };
        let drives: Vec<Drive> = serde_json::from_value(word(scribe::DRIVES)?).unwrap_or_else(|error| {
            tracing::debug!(%error, "no list of drives from before");
            Vec::new()
        });
        let playbooks = serde_json::from_value(word(scribe::PLAYBOOKS)?).unwrap_or_default();
        let mut jobs: Vec<Job> = JOBS.last_n(r, JOBS_READ)?.into_iter().map(|(_, job)| job).collect();
        if jobs.len() == JOBS_READ {
            let here = drives.iter().filter(|drive| drive.present);
            let older = last_words::jobs_of(r, &here.filter_map(|drive| drive.id.clone()).collect())?;
            jobs.extend(older);
        }
        let remembered = serde_json::from_value(word(scribe::SUPERVISOR)?).ok();
        let newest = EVENTS.last_n(r, told::READ)?;
        Ok(Past {
            told: Told::of(newest.iter().map(|(_, event)| event)),
            drives,
            playbooks,
            jobs,
            remembered,
            ..Past::default()
        })
    })
}

/// The newest events after `after`, or the newest `limit` of all.
///
/// # Errors
/// When the store cannot be read.
pub fn events(store: &Store, after: Option<u64>, limit: usize) -> store::Result<Vec<wire::Event>> {
    let rows = store.read(|r| match after {
        Some(after) => EVENTS.after(r, &after, limit),
        None => EVENTS.last_n(r, limit),
    })?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}

/// The newest `limit` events about a drive, of those after `after`. The whole log is looked through, [`crate::tables::EVENTS_MAX`] at most.
///
/// # Errors
/// When the store cannot be read.
pub fn events_of(store: &Store, drive: &DriveId, after: u64, limit: usize) -> store::Result<Vec<wire::Event>> {
    // As it is written in the log.
    let part = format!("\"drive\":{}", serde_json::Value::from(drive.as_str()));
    let is = |seq: &u64, event: &wire::Event| *seq > after && event.drive.as_ref() == Some(drive);
    let rows = store.read(|r| EVENTS.last_n_with(r, limit, &part, is))?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}
