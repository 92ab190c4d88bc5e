//! What a service is told at its start, by flags and by variables; and where its log goes ([`log`]).
//!
//! For a person at a terminal a variable that cannot be used is a usage error. In the box the variables come from section
//! `[env]` of `kiln.toml`, written on another computer: a server that ended over `PORT = "eighty"` would leave nobody a page
//! that says so. There each bad variable is told and counts as not set. A wrong flag is an error everywhere, and a blank variable, as a compose
//! file leaves one, is none anywhere.

#![warn(unreachable_pub)]

pub mod log;

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Command, Parser};

/// By which variable a service knows that Kiln's supervisor started it.
const SUPERVISED: &str = "KILN_CONTROL_SOCKET";

/// Whether Kiln's supervisor started this process.
pub fn is_in_a_box() -> bool {
    std::env::var_os(SUPERVISED).is_some_and(|path| !path.is_empty())
}

/// The settings, and what of the environment is not used: a sentence each, with the variable's name.
#[derive(Debug)]
pub struct Read<C> {
    /// What holds.
    pub settings: C,
    /// What was wrong.
    pub wrong: Vec<String>,
}

/// Reads flags and variables.
///
/// # Errors
/// What clap refuses: help and version as well. In a box no variable but those of `needed` (names of arguments) that a
/// default cannot stand for.
pub fn read<C: Parser>(in_a_box: bool, needed: &[&str]) -> Result<Read<C>, clap::Error> {
    read_from(C::command(), std::env::args_os().collect(), in_a_box, needed)
}

fn read_from<C: Parser>(
    command: Command,
    flags: Vec<OsString>,
    in_a_box: bool,
    needed: &[&str],
) -> Result<Read<C>, clap::Error> {
    let blank: Vec<String> = command
        .get_arguments()
        .filter(|arg| is_blank(arg))
        .map(|arg| arg.get_id().to_string())
        .collect();
    let command = without(command, blank.iter());
    let first = match parse(command.clone(), &flags) {
        Ok(settings) => {
            let wrong = Vec::new();
            return Ok(Read { settings, wrong });
        }
        Err(error) if !in_a_box || !is_of_a_value(&error) => return Err(error),
        Err(error) => error,
    };
    let named: Vec<String> = command
        .get_arguments()
        .filter(|arg| arg.get_env().is_some() && !needed.contains(&arg.get_id().as_str()))
        .map(|arg| arg.get_id().to_string())
        .collect();
    let (mut wrong, mut bad) = (Vec::new(), Vec::new());
    for name in &named {
        // Alone, so that each is told and not only the first.
        let alone = without(command.clone(), named.iter().filter(|other| *other != name));
        if let Err(error) = parse::<C>(alone, &flags)
            && is_of_a_value(&error)
            && parse::<C>(without(command.clone(), named.iter()), &flags)
                .err()
                .is_none_or(|other| other.to_string() != error.to_string())
        {
            wrong.push(sentence(&command, name, &error));
            bad.push(name);
        }
    }
    if bad.is_empty() {
        return Err(first);
    }
    let settings = parse(without(command, bad.into_iter()), &flags)?;
    Ok(Read { settings, wrong })
}

fn parse<C: Parser>(command: Command, flags: &[OsString]) -> Result<C, clap::Error> {
    C::from_arg_matches(&command.try_get_matches_from(flags)?)
}

/// Whether it is about what stands in a flag or a variable, and not about which flags there are.
fn is_of_a_value(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8
    )
}

/// Whether its variable is set to nothing but blanks.
fn is_blank(arg: &clap::Arg) -> bool {
    let value = arg.get_env().and_then(std::env::var_os);
    value.is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()))
}

/// The command as if the variables of these arguments were not set.
fn without<'a>(command: Command, names: impl Iterator<Item = &'a String>) -> Command {
    names.fold(command, |command, name| {
        command.mut_arg(name, |arg| arg.env(Resettable::Reset))
    })
}

fn sentence(command: &Command, name: &str, error: &clap::Error) -> String {
    let variable = command
        .get_arguments()
        .find(|arg| arg.get_id().as_str() == name)
        .and_then(clap::Arg::get_env)
        .unwrap_or_default()
        .to_string_lossy();
    let told = error.to_string();
    let why = told.lines().next().unwrap_or_default();
    let why: String = why.trim_start_matches("error: ").chars().take(200).collect();
    format!("{variable} is not used: {why}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::CommandFactory;

    use super::*;

    #[derive(Debug, Parser)]
    struct Some {
        #[arg(long)]
        data: Option<u32>,
        #[arg(long, default_value_t = 7000)]
        port: u16,
        #[arg(long, default_value_t = 60)]
        beat: u64,
        #[arg(long)]
        print: Option<u8>,
    }

    /// The command with variables that are set: those of cargo's own stand for good and bad numbers.
    fn command(of: &[(&'static str, &'static str)]) -> Command {
        of.iter().fold(Some::command(), |command, (name, variable)| {
            command.mut_arg(name, |arg| arg.env(variable))
        })
    }

    fn flags(list: &[&str]) -> Vec<OsString> {
        std::iter::once("x")
            .chain(list.iter().copied())
            .map(Into::into)
            .collect()
    }

    const WORD: &str = "CARGO_PKG_NAME";
    const NUMBER: &str = "CARGO_PKG_VERSION_MAJOR";

    #[test]
    fn in_a_box_each_bad_variable_is_told_and_the_rest_holds() {
        let command = command(&[("port", WORD), ("beat", WORD), ("print", NUMBER)]);
        let read: Read<Some> = read_from(command.clone(), flags(&["--data", "3"]), true, &[]).unwrap();
        assert_eq!(
            (read.settings.port, read.settings.beat, read.settings.data),
            (7000, 60, Some(3))
        );
        assert_eq!(read.settings.print, Some(0));
        assert_eq!(read.wrong.len(), 2, "{:?}", read.wrong);
        assert!(
            read.wrong[0].starts_with("CARGO_PKG_NAME is not used: invalid value 'settings'"),
            "{:?}",
            read.wrong
        );
        assert!(
            read_from::<Some>(command, flags(&[]), false, &[]).is_err(),
            "at a terminal it is an error"
        );
    }

    #[test]
    fn a_blank_variable_is_none() {
        const BLANK: &str = "CARGO_PKG_VERSION_PRE";
        assert_eq!(std::env::var(BLANK).as_deref(), Ok(""));
        let both = [("port", BLANK), ("data", BLANK), ("beat", NUMBER)];
        let read: Read<Some> = read_from(command(&both), flags(&[]), false, &[]).unwrap();
        assert_eq!(
            (read.settings.port, read.settings.data, read.settings.beat),
            (7000, None, 0)
        );
        assert!(read.wrong.is_empty());
    }

    #[test]
    fn a_bad_flag_and_a_variable_that_is_needed_are_errors_everywhere() {
        let wrong = read_from::<Some>(command(&[("port", WORD)]), flags(&["--data", "x"]), true, &[]);
        assert!(wrong.unwrap_err().to_string().contains("--data"));
        let needed = read_from::<Some>(command(&[("port", WORD)]), flags(&[]), true, &["port"]);
        assert!(needed.unwrap_err().to_string().contains("--port"));
        let unknown = read_from::<Some>(command(&[]), flags(&["--nothing"]), true, &[]);
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::UnknownArgument);
    }
}
