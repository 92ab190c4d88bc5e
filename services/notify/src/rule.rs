//! What a channel is told of: its rules, its quiet hours, its cool-down and its digest, each with its checks.

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::Time;
use wire::event::Severity;

/// Rules of one channel, at most.
pub const RULES_MAX: usize = 200;

/// Longest text in a rule in bytes; a drive's id has at most 400.
const TEXT_MAX: usize = 400;

/// Longest cool-down in seconds: a month.
const COOLDOWN_MAX: i64 = 31 * 86_400;

/// A setting that cannot be: which field, and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct BadSetting {
    /// Path of the field: `rules[2].cooldown_secs`.
    pub field: String,
    /// What is wrong and what is expected.
    pub what: String,
}

impl BadSetting {
    pub(crate) fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
        }
    }
}

fn yes() -> bool {
    true
}

/// One rule: the first that matches an event decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRule)]
pub struct Rule {
    /// `job.failed`, `job_failed`, `job.*` or `*`.
    pub event_type: String,
    /// Told if true, kept back if false.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// -1: once; 0: always; else seconds in which a repetition (same channel, kind, host and serial) is kept back.
    #[serde(default)]
    pub cooldown_secs: i64,
    /// The rule is for events of at least this severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// The rule is for this drive: its id, or its serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive: Option<String>,
    /// The rule is for this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The rule is for this workspace; events that name none are of `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

impl Rule {
    /// Checks the values; `at` is the rule's place.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self, at: &str) -> Result<(), BadSetting> {
        let bad = |field: &str, what: String| Err(BadSetting::new(format!("{at}.{field}"), what));
        if self.event_type.is_empty() || self.event_type.len() > 64 || !self.event_type.is_ascii() {
            return bad(
                "event_type",
                "expected a kind of event (`job.failed`, `job_failed`, `job.*` or `*`) of at most 64 characters".into(),
            );
        }
        if !(-1..=COOLDOWN_MAX).contains(&self.cooldown_secs) {
            return bad(
                "cooldown_secs",
                format!(
                    "{} is not within -1 (once) … 0 (always) … {COOLDOWN_MAX}",
                    self.cooldown_secs
                ),
            );
        }
        for (field, text) in [
            ("drive", &self.drive),
            ("job", &self.job),
            ("workspace", &self.workspace),
        ] {
            if text
                .as_ref()
                .is_some_and(|text| text.is_empty() || text.len() > TEXT_MAX)
            {
                return bad(field, format!("expected 1 to {TEXT_MAX} characters, or nothing at all"));
            }
        }
        Ok(())
    }

    /// Whether `name` is what the rule asks for.
    pub fn names(&self, name: &str) -> bool {
        match self.event_type.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.event_type,
        }
    }
}

/// Checks all rules of a channel.
///
/// # Errors
/// Names the first rule and field that cannot be.
pub fn check_rules(rules: &[Rule]) -> Result<(), BadSetting> {
    if rules.len() > RULES_MAX {
        return Err(BadSetting::new(
            "rules",
            format!("{} rules; at most {RULES_MAX} are taken", rules.len()),
        ));
    }
    rules
        .iter()
        .enumerate()
        .try_for_each(|(i, rule)| rule.check(&format!("rules[{i}]")))
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Hours in which only criticals are told; the rest waits for their end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertQuietHours)]
pub struct QuietHours {
    /// Whether they are kept.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `HH:MM`, included.
    pub start_time: String,
    /// `HH:MM`, excluded; before `start_time` it is of the next day.
    pub end_time: String,
    /// `UTC`, an offset (`+01:00`), a zone's name (`Europe/Berlin`) or a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`).
    #[serde(default = "utc")]
    pub timezone: String,
}

impl QuietHours {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), BadSetting> {
        let start = clock(&self.start_time, "quiet_hours.start_time")?;
        let end = clock(&self.end_time, "quiet_hours.end_time")?;
        zone(&self.timezone, "quiet_hours.timezone")?;
        if start == end && self.enabled {
            return Err(BadSetting::new(
                "quiet_hours.end_time",
                "is the same as start_time: quiet hours that never or always hold",
            ));
        }
        Ok(())
    }

    /// When the quiet hours that hold at `now` end; `None` when they do not hold.
    pub fn until(&self, now: Time) -> Option<Time> {
        if !self.enabled {
            return None;
        }
        let (start, end) = (clock(&self.start_time, "").ok()?, clock(&self.end_time, "").ok()?);
        let zone = zone(&self.timezone, "").ok()?;
        let local = now.to_zoned(zone.clone());
        let time = local.time();
        let (holds, days) = if start < end {
            ((start..end).contains(&time), 0)
        } else {
            (time >= start || time < end, i64::from(time >= start))
        };
        if !holds {
            return None;
        }
        let day = local.date().checked_add(jiff::Span::new().days(days)).ok()?;
        let until = zone.to_timestamp(day.to_datetime(end)).ok()?;
        // A clock that is put back within the quiet hours must not make an end that lies before now.
        (until > now).then_some(until)
    }
}

