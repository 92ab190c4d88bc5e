//! What a report of another computer, or a reading of one of this box's own drives, changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use store::Write;
use wire::event::{NewEvent, Severity};
use wire::{DriveId, Problem, Time};

use super::enrolment::unknown_agent;
use super::ratings::spec_of;
use super::told::{event, of_pool};
use super::{Book, Done, POINTS_READ, THIS_BOX};
use crate::alert::{self, Alerts};
use crate::reading::{Reading, plain_serial};
use crate::report::{AHEAD, Report};
use crate::score::score;
use crate::tables::{
    AGENTS, DRIVES, Drive, HOSTS, HOSTS_MAX, Host, OTHERS_MAX, OUTBOX, OWN_MAX, POINTS, Point, drive_id,
};
use crate::{pool, thin, wear};

/// After so many points a history is thinned.
const THIN_EVERY: u64 = 16;

/// Drives without room that are named; the others are counted.
const NAMED: usize = 4;

/// What became of a report.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Drives that were taken.
    pub drives: usize,
    /// Drives that there was no room for.
    pub full: Vec<String>,
    /// What is told of these: a critical where one of them is failing.
    pub left_out: Option<(Severity, String)>,
    /// Whether one of them fails that was not told as failing.
    pub fresh: bool,
}

/// What this box's own agent read of one of its drives.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// What the drive said.
    pub reading: Reading,
    /// Its id, for the events.
    pub drive: Option<DriveId>,
    /// When it said so.
    pub at: Time,
    /// Serials of all drives that are plugged in.
    pub present: Vec<String>,
}

impl Book {
    /// Takes a report of an agent, which is told to report again in `told_interval` seconds.
    ///
    /// # Errors
    /// `host-taken` 409, `full` 409; the medium.
    pub async fn take(
        &self,
        agent_id: u64,
        report: Report,
        address: Option<IpAddr>,
        told_interval: u64,
        now: Time,
    ) -> Done<Taken> {
        self.change(move |w| {
            let Some(mut agent) = AGENTS.get(w, &agent_id)? else {
                return Ok(Err(unknown_agent()));
            };
            let known = HOSTS.get(w, report.hostname.as_str())?;
            if let Some(other) = known
                .as_ref()
                .map(|host| host.agent_id)
                .filter(|other| *other != agent_id)
                && AGENTS.get(w, &other)?.is_some()
            {
                return Ok(Err(Problem::new(
                    "host-taken",
                    409,
                    "Another agent reports for this host",
                )
                .with(format!(
                    "hostname {}: agent {other}; give this agent another host name, or take that agent away",
                    report.hostname
                ))));
            }
            if known.is_none() && HOSTS.len(w)? >= HOSTS_MAX {
                return Ok(Err(
                    Problem::new("full", 409, "There are too many hosts").with("take some away")
                ));
            }
            let before = known.as_ref().map(|host| host.last_report);
            let before = before.filter(|before| is_ours(*before, now));
            let old = before.is_some_and(|before| report.at < before);
            let alerts = known.as_ref().map(|host| host.alerts.clone()).unwrap_or_default();
            let (alerts, changes) = alert::silence(&alerts, None, now);
            for change in changes {
                OUTBOX.append(w, &event(&change, &report.hostname, None))?;
            }
            let mut of_pools = known.as_ref().map(|host| host.pools.clone()).unwrap_or_default();
            if !old {
                for event in pools(&mut of_pools, &report) {
                    OUTBOX.append(w, &event)?;
                }
            }
            let mut told = known.as_ref().map(|host| host.told.clone()).unwrap_or_default();
            let taken = drives(w, &report, &mut told, old, now)?;
            let (alerts, changes) = match old {
                true => (alerts, Vec::new()),
                false => alert::no_room(&alerts, taken.left_out.clone(), taken.fresh, now),
            };
            for change in changes {
                OUTBOX.append(w, &event(&change, &report.hostname, None))?;
            }
            let rejected = report.rejected.iter().map(|r| r.why.clone());
            let host = Host {
                agent_id,
                agent_version: report.agent_version,
                first_seen: known.as_ref().map_or(now, |host| host.first_seen),
                last_seen: now,
                last_report: before.map_or(report.at, |before| before.max(report.at)),
                told_interval: Some(told_interval),
                reports: known.as_ref().map_or(0, |host| host.reports) + 1,
                rejected: rejected.chain(taken.full.iter().cloned()).take(32).collect(),
                led_identify: report.led_identify,
                listen_addr: report.listen_addr,
                address,
                zfs: report.zfs,
                alerts,
                pools: of_pools,
                told,
                hostname: report.hostname,
            };
            HOSTS.put(w, host.hostname.as_str(), &host)?;
            agent.hostname = host.hostname;
            agent.last_seen_at = Some(now);
            AGENTS.put(w, &agent_id, &agent)?;
            Ok(Ok(taken))
        })
        .await
    }

