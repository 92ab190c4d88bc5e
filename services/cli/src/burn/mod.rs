//! `kiln burn`: targets → guard → plan → consent → one job a drive → verdicts → exit code.
//!
//! Nothing is written before every target has passed the guard, been named by
//! `--yes-erase`, been found fit to go on with where it is to, and, on a terminal, been
//! confirmed by its last four characters; a signal until then ends it ([`signals`]).
//!
//! ```text
//!  args ─► choice (playbook, options, steps) ─► target ─► admit (guard, plan) ─► consent
//!                                                                                  │
//!  exit code ◄─ ended (words, JSON) ◄─ job: earlier ─► own steps │ engine │ format ◄┘
//! ```

mod admit;
mod again;
mod args;
mod choice;
mod consent;
mod digest;
mod ended;
mod fingerprints;
mod flags;
mod job;
mod newest;
mod other_size;
mod pacing;
mod place;
mod refuted;
mod remains;
mod saved;
mod screen;
mod seat;
mod signals;
mod state;
mod target;
mod under_way;
mod unended;
mod union;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use burnin::format::Turns;
use burnin::worker::Limits;
use drive::guard::Guard;
use drive::smart::Smartctl;
use wire::drive::Refused;
use wire::gate::{PlanDrive, digest};
use wire::job::Outcome;
use wire::{DriveId, shown};

use crate::signing::Signing;
use admit::{Ready, admit};
pub use args::{Args, IoWay};
use choice::Choice;
use digest::Digest;
use ended::Ended;
use job::{GivenUp, Job};
use pacing::Pacer;
use place::Place;
use screen::{Line, Screen};
use seat::Seat;
use signals::Signals;
use state::StateDir;
pub(crate) use state::folder;
use under_way::UnderWay;
pub(crate) use unended::{Unended, all as unended};

/// Exit code when a drive was refused, or no burn-in could begin; nothing was written.
pub const REFUSED: u8 = 4;

/// Exit code of a verdict.
pub const fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::Warn => 1,
        Outcome::Failed => 2,
        Outcome::Inconclusive => 3,
    }
}

/// Why nothing was begun.
#[derive(Debug)]
enum Stop {
    /// The command line makes no sense here: exit code 64.
    Usage(String),
    /// A drive was refused, or nobody agreed: exit code 4.
    Refused(String),
}

/// Runs the command and gives its exit code.
pub fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(Stop::Usage(why)) => {
            tell!("kiln burn: {why}");
            ExitCode::from(crate::USAGE)
        }
        Err(Stop::Refused(why)) => {
            tell!("kiln burn: {why}");
            ExitCode::from(REFUSED)
        }
    }
}

fn run(args: &Args) -> Result<u8, Stop> {
    let signals = Signals::listen().map_err(Stop::Usage)?;
    let guard = Guard {
        allow_loop: args.allow_loop,
        ..Guard::default()
    };
    let mut choice = Choice::of(args)?;
    let targets = target::resolve(&guard.system, &args.targets)?;
    let place = Place::of(args, &targets)?;
    let agreed = match choice.erases() && !args.dry_run {
        true => consent::erasable(&targets, &drive::sysfs::walk(&guard.system), &args.yes_erase),
        false => Ok(()),
    };
    choice.give_up(&targets, &args.give_up)?;
    let ready = admit(args, &guard, &choice, targets)?;
    // Nobody is told to agree to what is refused.
    agreed?;
    let state = StateDir::at(args.state.clone(), choice.erases());
    let jobs = jobs(args, &choice, &guard, &state, &signals, ready);
    // What another process works at is no interrupted one. Nothing is held yet: people may take their time to agree.
    if let Some((job, lock)) = jobs.iter().find_map(|job| Some((job, state.under_way(&job.drive.id)?))) {
        return Err(at_work(args, job, &lock));
    }
    let (over, jobs) = match args.resume {
        true => resumable(args, jobs)?,
        false => (Vec::new(), jobs),
    };
    let plans: Vec<PlanDrive> = jobs.iter().map(|job| job.drive.clone()).collect();
    let steps = burnin::playbook::steps_text(&choice.steps);
    let plan = digest((&choice.playbook.name, &steps), &choice.options, &plans);
    let interrupted: Vec<_> = jobs.iter().map(Job::gives_up).collect();
    tell_losses(&choice, &jobs, &interrupted);
    let seen: Vec<_> = match choice.erases() {
        true => jobs
            .iter()
            .flat_map(|job| fingerprints::sums(job.held.seen.as_ref()))
            .collect(),
        false => Vec::new(),
    };
    let given = args.plan_digest.as_ref();
    let changed = given.is_some_and(|given| !given.is_of(&plan, &seen));
    // Of a drive that is only read nothing is lost.
    let looks = match choice.erases() && (changed || args.dry_run) {
        true => fingerprints::twice(jobs.iter().map(|job| &job.held)),
        false => Default::default(),
    };
    let digest = Digest::of(plan, (&looks.0, &looks.1)).to_string();
    let changed =
        changed.then(|| format!("what would be erased has changed since --dry-run: its digest is now {digest}"));
    if args.dry_run {
        if !tell_plan(args, &choice, &jobs, &digest, &interrupted) {
            return Ok(code(Outcome::Inconclusive));
        }
        return match changed {
            Some(reason) => Err(Stop::Refused(format!("--plan-digest: {reason}; nothing was written"))),
            None => Ok(code(Outcome::Passed)),
        };
    }
    if let Some(reason) = changed {
        return Err(refuse(args, &jobs, "plan-changed", &reason));
    }
    let place = place.map(|place| Ok((sign(&state)?, place))).transpose()?;
    if args.plan_digest.is_none() && choice.erases() && std::io::stdin().is_terminal() {
        let asked = jobs.iter().map(|job| (&job.drive, job.seat.words(&job.node)));
        consent::ask(asked).map_err(|reason| refuse(args, &jobs, "not-confirmed", &reason))?;
    }
    burn_all(args, place.as_ref(), &state, &signals, (over, jobs))
}