/// How often what has come together is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertEvery)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Each hour, at the minute of `send_at`.
    Hourly,
    /// Each day.
    #[default]
    Daily,
    /// Each week, on `weekday`.
    Weekly,
}

/// A summary instead of single messages; criticals are told at once all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertDigest)]
pub struct Digest {
    /// Whether messages are collected.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `HH:MM`.
    pub send_at: String,
    /// How often.
    #[serde(default)]
    pub every: Every,
    /// Day of a weekly one: 1 (Monday) to 7.
    #[serde(default = "monday")]
    pub weekday: u8,
    /// As in the quiet hours.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn monday() -> u8 {
    1
}

impl Digest {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), BadSetting> {
        clock(&self.send_at, "digest.send_at")?;
        zone(&self.timezone, "digest.timezone")?;
        if !(1..=7).contains(&self.weekday) {
            return Err(BadSetting::new("digest.weekday", "expected 1 (Monday) to 7 (Sunday)"));
        }
        Ok(())
    }

    /// The first moment after `after` at which a digest is due.
    pub fn next(&self, after: Time) -> Option<Time> {
        let at = clock(&self.send_at, "").ok()?;
        let zone = zone(&self.timezone, "").ok()?;
        let local = after.to_zoned(zone.clone());
        let (mut moment, step) = match self.every {
            Every::Hourly => {
                let start = local.date().at(local.hour(), at.minute(), 0, 0);
                (start, jiff::Span::new().hours(1))
            }
            Every::Daily => (local.date().to_datetime(at), jiff::Span::new().days(1)),
            Every::Weekly => {
                let today = i64::from(local.date().weekday().to_monday_one_offset());
                let days = (i64::from(self.weekday) - today).rem_euclid(7);
                let day = local.date().checked_add(jiff::Span::new().days(days)).ok()?;
                (day.to_datetime(at), jiff::Span::new().days(7))
            }
        };
        // Twice, because the first step may fall into an hour that does not exist or exists twice.
        for _ in 0..3 {
            let due = zone.to_timestamp(moment).ok()?;
            if due > after {
                return Some(due);
            }
            moment = moment.checked_add(step).ok()?;
        }
        None
    }
}

fn clock(text: &str, field: &str) -> Result<civil::Time, BadSetting> {
    let bad = || {
        BadSetting::new(
            field,
            format!("{:?} is no time of day: expected HH:MM, 00:00 to 23:59", short(text)),
        )
    };
    let (hour, minute) = text.split_once(':').ok_or_else(bad)?;
    let number = |part: &str| -> Option<i8> {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse().ok())
            .flatten()
    };
    let (hour, minute) = (number(hour).ok_or_else(bad)?, number(minute).ok_or_else(bad)?);
    civil::Time::new(hour, minute, 0, 0).map_err(|_| bad())
}

