//! What the agent does to a drive itself: open it under the guard, and ask smartctl. All of it may block on the drive,
//! so all of it is called on threads of its own, with a deadline around.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use burnin::device::Geometry;
use burnin::{Checkpoint, Fingerprint, JobKey, Proof, Shown, format};
use drive::child::Failed;
use drive::content::{ContentKind, Member};
use drive::guard::{Guard, Opened, Place, Refusal, Seat, Stuck};
use drive::overlay::{self, Overlay};
use drive::selftest::{self, Kind, NotStarted, Running, Step};
use drive::smart::{Smartctl, Snapshot, Unreadable};
use drive::{Identity, sysfs, temperature};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wire::drive::{Content, Drive};
use wire::job::SelfTest;
use wire::options::{FormatRequest, Formatted};
use wire::{Bytes, Celsius, Problem};

/// Longest wait for a drive to be opened and guarded: two looks at its content of 25 s each at most, and the opening.
const OPEN: Duration = Duration::from_mins(1);

/// Longest look for what a job left on its drive: some twenty places, each of them maybe a bad sector.
pub const PROOF: Duration = Duration::from_mins(2);

/// Guard and smartctl; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hands {
    guard: Arc<Guard>,
    smartctl: Arc<Smartctl>,
}

/// What a drive is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be erased: exclusively, under the whole guard, with these memberships given up.
    Erase(Vec<ContentKind>),
    /// To be read and nothing else: the descriptor takes no writes. It may be in use.
    Read,
}

/// A drive held until it is dropped.
#[derive(Debug)]
pub struct Held {
    /// Open `O_RDWR | O_EXCL | O_DIRECT`, or `O_RDONLY | O_DIRECT`.
    pub file: File,
    /// What for.
    pub access: Access,
    /// Who it is, read again through the descriptor.
    pub identity: Identity,
    /// Its size and sectors.
    pub geometry: Geometry,
    /// Its node, for smartctl.
    pub node: PathBuf,
    /// Its directory below `/sys`.
    pub syspath: String,
    /// The kernel's count of its medium when it was opened.
    pub media: u64,
    /// Where it is, and by which count of the kernel's: a card or dock drive that is exchanged keeps its number.
    seat: Arc<Seat>,
    /// By what it declares itself shingled.
    pub shingled: Option<String>,
    /// Bytes of the other parts of the same drive; see [`sysfs::Device::beside`].
    pub beside: Bytes,
    /// The drive as it was listed, with identity and content as they are now.
    pub fresh: Drive,
    /// What of its content belongs to something larger.
    pub members: Vec<Member>,
    /// Kinds of what stands where a first partition would, where it has no table.
    pub unlisted: BTreeSet<String>,
}

/// Whether a held drive may still be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayUse {
    /// As it was opened.
    Yes(Content),
    /// Something else uses it, or it does not answer: later maybe.
    NotNow(String),
    /// Another drive is in its place, or none.
    Absent(String),
}

