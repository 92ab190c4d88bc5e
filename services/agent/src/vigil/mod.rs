//! The agent as an add-on of any Vigil server: what it says there, what it shows, and what it takes from it.
//!
//! | part | what |
//! |---|---|
//! | [`manifest`] | pages and components that a dashboard draws |
//! | [`frames`] | payloads, with the types that every implementation reads, never above 64 KiB. Pure |
//! | [`ask`] | commands of a server and of its HTTP calls, read and mapped. Pure |
//! | [`inventory`] | the drives as rows of a table. Pure |
//! | [`target`] | which drive a form's text means: one, or refused. Pure |
//! | [`shapes`] | what the HTTP paths answer. Pure |
//! | [`window`] | the last log lines and temperatures, for those paths |
//! | [`listen`] | the optional listener (`--listen`) |
//! | [`console`] | where the code of a foreign gate is shown |
//!
//! On its own server the agent says the same and more (`wire::frame`); whose server it is decides [`crate::uplink`]. On a
//! foreign one nothing is obeyed, unless `KILN_ALLOW_FOREIGN_GATE=1`: then both steps of the gate are the agent's own
//! ([`crate::gate`]).

pub mod ask;
pub mod console;
pub mod frames;
pub mod inventory;
pub mod listen;
pub mod manifest;
pub mod shapes;
pub mod target;
pub mod window;

/// Who speaks: what stands in the fields that name a host or an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The machine's host name.
    pub host: String,
    /// Whether a foreign server may ask for burn-ins (`KILN_ALLOW_FOREIGN_GATE=1`).
    pub gate: bool,
}

impl Who {
    /// This machine.
    pub fn here(gate: bool) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = match host.trim() {
            "" => "kiln".to_owned(),
            name => name.to_owned(),
        };
        Self { host, gate }
    }
}
