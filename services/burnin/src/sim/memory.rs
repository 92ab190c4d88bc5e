//! What bad memory of the host makes of the buffers.

use super::Sim;

impl Sim {
    /// Inverts the bits of a buffer that are wrong for the first look alone: before it, and again before the second.
    pub(super) fn flicker(&mut self, slot: usize) {
        let (reads, looks) = &mut self.looks[slot];
        *looks += 1;
        if *reads == 0 || *looks > 2 {
            return;
        }
        for fleeting in self
            .plan
            .fleeting
            .iter()
            .filter(|f| (f.slot, f.read + 1) == (slot, *reads))
        {
            if let Some(word) = self.buffers[slot].get_mut(fleeting.bit as usize / 64) {
                *word ^= 1 << (fleeting.bit % 64);
            }
        }
    }

    /// What bad memory of the host makes of a buffer.
    pub(super) fn spoil(&mut self, slot: usize) {
        for stuck in self.plan.memory.iter().filter(|stuck| stuck.slot == slot) {
            let Some(word) = self.buffers[slot].get_mut(stuck.bit as usize / 64) else {
                continue;
            };
            let mask = 1 << (stuck.bit % 64);
            *word = if stuck.one { *word | mask } else { *word & !mask };
        }
    }
}
