//! What the running system is made of: the SPDX document of its image. Its hash stands on the status page, so that what runs here
//! can be held against what somebody looked through elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::app::App;
use crate::hub::Input;

/// Where the image has it (`image::sbom::IN_IMAGE`).
pub const BILL: &str = "/usr/share/doc/kiln/sbom.spdx.json";

/// SHA-256 of the document, in hex; a server outside an image has none.
fn sum(bill: &Path) -> io::Result<String> {
    Ok(hex::encode(Sha256::digest(std::fs::read(bill)?)))
}

impl App {
    /// Has the hash of the document told, where there is one. Behind the listeners: it is read from the medium.
    pub async fn tell_contents(self: Arc<Self>, bill: PathBuf) {
        let found = bill.clone();
        match tokio::task::spawn_blocking(move || sum(&found)).await {
            Ok(Ok(sum)) => {
                let _first = self.life.bill.set(bill);
                self.feed(Input::Contents(sum)).await;
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
            failed => tracing::warn!(?failed, path = %bill.display(), "what the image is made of was not read"),
        }
    }
}
