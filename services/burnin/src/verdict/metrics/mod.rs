//! Everything that is known, reduced to named numbers.
//!
//! | prefix | from | file |
//! |---|---|---|
//! | `verify.`, `capacity.`, `io.`, `run.`, `coverage.` | bad sectors, incidents, steps, the reason for an early end | [`surface`] |
//! | `host.` | tests of the host's own buffers | [`surface`] |
//! | `coverage.untested_bytes`, `coverage.overlay` | the size that the drive tells, and could have | [`size`] |
//! | `pace.`, `smr.` | zones, latencies | [`pace`], [`broad`], [`excuse`], [`cache`], [`shingles`] |
//! | `smart.`, `ata.N.`, `nvme.`, `scsi.`, `farm.` | SMART: what stands there, and `.before`, `.after`, `.delta` | [`own_word`], [`changes`], [`backwards`], [`silence`], [`asking`] |
//! | `written.` | the drive's own write counter against what was written | [`written`] |
//! | `content.`, `self_test.`, `format.`, `heat.` | what the agent did and saw beside the engine | [`beside`] |
//! | `population.` | other drives of the model | [`super::population`] |

mod asking;
mod backwards;
mod beside;
mod broad;
mod cache;
mod changes;
mod excuse;
mod own_word;
mod pace;
mod shingles;
mod silence;
mod size;
mod surface;
mod written;

use std::collections::BTreeMap;

use drive::smart::Snapshot;

use super::Case;
use super::peer::Peer;
use super::population::compare;

pub use asking::lacks;
pub(super) use changes::limit;

/// Bytes of a tebibyte.
const TIB: f64 = (1_u64 << 40) as f64;

/// Numbers by name, some with figures in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    numbers: BTreeMap<String, f64>,
    figures: BTreeMap<String, String>,
}

impl Metrics {
    /// The number called `name`; `None` where it is not known.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// What belongs to the number called `name` besides its value.
    pub fn figures(&self, name: &str) -> Option<&str> {
        self.figures.get(name).map(String::as_str)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.numbers.keys().map(String::as_str)
    }

    fn put(&mut self, name: &str, value: f64) {
        self.numbers.insert(name.to_owned(), value);
    }

    fn say(&mut self, name: &str, value: f64, figures: String) {
        self.put(name, value);
        self.figures.insert(name.to_owned(), figures);
    }

    fn flag(&mut self, name: &str, yes: bool) {
        self.put(name, f64::from(u8::from(yes)));
    }
}

/// What was written and read alone, as numbers: of what is bad by these nothing is taken back by what is measured, or told by the drive.
pub(super) fn of_surface(case: &Case<'_>) -> Metrics {
    let mut metrics = Metrics::default();
    surface::put(case, &mut metrics);
    metrics
}

/// Reduces a case to numbers.
pub fn metrics(case: &Case<'_>) -> Metrics {
    let mut metrics = of_surface(case);
    shingles::put(case, &mut metrics);
    pace::put(case, &mut metrics);
    cache::put(case, &mut metrics);
    size::put(case, &mut metrics);
    silence::put(case, &mut metrics);
    asking::put(case, &mut metrics);
    // That its checksum is wrong has been told; what it says is no evidence for anything.
    let [before, after] = [case.before, case.after].map(|side| side.map(Snapshot::trusted));
    let trusted = &Case {
        before: before.as_deref(),
        after: after.as_deref(),
        ..*case
    };
    if let Some(last) = trusted.last().or(trusted.first()) {
        own_word::put(last, case.spins(), &mut metrics);
        if let Some(first) = trusted.first() {
            own_word::before(first, last, case.spins(), &mut metrics);
        }
    }
    own_word::meanwhile(case.meanwhile, &mut metrics);
    changes::one_sided(case, &mut metrics);
    changes::put(trusted, &mut metrics);
    written::put(case, &mut metrics);
    beside::put(case, &mut metrics);
    if !case.peers.is_empty() {
        for unlike in compare(&Peer::own(case), case.peers) {
            let known = metrics.get(unlike.metric).unwrap_or(0.0);
            let figures = match metrics.figures(unlike.metric) {
                Some(before) => format!("{before}; {}", unlike.figures),
                None => unlike.figures,
            };
            metrics.say(unlike.metric, known.max(unlike.value), figures);
        }
    }
    metrics
}
