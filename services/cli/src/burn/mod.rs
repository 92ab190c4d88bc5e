//! `kiln burn`: targets → guard → plan → consent → one job a drive → verdicts → exit code.
//!
//! Nothing is written before every target has passed the guard, been named by
//! `--yes-erase`, and, on a terminal, been confirmed by its last four characters.

mod consent;
mod job;
mod screen;
mod state;
mod target;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burnin::Playbook;
use burnin::verdict::Profile;
use burnin::worker::Backend;
use clap::ValueEnum;
use drive::guard::{Guard, Opened, Refusal};
use wire::gate::{PlanDrive, digest, labels};
use wire::job::Outcome;
use wire::options::PlanOptions;

use job::Job;
use screen::Screen;
use state::StateDir;
use target::Target;

/// Exit code of a usage error. Source: sysexits.h, `EX_USAGE`.
pub const USAGE: u8 = 64;

/// Exit code when a drive was refused; nothing was written.
pub const REFUSED: u8 = 4;

/// What `kiln burn` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Drives: device path, serial number, WWN, or a model that exactly one drive has.
    #[arg(required = true, value_name = "PATH|SERIAL|MODEL")]
    pub targets: Vec<String>,
    /// Serial number or WWN of a drive whose content may be lost; for a loop device its path. Once for each drive.
    #[arg(long, value_name = "ID")]
    pub yes_erase: Vec<String>,
    /// Admit loop devices, for tests and benchmarks.
    #[arg(long)]
    pub allow_loop: bool,
    /// What to do with each drive: `standard` or `surface`.
    #[arg(long, default_value = "standard", value_name = "NAME")]
    pub playbook: String,
    /// How to reach the drive.
    #[arg(long, default_value = "uring")]
    pub io: IoWay,
    /// What is expected of the drive.
    #[arg(long, default_value = "used")]
    pub profile: ProfileArg,
    /// Tell what would be erased, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object for each drive on standard output; progress stays on standard error.
    #[arg(long)]
    pub json: bool,
    /// Digest that --dry-run told: goes on only if that is still what would be erased, and asks nothing.
    #[arg(long, value_name = "DIGEST")]
    pub plan_digest: Option<String>,
    /// Go on with a burn-in that was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Where progress is kept for --resume [default: $XDG_STATE_HOME/kiln or ~/.local/state/kiln].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// How to reach the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IoWay {
    /// io_uring, where the kernel has it.
    Uring,
    /// pread and pwrite.
    Sync,
}

/// What is expected of the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// It has a life behind it.
    Used,
    /// It was sold as new.
    New,
}

impl From<IoWay> for Backend {
    fn from(way: IoWay) -> Self {
        match way {
            IoWay::Uring => Self::Uring,
            IoWay::Sync => Self::Sync,
        }
    }
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::Used => Self::Used,
            ProfileArg::New => Self::New,
        }
    }
}

/// Exit code of a verdict.
pub fn code(outcome: Outcome) -> u8 {
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
        Ok(outcome) => ExitCode::from(code(outcome)),
        Err(Stop::Usage(why)) => {
            tell!("kiln burn: {why}");
            ExitCode::from(USAGE)
        }
        Err(Stop::Refused(why)) => {
            tell!("kiln burn: {why}");
            ExitCode::from(REFUSED)
        }
    }
}

/// A target that passed the guard.
struct Ready {
    target: Target,
    opened: Opened,
    plan: PlanDrive,
}

fn run(args: &Args) -> Result<Outcome, Stop> {
    let playbook = Playbook::named(&args.playbook).map_err(|e| Stop::Usage(e.to_string()))?;
    let guard = Guard {
        allow_loop: args.allow_loop,
        ..Guard::default()
    };
    let targets = target::resolve(&guard.system, &args.targets)?;
    if !args.dry_run {
        consent::erasable(&targets, &args.yes_erase)?;
    }
    let ready = admit(args, &guard, targets)?;
    let plans: Vec<PlanDrive> = ready.iter().map(|r| r.plan.clone()).collect();
    let digest = digest(&playbook.name, &PlanOptions::default(), &plans);
    for r in &ready {
        tell!(
            "will be erased: {} at {}: {}",
            r.opened.identity.words(),
            r.target.node.display(),
            r.plan.content.words()
        );
    }
    if args.dry_run {
        tell!("nothing was written; to do it: --plan-digest {digest}");
        if args.json {
            print_json(&serde_json::json!({ "playbook": playbook.name, "digest": digest, "drives": plans }));
        }
        return Ok(Outcome::Passed);
    }
    match &args.plan_digest {
        Some(given) if *given != digest => {
            return Err(Stop::Refused(format!(
                "what would be erased has changed since --dry-run: its digest is now {digest}; nothing was written"
            )));
        }
        Some(_) => {}
        None if std::io::stdin().is_terminal() => consent::ask(&plans)?,
        None => {}
    }
    burn_all(args, &playbook, ready)
}

