//! What stands on the drives that a plan names, and whether it stands there still on the descriptors that are going to be written.
//!
//! The guard knows what it finds by signatures, of which an archive or a file in a known file system changes none.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use wire::drive::Drive;
use wire::{DriveId, Problem};

use crate::gate::{Fingerprints, Granted, not_written_since};
use crate::hands::{Access, Hands, Held, identity};

/// Longest time for it: a disk reads these places within a second or two. One that is slower or hangs may be the one that is to be tested,
/// and is no reason to refuse.
const WITHIN: Duration = Duration::from_secs(8);

/// Of these drives of the list.
pub async fn of_listed(hands: &Hands, list: &[Drive], ids: &[DriveId]) -> Fingerprints {
    let named = list
        .iter()
        .filter(|drive| drive.present && drive.id.as_ref().is_some_and(|id| ids.contains(id)));
    let ask = |drive: &Drive| {
        let (hands, listed) = (hands.clone(), drive.clone());
        async move {
            // Why a drive is not opened is the plan's to tell.
            let held = hands.open(identity(&listed), listed, Access::Read).await.ok()?;
            Some((
                held.identity.id.clone()?,
                held.fingerprint(held.geometry, WITHIN).await?,
            ))
        }
    };
    collect(named.map(ask)).await
}

/// Refuses drives that something wrote to since they were planned.
///
/// # Errors
/// Names the drive.
pub async fn check(granted: &Granted, held: &[Held]) -> Result<(), Problem> {
    let now = of_held(held).await;
    if not_written_since(granted, (&now, &now)).is_ok() {
        return Ok(());
    }
    not_written_since(granted, (&now, &of_held(held).await))
}

async fn of_held(held: &[Held]) -> Fingerprints {
    let ask = |held: &Held| {
        let (id, asked) = (held.identity.id.clone(), held.fingerprint(held.geometry, WITHIN));
        async move { Some((id?, asked.await?)) }
    };
    collect(held.iter().map(ask)).await
}

/// Those that are there in time.
async fn collect<F>(asked: impl Iterator<Item = F>) -> Fingerprints
where
    F: Future<Output = Option<(DriveId, burnin::Fingerprint)>> + Send + 'static,
{
    let until = Instant::now() + WITHIN;
    let mut all: JoinSet<_> = asked.collect();
    let mut found = Fingerprints::new();
    loop {
        match timeout_at(until, all.join_next()).await {
            Ok(Some(told)) => found.extend(told.ok().flatten()),
            Ok(None) => return found,
            Err(_) => {
                warn!("a drive is slow to tell what stands on it; what is written there meanwhile is not told");
                return found;
            }
        }
    }
}
