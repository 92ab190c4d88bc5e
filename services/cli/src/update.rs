//! `kiln update FILE|URL`: gives a box a new system; `kiln update --back`: sends it back to its other one.
//!
//! Of a file only what the box lacks is sent: what runs there already is copied there, and what an earlier try has sent is found
//! by the box. A connection that breaks is made again and goes on. From an address the box fetches the update itself. Either
//! way the box, not this program, decides whether the update is genuine and meant for it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bundle::{Hash, Head, head_len};
use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use wire::update::{UpdateNeeds, UpdateOutcome, UpdateState, UpdateWritten};

use crate::remote::{Remote, RemoteArgs, whole};

/// How often in a row sending may fail without a single chunk getting through.
const TRIES: u32 = 6;
/// How long a new system may take to be kept: three starts, each with three minutes to come up and one to prove itself.
const KEPT_WITHIN: Duration = Duration::from_mins(20);
/// How long fetching may take.
const FETCHED_WITHIN: Duration = Duration::from_hours(4);

/// Gives a box a new system.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The update: a file, or the http(s):// address from which the box fetches it.
    #[arg(value_name = "FILE|URL", required_unless_present = "back")]
    from: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Also when it is older than what runs.
    #[arg(long)]
    downgrade: bool,
    /// Restart the box into it, and wait until it has proven itself. Running jobs go on after the restart.
    #[arg(long)]
    reboot: bool,
    /// Restart the box with the system in its other slot, which must have proven itself before.
    #[arg(long, conflicts_with_all = ["from", "downgrade", "reboot"])]
    back: bool,
    /// With --back: also while drives are being tested; each job goes on after the restart.
    #[arg(long, requires = "back")]
    while_testing: bool,
}

/// `kiln update`; exit code 0: done, 1: not, 64: usage, or done and that could not be written.
pub fn main(args: &Args) -> ExitCode {
    args.remote.with("kiln update", || run(args))
}

/// Gives the last line to tell.
fn run(args: &Args) -> Result<String> {
    let Some(from) = args.from.as_deref() else {
        return back(&Remote::log_in(&args.remote)?, args.while_testing);
    };
    let is_url = from.starts_with("http://") || from.starts_with("https://");
    // What can be known without the box is told before a password is asked for.
    let file = if is_url {
        None
    } else {
        Some(Bundle::open(Path::new(from))?)
    };
    let remote = Remote::log_in(&args.remote)?;
    let written = match &file {
        Some(bundle) => bundle.send(&remote, args.downgrade)?,
        None => fetch(&remote, from, args.downgrade)?,
    };
    result!("version {} is written to slot {}", written.version, written.slot);
    if !args.reboot {
        return Ok("the box tries it at its next start; --reboot, or its dashboard, restarts it".to_owned());
    }
    remote.json(Method::POST, "/api/v1/update/reboot", &Value::Null)?;
    kept(&remote, &written)
}

/// Sends the box back to its other system.
fn back(remote: &Remote, while_testing: bool) -> Result<String> {
    let body = json!({ "while_testing": while_testing });
    remote.json(Method::POST, "/api/v1/update/back", &body)?;
    Ok("the box restarts with its other system".to_owned())
}

/// A bundle in a file.
struct Bundle {
    file: File,
    head: Vec<u8>,
}

impl Bundle {
    fn open(path: &Path) -> Result<Self> {
        let told = || path.display().to_string();
        let file = crate::file::regular(path).with_context(told)?;
        let length = file.metadata().with_context(told)?.len();
        let mut head = vec![0; usize::try_from(length.min(u64::from(wire::update::HEAD_MAX)))?];
        file.read_exact_at(&mut head, 0).with_context(told)?;
        let refused = |why: bundle::Refused| anyhow!("{}: {why}", told());
        if head.is_empty() {
            bail!(refused(bundle::Refused::NotABundle));
        }
        let end = head_len(&head).map_err(refused)?.unwrap_or(usize::MAX);
        if end > head.len() {
            bail!(refused(bundle::Refused::Truncated {
                got: length,
                expected: 0
            }));
        }
        head.truncate(end);
        let parsed = Head::parse(&head).map_err(refused)?;
        let total = parsed.total();
        if length < total {
            bail!(refused(bundle::Refused::Truncated {
                got: length,
                expected: total
            }));
        }
        if length > total {
            bail!(refused(bundle::Refused::Trailing { end: total }));
        }
        // The box sees only what it lacks; a file that is damaged elsewhere would be damaged for the next box, too.
        let mut bytes = Vec::new();
        for c in parsed.manifest.chunks() {
            bytes.resize(c.len, 0);
            file.read_exact_at(&mut bytes, end as u64 + c.offset)
                .with_context(told)?;
            if Hash::of(&bytes) != c.hash {
                bail!(refused(bundle::Refused::Chunk {
                    file: c.name.to_owned(),
                    number: c.number,
                }));
            }
        }
        Ok(Self { file, head })
    }