/// Guards every target; one refusal refuses all.
fn admit(args: &Args, guard: &Guard, targets: Vec<Target>) -> Result<Vec<Ready>, Stop> {
    let mut ready = Vec::new();
    let mut refused = Vec::new();
    for target in targets {
        let opened = match &target.device {
            Ok(device) => guard.open_for_erase(&device.identity, &target.node, &[]),
            Err(kind) => Err(kind.refusal(&target.node)),
        };
        match opened.map(|opened| (plan(&opened), opened)) {
            Ok((Some(plan), opened)) => ready.push(Ready { target, opened, plan }),
            Ok((None, _)) => refused.push((target, Refusal::NoIdentity.view())),
            Err(refusal) => refused.push((target, refusal.view())),
        }
    }
    let serials: Vec<String> = ready.iter().map(|r| r.plan.serial.clone()).collect();
    let labels = labels(&serials.iter().map(String::as_str).collect::<Vec<_>>());
    for (r, label) in ready.iter_mut().zip(labels) {
        r.plan.label = label;
    }
    if refused.is_empty() {
        return Ok(ready);
    }
    let mut lines = Vec::new();
    for (target, view) in refused {
        if args.json {
            print_json(&serde_json::json!({ "path": target.node, "refused": view }));
        }
        lines.push(format!("{} is refused: {}", target.node.display(), view.reason));
    }
    Err(Stop::Refused(format!("{}; nothing was written", lines.join("; "))))
}

fn plan(opened: &Opened) -> Option<PlanDrive> {
    let identity = &opened.identity;
    Some(PlanDrive {
        id: identity.id.clone()?,
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        capacity: identity.capacity,
        sector: identity.logical_sector,
        content: opened.look.content.clone(),
        given_up: Vec::new(),
        label: String::new(),
    })
}

/// One thread a drive; the worst outcome.
fn burn_all(args: &Args, playbook: &Playbook, ready: Vec<Ready>) -> Result<Outcome, Stop> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // The second one ends the process at once; what was flushed stays resumable.
        let code = i32::from(code(Outcome::Inconclusive));
        let hooked = signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)));
        hooked.map_err(|e| Stop::Usage(format!("listening for signals: {e}")))?;
    }
    let state = StateDir::new(args.state.clone()).map_err(Stop::Usage)?;
    let screen = Screen::new(std::io::stderr().is_terminal());
    let jobs: Vec<Job> = ready
        .into_iter()
        .map(|r| Job {
            drive: r.plan,
            node: r.target.node,
            opened: r.opened,
            playbook: playbook.clone(),
            backend: args.io.into(),
            profile: args.profile.into(),
            resume: args.resume,
            state: state.clone(),
            asked: Arc::clone(&asked),
        })
        .collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                let line = screen.job(&job.name());
                scope.spawn(move || job.run(&line))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    screen.end();
    let mut worst = Outcome::Passed;
    for result in results {
        let Ok(done) = result else {
            worst = worst.max(Outcome::Inconclusive);
            continue;
        };
        worst = worst.max(done.outcome());
        done.tell(args.json);
    }
    if asked.load(Ordering::Relaxed) {
        let names: Vec<String> = args.targets.iter().map(|t| quote(t)).collect();
        let ids: Vec<String> = args
            .yes_erase
            .iter()
            .map(|id| format!("--yes-erase {}", quote(id)))
            .collect();
        tell!(
            "to go on: kiln burn --resume --playbook {}{} {} {}",
            playbook.name,
            if args.allow_loop { " --allow-loop" } else { "" },
            names.join(" "),
            ids.join(" ")
        );
    }
    Ok(worst)
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => result!("{line}"),
        Err(error) => tell!("kiln burn: a result could not be written: {error}"),
    }
}
