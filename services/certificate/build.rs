//! Tells the crate its version ([`version`]): `KILN_DRAWING`, of all that page and PDF are drawn by; libraries compress and lay out, too.

#[path = "../version.rs"]
mod version;

fn main() -> Result<(), String> {
    version::tell("KILN_DRAWING", &["certificate/src", "wire/src", "../Cargo.lock"])
}
