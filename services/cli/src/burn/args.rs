//! The command line of `kiln burn`.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

use std::path::PathBuf;

use burnin::verdict::Profile;
use burnin::worker::Backend;
use clap::ValueEnum;
use wire::options::{FileSystem, Table};

use super::digest::Digest;

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
    /// Bytes between two checkpoints; for tests
    #[arg(long, hide = true, env = "KILN_CHECKPOINT_BYTES")]
    pub checkpoint_bytes: Option<u64>,
    /// How many drives are formatted at once, whatever memory there is; for tests
    #[arg(long, hide = true)]
    pub formats: Option<usize>,
    /// smartctl to run; for tests.
    #[arg(long, hide = true, value_name = "PROGRAM", default_value = "smartctl")]
    pub smartctl: PathBuf,
    /// What to do with each drive: a built-in playbook (`kiln playbook list`) or a file of your own [default: standard].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub playbook: Option<String>,
    /// Repeat the playbook's writes and verifies, or its own block, for so many hours (1 to 720).
    #[arg(long, value_name = "HOURS")]
    pub soak: Option<u32>,
    /// Partition the drive and make this file system on it, if it came through.
    #[arg(long, value_name = "FILESYSTEM")]
    pub format: Option<FileSystemArg>,
    /// Label of the new file system.
    #[arg(long, default_value = "", requires = "format")]
    pub label: String,
    /// Share of an ext4 that is kept back for root, in whole per cents, 0 to 50.
    #[arg(long, default_value_t = 0, value_name = "PERCENT", requires = "format", value_parser = reserved)]
    pub reserved: u8,
    /// Partition table of --format, or of a playbook that partitions [default: auto, MBR up to 2 TiB and GPT above].
    #[arg(long)]
    pub table: Option<TableArg>,
    /// Serial number or WWN of a drive whose inactive memberships (RAID, LVM, LUKS, bcache, btrfs, ZFS) may be lost;
    /// for a loop device its path. Once for each drive.
    #[arg(long, value_name = "ID")]
    pub give_up: Vec<String>,
    /// Where to write the signed certificate: a file ending in .json, .html or .pdf; with several drives a folder.
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// End at the first fault that fails a drive, as FAILED, and leave the rest of it untested.
    #[arg(long)]
    pub stop_at_first: bool,
    /// How to reach the drive.
    #[arg(long, default_value = "uring")]
    pub io: IoWay,
    /// What is expected of the drive.
    #[arg(long, default_value = "used")]
    pub profile: ProfileArg,
    /// Most bytes a second of one drive: 40M, 1.5G.
    #[arg(long, value_name = "RATE", value_parser = burnin::pace::rate)]
    pub rate_drive: Option<u64>,
    /// Most bytes a second of all drives of one controller.
    #[arg(long, value_name = "RATE", value_parser = burnin::pace::rate)]
    pub rate_controller: Option<u64>,
    /// Most bytes a second of all drives.
    #[arg(long, value_name = "RATE", value_parser = burnin::pace::rate)]
    pub rate_total: Option<u64>,
    /// Tell what would be erased, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object for each drive on standard output; progress stays on standard error.
    #[arg(long)]
    pub json: bool,
    /// Digest that --dry-run told: goes on only if that is still what would be erased, and asks nothing.
    #[arg(long, value_name = "DIGEST")]
    pub plan_digest: Option<Digest>,
    /// Go on with a burn-in that was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Where progress is kept for --resume [default: $XDG_STATE_HOME/kiln, ~/.local/state/kiln, or /var/lib/kiln/burn where no
    /// home is named].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// A share in whole per cents, as plans have it; more than any file system takes is told by the format.
fn reserved(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 50);
    percent.ok_or_else(|| "expected whole per cents, 0 to 50".to_owned())
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

/// A file system to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileSystemArg {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// exFAT.
    Exfat,
    /// Swap.
    Swap,
    /// A partition without a file system.
    Raw,
}

/// A partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableArg {
    /// MBR up to 2 TiB, GPT above.
    Auto,
    /// DOS table.
    Mbr,
    /// GUID partition table.
    Gpt,
}

impl From<FileSystemArg> for FileSystem {
    fn from(arg: FileSystemArg) -> Self {
        match arg {
            FileSystemArg::Ext4 => Self::Ext4,
            FileSystemArg::Xfs => Self::Xfs,
            FileSystemArg::Btrfs => Self::Btrfs,
            FileSystemArg::Exfat => Self::Exfat,
            FileSystemArg::Swap => Self::Swap,
            FileSystemArg::Raw => Self::Raw,
        }
    }
}

impl From<TableArg> for Table {
    fn from(arg: TableArg) -> Self {
        match arg {
            TableArg::Auto => Self::Auto,
            TableArg::Mbr => Self::Mbr,
            TableArg::Gpt => Self::Gpt,
        }
    }
}
