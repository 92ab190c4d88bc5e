//! SMART before the first write.

use super::*;

impl JobTask {
    /// Reads SMART before the first write; false where the agent was asked to stop meanwhile.
    pub(super) async fn smart_before(&mut self, held: &Held) -> bool {
        if !self.record.is_pending(Phase::SmartBefore) {
            return true;
        }
        let began = Instant::now();
        self.set_phase(Phase::SmartBefore, PhaseStatus::Running, 0.0);
        let result = tokio::select! {
            result = self.means.hands.smart(held) => result,
            () = self.means.stop.asked() => {
                self.set_phase(Phase::SmartBefore, PhaseStatus::Pending, 0.0);
                return false;
            }
        };
        let status = match result {
            Ok(snapshot) => {
                self.record.smart_before = Some(snapshot);
                PhaseStatus::Done
            }
            Err(why) => {
                self.log("warn", format!("SMART before could not be read: {why}"));
                self.record.smart_trouble = Some(why);
                PhaseStatus::Skipped
            }
        };
        self.set_phase(Phase::SmartBefore, status, began.elapsed().as_secs_f64());
        true
    }
}