/// What is going to be lost: what stands on the drives, and what was begun on them.
fn tell_losses(choice: &Choice, jobs: &[Job], interrupted: &[Option<GivenUp>]) {
    if choice.erases() {
        for job in jobs {
            let given_up = match job.drive.given_up.as_slice() {
                [] => String::new(),
                words => format!("; given up: {}", words.join(", ")),
            };
            tell!(
                "will be erased: {} at {}: {}{given_up}",
                job.held.identity.words(),
                job.seat.words(&job.node),
                job.drive.content.words()
            );
        }
    }
    for (job, interrupted) in jobs.iter().zip(interrupted) {
        if let Some(GivenUp { words, resume }) = interrupted {
            let instead = resume
                .as_ref()
                .map(|flags| format!("; to go on with it instead: {flags}"));
            tell!("{}: {words}{}", job.node.display(), instead.unwrap_or_default());
        }
    }
}

/// What would be done, and how to agree to it; whether all of that could be told.
fn tell_plan(args: &Args, choice: &Choice, jobs: &[Job], digest: &str, interrupted: &[Option<GivenUp>]) -> bool {
    let steps: Vec<String> = choice.steps.iter().map(burnin::playbook::Step::words).collect();
    tell!("{}: {}", choice.playbook.name, steps.join(", "));
    if let Some(request) = choice.request() {
        for job in jobs {
            let made = ended::of_request(&request, job.drive.capacity, job.drive.sector);
            tell!("behind it, on {}: {made}", job.node.display());
        }
    }
    let agree: String = match choice.erases() {
        true => {
            let id = |job: &Job| again::quote(job.names.id.as_ref());
            jobs.iter().map(|job| format!(" --yes-erase {}", id(job))).collect()
        }
        false => String::new(),
    };
    tell!("nothing was written; to do it: --plan-digest {digest}{agree}");
    let name = &choice.playbook.name;
    let drives: Vec<_> = jobs.iter().map(Planned::of).collect();
    !args.json
        || print_json(
            &serde_json::json!({
                "playbook": name, "options": choice.options, "steps": steps, "digest": digest, "drives": drives,
                "interrupted": interrupted
            }),
            "",
        )
}

/// A drive of a plan as it is told, and where it is.
#[derive(serde::Serialize)]
struct Planned<'a> {
    path: &'a Path,
    #[serde(flatten)]
    seat: &'a Seat,
    #[serde(flatten)]
    drive: &'a PlanDrive,
}

impl<'a> Planned<'a> {
    fn of(job: &'a Job) -> Self {
        Self {
            path: &job.node,
            seat: &job.seat,
            drive: &job.drive,
        }
    }
}

/// What signs certificates, tried to the last file that this takes: nobody is to learn after hours that there is none.
fn sign(state: &StateDir) -> Result<Signing, Stop> {
    state.make().map_err(Stop::Usage)?;
    let signing = Signing::open(state.path()).map_err(Stop::Usage)?;
    crate::seals::ready(state.path()).map_err(Stop::Usage)?;
    Ok(signing)
}

