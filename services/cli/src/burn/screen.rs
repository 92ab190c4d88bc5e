//! Progress on standard error: bars on a terminal, lines elsewhere.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::{Term, measure_text_width};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use wire::job::{Phase, Progress};
use wire::{Left, shown};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often bars are drawn at most, in a second. Source: indicatif, `ProgressDrawTarget::stderr`.
const DRAWS: u8 = 20;

/// Room for a bar's message, in columns: `Read back and verify 199 MB/s, 45 °C, about 71 h left`. A longer one takes what it needs.
const MESSAGE: usize = 56;

/// Shortest bar that shows anything, in columns.
const BAR: usize = 4;

/// How a bar of this name stands on a terminal of so many columns: on a line with its message, or above it where they have no room beside
/// each other.
fn template(width: usize, name: usize, message: usize) -> &'static str {
    match width >= name + message.max(MESSAGE) + BAR + " ".len() * 3 + "100 %".len() {
        true => "{prefix} {msg:56} {wide_bar} {percent:>3} %",
        false => "{prefix} {wide_bar} {percent:>3} %\n  {msg}",
    }
}

fn style(width: u16, name: &str, message: &str) -> ProgressStyle {
    let template = template(width.into(), measure_text_width(name), measure_text_width(message));
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// All jobs' progress.
pub(super) struct Screen {
    bars: Option<(MultiProgress, Width)>,
}

/// Columns of a terminal.
type Width = fn() -> u16;

/// One job's progress.
pub(super) struct Line {
    name: String,
    /// With the width of its terminal: persons make theirs wider.
    bar: Option<(ProgressBar, Width)>,
    last: Mutex<Option<Instant>>,
    /// Bad sectors by now.
    bad: AtomicU64,
}

impl Screen {
    pub(super) fn new(terminal: bool) -> Self {
        // On a terminal that cannot move its cursor (`TERM=dumb`) bars show nothing at all.
        let is_drawn = terminal && !ProgressDrawTarget::stderr().is_hidden();
        let bars = || {
            let terminal = Box::new(Quiet(Term::stderr()));
            let target = ProgressDrawTarget::term_like_with_hz(terminal, DRAWS);
            let width: Width = || TermLike::width(&Term::stderr());
            (MultiProgress::with_draw_target(target), width)
        };
        Self {
            bars: is_drawn.then(bars),
        }
    }

    /// `brief`: its name beside its bar.
    pub(super) fn job(&self, name: &str, brief: &str) -> Line {
        let bar = self.bars.as_ref().map(|(bars, width)| {
            let brief = shown::line(brief).into_owned();
            let bar = ProgressBar::new(1000)
                .with_style(style(width(), &brief, ""))
                .with_prefix(brief);
            (bars.add(bar), *width)
        });
        Line {
            name: name.to_owned(),
            bar,
            last: Mutex::new(None),
            bad: AtomicU64::new(0),
        }
    }

    pub(super) fn end(&self) {
        if let Some((bars, _)) = &self.bars {
            let _ = bars.clear();
        }
    }
}

impl Line {
    /// One that nobody sees.
    pub(super) fn silent() -> Self {
        Screen { bars: None }.job("", "")
    }

    /// A fact.
    pub(super) fn say(&self, text: &str) {
        let line = format!("{}: {text}", self.name);
        match &self.bar {
            Some((bar, _)) => bar.suspend(|| tell!("{line}")),
            None => tell!("{line}"),
        }
    }

    /// So many sectors are bad by now.
    pub(super) fn found(&self, bad_sectors: u64) {
        self.bad.store(bad_sectors, Ordering::Relaxed);
    }

    /// It ended: its bar goes.
    pub(super) fn end(&self) {
        if let Some((bar, _)) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// With no bar between the lines that `tell` writes to this terminal. Nobody's bar moves meanwhile, and no drive goes on that
    /// has something to show: `tell` waits for no reader.
    pub(super) fn apart<T>(&self, tell: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some((bar, _)) => bar.suspend(tell),
            None => tell(),
        }
    }

    /// A phase began.
    pub(super) fn phase(&self, phase: Phase) {
        match &self.bar {
            Some((bar, _)) => bar.set_message(phase.label().to_owned()),
            None => self.say(phase.label()),
        }
    }

    /// How far it is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "thousandths of the whole"
    )]
    pub(super) fn progress(&self, progress: &Progress) {
        let heat = progress.temperature.map(|t| format!(", {t}")).unwrap_or_default();
        let rate = match progress.phase_percent {
            Some(percent) => format!("{} {percent:.0} %{heat}", progress.phase.label()),
            None => format!("{} {}/s{heat}", progress.phase.label(), progress.rate),
        };
        let bad = match self.bad.load(Ordering::Relaxed) {
            0 => String::new(),
            1 => ", 1 bad sector".to_owned(),
            bad => format!(", {bad} bad sectors"),
        };
        let eta = progress
            .eta_job
            .map(|s| format!(", {} left", Left(s)))
            .unwrap_or_default();
        if let Some((bar, width)) = &self.bar {
            let message = format!("{rate}{bad}{eta}");
            bar.set_style(style(width(), &bar.prefix(), &message));
            bar.set_message(message);
            bar.set_position((progress.percent * 10.0) as u64);
        } else {
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < LINE_EVERY) {
                return;
            }
            *last = Some(Instant::now());
            drop(last);
            self.say(&format!("{rate}, {:.1} %{bad}{eta}", progress.percent));
        }
    }
}

