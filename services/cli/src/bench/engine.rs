//! The engine alone, in a process of its own: for a certain kernel of the pattern, and for devices that the guard of
//! `kiln burn` would not admit. It takes devices of the bench only.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use burnin::pattern::{JobKey, Kernel};
use burnin::runner::Session;
use burnin::verdict::{Case, judge};
use burnin::worker::{Io, Limits, Order};
use burnin::{Playbook, device};
use wire::drive::{Bus, Rotation};

use super::lab;

/// What `kiln-bench run` takes.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The device, which loses what it holds.
    pub node: PathBuf,
    /// Kernel of the pattern [default: the fastest].
    #[arg(long, value_enum)]
    pub kernel: Option<KernelArg>,
    /// How to reach the device.
    #[arg(long, default_value = "uring")]
    pub io: crate::burn::IoWay,
}

/// Kernel of the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KernelArg {
    /// 512-bit registers.
    Avx512,
    /// 256-bit registers.
    Avx2,
    /// What every processor of this kind has.
    Portable,
}

impl From<KernelArg> for Kernel {
    fn from(arg: KernelArg) -> Self {
        match arg {
            KernelArg::Avx512 => Self::Avx512,
            KernelArg::Avx2 => Self::Avx2,
            KernelArg::Portable => Self::Portable,
        }
    }
}

/// Writes and verifies the device, prints one JSON object with phases and verdict, and gives the exit code of the verdict.
///
/// # Errors
/// When it is not the bench's device, or cannot be tested at all.
pub fn run(args: &RunArgs) -> Result<u8> {
    if !lab::is_ours(&args.node) {
        bail!(
            "{} is no device of the bench's: nothing was written",
            args.node.display()
        );
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT | libc::O_EXCL)
        .open(&args.node)
        .with_context(|| format!("opening {}", args.node.display()))?;
    let geometry = device::geometry(&file).context("asking for its size")?;
    let io = Io {
        backend: args.io.into(),
        ..Io::for_drive(Bus::Loop, Rotation::Unknown)
    };
    let (mut device, way) = device::open(file, io).context("reaching the device")?;
    let mut key = [0; 16];
    getrandom::fill(&mut key).context("making a key")?;
    let order = Order {
        key: JobKey(key),
        geometry,
        steps: Playbook::named("surface")?.steps().to_vec(),
        header: None,
        limits: Limits::default(),
        io,
        resume: None,
        failed_before: false,
        pace: None,
        medium: None,
    };
    let kernel = args.kernel.map_or_else(Kernel::best, Kernel::from);
    if !kernel.is_here() {
        bail!("this processor has no {kernel:?}");
    }
    let mut session = Session::with_kernel(device.as_ref(), &order, &way, kernel)?;
    while !session.is_over() {
        session.step(device.as_mut());
    }
    let evidence = session.evidence();
    let verdict = judge(&Case::new(evidence));
    let told = serde_json::json!({
        "phases": evidence.phase_states(),
        "verdict": verdict,
        "findings": evidence.findings(),
    });
    println!("{told}");
    Ok(crate::burn::code(verdict.outcome))
}
