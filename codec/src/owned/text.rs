//! Owned text and data, validated when they are made.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Lend, Own, owns};
use crate::text::TextError;
use crate::topic::TopicError;

/// Declares an owned type for each row, with the name of the borrowed one: its content, and the
/// error of content that is not allowed.
macro_rules! checked {
    ($($(#[$attribute:meta])* $name:ident($kept:ty) or $error:ty;)*) => {$(
        #[doc = concat!("Owns a [`", stringify!($name), "`](crate::", stringify!($name), ").")]
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($kept);

        impl $name {
            /// Validates and keeps the content.
            ///
            /// # Errors
            #[doc = concat!("As [`", stringify!($name), "::new`](crate::", stringify!($name), "::new).")]
            pub fn new(kept: impl Into<$kept>) -> Result<Self, $error> {
                let kept = kept.into();
                crate::$name::new(&kept)?;
                Ok(Self(kept))
            }
        }

        impl Lend for $name {
            type Lent<'a> = crate::$name<'a>;

            fn lend(&self) -> crate::$name<'_> {
                crate::$name::of_validated(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.lend().fmt(f)
            }
        }
    )*};
}

checked! {
    #[derive(Default)]
    Utf8String(String) or TextError;
    #[derive(Default)]
    BinaryData(Vec<u8>) or TextError;
    TopicName(String) or TopicError;
    TopicFilter(String) or TopicError;
}

owns! {
    UserProperty lends UserProperty { name: Utf8String, value: Utf8String, }
}

macro_rules! own {
    ($($lent:ident)*) => {$(
        impl Own for crate::$lent<'_> {
            type Owned = $lent;
        }
    )*};
}

own!(BinaryData TopicFilter TopicName UserProperty Utf8String);
