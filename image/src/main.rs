//! `kiln-image`: builds the disk image, tells what is in one, runs it in QEMU, writes it to a stick.
//!
//! Exit codes: 0 done, 1 failed, 2 a flag that is not understood (clap's).

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use image::{
    assemble::{self, Options},
    board::{self, Board},
    flash,
    inspect::Image,
    key::{Key, Public},
    loader::Loader,
    run::{self, Choice},
    update, update_keys,
    workspace::Workspace,
};
use std::{path::PathBuf, process::ExitCode};

/// Kiln's disk image: build, inspect, verify, run, flash.
#[derive(Debug, Parser)]
#[command(name = "kiln-image", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(Build),
    Bundle(Bundle),
    Keys(Keys),
    #[command(alias = "keygen")]
    Key(MakeKey),
    /// Lists the boards.
    Boards,
    /// Tells what is in an image.
    Inspect {
        file: PathBuf,
    },
    Verify(Verify),
    Run(Run),
    Race(Race),
    Flash(Flash),
}

/// Builds a board's image from Debian packages and Kiln's own programs.
#[derive(Debug, Args)]
struct Build {
    /// Board to build for (`kiln-image boards` lists them).
    #[arg(long)]
    board: String,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
    /// One more cpio archive, unpacked last: for tests only.
    #[arg(long, value_name = "CPIO")]
    test_extra: Option<PathBuf>,
    /// Take the newest packages instead of the locked ones.
    #[arg(long)]
    refresh: bool,
    /// Private key that signs the slot (Ed25519, PEM); without it the development key, which everybody has.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Keys by which the box takes updates (`kiln-image keys`); without it the development update key of this tree.
    #[arg(long, value_name = "FILE")]
    update_keys: Option<PathBuf>,
}

/// Makes an update bundle: of what a build gives, or of an image.
#[derive(Debug, Args)]
struct Bundle {
    /// Board to build for.
    #[arg(long)]
    board: String,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
    /// Private key that signs it; may be given several times. Without it the development update key of this tree.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Take slot a of this image instead of building.
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,
    /// Oldest version that it can be installed from.
    #[arg(long, value_name = "VERSION")]
    min_version: Option<String>,
    /// Newer key set that it brings (`kiln-image keys --vouch`); may be given several times, in order.
    #[arg(long, value_name = "FILE")]
    rotation: Vec<PathBuf>,
}

/// Makes a key set of public keys; with --vouch the file by which boxes with the set before it take it over.
#[derive(Debug, Args)]
struct Keys {
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Public keys.
    #[arg(required = true, value_name = "FILE.pub")]
    public: Vec<PathBuf>,
    /// How many of them must sign.
    #[arg(long, default_value_t = 1)]
    threshold: usize,
    /// 1 for the first set; one more each time.
    #[arg(long, default_value_t = 1)]
    version: u32,
    /// Private keys of the set before it and of this one.
    #[arg(long, value_name = "KEY")]
    vouch: Vec<PathBuf>,
}

