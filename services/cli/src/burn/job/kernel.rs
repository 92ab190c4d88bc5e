//! What the kernel tells of the drive for as long as the job lasts: resets, its hidden area, and whether another medium came
//! into its place. A thread of its own listens, so that self-tests and the formatter are watched like the engine.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drive::System;
use drive::kernel_log::{Follower, Unheard};
use drive::sysfs::{self, Device};

use super::watch::Seen;

/// How often it is looked: what lies between a reset and the question whose drive this is may be written to another one.
const LOOK: Duration = Duration::from_secs(10);

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
    system: System,
    device: Device,
    resets: u64,
    hidden: u64,
    unheard: Option<Unheard>,
    doubt: bool,
}

impl Kernel {
    /// Begins to listen; `earlier` is what sessions before heard.
    pub fn start(system: &System, device: &Device, earlier: &Seen) -> Self {
        let follower = Follower::new(&device.syspath);
        let heard = Arc::new(Mutex::new(Heard {
            resets: earlier.resets,
            // The kernel's line about it may have left its log since.
            hidden: earlier.hidden.max(follower.hidden()),
            unheard: Unheard::worse(earlier.unheard.clone(), follower.unheard()),
            doubt: false,
            follower,
            system: system.clone(),
            device: device.clone(),
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
    pub fn tell(&self, seen: &mut Seen) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.look();
        (seen.resets, seen.hidden) = (heard.resets, heard.hidden);
        seen.unheard.clone_from(&heard.unheard);
    }

    /// Whether there was a reset or an exchange since this was asked last.
    pub fn doubts(&self) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard.doubt)
    }

    /// In words, where another medium is in the drive's place, or none.
    pub fn gone(&self) -> Option<&'static str> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.gone()
    }
}

impl Heard {
    fn look(&mut self) {
        let resets = self.follower.look().len() as u64;
        self.resets += resets;
        self.unheard = Unheard::worse(self.unheard.take(), self.follower.unheard());
        self.doubt |= resets > 0 || self.gone().is_some();
    }

    fn gone(&self) -> Option<&'static str> {
        match sysfs::read_number(&self.system, self.device.number) {
            None => Some("the drive went away"),
            Some(now) if now.sequence != self.device.sequence => Some("another medium came into its place"),
            Some(_) => None,
        }
    }
}
