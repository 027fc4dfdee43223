//! Faults of Topic Names and Topic Filters (§4.7, §4.8.2), each with the statement that it breaks.

use core::fmt;

/// Fault of a text that is no Topic Name or no Topic Filter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TopicError {
    /// The text is empty. [MQTT-4.7.3-1]
    Empty,
    /// More than 65,535 bytes. [MQTT-4.7.3-3]
    TooLong,
    /// The NUL character. [MQTT-4.7.3-2]
    Nul,
    /// `+` or `#` in a topic name. [MQTT-4.7.0-1]
    WildcardInName,
    /// `#` that isn't alone in the last level. [MQTT-4.7.1-1]
    MisplacedMultiLevelWildcard,
    /// `+` that isn't alone in its level. [MQTT-4.7.1-2]
    MisplacedSingleLevelWildcard,
    /// `$share/` without a share name. [MQTT-4.8.2-1]
    MissingShareName,
    /// A share name with a wildcard, or without a topic filter after it. [MQTT-4.8.2-2]
    MalformedShare,
}

impl TopicError {
    /// Statement that such a topic breaks.
    #[must_use]
    pub const fn statement(self) -> &'static str {
        match self {
            Self::Empty => "MQTT-4.7.3-1",
            Self::TooLong => "MQTT-4.7.3-3",
            Self::Nul => "MQTT-4.7.3-2",
            Self::WildcardInName => "MQTT-4.7.0-1",
            Self::MisplacedMultiLevelWildcard => "MQTT-4.7.1-1",
            Self::MisplacedSingleLevelWildcard => "MQTT-4.7.1-2",
            Self::MissingShareName => "MQTT-4.8.2-1",
            Self::MalformedShare => "MQTT-4.8.2-2",
        }
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic has at least one character",
            Self::TooLong => "a topic has at most 65,535 bytes",
            Self::Nul => "a topic has no NUL character",
            Self::WildcardInName => "a topic name has no wildcard (+ or #)",
            Self::MisplacedMultiLevelWildcard => "# stands alone in the last level",
            Self::MisplacedSingleLevelWildcard => "+ stands alone in its level",
            Self::MissingShareName => "$share/ is followed by a share name",
            Self::MalformedShare => "a share name has no wildcard, and a topic filter follows it",
        })
    }
}

impl core::error::Error for TopicError {}