/// Why a drive's SMART was not read, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSmart {
    /// The document is of another drive for certain: this one must not be written.
    OtherDrive(String),
    /// Everything else.
    Unreadable(String),
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

    /// Opens `listed` for `access`, if it is `expected` and the guard lets it.
    ///
    /// # Errors
    /// The guard's reason; nothing was written.
    pub async fn open(&self, expected: Identity, listed: Drive, access: Access) -> Result<Held, Problem> {
        let guard = Arc::clone(&self.guard);
        let words = expected.words();
        // Whoever touches it hangs beside what hangs there.
        if let Some(refused) = listed.refused.as_ref().filter(|refused| refused.kind == Stuck::KIND) {
            return Err(stuck().with(format!("{words}: {}.", refused.reason)));
        }
        let work = spawn_blocking(move || {
            let node = sysfs::node(&guard.system, &listed.kernel_name);
            let opened = match &access {
                Access::Erase(lose) => guard.open_for_erase(&expected, &node, lose),
                Access::Read => guard.open_for_reading(&expected, &node),
            };
            match opened {
                Ok(opened) => {
                    let seat = guard.seats.take(&guard.system, &opened.device);
                    Ok(held(opened, seat, node, listed, access))
                }
                Err(refusal) => Err(problem(&refusal, &expected)),
            }
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

    /// What stands at some places of a listed drive that nobody has to hold for it, as far as it tells that for a plan ([`Fingerprint::in_time`]).
    pub fn glance(&self, listed: &Drive) -> Option<(Fingerprint, Option<String>)> {
        let node = sysfs::node(&self.guard.system, &listed.kernel_name);
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT | libc::O_NONBLOCK)
            .open(node)
            .ok()?;
        let device = self.guard.identified(&file, &identity(listed)).ok()?;
        Fingerprint::in_time_of_file(file, geometry(&device), Fingerprint::PLANNED)
    }

    /// What is in a held drive's place now; asks the kernel alone.
    pub fn place(held: &Held) -> Place {
        held.seat.now()
    }

    /// The kernel's count of the medium that is held, or was taken up since.
    pub fn sequence(held: &Held) -> u64 {
        held.seat.sequence()
    }

    /// The same, where it tells whether another medium came.
    pub fn counted(held: &Held) -> Option<u64> {
        held.seat.counted()
    }

    /// Whether a drive that was counted anew proves to be the job's; it is held under its new count then. `checkpoint`: the job's last.
    pub async fn take_up(held: &Held, proof: Proof, checkpoint: Option<String>) -> bool {
        let seat = Arc::clone(&held.seat);
        let asked = spawn_blocking(move || {
            let checkpoint = checkpoint.and_then(|text| Checkpoint::decode(&text).ok());
            seat.take_up(|file| proof.of_recounted_file(file, checkpoint.as_ref()) == Shown::Ours)
        });
        matches!(timeout(PROOF, asked).await, Ok(Ok(true)))
    }

    /// Whether a held drive may still be used as it was opened: identity and guard again, on the descriptor.
    ///
    /// # Errors
    /// The guard's reason.
    pub async fn check(&self, held: &Held) -> Result<(), String> {
        self.look(held).await.map(drop)
    }

    /// The same, told apart.
    pub async fn may_use(&self, held: &Held) -> MayUse {
        match self.guarded(held).await {
            Ok(now) => MayUse::Yes(now),
            Err((why, true)) => MayUse::Absent(why),
            Err((why, false)) => MayUse::NotNow(why),
        }
    }

    /// The same, and what stands on the drive now; [`Content::Unknown`] for one that is only read.
    ///
    /// # Errors
    /// The guard's reason.
    pub async fn look(&self, held: &Held) -> Result<Content, String> {
        self.guarded(held).await.map_err(|(why, _)| why)
    }

    /// What stands on the drive; or why it may not be used, and whether that is because it is not there.
    async fn guarded(&self, held: &Held) -> Result<Content, (String, bool)> {
        let guard = Arc::clone(&self.guard);
        let file = held.file.try_clone().map_err(|error| (error.to_string(), false))?;
        let (expected, access) = (held.identity.clone(), held.access.clone());
        let work = spawn_blocking(move || {
            match &access {
                Access::Erase(lose) => guard.look_again(&file, &expected, lose).map(|look| look.content),
                Access::Read => guard.identified(&file, &expected).map(|_| Content::Unknown),
            }
            .map_err(|refusal| (refusal.view().reason, refusal.is_absence()))
        });
        match timeout(OPEN, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err((error.to_string(), false)),
            Err(_) => Err((format!("the drive did not answer within {} s", OPEN.as_secs()), false)),
        }
    }

    /// The drive's SMART, if smartctl's document carries this very drive; and that document. One that is switched off is switched on by a
    /// job that may erase the drive.
    ///
    /// # Errors
    /// Why it could not be read.
    pub async fn smart(&self, held: &Held) -> Result<(Snapshot, Value), NoSmart> {
        let (smartctl, node, expected) = self.smartctl(held);
        let (guard, name) = (self.guard.clone(), held.fresh.kernel_name.clone());
        let may_set = matches!(held.access, Access::Erase(_));
        let read = spawn_blocking(move || {
            let read = smartctl.read_for_job(&node, &expected, may_set);
            let read = read.map_err(|error| match error {
                Unreadable::OtherDrive { certain: true, .. } => NoSmart::OtherDrive(chain(&error)),
                Unreadable::OtherDrive { certain: false, .. }
                | Unreadable::Run(_)
                | Unreadable::Nothing(_)
                | Unreadable::SwitchedOff { .. }
                | Unreadable::Asleep => NoSmart::Unreadable(chain(&error)),
            });
            read.map(|(mut snapshot, document)| {
                temperature::add_warning(&guard, &name, &mut snapshot);
                (snapshot, document)
            })
        });
        read.await
            .unwrap_or_else(|error| Err(NoSmart::Unreadable(error.to_string())))
    }

    /// The temperature that the kernel's sensor of the drive tells now; `None` where there is none.
    ///
    /// # Errors
    /// When its reader came to nothing: smartctl would hang there, too.
    pub async fn sensed(&self, held: &Held) -> Result<Option<Celsius>, Failed> {
        let (guard, name) = (Arc::clone(&self.guard), held.fresh.kernel_name.clone());
        // It is a command to the drive, which may hang there.
        let sensed = spawn_blocking(move || temperature::sensed(&guard, &name));
        sensed.await.unwrap_or_else(|error| {
            Err(Failed::Start {
                program: "a thread that reads a sensor".to_owned(),
                cause: std::io::Error::other(error),
            })
        })
    }

    /// What a setting of the drive hides on it; `None` for those that have none.
    pub async fn overlay(&self, held: &Held) -> Option<Overlay> {
        let (file, identity) = (held.file.try_clone(), held.identity.clone());
        let system = self.guard.system.clone();
        let looked = spawn_blocking(move || match file {
            Ok(file) => overlay::look(&system, &file, &identity),
            Err(error) => Some(Overlay::NotLooked(error.to_string())),
        });
        looked
            .await
            .unwrap_or_else(|error| Some(Overlay::NotLooked(error.to_string())))
    }

    /// smartctl's document of a drive at rest; one in standby is left asleep.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn at_rest(&self, listed: &Drive) -> Result<Value, Unreadable> {
        let (smartctl, expected) = (Arc::clone(&self.smartctl), identity(listed));
        let node = sysfs::node(&self.guard.system, &listed.kernel_name);
        let read = spawn_blocking(move || smartctl.at_rest(&node, &expected));
        read.await
            .unwrap_or_else(|error| Err(Unreadable::Nothing(Some(error.to_string()))))
    }

    /// Remembers how a drive's SMART was read by an agent before this one.
    pub fn recall(&self, held: &Held, read: &Snapshot) {
        self.smartctl.recall(&held.identity, read);
    }

    /// Whether it is known how this drive is asked for its SMART.
    pub fn knows(&self, listed: &Drive) -> bool {
        self.smartctl.knows(&identity(listed))
    }

    /// Whether this drive ever told anything of its health.
    pub fn has_told(&self, listed: &Drive) -> bool {
        self.smartctl.has_told(&identity(listed))
    }

    /// Starts a self-test.
    ///
    /// # Errors
    /// Why none runs.
    pub async fn start_self_test(&self, held: &Held, kind: Kind) -> Result<Running, NotStarted> {
        let (smartctl, node, expected) = self.smartctl(held);
        let started = spawn_blocking(move || selftest::start(&smartctl, &node, &expected, kind));
        started
            .await
            .unwrap_or_else(|error| Err(NotStarted::Failed(error.to_string())))
    }

    /// Looks at a running self-test, `elapsed` after its start.
    pub async fn poll_self_test(&self, held: &Held, running: Running, elapsed: Duration) -> (Running, Step) {
        let (smartctl, node, expected) = self.smartctl(held);
        let mut before = running.clone();
        let looked = spawn_blocking(move || {
            let mut running = running;
            let step = selftest::poll(&smartctl, &node, &expected, &mut running, elapsed);
            (running, step)
        });
        match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                let step = before.silent(elapsed, &error.to_string());
                (before, step)
            }
        }
    }

    /// Ends the self-test that the drive runs for us; the result of one that was over already.
    ///
    /// # Errors
    /// Why it could not be ended, in words.
    pub async fn abort_self_test(&self, held: &Held, running: &Running) -> Result<Option<SelfTest>, String> {
        let (smartctl, node, expected) = self.smartctl(held);
        let running = running.clone();
        let ended = spawn_blocking(move || {
            selftest::abort(&smartctl, &node, &expected, &running).map_err(|error| chain(&error))
        });
        ended.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Partitions and formats a drive by a child process of its own; the drive is let go of. Says what came of it. Once `cancel`
    /// holds a reason, the child is ended.
    pub async fn format(
        &self,
        held: Held,
        (request, key): (&FormatRequest, JobKey),
        mut tell: impl FnMut(&str) + Send + 'static,
        cancel: Arc<OnceLock<String>>,
    ) -> Formatted {
        let order = format::Order {
            node: held.node.clone(),
            capacity: held.identity.capacity.0,
            sector: held.identity.logical_sector,
            request: request.clone(),
            key,
        };
        let (guard, expected, node) = (Arc::clone(&self.guard), held.identity.clone(), held.node.clone());
        let seat = Arc::clone(&held.seat);
        // The thread lives as long as the child, which the kernel would kill with it.
        let made = spawn_blocking(move || {
            let mut identity = || {
                let file = File::options()
                    .read(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(&node)
                    .map_err(|error| format!("{}: {error}", node.display()))?;
                guard
                    .identified(&file, &expected)
                    .map_err(|refusal| refusal.view().reason)?;
                // Name and size are the reader's or the dock's, whatever is in it.
                seated(seat.now())
            };
            let mut said = |said: &format::Said| match said {
                format::Said::At { what } => tell(what),
                format::Said::Laid => tell("the partition is laid out"),
                format::Said::Made => tell("the partition table"),
                format::Said::Ready | format::Said::Done(_) => {}
            };
            let mut command = Command::new("/proc/self/exe");
            command.arg("formatter");
            let ties = format::Ties {
                identity: &mut identity,
                tell: &mut said,
                cancel: &mut || cancel.get().cloned(),
            };
            format::run(&mut command, held.file, &order, format::LONGEST, ties)
        });
        made.await
            .unwrap_or_else(|error| format::unformatted(request, format!("the agent failed: {error}")))
    }

    fn smartctl(&self, held: &Held) -> (Arc<Smartctl>, PathBuf, Identity) {
        (Arc::clone(&self.smartctl), held.node.clone(), held.identity.clone())
    }
}

/// Whether the medium that is held is still in its place.
///
/// # Errors
/// What is there instead, in words.
fn seated(now: Place) -> Result<(), String> {
    let instead = match now {
        Place::Same => return Ok(()),
        Place::Recounted => drive::medium::RECOUNTED,
        Place::Another => "another drive is in its place",
        Place::Empty => "nothing is in its place any more",
    };
    Err(instead.to_owned())
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn stuck() -> Problem {
    Problem::new(
        "drive-stuck",
        409,
        "The kernel still holds this drive for an earlier process",
    )
}

fn problem(refusal: &Refusal, expected: &Identity) -> Problem {
    problem_of_kind(refusal).with(format!("{}: {}.", expected.words(), refusal.view().reason))
}

fn problem_of_kind(refusal: &Refusal) -> Problem {
    let (kind, title) = match refusal {
        Refusal::OtherDrive(_)
        | Refusal::OtherContent { .. }
        | Refusal::Exchanged { .. }
        | Refusal::NoSize { .. }
        | Refusal::Gone { .. } => (
            "plan-changed",
            "The drive in this place is not the one that was planned",
        ),
        Refusal::NoLook(_) => ("drive-silent", "What stands on this drive could not be looked at"),
        Refusal::Stuck(_) => return stuck(),
        Refusal::InUse(_)
        | Refusal::UseUnknown(_)
        | Refusal::NoIdentity
        | Refusal::SameIdentity { .. }
        | Refusal::HostManaged
        | Refusal::Secured(_)
        | Refusal::Loop
        | Refusal::NotAWholeDisk { .. }
        | Refusal::NotABlockDevice { .. }
        | Refusal::Open { .. } => ("drive-refused", "This drive is in use or must not be erased"),
    };
    Problem::new(kind, 409, title)
}

fn geometry(device: &sysfs::Device) -> Geometry {
    let sector = device.identity.logical_sector.max(1);
    Geometry {
        sectors: device.identity.capacity.0 / u64::from(sector),
        sector,
        physical: device.physical_sector.max(sector),
    }
}

fn held(opened: Opened, seat: Arc<Seat>, node: PathBuf, listed: Drive, access: Access) -> Held {
    let Opened {
        file,
        identity,
        device,
        look,
    } = opened;
    let geometry = geometry(&device);
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
        access,
        identity,
        geometry,
        node,
        syspath: device.syspath,
        media: device.sequence,
        seat,
        shingled: device.shingled,
        beside: device.beside,
        fresh,
        members: look.members,
        unlisted: look.unlisted,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wire::drive::Refused;

    use super::*;

    #[tokio::test]
    async fn a_drive_that_is_listed_as_stuck_is_not_touched() {
        let hands = Hands::new(Guard::default(), Smartctl::default());
        let mut listed = crate::vigil::shapes::tests::drives(1).remove(0);
        let mut asked = async |refused: Option<Refused>| {
            listed.refused = refused;
            let opened = hands.open(identity(&listed), listed.clone(), Access::Read).await;
            opened.unwrap_err()
        };
        // There is none of its name.
        assert_eq!(asked(None).await.kind, "drive-refused");
        let problem = asked(Some(Refusal::Stuck(Stuck { process: None }).view())).await;
        assert_eq!(problem.kind, "drive-stuck");
        assert!(
            problem.to_string().contains("still hangs in the kernel with it"),
            "{problem}"
        );
    }
}
