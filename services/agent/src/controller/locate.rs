//! Makes a drive findable for the eye. How is `drive::locate`'s.

use drive::locate::{LONGEST, Locating, Tools, start};
use drive::{System, sysfs};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use wire::command::{Answer, CallOutcome};
use wire::event::Severity;
use wire::{DriveId, Problem};

use super::{Back, Controller, answer};
use crate::events::Happening;

impl Controller {
    /// Begins or ends it, in a task of its own: tools of enclosures are slow.
    pub(super) fn locate(&mut self, drive: DriveId, on: bool, actor: &str, reply: oneshot::Sender<CallOutcome>) {
        let before = self.located.remove(&drive);
        let listed = self.means.drives.borrow();
        let listed = listed
            .iter()
            .find(|listed| listed.present && listed.id.as_ref() == Some(&drive))
            .cloned();
        let Some(listed) = listed else {
            // Ending it may wait for a dying drive.
            spawn_blocking(move || drop(before));
            let problem = Problem::new("drive-unknown", 404, "No such drive is plugged in");
            answer(
                reply,
                Err(problem.with(format!("{drive} is not among the present drives."))),
            );
            return;
        };
        let name = format!("{} {}", listed.model, listed.serial);
        if on {
            let message = format!("{actor} looks for {name}");
            let data = serde_json::Value::Null;
            let happening = Happening::new("drive.located", Severity::Info, Some(drive.clone()), message, data);
            self.means.outbox.event(happening);
        }
        let back = self.back.clone();
        tokio::spawn(async move {
            let done = spawn_blocking(move || {
                if let Some(before) = before {
                    before.stop();
                }
                on.then(|| light(&listed.kernel_name)).transpose()
            });
            let result = match done.await {
                Ok(Ok(Some(locating))) => Ok((locating.words(), Some(locating))),
                Ok(Ok(None)) => Ok((format!("{name} is no longer shown."), None)),
                Ok(Err(why)) => {
                    let problem = Problem::new("locate-unsupported", 422, "This drive cannot be made findable");
                    Err(problem.with(format!("{name}: {why}.")))
                }
                Err(error) => Err(Problem::new("agent-fault", 500, "The agent failed").with(error.to_string())),
            };
            let _stopped = back.send(Back::Located { drive, result, reply }).await;
        });
    }

    pub(super) fn located(
        &mut self,
        drive: DriveId,
        result: Result<(String, Option<Locating>), Problem>,
        reply: oneshot::Sender<CallOutcome>,
    ) {
        self.located.retain(|_, locating| !locating.is_over());
        let told = result.map(|(told, locating)| {
            // Asked for twice, the first one ends elsewhere: that may wait for a dying drive, too.
            if let Some(before) = locating.and_then(|locating| self.located.insert(drive, locating)) {
                spawn_blocking(move || drop(before));
            }
            Answer::Done { told }
        });
        answer(reply, told);
    }
}

fn light(kernel_name: &str) -> Result<Locating, String> {
    let system = System::default();
    let device = sysfs::read(&system, kernel_name).ok_or("it is gone")?;
    start(&system, &Tools::default(), &device, LONGEST).map_err(|error| error.to_string())
}