fn zone(text: &str, field: &str) -> Result<TimeZone, BadSetting> {
    if text.is_empty() || text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Ok(TimeZone::UTC);
    }
    let bad = || {
        BadSetting::new(
            field,
            format!(
                "{:?} is not known here: expected UTC, an offset like +01:00, a zone's name like Europe/Berlin, or a \
                 POSIX rule like CET-1CEST,M3.5.0,M10.5.0/3",
                short(text)
            ),
        )
    };
    if text.len() > 64 {
        return Err(bad());
    }
    if let Some(sign) = [('+', 1), ('-', -1)]
        .into_iter()
        .find_map(|(c, sign)| text.starts_with(c).then_some(sign))
    {
        let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "00"));
        let number = |part: &str, max: i32| -> Option<i32> {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse().ok())
                .flatten()
                .filter(|n| *n <= max)
        };
        let (hours, minutes) = (number(hours, 14).ok_or_else(bad)?, number(minutes, 59).ok_or_else(bad)?);
        let offset = jiff::tz::Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| bad())?;
        return Ok(TimeZone::fixed(offset));
    }
    TimeZone::get(text)
        .or_else(|_| TimeZone::posix(text))
        .map_err(|_| bad())
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn quiet(start: &str, end: &str, timezone: &str) -> QuietHours {
        QuietHours {
            enabled: true,
            start_time: start.into(),
            end_time: end.into(),
            timezone: timezone.into(),
        }
    }

    #[test]
    fn quiet_hours_go_over_midnight_and_know_their_zone() {
        let night = quiet("22:00", "07:30", "UTC");
        for (now, until) in [
            ("2026-11-20T21:59:59Z", None),
            ("2026-11-20T22:00:00Z", Some("2026-11-21T07:30:00Z")),
            ("2026-11-21T07:29:59Z", Some("2026-11-21T07:30:00Z")),
            ("2026-11-21T07:30:00Z", None),
        ] {
            assert_eq!(night.until(at(now)), until.map(at), "{now}");
        }
        let here = quiet("22:00", "07:00", "+02:00");
        assert_eq!(here.until(at("2026-11-20T19:59:00Z")), None);
        assert_eq!(here.until(at("2026-11-20T20:00:00Z")), Some(at("2026-11-21T05:00:00Z")));
        let summer = quiet("22:00", "07:00", "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(
            summer.until(at("2026-07-01T20:30:00Z")),
            Some(at("2026-07-02T05:00:00Z"))
        );
        assert_eq!(summer.until(at("2026-12-01T20:30:00Z")), None);
        assert_eq!(
            QuietHours {
                enabled: false,
                ..night
            }
            .until(at("2026-11-20T23:00:00Z")),
            None
        );
    }

    /// The box carries no zone data beside its programs: what is looked up must be built in.
    #[test]
    fn zones_are_known_without_the_machines_own_data() {
        let built_in = jiff::tz::TimeZoneDatabase::bundled();
        for name in [
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
        ] {
            assert!(built_in.get(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (start, end, zone, field) in [
            ("24:00", "07:00", "UTC", "start_time"),
            ("7:00", "08:00", "UTC", "start_time"),
            ("07:00", "0760", "UTC", "end_time"),
            ("07:00", "07:00", "UTC", "end_time"),
            ("07:00", "08:00", "Mars/Olympus", "timezone"),
            ("07:00", "08:00", "+15:00", "timezone"),
            ("07:00", "08:00", "+ä1:00", "timezone"),
        ] {
            let error = quiet(start, end, zone).check().unwrap_err();
            assert!(error.field.ends_with(field), "{error}");
        }
    }

    #[test]
    fn a_digest_is_due_once_a_period() {
        let digest = |every, weekday| Digest {
            enabled: true,
            send_at: "08:15".into(),
            every,
            weekday,
            timezone: "UTC".into(),
        };
        // 2026-11-20 is a Friday.
        for (every, weekday, after, due) in [
            (Every::Daily, 1, "2026-11-20T08:14:59Z", "2026-11-20T08:15:00Z"),
            (Every::Daily, 1, "2026-11-20T08:15:00Z", "2026-11-21T08:15:00Z"),
            (Every::Hourly, 1, "2026-11-20T09:00:00Z", "2026-11-20T09:15:00Z"),
            (Every::Hourly, 1, "2026-11-20T23:15:00Z", "2026-11-21T00:15:00Z"),
            (Every::Weekly, 5, "2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z"),
            (Every::Weekly, 5, "2026-11-20T08:15:00Z", "2026-11-27T08:15:00Z"),
            (Every::Weekly, 1, "2026-11-20T08:15:00Z", "2026-11-23T08:15:00Z"),
        ] {
            assert_eq!(
                digest(every, weekday).next(at(after)),
                Some(at(due)),
                "{every:?} {after}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_answered(text in "\\PC{0,12}") {
            let hours = quiet(&text, "08:00", &text);
            if hours.check().is_ok() {
                prop_assert!(hours.until(at("2026-11-20T08:00:00Z")).is_none_or(|until| until > at("2026-11-20T08:00:00Z")));
            }
        }

        #[test]
        fn the_end_of_quiet_hours_is_after_now_and_within_a_day(
            start in 0_u32..1440, end in 0_u32..1440, now in 1_700_000_000_i64..1_800_000_000,
        ) {
            prop_assume!(start != end);
            let hm = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
            let hours = quiet(&hm(start), &hm(end), "-05:30");
            let now = Time::from_second(now).unwrap();
            if let Some(until) = hours.until(now) {
                prop_assert!(until > now);
                prop_assert!(until.duration_since(now).as_secs() <= 86_400);
                prop_assert_eq!(hours.until(until), None);
            }
        }

        #[test]
        fn a_digest_comes_after_and_within_its_period(minute in 0_u32..1440, weekday in 1_u8..8, now in 1_700_000_000_i64..1_800_000_000) {
            let now = Time::from_second(now).unwrap();
            for (every, longest) in [(Every::Hourly, 3600), (Every::Daily, 86_400), (Every::Weekly, 7 * 86_400)] {
                let digest = Digest { enabled: true, send_at: format!("{:02}:{:02}", minute / 60, minute % 60), every, weekday, timezone: "+03:30".into() };
                let due = digest.next(now).unwrap();
                prop_assert!(due > now && due.duration_since(now).as_secs() <= longest);
            }
        }
    }
}
