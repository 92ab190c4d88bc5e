//! The client of PID 1's control socket: what the supervisor knows comes in, the claim code goes to the console.
//!
//! One JSON object a line each way. The connection is made again whenever it breaks; without a supervisor (in
//! development) there is no socket, and trying costs one system call every two seconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use wire::supervisor::{LINE_MAX, Request, Status};

use crate::app::App;
use crate::hub::Input;

/// Pause between two tries to connect.
const RETRY: Duration = Duration::from_secs(2);

/// Why the connection is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("the socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error("a line that is no status: {0}")]
    Line(#[from] serde_json::Error),
    #[error("a line of more than {LINE_MAX} bytes")]
    Long,
    #[error("the supervisor closed it")]
    Closed,
}

/// Keeps the connection for as long as the server runs.
pub async fn run(app: Arc<App>, path: PathBuf) {
    let mut stopping = app.stopping.subscribe();
    let _known = app.update.socket.set(path.with_file_name("update.sock"));
    let mut had = false;
    loop {
        let over = tokio::select! {
            over = once(&app, &path, &mut had) => over,
            () = crate::app::stopped(&mut stopping) => return,
        };
        if std::mem::take(&mut had) {
            tracing::warn!(why = %over, "the supervisor is no longer heard");
            app.feed(Input::Supervisor(None)).await;
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn once(app: &App, path: &Path, had: &mut bool) -> Over {
    match talk(app, path, had).await {
        Ok(never) => match never {},
        Err(over) => over,
    }
}

async fn talk(app: &App, path: &Path, had: &mut bool) -> Result<std::convert::Infallible, Over> {
    let (read, mut write) = UnixStream::connect(path).await?.into_split();
    let mut lines = BufReader::new(read);
    write.write_all(&line(&Request::Watch {})?).await?;
    let mut console = app.console.subscribe();
    console.mark_changed();
    let mut text = Vec::new();
    let mut orders = app.life.ordered.lock().await;
    loop {
        tokio::select! {
            Some(order) = orders.recv() => write.write_all(&line(&order)?).await?,
            // Cancelled and called again it goes on where it was: what came so far stays in `text`.
            got = next_line(&mut lines, &mut text) => {
                got?;
                let status: Status = serde_json::from_slice(&text)?;
                text.clear();
                *had = true;
                app.recover(&status.boot.boot_id, status.recovery).await;
                app.feed(Input::Supervisor(Some(status))).await;
            }
            changed = console.changed() => {
                if changed.is_err() {
                    return Err(Over::Closed);
                }
                let claim = console.borrow_and_update().clone();
                let fingerprint = app.life.certificate.get().map(|shown| shown.fingerprint.clone());
                write.write_all(&line(&Request::Screen { claim, fingerprint })?).await?;
            }
        }
    }
}

fn line(request: &Request) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(request)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Appends to `text` until it holds a whole line.
async fn next_line(lines: &mut BufReader<tokio::net::unix::OwnedReadHalf>, text: &mut Vec<u8>) -> Result<(), Over> {
    loop {
        let buffer = lines.fill_buf().await?;
        if buffer.is_empty() {
            return Err(Over::Closed);
        }
        let end = buffer.iter().position(|&b| b == b'\n');
        let take = end.map_or(buffer.len(), |end| end + 1);
        text.extend_from_slice(buffer.get(..take).unwrap_or_default());
        lines.consume(take);
        if text.len() > LINE_MAX {
            return Err(Over::Long);
        }
        if end.is_some() {
            return Ok(());
        }
    }
}