    /// Takes a reading of one of this box's own drives at `now`; false where there is no room for it.
    ///
    /// # Errors
    /// The medium.
    pub async fn take_own(&self, own: Own, now: Time) -> store::Result<bool> {
        self.store
            .write(move |w| {
                let id = drive_id(THIS_BOX, &own.reading);
                let mut room = match DRIVES.get(w, id.as_str())? {
                    None => make_place(w)?,
                    Some(_) => 0,
                };
                let times = (own.at, now);
                let taken = drive(w, THIS_BOX, &own.reading, times, own.drive.as_ref(), &mut room)?;
                let here: Vec<String> = own.present.iter().map(|serial| plain_serial(serial)).collect();
                for (other, mut drive) in DRIVES.all(w)?.into_iter().filter(|(_, d)| d.hostname == THIS_BOX) {
                    let present = other == id || here.contains(&plain_serial(&drive.reading.serial));
                    if drive.present != present {
                        drive.present = present;
                        DRIVES.put(w, other.as_str(), &drive)?;
                    }
                }
                Ok(taken.is_some())
            })
            .await
    }

    /// Tells of hosts that fell silent: for each whose `silent` gives words, once.
    ///
    /// # Errors
    /// The medium.
    pub async fn listen(&self, silent: BTreeMap<String, String>, now: Time) -> store::Result<()> {
        self.store
            .write(move |w| {
                for (hostname, words) in silent {
                    let Some(mut host) = HOSTS.get(w, hostname.as_str())? else {
                        continue;
                    };
                    let (alerts, changes) = alert::silence(&host.alerts, Some(words), now);
                    if changes.is_empty() {
                        continue;
                    }
                    for change in changes {
                        OUTBOX.append(w, &event(&change, &hostname, None))?;
                    }
                    host.alerts = alerts;
                    HOSTS.put(w, hostname.as_str(), &host)?;
                }
                Ok(())
            })
            .await
    }
}

/// Room for own drives; where there is none, the one that is longest gone makes place.
fn make_place(w: &mut Write<'_, '_>) -> store::Result<u64> {
    let all = DRIVES.all(w)?.into_iter().map(|(_, drive)| drive);
    let own: Vec<Drive> = all.filter(|drive| drive.hostname == THIS_BOX).collect();
    let room = OWN_MAX.saturating_sub(own.len() as u64);
    let oldest = own
        .iter()
        .filter(|drive| !drive.present)
        .min_by_key(|drive| drive.last_seen);
    match oldest.filter(|_| room == 0) {
        None => Ok(room),
        Some(gone) => {
            POINTS.delete_of(w, &gone.id)?;
            DRIVES.delete(w, gone.id.as_str())?;
            Ok(1)
        }
    }
}

/// Writes the drives of a report. One that is older than what is known only adds to the history.
/// `told` are those without room that were told as failing.
fn drives(
    w: &mut Write<'_, '_>,
    report: &Report,
    told: &mut BTreeSet<String>,
    old: bool,
    now: Time,
) -> store::Result<Taken> {
    let mut taken = Taken::default();
    let mut here = Vec::new();
    let all = DRIVES.all(w)?;
    let others = all.iter().filter(|(_, drive)| drive.hostname != THIS_BOX).count();
    let mut room = OTHERS_MAX.saturating_sub(others as u64);
    let (mut fresh, mut failing, mut well) = (Vec::new(), Vec::new(), Vec::new());
    let mut still = BTreeSet::new();
    for reading in &report.drives {
        if let Some(id) = drive(w, &report.hostname, reading, (report.at, now), None, &mut room)? {
            taken.drives += 1;
            here.push(id);
            continue;
        }
        taken.full.push(format!(
            "{}: there is no room for more than {OTHERS_MAX} drives of other computers",
            reading.device
        ));
        let spec = spec_of(w, &reading.model)?;
        let (_, found) = alert::judge(&Alerts::new(), reading, spec.as_ref(), report.at);
        let called = format!("{} ({})", reading.device, reading.serial);
        match found.iter().find(|change| change.severity == Severity::Critical) {
            Some(change) => {
                let words = format!("{called}, {}", change.message);
                let id = drive_id(&report.hostname, reading);
                match told.contains(&id) {
                    true => failing.push(words),
                    false => fresh.push(words),
                }
                still.insert(id);
            }
            None => {
                well.push(called);
                // One that comes and goes is told once.
                still.extend(told.take(&drive_id(&report.hostname, reading)));
            }
        }
    }
    taken.fresh = !fresh.is_empty();
    fresh.append(&mut failing);
    taken.left_out = left_out(fresh, well);
    if !old {
        *told = still;
        for (id, mut drive) in DRIVES.all(w)? {
            let present = here.contains(&id);
            if drive.hostname == report.hostname && drive.present != present {
                drive.present = present;
                DRIVES.put(w, id.as_str(), &drive)?;
            }
        }
    }
    Ok(taken)
}

/// What is told of drives that there is no room for: those that fail come first, of these those that were not told yet.
fn left_out(failing: Vec<String>, well: Vec<String>) -> Option<(Severity, String)> {
    let severity = match failing.is_empty() {
        true => Severity::Warning,
        false => Severity::Critical,
    };
    let all: Vec<String> = failing.into_iter().chain(well).collect();
    let more = match all.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!("; and {more} more"),
    };
    let named = all[..all.len().min(NAMED)].join("; ");
    let words = format!(
        "nobody watches these drives, since the table is full with {OTHERS_MAX} of other computers: {named}{more}. Take hosts or \
         drives away that are gone"
    );
    (!all.is_empty()).then_some((severity, words))
}

