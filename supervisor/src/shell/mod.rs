//! The thin shell around the core: one thread, one epoll, descriptors and children.
//!
//! [`run::Shell`] carries inputs in and actions out; every leaf here does one thing at a system call. Nothing waits on a
//! child or on a device: what may block runs as a [`helper`] of the same binary, which talks over a socket.

pub mod cgroup;
pub mod clock;
pub mod control;
pub mod credentials;
pub mod datagram;
pub mod desk;
pub mod drain;
pub mod fdstore;
pub mod helper;
pub mod limits;
pub mod lock;
pub mod log;
pub mod notify;
pub mod paths;
pub mod pressure;
pub mod printable;
pub mod process;
pub mod run;
pub mod sandbox;
pub mod scratch;
pub mod signals;
pub mod sleep;
pub mod sockets;
pub mod spawn;
pub mod users;
pub mod watchdog;
