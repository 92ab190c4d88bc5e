//! `kiln-store`: looks into a store's file, such as one that was set aside.
//!
//! `kiln-store check FILE SCHEMA` prints what the check says. Reading happens in this process, which a corrupt file may
//! kill: that, too, is an answer.

use std::path::Path;
use std::process::ExitCode;

use store::check::{Finding, inspect};

fn main() -> ExitCode {
    store::answer_check();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, file, schema] = arguments.as_slice() else {
        return usage();
    };
    let (true, Ok(schema)) = (command == "check", schema.parse()) else {
        return usage();
    };
    match inspect(Path::new(file), schema) {
        Finding::Absent => println!("{file}: there is no file"),
        Finding::Good { entries } => println!("{file}: good, {entries} entries"),
        Finding::OtherSchema { schema } => {
            println!("{file}: its entries could be read; it was written by schema {schema}");
            return ExitCode::FAILURE;
        }
        Finding::Bad { why } => {
            println!("{file}: bad: {why}");
            return ExitCode::FAILURE;
        }
        Finding::Unknown { why } => {
            println!("{file}: nothing is known: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: kiln-store check FILE SCHEMA (for example: kiln-store check kiln.mdb 1)");
    ExitCode::from(64)
}
