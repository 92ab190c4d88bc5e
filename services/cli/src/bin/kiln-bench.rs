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
    /// `kiln burn` beside badblocks, fio and nwipe on the same loop device.
    Engine(cli::bench::Args),
    /// The server under thousands of add-ons.
    Server(cli::bench::server::Args),
    /// The engine alone on a device of the bench's.
    #[command(hide = true)]
    Run(cli::bench::RunArgs),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Engine(args) => cli::bench::main(&args).map(|()| 0),
        Command::Server(args) => cli::bench::server::main(&args).map(|()| 0),
        Command::Run(args) => cli::bench::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("kiln-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
