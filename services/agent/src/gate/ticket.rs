//! A signed ticket: the signature over the very bytes that came, then what they say.

use ed25519_dalek::{Signature, VerifyingKey};
use wire::Problem;
use wire::gate::{Armed, SIGNED_PREFIX, Ticket};

/// Longest accepted ticket in bytes: a plan of [`PLAN_DRIVES_MAX`] drives with the longest ids fits.
const TICKET_MAX: usize = 65_536;
/// Checks the signature over the exact text and reads the ticket.
pub(super) fn verify(armed: &Armed, key: &VerifyingKey) -> Result<Ticket, Problem> {
    let forged =
        |detail: &str| Problem::new("ticket-forged", 403, "The ticket is not signed by this box's server").with(detail);
    if armed.ticket.len() > TICKET_MAX {
        return Err(forged("The ticket is too long."));
    }
    let bytes: [u8; 64] = hex::decode(&armed.signature)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| forged("The signature is not 128 hexadecimal digits."))?;
    let mut signed = SIGNED_PREFIX.to_vec();
    signed.extend_from_slice(armed.ticket.as_bytes());
    key.verify_strict(&signed, &Signature::from_bytes(&bytes))
        .map_err(|_| forged("The signature does not fit the pinned gate key."))?;
    serde_json::from_str(&armed.ticket).map_err(|error| forged(&format!("The signed text is no ticket: {error}.")))
}
