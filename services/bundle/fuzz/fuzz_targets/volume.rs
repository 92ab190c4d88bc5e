//! A boot partition with damage anywhere: reading it and planning a slot may refuse, never panic or run for ever.
#![no_main]

use bundle::fat::{CLUSTER, Geometry, Read, SECTOR, Step, Volume, plan};

/// Smallest FAT32: sectors.
const SECTORS: u64 = 540_672;

struct Disk<'a>(&'a [u8]);

impl Read for Disk<'_> {
    /// A right boot sector; tables, folders and files are what the fuzzer says, at most 64 KiB of each.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let g = Geometry::new(SECTORS).expect("a size that is FAT32's");
        buffer.fill(0);
        if offset == 0 {
            buffer[11..13].copy_from_slice(&512u16.to_le_bytes());
            buffer[13] = 8;
            buffer[14..16].copy_from_slice(&(g.reserved as u16).to_le_bytes());
            buffer[16] = 2;
            buffer[32..36].copy_from_slice(&(SECTORS as u32).to_le_bytes());
            buffer[36..40].copy_from_slice(&(g.fat as u32).to_le_bytes());
            buffer[44] = 2;
            buffer[510..512].copy_from_slice(&[0x55, 0xaa]);
            return Ok(());
        }
        let half = self.0.len() / 2;
        let tables = g.reserved * SECTOR;
        let data = g.offset(2);
        let from = |base: u64, bytes: &[u8], buffer: &mut [u8]| {
            let at = (offset - base) as usize;
            for (to, from) in buffer.iter_mut().zip(bytes.iter().skip(at)) {
                *to = *from;
            }
        };
        if offset >= data {
            from(data, &self.0[half..], buffer);
        } else if offset >= tables {
            let table = g.fat * SECTOR;
            from(tables + (offset - tables) / table * table, &self.0[..half], buffer);
        }
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let disk = Disk(data);
    let Ok(volume) = Volume::read(&disk) else { return };
    for e in volume.entries() {
        if e.chain.len() < 64 {
            let _ = volume.file(&disk, e);
        }
    }
    let Ok(p) = plan(&volume, "b", &[("vmlinuz", 3 * CLUSTER), ("system.erofs", 1)]) else { return };
    let g = volume.geometry();
    for step in p.clear.iter().chain(&p.allocate).chain(&p.publish) {
        if let Step::Write { offset, bytes } = step {
            assert!(offset % SECTOR == 0 && bytes.len() as u64 % SECTOR == 0);
            assert!(offset + bytes.len() as u64 <= SECTORS * SECTOR);
        }
    }
    // No place lies on anything that is somebody else's.
    for place in &p.places {
        let first = ((place.offset / SECTOR - g.data) / 8 + 2) as u32;
        let last = first + place.size.div_ceil(CLUSTER).max(1) as u32;
        let others = volume.entries().iter().filter(|e| !e.path.to_ascii_lowercase().starts_with("b/"));
        for e in others {
            assert!(!e.chain.iter().any(|c| (first..last).contains(c)), "{place:?} lies on {e:?}");
        }
    }
});
