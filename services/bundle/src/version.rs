//! Versions: numbers with dots between them.

use std::cmp::Ordering;

/// The numbers of a version; `None` where it is none. At most four, each below 65536.
fn numbers(text: &str) -> Option<Vec<u16>> {
    let parts: Option<Vec<u16>> = text
        .split('.')
        .map(|p| {
            let plain = !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && (p == "0" || !p.starts_with('0'));
            plain.then(|| p.parse().ok()).flatten()
        })
        .collect();
    parts.filter(|p| p.len() <= 4)
}

/// Whether the text is a version: `1.2.3`, one to four numbers without leading zeros.
pub(crate) fn is_version(text: &str) -> bool {
    numbers(text).is_some()
}

/// Whether `a` is newer than `b`. A missing number counts as 0; what is no version is older than all that are.
pub fn newer(a: &str, b: &str) -> bool {
    let (Some(a), b) = (numbers(a), numbers(b).unwrap_or_default()) else {
        return false;
    };
    let at = |v: &[u16], n: usize| v.get(n).copied().unwrap_or(0);
    (0..4)
        .map(|n| at(&a, n).cmp(&at(&b, n)))
        .find(|o| *o != Ordering::Equal)
        == Some(Ordering::Greater)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert!(newer("0.10.0", "0.9.9") && newer("1", "0.9") && newer("1.0.1", "1"));
        assert!(!newer("1.0.0", "1") && !newer("1", "1.0.0") && !newer("0.9", "0.10"));
        for no in ["", "1.", "v1", "01", "1.2.3.4.5", "70000", "1.2-rc"] {
            assert!(!is_version(no) && !newer(no, "0"), "{no:?}");
        }
    }
}
