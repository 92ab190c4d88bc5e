//! The processor architecture of a machine.

/// The processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// q35 with SeaBIOS or OVMF.
    X86_64,
    /// virt with AAVMF, a Cortex-A72.
    Arm64,
}