/// Whether a kept moment can be compared with `now`: what lies beyond it was written under a clock that was ahead, and says
/// nothing of what came before or after. (Under one that is behind now the newest reading wins, and the next after that.)
fn is_ours(kept: Time, now: Time) -> bool {
    kept.duration_since(now) <= AHEAD
}

/// Which points (seconds, rising) of a history go: those that a clock wrote which was ahead, and what a thinning leaves out.
///
/// It is thinned as seen from before the last [`THIN_EVERY`] points: a clock that is ahead for some readings, `now` among them, must
/// make no history too old. What such a clock wrote goes once it is right again; more than so many points that lie ahead stay, for
/// then it is `now` that is wrong, and they are the history.
fn outdated(moments: &[i64], now: Time) -> Vec<i64> {
    let border = now.as_second().saturating_add(AHEAD.as_secs());
    let (ours, beyond) = moments.split_at(moments.partition_point(|at| *at <= border));
    let recent = usize::try_from(THIN_EVERY).unwrap_or(usize::MAX);
    let mut gone = match ours.iter().rev().nth(recent) {
        Some(from) => thin::gone(ours, *from),
        None => Vec::new(),
    };
    if beyond.len() <= recent {
        gone.extend(beyond);
    }
    gone
}

/// Writes what one drive said `at` a moment; its key, or `None` where it is new and there is no `room` for it.
fn drive(
    w: &mut Write<'_, '_>,
    hostname: &str,
    reading: &Reading,
    (at, now): (Time, Time),
    called: Option<&DriveId>,
    room: &mut u64,
) -> store::Result<Option<String>> {
    let id = drive_id(hostname, reading);
    let before = DRIVES.get(w, id.as_str())?;
    if before.is_none() {
        let Some(left) = room.checked_sub(1) else {
            return Ok(None);
        };
        *room = left;
    }
    let spec = spec_of(w, &reading.model)?;
    let score = score(reading, spec.as_ref());
    let point = Point {
        values: reading.attributes.iter().map(|a| (a.key.clone(), a.count)).collect(),
        temperature: reading.temperature,
        score: score.score,
        wear: wear::view(reading, spec.as_ref()).percent_used,
        written: reading.written,
    };
    let second = u64::try_from(at.as_second()).unwrap_or(0);
    POINTS.put(w, &(id.clone(), second), &point)?;
    let reports = before.as_ref().map_or(0, |drive| drive.reports) + 1;
    if reports.is_multiple_of(THIN_EVERY) {
        let moments: Vec<i64> = POINTS
            .after_of(w, &id, 0, POINTS_READ)?
            .into_iter()
            .map(|(at, _)| i64::try_from(at).unwrap_or(i64::MAX))
            .collect();
        for gone in outdated(&moments, now) {
            POINTS.delete(w, &(id.clone(), u64::try_from(gone).unwrap_or(0)))?;
        }
    }
    if let Some(before) = before
        .as_ref()
        .filter(|drive| is_ours(drive.last_seen, now) && at < drive.last_seen)
    {
        let drive = Drive {
            reports,
            ..before.clone()
        };
        DRIVES.put(w, id.as_str(), &drive)?;
        return Ok(Some(id));
    }
    let alerts = before.as_ref().map_or_else(Alerts::new, |drive| drive.alerts.clone());
    let (alerts, changes) = alert::judge(&alerts, reading, spec.as_ref(), at);
    let drive = Drive {
        id: id.clone(),
        hostname: hostname.to_owned(),
        alias: before.as_ref().map(|drive| drive.alias.clone()).unwrap_or_default(),
        first_seen: before.as_ref().map_or(at, |drive| drive.first_seen),
        last_seen: at,
        present: true,
        reports,
        reading: reading.clone(),
        score,
        alerts,
    };
    for change in changes {
        let told = NewEvent {
            drive: called.cloned(),
            ..event(&change, hostname, Some(&drive))
        };
        OUTBOX.append(w, &told)?;
    }
    DRIVES.put(w, id.as_str(), &drive)?;
    Ok(Some(id))
}

/// Judges the ZFS pools of a report; the events that tell what has changed.
fn pools(alerts: &mut BTreeMap<String, Alerts>, report: &Report) -> Vec<NewEvent> {
    let mut events = Vec::new();
    for pool in pool::pools(&report.zfs) {
        let before = alerts.get(&pool.name).cloned().unwrap_or_default();
        let (after, changes) = alert::judge_pool(&before, &pool, report.at);
        let host = &report.hostname;
        events.extend(changes.iter().map(|change| of_pool(change, host, &pool.name)));
        match after.is_empty() {
            true => drop(alerts.remove(&pool.name)),
            // Names that come and go must not fill the host's row.
            false if alerts.len() < pool::POOLS_MAX || alerts.contains_key(&pool.name) => {
                alerts.insert(pool.name, after);
            }
            false => {}
        }
    }
    events
}
