//! The code that paper carries: the text of a [`crate::Stamp`] as a QR code.

use qrcode::{Color, EcLevel, QrCode};

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
        let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M)
            .or_else(|_| QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L))
            .ok()?;
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
