//! Any content of the headers' places: no header, or one whose steps and geometry can be worked with.
#![no_main]
use burnin::device::{Device, Geometry};
use burnin::header::{self, Header};
use burnin::sim::{Content, Plan, Sim};
use burnin::worker::Limits;

const GEOMETRY: Geometry = Geometry { sectors: 1_500, sector: 512, physical: 512 };

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = Header::unpack(bytes) {
        assert!(header.geometry.check().is_ok());
    }
    // The bytes as what stands at the first place, seen through a drive.
    let mut sim = Sim::new(GEOMETRY, Plan::healthy(Content::Zeros), 1, 64 << 10, 1);
    let (lba, sectors) = header::places(GEOMETRY)[0];
    let buffer = sim.buffer(0);
    for (word, piece) in buffer.iter_mut().zip(bytes.chunks(8)) {
        let mut full = [0; 8];
        full[..piece.len()].copy_from_slice(piece);
        *word = u64::from_le_bytes(full);
    }
    let access = burnin::device::Access { slot: 0, op: burnin::device::Op::Write, lba, sectors };
    if sim.submit(access).is_ok() {
        let _ = sim.wait(std::time::Duration::from_secs(1));
    }
    if let Some(header) = header::find(&mut sim, GEOMETRY) {
        let _ = header::recover(&mut sim, &header, &Limits::default());
    }
});
