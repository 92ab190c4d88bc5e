//! What page and PDF both show, in words: sections of rows, made once from the certificate.

use wire::certificate::Standing;
use wire::course::{apart, clock_was_set, worked};
use wire::job::{FINDINGS_MAX, Outcome, Phase, PhaseState, PhaseStatus, SelfTest, SelfTestOutcome};
use wire::options::{FileSystem, Profile, Table};
use wire::{Bytes, Lasted, Time};

use crate::certificate::Certificate;
use crate::key::groups;
use crate::signed::Signed;

/// Steps, SMART rows and rules shown in each table; more stand in the signed file.
const ROWS_MAX: usize = 40;

/// Findings shown, some of each kind.
const FINDINGS_PRINTED: usize = 12;

/// What it all says, besides.
pub const LIMITS: &str =
    "Says what was seen on this drive in the time named above. It is no warranty of the years after.";

/// How to check it; what to run follows.
pub const HOW: &str = "Anybody can print such a paper and its code. Open the signed file, which hangs on this one, under “Certificates”, \
     “Check a certificate” on any Kiln box, or run";

/// What that does not tell, behind what to run.
pub const WHOSE: &str = "That shows which key signed it. Whose the key is, its maker tells, and whether it was revoked since: compare the \
     fingerprint with one that you have from there.";

/// Everything that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is of.
    pub title: &'static str,
    /// Its id.
    pub id: String,
    /// Who made it.
    pub maker: String,
    /// When it was made.
    pub made: String,
    /// Until when it holds.
    pub valid_until: String,
    /// Last four of the serial.
    pub tail: String,
    /// Model and capacity.
    pub model: String,
    /// Serial and identity.
    pub serial: String,
    /// The verdict.
    pub outcome: Outcome,
    /// In a sentence.
    pub summary: String,
    /// Tables, in order.
    pub sections: Vec<Section>,
    /// Fingerprint of the key, in groups.
    pub fingerprint: String,
    /// Digest, in groups.
    pub digest: String,
    /// What to run.
    pub command: String,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Name and value.
    pub rows: Vec<(String, String)>,
}

impl Report {
    /// What a certificate shows.
    pub fn of(signed: &Signed) -> Self {
        let c = signed.certificate();
        let serial = c.drive.serial.trim();
        let start = serial.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        // It names the file in page and PDF besides, which write it as it is.
        let id = wire::shown::line(&c.id).into_owned();
        let command = format!("kiln cert verify {id}.json");
        let sections = [
            ("What was done", done(c)),
            ("What the verdict rests on", cut(rules(c))),
            ("The drive's own record (SMART)", cut(smart(c))),
            ("What was found", cut(findings(c))),
            ("Interruptions", cut(resumes(c))),
            ("Left on the drive", cut(formatted(c))),
        ];
        Self {
            title: if c.only_reads() {
                "Read scan"
            } else {
                "Burn-in certificate"
            },
            id,
            maker: format!("{}, {}", c.maker.name, c.maker.software),
            made: moment(c.made),
            valid_until: day(c.valid_until),
            tail: serial[start..].to_owned(),
            model: format!("{}, {}", c.drive.model, c.drive.capacity),
            serial: format!("serial {serial}, {}", c.drive.id),
            outcome: c.outcome(),
            summary: c.verdict.summary.clone(),
            sections: sections
                .into_iter()
                .filter(|(_, rows)| !rows.is_empty())
                .map(|(title, rows)| Section { title, rows })
                .collect(),
            fingerprint: signed.key().fingerprint().groups(),
            digest: groups(signed.digest()),
            command,
        }
    }
}

/// What a standing is called.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Trusted => "trusted",
        Standing::UnknownKey => "valid, by an unknown key",
        Standing::OtherDrawing => "valid, but what it shows is not confirmed",
        Standing::Bad => "bad",
    }
}

/// The first of them. Those that are not shown are not made: a forged certificate may have thousands, and each step looks through all others.
fn cut(all: impl IntoIterator<Item = (String, String), IntoIter: ExactSizeIterator>) -> Vec<(String, String)> {
    let mut all = all.into_iter();
    let mut rows: Vec<(String, String)> = all.by_ref().take(ROWS_MAX).collect();
    let more = all.len();
    if more > 0 {
        rows.push((format!("{more} more"), "in the signed file".to_owned()));
    }
    rows
}

