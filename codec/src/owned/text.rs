//! Owned text and data, validated when they are made.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::ops::Deref;
use core::str::FromStr;

use super::{Lend, Own, owns};
use crate::text::TextError;
use crate::topic_error::TopicError;

/// Declares an owned type for each row, with the name of the borrowed one: its content, the
/// borrowed content with the method that returns it, and the error of content that is not allowed.
macro_rules! checked {
    ($($(#[$attribute:meta])* $name:ident($content:ty) $borrowed:ty, $as_borrowed:ident or $error:ty;)*) => {$(
        #[doc = concat!("Owned form of [`", stringify!($name), "`](crate::", stringify!($name), ").")]
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($content);

        impl $name {
            /// Checks the content and takes it.
            ///
            /// # Errors
            #[doc = concat!("The errors of [`", stringify!($name), "::new`](crate::", stringify!($name), "::new).")]
            pub fn new(content: impl Into<$content>) -> Result<Self, $error> {
                let content = content.into();
                crate::$name::new(&content)?;
                Ok(Self(content))
            }

            #[doc = concat!("[`", stringify!($name), "`](crate::", stringify!($name), ") that borrows from this one.")]
            #[must_use]
            pub fn as_borrowed(&self) -> crate::$name<'_> {
                crate::$name::of_validated(self.0.as_ref())
            }

            /// Content, borrowed.
            #[must_use]
            pub fn $as_borrowed(&self) -> &$borrowed {
                &self.0
            }
        }

        impl Lend for $name {
            type Lent<'a> = crate::$name<'a>;

            fn lend(&self) -> crate::$name<'_> {
                self.as_borrowed()
            }
        }

        impl crate::$name<'_> {
            /// Copy that owns its content.
            #[must_use]
            pub fn to_owned(&self) -> $name {
                $name(self.$as_borrowed().into())
            }
        }

        impl Own for crate::$name<'_> {
            type Owned = $name;

            fn own(&self) -> $name {
                self.to_owned()
            }
        }

        impl From<crate::$name<'_>> for $name {
            fn from(borrowed: crate::$name<'_>) -> Self {
                borrowed.to_owned()
            }
        }

        impl<'a> From<&'a $name> for crate::$name<'a> {
            fn from(owned: &'a $name) -> Self {
                owned.as_borrowed()
            }
        }

        impl TryFrom<$content> for $name {
            type Error = $error;

            /// Checks the content and takes it.
            ///
            /// # Errors
            #[doc = concat!("The errors of [`", stringify!($name), "::new`].")]
            fn try_from(content: $content) -> Result<Self, $error> {
                Self::new(content)
            }
        }

        impl TryFrom<&$borrowed> for $name {
            type Error = $error;

            /// Checks the content and copies it.
            ///
            /// # Errors
            #[doc = concat!("The errors of [`", stringify!($name), "::new`].")]
            fn try_from(content: &$borrowed) -> Result<Self, $error> {
                crate::$name::new(content).map(|borrowed| borrowed.to_owned())
            }
        }

        impl From<$name> for $content {
            fn from(owned: $name) -> Self {
                owned.0
            }
        }

        impl Deref for $name {
            type Target = $borrowed;

            fn deref(&self) -> &$borrowed {
                &self.0
            }
        }

        impl AsRef<$borrowed> for $name {
            fn as_ref(&self) -> &$borrowed {
                &self.0
            }
        }

        // Equality, order and hash are those of the content.
        impl Borrow<$borrowed> for $name {
            fn borrow(&self) -> &$borrowed {
                &self.0
            }
        }

        impl PartialEq<$borrowed> for $name {
            fn eq(&self, other: &$borrowed) -> bool {
                self.$as_borrowed() == other
            }
        }

        impl PartialEq<&$borrowed> for $name {
            fn eq(&self, other: &&$borrowed) -> bool {
                self.$as_borrowed() == *other
            }
        }

        impl PartialEq<$name> for $borrowed {
            fn eq(&self, other: &$name) -> bool {
                self == other.$as_borrowed()
            }
        }

        impl PartialEq<$name> for &$borrowed {
            fn eq(&self, other: &$name) -> bool {
                *self == other.$as_borrowed()
            }
        }

        impl PartialEq<crate::$name<'_>> for $name {
            fn eq(&self, other: &crate::$name<'_>) -> bool {
                self.as_borrowed() == *other
            }
        }

        impl PartialEq<$name> for crate::$name<'_> {
            fn eq(&self, other: &$name) -> bool {
                *self == other.as_borrowed()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.as_borrowed(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.as_borrowed(), f)
            }
        }
    )*};
}

checked! {
    /// ```
    /// use dunlin_codec::owned::Utf8String;
    ///
    /// let text: Utf8String = "lamp-7".parse()?;
    /// assert_eq!(text.len(), 6);
    /// assert_eq!(String::from(text), "lamp-7");
    /// # Ok::<(), dunlin_codec::TextError>(())
    /// ```
    #[derive(Default)]
    Utf8String(String) str, as_str or TextError;
    #[derive(Default)]
    BinaryData(Vec<u8>) [u8], as_bytes or TextError;
    TopicName(String) str, as_str or TopicError;
    TopicFilter(String) str, as_str or TopicError;
}

// `data == b"key"` compares with an array.
impl<const N: usize> PartialEq<[u8; N]> for BinaryData {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.as_bytes() == other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for BinaryData {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self.as_bytes() == *other
    }
}

/// Implements `FromStr` for text.
macro_rules! from_str {
    ($($name:ident: $error:ty;)*) => {$(
        impl FromStr for $name {
            type Err = $error;

            /// Checks the text and copies it.
            ///
            /// # Errors
            #[doc = concat!("The errors of [`", stringify!($name), "::new`].")]
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(text)
            }
        }
    )*};
}

from_str! {
    Utf8String: TextError;
    TopicName: TopicError;
    TopicFilter: TopicError;
}

owns! {
    #[derive(PartialOrd, Ord, Default)]
    UserProperty lends UserProperty { name: Utf8String, value: Utf8String, }
}

impl UserProperty {
    /// User Property of this name and value.
    ///
    /// # Errors
    /// The errors of [`Utf8String::new`], for either text.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Result<Self, TextError> {
        Ok(Self {
            name: Utf8String::new(name)?,
            value: Utf8String::new(value)?,
        })
    }
}
