//! What the kernel tells of the drive for as long as the job lasts: resets, its hidden area, and whether another medium came
//! into its place. A thread of its own listens, so that self-tests and the formatter are watched like the engine.

use std::fs::File;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drive::System;
use drive::guard::{Place, Seat};
use drive::kernel_log::{Account, Follower, Told};
use drive::sysfs::Device;

use super::watch::Seen;

/// How often it is looked: what lies between a reset and the question whose drive this is may be written to another one.
const LOOK: Duration = Duration::from_secs(10);

/// Checkpoint of a session by which its headers are on the drive for certain: one that goes on takes its first before it writes.
const SETTLED: u32 = 2;

/// Listens until the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    heard: Arc<Mutex<Heard>>,
    _ends: Arc<Sender<()>>,
}

/// What was heard.
#[derive(Debug)]
struct Heard {
    follower: Follower,
    seat: Arc<Seat>,
    checkpoints: u32,
    /// The last checkpoint, where this session's headers are known to have gone to the medium that is held.
    provable: Option<String>,
    recounts: u32,
    account: Account,
    doubt: bool,
}

impl Kernel {
    /// Begins to listen; `earlier` is what sessions before heard.
    pub(super) fn start(system: &System, device: &Device, earlier: &Seen) -> Self {
        let follower = Follower::new(system, &device.syspath);
        let mut account = earlier.kernel.clone();
        account.begin(&follower);
        let heard = Arc::new(Mutex::new(Heard {
            account,
            doubt: false,
            follower,
            seat: Arc::new(Seat::of(system, device)),
            checkpoints: 0,
            provable: None,
            recounts: 0,
        }));
        let (end, ended) = channel();
        let listens = Arc::clone(&heard);
        // Without the thread it is looked wherever somebody asks.
        let _thread = std::thread::Builder::new().name("kernel".to_owned()).spawn(move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                listens.lock().unwrap_or_else(PoisonError::into_inner).look();
            }
        });
        Self {
            heard,
            _ends: Arc::new(end),
        }
    }

    /// Adds what was heard until now.
    pub(super) fn tell(&self, seen: &mut Seen) {
        let mut heard = self.lock();
        heard.look();
        seen.kernel.clone_from(&heard.account);
        seen.sequence = Some(heard.seat.sequence());
    }

    /// Resets that were heard of until the last look.
    pub(super) fn resets(&self) -> u64 {
        self.lock().account.resets
    }

    /// Whether there was a reset, a change or an exchange since this was asked last.
    pub(super) fn doubts(&self) -> bool {
        let mut heard = self.lock();
        std::mem::take(&mut heard.doubt)
    }

    /// The same, looked at now and left to be asked again.
    pub(super) fn is_doubted(&self) -> bool {
        let mut heard = self.lock();
        heard.look();
        heard.doubt
    }

    /// In words, where another medium is in the drive's place, or none. One that was counted anew may be taken up.
    pub(super) fn gone(&self) -> Option<&'static str> {
        self.lock().gone()
    }

    /// Takes note of a checkpoint.
    pub(super) fn keep(&self, text: &str) {
        let mut heard = self.lock();
        heard.checkpoints = heard.checkpoints.saturating_add(1);
        if heard.provable.is_some() || heard.checkpoints == SETTLED && heard.seat.now() == Place::Same {
            heard.provable = Some(text.to_owned());
        }
    }

    /// Whether this session's headers are known to have gone to the medium that is held.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().provable.is_some()
    }

    /// Whether what is in its place was counted anew and may yet prove to be the one that is held.
    pub(super) fn is_provable(&self) -> bool {
        let heard = self.lock();
        heard.provable.is_some() && heard.seat.now() == Place::Recounted
    }

    /// Whether a drive that was counted anew, as a removable one is after a reset, proves to be the one that is held; `proves` is given
    /// a descriptor of it and the last checkpoint. It counts as held from then on.
    pub(super) fn takes_up(&self, proves: impl FnOnce(File, &str) -> bool) -> bool {
        let heard = self.lock();
        let (seat, checkpoint) = (Arc::clone(&heard.seat), heard.provable.clone());
        drop(heard);
        let Some(checkpoint) = checkpoint.filter(|_| seat.now() == Place::Recounted) else {
            return false;
        };
        let ours = seat.take_up(|file| proves(file, &checkpoint));
        self.lock().recounts += u32::from(ours);
        ours
    }

    /// The count of the medium that is held, where it tells whether another one came.
    pub(super) fn counted(&self) -> Option<u64> {
        self.lock().seat.counted()
    }

    /// How often it was.
    pub(super) fn recounts(&self) -> u32 {
        self.lock().recounts
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn look(&mut self) {
        let told = self.follower.look();
        self.heed(&told);
        self.account.miss(self.follower.unheard());
        self.doubt |= self.gone().is_some();
    }

    /// Every line raises the doubt, and one reset may have several: the drive may be exchanged between two of them.
    fn heed(&mut self, told: &Told) {
        self.account.heed(told);
        self.doubt |= told.heard;
    }

    fn gone(&self) -> Option<&'static str> {
        match self.seat.now() {
            Place::Same => None,
            Place::Recounted | Place::Another => Some("another medium came into its place"),
            Place::Empty => Some("the drive went away"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::super::target::made_up;
    use super::*;

    #[test]
    fn a_line_of_a_reset_that_counts_already_raises_the_doubt() {
        let device = made_up("/dev/sdx", "M", "S", "5000c500a1b2c3d4").device.unwrap();
        let kernel = Kernel::start(&System::at("/nowhere"), &device, &Seen::default());
        for (resets, heard, want) in [(0, false, (0, false)), (1, true, (1, true)), (0, true, (1, true))] {
            let resets = vec!["ata3: hard resetting link".to_owned(); resets];
            kernel.lock().heed(&Told {
                resets,
                heard,
                ..Told::default()
            });
            assert_eq!((kernel.resets(), kernel.doubts()), want);
        }
    }
}
