//! Tells the crate its version ([`version`]): `KILN_ENGINE`, of all that is burnt in and judged by.

#[path = "../version.rs"]
mod version;

fn main() -> Result<(), String> {
    let sources = ["burnin/src", "burnin/playbooks", "drive/src", "smart/src", "wire/src"];
    version::tell("KILN_ENGINE", &sources)
}
