//! How much of a flash drive's rated life is used: by its own word, and by what was written against its rating.

use serde::Serialize;
use smart::Snapshot;
use utoipa::ToSchema;

use crate::known::Spec;
use crate::reading::{Attribute, Reading, Wear};

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
}
