//! Sets of properties, one for each packet, made of rows of the property table.

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::record::Record;
use crate::sink::WriteProperties;
use crate::validated::Validated;

/// Set of properties of a packet.
pub(crate) trait Properties<'a>: Default + WriteProperties {
    /// Identifiers of the properties that a packet may have once.
    const ONCE: &'static [u8];
    /// Identifiers of the properties that a packet may have many times.
    const MANY: &'static [u8];

    /// Reads the Property Length and the properties.
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let mut properties = Self::default();
        properties.read_into(r)?;
        Ok(properties)
    }

    /// Reads the Property Length and the properties into an empty set.
    fn read_into<R: Record>(&mut self, r: &mut Reader<'a, R>) -> Result<(), DecodeError>;

    /// Sets the properties in `section`, which was checked before; `None` if it ends within one.
    fn fill(&mut self, section: Validated<'a>) -> Option<()>;

    /// Reads the Property Length and the properties from bytes that were checked before.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        let (mut properties, section) = (Self::default(), rest.properties()?);
        properties.fill(section)?;
        Some(properties)
    }

    /// True if no property is set; some packets then omit the Property Length as well.
    fn is_empty(&self) -> bool;
}

/// Declares a packet's set of properties. The fields are rows of the table and are written in this
/// order. `rule` is the statement that a repeated property or a wrong value breaks in this packet;
/// `owned` names the type of [`crate::owned`].
macro_rules! properties {
    (
        $(#[$doc:meta])*
        $name:ident owned $owned:ident rule $rule:expr;
        once { $($(#[$once_doc:meta])* $once:ident,)* }
        many { $($(#[$many_doc:meta])* $many:ident: $many_row:ident,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name<'a> {
            $($(#[$once_doc])* pub $once: Option<$crate::property::row::$once::Value<'a>>,)*
            $($(#[$many_doc])* pub $many: $crate::repeated::Repeated<'a, $crate::property::row::$many_row::Value<'a>>,)*
        }

        #[cfg(feature = "alloc")]
        $crate::owned::owns! {
            #[derive(Default)]
            $owned lends $name {
                $($once: Option<$crate::property::row::$once::Owned>,)*
                $($many: $crate::owned::Repeated<$crate::property::row::$many_row::Owned>,)*
            }
        }

        impl $name<'_> {
            /// Set without properties, as `Default` has it, for constants.
            #[must_use]
            pub const fn new() -> Self {
                Self {
                    $($once: None,)*
                    $($many: $crate::repeated::Repeated::new(),)*
                }
            }
        }

        impl ::core::fmt::Debug for $name<'_> {
            /// Writes all properties; of Authentication Data only its length.
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $(if $crate::property::is_secret($crate::property::row::$once::ID) {
                    let redacted = self.$once.as_ref().map($crate::redaction::Redacted::value);
                    shown.field(stringify!($once), &redacted);
                } else {
                    shown.field(stringify!($once), &self.$once);
                })*
                $(shown.field(stringify!($many), &self.$many);)*
                shown.finish()
            }
        }

        impl<'a> $crate::packet::Properties<'a> for $name<'a> {
            const ONCE: &'static [u8] = &[$($crate::property::row::$once::ID),*];
            const MANY: &'static [u8] = &[$($crate::property::row::$many_row::ID),*];

            #[inline(always)]
            fn read_into<R: $crate::record::Record>(
                &mut self,
                r: &mut $crate::reader::Reader<'a, R>,
            ) -> Result<(), $crate::error::DecodeError> {
                use $crate::property::{row, skip_unexpected, unexpected};
                use $crate::value::{Rule, Value};

                // The properties are a section of their own: none can reach into the payload.
                let mut section = r.properties()?;
                while !section.is_empty() {
                    let from = section.peek_rest();
                    let at = section.offset();
                    // Identifiers are one byte: all of the standard are below 128.
                    match section.u8("property_id")? {
                        $(row::$once::ID => {
                            // A property that the packet may have once is there already.
                            if self.$once.is_some() {
                                section.refuse(section.protocol_at(at, row::$once::NAME, $rule))?;
                            }
                            let rule = Rule { field: row::$once::NAME, statement: $rule };
                            let value = Value::read(&mut section, rule);
                            // Recorded before the error is looked at, so that a wrong value is a
                            // field too.
                            section.join(at, row::$once::NAME);
                            self.$once = Some(value?);
                        })*
                        $(row::$many_row::ID => {
                            let rule = Rule { field: row::$many_row::NAME, statement: $rule };
                            // The bytes are kept, and read when the list is iterated.
                            let mut items = section.check();
                            let value = <row::$many_row::Value<'_> as Value<'_>>::read(&mut items, rule);
                            section.resume(&items);
                            section.join(at, row::$many_row::NAME);
                            value?;
                            self.$many.found_in(from);
                        })*
                        id => {
                            section.refuse(unexpected(section, at, id))?;
                            section = skip_unexpected(section, at, id)?;
                        }
                    }
                }
                Ok(())
            }

            // Out of line and in place: the fields stay in memory, and the bytes that are left in
            // registers.
            #[inline(never)]
            fn fill(&mut self, mut section: $crate::validated::Validated<'a>) -> Option<()> {
                use $crate::property::row;
                use $crate::value::Item;

                // The second pass: order, number and ranges of the properties were checked before.
                loop {
                    let from = section.peek_rest();
                    match section.u8() {
                        $(Some(row::$once::ID) => {
                            self.$once = Some($crate::value::Value::reread(&mut section)?);
                        })*
                        $(Some(row::$many_row::ID) => {
                            self.$many.found_in(from);
                            <row::$many_row::Value<'_> as Item<'_>>::skip(&mut section)?;
                        })*
                        Some(_) => {}
                        None => return Some(()),
                    }
                }
            }

            #[inline]
            fn is_empty(&self) -> bool {
                // A list that was given, but has no item, is not written either.
                true $(&& self.$once.is_none())* $(&& self.$many.is_empty())*
            }
        }

        impl $crate::sink::WriteProperties for $name<'_> {
            #[inline(always)]
            fn write<S: $crate::sink::Sink>(&self, sink: &mut S) {
                // In the order of the declaration; the standard allows any.
                $(if let Some(value) = &self.$once {
                    let id = $crate::property::row::$once::ID;
                    $crate::value::Value::write_row(value, id, sink);
                })*
                $(if !self.$many.is_empty() {
                    self.$many.write(sink);
                })*
            }
        }
    };
}
pub(crate) use properties;