fn done(c: &Certificate) -> Vec<(String, String)> {
    let mut rows = vec![(
        "Playbook".to_owned(),
        match c.options.profile {
            Profile::Used => format!("{}, judged as used", c.playbook),
            Profile::New => format!("{}, judged as new", c.playbook),
        },
    )];
    rows.push((
        "From, to".to_owned(),
        format!("{}, {}", moment(c.started), moment(c.ended)),
    ));
    let clock_was_set = c.ended < c.started || clock_was_set(&c.timeline, &c.resumes, (c.started, c.ended));
    rows.push(("Took".to_owned(), took(c, clock_was_set)));
    if clock_was_set {
        let told = "it was set meanwhile, so the two times above do not tell how long it took";
        rows.push(("Clock of the box".to_owned(), told.to_owned()));
    }
    if c.aborted {
        rows.push(("Ended by a person".to_owned(), "before its end".to_owned()));
    }
    let steps = c.phases.iter().enumerate();
    // What they came to stands behind them, however many they are.
    rows.extend(cut(
        steps.map(|(step, phase)| (label(phase), phase_told(c, step, phase)))
    ));
    let asks = |phase: &PhaseState| matches!(phase.phase, Phase::SmartBefore | Phase::SmartAfter);
    if !c.phases.iter().any(asks) {
        rows.push(("SMART".to_owned(), "not asked: the playbook does not".to_owned()));
    }
    let sampled = |phase: &PhaseState| phase.phase == Phase::Sample && phase.status == PhaseStatus::Done;
    let another = ["another-answered", "other-identity"];
    let verified = match c.verdict.verified {
        Bytes(0) if c.verdict.rules.iter().any(|rule| another.contains(&rule.id.as_str())) => {
            "nothing of this drive: another one answered".to_owned()
        }
        Bytes(0) if c.phases.iter().any(sampled) => "samples alone, no part of it whole".to_owned(),
        verified => bytes(verified),
    };
    if c.only_reads() {
        rows.extend(read(c).map(|read| ("Sectors read".to_owned(), read)));
    } else {
        rows.push(("Verified, equal".to_owned(), verified));
    }
    // Probe, samples, trims and what failed or was looked at again are not in it: rules tell of those.
    let slowest = c.surface.iter().map(|s| s.max_us).max().filter(|us| *us > 0);
    rows.extend(slowest.map(|us| ("Slowest answer in the sweeps".to_owned(), microseconds(us))));
    let heat: Vec<i32> = c.timeline.iter().filter_map(|p| p.temperature.map(|t| t.0)).collect();
    if let Some(hottest) = heat.iter().max() {
        let mean = heat.iter().map(|t| f64::from(*t)).sum::<f64>() / heat.len() as f64;
        rows.push(("Hottest".to_owned(), format!("{hottest} °C, mean {mean:.0} °C")));
    }
    rows.push(("Engine".to_owned(), c.verdict.engine.clone()));
    rows
}

/// How long its steps were at work, and apart from that what else went by.
fn took(c: &Certificate, clock_was_set: bool) -> String {
    let worked = Lasted(worked(&c.phases));
    match apart(&c.phases, (c.started, c.ended)).filter(|_| !clock_was_set) {
        Some(rest) => format!(
            "{worked} at work; by the box’s clock off or waiting for another {}",
            Lasted(rest)
        ),
        None => format!("{worked} at work"),
    }
}

/// What was read of a drive that nothing was written to; `None` where that is not known.
fn read(c: &Certificate) -> Option<String> {
    let scan = c.phases.iter().find(|phase| phase.phase == Phase::Scan)?;
    let unread = c.findings.bad_sectors > 0 || !c.findings.kinds.is_empty();
    match scan.status {
        // Whether it was this drive to its end, and all of it, nobody knows of what is INCONCLUSIVE.
        PhaseStatus::Done if c.verdict.outcome == Outcome::Inconclusive => None,
        PhaseStatus::Done if !unread => Some(format!("all, {}; nothing was written", bytes(c.drive.capacity))),
        PhaseStatus::Done => Some("not all without a finding; nothing was written".to_owned()),
        PhaseStatus::Pending | PhaseStatus::Running | PhaseStatus::Skipped | PhaseStatus::Interrupted => None,
    }
}

