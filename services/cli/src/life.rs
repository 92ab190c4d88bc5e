//! `kiln backup`, `kiln restore`, `kiln debug-bundle`: what the dashboard's page does, for scripts.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use http::Method;
use serde_json::json;

use crate::file;
use crate::remote::{self, Remote, RemoteArgs};
use crate::undo::Undo;

/// What `kiln backup` takes.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Where the backup goes; a file that is there is not replaced.
    #[arg(long, short)]
    out: PathBuf,
    /// File with the passphrase in its first line; without it KILN_PASSPHRASE, else it is asked for, twice.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What `kiln restore` takes.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// The backup.
    file: PathBuf,
    /// File with the passphrase in its first line; without it KILN_PASSPHRASE, else it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Replace everything that the box keeps, without asking.
    #[arg(long)]
    yes: bool,
}

/// What `kiln debug-bundle` takes.
#[derive(Debug, clap::Args)]
pub struct DebugArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Where the archive goes; a file that is there is not replaced.
    #[arg(long, short, default_value = "kiln-debug.tar.gz")]
    out: PathBuf,
}

/// Longest backup that is sent out of a pipe, in bytes: that one is kept in memory. Of a file's length the box alone judges.
const PIPED_MAX: u64 = 64 << 20;

/// What every backup begins with.
const MAGIC: &[u8] = b"KILN-BACKUP ";

fn passphrase(file: Option<&Path>, twice: bool) -> Result<String> {
    const WAYS: [&str; 2] = ["--passphrase-file", "KILN_PASSPHRASE"];
    if let Some(phrase) = remote::secret(file, WAYS)? {
        return Ok(phrase);
    }
    let phrase = remote::ask_hidden("Passphrase of the backup: ", WAYS)?;
    if twice && remote::ask_hidden("Once more: ", WAYS)? != phrase {
        bail!("these are two passphrases");
    }
    Ok(phrase)
}

/// Most bytes of the two lines in clear that a backup begins with.
const CLEAR_MAX: u64 = 8 << 10;

/// Whether the head of a backup, which stands in clear in its second line, says that the burn-in agent's records are missing.
fn lacks_agent(file: impl Read) -> bool {
    let mut line = Vec::new();
    let mut clear = BufReader::new(file.take(CLEAR_MAX));
    let read = clear.skip_until(b'\n').and_then(|_| clear.read_until(b'\n', &mut line));
    let head = read
        .ok()
        .and_then(|_| serde_json::from_slice::<serde_json::Value>(&line).ok());
    head.is_some_and(|head| head["agent"] == false)
}

/// Tells before anybody types a password where a new file could not be put.
fn may_be_made(path: &Path) -> Result<()> {
    let told = || format!("--out {}", path.display());
    if !file::ends_in_name(path) {
        bail!("{}: expected the name of a new file", told());
    }
    if !file::is_free(path) {
        bail!("{}: there is something already, and it is not replaced", told());
    }
    file::may_take(file::folder(path)).with_context(told)
}

/// Writes a new file of its owner alone, which has its name once it is whole; what was begun and failed, or was ended by a signal, does not
/// stay: half a backup is worse than none.
fn new_file(path: &Path, fill: impl FnOnce(&mut File) -> Result<u64>) -> Result<u64> {
    let told = || format!("--out {}", path.display());
    let (mut file, beside) = file::create_in(file::folder(path), file::PRIVATE).with_context(told)?;
    let left = beside.clone();
    let remove = move || drop(fs::remove_file(left));
    let _undo = Undo::at_signal(remove).context("listening for signals")?;
    let done = fill(&mut file).and_then(|length| {
        let named = file.sync_all().and_then(|()| file::name(&beside, path));
        let kept = named.and_then(|()| File::open(file::folder(path))?.sync_all());
        kept.with_context(told).map(|()| length)
    });
    if done.is_err() {
        // Should this fail too, the error is told all the same.
        let _ = fs::remove_file(&beside);
    }
    done
}

/// A backup that is sent as it is read.
fn backup_in(path: &Path) -> Result<remote::Body> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(remote::whole(file::bytes(path, PIPED_MAX)?));
    }
    let mut begin = [0; MAGIC.len()];
    // A wrong file is told before it travels.
    if file.read_exact(&mut begin).is_err() || begin != MAGIC {
        bail!("this is no backup of Kiln: expected a file that begins with KILN-BACKUP");
    }
    file.rewind()?;
    Ok(remote::streamed(file)?)
}

/// `kiln backup`.
pub fn backup(args: &BackupArgs) -> ExitCode {
    args.remote.with("kiln", || {
        may_be_made(&args.out)?;
        let phrase = passphrase(args.passphrase_file.as_deref(), true)?;
        let remote = Remote::log_in(&args.remote)?;
        let length = new_file(&args.out, |file| {
            let body = json!({ "password": remote.password, "passphrase": phrase });
            remote.download(Method::POST, "/api/v1/backup", Some(&body), file)
        })?;
        if File::open(&args.out).is_ok_and(lacks_agent) {
            tell!(
                "{}: the burn-in agent's records are not in it (the key of certificates, bays, playbooks of one's own), because no agent was there",
                args.out.display()
            );
        }
        Ok(format!("{}: {length} bytes", args.out.display()))
    })
}

/// `kiln restore`.
pub fn restore(args: &RestoreArgs) -> ExitCode {
    args.remote.with("kiln", || {
        let body = backup_in(&args.file).with_context(|| args.file.display().to_string())?;
        let phrase = passphrase(args.passphrase_file.as_deref(), false)?;
        let remote = Remote::log_in(&args.remote)?;
        let brought = remote.upload(Method::PUT, "/api/v1/restore", body)?;
        let text = |key: &str| brought[key].as_str().unwrap_or("?").to_owned();
        tell!(
            "{}: made on {} at {} by version {}",
            args.file.display(),
            text("name"),
            text("made"),
            text("version")
        );
        if brought["agent"] == false {
            tell!("the burn-in agent's records are not in it: what the agent of this box keeps stays as it is");
        }
        if !args.yes {
            bail!("everything that the box keeps would be replaced: give --yes if that is meant. Nothing was changed");
        }
        let body = json!({ "password": remote.password, "passphrase": phrase });
        remote.json(Method::POST, "/api/v1/restore", &body)?;
        Ok("the box's server and agent end, and begin again with the backup's state: by themselves on a Kiln box, else by what keeps them running".to_owned())
    })
}

/// `kiln debug-bundle`.
pub fn debug_bundle(args: &DebugArgs) -> ExitCode {
    args.remote.with("kiln", || {
        may_be_made(&args.out)?;
        let remote = Remote::log_in(&args.remote)?;
        let length = new_file(&args.out, |file| {
            remote.download(Method::GET, "/api/v1/debug-bundle", None, file)
        })?;
        Ok(format!("{}: {length} bytes", args.out.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_of_the_server_alone_says_so_in_its_second_line() {
        let file = |head: &str| [b"KILN-BACKUP 1\n", head.as_bytes(), b"\n\xff\x00 sealed"].concat();
        for (head, lacks) in [
            (r#"{"name":"kiln","agent":false}"#, true),
            (r#"{"name":"kiln","agent":true}"#, false),
            (r#"{"name":"kiln"}"#, false),
            ("no head", false),
        ] {
            assert_eq!(lacks_agent(file(head).as_slice()), lacks, "{head}");
        }
        assert!(!lacks_agent(&b""[..]));
    }
}
