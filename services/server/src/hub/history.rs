//! What the server remembers of one add-on's frames: for pages that come later, and for those that come back.
//!
//! Everything is bounded in bytes, by a share of one budget that all add-ons divide; nothing of it is on the medium. The
//! texts are those that came; they are shared between the rings and whoever is told of them, never copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use wire::Time;

use super::effect::Telemetry;
use super::ring::Ring;

/// Bytes that the histories of all add-ons may take together.
pub const BUDGET: usize = 48 << 20;

/// Add-ons that the budget is divided among at least.
const FEWEST: usize = 32;

/// Frames kept of one add-on at most.
const FRAMES: usize = 4096;

/// Log lines kept of one add-on at most.
const LINES: usize = 1000;

/// Jobs whose last progress is kept.
const JOBS: usize = 128;

/// Lines of charts kept of one add-on; fewer where more than 48 add-ons divide the room.
const SERIES: usize = 64;

/// Points kept of one line; when it is full every second one goes, so that it always spans from the first to the last.
const POINTS: usize = 512;

/// Points of one line where there are as many lines as there is room for.
const POINTS_MIN: usize = 128;

/// Bytes of a point.
const POINT: usize = 16;

/// How long a line was silent before it makes room for a new one, in seconds. Without that, lines of which there is one too
/// many would take each other's place for ever, and none would keep its points.
const SILENT: i64 = 900;

/// Tables kept of one add-on: of each component one, or one a job and part where its frames name them.
const TABLES: usize = 128;

/// What a kept frame costs beside its text.
const OVERHEAD: usize = 120;

/// How long a job counts as active after its last progress, in seconds.
const ACTIVE: i64 = 900;

/// The share of one of `addons` add-ons in [`BUDGET`], in bytes.
pub fn share(addons: usize) -> usize {
    BUDGET / addons.max(FEWEST)
}

#[derive(Clone, Debug)]
struct Told {
    at: Time,
    payload: Arc<str>,
}

/// The last progress of a job. A frame need not say again what an earlier one said.
#[derive(Clone, Debug)]
struct Job {
    told: Told,
    phase: String,
    percent: Option<f64>,
    over: bool,
}

/// What was not kept: open pages have seen it, those opened later do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unkept {
    /// Lines of charts beyond those that there is room for.
    Lines,
    /// Rows in a frame longer than one is kept.
    Rows,
    /// The table that was told longest ago.
    Tables,
    /// A progress longer than one is kept.
    Progress,
}

impl Unkept {
    /// In words, for the add-on's log, where it has this share.
    pub fn words(self, share: usize) -> String {
        let what = match self {
            Self::Lines => format!(
                "more than {} lines of charts: a new one takes the place of the one heard longest ago, once that was silent for {} minutes",
                lines(share),
                SILENT / 60
            ),
            Self::Rows => format!("a frame with rows has more than {} bytes", share / 16),
            Self::Tables => format!(
                "more than {TABLES} tables, or {} bytes of them: the one told longest ago made room",
                share / 8
            ),
            Self::Progress => format!("a progress frame has more than {} bytes", share / 16),
        };
        format!("{what}; what was not kept is missing on pages that are opened later")
    }
}

/// Lines of charts that there is room for in this share.
fn lines(share: usize) -> usize {
    (share / 8 / (POINTS_MIN * POINT)).clamp(1, SERIES)
}

/// One line of a chart, thinned as it grows.
#[derive(Clone, Debug, Default)]
struct Series {
    points: Vec<(i64, f64)>,
    /// When it was heard last.
    heard: Time,
    /// One of so many points is kept.
    stride: u32,
    skipped: u32,
}

impl Series {
    fn push(&mut self, at: i64, value: f64, most: usize) {
        self.stride = self.stride.max(1);
        self.skipped += 1;
        if self.skipped < self.stride {
            return;
        }
        self.skipped = 0;
        self.thin(most);
        self.points.push((at, value));
    }

    /// Makes room for one more of `most` points.
    fn thin(&mut self, most: usize) {
        while self.points.len() >= most.max(2) {
            let mut n = 0;
            self.points.retain(|_| {
                n += 1;
                n % 2 == 1
            });
            self.stride = self.stride.max(1) * 2;
        }
    }
}

/// What is remembered of one add-on.
#[derive(Clone, Debug)]
pub struct History {
    frames: Ring<Telemetry>,
    frame_bytes: usize,
    lines: Ring<(Time, Arc<str>)>,
    line_bytes: usize,
    jobs: BTreeMap<String, Job>,
    series: BTreeMap<(String, String), Series>,
    /// By component, and job and part where they are named: sixty drives tell their SMART under one component.
    tables: BTreeMap<(String, String), Told>,
}

