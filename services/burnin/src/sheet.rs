//! What belongs where on the drive of one job: fills buffers, and says what a read brought instead.
//!
//! The keyed pattern and its complement, constants, and over them the job's header at its places. One sector's verdict
//! is a [`Fault`]; what that means over the whole drive is [`crate::findings`]'. Tested in `tests/faults.rs` over whole drives.

#![expect(
    clippy::cast_possible_truncation,
    reason = "units, and words of a unit, are counted within one buffer"
)]

use wire::job::Phase;

use crate::device::Geometry;
use crate::findings::{FLIPS_MAX, Fault};
use crate::header::{self, HEADER_PASS, Header, Image};
use crate::pattern::{JobKey, Kernel, Pattern, Seen, WORDS};
use crate::pipeline::Content;
use crate::playbook::{Fill, Step};
use crate::worker::Order;

/// Words of a unit that must be a constant's before the rest counts as damage to it: more than half of 64.
const MAJORITY: usize = 33;

/// A pass that nothing is ever written in: to ask the pattern whose data something is.
const NO_PASS: u8 = 0xFF;

/// What belongs where.
#[derive(Debug)]
pub struct Sheet {
    key: JobKey,
    geometry: Geometry,
    keyed: Pattern,
    complement: Option<Pattern>,
    /// Constants that the job writes, with the number of the pass.
    constants: Vec<(u64, u8)>,
    image: Option<Image>,
}

impl Sheet {
    /// Of this order, made with this kernel.
    pub fn new(order: &Order, kernel: Kernel) -> Self {
        let writes = |step: &&Step| step.phase == Phase::Write;
        Self {
            key: order.key,
            geometry: order.geometry,
            keyed: Pattern::with_kernel(order.key, kernel),
            complement: order
                .steps
                .iter()
                .any(|step| step.fill == Fill::Complement)
                .then(|| Pattern::with_kernel(order.key, kernel).complemented()),
            constants: order
                .steps
                .iter()
                .filter(writes)
                .filter_map(|step| Some((step.fill.constant()?, step.pass)))
                .collect(),
            image: header::kept_by(&order.steps, order.geometry)
                .then(|| Header::of(order))
                .flatten()
                .as_ref()
                .and_then(Image::new),
        }
    }

    /// The kernel that makes the pattern, in a word.
    pub fn kernel(&self) -> String {
        format!("{:?}", self.keyed.kernel()).to_lowercase()
    }

    fn pattern(&self, fill: Fill) -> &Pattern {
        match fill {
            Fill::Complement => self.complement.as_ref().unwrap_or(&self.keyed),
            Fill::Keyed | Fill::Aa | Fill::Fives | Fill::Ff | Fill::Zeros => &self.keyed,
        }
    }

    /// Fills `out` with what is written from sector `lba` on.
    pub fn fill(&self, out: &mut [u64], lba: u64, content: Content) {
        let (Content::Pattern { fill, pass } | Content::Bare { fill, pass }) = content else {
            return;
        };
        let first = lba * self.geometry.units();
        match fill.constant() {
            Some(word) => out.fill(word),
            None => self.pattern(fill).fill(out, first, pass),
        }
        if let (Content::Pattern { .. }, Some(image)) = (content, &self.image) {
            for unit in image.units(first, (out.len() / WORDS) as u64) {
                let at = (unit - first) as usize * WORDS;
                if let Some(words) = image.unit(unit, pass) {
                    out[at..at + WORDS].copy_from_slice(&words);
                }
            }
        }
    }

    /// Whether `data`, read from `lba` on, is what is expected there: the first look, and nearly always the only one.
    ///
    /// Where it says no, [`Sheet::compare`] looks a second time for what is wrong. Finding nothing then is no answer of the
    /// drive's: memory, or the way to it, told two different things of the same bytes.
    pub fn is_right(&self, data: &[u64], lba: u64, content: Content) -> bool {
        match content {
            Content::Any => true,
            Content::Pattern { fill, pass } => self.holds(data, lba, fill, pass, self.image.as_ref()),
            Content::Bare { fill, pass } => self.holds(data, lba, fill, pass, None),
            Content::Trimmed { fill, pass } => self.trimmed(data, lba, fill, pass) == (Vec::new(), 0),
        }
    }

