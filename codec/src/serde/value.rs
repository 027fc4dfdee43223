//! Serialization of values: numbers, text, pairs, lists and reason codes.

use alloc::string::String;
use core::fmt;

use ::serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use ::serde::ser::{Serialize, SerializeMap, Serializer};

use crate::owned::{self, Lend};
use crate::packet::RetainHandling;
use crate::packet_type::PacketType;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;
use crate::repeated::Repeated;
use crate::text::{UserProperty, Utf8String};
use crate::topic::{TopicFilter, TopicName};
use crate::value::Item;

/// Implements both traits for types that are a number: its type, the conversions, and the accepted
/// range in words.
macro_rules! numbers {
    ($($type:ident $number:ty: $to:expr, $from:expr, $expected:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                ($to)(*self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$number>::deserialize(deserializer)?;
                let unexpected = Unexpected::Unsigned(number.into());
                ($from)(number).ok_or_else(|| D::Error::invalid_value(unexpected, &$expected))
            }
        }
    )*};
}

numbers! {
    QoS u8: Self::level, Self::from_level, "0, 1 or 2";
    PacketId u16: Self::get, Self::new, "1 to 65,535";
    TopicAlias u16: Self::get, Self::new, "1 to 65,535";
    SubscriptionIdentifier u32: Self::get, Self::new, "1 to 268,435,455";
    PayloadFormat u8: |format| format as u8, Self::from_number, "0 or 1";
    RetainHandling u8: |handling| handling as u8, Self::from_number, "0, 1 or 2";
}

/// Implements both traits for text and the types that own it.
macro_rules! texts {
    ($($name:ident)*) => {$(
        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl Serialize for owned::$name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.lend().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for owned::$name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    )*};
}

texts!(TopicFilter TopicName Utf8String);

impl Serialize for UserProperty<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.name, self.value).serialize(serializer)
    }
}

impl Serialize for owned::UserProperty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.lend().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for owned::UserProperty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(owned::Utf8String, owned::Utf8String)>::deserialize(deserializer)
            .map(|(name, value)| Self { name, value })
    }
}

impl<'a, T: Item<'a> + Serialize> Serialize for Repeated<'a, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Serialize for PacketType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", &self.code())?;
        map.serialize_entry("name", self.name())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ReasonCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeAndName)
    }
}

/// Visitor that reads a number, or a map of which only the number is used.
struct CodeAndName;

impl<'de> Visitor<'de> for CodeAndName {
    type Value = ReasonCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reason code")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ReasonCode, E> {
        let code = u8::try_from(number).ok().and_then(ReasonCode::from_code);
        code.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    /// Reads a number of a format such as TOML, which has signed integers only.
    fn visit_i64<E: Error>(self, number: i64) -> Result<ReasonCode, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReasonCode, A::Error> {
        let mut number = None;
        while let Some(key) = map.next_key::<String>()? {
            // The name is for people, and ignored.
            if key == "code" {
                number = Some(map.next_value::<u64>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.visit_u64(number.ok_or_else(|| A::Error::missing_field("code"))?)
    }
}
