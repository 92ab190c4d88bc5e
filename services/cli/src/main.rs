//! The binary `kiln`: arguments in, exit code out. Everything else is in the library beside it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Burns in drives and says whether data may be put on them.
#[derive(Debug, Parser)]
#[command(name = "kiln", version, propagate_version = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes every sector of a drive, reads it back and gives a verdict. Everything on the drive is lost.
    ///
    /// Unlike a box, it asks a drive's SMART where a step of the playbook asks for it alone: what it tells of its failing in between
    /// and takes back is not seen.
    Burn(cli::burn::Args),
    /// Checks certificates and draws them.
    Cert(cli::cert::Args),
    /// Tells what playbooks there are, and checks your own.
    Playbook(cli::playbook::Args),
    /// Checks an add-on's manifest.
    Addon(cli::addon::Args),
    /// Takes everything that a box's server keeps away as one encrypted file.
    Backup(cli::life::BackupArgs),
    /// Puts a backup in place of everything that a box's server keeps.
    Restore(cli::life::RestoreArgs),
    /// Takes what somebody who helps needs to see of a box.
    DebugBundle(cli::life::DebugArgs),
    /// Gives a box a new system.
    Update(cli::update::Args),
    /// The process that partitions and formats; `kiln burn` starts it.
    #[command(hide = true, name = "internal-formatter")]
    Formatter,
}

fn main() -> ExitCode {
    // A child that looks at a drive's content is this same program.
    drive::answer_child();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let usage = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if usage { cli::USAGE } else { 0 });
        }
    };
    match args.command {
        Command::Burn(args) => cli::burn::main(&args),
        Command::Cert(args) => cli::cert::main(&args),
        Command::Playbook(args) => cli::playbook::main(&args),
        Command::Addon(args) => cli::addon::main(&args),
        Command::Backup(args) => cli::life::backup(&args),
        Command::Restore(args) => cli::life::restore(&args),
        Command::DebugBundle(args) => cli::life::debug_bundle(&args),
        Command::Update(args) => cli::update::main(&args),
        Command::Formatter => burnin::format::child(),
    }
}
