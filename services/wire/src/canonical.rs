//! The one form in which a JSON value is signed or hashed: RFC 8785 (JSON Canonicalization Scheme).
//!
//! Members sorted by UTF-16 code units, no white space, numbers as ECMAScript prints a double. The
//! scheme knows doubles only, so a whole number beyond ±(2^53 − 1) is refused rather than rounded:
//! whoever makes a document writes such a number as a text.

use serde::Serialize;
use serde_json::{Number, Value};

/// Largest whole number that every JSON reader takes exactly: 2^53 − 1. Source: RFC 8259 §6, RFC 7493 §2.2.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// A whole number that a double does not hold.
    #[error("{at}: {number} is beyond ±(2^53 − 1); expected it as a text")]
    TooLarge {
        /// Where it stands, as a JSON pointer.
        at: String,
        /// The number.
        number: String,
    },
    /// It is no JSON.
    #[error("it cannot be written as JSON")]
    NoJson(#[source] serde_json::Error),
}

/// The canonical form of anything that can be written as JSON.
///
/// # Errors
/// When it cannot be, or holds a whole number that a double does not.
pub fn of(value: &impl Serialize) -> Result<String, NotCanonical> {
    let value = serde_json::to_value(value).map_err(NotCanonical::NoJson)?;
    of_value(&value)
}

/// The canonical form of a parsed value.
///
/// # Errors
/// When it holds a whole number that a double does not.
pub fn of_value(value: &Value) -> Result<String, NotCanonical> {
    exact(value, &mut String::new())?;
    serde_json_canonicalizer::to_string(value).map_err(NotCanonical::NoJson)
}

/// The same value with every whole number that a double does not hold as a text: so it always has a canonical form.
pub fn told(value: Value) -> Value {
    match value {
        Value::Number(number) if is_too_large(&number) => Value::String(number.to_string()),
        Value::Array(items) => items.into_iter().map(told).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, member)| (name, told(member)));
            Value::Object(members.collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

fn is_too_large(number: &Number) -> bool {
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    whole.is_some_and(|whole| whole > WHOLE_MAX)
}

fn exact(value: &Value, at: &mut String) -> Result<(), NotCanonical> {
    if value.as_number().is_some_and(is_too_large) {
        return Err(NotCanonical::TooLarge {
            at: at.clone(),
            number: value.to_string(),
        });
    }
    let depth = at.len();
    let mut inner = |name: &str, value: &Value| {
        at.push('/');
        at.push_str(name);
        let result = exact(value, at);
        at.truncate(depth);
        result
    };
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| inner(&index.to_string(), item)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| inner(name, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// A whole number that may pass 2^53 (packed SMART raw values do): a number where that is exact, else a text.
pub mod whole {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::WHOLE_MAX;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(value: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            None => to.serialize_none(),
            Some(value) if value.unsigned_abs() <= WHOLE_MAX => to.serialize_i64(*value),
            Some(value) => to.serialize_str(&value.to_string()),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is neither a whole number nor a text of one.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        Ok(match Option::<Either>::deserialize(from)? {
            None => None,
            Some(Either::Number(value)) => Some(value),
            Some(Either::Text(text)) => Some(text.parse().map_err(D::Error::custom)?),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 8785 §3.2.2 and §3.2.3, its own example.
    #[test]
    fn the_example_of_the_rfc() {
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(of_value(&serde_json::from_str(text).unwrap()).unwrap(), expected);
    }

    /// RFC 8785 §3.2.3: sorted by UTF-16 code units, not by code points.
    #[test]
    fn members_are_sorted_by_utf16() {
        let value = json!({"€": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "😀": 5, "\u{80}": 6, "ö": 7});
        assert_eq!(
            of_value(&value).unwrap(),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    /// The table that the dashboard and `tests/chain.py` run, too.
    #[test]
    fn the_table_of_all_readers() {
        let table: Value = serde_json::from_str(include_str!("../cases/canonical.json")).unwrap();
        let cases = table["canonical"].as_array().unwrap();
        assert!(cases.len() > 5);
        for case in cases {
            let value: Value = serde_json::from_str(case["json"].as_str().unwrap()).unwrap();
            // A double beyond 2^53 is no whole number here.
            assert_eq!(of_value(&value).unwrap(), case["canonical"].as_str().unwrap(), "{case}");
        }
    }

    /// RFC 8785 appendix B.
    #[test]
    fn numbers_are_printed_as_ecmascript_does() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            assert_eq!(of(&f64::from_bits(bits)).unwrap(), text, "{bits:x}");
        }
    }

    #[test]
    fn a_number_that_would_be_rounded_is_refused_with_its_place() {
        let refusal = of_value(&json!({"a": [1, {"b": (1_u64 << 53)}]}))
            .unwrap_err()
            .to_string();
        assert!(refusal.starts_with("/a/1/b: 9007199254740992"), "{refusal}");
        assert!(of_value(&json!(i64::MIN)).is_err());
        assert_eq!(of_value(&json!(WHOLE_MAX)).unwrap(), "9007199254740991");
        assert_eq!(of_value(&json!(-(WHOLE_MAX as i64))).unwrap(), "-9007199254740991");
        let value = json!({"a": [1, {"b": u64::MAX, "c": i64::MIN, "d": WHOLE_MAX, "e": 1e300}]});
        let spelt =
            json!({"a": [1, {"b": "18446744073709551615", "c": "-9223372036854775808", "d": WHOLE_MAX, "e": 1e300}]});
        assert_eq!(told(value), spelt);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(WHOLE_MAX as i64)..=WHOLE_MAX as i64).prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_of_parsed_canonical_is_itself(value in any_json()) {
            let once = of_value(&value).unwrap();
            // What is beyond 2^53 after parsing was a double that prints without a point.
            if let Ok(twice) = of_value(&serde_json::from_str(&once).unwrap()) {
                prop_assert_eq!(once, twice);
            }
        }
    }
}
