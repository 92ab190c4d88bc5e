//! One transaction of the scribe: what it was handed, and what must go for it.

use certificate::{revoke, signed};
use store::Write;
use wire::event::Actor;
use wire::job::Job;
use wire::{Event, JobId, Time};

use super::retain::Log;
use super::{DRIVES, EVENTS_SEEN, Keep, PLAYBOOKS, SUPERVISOR, json, seals};
use crate::acknowledged::{self, ACKNOWLEDGED};
use crate::last_words;
use crate::tables::{CERTIFICATES, JOB_LOG, JOB_LOG_MAX, JOBS, JOBS_MAX, STATE};

/// What a transaction brought about.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The events that are in the log by it.
    pub(super) events: Vec<Event>,
    /// Jobs of which more is known here than was told, as they are now: their certificate was revoked, or their end acknowledged.
    pub(super) amended: Vec<Job>,
}

/// Writes what is to be kept, all of it or nothing.
///
/// # Errors
/// Those of the store; nothing is written then.
pub(super) fn write<'k>(
    w: &mut Write<'_, '_>,
    now: Time,
    keep: impl Iterator<Item = &'k Keep>,
) -> store::Result<Written> {
    let mut amended = Vec::new();
    let mut log = Log::open(w)?;
    let mut seen = STATE.get(w, EVENTS_SEEN)?.and_then(|v| v.as_u64()).unwrap_or(0);
    let seen_before = seen;
    for item in keep {
        match item {
            Keep::Event(new, actor, at) => {
                if let Some(origin) = new.origin {
                    // Sent again because the agent had not heard that it arrived.
                    if origin <= seen {
                        continue;
                    }
                    seen = origin;
                    if seals::was_told(w, new)? {
                        continue;
                    }
                }
                log.append(w, new.clone(), *at, actor.clone())?;
            }
            Keep::Job(job) => amended.extend(keep_job(w, &mut log, now, job)?),
            Keep::Acknowledged(job, entry) => acknowledged::keep(w, *job, entry.as_ref())?,
            Keep::Drives(drives) => STATE.put(w, DRIVES, &json(drives)?)?,
            Keep::Playbooks(playbooks) => STATE.put(w, PLAYBOOKS, &json(playbooks)?)?,
            Keep::Certificate(certificate) => {
                CERTIFICATES.put(w, &certificate.job.to_string(), &certificate.text)?;
            }
            Keep::Line(job, line) => {
                let job = job.to_string();
                let number = JOB_LOG.append_to(w, &job, line)?;
                if number % 100 == 0 {
                    JOB_LOG.keep_last_of(w, &job, JOB_LOG_MAX)?;
                }
            }
            Keep::Remember(remembered) => STATE.put(w, SUPERVISOR, &json(remembered)?)?,
        }
    }
    if seen != seen_before {
        STATE.put(w, EVENTS_SEEN, &seen.into())?;
    }
    log.keep_to_its_number(w, now)?;
    let excess = usize::try_from(JOBS.len(w)?.saturating_sub(JOBS_MAX as u64)).unwrap_or(0);
    for job in too_many(w, excess)? {
        JOB_LOG.delete_of(w, &job)?;
        ACKNOWLEDGED.delete(w, &job)?;
        CERTIFICATES.delete(w, &job)?;
        JOBS.delete(w, &job)?;
    }
    let events = log.events;
    Ok(Written { events, amended })
}

/// Keeps a job, with what it takes back and what was taken back of it; gives the jobs of which that makes others than were told.
fn keep_job(w: &mut Write<'_, '_>, log: &mut Log, now: Time, told: &Job) -> store::Result<Vec<Job>> {
    let mut amended = Vec::new();
    for entry in seals::take_back(w, told)? {
        log.append(w, revoke::event(&entry, told.id), now, Actor::new("server", "server"))?;
        // Its own earlier word: what is told of the job now takes its place.
        if entry.job != told.id {
            amended.extend(seals::tell_job(w, &entry)?);
        }
    }
    let mut job = told.clone();
    let lacked = seals::list(w, &mut job)?;
    acknowledged::tell(w, &mut job)?;
    if lacked || job.acknowledged != told.acknowledged {
        amended.push(job.clone());
    }
    let key = job.id.to_string();
    // What was signed at an earlier end of the job is not handed out. What cannot be read is sent again.
    if matches!(CERTIFICATES.get(w, &key), Ok(Some(text)) if !signed::is_of(&text, &job)) {
        CERTIFICATES.delete(w, &key)?;
    }
    JOBS.put(w, &key, &job)?;
    Ok(amended)
}

/// Keys of the jobs that go: the oldest, and failures that still stand last.
fn too_many(w: &Write<'_, '_>, excess: usize) -> store::Result<Vec<String>> {
    if excess == 0 {
        return Ok(Vec::new());
    }
    match last_words::kept(w) {
        Ok(words) => Ok(last_words::to_go(&words, excess).iter().map(JobId::to_string).collect()),
        // One row that cannot be read must not keep everything else from being written: then the oldest go.
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "jobs could not be read before some were let go"
            );
            Ok(JOBS.keys(w)?.into_iter().take(excess).collect())
        }
    }
}
