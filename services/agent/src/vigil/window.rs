//! The last log lines and temperatures, for a dashboard that asks what was before it was opened. In RAM, bounded.

use std::collections::VecDeque;

use wire::Time;
use wire::frame::LogLine;

/// Most log lines.
const LINES: usize = 2_000;

/// Most temperatures: a day of one drive, six hours of four, at one each half minute and curve.
const READINGS: usize = 14_400;

/// One temperature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which curve.
    pub key: String,
    /// Degrees Celsius.
    pub value: i32,
    /// When.
    pub at: Time,
}

/// Both rings.
#[derive(Clone, Debug, Default)]
pub struct Window {
    lines: VecDeque<(Time, LogLine)>,
    readings: VecDeque<Reading>,
}

impl Window {
    /// Takes a line.
    pub fn line(&mut self, line: LogLine, at: Time) {
        if self.lines.len() >= LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((at, line));
    }

    /// Takes a temperature.
    pub fn reading(&mut self, reading: Reading) {
        if self.readings.len() >= READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(reading);
    }

    /// Lines since then, oldest first.
    pub fn lines(&self, since: Time) -> Vec<LogLine> {
        let lines = self.lines.iter().filter(|(at, _)| *at >= since);
        lines.map(|(_, line)| line.clone()).collect()
    }

    /// Temperatures since then, oldest first.
    pub fn readings(&self, since: Time) -> Vec<Reading> {
        self.readings
            .iter()
            .filter(|reading| reading.at >= since)
            .cloned()
            .collect()
    }
}

/// Seconds of a range like `15m`, `6h`, `7d`, at most ten years; `None` for anything else.
pub fn range(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
    (1..=10 * 366 * 86_400).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]
    use super::*;

    #[test]
    fn ranges_are_minutes_hours_or_days() {
        assert_eq!(
            (range("15m"), range("6h"), range("7d")),
            (Some(900), Some(21_600), Some(604_800))
        );
        for bad in [
            "",
            "h",
            "6",
            "6s",
            "-1h",
            "+1h",
            "1.5h",
            "0m",
            "99999999999999999999d",
            "9999999d",
            "6h ",
            "é",
        ] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_only_what_is_asked_for_comes() {
        let mut window = Window::default();
        for n in 0..LINES as i64 + 5 {
            let line = LogLine {
                message: n.to_string(),
                ..LogLine::default()
            };
            window.line(line, Time::from_second(n).unwrap());
        }
        let all = window.lines(Time::UNIX_EPOCH);
        assert_eq!((all.len(), all[0].message.as_str()), (LINES, "5"));
        assert_eq!(window.lines(Time::from_second(LINES as i64 + 3).unwrap()).len(), 2);
        for n in 0..=READINGS as i64 {
            window.reading(Reading {
                key: "temp_c".into(),
                value: 30,
                at: Time::from_second(n).unwrap(),
            });
        }
        assert_eq!(window.readings(Time::UNIX_EPOCH).len(), READINGS);
    }
}
