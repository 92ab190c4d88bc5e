//! A box across the network, from the command line: who it is, who asks, and one request at a time.
//!
//! ```text
//!  --box URL ─► https: the certificate is the pinned one, or none ─► log in ─► requests with the session's token
//!            └► http: in clear, and says so
//! ```
//!
//! A box vouches for itself, so its certificate is known by the fingerprint that its console shows (`--fingerprint`) or
//! by a file (`--ca`). Without either nothing is sent, and the fingerprint that was met is told, to be compared. Tested
//! against the real server in `tests/remote.rs`.

#![expect(clippy::doc_markdown, reason = "clap prints these as they stand")]

mod tls;

use std::env::VarError;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::undo::Undo;

/// A body that is sent.
pub type Body = BoxBody<Bytes, std::io::Error>;

/// Longest answer that is read into memory, in bytes.
const ANSWER_MAX: usize = 4 << 20;

/// Longest time until there is a connection, TLS included. What stands before a box may take one while the box restarts, and
/// then nobody ever answers on it.
const CONNECTED_WITHIN: Duration = Duration::from_secs(20);

/// Longest silence in the middle of an answer, which a box makes whole before it begins to send it.
const NEXT_WITHIN: Duration = Duration::from_mins(1);

/// Longest time until what is only read begins to come. What is ordered may take as long as the work does.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// Longest wait for a logout, which a box that restarts does not hear.
const LEFT_WITHIN: Duration = Duration::from_secs(3);

/// Which box, and how one gets in.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoteArgs {
    /// The box: http://ADDRESS or https://ADDRESS.
    #[arg(long = "box", value_name = "URL", env = "KILN_BOX")]
    pub url: Uri,
    #[command(flatten)]
    pub access: Access,
}

/// How the box is known, and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct Access {
    /// SHA-256 of its certificate, as its console shows it.
    #[arg(long, value_name = "HEX", env = "KILN_FINGERPRINT")]
    pub fingerprint: Option<String>,
    /// Its certificate, or the one of who signed it (PEM).
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    pub ca: Option<PathBuf>,
    /// User name.
    #[arg(long, default_value = "admin", env = "KILN_USER")]
    pub user: String,
    /// File with the password in its first line; without it KILN_PASSWORD, else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// Whether they name a box and how to know it.
    ///
    /// # Errors
    /// What of the command line makes no sense.
    pub fn check(&self) -> Result<()> {
        Place::of(self).map(drop)
    }

    /// Does `act` where they do, tells the line that it answers with, and gives the exit code of `command`: 0, 1 where it failed, 64 where
    /// they do not, or where it was done and that could not be written. Whoever mistypes the address is not asked for a passphrase before.
    pub fn with(&self, command: &str, act: impl FnOnce() -> Result<String>) -> ExitCode {
        let (error, code) = match self.check() {
            Err(error) => (error, ExitCode::from(crate::USAGE)),
            Ok(()) => match act() {
                Ok(done) => match crate::give(&crate::lines([&done])) {
                    Ok(()) => return ExitCode::SUCCESS,
                    Err(why) => (anyhow!("{done}; but {why}"), ExitCode::from(crate::USAGE)),
                },
                Err(error) => (error, ExitCode::FAILURE),
            },
        };
        tell!("{command}: {error:#}");
        code
    }
}

/// A box that one is logged in at, until this is dropped.
#[derive(Debug)]
pub struct Remote {
    runtime: tokio::runtime::Runtime,
    place: Place,
    token: String,
    /// The password, for what asks for it once more.
    pub password: String,
}

/// Where it is and how to know it.
#[derive(Debug)]
struct Place {
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Place {
    fn of(args: &RemoteArgs) -> Result<Self> {
        let access = &args.access;
        // Before anything that repeats it: a password may stand there.
        let authority = args.url.authority().map_or("", http::uri::Authority::as_str);
        if authority.contains('@') {
            bail!("--box: expected the address alone, without a name before an @; give --user and --password-file");
        }
        let host = args
            .url
            .host()
            .ok_or_else(|| anyhow!("--box {}: expected http://ADDRESS or https://ADDRESS", args.url))?;
        if !matches!(args.url.path(), "" | "/") {
            bail!("--box {}: expected the address alone, without a path", args.url);
        }
        // A port that is none is no port to `Uri`, too, and another box may listen on the usual one.
        if args.url.port_u16().is_none() && authority != host {
            bail!("--box {}: expected a port from 1 to 65535 behind the colon", args.url);
        }
        let (port, tls) = match args.url.scheme_str() {
            Some("http") => (80, None),
            Some("https") => (
                443,
                Some(tls::config(access.fingerprint.as_deref(), access.ca.as_deref())?),
            ),
            _ => bail!("--box {}: expected http:// or https://", args.url),
        };
        Ok(Self {
            host: host.to_owned(),
            port: args.url.port_u16().unwrap_or(port),
            tls,
        })
    }

    /// As the `Host` header says it.
    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>> {
        let limit = (request.method() == Method::GET).then_some(READ_WITHIN);
        let late = || anyhow!("{} does not answer", self.authority());
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = timeout(CONNECTED_WITHIN, link::reach_host(bare, self.port, CONNECTED_WITHIN))
            .await
            .map_err(|_| late())?
            .with_context(|| format!("connecting to {}", self.authority()))?;
        match &self.tls {
            None => exchange(TokioIo::new(stream), request, limit)
                .await
                .unwrap_or_else(|| Err(late())),
            Some(config) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let name = rustls::pki_types::ServerName::try_from(bare.to_owned())
                    .map_err(|_| anyhow!("{bare}: no name that a certificate can bear"))?;
                let stream = timeout(CONNECTED_WITHIN, connector.connect(name, stream))
                    .await
                    .map_err(|_| late())?
                    .map_err(tls::explain)?;
                exchange(TokioIo::new(stream), request, limit)
                    .await
                    .unwrap_or_else(|| Err(late()))
            }
        }
    }
}

