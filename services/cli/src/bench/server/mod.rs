//! The server under thousands of add-ons: the real binary in a cgroup of its own, over real sockets.
//!
//! Each add-on sends one progress frame a second, all of them spread over the second; a listener on each add-on's telemetry
//! stream takes the frames, which carry the time at which they were written. One more add-on sends as fast as it can. What
//! is measured: CPU seconds of the server's cgroup over the measured time, its memory, the time from frame to listener, and
//! every frame that did not come. The clients are kept light (frames made once, masks of zero), because they share the
//! machine; their own CPU time is not counted.

mod addon;
mod box_;
mod ears;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::goal;
use box_::Box_;
use ears::Ears;

/// What `kiln-bench server` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Writes one JSON object to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Add-ons that are connected.
    #[arg(long, default_value_t = 5000)]
    pub addons: usize,
    /// Measured time in seconds.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Add-ons that somebody listens to [default: all of them].
    #[arg(long, value_name = "N")]
    pub listeners: Option<usize>,
    /// Leaves out the add-on that floods.
    #[arg(long)]
    pub no_flood: bool,
    /// The `kiln-server` to measure [default: the one beside this program].
    #[arg(long, value_name = "PROGRAM")]
    pub server: Option<PathBuf>,
}

/// CPU seconds a minute that the server may take. Source: issue 4.
const CPU: f64 = 60.0;

/// Bytes that it may take. Source: issue 4.
const MEMORY: u64 = 300 << 20;

/// Longest p99 from frame to listener. Source: issue 4.
const P99: Duration = Duration::from_millis(250);

/// Time for the frames under way to arrive once sending has ended.
const LAST: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug, Serialize)]
struct Row {
    part: &'static str,
    addons: usize,
    listeners: usize,
    seconds: f64,
    frames: u64,
    cpu_seconds_a_minute: f64,
    resident_peak_mib: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup_peak_mib: Option<f64>,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    dropped: u64,
    flood_written: u64,
    flood_shown: u64,
    flood_told: bool,
    late_senders_ms: f64,
    met: bool,
}

/// Runs the bench.
///
/// # Errors
/// When the machine cannot do it, or a goal is not met.
pub fn main(args: &Args) -> Result<()> {
    if args.addons == 0 || args.seconds == 0 || args.addons > 9_000 {
        bail!(
            "--addons {} --seconds {}: expected 1 to 9000 and at least 1",
            args.addons,
            args.seconds
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let row = runtime.block_on(run(args))?;
    let text = serde_json::to_string(&row).context("writing the row")?;
    match args.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => println!("{text}"),
        Some(path) => std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?,
        None => {}
    }
    if args.json.as_deref() != Some(std::path::Path::new("-")) {
        std::io::stdout().write_all(words(&row).as_bytes()).context("writing")?;
    }
    if !row.met {
        bail!("a goal is not met");
    }
    Ok(())
}

fn words(row: &Row) -> String {
    let mut text = format!(
        "{} add-ons, a frame a second each, {} listeners, {:.0} s{}\n",
        row.addons,
        row.listeners,
        row.seconds,
        if row.flood_written > 0 {
            ", one more that floods"
        } else {
            ""
        }
    );
    let cgroup = row
        .cgroup_peak_mib
        .map(|mib| format!(", {mib:.0} MiB with the kernel's"))
        .unwrap_or_default();
    text += &goal(
        &format!(
            "{:.1} CPU seconds a minute (at most {CPU:.0})",
            row.cpu_seconds_a_minute
        ),
        row.cpu_seconds_a_minute <= CPU,
    );
    text += &goal(
        &format!(
            "{:.0} MiB resident{cgroup} (at most {})",
            row.resident_peak_mib,
            MEMORY >> 20
        ),
        row.memory() <= MEMORY as f64 / 1_048_576.0,
    );
    text += &goal(
        &format!(
            "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms from frame to listener (p99 at most {})",
            row.p50_ms,
            row.p99_ms,
            row.max_ms,
            P99.as_millis()
        ),
        row.p99_ms <= P99.as_millis() as f64,
    );
    text += &goal(
        &format!("{} of {} frames dropped", row.dropped, row.frames),
        row.dropped == 0,
    );
    if row.flood_written > 0 {
        text += &goal(
            &format!(
                "of {} frames of the flood {} were shown, and it was told",
                row.flood_written, row.flood_shown
            ),
            row.flood_told,
        );
    }
    text
}

impl Row {
    fn memory(&self) -> f64 {
        self.cgroup_peak_mib.unwrap_or(0.0).max(self.resident_peak_mib)
    }
}

async fn run(args: &Args) -> Result<Row> {
    let listeners = args.listeners.unwrap_or(args.addons).min(args.addons);
    // Both ends of every socket are in one process each; some are for the rest.
    box_::many_files(args.addons + listeners + 500)?;
    let mut made = Box_::start(args.server.clone()).await?;
    let flood = usize::from(!args.no_flood);
    let registered = made.register(args.addons + flood).await?;
    let epoch = Instant::now();
    let ears = Arc::new(Ears::new(epoch));
    let mut sockets = Vec::new();
    for (id, token) in &registered {
        sockets.push(addon::connect(made.address, *id, token).await?);
    }
    let mut hearing = Vec::new();
    for (n, (id, _)) in registered.iter().enumerate() {
        let floods = n >= args.addons;
        if n < listeners || floods {
            hearing.push(ears::listen(made.address, &made.cookie, *id, Arc::clone(&ears), floods).await?);
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let flooding = if flood == 1 {
        let socket = sockets.pop().context("no socket for the flood")?;
        Some(tokio::spawn(addon::flood(
            socket,
            Arc::clone(&stop),
            Arc::clone(&written),
        )))
    } else {
        None
    };
    // A few seconds before it counts: connecting and its events are over.
    let mut clock = addon::Clock::new(epoch, args.addons);
    let mut late = Duration::ZERO;
    clock.run(&mut sockets, 3, &mut late).await?;
    ears.begin();
    let (cpu, began) = (made.cpu()?, Instant::now());
    late = Duration::ZERO;
    clock.run(&mut sockets, args.seconds, &mut late).await?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), made.cpu()? - cpu);
    stop.store(true, Ordering::Relaxed);
    tokio::time::sleep(LAST).await;
    if let Some(flooding) = flooding {
        flooding.abort();
    }
    let frames = args.seconds * listeners as u64;
    let heard = ears.heard();
    let (p50, p99, max) = ears.times();
    let resident = made.resident();
    let cgroup = made.cgroup_peak();
    for task in hearing {
        task.abort();
    }
    made.stop().await?;
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let mut row = Row {
        part: "server",
        addons: args.addons,
        listeners,
        seconds,
        frames,
        cpu_seconds_a_minute: cpu / seconds * 60.0,
        resident_peak_mib: mib(resident),
        cgroup_peak_mib: cgroup.map(mib),
        p50_ms: p50,
        p99_ms: p99,
        max_ms: max,
        dropped: frames.saturating_sub(heard),
        flood_written: written.load(Ordering::Relaxed),
        flood_shown: ears.flood_shown(),
        flood_told: flood == 0 || ears.flood_told(),
        late_senders_ms: late.as_secs_f64() * 1e3,
        met: false,
    };
    row.met = row.cpu_seconds_a_minute <= CPU
        && row.memory() <= mib(MEMORY)
        && row.p99_ms <= P99.as_millis() as f64
        && row.dropped == 0
        && row.flood_told;
    Ok(row)
}
