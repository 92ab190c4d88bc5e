//! Whether a drive that may have been exchanged in the middle of a job that erases is still the job's: what its headers can prove by
//! then, and what they show.

use std::fs::File;

use super::asks::Told;
use super::proof::{Proof, opened};
use crate::device::Device;
use crate::header;

/// What is known of a job's headers, beside that it keeps some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Whether they were flushed, as they are before the first checkpoint.
    pub stand: bool,
    /// Whether another drive may have come while they were written.
    pub doubted: bool,
    /// Whether this session's are known to have gone to the drive that is held.
    pub settled: bool,
}

/// What proves in the middle of a job that its drive is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proves {
    /// Nothing: there is no room for headers, or the steps keep none.
    Nothing,
    /// Nothing yet: it is to be asked once they stand.
    Later,
    /// All of the headers, since another drive may have come while they were written.
    EveryHeader,
    /// The same, while a later session writes them again: all of them stand on the job's drive, and some on one that came meanwhile.
    Rewritten,
    /// Half of them.
    Headers,
}

impl Proves {
    /// Whether the drive is to be asked at all.
    fn asks(self) -> bool {
        match self {
            Self::Nothing | Self::Later => false,
            Self::EveryHeader | Self::Rewritten | Self::Headers => true,
        }
    }
}

/// What a drive is in the middle of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Still {
    /// The job's, or nothing can tell it by now.
    Ours,
    /// One that holds fewer than half of the headers.
    Another,
    /// One that came while the headers were written, or left then: it holds some.
    HalfWritten,
    /// It cannot be read.
    Unknown,
}

impl Still {
    fn of(told: &Told, proves: Proves) -> Self {
        match proves {
            Proves::Nothing | Proves::Later => Self::Ours,
            _ if told.read == 0 => Self::Unknown,
            _ if told.ours == told.read => Self::Ours,
            Proves::EveryHeader => Self::HalfWritten,
            _ if !told.at_least_half() => Self::Another,
            Proves::Rewritten => Self::HalfWritten,
            Proves::Headers => Self::Ours,
        }
    }
}

impl Proof {
    /// What is to be asked of the drive now.
    pub fn proves(&self, headers: Headers) -> Proves {
        match headers {
            _ if !header::kept_by(&self.steps, self.geometry) => Proves::Nothing,
            Headers { stand: false, .. } => Proves::Later,
            Headers { doubted: true, .. } => Proves::EveryHeader,
            Headers { settled: false, .. } => Proves::Rewritten,
            Headers { .. } => Proves::Headers,
        }
    }

    /// [`Self::still`] of the drive behind this descriptor; one that cannot be opened is unknown.
    pub fn still_file(&self, file: File, proves: Proves) -> Still {
        if !proves.asks() {
            return Still::Ours;
        }
        opened(file, |device| self.still(device, proves)).unwrap_or(Still::Unknown)
    }

    /// What this drive shows; reads only, and nothing where nothing would prove it.
    pub fn still(&self, device: &mut dyn Device, proves: Proves) -> Still {
        if !proves.asks() {
            return Still::Ours;
        }
        Still::of(&self.at_headers(device).unwrap_or_default(), proves)
    }

    /// Whether another drive is in the place of the job's for certain, so that what is read of it counts for nothing. One that cannot be
    /// read may be the job's, and be dying.
    pub fn is_another_file(&self, file: File, proves: Proves) -> bool {
        proves.asks() && opened(file, |device| self.is_another(device, proves)).unwrap_or(false)
    }

    /// The same of this drive; reads only.
    ///
    /// Where the headers stand, one that stores only a part of what it claims keeps the first of them, and another drive none. Until
    /// it is known to which drive they went, one that came meanwhile holds some: one place that can be read and is not the job's is
    /// enough then.
    pub fn is_another(&self, device: &mut dyn Device, proves: Proves) -> bool {
        if !proves.asks() {
            return false;
        }
        let told = self.at_headers(device).unwrap_or_default();
        told.ours < told.read && (told.ours == 0 || proves != Proves::Headers)
    }
}

#[cfg(test)]
mod tests {
    use wire::job::Phase;

    use super::*;
    use crate::device::Geometry;
    use crate::pattern::JobKey;
    use crate::playbook::plain;

    #[test]
    fn what_happened_before_the_headers_stood_is_asked_of_all_of_them_later() {
        let proof = |sectors| Proof {
            key: JobKey([1; 16]),
            geometry: Geometry {
                sectors,
                sector: 512,
                physical: 512,
            },
            steps: plain(&[Phase::Write, Phase::Verify]),
            ended: false,
        };
        let headers = |stand, doubted, settled| Headers {
            stand,
            doubted,
            settled,
        };
        let no_room = "1000 sectors have no room for headers";
        assert_eq!(
            proof(1_000).proves(headers(true, true, true)),
            Proves::Nothing,
            "{no_room}"
        );
        for (headers, want) in [
            (headers(false, false, false), Proves::Later),
            (headers(false, true, true), Proves::Later),
            (headers(true, false, false), Proves::Rewritten),
            (headers(true, false, true), Proves::Headers),
            (headers(true, true, false), Proves::EveryHeader),
            (headers(true, true, true), Proves::EveryHeader),
        ] {
            assert_eq!(proof(4_000).proves(headers), want, "{headers:?}");
        }
    }

    #[test]
    fn a_drive_is_the_jobs_by_as_many_headers_as_prove_it() {
        use Still::{Another, HalfWritten, Ours, Unknown};
        let told = |ours, read| Told {
            ours,
            read,
            ..Told::default()
        };
        for (of, [every, rewritten, headers]) in [
            (told(3, 3), [Ours, Ours, Ours]),
            (told(2, 3), [HalfWritten, HalfWritten, Ours]),
            (told(1, 3), [HalfWritten, Another, Another]),
            (told(0, 3), [HalfWritten, Another, Another]),
            (told(1, 1), [Ours, Ours, Ours]),
            (told(0, 0), [Unknown, Unknown, Unknown]),
        ] {
            for (proves, want) in [
                (Proves::Nothing, Ours),
                (Proves::Later, Ours),
                (Proves::EveryHeader, every),
                (Proves::Rewritten, rewritten),
                (Proves::Headers, headers),
            ] {
                assert_eq!(Still::of(&of, proves), want, "{proves:?}: {} of {}", of.ours, of.read);
            }
        }
    }
}