    fn holds(&self, data: &[u64], lba: u64, fill: Fill, pass: u8, image: Option<&Image>) -> bool {
        let first = lba * self.geometry.units();
        let filled = |from: usize, to: usize| {
            let data = &data[from * WORDS..to * WORDS];
            match fill.constant() {
                Some(word) => data.iter().fold(0, |sum, w| sum | (w ^ word)) == 0,
                None => self.pattern(fill).differs(data, 0, first + from as u64, pass).is_none(),
            }
        };
        let end = data.len() / WORDS;
        let mut from = 0;
        for unit in image.into_iter().flat_map(|image| image.units(first, end as u64)) {
            let at = (unit - first) as usize;
            let due = image.and_then(|image| image.unit(unit, pass));
            if !filled(from, at) || due.is_none_or(|due| due != data[at * WORDS..(at + 1) * WORDS]) {
                return false;
            }
            from = at + 1;
        }
        filled(from, end)
    }

    /// The sectors of `data`, read from `lba` on, that are not what is expected there; and of trimmed ones, how many
    /// still hold what stood there before.
    pub fn compare(&self, data: &[u64], lba: u64, content: Content) -> (Vec<(u64, Fault)>, u64) {
        match content {
            Content::Any => (Vec::new(), 0),
            Content::Pattern { fill, pass } => (self.differing(data, lba, fill, pass, self.image.as_ref()), 0),
            Content::Bare { fill, pass } => (self.differing(data, lba, fill, pass, None), 0),
            Content::Trimmed { fill, pass } => self.trimmed(data, lba, fill, pass),
        }
    }

    fn differing(&self, data: &[u64], lba: u64, fill: Fill, pass: u8, image: Option<&Image>) -> Vec<(u64, Fault)> {
        let units = self.geometry.units();
        let first = lba * units;
        let count = (data.len() / WORDS) as u64;
        let mut headers = image.into_iter().flat_map(|image| image.units(first, count)).peekable();
        let mut bad = Vec::new();
        let mut from = 0;
        loop {
            // A sector that is to hold the header is looked at also where it holds the pattern.
            while headers.next_if(|unit| ((unit - first) as usize) < from).is_some() {}
            let header = headers.peek().map(|unit| (unit - first) as usize);
            let differs = self.next_difference(data, from, first, fill, pass);
            let Some(at) = header.into_iter().chain(differs).min() else {
                return bad;
            };
            let sector = at as u64 / units;
            let (start, end) = ((sector * units) as usize, ((sector + 1) * units) as usize);
            let (mut right, mut seen) = (0, None);
            for unit in start..end {
                let words = &data[unit * WORDS..(unit + 1) * WORDS];
                let number = first + unit as u64;
                let told = match image.and_then(|image| image.unit(number, pass)) {
                    Some(due) if due == words => None,
                    // Much of a header is zeros, so what is wholly something else is asked for first.
                    Some(due) => Some(match self.whose(words) {
                        Seen::Foreign => damage(words, &due).unwrap_or(Seen::Foreign),
                        whose @ (Seen::Flips { .. }
                        | Seen::Torn { .. }
                        | Seen::Zeros
                        | Seen::Ones
                        | Seen::Of { .. }) => whose,
                    }),
                    None => self.look(words, number, fill, pass),
                };
                match told {
                    None => right += 1,
                    Some(what) => seen = seen.or(Some(what)),
                }
            }
            if let Some(seen) = seen {
                bad.push((lba + sector, fault(seen, lba + sector, units, pass, right > 0)));
            }
            from = end;
        }
    }

    fn next_difference(&self, data: &[u64], from: usize, first: u64, fill: Fill, pass: u8) -> Option<usize> {
        let Some(word) = fill.constant() else {
            return self.pattern(fill).differs(data, from, first, pass);
        };
        let (units, _) = data.get(from * WORDS..)?.as_chunks::<WORDS>();
        let differs = |unit: &[u64; WORDS]| unit.iter().fold(0, |sum, w| sum | (w ^ word)) != 0;
        units.iter().position(differs).map(|at| at + from)
    }

    /// What a unit holds instead of its own data; `None` when it holds that.
    fn look(&self, data: &[u64], unit: u64, fill: Fill, pass: u8) -> Option<Seen> {
        let seen = match fill.constant() {
            None => self.pattern(fill).decode(data, unit, pass)?,
            Some(word) => {
                let mut due = [0; WORDS];
                due.fill(word);
                if data == due {
                    return None;
                }
                match damage(data, &due) {
                    Some(few @ Seen::Flips { bits }) if u64::from(bits) <= FLIPS_MAX => few,
                    // A header is zeros for the most part: what it is counts more than how near it is.
                    damage => match self.whose(data) {
                        Seen::Foreign => damage.unwrap_or(Seen::Foreign),
                        whose @ (Seen::Flips { .. }
                        | Seen::Torn { .. }
                        | Seen::Zeros
                        | Seen::Ones
                        | Seen::Of { .. }) => {
                            return Some(whose);
                        }
                    },
                }
            }
        };
        if !matches!(seen, Seen::Foreign | Seen::Of { .. }) {
            return Some(seen);
        }
        Some(match (self.whose(data), self.constant(data)) {
            (Seen::Foreign, Some(of)) if of != pass => Seen::Of { unit, pass: of },
            (whose, _) => whose,
        })
    }

