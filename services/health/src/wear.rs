//! How much of a drive's rated life is used: of flash by its own word, and by what was written against its rating; of platters,
//! which tell none, by what existing dashboards weigh.

use serde::Serialize;
use smart::Snapshot;
use utoipa::ToSchema;

use crate::known::Spec;
use crate::reading::{Attribute, Medium, Reading, Wear};

/// Percent at which wear is worth a word. Source: makers rate endurance to 100.
pub const HIGH: u64 = 90;

/// Bytes of a terabyte, as makers count.
const TB: u64 = 1_000_000_000_000;

/// What the drive itself says of its wear: NVMe and SCSI percentage, ATA statistics, then attributes by name.
pub(crate) fn told(told: &Snapshot, attributes: &[Attribute]) -> Option<Wear> {
    let wear = |used, source: String| Some(Wear { used, source });
    if let Some((used, source)) = told.percentage_used() {
        return wear(used, source.to_owned());
    }
    smart::wear::NUMBERS.into_iter().find_map(|number| {
        let key = number.to_string();
        let attribute = attributes.iter().find(|a| a.key == key)?;
        let Attribute {
            name,
            value,
            threshold,
            count,
            ..
        } = attribute;
        let used = smart::wear::used(number, name, *value, *threshold, *count)?;
        wear(used, format!("ATA attribute {number} {name}"))
    })
}

/// Wear with what is known of the model.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WearView {
    /// Percent of the rated life that is used: the greater of both; `None` where nobody says.
    #[schema(required)]
    pub percent_used: Option<f64>,
    /// What is left of 100, not below 0.
    #[schema(required)]
    pub percent_left: Option<f64>,
    /// Where the percentage comes from.
    pub source: String,
    /// By the drive's own word.
    #[schema(required)]
    pub told_percent: Option<u64>,
    /// Terabytes written.
    #[schema(required)]
    pub written_tb: Option<f64>,
    /// Terabytes that the model is rated for.
    #[schema(required)]
    pub rated_tb: Option<u64>,
    /// Percent of the rating that is written.
    #[schema(required)]
    pub rating_percent: Option<f64>,
}

/// The wear of a drive, with the rating of its model where there is one.
pub fn view(reading: &Reading, spec: Option<&Spec>) -> WearView {
    let written_tb = reading.written.map(|bytes| round(bytes as f64 / TB as f64, 3));
    let rated_tb = spec.map(|spec| spec.tbw).filter(|tbw| *tbw > 0);
    let rating_percent = written_tb
        .zip(rated_tb)
        .map(|(written, rated)| round(100.0 * written / rated as f64, 2));
    let told_percent = reading.wear.as_ref().map(|wear| wear.used);
    let (percent_used, source) = match (told_percent.map(|p| p as f64), rating_percent) {
        (Some(told), Some(rating)) if rating > told => (Some(rating), "bytes written against the rating".to_owned()),
        (Some(told), _) => (
            Some(told),
            reading.wear.as_ref().map(|w| w.source.clone()).unwrap_or_default(),
        ),
        (None, Some(rating)) => (Some(rating), "bytes written against the rating".to_owned()),
        (None, None) => (None, String::new()),
    };
    let percent_left = percent_used.map(|used| round((100.0 - used).max(0.0), 2));
    WearView {
        percent_used,
        percent_left,
        source,
        told_percent,
        written_tb,
        rated_tb,
        rating_percent,
    }
}

/// What a share of wear is made of, in the keys of existing dashboards.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Factor {
    /// In a few words.
    pub name: &'static str,
    /// Percent of what counts as used up.
    pub percentage: f64,
    /// Its share of the whole, 0 to 1; all together are 1.
    pub weight: f64,
    /// In a sentence.
    pub description: String,
}

/// Wear in one percentage and what it is made of; `None` where a drive tells nothing of the kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// Percent.
    pub percentage: f64,
    /// What it is made of.
    pub factors: Vec<Factor>,
}

/// A factor of platters: counts of these keys together, what of them counts as used up, and its weight among those that a drive
/// tells. Source: the wear-out of existing Vigil servers; `vigil-full-job.jsonl` has a drive that tells all but the load cycles.
struct Platter {
    name: &'static str,
    keys: &'static [&'static str],
    full: f64,
    /// More than this counts no further.
    most: f64,
    weight: f64,
    description: &'static str,
}

