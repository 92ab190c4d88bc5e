//! The health score: 100 minus what each finding costs, never below 0, each cost with its reason.
//!
//! | finding | costs |
//! |---|---|
//! | SMART status FAILED | 100 |
//! | a value at or below its threshold now | 60 if it announces the end, else 20 |
//! | a value that was there in the past | 10 |
//! | counters of `data/known.json` | `base + step × ⌊log2 n⌋`, at most `most` each |
//! | NVMe critical warning | 60 |
//! | NVMe spare blocks | 60 below the threshold, else a third of what is missing |
//! | wear | from 80 to 100 %: 0 to 30; past 100 %: 40 |
//! | newest self-test failed | 30 |
//! | hotter than the limit | 10 |
//!
//! Age and hours cost nothing: they are no finding. A drive that told none of it has no score.

use serde::{Deserialize, Serialize};
use smart::exit;
use utoipa::ToSchema;

use crate::alert::{failing, limit};
use crate::known::{Spec, known};
use crate::reading::{Attribute, Reading};
use crate::wear;

/// From here up a drive is called healthy.
pub const HEALTHY: u32 = 80;

/// Below it a drive is called critical.
pub const CRITICAL: u32 = 50;

/// One finding and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HealthPart)]
pub struct Part {
    /// What it is about: `smart_status`, `attribute:5`, `wear` …
    pub part: String,
    /// Points that it costs.
    pub cost: u32,
    /// Why, in words.
    pub why: String,
}

/// A score and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// 0..=100; `None` where the drive told nothing of its health.
    pub score: Option<u32>,
    /// The word for it.
    pub status: Status,
    /// What cost points, dearest first.
    pub parts: Vec<Part>,
}

/// The word for a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = HealthStatus)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing was told.
    Unknown,
    /// 80 and more.
    Healthy,
    /// 50 to 79.
    Warning,
    /// Below 50.
    Critical,
}

impl Status {
    /// The word for a number.
    pub fn of(score: Option<u32>) -> Self {
        match score {
            None => Self::Unknown,
            Some(score) if score >= HEALTHY => Self::Healthy,
            Some(score) if score >= CRITICAL => Self::Warning,
            Some(_) => Self::Critical,
        }
    }
}

/// Scores a reading.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most a third of 100, and from 0 to 30"
)]
pub fn score(reading: &Reading, spec: Option<&Spec>) -> Score {
    let mut parts = Vec::new();
    let mut lose = |part: &str, cost: u32, why: String| {
        if cost > 0 {
            parts.push(Part {
                part: part.to_owned(),
                cost,
                why,
            });
        }
    };
    let of = |key: &str| reading.count(key);
    if reading.passed == Some(false) {
        lose(
            "smart_status",
            100,
            "the drive says itself that it is failing".to_owned(),
        );
    }
    let (names, prefail) = failing(reading);
    if !names.is_empty() {
        lose(
            "threshold",
            if prefail { 60 } else { 20 },
            format!("at or below the threshold: {}", names.join(", ")),
        );
    }
    for attribute in reading.attributes.iter().filter(|a| a.when_failed == "past") {
        lose(
            &format!("past:{}", attribute.key),
            10,
            format!("{} was below its threshold in the past", attribute.name),
        );
    }
    let fell = |a: &Attribute| !a.when_failed.is_empty();
    if reading.exited_with(exit::THRESHOLD_PAST) && names.is_empty() && !reading.attributes.iter().any(fell) {
        lose(
            "past",
            10,
            "a value was at its threshold, by smartctl's exit status".to_owned(),
        );
    }
    for row in known().critical.iter().filter(|row| row.protocol == reading.protocol) {
        let count = of(&row.key).unwrap_or(0);
        lose(
            &format!("attribute:{}", row.key),
            row.cost(count),
            format!("{count} {}", row.name.to_lowercase()),
        );
    }
    if of("critical_warning").is_some_and(|bits| bits != 0) {
        lose("critical_warning", 60, "the controller warns".to_owned());
    }
    let spare = of("available_spare").zip(of("available_spare_threshold"));
    // A controller that keeps no such record tells 0 for both.
    if let Some((spare, threshold)) = spare.filter(|told| *told != (0, 0)) {
        let cost = if spare < threshold {
            60
        } else {
            (100_u64.saturating_sub(spare) / 3) as u32
        };
        lose("spare", cost, format!("{spare} % spare blocks are left"));
    }
    if let Some(used) = wear::view(reading, spec).percent_used {
        let cost = if used > 100.0 {
            40
        } else {
            ((used - 80.0).max(0.0) * 1.5) as u32
        };
        lose("wear", cost, format!("{used:.0} % of its rated life is used"));
    }
    if reading.self_test_failed == Some(true) {
        lose("self_test", 30, "its newest self-test failed".to_owned());
    }
    if let Some(now) = reading.temperature.filter(|now| *now > limit(reading)) {
        lose("temperature", 10, format!("{now} °C is over its limit"));
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.cost));
    let lost = parts.iter().fold(0_u32, |sum, part| sum.saturating_add(part.cost));
    let told = reading.passed.is_some() || !reading.attributes.is_empty();
    let score = told.then_some(100_u32.saturating_sub(lost));
    Score {
        score,
        status: Status::of(score),
        parts,
    }
}
