//! Names that stand twice in one object. One reader takes the first of them, another the last: what is checked here would not
//! be what an add-on reads.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::flaw::{Flaw, Flaws};

/// Most characters of a name that are told.
const SHOWN: usize = 60;

/// Every name of this JSON that its object has already; none where it is no JSON, which others tell.
pub(super) fn twice(text: &str) -> Vec<Flaw> {
    let mut flaws = Flaws::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    match Walk(&mut flaws).deserialize(&mut reader) {
        Ok(()) => flaws.into_vec(),
        Err(_) => Vec::new(),
    }
}

/// Goes through a value.
struct Walk<'f>(&'f mut Flaws);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        for n in 0.. {
            let mut next = Ok(None);
            self.0
                .inside(&format!("[{n}]"), |flaws| next = all.next_element_seed(Walk(flaws)));
            if next?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = all.next_key::<String>()? {
            let short: String = name.chars().take(SHOWN).collect();
            let mut read = Ok(());
            let again = !names.insert(name);
            self.0.inside(&format!(".{short}"), |flaws| {
                if again {
                    flaws.add("stands here again", "each name once in an object");
                }
                read = all.next_value_seed(Walk(flaws));
            });
            read?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_told_by_its_place() {
        let places = |text: &str| twice(text).into_iter().map(|flaw| flaw.path).collect::<Vec<_>>();
        assert_eq!(places(r#"{"a":1,"b":[null,true,1.5,-1,"x",{"c":{}}]}"#), [""; 0]);
        assert_eq!(
            places(r#"{"a":1,"b":[{"c":1,"c":{"d":1,"d":2}}],"a":2}"#),
            ["b[0].c", "b[0].c.d", "a"]
        );
        assert_eq!(places("{\"a\":1,\"a\":"), [""; 0], "no JSON, which is told as that");
    }
}