/// One request and the head of its answer; `None` where that did not come in time.
async fn exchange<S>(stream: S, request: Request<Body>, limit: Option<Duration>) -> Option<Result<Response<Incoming>>>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let answer = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        sender.send_request(request).await.context("asking the box")
    };
    match limit {
        None => Some(answer.await),
        Some(limit) => timeout(limit, answer).await.ok(),
    }
}

/// The next piece of an answer; `None` behind the last.
async fn next<B>(body: &mut B, limit: Duration) -> Result<Option<Bytes>>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let late = || {
        anyhow!(
            "the box's answer broke off: nothing more came for {} s",
            limit.as_secs()
        )
    };
    let frame = timeout(limit, body.frame()).await.map_err(|_| late())?;
    let frame = frame.transpose().context("the box's answer broke off")?;
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// A body of JSON, or none.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A file as a body, read as it is sent, its length told before.
///
/// # Errors
/// When the file cannot be looked at.
pub fn streamed(file: File) -> std::io::Result<Body> {
    let left = file.metadata()?.len();
    Ok(FileBody { file, left }.boxed())
}

/// Bytes of a file that are read in one go.
const PIECE: u64 = 256 << 10;

/// What is left of a file to be sent.
struct FileBody {
    file: File,
    left: u64,
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = Vec::new();
        // Nothing else runs in this runtime: reading may block it.
        let most = self.left.min(PIECE);
        Poll::Ready(Some(match (&self.file).take(most).read_to_end(&mut piece) {
            Ok(0) => Err(std::io::Error::other("the file became shorter while it was sent")),
            Ok(got) => {
                self.left -= got as u64;
                Ok(Frame::data(piece.into()))
            }
            Err(error) => Err(error),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn password(args: &RemoteArgs) -> Result<String> {
    const WAYS: [&str; 2] = ["--password-file", "KILN_PASSWORD"];
    if let Some(password) = secret(args.access.password_file.as_deref(), WAYS)? {
        return Ok(password);
    }
    let prompt = format!("Password of {} at {}: ", args.access.user, args.url);
    ask_hidden(&prompt, WAYS)
}

/// What is told in a file's first line or in a variable; none of the two: `None`. `ways`: the file's option and the variable.
///
/// # Errors
/// When the file cannot be read or begins with an empty line, or the variable is no text.
pub fn secret(file: Option<&Path>, [option, variable]: [&str; 2]) -> Result<Option<String>> {
    if let Some(path) = file {
        let text = crate::file::text(path).map_err(|e| anyhow!("{option} {e}"))?;
        let line = text.lines().next().unwrap_or("");
        if line.is_empty() {
            bail!("{option} {}: its first line is empty", path.display());
        }
        return Ok(Some(line.to_owned()));
    }
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{variable} is no UTF-8; expected text"),
    }
}

/// Has the terminal show again what is typed, before a signal ends the process.
fn restore(tty: &File, before: &Termios) {
    // Whoever is in the background is stopped when it sets a terminal, which is another's then.
    if tcgetpgrp(tty) == Ok(getpgrp()) {
        let _ = tcsetattr(tty, SetArg::TCSAFLUSH, before);
        let mut out = tty;
        let _ = out.write_all(b"\n");
    }
}

/// Asks on the terminal, without showing what is typed.
///
/// # Errors
/// When there is no terminal: then it has to come in another way, and the error tells which ones there are.
pub fn ask_hidden(prompt: &str, [option, variable]: [&str; 2]) -> Result<String> {
    use std::io::BufRead;
    let tty = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .with_context(|| format!("there is no terminal to ask at: give {option} FILE or set {variable}"))?;
    let before = tcgetattr(&tty).context("asking at the terminal")?;
    let (of_signal, then) = (tty.try_clone().context("asking at the terminal")?, before.clone());
    let _undo = Undo::at_signal(move || restore(&of_signal, &then)).context("asking at the terminal")?;
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    (&tty).write_all(prompt.as_bytes())?;
    tcsetattr(&tty, SetArg::TCSAFLUSH, &quiet).context("asking at the terminal")?;
    let mut line = String::new();
    let read = std::io::BufReader::new(&tty).read_line(&mut line);
    let restored = tcsetattr(&tty, SetArg::TCSAFLUSH, &before);
    (&tty).write_all(b"\n")?;
    read?;
    restored.context("the terminal stays without echo; type: stty echo")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Drop for Remote {
    /// Logs out: a session that nobody uses stands in the list of its user for a day.
    fn drop(&mut self) {
        if self.token.is_empty() {
            return;
        }
        if let Ok(request) = self.request(Method::DELETE, "/api/v1/session", "application/json", whole("")) {
            // A box that is away or restarts has ended it, or ends it by itself.
            let _answer = self
                .runtime
                .block_on(async { timeout(LEFT_WITHIN, self.place.ask(request)).await });
        }
    }
}

impl Remote {
    /// Logs in at the box of `args`.
    ///
    /// # Errors
    /// When it is not reached, is not the one that is meant, or does not let this user in.
    pub fn log_in(args: &RemoteArgs) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?;
        let place = Place::of(args)?;
        if place.tls.is_none() {
            tell!(
                "note: {} is asked in clear: who listens sees the password; https:// hides it",
                args.url
            );
        }
        let password = password(args)?;
        let mut remote = Self {
            runtime,
            place,
            token: String::new(),
            password,
        };
        let body = json!({ "username": args.access.user, "password": remote.password });
        let answer = remote.json(Method::POST, "/api/auth/login", &body)?;
        answer["token"]
            .as_str()
            .context("the box gave no session")?
            .clone_into(&mut remote.token);
        Ok(remote)
    }

    fn request(&self, method: Method, path: &str, kind: &str, body: Body) -> Result<Request<Body>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.place.authority())
            .header(CONTENT_TYPE, kind);
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        Ok(request.body(body)?)
    }

    fn send(&self, method: Method, path: &str, kind: &str, body: Body) -> Result<Response<Incoming>> {
        let request = self.request(method, path, kind, body)?;
        let answer = self.runtime.block_on(self.place.ask(request))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        Err(refusal(status, &self.read(answer)?))
    }

    fn read(&self, answer: Response<Incoming>) -> Result<Bytes> {
        let (mut body, mut read) = (answer.into_body(), Vec::new());
        while let Some(data) = self.runtime.block_on(next(&mut body, NEXT_WITHIN))? {
            if read.len() + data.len() > ANSWER_MAX {
                bail!("the box's answer has more than {ANSWER_MAX} bytes");
            }
            read.extend_from_slice(&data);
        }
        Ok(read.into())
    }

    /// Sends JSON and reads JSON; an empty answer is null.
    ///
    /// # Errors
    /// In the box's own words when it refuses.
    pub fn json(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(method, path, "application/json", whole(body.to_string()))?;
        let bytes = self.read(answer)?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).with_context(|| format!("the box's answer to {path}"))
    }

