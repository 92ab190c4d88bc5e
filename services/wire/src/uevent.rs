//! Kernel uevents: `ACTION@DEVPATH` and `KEY=VALUE` strings, each ended by a zero byte.
//!
//! Only the kernel's own messages are understood; those of udev (`libudev` header) are refused by
//! name. The listening sockets live in the supervisor and in `drive`. Tested here; fuzzed in `fuzz/`.

use std::collections::BTreeMap;

/// Longest uevent in bytes: the kernel's buffer (`UEVENT_BUFFER_SIZE`, 2048) with room for the header.
pub const UEVENT_MAX: usize = 8192;

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It appeared.
    Add,
    /// It is gone.
    Remove,
    /// Something about it changed (medium, size).
    Change,
    /// It was renamed.
    Move,
    /// It came online.
    Online,
    /// It went offline.
    Offline,
    /// A driver was bound to it.
    Bind,
    /// Its driver was unbound.
    Unbind,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "change" => Self::Change,
            "move" => Self::Move,
            "online" => Self::Online,
            "offline" => Self::Offline,
            "bind" => Self::Bind,
            "unbind" => Self::Unbind,
            _ => return None,
        })
    }
}

/// One kernel uevent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// Path of the device below `/sys`, beginning with `/`.
    pub devpath: String,
    /// Its subsystem: `block`, `usb`, `net` …
    pub subsystem: String,
    /// All other keys, e.g. `DEVNAME`, `DEVTYPE`, `MAJOR`, `MINOR`, `MODALIAS`, `SEQNUM`.
    pub env: BTreeMap<String, String>,
}

/// Why bytes are not a kernel uevent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUevent {
    /// More than [`UEVENT_MAX`] bytes.
    #[error("a uevent of {0} bytes; at most {UEVENT_MAX} are understood")]
    TooLong(usize),
    /// A message of udev's, not of the kernel's.
    #[error("a message of udev, not of the kernel")]
    Udev,
    /// The first string is not `ACTION@DEVPATH`.
    #[error("uevent header {0:?}; expected ACTION@DEVPATH with a known action and a path that begins with /")]
    Header(String),
    /// Something is not UTF-8.
    #[error("uevent field {0} is not UTF-8")]
    Encoding(usize),
    /// A field without `=`.
    #[error("uevent field {0:?}; expected KEY=VALUE")]
    Field(String),
    /// No `SUBSYSTEM`.
    #[error("uevent without SUBSYSTEM")]
    NoSubsystem,
    /// `ACTION` or `DEVPATH` contradict the header.
    #[error("uevent whose {0} field contradicts its header")]
    Contradiction(&'static str),
}

impl Uevent {
    /// Reads one datagram of `NETLINK_KOBJECT_UEVENT`.
    ///
    /// # Errors
    /// Names the field; nothing is taken from a malformed message.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadUevent> {
        if bytes.len() > UEVENT_MAX {
            return Err(BadUevent::TooLong(bytes.len()));
        }
        if bytes.starts_with(b"libudev\0") {
            return Err(BadUevent::Udev);
        }
        let mut fields = bytes
            .split(|&b| b == 0)
            .enumerate()
            .filter(|(_, field)| !field.is_empty())
            .map(|(index, field)| std::str::from_utf8(field).map_err(|_| BadUevent::Encoding(index)));
        let header = fields.next().unwrap_or(Ok(""))?;
        let bad_header = || BadUevent::Header(header.chars().take(80).collect());
        let (action_text, devpath) = header.split_once('@').ok_or_else(bad_header)?;
        let action = Action::parse(action_text).ok_or_else(bad_header)?;
        if !devpath.starts_with('/') || devpath.split('/').any(|part| part == "..") {
            return Err(bad_header());
        }
        let mut env = BTreeMap::new();
        for field in fields {
            let field = field?;
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| BadUevent::Field(field.chars().take(80).collect()))?;
            env.insert(key.to_owned(), value.to_owned());
        }
        if env.remove("ACTION").is_some_and(|value| value != action_text) {
            return Err(BadUevent::Contradiction("ACTION"));
        }
        if env.remove("DEVPATH").is_some_and(|value| value != devpath) {
            return Err(BadUevent::Contradiction("DEVPATH"));
        }
        let subsystem = env.remove("SUBSYSTEM").ok_or(BadUevent::NoSubsystem)?;
        Ok(Self {
            action,
            devpath: devpath.to_owned(),
            subsystem,
            env,
        })
    }

    /// A field besides action, path and subsystem.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.env.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const ADD: &[u8] = b"add@/devices/pci0000:00/0000:00:04.0/virtio1/block/vda\0ACTION=add\0DEVPATH=/devices/pci0000:00/0000:00:04.0/virtio1/block/vda\0SUBSYSTEM=block\0MAJOR=254\0MINOR=0\0DEVNAME=vda\0DEVTYPE=disk\0SEQNUM=1207\0";

    #[test]
    fn a_disk_that_is_added() {
        let event = Uevent::parse(ADD).unwrap();
        assert_eq!(event.action, Action::Add);
        assert_eq!(event.subsystem, "block");
        assert_eq!(event.get("DEVNAME"), Some("vda"));
        assert_eq!(event.get("SEQNUM"), Some("1207"));
        assert_eq!(event.get("ACTION"), None);
    }

    #[test]
    fn what_is_no_kernel_uevent_is_named() {
        for (bytes, want) in [
            (&b"libudev\0\xfe\xed\xca\xfe"[..], BadUevent::Udev),
            (b"", BadUevent::Header(String::new())),
            (
                b"add@devices\0SUBSYSTEM=block\0",
                BadUevent::Header("add@devices".into()),
            ),
            (
                b"add@/devices/../../etc\0SUBSYSTEM=block\0",
                BadUevent::Header("add@/devices/../../etc".into()),
            ),
            (
                b"explode@/devices\0SUBSYSTEM=block\0",
                BadUevent::Header("explode@/devices".into()),
            ),
            (b"add@/devices\0", BadUevent::NoSubsystem),
            (b"add@/devices\0SUBSYSTEM\0", BadUevent::Field("SUBSYSTEM".into())),
            (
                b"add@/devices\0SUBSYSTEM=block\0ACTION=remove\0",
                BadUevent::Contradiction("ACTION"),
            ),
            (b"add@/devices\0\xff\xff=1\0", BadUevent::Encoding(1)),
        ] {
            assert_eq!(Uevent::parse(bytes), Err(want));
        }
        assert_eq!(
            Uevent::parse(&[b'a'; UEVENT_MAX + 1]),
            Err(BadUevent::TooLong(UEVENT_MAX + 1))
        );
    }

    proptest! {
        #[test]
        fn parse_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Uevent::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_never_panics(at in 0..ADD.len(), byte: u8, cut in 0..ADD.len()) {
            let mut bytes = ADD.to_vec();
            bytes[at] = byte;
            let _ = Uevent::parse(&bytes);
            let _ = Uevent::parse(&bytes[..cut]);
        }
    }
}
