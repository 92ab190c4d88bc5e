//! Makes a drive findable for the eye. How is `drive::locate`'s.

use tokio::sync::oneshot;
use wire::command::{Answer, CallOutcome};
use wire::{DriveId, Problem};

use super::{Back, Controller, answer};

impl Controller {
    pub(super) fn locate(&self, drive: &DriveId, on: bool, actor: String, reply: oneshot::Sender<CallOutcome>) {
        let listed = self.means.drives.borrow();
        let listed = listed
            .iter()
            .find(|listed| listed.present && listed.id.as_ref() == Some(drive))
            .cloned();
        let Some(listed) = listed else {
            let problem = Problem::new("drive-unknown", 404, "No such drive is plugged in");
            answer(
                reply,
                Err(problem.with(format!("{drive} is not among the present drives."))),
            );
            return;
        };
        let (hands, back) = (self.means.hands.clone(), self.back.clone());
        tokio::spawn(async move {
            let told = hands.locate(listed, on).await;
            let result = told.map(|told| Answer::Done { told });
            tracing::info!(on, actor, ?result, "locate");
            let _stopped = back.send(Back::Answered { result, reply }).await;
        });
    }
}
