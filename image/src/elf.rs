//! Which shared libraries a program needs: so that a library missing from the image is found when it is built, not
//! when the box boots.

/// Architecture-independent facts about a 64-bit little-endian ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Path of the loader; `None` for static programs and libraries.
    pub loader: Option<String>,
    /// Names of the shared libraries.
    pub libraries: Vec<String>,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
/// More libraries than any program has; bounds the work on a damaged file.
const MOST: usize = 1000;

/// Reads what an ELF file needs; `None` when it is no ELF file, or a damaged one.
#[must_use]
pub fn needs(bytes: &[u8]) -> Option<Needs> {
    // 64-bit, little-endian.
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (offset, size, count) = (
        u64_at(bytes, 32)?,
        u64::from(u16_at(bytes, 54)?),
        u64::from(u16_at(bytes, 56)?),
    );
    let (mut loads, mut dynamic, mut result) = (Vec::new(), None, Needs::default());
    for i in 0..count {
        let h = usize::try_from(offset.checked_add(i * size)?).ok()?;
        let (kind, at, addr, len) = (
            u32_at(bytes, h)?,
            u64_at(bytes, h + 8)?,
            u64_at(bytes, h + 16)?,
            u64_at(bytes, h + 32)?,
        );
        match kind {
            PT_LOAD => loads.push((addr, at, len)),
            PT_DYNAMIC => dynamic = Some((at, len)),
            PT_INTERP => result.loader = Some(text(bytes, at)?),
            _ => {}
        }
    }
    let Some((at, len)) = dynamic else { return Some(result) };
    let (mut names, mut table) = (Vec::new(), None);
    for i in 0..(len / 16).min(MOST as u64 * 4) {
        let e = usize::try_from(at + i * 16).ok()?;
        match (u64_at(bytes, e)?, u64_at(bytes, e + 8)?) {
            (0, _) => break,
            (DT_NEEDED, v) if names.len() < MOST => names.push(v),
            (DT_STRTAB, v) => table = Some(v),
            _ => {}
        }
    }
    if !names.is_empty() {
        let table = table?;
        let (addr, at, _) = loads
            .iter()
            .find(|(a, _, n)| (*a..a.checked_add(*n).unwrap_or(u64::MAX)).contains(&table))?;
        for n in names {
            result
                .libraries
                .push(text(bytes, (table - addr).checked_add(*at)?.checked_add(n)?)?);
        }
    }
    Some(result)
}

fn take<const N: usize>(b: &[u8], at: usize) -> Option<[u8; N]> {
    b.get(at..at.checked_add(N)?)?.try_into().ok()
}
fn u16_at(b: &[u8], at: usize) -> Option<u16> {
    take(b, at).map(u16::from_le_bytes)
}
fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    take(b, at).map(u32::from_le_bytes)
}
fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    take(b, at).map(u64::from_le_bytes)
}
fn text(b: &[u8], at: u64) -> Option<String> {
    let b = b.get(usize::try_from(at).ok()?..)?;
    let end = b.iter().position(|c| *c == 0)?;
    String::from_utf8(b[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_test_needs_the_c_library() {
        let me = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let n = needs(&me).unwrap();
        assert!(n.libraries.iter().any(|l| l == "libc.so.6"), "{n:?}");
        assert!(n.loader.unwrap().contains("ld-linux"));
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..4096, byte: u8, cut in 8usize..5000) {
            let mut me = Vec::new();
            let exe = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            std::io::Read::read_to_end(&mut std::io::Read::take(exe, 5000), &mut me).unwrap();
            me[at] = byte;
            me.truncate(cut);
            let _ = needs(&me);
        }
    }
}
