//! The binary `kiln-bench`: measures the engine beside other tools; see `cli::bench`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures Kiln beside other tools, all in one run on one machine.
#[derive(Debug, Parser)]
#[command(name = "kiln-bench", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// `kiln burn` beside badblocks and fio on the same loop device.
    Engine(cli::bench::Args),
}

fn main() -> ExitCode {
    let Command::Engine(args) = Args::parse().command;
    match cli::bench::main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kiln-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