/// What is not gone on with is told before anybody is asked, and then no drive is written to: a burn-in that has its verdict, and
/// a drive that another burn-in or somebody's data stands on.
///
/// With `--cert` a verdict that is kept whole is no refusal: it is told and signed once more, and the other drives go on. Whoever was
/// killed between a burn-in's end and its certificate could not come by that else. What was revoked stays so: no second one is signed.
fn resumable(args: &Args, jobs: Vec<Job>) -> Result<(Vec<EndedBefore>, Vec<Job>), Stop> {
    let (mut over, mut open, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for job in jobs {
        let Some(reason) = job.refusal() else {
            open.push(job);
            continue;
        };
        let kept = job.state.ended(&job.drive.id).and_then(|kept| kept.result);
        let again = kept.and_then(|result| Ended::again((job.node.clone(), &job.drive.id), result, &job.choice));
        let revoked = again.as_ref().and_then(|ended| ended.revoked(job.state.path()));
        let (instead, reason) = match (again, revoked, args.cert.is_some()) {
            (Some(ended), None, true) => {
                over.push(EndedBefore { job, ended });
                continue;
            }
            (Some(_), None, false) => ("have its result and its certificate with --cert, ", reason),
            (Some(_), Some(why), _) => ("", format!("{reason}, and {why}")),
            (None, ..) => ("", reason),
        };
        print_refused(args, &job.node, "not-resumed", &reason);
        refused.push(format!(
            "--resume: the burn-in of {} at {} is not gone on with: {reason}. Leave this drive out, {instead}or begin anew without \
             --resume",
            job.held.identity.words(),
            job.node.display()
        ));
    }
    match refused.is_empty() {
        true => Ok((over, open)),
        false => Err(Stop::Refused(format!("{}; nothing was written", refused.join("; ")))),
    }
}

/// A burn-in that had ended before, to be told and signed once more.
struct EndedBefore {
    job: Job,
    ended: Ended,
}

/// One job a drive.
fn jobs(
    args: &Args,
    choice: &Choice,
    guard: &Guard,
    state: &StateDir,
    signals: &Signals,
    ready: Vec<Ready>,
) -> Vec<Job> {
    let smartctl = Smartctl {
        program: args.smartctl.clone(),
        ..Smartctl::default()
    };
    let pacer = Pacer::new(burnin::pace::Limits {
        drive: args.rate_drive,
        controller: args.rate_controller,
        total: args.rate_total,
    });
    let turns = args.formats.map_or_else(Turns::here, Turns::new);
    let job = |ready: Ready| Job {
        pacer: pacer.clone(),
        turns: turns.clone(),
        names: Names::of(&ready.target, args.yes_erase.iter().chain(&args.give_up)),
        seat: Seat::of(&guard.system, &ready.held.device),
        drive: ready.plan,
        node: ready.target.node,
        held: ready.held,
        guard: guard.clone(),
        choice: choice.clone(),
        backend: args.io.into(),
        limits: Limits::with_checkpoints(args.checkpoint_bytes),
        resume: args.resume,
        state: state.clone(),
        smartctl: smartctl.clone(),
        asked: signals.asked(),
        in_place: std::cell::Cell::new(true),
        unkept: std::cell::RefCell::default(),
    };
    ready.into_iter().map(job).collect()
}

/// What a burn-in's end is told and signed with.
struct Notary<'a> {
    /// Key and place, where a certificate is asked for.
    signing: Option<(&'a Signing, &'a Place)>,
    state: &'a StateDir,
    json: bool,
    /// Whether standard output is a terminal, or was one until somebody closed it.
    on_terminal: bool,
    /// One at a time: no result stands between the lines of another.
    told: Mutex<()>,
}

impl Notary<'_> {
    /// Signs and tells it; what it counts for the exit code.
    fn end(&self, mut done: Ended, line: &Line) -> Outcome {
        let _one = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        line.end();
        // What was not begun says nothing of its drive, and replaces no certificate that does.
        if let (Some((signing, place)), true) = (self.signing, done.begun) {
            line.apart(|| done.certify(signing, self.state.path(), place));
        }
        // Who reads a pipe may take its time: it holds up results alone.
        let told = match self.on_terminal {
            true => line.apart(|| done.tell(self.json)),
            false => done.tell(self.json),
        };
        // Whoever closes a terminal under what is shown on it wants no more of that, as with a pipe.
        match told || self.on_terminal && !self.json {
            true => done.outcome(),
            // Whoever reads no result must not take the word of the exit code alone.
            false => done.outcome().max(Outcome::Inconclusive),
        }
    }
}

