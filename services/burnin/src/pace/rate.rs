//! A rate as people write it.

/// Reads a rate: bytes a second, with `k`, `M` or `G` for the powers of a thousand.
///
/// # Errors
/// What was expected, for no number, and beyond 1 MB/s to 1 PB/s.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within 1e6 and 1e15"
)]
pub fn rate(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?}: expected bytes a second, like 40M or 1.5G; at least 1M");
    let (number, unit) = match text.trim().trim_end_matches("B/s").trim_end_matches('B').trim_end() {
        number if number.ends_with(['k', 'K']) => (&number[..number.len() - 1], 1e3),
        number if number.ends_with('M') => (&number[..number.len() - 1], 1e6),
        number if number.ends_with('G') => (&number[..number.len() - 1], 1e9),
        number => (number, 1.0),
    };
    let bytes = number.trim().parse::<f64>().map_err(|_| expected())? * unit;
    // Below that a worker would not end its accesses in time.
    if (1e6..1e15).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(expected())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rates_are_read_with_their_unit() {
        for (text, want) in [
            ("40M", 40_000_000),
            ("1.5GB/s", 1_500_000_000),
            (" 2000 k ", 2_000_000),
            ("1000000", 1_000_000),
            ("3MB", 3_000_000),
        ] {
            assert_eq!(rate(text), Ok(want), "{text}");
        }
        for bad in ["", "fast", "40", "-1M", "M", "NaN", "inf", "1e9G", "0"] {
            let told = rate(bad).unwrap_err();
            assert!(told.contains("expected bytes a second"), "{told}");
        }
    }
}
