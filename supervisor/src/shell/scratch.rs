//! Text built on the stack: for logs, paths and arguments where no memory may be asked for.

use std::ffi::c_char;
use std::fmt;

/// Up to `N` bytes of text; what does not fit is cut off.
#[derive(Debug)]
pub struct Scratch<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Scratch<N> {
    /// Empty.
    pub const fn new() -> Scratch<N> {
        Scratch { bytes: [0; N], used: 0 }
    }

    /// What was put into it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Appends a string that ends with NUL and returns where it begins; `None` when it does not fit. The pointer is good
    /// for as long as `self` is neither moved nor dropped.
    pub fn string(&mut self, text: fmt::Arguments<'_>) -> Option<*const c_char> {
        let begin = self.used;
        if fmt::write(self, text).is_err() || self.used == N {
            self.used = begin;
            return None;
        }
        self.bytes[self.used] = 0;
        self.used += 1;
        Some(self.bytes[begin..].as_ptr().cast())
    }
}

impl<const N: usize> Default for Scratch<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Scratch<N> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut n = s.len().min(N - self.used);
        while !s.is_char_boundary(n) {
            n -= 1;
        }
        self.bytes[self.used..self.used + n].copy_from_slice(&s.as_bytes()[..n]);
        self.used += n;
        if n == s.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use std::fmt::Write;

    #[test]
    fn what_fits_is_kept_and_what_does_not_is_cut_or_refused() {
        let mut s = Scratch::<8>::new();
        assert!(write!(s, "abcdeé").is_ok());
        assert!(write!(s, "éx").is_err());
        assert_eq!(s.bytes(), "abcdeé".as_bytes());
        let mut s = Scratch::<8>::new();
        let first = s.string(format_args!("n={}", 1));
        assert!(s.string(format_args!("much too long")).is_none());
        assert!(s.string(format_args!("abc")).is_some());
        // SAFETY: `s` is where it was and ends the string with NUL.
        assert_eq!(first.map(|p| unsafe { CStr::from_ptr(p) }), Some(c"n=1"));
    }
}