fn label(phase: &PhaseState) -> String {
    let mut text = phase.phase.label().to_owned();
    if !phase.note.is_empty() {
        text += &format!(", {}", phase.note);
    }
    if phase.rounds > 1 {
        text += &format!(", {} times", phase.rounds);
    }
    text
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most the bytes of the phase, which are a u64"
)]
fn phase_told(c: &Certificate, step: usize, phase: &PhaseState) -> String {
    let status = match phase.status {
        PhaseStatus::Done => "",
        PhaseStatus::Pending => "not begun",
        PhaseStatus::Running => "not ended",
        PhaseStatus::Skipped => "not done",
        PhaseStatus::Interrupted => "interrupted",
    };
    let mut parts = Vec::new();
    match status {
        "" => parts.extend(self_tests(c, step, phase).map(self_test_told)),
        status => parts.push(status.to_owned()),
    }
    if phase.status != PhaseStatus::Pending && phase.seconds >= 0.0005 {
        parts.push(Lasted(phase.seconds).to_string());
    }
    if phase.bytes.0 > 0 {
        parts.push(phase.bytes.to_string());
        // What an interruption had done again took time and counts once.
        let resumed = c.resumes.iter().any(|resume| usize::from(resume.step) == step);
        if phase.seconds >= 1.0 && !resumed {
            parts.push(format!("{}/s", Bytes((phase.bytes.0 as f64 / phase.seconds) as u64)));
        }
    }
    if let Some(surface) = c.surface.iter().find(|s| usize::from(s.step) == step && s.p50_us > 0) {
        parts.push(format!(
            "half of all answers within {}, 99\u{a0}% within {}",
            microseconds(surface.p50_us),
            microseconds(surface.p99_us)
        ));
    }
    if parts.is_empty() {
        parts.push("done".to_owned());
    }
    parts.join(", ")
}

/// The self-tests of a step that was done: more than one where it was done again and the first had failed.
///
/// Older certificates number none. There the ones with a result are those of the steps of their kind, in order.
fn self_tests<'a>(c: &'a Certificate, step: usize, phase: &PhaseState) -> impl Iterator<Item = &'a SelfTest> {
    let of = |step: usize| {
        c.self_tests
            .iter()
            .filter(move |t| t.step.map(usize::from) == Some(step))
    };
    let alike = |(at, earlier): &(usize, &PhaseState)| {
        earlier.phase == phase.phase && earlier.status == PhaseStatus::Done && of(*at).next().is_none()
    };
    let before = c.phases.iter().enumerate().take(step).filter(alike).count();
    let kind = phase.phase;
    let older = c.self_tests.iter().filter(move |t| {
        let result = matches!(t.outcome, SelfTestOutcome::Passed | SelfTestOutcome::Failed);
        t.step.is_none() && t.phase == kind && result
    });
    let numbered = of(step).count();
    let (skip, take) = if numbered > 0 { (0, 0) } else { (before, 1) };
    of(step).chain(older.skip(skip).take(take))
}

/// `FAILED: Extended offline: Completed: read failure, at 1234 h, first at LBA 12345`.
fn self_test_told(test: &SelfTest) -> String {
    let place = test.lba.map(|lba| format!(", first at {lba}"));
    format!(
        "{}: {}{}",
        self_test(test.outcome),
        test.told,
        place.unwrap_or_default()
    )
}

fn self_test(outcome: SelfTestOutcome) -> &'static str {
    match outcome {
        SelfTestOutcome::Passed => "passed",
        SelfTestOutcome::Failed => "FAILED",
        SelfTestOutcome::Aborted => "aborted",
        SelfTestOutcome::Unsupported => "the drive has none",
        SelfTestOutcome::Unknown => "no result",
    }
}

fn rules(c: &Certificate) -> Vec<(String, String)> {
    // What is only told has no limit that it would have to keep.
    let rule = |hit: &wire::job::RuleHit| {
        let is_told = hit.outcome == Outcome::Passed;
        let word = if is_told { "told:" } else { hit.outcome.word() };
        let limit = match hit.limit.as_str() {
            limit if !is_told && limit != "none" => format!("{limit} is {word}; "),
            _ => String::new(),
        };
        (
            format!("{word} {}", hit.id),
            match hit.means.as_str() {
                "" => format!("{} ({limit}{})", hit.value, hit.source),
                means => format!("{}: {means} ({limit}{})", hit.value, hit.source),
            },
        )
    };
    c.verdict.rules.iter().map(rule).collect()
}

