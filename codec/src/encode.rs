//! Options of encoding: the side that sends.

use crate::packet_type::Sender;

/// Options of encoding. The default encodes packets of either side.
///
/// ```
/// use dunlin_codec::{EncodeErrorKind, EncodeOptions, Packet, Sender};
///
/// // A client never sends PINGRESP.
/// let options = EncodeOptions::from_sender(Sender::Client);
/// let error = Packet::PingResp.encode_to_slice_with(&mut [0; 2], &options).unwrap_err();
/// assert_eq!(error.kind, EncodeErrorKind::WrongDirection);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Side that sends the packets; those that only the other side may send are refused. Default:
    /// any.
    pub sender: Sender,
}

impl EncodeOptions {
    /// Options that refuse what `sender` may never send.
    ///
    /// ```
    /// use dunlin_codec::{EncodeOptions, Packet, Sender};
    ///
    /// let options = EncodeOptions::from_sender(Sender::Client);
    /// let mut out = [0; 2];
    /// assert_eq!(Packet::PingReq.encode_to_slice_with(&mut out, &options), Ok(2));
    /// assert!(Packet::PingResp.encode_to_slice_with(&mut out, &options).is_err());
    /// ```
    #[must_use]
    pub const fn from_sender(sender: Sender) -> Self {
        Self { sender }
    }
}
