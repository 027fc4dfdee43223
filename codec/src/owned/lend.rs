//! Relation of the types that own to those that borrow.

use alloc::vec::Vec;
use core::num::{NonZeroU16, NonZeroU32};

use crate::delivery::Delivery;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;

/// Type that owns a value and can be borrowed as another type.
pub trait Lend {
    /// Type that borrows.
    type Lent<'a>
    where
        Self: 'a;

    /// Value that borrows from this one.
    fn lend(&self) -> Self::Lent<'_>;
}

/// Type that borrows, with the type that owns the same values.
pub trait Own {
    /// Type that owns.
    type Owned: Lend;
}

/// Declares types with the fields of borrowed ones, each of which owns its value.
macro_rules! owns {
    ($($(#[$attribute:meta])* $owned:ident lends $lent:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[doc = concat!("Owned form of [`", stringify!($lent), "`](crate::", stringify!($lent), ").")]
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "arbitrary", derive(::arbitrary::Arbitrary))]
        #[cfg_attr(feature = "proptest", derive(::proptest_derive::Arbitrary))]
        #[expect(missing_docs, reason = "documented where it is borrowed")]
        pub struct $owned {
            $(pub $field: $type,)*
        }

        impl $crate::owned::Lend for $owned {
            type Lent<'a> = $crate::$lent<'a>;

            fn lend(&self) -> $crate::$lent<'_> {
                // Text and lists are borrowed, numbers are copied.
                $crate::$lent { $($field: $crate::owned::Lend::lend(&self.$field),)* }
            }
        }

        impl ::core::fmt::Debug for $owned {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&$crate::owned::Lend::lend(self), f)
            }
        }

        #[cfg(feature = "serde")]
        $crate::serde::fields! { $owned lends $lent { $($field: $type,)* } }
    )*};
}
pub(crate) use owns;

/// Implements [`Lend`] and [`Own`] for types that borrow nothing.
macro_rules! own_themselves {
    ($($type:ty)*) => {$(
        impl $crate::owned::Lend for $type {
            type Lent<'a> = Self;

            fn lend(&self) -> Self {
                *self
            }
        }

        impl $crate::owned::Own for $type {
            type Owned = Self;
        }
    )*};
}
pub(crate) use own_themselves;

own_themselves!(bool u16 u32 NonZeroU16 NonZeroU32);
own_themselves!(Delivery PacketId PayloadFormat QoS ReasonCode SubscriptionIdentifier TopicAlias);

impl<T: Lend> Lend for Option<T> {
    type Lent<'a>
        = Option<T::Lent<'a>>
    where
        T: 'a;

    fn lend(&self) -> Option<T::Lent<'_>> {
        // Not `map(T::lend)`: before Rust 1.92 that asks for `T: 'static`.
        self.as_ref().map(|owned| owned.lend())
    }
}

/// A payload.
impl Lend for Vec<u8> {
    type Lent<'a> = &'a [u8];

    fn lend(&self) -> &[u8] {
        self
    }
}
