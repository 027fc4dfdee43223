//! Secrets in `Debug` and `Display`: their length stands in place of their content.

use core::fmt::{self, Debug, Display, Formatter};

use crate::sink::Length;
use crate::text::UserProperty;
use crate::value::Value;

/// Number of bytes that are not shown.
pub(crate) struct Redacted(pub(crate) usize);

impl Debug for Redacted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "<redacted {} byte{plural}>", self.0)
    }
}

impl Display for Redacted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

impl Redacted {
    /// Stands for a value of text or data, which has two bytes of length on the wire.
    pub(crate) fn value<'a>(value: &impl Value<'a>) -> Self {
        let len = Length::of(|counter| value.write(counter)).bytes;
        Self(usize::try_from(len.saturating_sub(2)).unwrap_or(usize::MAX))
    }
}

/// User Name, of which the part after its first `?` is not shown: for AWS IoT Core and others it is
/// a query that holds tokens and signatures.
pub(crate) struct UserName<'a>(pub(crate) &'a str);

impl Debug for UserName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((name, query)) => write!(f, "{name:?}?{}", Redacted(query.len())),
            None => Debug::fmt(self.0, f),
        }
    }
}

/// Names of User Properties that carry credentials of an AWS custom authorizer begin with this.
const CUSTOM_AUTHORIZER: &str = "x-amz-customauthorizer-";

impl UserProperty<'_> {
    /// True if the value is a credential, by the property's name.
    pub(crate) fn is_secret(&self) -> bool {
        let prefix = self.name.get(..CUSTOM_AUTHORIZER.len());
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(CUSTOM_AUTHORIZER))
    }
}

impl Debug for UserProperty<'_> {
    /// Writes name and value; of a value of `x-amz-customauthorizer-*` only its length.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UserProperty");
        shown.field("name", &self.name);
        if self.is_secret() {
            shown.field("value", &Redacted(self.value.len()));
        } else {
            shown.field("value", &self.value);
        }
        shown.finish()
    }
}
