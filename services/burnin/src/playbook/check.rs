//! Whether the steps of a playbook make sense in their order. Pure; each fault names its step.

use wire::job::Phase;

use super::parse::label;
use super::step::{Fill, Step, is_of_formatter, moves_data};

/// What is wrong: index of the step (`None`: the whole), field, and what is expected.
pub(super) type Fault = (Option<usize>, &'static str, String);

/// The first fault of these steps; `named` are the patterns that their text names.
pub(super) fn fault(steps: &[Step], named: &[Option<Fill>]) -> Option<Fault> {
    let first = |phase| steps.iter().position(|s| s.phase == phase);
    let twice = |phase| steps.iter().filter(|s| s.phase == phase).count() > 1;
    let at = |index, why: &str| Some((Some(index), "do", why.to_owned()));
    if !steps.iter().any(|s| moves_data(s.phase)) {
        let why = "expected at least one step that reads or writes: probe, sample, write, verify, scan …";
        return Some((None, "step", why.to_owned()));
    }
    for phase in [
        Phase::SmartBefore,
        Phase::SmartAfter,
        Phase::Probe,
        Phase::Sample,
        Phase::Partition,
        Phase::Format,
    ] {
        if twice(phase) {
            let last = steps.iter().rposition(|s| s.phase == phase)?;
            return at(last, &format!("`{}` stands twice; expected it once", label(phase)));
        }
    }
    let last_work = steps
        .iter()
        .rposition(|s| moves_data(s.phase) || matches!(s.phase, Phase::SelfTestShort | Phase::SelfTestExtended))?;
    match (first(Phase::SmartBefore), first(Phase::SmartAfter)) {
        (Some(before), _) if before > 0 => return at(before, "expected `smart_before` as the first step"),
        (_, Some(after)) if after < last_work => {
            return at(
                after,
                "expected `smart_after` behind everything that works on the drive",
            );
        }
        (Some(before), None) => return at(before, "expected `smart_after` at the end, too"),
        (None, Some(after)) => return at(after, "expected `smart_before` at the beginning, too"),
        _ => {}
    }
    for phase in [Phase::Partition, Phase::Format] {
        if let Some(index) = first(phase).filter(|index| *index < last_work) {
            return at(
                index,
                &format!("expected `{}` behind every step that moves data", label(phase)),
            );
        }
    }
    if let (Some(partition), Some(format)) = (first(Phase::Partition), first(Phase::Format))
        && format < partition
    {
        return at(format, "expected `format` behind `partition`");
    }
    sweep(steps, named)
}

/// The order in which steps are worked through, each block that is repeated for a time twice: its second round begins with
/// what its first one left on the drive.
fn twice_round(steps: &[Step]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        order.push(index);
        if let Some(soak) = step.soak.filter(|soak| usize::from(soak.last) == index) {
            order.extend(usize::from(soak.first)..=index);
        }
    }
    order
}

/// What the drive holds after each step, and whether the next one can work with that.
fn sweep(steps: &[Step], named: &[Option<Fill>]) -> Option<Fault> {
    let at = |index: usize, field, why: String| Some((Some(index), field, why));
    // The last write, if nothing has taken its data away; and whether it was verified since.
    let mut written: Option<(usize, bool)> = None;
    let mut trimmed: Option<usize> = None;
    let mut last: Option<Fill> = None;
    for index in twice_round(steps) {
        let step = &steps[index];
        let unverified = written.filter(|(_, verified)| !verified);
        match step.phase {
            Phase::Probe | Phase::Sample
                if steps[..index]
                    .iter()
                    .any(|s| s.phase == Phase::Write || s.phase == Phase::Trim) =>
            {
                return at(
                    index,
                    "do",
                    format!(
                        "`{}` writes; expected it before the first `write` and `trim`",
                        label(step.phase)
                    ),
                );
            }
            Phase::Write | Phase::Trim => {
                if let Some((write, _)) = unverified {
                    let round = if index <= write { " of the next round" } else { "" };
                    let why = format!(
                        "expected `verify` after `write` (step {}), before `{}` (step {}{round}) takes away what it wrote",
                        write + 1,
                        label(step.phase),
                        index + 1,
                    );
                    return at(write, "do", why);
                }
                if step.phase == Phase::Write {
                    if step.fill == Fill::Complement && last != Some(Fill::Keyed) {
                        let due = Fill::Keyed.label();
                        let why = match last {
                            // Where the block begins with it, what was written in the round before is inverted already.
                            Some(Fill::Complement) => format!(
                                "\"complement\"; it comes behind another one here, of the round before where steps are repeated: \
                                 expected a `write` of \"{due}\" between, whose bits it inverts"
                            ),
                            _ => format!(
                                "\"complement\"; expected a `write` of \"{due}\" before it, whose bits it inverts"
                            ),
                        };
                        return at(index, "pattern", why);
                    }
                    last = Some(step.fill);
                    (written, trimmed) = (Some((index, false)), None);
                } else {
                    trimmed = written.map(|_| index);
                    written = None;
                }
            }
            Phase::Verify | Phase::Seek => {
                let Some((write, verified)) = &mut written else {
                    return at(
                        index,
                        "do",
                        format!(
                            "`{}` compares; expected `write` before it, and no `trim` between",
                            label(step.phase)
                        ),
                    );
                };
                if let Some(fill) = named
                    .get(index)
                    .copied()
                    .flatten()
                    .filter(|fill| *fill != steps[*write].fill)
                {
                    let (is, due) = (fill.label(), steps[*write].fill.label());
                    return at(
                        index,
                        "pattern",
                        format!("\"{is}\"; expected \"{due}\", which is what was written, or nothing"),
                    );
                }
                *verified |= step.phase == Phase::Verify;
            }
            Phase::TrimCheck if trimmed.is_none() => {
                return at(
                    index,
                    "do",
                    "expected `write` and `verify`, then `trim`, before `trim_check`".to_owned(),
                );
            }
            Phase::TrimCheck if last == Some(Fill::Zeros) => {
                return at(
                    index,
                    "do",
                    "zeros are what a trim leaves, so this would see nothing; expected a last `write` of another pattern"
                        .to_owned(),
                );
            }
            Phase::Probe
            | Phase::Sample
            | Phase::TrimCheck
            | Phase::Scan
            | Phase::SmartBefore
            | Phase::SmartAfter
            | Phase::SelfTestShort
            | Phase::SelfTestExtended
            | Phase::Partition
            | Phase::Format => {}
        }
    }
    if let Some((write, false)) = written {
        return at(
            write,
            "do",
            "expected `verify` after `write`: what is not read back is not tested".to_owned(),
        );
    }
    let constant = |s: &&Step| s.phase == Phase::Write && !s.fill.is_keyed();
    let keyed = steps
        .iter()
        .any(|s| s.phase == Phase::Probe || (s.phase == Phase::Write && s.fill.is_keyed()));
    if let Some(write) = steps.iter().position(|s| constant(&s)).filter(|_| !keyed) {
        let why = "expected `probe` before a `write` of a constant pattern, which cannot see false capacity";
        return at(write, "do", why.to_owned());
    }
    let partition = steps.iter().position(|s| is_of_formatter(s.phase));
    if let Some(index) = partition.filter(|_| !steps.iter().any(|s| s.phase == Phase::Verify)) {
        let why = "expected `write` and `verify` before it: only a drive that was tested whole is prepared for use";
        return at(index, "do", why.to_owned());
    }
    None
}