const PLATTER: [Platter; 4] = [
    Platter {
        name: "Power-On Hours vs MTBF",
        keys: &["9"],
        full: 1_000_000.0,
        most: f64::INFINITY,
        weight: 0.30,
        description: "hours of the 1,000,000 that count as a mean time between failures",
    },
    Platter {
        name: "Reallocated Sectors",
        keys: &["5"],
        full: 50.0,
        most: 100.0,
        weight: 0.30,
        description: "sectors that were replaced; 50 are full concern",
    },
    Platter {
        name: "Load Cycle Exhaustion",
        keys: &["193"],
        full: 600_000.0,
        most: f64::INFINITY,
        weight: 0.20,
        description: "times that the heads were parked, of 600,000",
    },
    Platter {
        name: "Pending + Uncorrectable Sectors",
        keys: &["197", "198"],
        full: 20.0,
        most: 100.0,
        weight: 0.20,
        description: "sectors that cannot be read or relied on; 20 are full concern",
    },
];

/// Wear in one percentage, as existing dashboards show it of every drive. It says nothing of how good a drive is: no score and no
/// alert is made of it.
pub fn weighed(reading: &Reading, spec: Option<&Spec>) -> Option<Weighed> {
    let own = view(reading, spec);
    if let Some(percentage) = own.percent_used {
        let factor = Factor {
            name: "Rated life used",
            percentage,
            weight: 1.0,
            description: own.source,
        };
        return Some(Weighed {
            percentage,
            factors: vec![factor],
        });
    }
    if reading.medium != Medium::Disk {
        return None;
    }
    let count = |key: &str| match key {
        "9" => reading.power_on_hours,
        key => reading.attributes.iter().find(|a| a.key == key).map(|a| a.count),
    };
    let told: Vec<(&Platter, u64)> = PLATTER
        .iter()
        .filter_map(|factor| {
            let counts: Vec<u64> = factor.keys.iter().filter_map(|key| count(key)).collect();
            let sum = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
            (!counts.is_empty()).then_some((factor, sum))
        })
        .collect();
    let whole: f64 = told.iter().map(|(factor, _)| factor.weight).sum();
    let factors: Vec<Factor> = told
        .into_iter()
        .map(|(factor, count)| Factor {
            name: factor.name,
            percentage: (100.0 * count as f64 / factor.full).min(factor.most),
            weight: factor.weight / whole,
            description: factor.description.to_owned(),
        })
        .collect();
    let percentage: f64 = factors.iter().map(|factor| factor.percentage * factor.weight).sum();
    (!factors.is_empty()).then_some(Weighed { percentage, factors })
}

/// Rounds to so many decimals.
pub(crate) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_word_and_rating_counts() {
        let mut reading = Reading {
            written: Some(150 * TB),
            ..Reading::default()
        };
        let spec = Spec {
            model: "x".into(),
            tbw: 300,
            source: String::new(),
        };
        assert_eq!(view(&reading, Some(&spec)).percent_used, Some(50.0));
        assert_eq!(view(&reading, None).percent_used, None);
        reading.wear = Some(Wear {
            used: 3,
            source: "percentage_used".into(),
        });
        assert_eq!(view(&reading, Some(&spec)).percent_used, Some(50.0));
        reading.wear = Some(Wear {
            used: 120,
            source: "percentage_used".into(),
        });
        let seen = view(&reading, Some(&spec));
        assert_eq!((seen.percent_used, seen.percent_left), (Some(120.0), Some(0.0)));
        assert_eq!(seen.source, "percentage_used");
    }

    #[test]
    fn platters_are_weighed_as_the_recorded_server_does_and_what_is_not_told_weighs_nothing() {
        let attribute = |key: &str, count: u64| Attribute {
            key: key.into(),
            count,
            ..Attribute::default()
        };
        let mut disk = Reading {
            medium: Medium::Disk,
            power_on_hours: Some(1234),
            attributes: vec![attribute("5", 0), attribute("197", 0), attribute("198", 0)],
            ..Reading::default()
        };
        let at = |reading: &Reading| weighed(reading, None).map(|told| round(told.percentage, 6));
        assert_eq!(at(&disk), Some(0.046_275), "vigil-full-job.jsonl, GET /api/wearout/all");
        disk.attributes[1].count = 500;
        assert_eq!(at(&disk), Some(25.046_275), "no more than full concern");
        assert_eq!(
            at(&Reading {
                medium: Medium::Disk,
                ..Reading::default()
            }),
            None
        );
        let flash = Reading {
            medium: Medium::Flash,
            power_on_hours: Some(1234),
            ..Reading::default()
        };
        assert_eq!(at(&flash), None, "flash tells its wear, or nobody knows it");
        let wear = Some(Wear {
            used: 7,
            source: "percentage_used".into(),
        });
        assert_eq!(at(&Reading { wear, ..flash }), Some(7.0));
    }
}
