//! Numbers that metrics are made with, from `rules.toml`: they decide as a rule's limit does, and stand beside those with their sources.

use serde::Deserialize;

use super::Rules;

/// One number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure<T> {
    /// The number itself.
    pub value: T,
    /// What it counts.
    pub unit: String,
    /// Where it comes from; `Chosen` where it is ours.
    pub source: String,
}

/// All of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Other drives of the model that a comparison takes.
    pub population_least: Figure<usize>,
    /// Share of the median's throughput below which a zone is slow.
    pub population_zone: Figure<f64>,
    /// The least 99th percentile of latency that is compared, in milliseconds.
    pub population_p99_ms: Figure<u64>,
    /// How far above the median, and above every other, a counter must be.
    pub population_counter: Figure<u64>,
    /// By which share the number of drives on a link may differ between two that are compared.
    pub population_company: Figure<f64>,
    /// Zones to each side that make a zone's neighbourhood.
    pub neighbours: Figure<usize>,
    /// How much slower than its neighbourhood a zone must be; how much longer than usual an access.
    pub slower: Figure<f64>,
    /// Long accesses of a region that are no more than stalls.
    pub region_stalls: Figure<f64>,
    /// From when on an access is an outlier on a disk, in milliseconds.
    pub outlier_disk_ms: Figure<u64>,
    /// And on flash.
    pub outlier_flash_ms: Figure<u64>,
    /// How much longer than usual a region may take without a long access, in seconds.
    pub host_s: Figure<u64>,
    /// The same where a link was disturbed or others were behind the controller.
    pub disturbed_s: Figure<u64>,
    /// Others behind the controller, where nobody counted them.
    pub company_unknown: Figure<f64>,
    /// Others on the mean, below which none make a mean over the whole drive.
    pub company_least: Figure<f64>,
    /// How much less than its share a drive may get beside others.
    pub company_unfair: Figure<f64>,
    /// Share of its limit from which on a drive counts as held by it.
    pub limit_used: Figure<f64>,
    /// Share of its limit from which on some accesses may have waited.
    pub limit_near: Figure<f64>,
    /// Long accesses that are always told, however little was moved.
    pub outliers_always: Figure<u64>,
    /// Share of a tebibyte that counts as moved at least.
    pub outliers_moved: Figure<f64>,
    /// How far below the temperature at which a burn-in pauses flash may throttle, in degrees.
    pub throttles: Figure<i32>,
    /// How many times as fast flash must write before a step as behind it.
    pub cache_fall: Figure<f64>,
    /// Seconds of reading before the mean counts.
    pub mean_s: Figure<f64>,
    /// Bytes from which on a disk's mean is judged by itself.
    pub large: Figure<u64>,
    /// Pauses of writes that make a shingled disk.
    pub pauses: Figure<u64>,
    /// How many times rarer pauses of reads must be than those of writes.
    pub reads_rarer: Figure<u64>,
    /// Difference in percent between written bytes and the drive's own counter that is none.
    pub written_percent: Figure<f64>,
    /// Counts that a write must make before they are worth comparing.
    pub written_counts: Figure<u64>,
    /// Bytes that others may write meanwhile.
    pub written_others: Figure<u64>,
    /// Hours that a cut of the power may make a drive forget.
    pub forgotten: Figure<u64>,
    /// Bytes a second that a link carries at most: ATA.
    pub link_ata: Figure<u64>,
    /// SCSI.
    pub link_scsi: Figure<u64>,
    /// NVMe.
    pub link_nvme: Figure<u64>,
}

/// Those of this engine.
pub fn figures() -> &'static Figures {
    &Rules::built_in().figure
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "whole numbers")]
    use super::*;
    use crate::evidence::stalls;

    #[test]
    fn each_has_a_unit_and_a_source_in_the_file() {
        let text = include_str!("rules.toml");
        let file: toml::Table = toml::from_str(text).unwrap_or_default();
        let figures = file.get("figure").and_then(toml::Value::as_table);
        let told = |figure: &toml::Value, what: &str| {
            let word = figure.get(what).and_then(toml::Value::as_str);
            word.is_some_and(|word| !word.trim().is_empty())
        };
        let all: Vec<_> = figures.into_iter().flatten().collect();
        assert!(!all.is_empty());
        for (name, figure) in all {
            assert!(told(figure, "unit") && told(figure, "source"), "{name}");
        }
    }

    /// A stall that was not kept cannot be counted.
    #[test]
    fn what_is_asked_for_of_stalls_is_kept() {
        let figures = figures();
        assert_eq!(figures.slower.value, f64::from(stalls::TIMES));
        let shortest = figures.outlier_flash_ms.value.min(figures.outlier_disk_ms.value);
        assert_eq!(u128::from(shortest), stalls::SHORTEST.as_millis());
    }
}
