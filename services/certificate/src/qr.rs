//! The code that paper carries: the text of a [`crate::Stamp`] as a QR code.

use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, QrResult, Version};

/// What says that the bytes which follow are UTF-8: readers guess Shift-JIS or Big5 of a name that is no ASCII. Source: AIM ECI
/// assignments.
const UTF_8: u32 = 26;

/// Versions that there are: 21 to 177 modules on a side. Source: ISO/IEC 18004.
const VERSIONS: std::ops::RangeInclusive<i16> = 1..=40;

/// Modules of a code, row by row, without the quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// Modules on a side.
    pub side: usize,
    dark: Vec<bool>,
}

impl Modules {
    /// The code of a text, at error correction M (15 % may be lost: a fold, a stain); `None` beyond what a code holds.
    pub fn of(text: &str) -> Option<Self> {
        let code = coded(text, EcLevel::M).or_else(|_| coded(text, EcLevel::L)).ok()?;
        Some(Self {
            side: code.width(),
            dark: code.to_colors().into_iter().map(|c| c == Color::Dark).collect(),
        })
    }

    /// Whether the module at this column and row is dark.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.dark.get(y * self.side + x).copied().unwrap_or(false)
    }

    /// Dark modules as runs `(x, y, length)`: fewer shapes than modules.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::new();
        for y in 0..self.side {
            let mut x = 0;
            while x < self.side {
                let length = (x..self.side).take_while(|x| self.is_dark(*x, y)).count();
                if length > 0 {
                    runs.push((x, y, length));
                }
                x += length.max(1);
            }
        }
        runs
    }
}

fn coded(text: &str, level: EcLevel) -> QrResult<QrCode> {
    if text.is_ascii() {
        return QrCode::with_error_correction_level(text, level);
    }
    let of = |version| {
        let mut bits = Bits::new(Version::Normal(version));
        bits.push_eci_designator(UTF_8)?;
        bits.push_byte_data(text.as_bytes())?;
        bits.push_terminator(level)?;
        QrCode::with_bits(bits, level)
    };
    let mut last = of(*VERSIONS.start());
    for version in VERSIONS.skip(1) {
        if last.is_ok() {
            break;
        }
        last = of(version);
    }
    last
}

/// The code as an SVG with its quiet zone of four modules (ISO/IEC 18004 §6.3.8); black on white in any theme.
pub fn svg(text: &str) -> String {
    let Some(modules) = Modules::of(text) else {
        return String::new();
    };
    let whole = modules.side + 8;
    let path: String = modules
        .runs()
        .iter()
        .map(|(x, y, length)| format!("M{} {}h{length}v1h-{length}z", x + 4, y + 4))
        .collect();
    format!(
        "<svg class=\"qr\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" aria-label=\"QR code: id, verdict, drive, key \
         and digest, signed\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{whole}v{whole}H0z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}