/// Makes a key that signs slots and updates: FILE, and FILE.pub for those who verify.
#[derive(Debug, Args)]
struct MakeKey {
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Checks that an image is whole, signed and of a board.
#[derive(Debug, Args)]
struct Verify {
    file: PathBuf,
    /// Board that it must be of.
    #[arg(long)]
    board: String,
    /// Public key of which one must have signed each slot; may be given several times. Without it any key will do,
    /// and which one it was is told.
    #[arg(long, value_name = "FILE.pub")]
    trust: Vec<PathBuf>,
}

/// Builds and boots an image in QEMU, with drives to burn in, until SIGTERM.
#[derive(Debug, Args)]
struct Run {
    /// Board to run.
    #[arg(long, default_value = "x86-64")]
    board: String,
    /// Port of this machine that leads to the dashboard.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Number of drives: SATA, SCSI, NVMe, one that corrupts what it stores, then more good ones.
    #[arg(long, default_value_t = 4)]
    drives: usize,
    /// Do not open a browser.
    #[arg(long)]
    headless: bool,
    /// Boot this image instead of building one.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

/// Races our PID 1 against others by instruction count: boot, restart, memory (`scripts/bench boot`).
#[derive(Debug, Args)]
struct Race {
    /// Boots of each.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Only these, by name; `shipped` is the image itself.
    only: Vec<String>,
    /// The figures as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Writes an image to a stick or card, reads it back and compares.
#[derive(Debug, Args)]
struct Flash {
    image: PathBuf,
    device: PathBuf,
    /// The device's serial (its path, when it has none) instead of the question.
    #[arg(long, value_name = "SERIAL")]
    yes: Option<String>,
}

fn main() -> ExitCode {
    match act(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kiln-image: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(cli: Cli) -> anyhow::Result<()> {
    let ws = Workspace::find();
    match cli.command {
        Command::Build(asked) => asked.act(&ws),
        Command::Bundle(asked) => asked.act(&ws),
        Command::Keys(asked) => asked.act(),
        Command::Key(asked) => asked.act(),
        Command::Boards => boards(&ws),
        Command::Inspect { file } => {
            print!("{}", Image::open(&file)?.describe()?);
            Ok(())
        }
        Command::Verify(asked) => asked.act(&ws),
        Command::Run(asked) => asked.act(&ws),
        Command::Race(asked) => asked.act(&ws),
        Command::Flash(Flash { image, device, yes }) => Ok(flash::flash(&image, &device, yes.as_deref())?),
    }
}

impl Build {
    fn act(self, ws: &Workspace) -> anyhow::Result<()> {
        let key = self.key.as_deref().map(Key::read).transpose()?;
        let board = Board::load(&ws.boards(), &self.board)?;
        if let Some(extra) = &self.test_extra {
            let bytes = std::fs::read(extra).with_context(|| format!("reading {}", extra.display()))?;
            image::cpio::list(&bytes).map_err(|e| anyhow::anyhow!("{}: {e}", extra.display()))?;
        }
        let options = Options {
            test_extra: self.test_extra,
            refresh: self.refresh,
            key,
            update_keys: self.update_keys,
            ..Options::default()
        };
        assemble::build(ws, &board, &self.out, &options)?;
        Ok(())
    }
}

impl Bundle {
    fn act(self, ws: &Workspace) -> anyhow::Result<()> {
        let board = Board::load(&ws.boards(), &self.board)?;
        let files = match self.image {
            Some(image) => update::of_image(&image)?,
            None => update::of_parts(&assemble::whole_parts(ws, &board, &Options::default())?)?,
        };
        let making = update::Making {
            keys: private(&self.key)?,
            rotations: self.rotation,
            min_version: self.min_version,
        };
        let made = update::write(ws, &files, &making, &self.out)?;
        anyhow::ensure!(
            made.board == board.name,
            "the image is for board {}, not {}",
            made.board,
            board.name
        );
        println!("{}: version {} for {}", self.out.display(), made.version, made.board);
        Ok(())
    }
}

impl Keys {
    fn act(self) -> anyhow::Result<()> {
        let set = update_keys::set(self.version, self.threshold, &public(&self.public)?)?;
        if self.vouch.is_empty() {
            std::fs::write(&self.out, set.bytes()).with_context(|| format!("writing {}", self.out.display()))
        } else {
            Ok(update_keys::rotate(set, &private(&self.vouch)?, &self.out)?)
        }
    }
}

impl MakeKey {
    fn act(self) -> anyhow::Result<()> {
        let (key, public) = Key::make(&self.out)?;
        println!("{}: keep it secret", self.out.display());
        println!("{}: give it to those who verify", public.display());
        println!("fingerprint {}", key.public().fingerprint());
        Ok(())
    }
}

fn boards(ws: &Workspace) -> anyhow::Result<()> {
    for name in board::names(&ws.boards())? {
        let b = Board::load(&ws.boards(), &name)?;
        println!("{name:<10} {}", b.title);
    }
    Ok(())
}

impl Verify {
    fn act(self, ws: &Workspace) -> anyhow::Result<()> {
        let Self { file, board, trust } = self;
        let trusted = public(&trust)?;
        let of = Board::load(&ws.boards(), &board)?;
        let loader = Loader::at_hand(ws, &of)?;
        let verified = Image::open(&file)?.verify(&of, &trusted, loader.as_ref())?;
        println!("{}: whole, for {board}", file.display());
        println!(
            "boot loader: {}",
            match verified.loader {
                true => "byte for byte that of the board's packages",
                false =>
                    "of the right shape; compared with nothing (the board's packages are not here: build its image once)",
            }
        );
        for (slot, keys) in &verified.slots {
            let keys: Vec<String> = keys.iter().map(Public::described).collect();
            let trust = if trusted.is_empty() {
                "; compared with no key (--trust)"
            } else {
                ", trusted"
            };
            println!("slot {slot}: signed by {}{trust}", keys.join(" and "));
        }
        if verified.test {
            println!("it is a test image: nothing to hand out");
        }
        Ok(())
    }
}

impl Run {
    fn act(self, ws: &Workspace) -> anyhow::Result<()> {
        let Self {
            board,
            port,
            drives,
            headless,
            image,
        } = self;
        let choice = Choice {
            board,
            port,
            drives,
            headless,
            image,
        };
        Ok(run::run(ws, &choice)?)
    }
}

impl Race {
    fn act(self, ws: &Workspace) -> anyhow::Result<()> {
        let Self { rounds, only, json } = self;
        let board = Board::load(&ws.boards(), "x86-64")?;
        let inits: Vec<String> = only.iter().filter(|o| *o != image::race::SHIPPED).cloned().collect();
        let field = match only.is_empty() || !inits.is_empty() {
            true => image::race::run(ws, &board, rounds, &inits)?,
            false => Vec::new(),
        };
        let shipped = match only.is_empty() || inits.len() < only.len() {
            true => Some(image::race::shipped(ws, &board, rounds)?),
            false => None,
        };
        if let Some(file) = json {
            let all = serde_json::json!({ "field": field, "shipped": shipped });
            std::fs::write(file, serde_json::to_vec_pretty(&all)?)?;
        }
        Ok(())
    }
}

fn private(files: &[PathBuf]) -> image::Result<Vec<Key>> {
    files.iter().map(|file| Key::read(file)).collect()
}

fn public(files: &[PathBuf]) -> image::Result<Vec<Public>> {
    files.iter().map(|file| Public::read(file)).collect()
}
