//! The status page, laid out for the terminal it is drawn on: address, claim code and fingerprint come first, and stand within
//! 25 rows of 80 columns however much there is besides.
//!
//! ```text
//!   KILN  host
//!
//!   Dashboard   http://ADDRESS
//!               further addresses, as many as one row takes
//!   Name, claim code, certificate, state ...   │ QR code
//!   what the agent is at                       │
//!   banners, units that are not ready          │
//!   drives, as many as there is room for       │
//! ```
//!
//! The QR code says what the first row says, and comes and changes with it. Where the terminal is too small for it, it is left out. What has no room is counted in the last row.

use wire::supervisor::{Medium, UnitState};

use super::{Screen, name, qr, state, url};
use crate::shell::printable::Printable;

/// Left margin and label, in characters.
const INDENT: usize = 14;
/// Characters between what is told and the QR code, and behind everything: a full row makes the cursor go on to the next one.
const GAP: usize = 1;
/// Rows that even the longest banners leave to the drives: their number, and what has no room.
const FOR_DRIVES: usize = 2;

/// Rows and columns that a page may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// A drive's row: what is always told of it, and its serial number for where the row has room for all of it: half of one tells of
/// another drive. Empty where the kernel knows none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Disk {
    pub(super) words: String,
    pub(super) serial: String,
}

/// Rows that are filled one after another, the first ones beside a QR code.
struct Sheet {
    size: Size,
    lines: Vec<String>,
    code: Vec<String>,
    /// The row that the code begins in.
    top: usize,
}

impl Sheet {
    /// Characters that the next row takes.
    fn width(&self) -> usize {
        let row = self.lines.len();
        let beside = (self.top..self.top + self.code.len()).contains(&row);
        let code = self
            .code
            .first()
            .filter(|_| beside)
            .map_or(0, |l| l.chars().count() + GAP);
        self.size.columns.saturating_sub(code + GAP).max(INDENT + 1)
    }

    fn left(&self) -> usize {
        self.size.rows.saturating_sub(self.lines.len())
    }

    /// A line, broken where the row ends: between words where there are any. The rows that follow begin with `indent` spaces.
    fn say(&mut self, first: &str, text: &str, indent: usize) {
        let mut line = format!("  {first}");
        let mut empty = true;
        for word in text.split(' ').filter(|w| !w.is_empty()) {
            let used = line.chars().count();
            let space = usize::from(!empty);
            if !empty && used + space + word.chars().count() > self.width() {
                self.lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            } else if !empty {
                line.push(' ');
            }
            for c in word.chars() {
                if line.chars().count() >= self.width() {
                    self.lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                }
                line.push(c);
            }
            empty = false;
        }
        self.lines.push(line.trim_end().to_owned());
    }

    fn field(&mut self, label: &str, text: &str) {
        self.say(&format!("{label:<12}"), &Printable(text).to_string(), INDENT);
    }

    /// One row; what is too long is cut.
    fn row(&mut self, text: &str) {
        let cut = text.chars().take(self.width()).collect();
        self.lines.push(cut);
    }

    /// All rows, with the code beside them.
    fn text(mut self) -> String {
        let needed = if self.code.is_empty() {
            0
        } else {
            self.top + self.code.len()
        };
        self.lines.resize(self.lines.len().max(needed), String::new());
        let width = self.size.columns.saturating_sub(GAP);
        for (n, code) in self.code.iter().enumerate() {
            let line = &mut self.lines[self.top + n];
            let free = width.saturating_sub(line.chars().count() + code.chars().count());
            line.push_str(&" ".repeat(free));
            line.push_str(code);
        }
        self.lines.iter().map(|l| format!("{l}\n")).collect()
    }
}

