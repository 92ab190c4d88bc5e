//! What smartctl's database of drives warns of: faults of a model and its firmware that are known. They stand in no field of its JSON, only
//! in what it prints.
//!
//! ```text
//! ==> WARNING: This drive may hang after 5184 hours of power-on time:
//! https://…                                                             as many lines as it has
//!                                                                       an empty one behind
//! ```
//!
//! Source: smartmontools `ataprint.cpp`, `print_drive_info`, and the texts of `drivedb.h`.

use serde_json::Value;

use crate::parse;

const BEFORE: &str = "==> WARNING: ";

/// Most lines of a warning, and characters of what is kept of it: the longest of version 7.5 has 8 and some 350.
const LINES_MAX: usize = 16;
const TEXT_MAX: usize = 400;

/// Parts of texts that are of no use to who has the drive: options of smartctl's own, a checksum that never was right.
const OF_NO_USE: [&str; 2] = ["May need -F ", "harmless"];

/// Parts of texts that only say where firmware may be had, of models without a fault that is known.
const NEWS: [&str; 2] = [
    "firmware update for this drive may be available",
    "firmware update for this drive is available",
];

/// The lines that smartctl printed of it.
pub(crate) fn printed(json: &Value) -> impl Iterator<Item = &str> {
    let from = parse::lines(json).skip_while(|line| !line.starts_with(BEFORE));
    from.take_while(|line| !line.trim().is_empty()).take(LINES_MAX)
}

/// The warning in one line.
pub(crate) fn warning(json: &Value) -> Option<String> {
    let lines: Vec<&str> = printed(json).map(str::trim).collect();
    let text = lines.join(" ");
    let text = text.strip_prefix(BEFORE)?;
    let plain = text.chars().filter(|c| !c.is_control()).take(TEXT_MAX);
    (!OF_NO_USE.iter().any(|part| text.contains(part))).then(|| plain.collect())
}

/// Whether a warning tells of a fault, not only of newer firmware.
pub fn is_fault(warning: &str) -> bool {
    !NEWS.iter().any(|part| warning.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forget_printed;

    fn document(lines: &[&str]) -> Value {
        let printed = [
            &["User Capacity:    2,000,398,934,016 bytes [2.00 TB]", ""],
            lines,
            &["", "SMART support is: Available"],
        ]
        .concat();
        json!({ "smartctl": { "output": printed } })
    }

    #[test]
    fn a_warning_is_all_its_lines_and_no_others() {
        let hangs = [
            "==> WARNING: This drive may hang after 5184 hours of power-on time:",
            "https://www.tomshardware.com/news/x.html",
            "See the following web pages for firmware updates:",
        ];
        let mut json = document(&hangs);
        let told = warning(&json).unwrap_or_default();
        assert_eq!(
            told,
            "This drive may hang after 5184 hours of power-on time: https://www.tomshardware.com/news/x.html See the \
             following web pages for firmware updates:"
        );
        assert!(is_fault(&told));
        forget_printed(&mut json);
        assert_eq!(warning(&json), Some(told), "what is kept says the same");
        assert_eq!(warning(&document(&["Device is:        In smartctl database"])), None);
        assert_eq!(warning(&json!({})), None);
    }

    #[test]
    fn news_of_firmware_is_no_fault_and_what_concerns_smartctl_alone_is_nothing() {
        let update = document(&[
            "==> WARNING: A firmware update for this drive may be available,",
            "see the following Seagate web pages:",
        ]);
        assert_eq!(warning(&update).as_deref().map(is_fault), Some(false));
        assert!(!is_fault(
            "A firmware update for this drive is available, see the following Seagate web pages:"
        ));
        assert!(is_fault(
            "A firmware update is available for this drive. It is HIGHLY RECOMMENDED"
        ));
        for text in [
            "May need -F samsung disabled; see manual for details.",
            "This drive's firmware has a harmless Drive Identity Structure",
        ] {
            assert_eq!(warning(&document(&[&format!("{BEFORE}{text}")])), None);
        }
    }

    #[test]
    fn a_warning_without_an_end_is_bounded() {
        let line = "x".repeat(1 << 16);
        let lines: Vec<&str> = std::iter::once(BEFORE).chain([line.as_str(); 100]).collect();
        let told = warning(&document(&lines)).unwrap_or_default();
        assert_eq!(told.chars().count(), TEXT_MAX);
    }
}