fn smart(c: &Certificate) -> Vec<(String, String)> {
    let value = |value: Option<i64>| value.map_or_else(|| "unknown".to_owned(), |v| v.to_string());
    let mut rows: Vec<_> = c.smart.iter().collect();
    // What changed stands first.
    rows.sort_by_key(|row| row.before == row.after);
    rows.iter()
        .map(|row| {
            let id = row.id.map(|id| format!("{id} ")).unwrap_or_default();
            let name = row.name.replace('_', " ");
            (
                format!("{id}{name}"),
                format!("{}, then {}", value(row.before), value(row.after)),
            )
        })
        .collect()
}

/// So many of them: `1 sector`, `2 sectors`.
pub fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn findings(c: &Certificate) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    if c.findings.bad_sectors > 0 {
        rows.push(("Bad sectors".to_owned(), c.findings.bad_sectors.to_string()));
    }
    // Of very many a job keeps some of each kind.
    let kept = c
        .findings
        .kinds
        .iter()
        .fold(0, |sum: u64, kind| sum.saturating_add(kind.findings));
    let least = if kept < FINDINGS_MAX as u64 { "" } else { "at least " };
    rows.extend(c.findings.kinds.iter().map(|k| {
        let (findings, sectors) = (many(k.findings, "finding"), many(k.sectors, "sector"));
        (k.kind.label().to_owned(), format!("{least}{findings}, {sectors}"))
    }));
    let listed = wire::fair::at_most(FINDINGS_PRINTED, c.findings.listed.clone());
    rows.extend(listed.iter().map(|finding| {
        let place = match finding.lba {
            Some(lba) => format!("{lba}, {}", many(finding.sectors, "sector")),
            None => finding.phase.label().to_owned(),
        };
        (place, format!("{}: {}", finding.kind.label(), finding.detail))
    }));
    let more = kept.saturating_sub(listed.len() as u64);
    if more > 0 {
        rows.push((format!("{least}{more} more"), "counted above".to_owned()));
    }
    rows
}

fn resumes(c: &Certificate) -> Vec<(String, String)> {
    c.resumes
        .iter()
        .map(|r| {
            (
                moment(r.at),
                format!("{}; went on in {} at {}", r.why, r.phase.label(), r.from),
            )
        })
        .collect()
}

fn formatted(c: &Certificate) -> Vec<(String, String)> {
    let Some(made) = &c.formatted else { return Vec::new() };
    let row = |name: &str, what: String| (name.to_owned(), what);
    let table = match made.table {
        Table::Gpt => Some("GPT"),
        Table::Mbr => Some("MBR"),
        Table::Auto => None,
    };
    let mut rows = Vec::new();
    rows.extend(made.problem.clone().map(|problem| row("PROBLEM", problem)));
    if let Some(table) = table {
        rows.push(row("Partition table", table.to_owned()));
        rows.push(row("Size", bytes(made.size)));
    }
    // What did not come to its end is only what was asked for.
    let (what, label) = match made.problem {
        None => ("File system", "Label"),
        Some(_) => ("File system asked for", "Label asked for"),
    };
    rows.push(row(what, filesystem(made.filesystem).to_owned()));
    if !made.label.is_empty() {
        rows.push(row(label, made.label.clone()));
    }
    rows.extend(made.uuid.clone().map(|uuid| row("UUID", uuid)));
    rows.extend(made.checks.iter().map(|check| row("Checked", check.clone())));
    rows
}

/// A file system's name.
pub fn filesystem(filesystem: FileSystem) -> &'static str {
    match filesystem {
        FileSystem::Ext4 => "ext4",
        FileSystem::Xfs => "XFS",
        FileSystem::Btrfs => "Btrfs",
        FileSystem::Exfat => "exFAT",
        FileSystem::Swap => "swap",
        FileSystem::Raw => "none",
    }
}

/// Whether a phase is one whose speed is drawn.
pub fn is_drawn(phase: Phase) -> bool {
    matches!(phase, Phase::Write | Phase::Verify | Phase::Scan)
}

fn bytes(bytes: Bytes) -> String {
    format!("{bytes} ({} bytes)", thousands(bytes.0))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Microseconds in the unit that suits, which no line break parts from its figure.
pub fn microseconds(us: u64) -> String {
    match us {
        0..1_000 => format!("{us}\u{a0}µs"),
        1_000..10_000 => format!("{:.1}\u{a0}ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0}\u{a0}ms", us as f64 / 1e3),
        _ => format!("{:.1}\u{a0}s", us as f64 / 1e6),
    }
}

/// A moment as printed.
pub fn moment(time: Time) -> String {
    time.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// A day as people read it.
pub fn day(time: Time) -> String {
    time.strftime("%-d %B %Y").to_string()
}