    fn send(&self, remote: &Remote, downgrade: bool) -> Result<UpdateWritten> {
        let mut lacking: Option<u32> = None;
        let mut failed = 0;
        loop {
            let tried = self.begin(remote, downgrade).and_then(|needs| {
                let now = u32::try_from(needs.need.len()).unwrap_or(u32::MAX);
                match lacking {
                    None => tell!(
                        "version {}: {} of {} MiB are sent; {} are in the box already",
                        needs.version,
                        now,
                        needs.chunks,
                        needs.chunks - now
                    ),
                    // A broken connection counts only while nothing gets through.
                    Some(before) if now < before => failed = 0,
                    Some(_) => {}
                }
                lacking = Some(now);
                self.send_chunks(remote, &needs)
            });
            match tried {
                Ok(()) => break,
                // Before the box has taken the head there is nothing to go on with.
                Err(error) if lacking.is_none() || failed >= TRIES => return Err(error),
                Err(error) => {
                    tell!("{error:#}; once more");
                    std::thread::sleep(Duration::from_secs(u64::from(failed) * 2 + 1));
                    failed += 1;
                }
            }
        }
        let written = remote.json(Method::POST, "/api/v1/update/finish", &Value::Null)?;
        serde_json::from_value(written).context("the box's answer")
    }

    fn begin(&self, remote: &Remote, downgrade: bool) -> Result<UpdateNeeds> {
        let path = format!("/api/v1/update/begin?downgrade={downgrade}");
        let needs = remote.upload(Method::POST, &path, whole(self.head.clone()))?;
        serde_json::from_value(needs).context("the box's answer")
    }

    fn send_chunks(&self, remote: &Remote, needs: &UpdateNeeds) -> Result<()> {
        let bar = ProgressBar::new(needs.need.iter().map(|c| u64::from(c.len)).sum());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
            bar.set_style(style);
        }
        for c in &needs.need {
            let mut bytes = vec![0; c.len as usize];
            self.file
                .read_exact_at(&mut bytes, c.offset)
                .context("reading the update")?;
            remote.upload(
                Method::PUT,
                &format!("/api/v1/update/chunks/{}", c.number),
                whole(bytes),
            )?;
            bar.inc(u64::from(c.len));
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn state(remote: &Remote) -> Result<UpdateState> {
    let value = remote.json(Method::GET, "/api/v1/update", &Value::Null)?;
    serde_json::from_value(value).context("the box's answer")
}

/// Has the box fetch it and waits.
fn fetch(remote: &Remote, url: &str, downgrade: bool) -> Result<UpdateWritten> {
    remote.json(
        Method::POST,
        "/api/v1/update",
        &json!({ "url": url, "downgrade": downgrade }),
    )?;
    let (begun, mut missed, shown) = (Instant::now(), 0, wire::update::shown_address(url));
    while begun.elapsed() < FETCHED_WITHIN {
        let state = match state(remote) {
            Ok(state) => state,
            Err(_) if missed < TRIES => {
                std::thread::sleep(Duration::from_secs(u64::from(missed) * 2 + 1));
                missed += 1;
                continue;
            }
            Err(error) => return Err(error.context("it was being fetched, and may still be: look at the dashboard")),
        };
        missed = 0;
        match state.download {
            // The box tells it without what may be a secret.
            Some(d) if d.url != url && d.url != shown => {
                bail!("the box fetches another update: somebody else has begun one")
            }
            Some(d) if d.running => std::thread::sleep(Duration::from_secs(1)),
            Some(d) => {
                if let Some(error) = d.error {
                    bail!("the box did not take it: {error}");
                }
                let last = state.view.last.filter(|l| l.outcome == UpdateOutcome::Written);
                let last = last.context("the box fetched it and does not say what became of it")?;
                return Ok(UpdateWritten {
                    slot: last.slot,
                    version: last.version.unwrap_or_default(),
                });
            }
            None => {
                bail!("the box's server has started again and fetches nothing: ask once more, it goes on where it was")
            }
        }
    }
    bail!(
        "the box has not fetched it within {} hours",
        FETCHED_WITHIN.as_secs() / 3600
    )
}

/// Waits until the new system is kept, or was left; what the box says of it.
fn kept(remote: &Remote, written: &UpdateWritten) -> Result<String> {
    tell!("the box restarts; it proves itself for a minute before the new system is kept");
    let begun = Instant::now();
    let mut waits_for = String::new();
    while begun.elapsed() < KEPT_WITHIN {
        std::thread::sleep(Duration::from_secs(3));
        // While it restarts nobody answers; the session outlives that.
        let Ok(state) = state(remote) else { continue };
        let last = state.view.last.as_ref().filter(|l| l.slot == written.slot);
        match last.map(|l| (l.outcome, &l.text)) {
            Some((UpdateOutcome::Kept, text)) => return Ok(text.clone()),
            Some((UpdateOutcome::FellBack | UpdateOutcome::Failed, text)) => bail!("{text}"),
            _ => {}
        }
        if let Some(trial) = state
            .view
            .trial
            .filter(|t| *t != waits_for && !t.starts_with("all is well"))
        {
            tell!("{trial}");
            waits_for = trial;
        }
    }
    bail!(
        "the box has not said within {} minutes what became of it",
        KEPT_WITHIN.as_secs() / 60
    )
}
