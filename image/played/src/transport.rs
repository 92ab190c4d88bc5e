//! A SCSI controller of a guest, whose targets are played here: the back end of QEMU's `vhost-user-scsi-pci`.
//!
//! QEMU connects to a socket and shares the guest's memory; commands are then taken from its queues and answered in a thread of
//! this process. The guest's memory has to be shareable (`memory-backend-memfd,share=on`).

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use vhost::vhost_user::message::VhostUserProtocolFeatures;
use vhost_user_backend::{VhostUserBackendMut, VhostUserDaemon, VringRwLock, VringT};
use virtio_queue::{DescriptorChain, QueueOwnedT, Reader, Writer};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};

use crate::request::{self, REQUEST, RESPONSE, Request};
use crate::unit::Unit;

/// Queues: control, event, and one for requests.
const QUEUES: usize = 3;
const CONTROL: u16 = 0;
const EVENT: u16 = 1;

/// `VIRTIO_F_VERSION_1`, vhost-user's own protocol features, and `VIRTIO_RING_F_INDIRECT_DESC`: without that one access of 1 MiB that
/// a unit does not answer fills the whole ring, and all other units are silent with it.
const FEATURES: u64 = 1 << 32 | 1 << 30 | 1 << 28;

/// Longest time that QEMU may find no socket: its thread only has to begin.
const BOUND: Duration = Duration::from_secs(10);

/// A unit that test and transport share.
pub type Shared = Arc<Mutex<dyn Unit>>;

/// Why no controller is played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thread could not be started.
    #[error("a thread for the played controller")]
    Thread(#[source] io::Error),
    /// Nothing listens at the socket.
    #[error("no socket at {0} for the played controller")]
    NoSocket(PathBuf),
}

/// A played controller; QEMU finds it at its socket, again and again, until it is dropped.
#[derive(Debug)]
pub struct Controller {
    path: PathBuf,
    over: Arc<AtomicBool>,
    away: Arc<Mutex<BTreeSet<u8>>>,
}

impl Controller {
    /// Plays these targets, each with its number, to whoever connects to a new socket at `path`; all together they move `speed`
    /// bytes a second at most.
    ///
    /// # Errors
    /// When there is no socket in the end.
    pub fn serve(path: &Path, targets: Vec<(u8, Shared)>, speed: Option<u64>) -> Result<Self, Error> {
        let over = Arc::new(AtomicBool::new(false));
        let (socket, ended) = (path.to_owned(), over.clone());
        let away = Arc::new(Mutex::new(BTreeSet::new()));
        let bus = Arc::new(Bus {
            targets,
            away: away.clone(),
            speed,
            began: Instant::now(),
        });
        std::thread::Builder::new()
            .name("played-scsi".into())
            .spawn(move || {
                while !ended.load(Ordering::Acquire) {
                    if let Err(error) = connection(&socket, &bus) {
                        println!("played controller at {}: {error}", socket.display());
                        return;
                    }
                }
            })
            .map_err(Error::Thread)?;
        let begun = Instant::now();
        while !path.exists() {
            if begun.elapsed() > BOUND {
                return Err(Error::NoSocket(path.into()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self {
            path: path.into(),
            over,
            away,
        })
    }

    /// Answers nothing more for this target, as if there were none at its place, or answers for it again. The guest is not told.
    pub fn set_away(&self, target: u8, is_away: bool) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if is_away {
            away.insert(target);
        } else {
            away.remove(&target);
        }
    }

    /// Where QEMU finds it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Whoever waits for QEMU has to see it; where QEMU is connected, its end is seen when that ends.
        drop(std::os::unix::net::UnixStream::connect(&self.path));
    }
}

/// One QEMU, from when it connects to when it goes.
fn connection(socket: &Path, bus: &Arc<Bus>) -> Result<(), vhost_user_backend::Error> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let backend = Arc::new(RwLock::new(Backend {
        bus: bus.clone(),
        memory: memory.clone(),
    }));
    VhostUserDaemon::new("played-scsi".into(), backend, memory)?.serve(socket)
}

/// The targets.
struct Bus {
    targets: Vec<(u8, Shared)>,
    /// Targets that are not answered for.
    away: Arc<Mutex<BTreeSet<u8>>>,
    speed: Option<u64>,
    began: Instant,
}

struct Backend {
    bus: Arc<Bus>,
    memory: GuestMemoryAtomic<GuestMemoryMmap>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

type Chain = DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap>>;

impl Backend {
    /// Answers one request; how many bytes the guest got.
    fn answer(&self, queue: u16, chain: &Chain) -> io::Result<u32> {
        let memory = self.memory.memory();
        let mut reader = Reader::new(&*memory, chain.clone()).map_err(io::Error::other)?;
        let mut writer = Writer::new(&*memory, chain.clone()).map_err(io::Error::other)?;
        let bytes = if queue == CONTROL {
            let mut kind = [0; 4];
            reader.read_exact(&mut kind)?;
            request::control(u32::from_le_bytes(kind))
        } else {
            let mut header = [0; REQUEST];
            reader.read_exact(&mut header)?;
            let mut sent = Vec::new();
            reader.read_to_end(&mut sent)?;
            let room = writer.available_bytes().saturating_sub(RESPONSE);
            self.bus.carry_out(&Request::parse(&header), &sent, room)
        };
        writer.write_all(&bytes)?;
        Ok(bytes.len() as u32)
    }
}

impl Bus {
    fn carry_out(&self, request: &Request, sent: &[u8], room: usize) -> Vec<u8> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_meant = |target: &u8| request.target == Some(*target) && !away.contains(target);
        let unit = self.targets.iter().find(|(target, _)| is_meant(target));
        let reply = unit.map(|(_, unit)| {
            let now = self.began.elapsed();
            // A test that failed with the lock in hand has said why.
            let mut unit = unit.lock().unwrap_or_else(PoisonError::into_inner);
            unit.command(now, &request.cdb, sent)
        });
        if let (Some(speed), Some(reply)) = (self.speed, &reply) {
            let moved = (sent.len() + reply.data.len()) as u64;
            std::thread::sleep(Duration::from_nanos(moved * 1_000_000_000 / speed.max(1)));
        }
        request::response(reply, room)
    }
}

impl VhostUserBackendMut for Backend {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        1024
    }

    fn features(&self) -> u64 {
        FEATURES
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
    }

    fn set_event_idx(&mut self, _enabled: bool) {}

    fn update_memory(&mut self, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<()> {
        self.memory = memory;
        Ok(())
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        new_event_consumer_and_notifier(EventFlag::NONBLOCK).ok()
    }

    fn handle_event(&mut self, queue: u16, _set: EventSet, rings: &[VringRwLock], _thread: usize) -> io::Result<()> {
        // The event queue holds room for events, of which there are none.
        let Some(ring) = rings.get(usize::from(queue)).filter(|_| queue != EVENT) else {
            return Ok(());
        };
        loop {
            let memory = self.memory.memory();
            let taken: Vec<Chain> = ring
                .get_mut()
                .get_queue_mut()
                .iter(memory)
                .map_err(io::Error::other)?
                .collect();
            if taken.is_empty() {
                return Ok(());
            }
            for chain in taken {
                let length = self.answer(queue, &chain)?;
                ring.add_used(chain.head_index(), length).map_err(io::Error::other)?;
                ring.signal_used_queue()?;
            }
        }
    }
}
