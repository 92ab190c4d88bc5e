//! What stands on the drives that are to be erased when that is told, and whether it stands there still on the descriptors that are
//! going to be written.
//!
//! The guard knows what it finds by signatures, of which an archive or a file in a known file system changes none. Tested with a real
//! question in `tests/contract/`.

use std::time::Duration;

use burnin::Fingerprint;
use burnin::device::open_plain;

use super::admit::{Held, Ready};

/// Longest look, and as much for its last read: a disk that has to spin up first needs seven seconds, and then one or two. What is not
/// told by then before anybody is asked is not compared: such a drive may be the one that is to be tested.
const LONGEST: Duration = Duration::from_secs(8);

/// Longest look right before the first write, and as much for its last read: days are to come.
const LATER: Duration = Duration::from_secs(30);

/// Looks at all these drives at once: some may have to spin up.
pub(super) fn see(ready: &mut [Ready]) {
    std::thread::scope(|scope| {
        for Ready { held, .. } in ready {
            scope.spawn(|| {
                let (seen, why) = seen(held).unzip();
                (held.seen, held.unread) = (seen, why.flatten());
            });
        }
    });
}

fn seen(held: &Held) -> Option<(Fingerprint, Option<String>)> {
    let mut device = open_plain(held.file.try_clone().ok()?).ok()?;
    Some(Fingerprint::in_time(device.as_mut(), held.geometry(), LONGEST))
}

/// What two looks see at the places of these drives, for [`super::digest::Digest::of`]: the first before, the second now.
pub(super) fn twice<'a>(all: impl Iterator<Item = &'a Held>) -> (Vec<Option<u64>>, Vec<Option<u64>>) {
    let looks = all.flat_map(|held| {
        let mut again = sums(look_again(held).as_ref()).into_iter();
        sums(held.seen.as_ref())
            .into_iter()
            .map(move |sum| (sum, again.next().flatten()))
    });
    looks.unzip()
}

/// What was seen at the places of this drive; one that told nothing has one, which tells nothing.
pub(super) fn sums(seen: Option<&Fingerprint>) -> Vec<Option<u64>> {
    seen.map_or_else(|| vec![None], |seen| seen.sums().collect())
}

fn look_again(held: &Held) -> Option<Fingerprint> {
    let mut device = open_plain(held.file.try_clone().ok()?).ok()?;
    held.seen
        .as_ref()?
        .again(device.as_mut(), held.geometry(), LONGEST)
        .ok()
}

/// Refuses a drive that something wrote to since what stands on it was told; reads only. Not one that gives other bytes at each read, nor
/// by what it does not tell in time: such a drive may be the one that is to be tested.
///
/// # Errors
/// Why it may not be written.
pub(super) fn check(held: &Held) -> Result<(), String> {
    let Some(then) = &held.seen else { return Ok(()) };
    let words = held.identity.words();
    // Each on a device of its own: a read that does not come back keeps its buffer.
    let look = || {
        let opened = held.file.try_clone().and_then(open_plain);
        let mut device = opened.map_err(|error| format!("nothing was written: {words}: {error}"))?;
        Ok::<_, String>(then.again_in_time(device.as_mut(), held.geometry(), LATER))
    };
    let now = look()?;
    if !then.was_written_since(&now, &now) || !then.was_written_since(&now, &look()?) {
        return Ok(());
    }
    Err(format!(
        "nothing was written: something wrote to {words} since it was chosen. Begin again"
    ))
}
