//! Pressure stall information: how much of the last ten seconds tasks had to wait.

/// The worst of CPU, memory and I/O `some avg10`, in percent; 0 where the kernel does not tell.
pub fn percent() -> u8 {
    ["cpu", "memory", "io"]
        .iter()
        .filter_map(|what| std::fs::read_to_string(format!("/proc/pressure/{what}")).ok())
        .filter_map(|t| parse(&t))
        .max()
        .unwrap_or(0)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=100"
)]
fn parse(text: &str) -> Option<u8> {
    let line = text.lines().find(|l| l.starts_with("some "))?;
    let value = line.split(' ').find_map(|w| w.strip_prefix("avg10="))?;
    value.parse::<f32>().ok().map(|v| v.clamp(0.0, 100.0) as u8)
}

#[cfg(test)]
mod tests {
    #[test]
    fn psi_is_read() {
        let text = "some avg10=12.34 avg60=1.00 avg300=0.10 total=99\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n";
        assert_eq!(super::parse(text), Some(12));
        assert_eq!(super::parse("nonsense"), None);
    }
}
