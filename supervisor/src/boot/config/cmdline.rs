//! The kernel command line: what the boot loader tells about this boot.

/// The words of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cmdline {
    /// GUID of the boot partition, lower case; `None` when booted without our boot loader.
    pub part: Option<String>,
    /// GRUB's mark on the medium that it came from; `None` where it could not write one.
    pub mark: Option<String>,
    /// Slot, `a` or `b`.
    pub slot: String,
    /// Why this slot.
    pub why: String,
    /// `bios`, `efi-x86_64`, …
    pub via: String,
    /// Tries left while the slot is on trial.
    pub left: String,
    /// GRUB could not read its environment block, or it was garbage.
    pub unread: bool,
    /// What GRUB thinks of this slot: `good`, `trying`; empty where its configuration is an older one.
    pub state: String,
}

impl Cmdline {
    /// Reads the line; the last of two equal words counts.
    pub fn parse(text: &str) -> Cmdline {
        let mut c = Cmdline::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("kiln.part", v)) if !v.is_empty() => c.part = Some(v.to_ascii_lowercase()),
                Some(("kiln.mark", v)) if !v.is_empty() => c.mark = Some(v.to_owned()),
                Some(("kiln.slot", v)) => v.clone_into(&mut c.slot),
                Some(("kiln.why", v)) => v.clone_into(&mut c.why),
                Some(("kiln.via", v)) => v.clone_into(&mut c.via),
                Some(("kiln.left", v)) => v.clone_into(&mut c.left),
                Some(("kiln.env", v)) => c.unread = v == "0",
                Some(("kiln.state", v)) => v.clone_into(&mut c.state),
                _ => {}
            }
        }
        c
    }
}

impl Cmdline {
    /// Whether this start is one of a trial, as far as GRUB tells: the medium may not be there to ask.
    pub fn on_trial(&self) -> bool {
        match self.state.as_str() {
            // Only a trial has tries left; its third start looks like a proven slot's.
            "" => self.why == "preferred" && matches!(self.left.as_str(), "1" | "2"),
            word => word == "trying",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_words_are_found() {
        let c =
            Cmdline::parse("panic=10 kiln.slot=b kiln.part=ABCD-12 kiln.why=tries-spent kiln.via=bios kiln.left=0\n");
        assert_eq!(
            (c.part.as_deref(), c.slot.as_str(), c.why.as_str(), c.via.as_str()),
            (Some("abcd-12"), "b", "tries-spent", "bios")
        );
        assert_eq!(Cmdline::parse("kiln.part="), Cmdline::default());
        assert!(Cmdline::parse("kiln.env=0").unread && !Cmdline::parse("kiln.env=1 kiln.slot=a").unread);
    }

    #[test]
    fn a_trial_is_known_without_the_medium() {
        for (line, trial) in [
            ("kiln.why=preferred kiln.left=0 kiln.state=trying", true),
            ("kiln.why=once kiln.left=3 kiln.state=trying", true),
            ("kiln.why=preferred kiln.left=2 kiln.state=good", false),
            ("kiln.why=tries-spent kiln.left=0 kiln.state=good", false),
            ("kiln.why=preferred kiln.left=1", true),
            ("kiln.why=preferred kiln.left=0", false),
            ("", false),
        ] {
            assert_eq!(Cmdline::parse(line).on_trial(), trial, "{line}");
        }
    }
}
