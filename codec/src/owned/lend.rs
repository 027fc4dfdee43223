//! Relation of the types that own to those that borrow, in both directions.

use alloc::vec::Vec;
use core::num::{NonZeroU16, NonZeroU32};

use crate::delivery::Delivery;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;

/// Type that owns a value and can be borrowed as another type.
///
/// Users call `as_borrowed` and the conversions that [`owns`] implements. The trait is for the
/// fields of generated types, and can't be named outside the crate.
#[expect(
    unnameable_types,
    reason = "sealed: the relation is that of the codec's own types"
)]
pub trait Lend {
    /// Type that borrows.
    type Lent<'a>
    where
        Self: 'a;

    /// Value that borrows from this one.
    fn lend(&self) -> Self::Lent<'_>;
}

/// Type that borrows, with the type that owns the same values. Not to be named outside the crate,
/// like [`Lend`].
#[expect(
    unnameable_types,
    reason = "sealed: the relation is that of the codec's own types"
)]
pub trait Own {
    /// Type that owns.
    type Owned;

    /// Copy of the value that owns its text and data.
    fn own(&self) -> Self::Owned;
}

/// Declares types with the fields of borrowed ones, each of which owns its value.
macro_rules! owns {
    ($($(#[$attribute:meta])* $owned:ident lends $lent:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[doc = concat!("Owned form of [`", stringify!($lent), "`](crate::", stringify!($lent), ").")]
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "arbitrary", derive(::arbitrary::Arbitrary))]
        #[cfg_attr(feature = "proptest", derive(::proptest_derive::Arbitrary))]
        #[expect(missing_docs, reason = "documented where it is borrowed")]
        pub struct $owned {
            $(pub $field: $type,)*
        }

        impl $owned {
            #[doc = concat!("[`", stringify!($lent), "`](crate::", stringify!($lent), ") that borrows from this one.")]
            #[must_use]
            pub fn as_borrowed(&self) -> $crate::$lent<'_> {
                // Text and lists are borrowed, numbers are copied.
                $crate::$lent { $($field: $crate::owned::Lend::lend(&self.$field),)* }
            }
        }

        impl $crate::owned::Lend for $owned {
            type Lent<'a> = $crate::$lent<'a>;

            fn lend(&self) -> $crate::$lent<'_> {
                self.as_borrowed()
            }
        }

        impl $crate::$lent<'_> {
            /// Copy that owns its text and data.
            #[must_use]
            pub fn to_owned(&self) -> $owned {
                $owned { $($field: $crate::owned::Own::own(&self.$field),)* }
            }
        }

        impl $crate::owned::Own for $crate::$lent<'_> {
            type Owned = $owned;

            fn own(&self) -> $owned {
                self.to_owned()
            }
        }

        impl From<$crate::$lent<'_>> for $owned {
            fn from(borrowed: $crate::$lent<'_>) -> Self {
                borrowed.to_owned()
            }
        }

        impl<'a> From<&'a $owned> for $crate::$lent<'a> {
            fn from(owned: &'a $owned) -> Self {
                owned.as_borrowed()
            }
        }

        impl ::core::fmt::Debug for $owned {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.as_borrowed(), f)
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

            fn own(&self) -> Self {
                *self
            }
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

impl<T: Own> Own for Option<T> {
    type Owned = Option<T::Owned>;

    fn own(&self) -> Option<T::Owned> {
        self.as_ref().map(T::own)
    }
}

/// A payload.
impl Lend for Vec<u8> {
    type Lent<'a> = &'a [u8];

    fn lend(&self) -> &[u8] {
        self
    }
}

/// A payload.
impl Own for &[u8] {
    type Owned = Vec<u8>;

    fn own(&self) -> Vec<u8> {
        self.to_vec()
    }
}