    /// Sends a body of any length and reads JSON.
    ///
    /// # Errors
    /// As [`Remote::json`].
    pub fn upload(&self, method: Method, path: &str, body: Body) -> Result<Value> {
        let answer = self.send(method, path, "application/octet-stream", body)?;
        Ok(serde_json::from_slice(&self.read(answer)?).unwrap_or(Value::Null))
    }

    /// Sends JSON and writes what comes to `out`; how many bytes.
    ///
    /// # Errors
    /// As [`Remote::json`], and when `out` fails.
    pub fn download(&self, method: Method, path: &str, body: Option<&Value>, out: &mut impl Write) -> Result<u64> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut answer = self.send(method, path, "application/json", whole(body))?.into_body();
        let mut length = 0;
        while let Some(data) = self.runtime.block_on(next(&mut answer, NEXT_WITHIN))? {
            out.write_all(&data).context("writing what the box sent")?;
            length += data.len() as u64;
        }
        Ok(length)
    }
}

/// The box's own words for a refusal.
fn refusal(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let detail = problem["detail"].as_str().unwrap_or("");
    match problem["title"].as_str() {
        Some(title) if detail.is_empty() => anyhow!("{title}"),
        Some(title) => anyhow!("{title}: {detail}"),
        None => anyhow!("the box answered {status}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Sends so many pieces and is silent then, or at its end.
    struct Sends {
        left: u8,
        ends: bool,
    }

    impl hyper::body::Body for Sends {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
            match (self.left, self.ends) {
                (0, true) => Poll::Ready(None),
                (0, false) => Poll::Pending,
                _ => {
                    self.left -= 1;
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece")))))
                }
            }
        }
    }

    #[test]
    fn a_box_that_falls_silent_in_its_answer_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let limit = Duration::from_millis(1);
        for ends in [true, false] {
            let mut body = Sends { left: 2, ends };
            let mut next = || runtime.block_on(next(&mut body, limit));
            for _ in 0..2 {
                assert_eq!(next().unwrap().unwrap(), "piece");
            }
            match ends {
                true => assert_eq!(next().unwrap(), None),
                false => assert!(next().unwrap_err().to_string().contains("nothing more came")),
            }
        }
    }
}
