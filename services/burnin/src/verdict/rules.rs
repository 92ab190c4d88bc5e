//! The rules as data: `rules.toml`, parsed once, each line checked by a test.

use std::sync::LazyLock;

use serde::Deserialize;
use wire::job::{Outcome, RuleHit, SmartLimit};

use super::{Figures, Metrics, Profile};

/// One rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id, told with every hit.
    pub id: String,
    /// The number that it looks at.
    pub metric: String,
    /// What the number counts.
    pub unit: String,
    /// Which side of a limit fires.
    #[serde(default)]
    pub at: Side,
    /// The profile it belongs to; `None`: both.
    pub profile: Option<Profile>,
    /// Limit from which it is told without consequence.
    pub told: Option<f64>,
    /// Limit for WARN.
    pub warn: Option<f64>,
    /// Limit for INCONCLUSIVE.
    pub inconclusive: Option<f64>,
    /// Limit for FAILED.
    pub failed: Option<f64>,
    /// Whether it says what was not seen, and nothing of the drive.
    #[serde(default)]
    pub unseen: bool,
    /// What a hit means, as the rest of a sentence that begins with the number.
    pub means: String,
    /// Where the limit comes from.
    pub source: String,
}

/// Which side of a limit fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// At the limit or above.
    #[default]
    Least,
    /// At the limit or below.
    Most,
}

/// All rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    rule: Vec<Rule>,
    /// Numbers that metrics are made with.
    pub figure: Figures,
}

static BUILT_IN: LazyLock<Rules> = LazyLock::new(|| {
    toml::from_str(include_str!("rules.toml")).expect("rules.toml is parsed by the tests of this module")
});

impl Rules {
    /// The rules of this engine.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The rules one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rule.iter()
    }

    /// The limit from which on a number warns; infinite where no rule warns of it.
    pub(super) fn warns_from(&self, metric: &str) -> f64 {
        let of = self
            .rule
            .iter()
            .filter(|rule| rule.metric == metric && rule.at == Side::Least);
        of.filter_map(|rule| rule.warn).fold(f64::INFINITY, f64::min)
    }

    /// The limits of a number, of each word the one that is met first; `None` where no rule of the profile judges it.
    pub(super) fn limit(&self, metric: &str, profile: Profile) -> Option<SmartLimit> {
        let of = |rule: &&Rule| rule.metric == metric && rule.profile.is_none_or(|p| p == profile);
        let of = || self.rule.iter().filter(of);
        let first = |limit: fn(&Rule) -> Option<f64>| {
            let limits = of().filter_map(limit);
            limits.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        let limit = SmartLimit {
            warn: first(|rule| rule.warn),
            inconclusive: first(|rule| rule.inconclusive),
            failed: first(|rule| rule.failed),
        };
        (limit != SmartLimit::default()).then_some(limit)
    }

    /// Every rule that fires on these numbers, with the worst of its outcomes: what is known of the drive before what is not.
    pub fn fired(&self, metrics: &Metrics, profile: Profile) -> Vec<RuleHit> {
        let fired = |unseen: bool| {
            let rules = self.rule.iter().filter(move |rule| rule.unseen == unseen);
            rules
                .filter(|rule| rule.profile.is_none_or(|p| p == profile))
                .filter_map(|r| r.hit(metrics))
        };
        fired(false).chain(fired(true)).collect()
    }
}

impl Rule {
    fn hit(&self, metrics: &Metrics) -> Option<RuleHit> {
        let value = metrics.get(&self.metric)?;
        let limits = [
            (Outcome::Failed, self.failed),
            (Outcome::Inconclusive, self.inconclusive),
            (Outcome::Warn, self.warn),
            (Outcome::Passed, self.told),
        ];
        let broken = |limit: f64| match self.at {
            Side::Least => value >= limit,
            Side::Most => value <= limit,
        };
        let (outcome, limit) = limits
            .into_iter()
            .find_map(|(o, l)| l.filter(|l| broken(*l)).map(|l| (o, l)))?;
        let side = match self.at {
            Side::Least => "at least",
            Side::Most => "at most",
        };
        Some(RuleHit {
            id: self.id.clone(),
            outcome,
            value: match metrics.figures(&self.metric) {
                Some(figures) => format!("{} ({figures})", amount(value, &self.unit)),
                None => amount(value, &self.unit),
            },
            limit: format!("{side} {}", amount(limit, &self.unit)),
            source: self.source.clone(),
            means: self.means.clone(),
        })
    }
}

/// A value with its unit, as people write it: `1 access`, `3.22 GB`, `55 min 20 s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes and seconds are whole and not negative"
)]
fn amount(value: f64, of: &str) -> String {
    let whole = value.max(0.0) as u64;
    match of {
        "bytes" if whole >= 1000 => wire::Bytes(whole).to_string(),
        "seconds" if whole >= 60 => wire::Lasted(value).to_string(),
        _ => format!("{} {}", number(value), unit(value, of)),
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// The unit as it follows this number: `1 access`, `2 accesses`.
#[expect(clippy::float_cmp, reason = "what is counted is whole and exact")]
fn unit(value: f64, unit: &str) -> &str {
    match unit {
        _ if value != 1.0 => unit,
        "accesses" => "access",
        "entries" => "entry",
        "retries" => "retry",
        _ if unit.contains(' ') => unit,
        _ => unit.strip_suffix('s').unwrap_or(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The appliance has no such program and no shell.
    #[test]
    fn no_rule_sends_a_person_to_a_program_that_is_not_here() {
        let naming = |rule: &&Rule| rule.source.contains("`hdparm");
        let rules: Vec<&Rule> = Rules::built_in().iter().filter(naming).collect();
        assert!(!rules.is_empty());
        for rule in rules {
            assert!(
                rule.source.contains("with another system `hdparm"),
                "{}: {}",
                rule.id,
                rule.source
            );
        }
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        for (value, unit, want) in [
            (1.0, "accesses", "1 access"),
            (1.0, "retries", "1 retry"),
            (2.0, "retries", "2 retries"),
            (1.0, "times", "1 time"),
            (1.0, "bytes", "1 byte"),
            (3_221_225_472.0, "bytes", "3.22 GB"),
            (1.0, "seconds", "1 second"),
            (59.0, "seconds", "59 seconds"),
            (3320.0, "seconds", "55 min 20 s"),
            (90_000.0, "seconds", "25 h 0 min"),
            (2.5, "percent", "2.5 percent"),
        ] {
            assert_eq!(amount(value, unit), want);
        }
    }
}