/// How long a drive's last access is waited for without a word.
const LAST_ACCESS: Duration = Duration::from_secs(5);

/// One thread a drive; the exit code of them all. Each is told and signed as it ends: the others may take days, and be killed.
fn burn_all(
    args: &Args,
    signing: Option<&(Signing, Place)>,
    state: &StateDir,
    signals: &Signals,
    (over, jobs): (Vec<EndedBefore>, Vec<Job>),
) -> Result<u8, Stop> {
    state.make().map_err(Stop::Usage)?;
    let jobs = alone(args, state, jobs)?;
    if let Some((_, place)) = signing {
        place.make()?;
    }
    let notary = Notary {
        signing: signing.map(|(signing, place)| (signing, place)),
        state,
        json: args.json,
        on_terminal: std::io::stdout().is_terminal(),
        told: Mutex::default(),
    };
    let screen = Screen::new(std::io::stderr().is_terminal());
    let all = over.iter().map(|over| &over.job).chain(jobs.iter().map(|(job, _)| job));
    let names: Vec<_> = all.map(|job| (job.drive.id.clone(), job.names.clone())).collect();
    signals.begin();
    let mut begun = !over.is_empty();
    let mut worst = over
        .into_iter()
        .map(|over| notary.end(over.ended.seated(over.job.seat), &Line::silent()))
        .max();
    let (told, ended) = mpsc::channel();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|(job, under_way)| {
                let line = screen.job(&job.name(), &job.brief());
                let (notary, turn, seat) = (&notary, job.pacer.turn(), job.seat.clone());
                let told = told.clone();
                scope.spawn(move || {
                    let done = job.run(turn, &line).seated(seat);
                    // Its end is kept: whoever comes next finds that.
                    drop(under_way);
                    let begun = done.begun;
                    let outcome = notary.end(done, &line);
                    let _heard = told.send(());
                    (begun, outcome)
                })
            })
            .collect();
        drop(told);
        // All have told, or ended without a word. A thread ends with the kernel's last access for it, and that may take its time.
        for () in ended {}
        let (joined, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            if wait.recv_timeout(LAST_ACCESS) == Err(RecvTimeoutError::Timeout) {
                tell!(
                    "kiln burn: everything is told above, and nothing more is begun; the kernel still waits for an access of a drive \
                     that hangs, and lets this process end when the drive answers or is unplugged"
                );
            }
        });
        let results = threads.into_iter().map(|thread| thread.join()).collect();
        drop(joined);
        results
    });
    screen.end();
    for result in results {
        let (was_begun, outcome) = result.unwrap_or((true, Outcome::Inconclusive));
        begun |= was_begun;
        worst = worst.max(Some(outcome));
    }
    if !begun {
        tell!("kiln burn: no burn-in was begun; nothing was written");
        return Ok(REFUSED);
    }
    if signals.asked().load(Ordering::Relaxed) {
        let is_over = |id: &DriveId| state.ended(id).is_some_and(|over| !over.untabled);
        let (over, open): (Vec<_>, Vec<_>) = names.into_iter().partition(|(id, _)| is_over(id));
        let over: Vec<String> = over.into_iter().flat_map(|(_, names)| names.words).collect();
        let instead: Vec<_> = open.iter().filter_map(|(_, names)| names.instead()).collect();
        if !open.is_empty() {
            tell!(
                "to go on: {}",
                again::line(std::env::args_os().skip(1), &over, &instead)
            );
        }
    }
    Ok(code(worst.unwrap_or(Outcome::Inconclusive)))
}

/// The jobs, each of which holds its drive's lock; with one that another process works at none is begun.
fn alone(args: &Args, state: &StateDir, jobs: Vec<Job>) -> Result<Vec<(Job, Option<UnderWay>)>, Stop> {
    let mut held: Vec<(Job, Option<UnderWay>)> = Vec::new();
    for job in jobs {
        if let Some((other, _)) = held.iter().find(|(other, _)| other.drive.id == job.drive.id) {
            let reason = format!(
                "{} and {} tell one identity ({}), and what is kept of them would be one: burn in one at a time, or each with a --state of its \
                 own",
                other.node.display(),
                job.node.display(),
                job.drive.id
            );
            print_refused(args, &job.node, "same-identity", &reason);
            return Err(Stop::Refused(format!("{reason}; nothing was written")));
        }
        match state.begin(&job.drive.id) {
            Ok(under_way) => held.push((job, under_way)),
            Err(lock) => return Err(at_work(args, &job, &lock)),
        }
    }
    Ok(held)
}

