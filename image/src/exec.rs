//! Running other programs: the command line and its output are part of the error when one fails.

use crate::error::{Error, Result};
use std::process::{Command, Stdio};

/// Last bytes of a failed program's output that go into the error; apt and cargo say what matters at the end.
const TAIL: usize = 4000;

/// Runs a command to its end, quietly.
///
/// # Errors
/// [`Error::Start`] when it cannot be started, [`Error::Command`] with the end of its output when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(|_| ())
}

/// Runs a command and returns what it printed on standard output.
///
/// # Errors
/// As [`run`].
pub fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().map_err(|cause| Error::Start {
        program: program(command),
        cause,
    })?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(text);
    }
    let mut all = text;
    all.push_str(&String::from_utf8_lossy(&out.stderr));
    Err(failed(command, &out.status.to_string(), all.trim_end()))
}

/// Runs a command whose output goes to our standard error: for long builds that a person watches.
///
/// # Errors
/// As [`run`], without the output, which was already seen.
pub fn watched(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .map_err(|cause| Error::Start {
            program: program(command),
            cause,
        })?;
    if status.success() {
        return Ok(());
    }
    Err(failed(command, &status.to_string(), "(its messages are above)"))
}

/// Search path with the folders of system programs, which a normal user's often lacks.
#[must_use]
pub fn path() -> String {
    format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into())
    )
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn failed(command: &Command, status: &str, output: &str) -> Error {
    let mut line = program(command);
    for a in command.get_args() {
        line.push(' ');
        line.push_str(&a.to_string_lossy());
    }
    let mut from = output.len().saturating_sub(TAIL);
    while !output.is_char_boundary(from) {
        from += 1;
    }
    Error::Command {
        command: line,
        status: status.to_owned(),
        output: output[from..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_failure_carries_command_and_output() {
        let e = output(Command::new("sh").args(["-c", "echo seen; echo why >&2; exit 3"])).unwrap_err();
        let text = e.to_string();
        assert!(
            text.contains("sh -c") && text.contains("seen") && text.contains("why") && text.contains('3'),
            "{text}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let e = run(&mut Command::new("kiln-no-such-program")).unwrap_err();
        assert!(e.to_string().contains("kiln-no-such-program"));
    }
}
