//! `kiln cert verify FILE` and `kiln cert show FILE`: certificates without a box.
//!
//! FILE is the signed file, the page or PDF made of it, or the text of a scanned code. Exit codes of `verify`
//! are a contract (`tests/cert/`): 0 trusted, 1 valid but not confirmed (by an unknown key, or in a page or PDF that this version draws
//! otherwise), 2 bad, 64 usage (also a file that cannot be read, and a result that cannot be written). Whether a certificate was revoked is known where it was signed alone: here ([`crate::seals`]), or at the box
//! that `--box` names.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

mod ask;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ask::Asked;
use certificate::carrier::Carried;
use certificate::check::{check_carried, no_good, why};
use certificate::{Revocations, Signed, Trust, carrier, check, page, pdf};
use http::Uri;
use wire::certificate::{CertificateCheck, RevocationState, Standing};
use wire::{Time, shown};

use crate::remote::{Access, RemoteArgs};
use crate::{USAGE, file};

/// Longest file that is read, in MiB: a PDF or page of the longest certificate is below it.
const FILE_MAX_MIB: u64 = 8;

/// What `kiln cert` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Says whether a certificate may be relied on. Exit code 0 trusted, 1 valid but by an unknown key or in a page or PDF
    /// that this version draws otherwise, 2 bad.
    Verify(Verify),
    /// Makes page, PDF or the signed file of a certificate whose signature is good, and that was not revoked here, nor is in doubt
    /// by an interrupted burn-in: none of them could say so. Exit code 2 where it is bad, revoked or in doubt.
    Show {
        /// The signed file, its page or PDF; `-` for standard input.
        file: PathBuf,
        /// Write the page here.
        #[arg(long, value_name = "OUT")]
        html: Option<PathBuf>,
        /// Write the PDF here.
        #[arg(long, value_name = "OUT")]
        pdf: Option<PathBuf>,
        /// Write the signed file here.
        #[arg(long, value_name = "OUT")]
        json: Option<PathBuf>,
        /// Where `kiln burn` keeps what it signed and revoked [default: as its own --state].
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
    },
}

/// What `kiln cert verify` takes.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The signed file, its page or PDF, or the text of a scanned code; `-` for standard input.
    file: PathBuf,
    /// Keys that you know: lines `key FINGERPRINT NAME` or `revoked ID WHY`.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// As one JSON object on standard output.
    #[arg(long)]
    json: bool,
    /// Where `kiln burn` keeps what it signed and revoked [default: as its own --state].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Asks this box, too, whether it revoked it: http://ADDRESS or https://ADDRESS.
    #[arg(long = "box", value_name = "URL")]
    url: Option<Uri>,
    #[command(flatten)]
    access: Access,
}

/// A form that a certificate can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The signed file.
    Json,
    /// The page.
    Html,
    /// The PDF.
    Pdf,
}

impl Form {
    /// By a name's ending.
    pub fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Self::Json,
            "html" => Self::Html,
            "pdf" => Self::Pdf,
            _ => return None,
        })
    }

    /// The certificate in this form.
    pub fn bytes(self, signed: &Signed) -> Vec<u8> {
        match self {
            Self::Json => signed.text().as_bytes().to_vec(),
            Self::Html => page::html(signed).into_bytes(),
            Self::Pdf => pdf::pdf(signed),
        }
    }
}

/// Runs the command.
pub fn main(args: &Args) -> ExitCode {
    let done = match &args.command {
        Command::Verify(args) => verify(args, Time::now()),
        Command::Show {
            file,
            html,
            pdf,
            json,
            state,
        } => {
            let outs = [(Form::Html, html), (Form::Pdf, pdf), (Form::Json, json)];
            show(file, state.clone(), &outs)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            tell!("kiln cert: {why}");
            ExitCode::from(USAGE)
        }
    }
}

/// Exit code of a standing.
pub fn code(standing: Standing) -> u8 {
    match standing {
        Standing::Trusted => 0,
        Standing::UnknownKey | Standing::OtherDrawing => 1,
        Standing::Bad => 2,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |e: io::Error| format!("{}: {e}", path.display());
    let mut bytes = Vec::new();
    let most = (FILE_MAX_MIB << 20) + 1;
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path).map_err(told)?)
    };
    source.by_ref().take(most).read_to_end(&mut bytes).map_err(told)?;
    Ok(bytes)
}

/// The certificate in what was read; of a file that is too long nobody knows here how long it is.
fn carried(bytes: &[u8]) -> Result<Carried, String> {
    match bytes.len() as u64 > FILE_MAX_MIB << 20 {
        true => Err(format!("it has more than {FILE_MAX_MIB} MiB, and none has")),
        false => carrier::open(bytes).map_err(|e| e.to_string()),
    }
}

fn verify(args: &Verify, now: Time) -> Result<u8, String> {
    let trust = match &args.trust {
        None => Trust::none(),
        Some(path) => {
            let text = file::text(path).map_err(|e| format!("--trust {e}"))?;
            Trust::parse(&text).map_err(|e| format!("--trust {}: {e}", path.display()))?
        }
    };
    let remote = args.url.clone().map(|url| RemoteArgs {
        url,
        access: args.access.clone(),
    });
    if let Some(remote) = &remote {
        remote.check().map_err(|e| format!("{e:#}"))?;
    }
    let bytes = read(&args.file)?;
    let (result, asked) = match carried(&bytes) {
        Ok(carried) => {
            let bare = check(&carried.text, &trust, now, Revocations::Unknown);
            let (remembered, asked) = ask::revocations(&bare, &carried.text, args.state.clone(), remote.as_ref());
            (
                check_carried(&carried, &trust, now, Revocations::Of(&remembered)),
                asked,
            )
        }
        Err(why) => (no_good(why), Asked::Nobody),
    };
    let text = if args.json {
        let line = serde_json::to_string(&result).map_err(|e| e.to_string())?;
        shown::json(&line).into_owned()
    } else {
        crate::lines(words(&result, &asked))
    };
    crate::give(&text)?;
    Ok(code(result.standing))
}

