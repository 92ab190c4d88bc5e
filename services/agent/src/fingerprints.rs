//! What stands on the drives that a plan names, and whether it stands there still on the descriptors that are going to be written.
//!
//! The guard knows what it finds by signatures, of which an archive or a file in a known file system changes none.

use std::time::Duration;

use burnin::Fingerprint;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};
use wire::Problem;
use wire::drive::Drive;

use crate::gate::{Fingerprints, Granted, Unread, not_written_since};
use crate::hands::{Hands, Held};

/// Longest look at the start, and as much for its last read. These places were told a moment ago.
const STARTED: Duration = Duration::from_secs(5);

/// Of these drives of the list, beside the look at their contents, and the word of those that could not be read at some place.
pub async fn of_listed(hands: &Hands, drives: &[Drive]) -> (Fingerprints, Unread) {
    let until = Instant::now() + Fingerprint::PLANNED + Duration::from_secs(1);
    let mut looks = JoinSet::new();
    for listed in drives {
        let (hands, listed) = (hands.clone(), listed.clone());
        looks.spawn_blocking(move || Some((listed.id.clone()?, hands.glance(&listed)?)));
    }
    let (mut found, mut unread) = (Fingerprints::new(), Unread::new());
    while let Ok(Some(look)) = timeout_at(until, looks.join_next()).await {
        let Some((id, (seen, why))) = look.ok().flatten() else {
            continue;
        };
        unread.extend(why.map(|why| (id.clone(), why)));
        found.insert(id, seen);
    }
    (found, unread)
}

/// Refuses drives that something wrote to since they were planned.
///
/// # Errors
/// Names the drive; also one on which a read is still under way, which would be timed beside the job's own.
pub async fn check(granted: &Granted, held: &[Held]) -> Result<(), Problem> {
    let now = of_held(granted, held).await?;
    if not_written_since(granted, (&now, &now)).is_ok() {
        return Ok(());
    }
    not_written_since(granted, (&now, &of_held(granted, held).await?))
}

/// Whether something wrote to a held drive since `then` ([`Fingerprint::was_written`]); not where it cannot be asked.
pub async fn was_written_since(then: &Fingerprint, held: &Held) -> bool {
    let (then, file, geometry) = (then.clone(), held.file.try_clone(), held.geometry);
    let looks = spawn_blocking(move || then.was_written(&file?, geometry, Fingerprint::LATER));
    matches!(looks.await, Ok(Ok(true)))
}

async fn of_held(granted: &Granted, held: &[Held]) -> Result<Fingerprints, Problem> {
    let planned = &granted.seen.fingerprints;
    let known = held
        .iter()
        .filter_map(|held| Some((held.identity.id.clone()?, held)))
        .filter_map(|(id, held)| Some((planned.get(&id)?.clone(), id, held)));
    let looks: Vec<_> = known.map(|(then, id, held)| (id, held, again(then, held))).collect();
    let mut found = Fingerprints::new();
    for (id, held, look) in looks {
        let now = look.await.map_err(|why| silent(held, &why))?;
        found.insert(id, now);
    }
    Ok(found)
}

/// Begun at once, so that all drives look at the same time.
fn again(then: Fingerprint, held: &Held) -> impl Future<Output = Result<Fingerprint, String>> + use<> {
    let (file, geometry) = (held.file.try_clone(), held.geometry);
    let read = spawn_blocking(move || then.again_of_file(file, geometry, STARTED));
    async move { read.await.map_err(|error| error.to_string())? }
}

fn silent(held: &Held, why: &str) -> Problem {
    let title = format!("The drive did not answer within {} s", STARTED.as_secs());
    let words = held.identity.words();
    Problem::new("drive-silent", 503, title).with(format!(
        "{words}: {why}. Nothing was written; try again in some minutes."
    ))
}