/// A terminal that may be closed: what is drawn on it then is lost, as what `tell!` writes. `suspend` of indicatif 0.18.6 would panic
/// (multi.rs), and that ends the whole process, for the next bar finds its lock poisoned. Without a buffer: `console` keeps in one
/// whatever could not be written.
#[derive(Debug)]
struct Quiet(Term);

impl Quiet {
    #[allow(clippy::unnecessary_wraps, reason = "the form that `TermLike` asks for")]
    fn drawn(_result: io::Result<()>) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Quiet {
    fn width(&self) -> u16 {
        TermLike::width(&self.0)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        Self::drawn(self.0.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        Self::drawn(self.0.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        Self::drawn(self.0.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        Self::drawn(self.0.move_cursor_left(n))
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        Self::drawn(self.0.write_line(s))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        Self::drawn(self.0.write_str(s))
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::drawn(self.0.clear_line())
    }

    fn flush(&self) -> io::Result<()> {
        Self::drawn(self.0.flush())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use wire::{Bytes, Celsius};

    use super::*;

    /// A terminal that keeps its last picture.
    #[derive(Clone, Debug)]
    struct Played {
        width: u16,
        shown: Arc<Mutex<String>>,
    }

    impl TermLike for Played {
        fn width(&self) -> u16 {
            self.width
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, s: &str) -> io::Result<()> {
            self.write_str(&format!("{s}\n"))
        }

        fn write_str(&self, s: &str) -> io::Result<()> {
            self.shown.lock().unwrap().push_str(s);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.shown.lock().unwrap().clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a bar of this name shows with the longest message.
    fn shown(columns: u16, width: Width, brief: &str, bad: u64) -> String {
        let terminal = Played {
            width: columns,
            shown: Arc::default(),
        };
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let screen = Screen {
            bars: Some((MultiProgress::with_draw_target(target), width)),
        };
        let line = screen.job("ata-ST12000NM000J-2TY103_ZRT10W3P", brief);
        line.found(bad);
        line.progress(&Progress {
            phase: Phase::Verify,
            step: 0,
            done: Bytes(0),
            total: Bytes(0),
            rate: Bytes(199_000_000),
            eta: None,
            eta_job: Some(362_340.0),
            percent: 41.0,
            temperature: Some(Celsius(45)),
            phase_percent: None,
        });
        let shown = terminal.shown.lock().unwrap();
        shown.trim_end_matches('\n').to_owned()
    }

    #[test]
    fn a_bar_shows_its_whole_message_and_itself_on_narrow_terminals() {
        let message = "Read back and verify 199 MB/s, 45 °C, about 4 days left";
        for (columns, width, lines) in [
            (97, (|| 97) as Width, 1),
            (80, || 80, 1),
            (79, || 79, 2),
            (60, || 60, 2),
        ] {
            let told: Vec<char> = shown(columns, width, "nvme10n1p100", 0).trim_end().chars().collect();
            // Each line is filled up to the width.
            let rows: Vec<String> = told.chunks(columns.into()).map(String::from_iter).collect();
            assert_eq!(rows.len(), lines, "{columns}: {rows:?}");
            assert!(rows.iter().any(|row| row.contains(message)), "{columns}: {rows:?}");
            let bar = |row: &String| row.contains("nvme10n1p100 ") && row.contains("█") && row.contains(" 41 %");
            assert!(rows.iter().any(bar), "{columns}: {rows:?}");
        }
    }

    #[test]
    fn a_bar_tells_how_many_sectors_are_bad_and_stays_a_bar() {
        for (columns, width, bad, told) in [
            (120, (|| 120) as Width, 1, "45 °C, 1 bad sector, about 4 days left"),
            (97, || 97, 312, "45 °C, 312 bad sectors, about 4 days left"),
            (80, || 80, 70_000, "45 °C, 70000 bad sectors, about 4 days left"),
        ] {
            let text = shown(columns, width, "nvme10n1p100", bad);
            assert!(
                text.contains(told) && text.contains('█') && text.contains(" 41 %"),
                "{columns}: {text}"
            );
        }
    }
}
