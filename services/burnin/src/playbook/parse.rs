//! A playbook's TOML into flat steps, each with the line it came from.

use serde::Deserialize;
use toml::Spanned;
use wire::job::Phase;

use super::step::{Direction, Fill, PASSES, Soak, Step, moves_data};
use super::{Error, STEPS_MAX};

/// Longest accepted text in bytes.
const TEXT_MAX: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    about: Spanned<String>,
    #[serde(default)]
    step: Vec<Spanned<RawStep>>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a step as a table, like [[step]] and do = \"write\" below it"
)]
struct RawStep {
    #[serde(rename = "do")]
    phase: Option<Phase>,
    pattern: Option<Fill>,
    order: Option<Direction>,
    // Signed, so that a negative number is told with the range that is expected.
    minutes: Option<i64>,
    repeat: Option<i64>,
    hours: Option<i64>,
    steps: Option<Vec<Spanned<RawStep>>>,
}

/// What a text says, before it is asked whether it makes sense.
pub(super) struct Parsed {
    pub name: String,
    pub about: String,
    pub steps: Vec<Step>,
    /// Line of the name, from 1.
    pub name_line: usize,
    /// For each step its line, from 1.
    pub lines: Vec<usize>,
    /// For each verify, seek and trim check the pattern that the text names.
    pub named: Vec<Option<Fill>>,
}

struct Flat<'a> {
    file: &'a str,
    text: &'a str,
    parsed: Parsed,
}

pub(super) fn parse(file: &str, text: &str) -> Result<Parsed, Error> {
    let syntax = |cause: String| Error::Syntax {
        name: file.to_owned(),
        cause,
    };
    if text.len() > TEXT_MAX {
        return Err(syntax(format!("{} bytes; expected at most {TEXT_MAX}", text.len())));
    }
    let raw: Raw = toml::from_str(text).map_err(|cause| syntax(told(text, &cause)))?;
    let mut flat = Flat {
        file,
        text,
        parsed: Parsed {
            name: raw.name.get_ref().clone(),
            about: raw.about.get_ref().clone(),
            name_line: 1,
            steps: Vec::new(),
            lines: Vec::new(),
            named: Vec::new(),
        },
    };
    flat.parsed.name_line = flat.line(raw.name.span().start);
    let name = raw.name.get_ref();
    if let Err(expected) = wire::playbook::check_name(name) {
        return Err(flat.fault(raw.name.span().start, "name", &format!("{name:?}; {expected}")));
    }
    if raw.about.get_ref().len() > 400 || raw.about.get_ref().chars().any(char::is_control) {
        let why = "expected one line of at most 400 bytes";
        return Err(flat.fault(raw.about.span().start, "about", why));
    }
    for step in &raw.step {
        flat.push(step)?;
    }
    flat.number();
    Ok(flat.parsed)
}

/// The parser's message with its place, and where a field's value is wrong, which field's and what is expected.
fn told(text: &str, cause: &toml::de::Error) -> String {
    let message = cause.message().trim_end();
    let missing = [
        ("missing field `name`", "name = \"my-playbook\""),
        ("missing field `about`", "about = \"what it is for\", one line"),
    ];
    if let Some((_, expected)) = missing.iter().find(|(said, _)| *said == message) {
        return format!("line 1: {message}; expected {expected}");
    }
    let whole = || cause.to_string().trim_end().to_owned();
    let Some(before) = cause.span().and_then(|span| text.get(..span.start)) else {
        return whole();
    };
    let (line, begun) = (
        1 + before.matches('\n').count(),
        before.rsplit('\n').next().unwrap_or(""),
    );
    let column = begun.chars().count() + 1;
    let at = cause.span().and_then(|span| text.get(span)).unwrap_or("");
    if message == "duplicate key" {
        return format!("line {line}, column {column}: {at} stands there twice; expected once");
    }
    if at.starts_with('[') && message.ends_with("expected a sequence") {
        return format!(
            "line {line}, column {column}: {message}; expected [[step]] in two brackets, one for each step"
        );
    }
    // Of several on one line the last that was begun.
    let field = begun.trim_end().strip_suffix('=').map(str::trim_end);
    let field = field.and_then(|text| text.rsplit([' ', '{', ',', '\t']).next());
    let expected = match field {
        Some("do") => "a step's name in quotes, like \"write\"",
        Some("pattern") => "a pattern's name in quotes, like \"keyed\"",
        Some("order") => "\"forward\" or \"reverse\"",
        Some("minutes" | "repeat" | "hours") => "a whole number without quotes",
        Some("name" | "about") => "a text in quotes",
        Some("steps") => "a list of steps, like [ { do = \"write\" }, { do = \"verify\" } ]",
        Some(_) | None => return whole(),
    };
    let field = field.unwrap_or("");
    format!("line {line}, column {column}: {field}: {message}; expected {expected}")
}