fn text(payload: &Value, key: &str) -> String {
    payload
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or("")
        .chars()
        .take(200)
        .collect()
}

/// A word of a payload; numbers and truth values are read as text, as the page does.
fn word(payload: &Value, key: &str) -> Option<String> {
    match payload.get(key)? {
        Value::String(text) => Some(text.chars().take(200).collect()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number of a payload; a text that is one counts.
fn number(payload: &Value, key: &str) -> Option<f64> {
    match payload.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Job {
    /// A job after its next progress. 100 per cent of a phase end that phase; the job is over where its status says so, its
    /// phase is called failed, cancelled or complete, or it has no phases. The page has the same rule
    /// (`web/src/addon/jobs.ts`), and both run `services/wire/cases/job-over.json`.
    fn after(was: Option<&Self>, told: Told) -> Self {
        let payload: Value = serde_json::from_str(&told.payload).unwrap_or_default();
        let phase = word(&payload, "phase").or_else(|| was.map(|was| was.phase.clone()));
        let phase = phase.unwrap_or_default();
        let said = ["percent", "progress_percent", "progress"]
            .into_iter()
            .find_map(|key| number(&payload, key));
        let percent = said.or_else(|| was.and_then(|was| was.percent));
        let status = word(&payload, "status").or_else(|| word(&payload, "state"));
        let over = match status.unwrap_or_default().to_ascii_lowercase().as_str() {
            "completed" | "complete" | "passed" | "success" | "done" | "finished" => true,
            "failed" | "error" | "cancelled" | "canceled" | "aborted" => true,
            "paused" => false,
            _ => match phase.to_ascii_lowercase().as_str() {
                "" => percent.is_some_and(|percent| percent >= 100.0),
                "complete" | "completed" | "done" | "finished" => said.is_none_or(|percent| percent >= 100.0),
                phase => phase.starts_with("fail") || phase.starts_with("cancel"),
            },
        };
        Self {
            told,
            phase,
            percent,
            over,
        }
    }
}

/// A payload as it came, for an answer: never parsed and written again.
fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

impl History {
    /// Of an add-on that has not said anything. Numbers of frames begin after `numbers`.
    pub fn new(numbers: u64) -> Self {
        Self {
            frames: Ring::after_number(FRAMES, numbers),
            frame_bytes: 0,
            lines: Ring::new(LINES),
            line_bytes: 0,
            jobs: BTreeMap::new(),
            series: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// Remembers a frame within `share` bytes; returns its number.
    pub fn frame(&mut self, item: Telemetry, share: usize) -> u64 {
        // Half for what is replayed, a quarter for the log, the rest for jobs and tables.
        self.frame_bytes += item.payload.len() + OVERHEAD;
        let number = self
            .frames
            .push_with(item, |dropped| self.frame_bytes -= dropped.payload.len() + OVERHEAD);
        while self.frame_bytes > share / 2 {
            let Some(dropped) = self.frames.pop() else { break };
            self.frame_bytes -= dropped.payload.len() + OVERHEAD;
        }
        number
    }

    /// Remembers a log line.
    pub fn line(&mut self, at: Time, payload: Arc<str>, share: usize) {
        self.line_bytes += payload.len() + OVERHEAD;
        self.lines.push_with((at, payload), |(_, dropped)| {
            self.line_bytes -= dropped.len() + OVERHEAD;
        });
        while self.line_bytes > share / 4 {
            let Some((_, dropped)) = self.lines.pop() else { break };
            self.line_bytes -= dropped.len() + OVERHEAD;
        }
    }

    /// Remembers a job's progress.
    pub fn progress(&mut self, at: Time, job: &str, payload: &Arc<str>, share: usize) -> Option<Unkept> {
        if payload.len() > share / 16 {
            return Some(Unkept::Progress);
        }
        let job: String = job.chars().take(200).collect();
        let most = (share / 8 / (payload.len() + OVERHEAD)).clamp(1, JOBS);
        while self.jobs.len() >= most && !self.jobs.contains_key(&job) {
            let oldest = self
                .jobs
                .iter()
                .min_by_key(|(_, job)| job.told.at)
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            self.jobs.remove(&oldest);
        }
        let told = Told {
            at,
            payload: Arc::clone(payload),
        };
        let now = Job::after(self.jobs.get(&job), told);
        self.jobs.insert(job, now);
        None
    }

    /// Remembers a point, or the points, of a chart.
    pub fn chart(&mut self, at: Time, payload: &Value, share: usize) -> Option<Unkept> {
        let points = match payload.get("metrics").and_then(Value::as_array) {
            Some(metrics) => metrics.iter().collect(),
            None => vec![payload],
        };
        let stamp_of = |of: &Value| of.get("timestamp").and_then(Value::as_str)?.parse::<Time>().ok();
        let (mut unkept, most) = (None, lines(share));
        for point in points {
            let (Some(value), key) = (point.get("value").and_then(Value::as_f64), text(point, "key")) else {
                continue;
            };
            let component = match text(point, "component_id") {
                empty if empty.is_empty() => text(payload, "component_id"),
                own => own,
            };
            let stamp = stamp_of(point).or_else(|| stamp_of(payload)).unwrap_or(at);
            let name = (component, key);
            let is_new = !self.series.contains_key(&name);
            if is_new && self.series.len() >= most {
                unkept = Some(Unkept::Lines);
                if !self.forget_silent(at) {
                    continue;
                }
            }
            let count = self.series.len() + usize::from(is_new);
            let points = (share / 8 / POINT / count).min(POINTS);
            if is_new {
                self.series.values_mut().for_each(|series| series.thin(points + 1));
            }
            let series = self.series.entry(name).or_default();
            series.heard = at;
            series.push(stamp.as_millisecond(), value, points);
        }
        unkept
    }

    /// Forgets the line that was heard longest ago, if it has been silent for long; whether it was.
    fn forget_silent(&mut self, now: Time) -> bool {
        let oldest = self.series.iter().min_by_key(|(_, series)| series.heard);
        let silent = oldest.filter(|(_, series)| now.as_second() - series.heard.as_second() >= SILENT);
        let Some(name) = silent.map(|(name, _)| name.clone()) else {
            return false;
        };
        self.series.remove(&name).is_some()
    }

    /// Remembers a table's rows; the table that was told longest ago makes room.
    pub fn rows(&mut self, at: Time, payload: &Value, text_of_it: &Arc<str>, share: usize) -> Option<Unkept> {
        if text_of_it.len() > share / 16 {
            return Some(Unkept::Rows);
        }
        let part = payload.get("part").and_then(Value::as_u64).unwrap_or(0);
        let key = (
            text(payload, "component_id"),
            format!("{} {part}", text(payload, "job_id")),
        );
        let told = Told {
            at,
            payload: Arc::clone(text_of_it),
        };
        self.tables.insert(key, told);
        let mut unkept = None;
        let bytes =
            |tables: &BTreeMap<_, Told>| tables.values().map(|told| told.payload.len() + OVERHEAD).sum::<usize>();
        while self.tables.len() > TABLES || bytes(&self.tables) > share / 8 {
            let Some(oldest) = self
                .tables
                .iter()
                .min_by_key(|(_, told)| told.at)
                .map(|(key, _)| key.clone())
            else {
                break;
            };
            self.tables.remove(&oldest);
            unkept = Some(Unkept::Tables);
        }
        unkept
    }

    /// Frames after number `after`, oldest first.
    pub fn after(&self, after: u64) -> impl Iterator<Item = (u64, &Telemetry)> {
        self.frames.after(after)
    }

    /// Number of the newest frame.
    pub fn newest(&self) -> u64 {
        self.frames.newest()
    }

    /// The last progress of each job that still goes on at `now`, as it came, with when that was.
    pub fn active_jobs(&self, now: Time) -> Vec<Value> {
        let recent = |job: &&Job| !job.over && now.as_second() - job.told.at.as_second() <= ACTIVE;
        let active = self.jobs.values().filter(recent);
        active.filter_map(|job| item(&job.told)).collect()
    }

    /// The last progress of each job that is over.
    pub fn job_history(&self) -> Vec<Value> {
        let over = self.jobs.values().filter(|job| job.over);
        over.filter_map(|job| item(&job.told)).collect()
    }

    /// Log lines since `since`, as they came.
    pub fn log(&self, since: Time) -> Vec<Box<RawValue>> {
        let lines = self.lines.iter().filter(|(at, _)| *at >= since);
        lines.filter_map(|(_, line)| raw(line)).collect()
    }

    /// Points of the charts since `since`; of one component where that is given.
    pub fn points(&self, component: Option<&str>, since: Time) -> Vec<Value> {
        let since = since.as_millisecond();
        let mut all: Vec<(i64, Value)> = Vec::new();
        for ((of, key), series) in &self.series {
            if component.is_some_and(|component| !of.is_empty() && of != component) {
                continue;
            }
            for (at, value) in series.points.iter().filter(|(at, _)| *at >= since) {
                let stamp = Time::from_millisecond(*at).map(|t| t.to_string()).unwrap_or_default();
                all.push((
                    *at,
                    json!({ "component_id": of, "key": key, "value": value, "timestamp": stamp }),
                ));
            }
        }
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, point)| point).collect()
    }

    /// Rows of the tables as they came last, of the components that are `wanted`; one that came without its component's name has none.
    pub fn table(&self, wanted: impl Fn(&str) -> bool) -> Vec<Value> {
        let of = |told: &Told| {
            let payload: Value = serde_json::from_str(&told.payload).unwrap_or_default();
            match payload.get("rows").and_then(Value::as_array) {
                Some(rows) => rows.clone(),
                None => vec![payload],
            }
        };
        self.tables
            .iter()
            .filter(|((name, _), _)| wanted(name))
            .flat_map(|(_, told)| of(told))
            .collect()
    }
}

fn item(told: &Told) -> Option<Value> {
    let mut payload: Value = serde_json::from_str(&told.payload).ok()?;
    payload
        .as_object_mut()?
        .entry("updated_at")
        .or_insert_with(|| told.at.to_string().into());
    Some(payload)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn telemetry(length: usize) -> Telemetry {
        Telemetry {
            name: "log",
            kind: "log".into(),
            payload: "x".repeat(length).into(),
        }
    }

    #[test]
    fn the_tables_of_several_jobs_stand_beside_each_other_in_bounded_space() {
        let mut history = History::new(0);
        let mut tell = |job: &str, part: u64, row: &str| {
            let payload = json!({ "component_id": "smart", "job_id": job, "part": part, "rows": [{ "name": row }] });
            let text: Arc<str> = payload.to_string().into();
            history.rows(Time::UNIX_EPOCH, &payload, &text, share(1));
            history.table(|name| name == "smart").len()
        };
        tell("a", 1, "first");
        tell("a", 2, "second");
        assert_eq!(tell("b", 1, "third"), 3);
        assert_eq!(tell("b", 1, "third again"), 3, "the same one is replaced");
        for n in 0..2 * TABLES {
            tell(&format!("job {n}"), 1, "x");
        }
        let long = "y".repeat(share(1) / 20);
        let most = (0..20).map(|n| tell(&format!("long {n}"), 1, &long)).max();
        assert!(most <= Some(TABLES));
        assert!(tell("last", 1, &long) <= 3, "their bytes are bounded, too");
    }

    #[test]
    fn a_line_of_a_chart_spans_all_of_its_time_in_bounded_space() {
        let mut history = History::new(0);
        for n in 0..100_000_i64 {
            let at = Time::from_second(n).unwrap();
            history.chart(at, &json!({ "component_id": "t", "key": "temp", "value": n }), share(1));
        }
        let points = history.points(Some("t"), Time::UNIX_EPOCH);
        assert!((POINTS / 2..=POINTS).contains(&points.len()), "{}", points.len());
        assert!(points[0]["value"].as_f64().unwrap() < 500.0);
        assert!(points.last().unwrap()["value"].as_f64().unwrap() > 99_000.0);
        assert!(history.points(Some("other"), Time::UNIX_EPOCH).is_empty());
    }

    #[test]
    fn every_line_of_a_chart_has_room_and_a_new_one_takes_the_place_of_a_silent_one() {
        let (mut history, share) = (History::new(0), share(1));
        let mut tell = |second: i64, key: &str| {
            let at = Time::from_second(second).unwrap();
            let payload = json!({ "metrics": [{ "key": key, "value": 1 }], "timestamp": at.to_string() });
            let unkept = history.chart(at, &payload, share);
            let keys: BTreeMap<String, usize> =
                history
                    .points(None, Time::UNIX_EPOCH)
                    .iter()
                    .fold(BTreeMap::new(), |mut keys, point| {
                        *keys.entry(text(point, "key")).or_default() += 1;
                        keys
                    });
            (unkept, keys)
        };
        for n in 0..2_000 {
            assert_eq!(tell(n, "first").0, None);
        }
        for n in 1..SERIES {
            assert_eq!(tell(2_000, &format!("line {n}")).0, None);
        }
        let (unkept, keys) = tell(2_001, "late");
        assert_eq!((unkept, keys.len()), (Some(Unkept::Lines), SERIES), "all are live");
        assert!(keys.values().sum::<usize>() * POINT <= share / 8, "{keys:?}");
        assert!(keys["first"] >= POINTS_MIN / 2, "{keys:?}");
        assert_eq!(tell(2_100, "first").1.len(), SERIES);
        let (unkept, keys) = tell(2_000 + SILENT, "late");
        assert_eq!((unkept, keys.len()), (Some(Unkept::Lines), SERIES));
        assert!(keys.contains_key("late") && keys.contains_key("first"), "{keys:?}");
        assert!(Unkept::Lines.words(share).contains("more than 64 lines"));
    }

    #[test]
    fn points_of_a_list_have_the_time_of_the_list_where_they_have_none() {
        let mut history = History::new(0);
        let (early, late) = ("2026-11-29T08:00:00Z", "2026-11-29T09:00:00Z");
        let payload = json!({ "timestamp": early, "metrics": [{ "key": "a", "value": 1 }, { "key": "b", "value": 2, "timestamp": late }] });
        history.chart(Time::UNIX_EPOCH, &payload, share(1));
        let stamps: Vec<Value> = history
            .points(None, Time::UNIX_EPOCH)
            .iter()
            .map(|p| p["timestamp"].clone())
            .collect();
        assert_eq!(stamps, [early, late]);
    }

    #[test]
    fn what_is_too_long_to_be_kept_is_said_to_be() {
        let mut history = History::new(0);
        let payload = json!({ "rows": [{ "a": "x".repeat(share(1) / 16) }] });
        let long: Arc<str> = payload.to_string().into();
        assert_eq!(
            history.rows(Time::UNIX_EPOCH, &payload, &long, share(1)),
            Some(Unkept::Rows)
        );
        assert_eq!(
            history.progress(Time::UNIX_EPOCH, "j", &long, share(1)),
            Some(Unkept::Progress)
        );
    }

    #[test]
    fn a_job_is_active_until_it_is_over_or_forgotten() {
        let mut history = History::new(0);
        let at = Time::from_second(1_000).unwrap();
        let mut say = |job: &str, percent: f64, phase: &str| {
            let payload = json!({ "job_id": job, "percent": percent, "phase": phase })
                .to_string()
                .into();
            history.progress(at, job, &payload, share(1));
        };
        say("a", 10.0, "write");
        say("b", 100.0, "COMPLETE");
        say("c", 30.0, "FAILED");
        let soon = Time::from_second(1_100).unwrap();
        let active = history.active_jobs(soon);
        assert_eq!(active.len(), 1);
        assert_eq!(
            (&active[0]["job_id"], &active[0]["percent"]),
            (&json!("a"), &json!(10.0))
        );
        assert_eq!(history.job_history().len(), 2);
        assert!(history.active_jobs(Time::from_second(3_000).unwrap()).is_empty());
    }

    #[test]
    fn a_job_is_over_where_the_page_says_so() {
        #[derive(serde::Deserialize)]
        struct Case {
            name: String,
            frames: Vec<Value>,
            state: String,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../../wire/cases/job-over.json")).unwrap();
        assert!(cases.len() >= 20);
        for Case { name, frames, state } in cases {
            let mut history = History::new(0);
            for frame in &frames {
                history.progress(Time::UNIX_EPOCH, "j", &frame.to_string().into(), share(1));
            }
            let over = matches!(state.as_str(), "completed" | "failed" | "cancelled");
            let (active, ended) = (history.active_jobs(Time::UNIX_EPOCH), history.job_history());
            assert_eq!(
                (active.len(), ended.len()),
                if over { (0, 1) } else { (1, 0) },
                "{name}"
            );
        }
    }

    #[test]
    fn a_job_with_a_long_name_is_one() {
        let mut history = History::new(0);
        let name = "j".repeat(300);
        for percent in [1, 2] {
            let payload = json!({ "percent": percent }).to_string().into();
            history.progress(Time::UNIX_EPOCH, &name, &payload, share(1));
        }
        assert_eq!(history.active_jobs(Time::UNIX_EPOCH).len(), 1);
    }

    proptest! {
        #[test]
        fn it_never_takes_more_than_its_share(lengths in proptest::collection::vec(0usize..20_000, 1..300)) {
            let mut history = History::new(7);
            let share = share(5_000);
            let mut last = 7;
            for length in lengths {
                let number = history.frame(telemetry(length), share);
                prop_assert_eq!(number, last + 1);
                last = number;
                history.line(Time::UNIX_EPOCH, "y".repeat(length).into(), share);
                let kept: usize = history.after(0).map(|(_, item)| item.payload.len() + OVERHEAD).sum();
                prop_assert!(kept <= share / 2 && history.line_bytes <= share / 4);
                prop_assert_eq!(kept, history.frame_bytes);
            }
            prop_assert_eq!(history.newest(), last);
        }
    }
}
