//! What the agent does to a drive itself: open it under the guard, and ask smartctl. All of it may block on the drive,
//! so all of it is called on threads of its own, with a deadline around.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use burnin::device::Geometry;
use drive::guard::{Guard, Opened, Refusal};
use drive::smart::{Smartctl, Snapshot};
use drive::{Identity, sysfs};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wire::Problem;
use wire::drive::Drive;

/// Longest wait for a drive to be opened and guarded: two looks at its content of 20 s each at most, and the opening.
const OPEN: Duration = Duration::from_secs(60);

/// Guard and smartctl; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hands {
    guard: Arc<Guard>,
    smartctl: Arc<Smartctl>,
}

/// A drive held exclusively, until it is dropped.
#[derive(Debug)]
pub struct Held {
    /// Open `O_RDWR | O_EXCL | O_DIRECT`.
    pub file: File,
    /// Who it is, read again through the descriptor.
    pub identity: Identity,
    /// Its size and sectors.
    pub geometry: Geometry,
    /// Its node, for smartctl.
    pub node: PathBuf,
    /// The drive as it was listed, with identity and content as they are now.
    pub fresh: Drive,
}

/// The identity that a listed drive claims.
pub fn identity(drive: &Drive) -> Identity {
    Identity {
        id: drive.id.clone(),
        model: drive.model.clone(),
        serial: drive.serial.clone(),
        wwn: drive.wwn.clone(),
        capacity: drive.capacity,
        logical_sector: drive.logical_sector,
        bus: drive.bus,
    }
}

impl Hands {
    /// Hands with this guard and this smartctl.
    pub fn new(guard: Guard, smartctl: Smartctl) -> Self {
        Self {
            guard: Arc::new(guard),
            smartctl: Arc::new(smartctl),
        }
    }

    /// Opens `listed` for erasing, if it is `expected` and nothing uses it.
    ///
    /// # Errors
    /// The guard's reason; nothing was written.
    pub async fn open(&self, expected: Identity, listed: Drive) -> Result<Held, Problem> {
        let guard = Arc::clone(&self.guard);
        let words = expected.words();
        let work = spawn_blocking(move || {
            let node = sysfs::node(&guard.system, &listed.kernel_name);
            let opened = guard.open_for_erase(&expected, &node, &[]).map_err(|refusal| {
                let view = refusal.view();
                let (kind, title) = match refusal {
                    Refusal::OtherDrive(_) | Refusal::Exchanged { .. } | Refusal::Gone { .. } => (
                        "plan-changed",
                        "The drive in this place is not the one that was planned",
                    ),
                    Refusal::InUse(_)
                    | Refusal::NoIdentity
                    | Refusal::SameIdentity { .. }
                    | Refusal::Loop
                    | Refusal::NotAWholeDisk { .. }
                    | Refusal::NotABlockDevice { .. }
                    | Refusal::Open { .. } => ("drive-refused", "This drive is in use or must not be erased"),
                };
                let problem = Problem::new(kind, 409, title);
                problem.with(format!("{}: {}.", expected.words(), view.reason))
            })?;
            Ok(held(opened, node, listed))
        });
        match timeout(OPEN, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                Err(Problem::new("agent-fault", 500, "Opening a drive failed in the agent").with(error.to_string()))
            }
            Err(_) => {
                let title = format!("The drive did not answer within {} s", OPEN.as_secs());
                Err(Problem::new("drive-silent", 503, title).with(format!("{words}: nothing was written.")))
            }
        }
    }

    /// Whether a held drive may still be written: identity and guard again, on the descriptor.
    ///
    /// # Errors
    /// The guard's reason.
    pub async fn check(&self, held: &Held) -> Result<(), String> {
        let guard = Arc::clone(&self.guard);
        let file = held.file.try_clone().map_err(|error| error.to_string())?;
        let expected = held.identity.clone();
        let work = spawn_blocking(move || {
            guard
                .may_write(&file, &expected, &[])
                .map_err(|refusal| refusal.view().reason)
        });
        match timeout(OPEN, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the drive did not answer within {} s", OPEN.as_secs())),
        }
    }

    /// The drive's SMART, if smartctl's document carries this very drive.
    ///
    /// # Errors
    /// Why it could not be read, in words.
    pub async fn smart(&self, held: &Held) -> Result<Snapshot, String> {
        let smartctl = Arc::clone(&self.smartctl);
        let (node, expected) = (held.node.clone(), held.identity.clone());
        let read = spawn_blocking(move || {
            smartctl.read(&node, &expected).map_err(|error| {
                let error: &dyn std::error::Error = &error;
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("{error}{cause}")
            })
        });
        read.await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

fn held(opened: Opened, node: PathBuf, listed: Drive) -> Held {
    let Opened {
        file,
        identity,
        device,
        look,
    } = opened;
    let sector = identity.logical_sector.max(1);
    let geometry = Geometry {
        sectors: identity.capacity.0 / u64::from(sector),
        sector,
        physical: device.physical_sector.max(sector),
    };
    let fresh = Drive {
        id: identity.id.clone(),
        model: identity.model.clone(),
        serial: identity.serial.clone(),
        wwn: identity.wwn.clone(),
        capacity: identity.capacity,
        logical_sector: identity.logical_sector,
        content: look.content,
        present: true,
        ..listed
    };
    Held {
        file,
        identity,
        geometry,
        node,
        fresh,
    }
}