/// Another process holds this lock.
fn at_work(args: &Args, job: &Job, lock: &Path) -> Stop {
    let reason = format!(
        "another `kiln burn` works at {} at {} and keeps its progress in the same folder ({} is locked); wait for its end, or end it",
        job.held.identity.words(),
        job.node.display(),
        lock.display()
    );
    print_refused(args, &job.node, "under-way", &reason);
    Stop::Refused(format!("{reason}; nothing was written"))
}

/// The words of the command line that name a drive.
#[derive(Clone, Debug)]
struct Names {
    /// Each of them, the target's first.
    words: Vec<String>,
    /// What names the drive for good: its serial, else its WWN, else its path.
    id: String,
    /// Whether the target's word is a path, a serial or a WWN.
    lasts: bool,
}

impl Names {
    /// `ids` are those of `--yes-erase` and `--give-up`.
    fn of<'a>(target: &target::Target, ids: impl IntoIterator<Item = &'a String>) -> Self {
        let ids = ids.into_iter().filter(|id| target.is_named(id)).cloned();
        Self {
            words: std::iter::once(target.word.clone()).chain(ids).collect(),
            id: target.id(),
            lasts: target::is_path(&target.word) || target.is_named(&target.word),
        }
    }

    /// The target's word, and what to say instead where that is (part of) a model: another drive of it may be here by then.
    fn instead(&self) -> Option<(String, String)> {
        let word = self.words.first().filter(|_| !self.lasts)?;
        Some((word.clone(), self.id.clone()))
    }
}

/// Refuses all drives alike.
fn refuse(args: &Args, jobs: &[Job], kind: &str, reason: &str) -> Stop {
    for job in jobs {
        print_refused(args, &job.node, kind, reason);
    }
    Stop::Refused(format!("{reason}; nothing was written"))
}

/// The result of a drive that is refused, with `--json`.
fn print_refused(args: &Args, node: &Path, kind: &str, reason: &str) {
    if args.json {
        let refused = Refused {
            kind: kind.to_owned(),
            reason: reason.to_owned(),
        };
        let _told = print_json(&serde_json::json!({ "path": node, "refused": refused }), "");
    }
}

/// Writes a result on standard output; false, and told with what to do (`remedy`), where it does not take it.
fn print_json(value: &impl serde::Serialize, remedy: &str) -> bool {
    let written = serde_json::to_string(value)
        .map_err(std::io::Error::other)
        .and_then(|line| crate::write_out(&shown::json(&line)));
    if let Err(error) = &written {
        tell!("kiln burn: a result could not be written: {error}{remedy}");
    }
    written.is_ok()
}

/// Name of a node for messages.
fn short(node: &Path) -> String {
    node.file_name().map_or_else(
        || node.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Longest name beside a bar, in characters: more of it takes the bar's place on a terminal of 80 columns.
const BRIEF: usize = 12;

/// A node's name beside its bar. A long one (`/dev/disk/by-id`) gives way to the last four characters of the serial, where those name the drive
/// (`label`), as the person has typed them; else to the kernel's name.
fn brief(name: String, label: &str, kernel: &str) -> String {
    if name.chars().count() <= BRIEF {
        return name;
    }
    match label.chars().count() {
        4 => format!("…{label}"),
        _ => kernel.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_named_in_few_characters() {
        let long = "ata-ST12000NM000J-2TY103_ZRT10W3P";
        for (name, label, is) in [
            ("sdb", "0W3P", "sdb"),
            ("nvme10n1", "0W3P", "nvme10n1"),
            (long, "0W3P", "…0W3P"),
            (long, "ZRT10W3P", "sdb"),
            (long, "5000C500A1B2C3D4", "sdb"),
            (long, "", "sdb"),
        ] {
            assert_eq!(brief(name.to_owned(), label, "sdb"), is);
        }
    }

    #[test]
    fn a_word_that_may_name_another_drive_later_is_replaced() {
        let of = |word: &str, model: &str| {
            let target = target::made_up(word, model, "V6H", "5000c500a1b2c3d4");
            Names::of(&target, &["v6h".to_owned(), "OTHER".to_owned()]).instead()
        };
        for (word, model) in [("hgst", "HGST HUS726040"), ("SD/MMC", "Generic- SD/MMC")] {
            let serial = Some((word.to_owned(), "V6H".to_owned()));
            assert_eq!(of(word, model), serial, "a part of its model");
        }
        for word in ["/dev/disk/by-id/x", "./x", "V6H", "v6h", "5000c500a1b2c3d4"] {
            assert_eq!(of(word, "HGST HUS726040"), None, "{word}");
        }
    }
}
