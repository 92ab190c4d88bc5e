//! Links the static `kiln-init` of an image at a fixed address.
//!
//! Position-independent, it would write 9,000 relocations into 28 pages at its start, which are then its own for years, and
//! every helper's: a third of PID 1's memory. Heap, stack and maps stay at random addresses; the program's own do not.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|f| f == "crt-static") {
        for arg in ["-static", "-no-pie"] {
            println!("cargo::rustc-link-arg-bin=kiln-init={arg}");
        }
    }
}
