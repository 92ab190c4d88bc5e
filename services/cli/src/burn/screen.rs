//! Progress on standard error: bars on a terminal, lines elsewhere.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use wire::job::{Phase, Progress};
use wire::{Lasted, shown};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often bars are drawn at most, in a second. Source: indicatif, `ProgressDrawTarget::stderr`.
const DRAWS: u8 = 20;

/// All jobs' progress.
pub(super) struct Screen {
    bars: Option<MultiProgress>,
}

/// One job's progress.
pub(super) struct Line {
    name: String,
    bar: Option<ProgressBar>,
    last: Mutex<Option<Instant>>,
}

impl Screen {
    pub(super) fn new(terminal: bool) -> Self {
        // On a terminal that cannot move its cursor (`TERM=dumb`) bars show nothing at all.
        let is_drawn = terminal && !ProgressDrawTarget::stderr().is_hidden();
        let bars = || {
            let terminal = Box::new(Quiet(Term::stderr()));
            MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(terminal, DRAWS))
        };
        Self {
            bars: is_drawn.then(bars),
        }
    }

    pub(super) fn job(&self, name: &str) -> Line {
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{prefix} {msg:56!} {wide_bar} {percent:>3} %")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bars.add(
                ProgressBar::new(1000)
                    .with_style(style)
                    .with_prefix(shown::line(name).into_owned()),
            )
        });
        Line {
            name: name.to_owned(),
            bar,
            last: Mutex::new(None),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

impl Line {
    /// One that nobody sees.
    pub(super) fn silent() -> Self {
        Screen { bars: None }.job("")
    }

    /// A fact.
    pub(super) fn say(&self, text: &str) {
        let line = format!("{}: {text}", self.name);
        match &self.bar {
            Some(bar) => bar.suspend(|| tell!("{line}")),
            None => tell!("{line}"),
        }
    }

    /// It ended: its bar goes.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// With no bar between the lines that `tell` writes to this terminal. Nobody's bar moves meanwhile, and no drive goes on that
    /// has something to show: `tell` waits for no reader.
    pub(super) fn apart<T>(&self, tell: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    /// A phase began.
    pub(super) fn phase(&self, phase: Phase) {
        match &self.bar {
            Some(bar) => bar.set_message(phase.label().to_owned()),
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
        let eta = progress
            .eta_job
            .map(|s| format!(", {} left", Lasted(s)))
            .unwrap_or_default();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{rate}{eta}"));
            bar.set_position((progress.percent * 10.0) as u64);
        } else {
            let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < LINE_EVERY) {
                return;
            }
            *last = Some(Instant::now());
            drop(last);
            self.say(&format!("{rate}, {:.1} %{eta}", progress.percent));
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
