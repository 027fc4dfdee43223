//! `AuthorizerError`: error of values that can't be put into a user name, a header or a query.

use crate::limits::Field;

/// Error of values that can't be put into a user name, a header or a query. It doesn't contain a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizerError {
    /// A signature needs the key name and the value of the token, and each of these needs the
    /// other.
    #[error("the {given} also needs the {}", listed(missing))]
    IncompleteToken {
        /// Part that was given and needs the others.
        given: Field,
        /// Key name, value or both.
        missing: Vec<Field>,
    },
    /// AWS IoT Core reads one query; a second `?` hides the authorizer from it.
    #[error("the {field} would bring a second '?' into the user name, where only one is allowed")]
    SecondQuestionMark {
        /// Value with the superfluous `?`.
        field: Field,
    },
    /// The value is only partly percent-encoded: it has `%XX`, but also one of `& ? #`, which would end
    /// it.
    #[error("the {field} is half percent-encoded: it holds %XX and also one of & ? #")]
    HalfEncoded {
        /// Name of the value.
        field: Field,
    },
    /// A parameter would have no name or no value.
    #[error("the {field} is empty")]
    Empty {
        /// Name of the value.
        field: Field,
    },
    /// A name or a value has characters that a header of HTTP can't carry.
    #[error("the {field} has characters that a header can't carry")]
    NotInHeader {
        /// Name of the value.
        field: Field,
    },
    /// The user name would be longer than MQTT allows.
    #[error("the user name would be {length} bytes long, but MQTT carries {max}")]
    TooLong {
        /// Length of the user name in bytes.
        length: usize,
        /// Maximum length in bytes.
        max: usize,
    },
}

fn listed(fields: &[Field]) -> String {
    fields
        .iter()
        .map(Field::to_string)
        .collect::<Vec<_>>()
        .join(" and the ")
}
