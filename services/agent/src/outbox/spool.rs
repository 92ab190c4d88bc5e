//! Events that wait on the medium, each under a number that rises for ever.

use store::{Table, Write};
use tracing::{error, warn};
use wire::Time;
use wire::event::Severity;

use super::Outbox;
use crate::events::Happening;

/// Events waiting for the server, by number.
pub const SPOOL: Table<u64, Happening> = Table::new("spool");

/// The last number given out, under `last`; how many events were given up and not told of, under `lost`; the greatest id of a job
/// that was dropped, under `job` (milliseconds).
pub const NUMBERS: Table<String, u64> = Table::new("numbers");

/// Most events kept: a day of a box with a hundred drives.
pub const SPOOL_MAX: u64 = 5_000;

/// Most events taken at once, so that a full spool does not hold up a heartbeat.
const BATCH: usize = 64;

/// Highest number of an event that a server may name: numbers are microseconds since 1970 or what follows the last one, and
/// this is the year 2255. A server is that far ahead of a store that was lost, whatever this box's clock says.
const HIGHEST: u64 = 1 << 53;

/// Writes events down with the next numbers, as part of a change that they belong to.
///
/// # Errors
/// When the store does not take them; nothing of the change is kept then.
pub fn spool(w: &mut Write<'_, '_>, told: &[Happening]) -> store::Result<()> {
    for happening in told {
        put(w, happening)?;
    }
    if !told.is_empty() {
        let lost = SPOOL.keep_last(w, SPOOL_MAX)? as u64;
        if lost > 0 {
            let before = NUMBERS.get(w, "lost")?.unwrap_or(0);
            NUMBERS.put(w, "lost", &before.saturating_add(lost))?;
            if before == 0 {
                warn!("the spool is full: {SPOOL_MAX} events wait for a server, and the oldest are given up now");
            }
        }
    }
    Ok(())
}

/// Under the next number.
fn put(w: &mut Write<'_, '_>, happening: &Happening) -> store::Result<()> {
    let now = Time::now();
    let clock = u64::try_from(now.as_microsecond()).unwrap_or(0);
    let number = NUMBERS.get(w, "last")?.unwrap_or(0).saturating_add(1).max(clock);
    NUMBERS.put(w, "last", &number)?;
    let happening = Happening {
        at: happening.at.or(Some(now)),
        ..happening.clone()
    };
    SPOOL.put(w, &number, &happening)
}

impl Outbox {
    /// The server has all events up to `seen`: forgets them, and renumbers the rest where it has seen more than
    /// this store ever gave out.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn acknowledge(&self, seen: u64) -> store::Result<()> {
        self.inner
            .store
            .write(move |w| {
                let waiting = SPOOL.all(w)?;
                let last = NUMBERS.get(w, "last")?.unwrap_or(0);
                if seen > HIGHEST {
                    warn!(seen, last, "the server names an event that no agent has ever reached");
                    return Ok(());
                }
                if seen > last {
                    SPOOL.clear(w)?;
                    let mut number = seen;
                    for (_, happening) in waiting {
                        number = number.saturating_add(1);
                        SPOOL.put(w, &number, &happening)?;
                    }
                    NUMBERS.put(w, "last", &number)?;
                } else {
                    for (number, _) in waiting.into_iter().take_while(|(number, _)| *number <= seen) {
                        SPOOL.delete(w, &number)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Writes down, as an event, how many events were given up while no server took them; once for each loss.
    ///
    /// # Errors
    /// When the store does not take it; it is told at the next connection then.
    pub async fn own_up(&self) -> store::Result<()> {
        self.inner
            .store
            .write(|w| {
                let lost = NUMBERS.get(w, "lost")?.unwrap_or(0);
                if lost == 0 {
                    return Ok(());
                }
                NUMBERS.delete(w, "lost")?;
                let message = format!(
                    "No server took the agent's events for so long that the spool of {SPOOL_MAX} was full: the oldest {lost} \
                     are lost. Jobs and certificates are not among what was lost."
                );
                let data = serde_json::json!({ "lost": lost, "spool": SPOOL_MAX });
                put(w, &Happening::new("agent.events_lost", Severity::Warning, None, message, data))
            })
            .await
    }

    /// The next of them behind this number, and a further turn where there may be more.
    pub(super) fn spooled(&self, behind: u64) -> Vec<(u64, Happening)> {
        match self.inner.store.read(|r| SPOOL.after(r, &behind, BATCH)) {
            Ok(events) => {
                if events.len() == BATCH {
                    self.inner.wake.notify_one();
                }
                events
            }
            Err(cause) => {
                error!(error = %cause, "the spool of events could not be read");
                Vec::new()
            }
        }
    }
}
