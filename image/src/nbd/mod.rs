//! A drive that lies: an NBD server for QEMU with a fault plan.