/// What became of a check, line by line.
fn words(result: &CertificateCheck, asked: &Asked) -> Vec<String> {
    let word = match result.standing {
        Standing::Trusted => "TRUSTED",
        Standing::UnknownKey => "VALID, BY AN UNKNOWN KEY",
        Standing::OtherDrawing => "VALID, BUT WHAT IT SHOWS IS NOT CONFIRMED",
        Standing::Bad => "BAD",
    };
    // It is the certificate that is trusted: what it says of the drive may be the worst.
    let says = match (&result.says, result.standing) {
        (Some(says), Standing::Trusted | Standing::UnknownKey | Standing::OtherDrawing) => {
            format!("it says {} of the drive. ", says.outcome.word())
        }
        (Some(_), Standing::Bad) | (None, _) => String::new(),
    };
    let mut lines = vec![
        format!("{word}: {says}{}", result.told),
        format!("signature:   {}", if result.signature_good { "good" } else { "bad" }),
    ];
    if let Some(key) = &result.key {
        let known_as = result.known_as.as_deref().unwrap_or("not known to you");
        lines.extend([
            format!("fingerprint: {}", certificate::key::groups(key)),
            format!("key:         {known_as}"),
        ]);
    }
    if let Some(says) = &result.says {
        let late = match (result.expired, result.not_yet_valid) {
            (true, _) => " (passed)",
            (false, true) => " (not valid yet)",
            (false, false) => "",
        };
        let revocation = match &result.revocation {
            RevocationState::Revoked(revoked) => format!("REVOKED: {}", why(&revoked.why)),
            RevocationState::TrustFile { why } => format!("REVOKED by your trust file: {why}"),
            RevocationState::Unknown => format!("unknown: {}", asked.words()),
            RevocationState::Doubted { why } => format!("unknown: {why}"),
            RevocationState::Standing => "not revoked".to_owned(),
        };
        let made = says.made.strftime("%-d %B %Y, %H:%M UTC");
        lines.extend([
            format!("valid until: {}{late}", certificate::report::day(says.valid_until)),
            format!("revocation:  {revocation}"),
            format!(
                "says:        {}  {} {}, {}",
                says.outcome.word(),
                says.model,
                says.serial,
                says.capacity
            ),
            format!("certificate: {}, made {made}", says.id),
            format!("digest:      {}", certificate::key::groups(&says.digest)),
        ]);
    }
    // Nearest to the prompt, whatever has scrolled away: no word of the certificate's.
    lines.push(format!("standing:    {word}"));
    lines
}

fn show(file: &Path, state: Option<PathBuf>, outs: &[(Form, &Option<PathBuf>)]) -> Result<u8, String> {
    let wanted: Vec<(Form, &PathBuf)> = outs
        .iter()
        .filter_map(|(form, out)| Some((*form, out.as_ref()?)))
        .collect();
    if wanted.is_empty() {
        return Err("nothing to make; expected --html OUT, --pdf OUT or --json OUT".to_owned());
    }
    let bytes = read(file)?;
    // Whatever was shown around it: what is made here shows what was signed.
    let signed = match carried(&bytes)
        .and_then(|carried| Signed::parse(&carried.text).map_err(|e| format!("this is no good certificate: {e}")))
    {
        Ok(signed) => signed,
        Err(why) => {
            tell!("kiln cert: {}: {why}", file.display());
            return Ok(code(Standing::Bad));
        }
    };
    let told = check(
        signed.text(),
        &Trust::none(),
        Time::now(),
        Revocations::Of(&ask::here(state)),
    );
    if let Some(told) = unmade(&told.revocation) {
        tell!("kiln cert: {}: {told}; nothing is made of it", file.display());
        return Ok(code(Standing::Bad));
    }
    for (form, out) in wanted {
        put(out, &form.bytes(&signed)).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    Ok(0)
}

/// Why nothing is made of a certificate that could not say so itself.
fn unmade(known: &RevocationState) -> Option<String> {
    match known {
        RevocationState::Revoked(revoked) => {
            let day = certificate::report::day(revoked.at);
            Some(format!("it was revoked on {day}: {}", why(&revoked.why)))
        }
        RevocationState::Doubted { why } => Some(format!("whether it still holds is not known: {why}")),
        RevocationState::Unknown | RevocationState::Standing | RevocationState::TrustFile { .. } => None,
    }
}

fn holds_its_place(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | ResourceBusy)
}

/// Puts what was made in its place, where what lay there stays until it is whole, with its rights. What is no file, as a pipe or
/// `/dev/stdout`, is written to, and so is a file that nothing can take the place of: one that is mounted there, or in a folder that takes
/// none.
fn put(out: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_name = !["/dev", "/proc"].iter().any(|of| out.starts_with(of));
    match fs::metadata(out) {
        Ok(old) if old.is_file() && is_name => {
            // Where a link leads, and not in the place of the link.
            let path = fs::canonicalize(out)?;
            match file::replace(&path, bytes) {
                Ok(()) => fs::set_permissions(&path, old.permissions()),
                Err(error) if holds_its_place(&error) => fs::write(&path, bytes),
                Err(error) => Err(error),
            }
        }
        Err(_) if is_name && fs::symlink_metadata(out).is_err() => file::replace(out, bytes),
        Ok(_) | Err(_) => fs::write(out, bytes),
    }
}
