//! Seconds and bytes as people write them in a unit file.

use std::fmt;

use serde::Deserialize;

/// Seconds as a whole or broken number, kept as milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds from 0 to 86400")
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Seconds, E> {
                match u64::try_from(v) {
                    Ok(s) if s <= 86_400 => Ok(Seconds(s * 1000)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(v), &self)),
                }
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 86 400 000"
            )]
            fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Seconds, E> {
                if (0.0..=86_400.0).contains(&v) {
                    // The shortest time is not none at all, which would mean something else.
                    let least = u64::from(v > 0.0);
                    Ok(Seconds(((v * 1000.0).round() as u64).max(least)))
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Float(v), &self))
                }
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// Bytes as a number or as text with `K`, `M` or `G`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes: a positive number, or text like \"512M\"")
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Size, E> {
                match u64::try_from(v) {
                    Ok(n) if n > 0 => Ok(Size(n)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(v), &self)),
                }
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Size, E> {
                let bad = || E::invalid_value(serde::de::Unexpected::Str(v), &self);
                let (digits, unit) = match v.as_bytes().last() {
                    Some(b'K') => (&v[..v.len() - 1], 1 << 10),
                    Some(b'M') => (&v[..v.len() - 1], 1 << 20),
                    Some(b'G') => (&v[..v.len() - 1], 1 << 30),
                    _ => (v, 1),
                };
                let n: u64 = digits.parse().map_err(|_| bad())?;
                n.checked_mul(unit).filter(|n| *n > 0).map(Size).ok_or_else(bad)
            }
        }
        d.deserialize_any(Visitor)
    }
}
