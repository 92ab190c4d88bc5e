//! A device of a test that passes most of its work through to the simulated one.

/// What such a device does as the one in this field does it: slots, blocks and buffers.
macro_rules! through {
    ($field:ident) => {
        fn slots(&self) -> usize {
            self.$field.slots()
        }
        fn block(&self) -> usize {
            self.$field.block()
        }
        fn buffer(&mut self, slot: usize) -> &mut [u64] {
            self.$field.buffer(slot)
        }
        fn settle(&mut self, slot: usize) {
            self.$field.settle(slot);
        }
    };
}
