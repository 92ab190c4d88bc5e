//! How a simulated drive misbehaves.

/// Everything about a simulated drive's character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it holds before the first write.
    pub content: Content,
    /// Whether its cache forgets on a power cut.
    pub volatile: bool,
    /// Real capacity in sectors, for one that wraps around.
    pub real: Option<u64>,
    /// What it does when sectors are trimmed.
    pub trim: Trim,
    /// Its faults.
    pub faults: Vec<Fault>,
    /// The kernel's number for what fails once, and for each trim that fails.
    pub errno: i32,
    /// Whether the kernel makes one command of accesses that lie side by side and are under way together: where it meets a sector that
    /// cannot be read or written, all of them fail with the medium's own error.
    pub merges: bool,
    /// Bad cells of the host's memory, which are no fault of the drive.
    pub memory: Vec<Stuck>,
    /// Bits of its memory that are wrong for a moment.
    pub fleeting: Vec<Fleeting>,
}

/// One bit of a buffer that cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Buffer, by its slot.
    pub slot: usize,
    /// Bit in the buffer; beyond its end nothing happens.
    pub bit: u64,
    /// What it always is.
    pub one: bool,
}

/// One bit of a buffer that is inverted when what a read brought is looked at first, and right from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleeting {
    /// Buffer, by its slot.
    pub slot: usize,
    /// Bit in the buffer; beyond its end nothing happens.
    pub bit: u64,
    /// Which of the reads that the buffer takes, counted from 0.
    pub read: u32,
}

/// What a drive does when sectors are trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// They read as zeros.
    Zeros,
    /// So do as many sectors behind them, which nobody gave back.
    Beyond(u64),
    /// Acknowledged, and nothing happens.
    Ignored,
    /// The drive has no such command.
    Refused,
    /// Likewise, and the kernel learns it from those that it passed on, which it answers as a command that failed at the drive.
    RefusedByDrive,
    /// Likewise, and those that it passed on are told as done: `BLKDISCARD` hides the drive's refusal.
    RefusedUntold,
    /// The drive fails at it.
    Fails,
}

/// What a drive holds before the burn-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Zeros, as from the factory.
    Zeros,
    /// Ones, as erased flash.
    Ones,
    /// Somebody's data.
    Random,
}

/// One fault. What a drive cannot read or write, and each write that it forgets, is a whole physical sector; all else is a logical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Stores the sector with one bit inverted.
    Flip { lba: u64, bit: u32 },
    /// Reads one bit inverted, once.
    FlipOnce { lba: u64, bit: u32 },
    /// Stores only the first quarter of the sector.
    Tear { lba: u64 },
    /// Acknowledges writes of the sector and stores nothing.
    DropWrite { lba: u64 },
    /// Acknowledges the second write of the sector and stores nothing.
    DropSecond { lba: u64 },
    /// Stores what is written to `from` at `to` instead.
    MisdirectWrite { from: u64, to: u64 },
    /// Stores what is written to `from` at `to` as well.
    Shadow { from: u64, to: u64 },
    /// Reads `to` when asked for `from`.
    MisdirectRead { from: u64, to: u64 },
    /// Stores nothing from here on, and reads zeros.
    Limbo { from: u64 },
    /// Reads of the sector fail.
    ReadError { lba: u64 },
    /// The first read of the sector fails.
    ReadErrorOnce { lba: u64 },
    /// Writes of the sector fail.
    WriteError { lba: u64 },
    /// The first write of the sector fails.
    WriteErrorOnce { lba: u64 },
    /// Reads of the sector fail after the first.
    Fades { lba: u64 },
    /// Accesses of the sector never come back.
    Hang { lba: u64 },
    /// Accesses of the sector after the first never come back.
    HangAgain { lba: u64 },
    /// Accesses of the sector take so much longer.
    Slow { lba: u64, millis: u64 },
    /// The first access of the sector takes so much longer.
    SlowOnce { lba: u64, millis: u64 },
    /// Accesses from here on take so long and fail so.
    Stuck { from: u64, millis: u64, errno: i32 },
    /// Everything fails so for so long, from when the sector is first accessed; the kernel keeps it.
    Absent { lba: u64, millis: u64, errno: i32 },
    /// Everything fails for so long, from when the sector is first accessed; then the kernel has counted another medium: another card of this
    /// size in its reader, or a removable drive that was reset.
    Recounted { lba: u64, millis: u64 },
    /// Goes away when the sector is accessed.
    Disconnect { lba: u64 },
    /// So many flushes fail.
    FlushError { times: u32 },
    /// Goes away when it is flushed.
    DisconnectInFlush,
    /// The first trim of the sector fails.
    TrimErrorOnce { lba: u64 },
    /// Trims of the sector fail.
    TrimError { lba: u64 },
    /// The kernel takes it offline when the sector is accessed: it keeps its size, and every access fails at once.
    Offline { lba: u64 },
    /// Another computer has reserved it once the sector was accessed: it is read, and takes no writes.
    Reserved { lba: u64 },
}

impl Plan {
    /// A good drive that holds `content`.
    pub fn healthy(content: Content) -> Self {
        Self {
            content,
            volatile: false,
            real: None,
            trim: Trim::Zeros,
            faults: Vec::new(),
            errno: libc::EIO,
            merges: false,
            memory: Vec::new(),
            fleeting: Vec::new(),
        }
    }

    /// A drive with these faults, holding somebody's data.
    pub fn with(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::healthy(Content::Random)
        }
    }

    /// Cells that store anything, of a drive that claims `sectors`.
    pub(super) fn cells(&self, sectors: u64) -> u64 {
        self.real.unwrap_or(sectors).min(sectors)
    }
}