impl Flat<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|b| *b == b'\n').count()
    }

    fn fault(&self, at: usize, field: &str, why: &str) -> Error {
        Error::Step {
            name: self.file.to_owned(),
            line: self.line(at),
            field: field.to_owned(),
            why: why.to_owned(),
        }
    }

    fn push(&mut self, step: &Spanned<RawStep>) -> Result<(), Error> {
        let at = step.span().start;
        let raw = step.get_ref();
        let Some(steps) = &raw.steps else {
            for (field, given) in [("repeat", raw.repeat), ("hours", raw.hours)] {
                if given.is_some() {
                    return Err(self.fault(
                        at,
                        field,
                        "expected `steps = [ … ]` beside it: the block that it repeats",
                    ));
                }
            }
            return self.push_one(step);
        };
        for (field, given) in [
            ("do", raw.phase.is_some()),
            ("pattern", raw.pattern.is_some()),
            ("order", raw.order.is_some()),
            ("minutes", raw.minutes.is_some()),
        ] {
            if given {
                let why = "stands beside `steps`; expected it in each step of the block instead";
                return Err(self.fault(at, field, why));
            }
        }
        if steps.is_empty() {
            return Err(self.fault(at, "steps", "empty; expected at least one step"));
        }
        if let Some(inner) = steps.iter().find(|inner| inner.get_ref().steps.is_some()) {
            return Err(self.fault(
                inner.span().start,
                "steps",
                "a block within a block; expected plain steps",
            ));
        }
        match (raw.repeat, raw.hours) {
            (Some(times @ 1..=16), None) => {
                for _ in 0..times {
                    for inner in steps {
                        self.push(inner)?;
                    }
                }
                Ok(())
            }
            (Some(times), None) => {
                let why = format!("{times}; expected 1 to 16 (longer: `hours`)");
                Err(self.fault(at, "repeat", &why))
            }
            (None, Some(hours @ 1..=720)) => {
                let first = self.parsed.steps.len();
                for inner in steps {
                    if let Some(phase) = inner.get_ref().phase.filter(|phase| !soaks(*phase)) {
                        let why = format!(
                            "`{}` in a block that is repeated for hours; expected write, verify, seek, trim, trim_check or scan",
                            label(phase)
                        );
                        return Err(self.fault(inner.span().start, "do", &why));
                    }
                    self.push(inner)?;
                }
                self.soak(first, hours.unsigned_abs() * 3600);
                Ok(())
            }
            (None, Some(hours)) => Err(self.fault(at, "hours", &format!("{hours}; expected 1 to 720"))),
            _ => Err(self.fault(
                at,
                "steps",
                "expected either `repeat = TIMES` or `hours = HOURS` beside it",
            )),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are at most `STEPS_MAX` steps")]
    fn soak(&mut self, first: usize, seconds: u64) {
        let last = self.parsed.steps.len() - 1;
        let soak = Soak {
            first: first as u16,
            last: last as u16,
            seconds,
        };
        for step in &mut self.parsed.steps[first..] {
            step.soak = Some(soak);
        }
    }

    fn push_one(&mut self, step: &Spanned<RawStep>) -> Result<(), Error> {
        let at = step.span().start;
        let raw = step.get_ref();
        let Some(phase) = raw.phase else {
            return Err(self.fault(at, "do", "missing; expected what the step does, e.g. `do = \"write\"`"));
        };
        if self.parsed.steps.len() >= STEPS_MAX {
            let why = format!("more than {STEPS_MAX} steps once repeats are unrolled");
            return Err(self.fault(at, "step", &why));
        }
        let mut made = Step::from(phase);
        made.pass = 0;
        if let Some(fill) = raw.pattern {
            if !matches!(phase, Phase::Write | Phase::Verify) {
                return Err(self.fault(at, "pattern", "expected only in `write` and `verify`"));
            }
            made.fill = fill;
        }
        if let Some(order) = raw.order {
            if !matches!(phase, Phase::Write | Phase::Verify | Phase::Scan) {
                return Err(self.fault(at, "order", "expected only in `write`, `verify` and `scan`"));
            }
            made.order = order;
        }
        match (phase, raw.minutes) {
            (Phase::Seek, Some(minutes @ 1..=1440)) => made.seconds = minutes.unsigned_abs() * 60,
            (Phase::Seek, Some(minutes)) => {
                return Err(self.fault(at, "minutes", &format!("{minutes}; expected 1 to 1440")));
            }
            (Phase::Seek, None) => return Err(self.fault(at, "minutes", "missing; expected 1 to 1440 for `seek`")),
            (_, Some(_)) => return Err(self.fault(at, "minutes", "expected only in `seek`")),
            (_, None) => {}
        }
        self.parsed.steps.push(made);
        self.parsed.lines.push(self.line(at));
        self.parsed.named.push(raw.pattern);
        Ok(())
    }

    /// Numbers the writes; what compares expects the last write before it.
    fn number(&mut self) {
        let mut last = (Fill::Keyed, 0);
        for step in &mut self.parsed.steps {
            if step.phase == Phase::Write {
                last = (step.fill, (last.1 % PASSES) + 1);
                step.pass = last.1;
            } else if matches!(step.phase, Phase::Verify | Phase::Seek | Phase::TrimCheck) {
                (step.fill, step.pass) = last;
            }
        }
    }
}

/// Whether a phase may be repeated for hours: the worker alone runs it, and nothing follows from having done it once.
fn soaks(phase: Phase) -> bool {
    moves_data(phase) && !matches!(phase, Phase::Probe | Phase::Sample)
}

/// A phase as it is written in a playbook.
pub(super) fn label(phase: Phase) -> String {
    serde_json::to_value(phase)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
