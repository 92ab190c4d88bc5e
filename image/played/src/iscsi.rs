//! An iSCSI target (RFC 7143) that serves units to QEMU's own initiator over TCP of this computer: QEMU's `scsi-generic` passes each
//! on to a guest behind any of its SCSI controllers.
//!
//! ```text
//!  guest's mptsas ── QEMU: mptsas1068, scsi-generic, libiscsi ── TCP ── session ── Unit
//! ```
//!
//! One portal, one target of the name [`NAME`], units by their numbers; a session has one connection and no authentication.
//! What a session answers is pure ([`session`]); only the threads here do I/O. Nothing of it is for other computers.
//!
//! On crates.io there is `iscsi-target` (1.0), which answers SCSI commands itself, as a disk: an enclosure it cannot be.

mod login;
mod pdu;
mod session;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::transport::Shared;
use pdu::Pdu;
use session::Session;

/// The target's name (RFC 7143, 4.2.7).
pub const NAME: &str = "iqn.2026-11.invalid.kiln:played";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No port of this computer could be listened at.
    #[error("a port for the played iSCSI target")]
    Port(#[source] io::Error),
    /// The thread could not be started.
    #[error("a thread for the played iSCSI target")]
    Thread(#[source] io::Error),
}

/// A target that whoever connects finds, again and again, until it is dropped.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Target {
    /// Serves these units, each with its number, at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn serve(units: Vec<(u8, Shared)>) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Port)?;
        let address = listener.local_addr().map_err(Error::Port)?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let (units, began) = (Arc::new(units), Instant::now());
        spawn("played-iscsi", move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let units = units.clone();
                let served = spawn("played-session", move || {
                    if let Err(error) = converse(&stream, &units, began) {
                        println!("played iSCSI session: {error}");
                    }
                });
                if let Err(error) = served {
                    println!("{error}");
                }
            }
        })?;
        Ok(Self { address, over })
    }

    /// Where its initiators find it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Whoever waits for an initiator has to see it; sessions end when their initiators end them.
        drop(TcpStream::connect(self.address));
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(Error::Thread)
}

/// One session, from its first byte to its end.
fn converse(stream: &TcpStream, units: &[(u8, Shared)], began: Instant) -> io::Result<()> {
    // Its PDUs are small, and each is waited for.
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut session = Session::default();
    while let Some(pdu) = Pdu::read(&mut reader)? {
        let answers = session.take(began.elapsed(), units, &pdu);
        let bytes: Vec<u8> = answers.iter().flat_map(Pdu::bytes).collect();
        writer.write_all(&bytes)?;
        if session.is_over() {
            break;
        }
    }
    Ok(())
}