    /// Whose data a unit holds that is not its own.
    fn whose(&self, data: &[u64]) -> Seen {
        let end = self.geometry.sectors * self.geometry.units();
        if data.iter().all(|w| *w == 0) {
            return Seen::Zeros;
        }
        if data.iter().all(|w| *w == u64::MAX) {
            return Seen::Ones;
        }
        if let Some(unit) = header::own(data, self.key).filter(|unit| *unit < end) {
            return Seen::Of {
                unit,
                pass: HEADER_PASS,
            };
        }
        for pattern in std::iter::once(&self.keyed).chain(&self.complement) {
            if let Some(of @ Seen::Of { unit, .. }) = pattern.decode(data, 0, NO_PASS)
                && unit < end
            {
                return of;
            }
        }
        Seen::Foreign
    }

    /// The pass of this job that wrote nothing but this constant, if the unit is one.
    fn constant(&self, data: &[u64]) -> Option<u8> {
        let word = *data.first()?;
        let known = self.constants.iter().find(|(constant, _)| *constant == word)?;
        data.iter().all(|w| *w == word).then_some(known.1)
    }

    fn trimmed(&self, data: &[u64], lba: u64, fill: Fill, pass: u8) -> (Vec<(u64, Fault)>, u64) {
        let units = self.geometry.units();
        // No trim goes there, whether the job keeps headers or not: what stands there stays.
        let spared = header::places(self.geometry);
        let is_spared = |sector: u64| spared.iter().any(|(lba, long)| (*lba..lba + long).contains(&sector));
        let (mut bad, mut kept) = (Vec::new(), 0);
        let sector_words = units as usize * WORDS;
        for (sector, data) in (lba..).zip(data.chunks(sector_words)) {
            if is_spared(sector) {
                bad.extend(self.differing(data, sector, fill, pass, self.image.as_ref()));
                continue;
            }
            let foreign = (sector * units..).zip(data.chunks(WORDS)).find_map(|(unit, words)| {
                let Seen::Of { unit: of, pass } = self.whose(words) else {
                    return None;
                };
                (of / units != unit / units).then_some((of, pass))
            });
            if let Some((of, in_pass)) = foreign {
                bad.push((
                    sector,
                    Fault::Moved {
                        shift: (of / units).cast_signed() - sector.cast_signed(),
                        fresh: in_pass == pass,
                    },
                ));
                continue;
            }
            let own = (sector * units..)
                .zip(data.chunks(WORDS))
                .any(|(unit, words)| matches!(self.look(words, unit, fill, pass), None | Some(Seen::Flips { .. })));
            // Zeros are what a trim is to leave: of them nothing tells whether it was done.
            kept += u64::from(own && fill != Fill::Zeros);
        }
        (bad, kept)
    }
}

/// Damage to what was due: more than half of it is right, or at least two words are.
fn damage(data: &[u64], due: &[u64]) -> Option<Seen> {
    let (mut right, mut bits) = (0, 0);
    for (word, due) in data.iter().zip(due) {
        right += usize::from(word == due);
        bits += (word ^ due).count_ones();
    }
    match right {
        MAJORITY.. => Some(Seen::Flips { bits }),
        2.. => Some(Seen::Torn { right: right as u32 }),
        _ => None,
    }
}

/// `partly`: whether other 512-byte units of the same sector are right.
fn fault(seen: Seen, sector: u64, units: u64, pass: u8, partly: bool) -> Fault {
    match seen {
        Seen::Zeros | Seen::Ones | Seen::Foreign if partly => Fault::Torn,
        Seen::Flips { bits } => Fault::Flips { bits },
        Seen::Torn { .. } => Fault::Torn,
        Seen::Zeros => Fault::Zeros,
        Seen::Ones => Fault::Ones,
        Seen::Foreign => Fault::Foreign,
        Seen::Of { unit, pass: of } => match (unit / units).cast_signed() - sector.cast_signed() {
            0 if of == pass => Fault::Torn,
            0 => Fault::Stale { pass: of },
            shift => Fault::Moved {
                shift,
                fresh: of == pass,
            },
        },
    }
}
