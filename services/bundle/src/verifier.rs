//! The streaming verifier: a bundle's bytes in, in any portions; its chunks out, each only once its hash was right.

use crate::{Hash, Head, Manifest, Refused, Target, accept, head_len};

/// A verified chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Its number among all chunks of the bundle, from 0.
    pub chunk: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Takes a bundle from its first byte to its last, or from a chunk on.
#[derive(Debug)]
pub struct Verifier {
    state: State,
    buffer: Vec<u8>,
    taken: u64,
}

#[derive(Debug)]
enum State {
    Head(Box<Target>),
    Files {
        manifest: Box<Manifest>,
        next: usize,
        end: u64,
    },
    /// It was refused; nothing comes after that.
    Refused(Refused),
}

impl Verifier {
    /// From the first byte, for this box.
    pub fn new(target: Target) -> Self {
        Self {
            state: State::Head(Box::new(target)),
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Goes on before chunk `next` of a bundle whose head was accepted before.
    pub fn resume(head: &Head, next: usize) -> Self {
        let (manifest, end) = (head.manifest.clone(), head.total());
        let offset = manifest.chunks().nth(next).map_or(manifest.size(), |c| c.offset);
        let taken = end - manifest.size() + offset;
        Self {
            state: State::Files {
                manifest: Box::new(manifest),
                next,
                end,
            },
            buffer: Vec::new(),
            taken,
        }
    }

    /// What the bundle holds, once its head was accepted.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.state {
            State::Files { manifest, .. } => Some(manifest),
            State::Head(_) | State::Refused(_) => None,
        }
    }

    /// Takes more bytes and gives the chunks that they complete.
    ///
    /// # Errors
    /// Why the bundle is refused; from then on it stays so.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Piece>, Refused> {
        self.buffer.extend_from_slice(bytes);
        self.taken += bytes.len() as u64;
        let result = self.advance();
        if let Err(why) = &result {
            self.state = State::Refused(why.clone());
            self.buffer = Vec::new();
        }
        result
    }

    fn advance(&mut self) -> Result<Vec<Piece>, Refused> {
        if let State::Head(target) = &self.state {
            match head_len(&self.buffer)? {
                Some(len) if len <= self.buffer.len() => {
                    let manifest = accept(&self.buffer[..len], target)?;
                    self.buffer.drain(..len);
                    self.state = State::Files {
                        end: len as u64 + manifest.size(),
                        manifest: Box::new(manifest),
                        next: 0,
                    };
                }
                _ => return Ok(Vec::new()),
            }
        }
        let (manifest, next, end) = match &mut self.state {
            State::Files { manifest, next, end } => (manifest, next, *end),
            State::Refused(why) => return Err(why.clone()),
            State::Head(_) => return Ok(Vec::new()),
        };
        let (mut pieces, mut used) = (Vec::new(), 0);
        for c in manifest.chunks().skip(*next) {
            let Some(bytes) = self.buffer.get(used..used + c.len) else {
                break;
            };
            if Hash::of(bytes) != c.hash {
                return Err(Refused::Chunk {
                    file: c.name.to_owned(),
                    number: c.number,
                });
            }
            pieces.push(Piece {
                chunk: *next,
                bytes: bytes.to_vec(),
            });
            used += c.len;
            *next += 1;
        }
        self.buffer.drain(..used);
        if *next == manifest.chunks().count() && !self.buffer.is_empty() {
            return Err(Refused::Trailing { end });
        }
        Ok(pieces)
    }

    /// No more bytes will come.
    ///
    /// # Errors
    /// The bundle is not whole, or had been refused.
    pub fn finish(&self) -> Result<(), Refused> {
        let truncated = |expected| Refused::Truncated {
            got: self.taken,
            expected,
        };
        match &self.state {
            State::Head(_) => Err(truncated(0)),
            State::Refused(why) => Err(why.clone()),
            State::Files { manifest, next, end } => {
                if *next == manifest.chunks().count() {
                    Ok(())
                } else {
                    Err(truncated(*end))
                }
            }
        }
    }
}
