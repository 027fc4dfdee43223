//! JSON value whose objects have no key twice.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// JSON value that was read strictly: a key that an object has twice is an error, where
/// `serde_json` silently takes the last value. In a policy that could turn a Deny into an
/// Allow.
#[derive(Debug, PartialEq)]
pub(super) struct UniqueKeys(pub(super) Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = vec![];
        while let Some(UniqueKeys(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            // Judged before the value is read, so that the error's column is that of the key.
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{key:?} is there twice")));
            }
            let UniqueKeys(value) = access.next_value()?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_serde_json_reads_it() {
        for json in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1.5",
            r#""a\nb""#,
            r#"[1,"b",{}]"#,
            r#"{"a":{"b":[]},"b":{"a":1}}"#,
        ] {
            let expected: Value = serde_json::from_str(json).unwrap();
            assert_eq!(
                serde_json::from_str::<UniqueKeys>(json).unwrap().0,
                expected
            );
        }
    }

    #[test]
    fn a_key_that_one_object_has_twice_is_an_error_with_its_place() {
        let json = "{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2}}";
        let error = serde_json::from_str::<UniqueKeys>(json).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"c\" is there twice at line 2 column 18"
        );
    }
}