/// The page as text of at most `size`. What others have said is made printable here already: a line of theirs would pass for one
/// of ours.
pub(super) fn render(screen: &Screen, drives: &[Disk], size: Size) -> String {
    let s = &screen.status;
    let mut sheet = Sheet {
        size,
        lines: vec![String::new()],
        code: Vec::new(),
        top: 0,
    };
    sheet.row(&format!("  KILN  {}", Printable(&s.host)));
    sheet.lines.push(String::new());
    let url = url(screen);
    match &url {
        Some(u) => {
            sheet.field("Dashboard", u);
            others(&mut sheet, s.addresses.get(1..).unwrap_or_default());
        }
        None => sheet.field("Dashboard", "no address yet: connect a network cable"),
    }
    // With the address, whether or not the server has told a claim code by now: it says what the row above it says.
    if let Some(u) = &url {
        let code = qr::half_blocks(u);
        let wide = code.first().map_or(0, |l| l.chars().count());
        sheet.top = sheet.lines.len();
        if sheet.top + code.len() <= size.rows && wide + 2 * INDENT <= size.columns {
            sheet.code = code;
        }
    }
    if let Some(c) = &screen.claim {
        sheet.field("Claim code", c);
    }
    if let Some(n) = name(screen) {
        sheet.field("Name", &format!("http://{n}"));
    }
    if let Some(f) = &screen.fingerprint {
        fingerprint(&mut sheet, f);
    }
    let slot = if s.boot.slot.is_empty() { "-" } else { &s.boot.slot };
    sheet.field("Slot", &format!("{slot} {}", s.boot.why));
    sheet.field(
        "State",
        match s.boot.medium {
            Medium::Disk => "on the boot medium",
            Medium::Ram => "in memory only",
        },
    );
    sheet.field("Last boot", &s.boot.reason);
    if let Some(p) = &screen.progress {
        sheet.field("Now", p);
    }
    // Whoever stands before the box wants to know it before they switch it off or pull a drive.
    let agent = s
        .units
        .iter()
        .find(|u| u.name == "agent" && u.state == UnitState::Ready);
    if let Some(agent) = agent.filter(|u| !u.status.is_empty()) {
        sheet.field("Burn-in", &agent.status);
    }
    for b in &s.banners {
        sheet.say("! ", &Printable(&b.text).to_string(), 4);
    }
    let troubled = |u: &&wire::supervisor::UnitView| !matches!(u.state, UnitState::Ready | UnitState::Done);
    for u in s.units.iter().filter(troubled) {
        let text = format!("{} is {} {}", u.name, state(u.state), u.reason);
        sheet.say("", &Printable(&text).to_string(), 4);
    }
    cut(&mut sheet, FOR_DRIVES);
    sheet.field("Drives", &drives.len().to_string());
    let room = sheet.left();
    let shown = if drives.len() <= room {
        room
    } else {
        room.saturating_sub(1)
    };
    for d in drives.iter().take(shown) {
        let words = format!("{:INDENT$}{}", "", Printable(&d.words));
        let whole = format!("{words}  {}", Printable(&d.serial));
        let has_room = whole.chars().count() <= sheet.width();
        sheet.row(if has_room { whole.trim_end() } else { &words });
    }
    if shown < drives.len() && room > 0 {
        sheet.row(&format!("{:INDENT$}and {} more", "", drives.len() - shown));
    }
    sheet.text()
}

/// The box's further addresses, as many as one row takes.
fn others(sheet: &mut Sheet, addresses: &[String]) {
    let mut line = " ".repeat(INDENT);
    let empty = line.len();
    for a in addresses {
        let space = if line.len() == empty { "" } else { "  " };
        if line.len() + space.len() + a.len() <= sheet.width() {
            line.push_str(space);
            line.push_str(a);
        }
    }
    if line.len() > empty {
        sheet.row(&line);
    }
}

/// The certificate's fingerprint, broken between bytes, so that it can be compared row by row.
fn fingerprint(sheet: &mut Sheet, hex: &str) {
    let shown = Printable(hex).to_string();
    let mut rest: Vec<char> = shown.chars().collect();
    let mut label = "  Certificate ";
    while !rest.is_empty() {
        let fits = (sheet.width() - INDENT).min(48) / 3 * 3;
        let behind = rest.split_off(fits.max(1).min(rest.len()));
        let row: String = rest.iter().collect();
        sheet.lines.push(format!("{label}{row}"));
        rest = behind;
        label = "              ";
    }
}

