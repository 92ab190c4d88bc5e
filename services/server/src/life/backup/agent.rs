//! The agent's part of a backup: asked for page by page, and handed back the same way.

use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use store::Row;
use tokio::runtime::Handle;
use wire::Problem;
use wire::command::{Answer, BackupRow, Command};

use super::row::{self, Rows};
use super::spool::Reader;
use super::{Error, Held, ROWS_MAX, Spool};
use crate::app::App;

/// What its tables are called in a backup.
const PREFIX: &str = "agent/";

/// Bytes of keys and values in one command; as hexadecimal digits they fit a frame.
const PAGE: usize = 150 << 10;

fn odd() -> Problem {
    Problem::new("agent-odd", 502, "The burn-in agent's answer was not understood")
        .with("server and agent are of different versions")
}

/// Why the agent's part was not gathered or not handed over.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The agent did not give or take it.
    #[error(transparent)]
    Agent(#[from] Problem),
    /// There was no room for it, or it was not read again.
    #[error(transparent)]
    Here(#[from] Error),
}

/// Everything that the agent gives for a backup, as rows.
///
/// # Errors
/// When it is away, its medium fails, or there is no room here.
pub async fn gather(app: &App) -> Result<Held, Failed> {
    let dir = &app.life.data;
    let all = BufWriter::new(Spool::in_clear(dir, ROWS_MAX).map_err(Error::of(dir))?);
    let mut all = Gathered(Some(all));
    pages(app, &mut all, dir).await?;
    let all = all.0.take().ok_or_else(odd)?;
    let all = all.into_inner().map_err(|error| Error::of(dir)(error.into_error()))?;
    Ok(all.finish())
}

/// What has come so far. Whoever waits for it may go away: then it is written over where nobody else has to wait for that.
struct Gathered(Option<BufWriter<Spool>>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |all| all.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        if let (Some(all), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(all));
        }
    }
}

/// Asks for page after page.
async fn pages(app: &App, all: &mut Gathered, dir: &Path) -> Result<(), Failed> {
    let mut from = Some(0);
    while let Some(number) = from {
        let Answer::Records { rows, next } = app.ask_agent(Command::Backup { from: number }).await? else {
            return Err(odd().into());
        };
        for row in rows {
            let bytes = |text: &str| hex::decode(text).map_err(|_| odd());
            let row = Row {
                table: format!("{PREFIX}{}", row.table),
                key: bytes(&row.key)?,
                value: bytes(&row.value)?,
            };
            row::write(all, &row).map_err(Error::of(dir))?;
        }
        // An agent that counts backwards would keep this going for ever.
        from = next.filter(|next| *next > number);
    }
    row::end(all).map_err(Error::of(dir))?;
    Ok(())
}

/// What a box without an agent has of it.
///
/// # Errors
/// When the kernel gives no memory.
pub fn none() -> Result<Held, Error> {
    let here = Path::new("backup");
    let mut none = Spool::new(here, ROWS_MAX).map_err(Error::of(here))?;
    row::end(&mut none).map_err(Error::of(here))?;
    Ok(none.finish())
}

/// Whether a row of a backup is the agent's.
pub fn is_its(row: &Row) -> bool {
    row.table.starts_with(PREFIX)
}

/// Hands the agent its rows; with the last of them it starts again.
///
/// # Errors
/// When it is away, tests drives, or its medium fails: then it goes on with what it had.
pub async fn hand_over(app: &App, rows: &Held, actor: &str) -> Result<(), Failed> {
    let mut rows = row::read(BufReader::new(rows.reader()));
    let mut before = None;
    let mut first = true;
    loop {
        let rows = page(&mut rows, &mut before)?;
        let last = before.is_none();
        let command = Command::Restore {
            rows,
            first,
            last,
            actor: actor.to_owned(),
        };
        app.ask_agent(command).await?;
        first = false;
        if last {
            return Ok(());
        }
    }
}

/// The next rows that go together, `before` them what did not fit the page before; what does not fit this one is there then.
fn page(rows: &mut Rows<BufReader<Reader>>, before: &mut Option<Row>) -> Result<Vec<BackupRow>, Error> {
    let mut page = Vec::new();
    let mut bytes = 0;
    while let Some(row) = before.take().map(Ok).or_else(|| rows.next()) {
        let row = row?;
        let length = row.key.len() + row.value.len();
        if bytes + length > PAGE && bytes > 0 {
            *before = Some(row);
            break;
        }
        bytes += length;
        page.push(BackupRow {
            table: row.table.trim_start_matches(PREFIX).to_owned(),
            key: hex::encode(&row.key),
            value: hex::encode(&row.value),
        });
    }
    Ok(page)
}
