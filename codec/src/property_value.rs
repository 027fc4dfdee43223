//! Reading and writing of the properties that are numbers, with their ranges, and of those that
//! repeat.

use core::num::{NonZeroU16, NonZeroU32};

use crate::error::DecodeError;
use crate::property::row;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
use crate::text::UserProperty;
use crate::validated::Validated;
use crate::value::{Item, Rule, Value};

/// Implements [`Value`] for numbers: reading, writing, conversions, and a value in place of one
/// that is not allowed.
macro_rules! number {
    ($($type:ty: $read:ident, $write:ident, $from:expr, $into:expr, else $fallback:expr;)*) => {$(
        impl<'a> Value<'a> for $type {
            #[inline(always)]
            fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
                let at = r.offset();
                let number = r.$read(rule.field)?;
                if let Some(value) = ($from)(number) {
                    return Ok(value);
                }
                r.refuse(r.protocol_at(at, rule.field, rule.statement))?;
                Ok($fallback)
            }

            #[inline(always)]
            fn reread(rest: &mut Validated<'a>) -> Option<Self> {
                ($from)($read::from_be_bytes(rest.array()?))
            }

            #[inline(always)]
            fn write<S: Sink>(&self, sink: &mut S) {
                sink.$write(($into)(*self));
            }

            #[inline(always)]
            fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
                sink.row(id, &($into)(*self).to_be_bytes());
            }
        }
    )*};
}

number! {
    u16: u16, u16, Some, u16::from, else 0;
    u32: u32, u32, Some, u32::from, else 0;
    NonZeroU16: u16, u16, Self::new, Self::get, else Self::MIN;
    NonZeroU32: u32, u32, Self::new, Self::get, else Self::MIN;
    bool: u8, u8, flag, u8::from, else false;
    PayloadFormat: u8, u8, Self::from_number, |format| format as u8, else Self::Unspecified;
    QoS: u8, u8, maximum_qos, Self::level, else Self::AtMostOnce;
}

const fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Maximum QoS with this number; 2 is not allowed, because the absence of the property means it
/// (§3.2.2.3.4).
const fn maximum_qos(byte: u8) -> Option<QoS> {
    match byte {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        _ => None,
    }
}

impl<'a> Value<'a> for TopicAlias {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        // An alias of 0 has a reason code of its own, 0x94.
        if let Some(alias) = Self::new(r.u16(rule.field)?) {
            return Ok(alias);
        }
        r.refuse(DecodeError {
            reason_code: ReasonCode::TopicAliasInvalid,
            ..r.protocol_at(at, rule.field, Some("MQTT-3.3.2-8"))
        })?;
        Ok(Self::MIN)
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Self::new(u16::from_be_bytes(rest.array()?))
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u16(self.get());
    }
}

impl<'a> Value<'a> for SubscriptionIdentifier {
    #[inline]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        if let Some(identifier) = Self::new(r.varint(rule.field)?) {
            return Ok(identifier);
        }
        r.refuse(r.protocol_at(at, rule.field, Some("U-3.3.2-4")))?;
        Ok(Self::MIN)
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Self::new(rest.varint()?)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.varint(self.get());
    }
}

impl Item<'_> for SubscriptionIdentifier {
    const PROPERTY: Option<u8> = Some(row::subscription_identifier::ID);

    #[inline(always)]
    fn skip(rest: &mut Validated<'_>) -> Option<()> {
        rest.varint().map(drop)
    }
}

impl<'a> Item<'a> for UserProperty<'a> {
    const PROPERTY: Option<u8> = Some(row::user_property::ID);

    #[inline(always)]
    fn skip(rest: &mut Validated<'a>) -> Option<()> {
        rest.prefixed()?;
        rest.prefixed().map(drop)
    }
}