/// Leaves `keep` rows, and says that there was more.
fn cut(sheet: &mut Sheet, keep: usize) {
    let most = sheet.size.rows.saturating_sub(keep);
    if sheet.lines.len() > most && most > 0 {
        let more = sheet.lines.len() - (most - 1);
        sheet.lines.truncate(most - 1);
        sheet.row(&format!("  {more} more lines: the dashboard has them all"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::tests::screen;
    use super::*;
    use wire::boxes::Banner;
    use wire::event::Severity;
    use wire::supervisor::UnitView;

    /// What the smallest terminal leaves to a page, above what can be typed.
    const SMALL: Size = Size { rows: 22, columns: 80 };

    fn unit(name: &str, reason: &str) -> UnitView {
        UnitView {
            name: name.into(),
            state: UnitState::Degraded,
            rung: None,
            reason: reason.into(),
            status: "kiln-abcd.local".into(),
            restarts: 0,
            pid: None,
            since: wire::Time::now(),
        }
    }

    #[test]
    fn address_claim_code_and_fingerprint_stand_on_the_smallest_screen_however_much_there_is() {
        let hex = vec!["AB"; 31].join(":") + ":CD";
        let long = "2001:db8:1234:5678:abcd:ef01:2345:6789";
        for first in ["192.0.2.7", "192.168.100.200", long] {
            for (addresses, drives, banners, units) in [(0, 0, 0, 0), (1, 3, 1, 1), (15, 64, 0, 0), (15, 64, 10, 20)] {
                let mut s = screen();
                s.status.host = "h".repeat(if banners == 0 { 4 } else { 64 });
                s.status.addresses = vec![first.into()];
                s.status.addresses.extend(vec![long.to_owned(); addresses]);
                s.status.banners = (0..banners)
                    .map(|n| Banner {
                        severity: Severity::Warning,
                        text: format!("{n} {}", "words of a banner ".repeat(9)),
                    })
                    .collect();
                s.status.units = vec![unit("mdns", "")];
                s.status
                    .units
                    .extend((0..units).map(|n| unit(&format!("u{n}"), &"x".repeat(300))));
                s.fingerprint = Some(hex.clone());
                let drives: Vec<Disk> = (0..drives)
                    .map(|n| disk(&format!("sd{n}  {}", "MODEL ".repeat(20))))
                    .collect();
                let t = render(&s, &drives, SMALL);
                let lines: Vec<&str> = t.lines().collect();
                assert!(lines.len() <= SMALL.rows, "{} rows:\n{t}", lines.len());
                assert!(lines.iter().all(|l| l.chars().count() < SMALL.columns), "{t}");
                let bare = if first.contains(':') {
                    format!("http://[{first}]")
                } else {
                    format!("http://{first}")
                };
                assert!(t.contains(&bare) && t.contains("ABCD1234"), "{t}");
                assert!(t.contains('▄'), "room for the QR code:\n{t}");
                let digits: String = lines
                    .iter()
                    .skip_while(|l| !l.contains("Certificate"))
                    .take(4)
                    .flat_map(|l| l.chars().skip(INDENT))
                    .filter(char::is_ascii_hexdigit)
                    .collect();
                assert!(digits.starts_with(&hex.replace(':', "")), "{digits}\n{t}");
                assert!(t.contains(&format!("Drives      {}", drives.len())), "{t}");
                if drives.len() == 64 {
                    assert!(t.contains(" more"), "{t}");
                }
            }
        }
    }

    #[test]
    fn what_the_agent_is_at_is_told_as_long_as_it_runs() {
        let mut s = screen();
        let agent = UnitView {
            state: UnitState::Ready,
            status: "3 tests are under way".into(),
            ..unit("agent", "")
        };
        s.status.units = vec![agent];
        assert!(render(&s, &[], SMALL).contains("Burn-in     3 tests are under way"));
        s.status.units[0].state = UnitState::Degraded;
        assert!(!render(&s, &[], SMALL).contains("Burn-in"));
    }

    /// Whether the page shows just this address, in words and as code.
    fn shows(page: &str, url: &str) -> bool {
        let rows: Vec<&str> = page.lines().collect();
        let code = qr::half_blocks(url);
        page.contains(&format!("Dashboard   {url}"))
            && rows
                .windows(code.len())
                .any(|w| w.iter().zip(&code).all(|(row, code)| row.ends_with(code.as_str())))
    }

    #[test]
    fn the_code_comes_with_the_address_that_stands_beside_it_and_changes_with_it() {
        let mut s = screen();
        s.status.addresses.clear();
        let none = render(&s, &[], SMALL);
        assert!(none.contains("no address yet") && !none.contains('▄'), "{none}");
        // The server tells the claim code later than the kernel the address, and none once the box has an owner.
        for claim in [None, Some("ABCD1234".to_owned())] {
            s.claim = claim;
            for (address, url) in [
                ("192.0.2.7", "http://192.0.2.7"),
                ("192.0.2.8", "http://192.0.2.8"),
                ("169.254.3.4", "http://169.254.3.4"),
                ("2001:db8::1", "http://[2001:db8::1]"),
            ] {
                s.status.addresses = vec![address.into(), "2001:db8::9".into()];
                let page = render(&s, &[], SMALL);
                assert!(shows(&page, url) && !shows(&page, "http://192.0.2.9"), "{url}:\n{page}");
            }
        }
    }

    fn disk(words: &str) -> Disk {
        Disk {
            words: words.to_owned(),
            serial: String::new(),
        }
    }

    #[test]
    fn a_serial_number_is_told_whole_or_not_at_all() {
        let told = |serial: &str| {
            let disk = Disk {
                serial: serial.to_owned(),
                ..disk("sda  DISK  4000 GB")
            };
            let t = render(&screen(), &[disk], SMALL);
            let row = t.lines().find(|l| l.contains("sda")).unwrap().trim();
            // The code stands beside it.
            row.split("   ").next().unwrap().to_owned()
        };
        assert_eq!(told("WD-WCC4E1234567"), "sda  DISK  4000 GB  WD-WCC4E1234567");
        assert_eq!(told(&"9".repeat(60)), "sda  DISK  4000 GB");
        assert_eq!(told(""), "sda  DISK  4000 GB");
    }

    #[test]
    fn a_larger_screen_shows_every_drive_and_a_smaller_one_no_code() {
        let drives: Vec<Disk> = (0..30).map(|n| disk(&format!("sd{n}"))).collect();
        let t = render(&screen(), &drives, Size { rows: 60, columns: 128 });
        assert!(t.contains("sd29") && !t.contains("more"), "{t}");
        let t = render(&screen(), &drives, Size { rows: 16, columns: 80 });
        assert!(
            !t.contains('▄') && t.contains("ABCD1234") && t.lines().count() <= 16,
            "{t}"
        );
        // Nobody's terminal, and no panic.
        for (rows, columns) in [(0, 0), (1, 1), (5, 20)] {
            let _ = render(&screen(), &drives, Size { rows, columns });
        }
    }

    #[test]
    fn the_screen_says_what_a_person_needs() {
        let t = render(&screen(), &[disk("sda  DISK  4000 GB")], SMALL);
        for wanted in [
            "http://192.0.2.7",
            "ABCD1234",
            "Slot        a",
            "power-on",
            "in memory only",
            "sda  DISK",
            "▄",
        ] {
            assert!(t.contains(wanted), "{wanted} is missing in\n{t}");
        }
    }

    #[test]
    fn no_name_of_a_drive_or_reason_makes_a_line_of_its_own() {
        let evil = "X\n  Claim code  EVIL\u{1b}[2J\u{202e}";
        let mut s = screen();
        (s.status.host, s.status.boot.why, s.status.boot.reason) = (evil.into(), evil.into(), evil.into());
        s.progress = Some(evil.into());
        s.status.banners = vec![Banner {
            severity: Severity::Warning,
            text: evil.into(),
        }];
        let t = render(&s, &[disk(evil)], SMALL);
        let codes: Vec<&str> = t.lines().filter(|l| l.starts_with("  Claim code")).collect();
        assert!(
            codes.len() == 1 && codes[0].starts_with("  Claim code  ABCD1234"),
            "{t}"
        );
        assert!(
            t.contains("X\\n  Claim code  EVIL\\u{1b}[2J\\u{202e}"),
            "told as it is: {t}"
        );
    }
}
