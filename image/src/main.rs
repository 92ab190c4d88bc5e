//! `kiln-image`: builds the disk image, tells what is in one, runs it in QEMU, writes it to a stick.
//!
//! Exit codes: 0 done, 1 failed, 2 a flag that is not understood (clap's).

use anyhow::Context;
use clap::{Parser, Subcommand};
use image::{
    assemble::{self, Options},
    board::{self, Board},
    inspect::Image,
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
    /// Builds a board's image from Debian packages and Kiln's own programs.
    Build {
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
    },
    /// Lists the boards.
    Boards,
    /// Tells what is in an image.
    Inspect { file: PathBuf },
    /// Checks that an image is whole and of a board.
    Verify {
        file: PathBuf,
        /// Board that it must be of.
        #[arg(long)]
        board: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kiln-image: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let ws = Workspace::find();
    match cli.command {
        Command::Build {
            board,
            out,
            test_extra,
            refresh,
        } => {
            let board = Board::load(&ws.boards(), &board)?;
            if let Some(extra) = &test_extra {
                let bytes = std::fs::read(extra).with_context(|| format!("reading {}", extra.display()))?;
                image::cpio::list(&bytes).map_err(|e| anyhow::anyhow!("{}: {e}", extra.display()))?;
            }
            assemble::build(&ws, &board, &out, &Options { test_extra, refresh })?;
        }
        Command::Boards => {
            for name in board::names(&ws.boards())? {
                let b = Board::load(&ws.boards(), &name)?;
                println!("{name:<10} {}", b.title);
            }
        }
        Command::Inspect { file } => print!("{}", Image::open(&file)?.describe()?),
        Command::Verify { file, board } => {
            Image::open(&file)?.verify(&Board::load(&ws.boards(), &board)?)?;
            println!("{}: whole, for {board}", file.display());
        }
    }
    Ok(())
}
