//! A screen as PID 1 tells it to who draws it: always short enough to be taken.

use super::Screen;

/// Banners of a screen that is too long, and characters of each.
const BANNERS: usize = 10;
const CHARACTERS: usize = 400;

impl Screen {
    /// As one line of at most `most` bytes: what does not fit goes, the least needed first. One that is too long would leave
    /// the console without address and claim code.
    pub fn told(mut self, most: usize) -> String {
        let less: [fn(&mut Screen); 5] = [
            |s| {
                for u in &mut s.status.units {
                    (u.reason, u.status) = Default::default();
                }
            },
            |s| s.status.banners.truncate(BANNERS),
            |s| {
                for b in &mut s.status.banners {
                    b.text = b.text.chars().take(CHARACTERS).collect();
                }
            },
            |s| s.status.units.clear(),
            |s| s.status.banners.clear(),
        ];
        let text = |s: &Screen| serde_json::to_string(s).unwrap_or_default();
        let mut told = text(&self);
        for step in less {
            if told.len() <= most {
                break;
            }
            step(&mut self);
            told = text(&self);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::shell::helper::LINE_MAX;
    use wire::boxes::Banner;
    use wire::event::Severity;

    #[test]
    fn address_and_claim_code_are_told_however_much_there_is_besides() {
        for (banners, length) in [(1, 10), (1, 20_000), (300, 200), (300, 20_000)] {
            let mut screen = super::super::tests::screen();
            screen.status.banners = (0..banners)
                .map(|n| Banner {
                    severity: Severity::Warning,
                    text: format!("{n}{}", "\u{1}é".repeat(length)),
                })
                .collect();
            let told = screen.clone().told(LINE_MAX);
            assert!(told.len() <= LINE_MAX, "{}", told.len());
            let back: Screen = serde_json::from_str(&told).unwrap();
            assert_eq!(
                (&back.claim, &back.status.addresses),
                (&screen.claim, &screen.status.addresses)
            );
            if length == 10 {
                assert_eq!(back, screen, "what fits is told whole");
            }
        }
    }
}
