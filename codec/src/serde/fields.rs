//! Serialization of types with named fields as maps, from the same rows as the owned types.

/// Implements `Serialize` for a borrowed type, and `Serialize` and `Deserialize` for the type that
/// owns it.
macro_rules! fields {
    // A pair is written as one, without names: `value.rs`.
    (UserProperty lends $($rest:tt)*) => {};
    ($owned:ident lends $lent:ident { $($field:ident: $type:ty,)* }) => {
        const _: () = {
            use ::core::fmt;

            use ::serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
            use ::serde::ser::{Serialize, SerializeMap, Serializer};
            use $crate::serde::{ReadField, WriteField};

            impl Serialize for $crate::$lent<'_> {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let mut map = serializer.serialize_map(None)?;
                    $(self.$field.write_field(stringify!($field), &mut map)?;)*
                    map.end()
                }
            }

            impl Serialize for $owned {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    $crate::owned::Lend::lend(self).serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for $owned {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_map(Slots::default())
                }
            }

            /// Fields that were read so far.
            #[derive(Default)]
            struct Slots {
                $($field: <$type as ReadField>::Slot,)*
            }

            impl<'de> Visitor<'de> for Slots {
                type Value = $owned;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(concat!("the fields of ", stringify!($lent)))
                }

                fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<$owned, A::Error> {
                    while let Some(key) = map.next_key::<::alloc::string::String>()? {
                        // Each field is asked for the key in turn; a key that no field knows is an
                        // error.
                        let known = false
                            $(|| <$type>::read_field(&mut self.$field, stringify!($field), &key, &mut map)?)*;
                        if !known {
                            return Err(A::Error::unknown_field(&key, &[$(stringify!($field)),*]));
                        }
                    }
                    Ok($owned { $($field: <$type>::finish(self.$field, stringify!($field))?,)* })
                }
            }
        };
    };
}
pub(crate) use fields;
