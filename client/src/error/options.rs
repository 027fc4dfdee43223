//! `OptionsError`: fault of the options of a client.

use dunlin_codec::{EncodeError, ReasonCode, TextError, TopicError};

use crate::limits::LimitError;

/// Fault of [`ConnectOptions`](crate::ConnectOptions): CONNECT can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// Text or data can't be encoded: it is longer than 65,535 bytes, or has a NUL.
    #[error("{field} {error}")]
    Text {
        /// Field of the options.
        field: &'static str,
        /// Fault of the text.
        error: TextError,
    },
    /// A number is 0; `None` leaves the option out.
    #[error("{field} must not be 0")]
    Zero {
        /// Field of the options.
        field: &'static str,
    },
    /// The Keep Alive is above 65,535 s (§3.1.2.10).
    #[error("a keep alive of {seconds} s; the longest is 65535 s")]
    KeepAlive {
        /// Keep Alive in seconds, rounded up.
        seconds: u64,
    },
    /// The Will Topic is malformed.
    #[error("the will's topic: {0}")]
    WillTopic(TopicError),
    /// The Response Topic of the will is malformed.
    #[error("the will's response topic: {0}")]
    WillResponseTopic(TopicError),
    /// A value exceeds [`ConnectOptions::limits`](crate::ConnectOptions::limits).
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The Session Expiry Interval of DISCONNECT is above 0, though that of CONNECT is 0 or absent
    /// (§3.14.2.2.2).
    #[error("DISCONNECT prolongs a session that ends with its connection")]
    DisconnectSessionExpiry,
    /// The reason code of DISCONNECT is one that a client may not send (§3.14.2.1).
    #[error("DISCONNECT has the reason code {reason_code}, which a client may not send")]
    DisconnectReasonCode {
        /// Reason code.
        reason_code: ReasonCode,
    },
    /// The packet as a whole can't be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Conversion of the fault of a text into the error of the field that holds it.
pub(crate) fn text(field: &'static str) -> impl Fn(TextError) -> OptionsError {
    move |error| OptionsError::Text { field, error }
}
