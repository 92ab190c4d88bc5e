//! What the boot medium is known by, and whether that is what lies in its place: a reader goes on under one name with whatever is put
//! into it. Tested: here, over a loop device.

use std::time::{Duration, Instant};

use super::found::Found;
use super::search::{Is, is};

/// How long what was counted anew, or did not take a write, cannot be read, until it counts as another medium: one that was reset
/// answers sooner.
pub(super) const UNCLEAR_WITHIN: Duration = Duration::from_secs(10);

/// What the medium is known by.
#[derive(Debug, Clone)]
pub(in crate::boot) struct Known {
    /// GUID of the boot partition.
    pub(in crate::boot) part: String,
    /// The mark on it; `None` where there is none, or nobody can tell which.
    pub(in crate::boot) mark: Option<String>,
    /// Size, model and serial number ([`Found::identity`]); `None` where nobody knows them any more.
    pub(in crate::boot) same: Option<String>,
}

/// What lies in the medium's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::boot) enum Lies {
    /// The medium.
    Same,
    /// Another one.
    Another,
    /// What has been counted anew, and cannot be read: nothing, perhaps.
    Unclear,
}

impl Known {
    /// What lies where the medium was found. It is asked only where the kernel has counted anew: so it does for a medium that was
    /// merely reset, too, which goes on, by its new count.
    pub(in crate::boot) fn lies(&self, found: &mut Found) -> Lies {
        // Before it is asked: what comes after that is counted once more.
        let count = found.counted();
        if count == found.count {
            return Lies::Same;
        }
        match is(&found.disk, &found.sys, &self.part, self.mark.as_deref()) {
            Is::Unclear => Lies::Unclear,
            Is::Medium if self.same.as_ref().is_none_or(|same| *same == found.identity()) => {
                found.count = count;
                Lies::Same
            }
            Is::Medium | Is::Other | Is::Unmarked => Lies::Another,
        }
    }
}

/// Looks at it, one after the other.
#[derive(Debug, Default)]
pub(in crate::boot) struct Looks {
    /// Since when nobody can tell what lies there.
    unclear: Option<Instant>,
}

impl Looks {
    /// What lies there now; what stays unclear counts as another one.
    pub(in crate::boot) fn lies(&mut self, known: &Known, found: &mut Found) -> Lies {
        let lies = known.lies(found);
        self.unclear = match lies {
            Lies::Same => None,
            Lies::Unclear | Lies::Another => self.unclear.or_else(|| Some(Instant::now())),
        };
        match self.unclear {
            Some(since) if since.elapsed() >= UNCLEAR_WITHIN => Lies::Another,
            Some(_) | None => lies,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs::File;

    use rig::not_run;

    use super::super::found;
    use super::super::search::tests::{disks, done};
    use super::*;
    use crate::boot::table::gpt::{Gpt, SECTOR, guid_text};

    #[test]
    fn what_was_merely_reset_goes_on_and_another_card_in_the_reader_does_not() {
        // A thread of its own: other tests keep the `/dev` that they have.
        std::thread::spawn(another_card).join().unwrap();
    }

    fn another_card() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other, empty] = ["one", "other", "empty"].map(|name| dir.path().join(name));
        for file in [&one, &other] {
            File::create(file).unwrap().set_len(8 << 20).unwrap();
            done("sgdisk", &["-n", "1:2048:4095", &file.to_string_lossy()]).unwrap();
        }
        File::create(&empty).unwrap();
        let gpt = Gpt::read(&File::open(&one).unwrap(), (8 << 20) / SECTOR).unwrap();
        let loops = match disks(std::slice::from_ref(&one)) {
            Ok(loops) => loops,
            Err(why) => return not_run(&why),
        };
        let reader = &loops[0];
        let mut found = found::tests::of(reader);
        let mut known = Known {
            part: guid_text(&gpt.partitions[0].guid),
            mark: None,
            same: Some(found.identity()),
        };
        assert_eq!(known.lies(&mut found), Lies::Same);
        reader.exchange(&one);
        assert!(found.is_recounted());
        assert_eq!(known.lies(&mut found), Lies::Same);
        assert!(!found.is_recounted(), "its new count is kept");
        reader.exchange(&empty);
        assert_eq!(known.lies(&mut found), Lies::Unclear);
        reader.exchange(&other);
        for _ in 0..2 {
            assert_eq!(known.lies(&mut found), Lies::Another, "also when it is asked again");
        }
        // A keeper that comes after another has not seen what was counted.
        reader.exchange(&one);
        let mut later = Found::before(found.disk.clone(), found.sys.clone());
        assert_eq!(known.lies(&mut later), Lies::Same);
        known.mark = Some("2beef".into());
        assert_eq!(known.lies(&mut later), Lies::Same, "nothing was counted since");
        assert_eq!(known.lies(&mut found), Lies::Another, "a copy carries another mark");
    }
}
