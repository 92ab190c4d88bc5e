//! The agent's part of a backup: asked for page by page, and handed back the same way.

use store::Row;
use wire::Problem;
use wire::command::{Answer, BackupRow, Command};

use crate::app::App;

/// What its tables are called in a backup.
const PREFIX: &str = "agent/";

/// Bytes of keys and values in one command; as hexadecimal digits they fit a frame.
const PAGE: usize = 150 << 10;

fn odd() -> Problem {
    Problem::new("agent-odd", 502, "The agent answered something else")
        .with("server and agent are of different versions")
}

/// Everything that the agent gives for a backup.
///
/// # Errors
/// When it is away, or its medium fails.
pub async fn gather(app: &App) -> Result<Vec<Row>, Problem> {
    let mut all = Vec::new();
    let mut from = Some(0);
    while let Some(number) = from {
        let Answer::Records { rows, next } = app.ask_agent(Command::Backup { from: number }).await? else {
            return Err(odd());
        };
        for row in rows {
            let bytes = |text: &str| hex::decode(text).map_err(|_| odd());
            all.push(Row {
                table: format!("{PREFIX}{}", row.table),
                key: bytes(&row.key)?,
                value: bytes(&row.value)?,
            });
        }
        // An agent that counts backwards would keep this going for ever.
        from = next.filter(|next| *next > number);
    }
    Ok(all)
}

/// Whether a row of a backup is the agent's.
pub fn is_its(row: &Row) -> bool {
    row.table.starts_with(PREFIX)
}

/// Hands the agent its rows; with the last of them it starts again.
///
/// # Errors
/// When it is away, tests drives, or its medium fails: then it goes on with what it had.
pub async fn hand_over(app: &App, rows: &[Row], actor: &str) -> Result<(), Problem> {
    let mut pages: Vec<Vec<BackupRow>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in rows {
        let length = row.key.len() + row.value.len();
        if bytes + length > PAGE && bytes > 0 {
            pages.push(Vec::new());
            bytes = 0;
        }
        bytes += length;
        if let Some(page) = pages.last_mut() {
            page.push(BackupRow {
                table: row.table.trim_start_matches(PREFIX).to_owned(),
                key: hex::encode(&row.key),
                value: hex::encode(&row.value),
            });
        }
    }
    let last = pages.len() - 1;
    for (at, rows) in pages.into_iter().enumerate() {
        let command = Command::Restore {
            rows,
            first: at == 0,
            last: at == last,
            actor: actor.to_owned(),
        };
        app.ask_agent(command).await?;
    }
    Ok(())
}
