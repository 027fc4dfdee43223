//! Rules of the side that sends a packet, which only the sender's side can check before encoding.

use super::Packet;
use crate::encode::EncodeOptions;
use crate::error::{EncodeError, EncodeErrorKind};
use crate::packet_type::Sender;
use crate::property::row;
use crate::reason_code::ReasonCode;

impl Packet<'_> {
    /// Checks that `sender` may send this packet: its type, its reason code and its properties. With
    /// [`Sender::Any`] every packet passes.
    ///
    /// The rules are those by which [`decode_with`](Self::decode_with) refuses a packet of this
    /// sender. [`encode`](Self::encode) doesn't know the sender and doesn't check them.
    ///
    /// # Errors
    /// [`WrongDirection`](EncodeErrorKind::WrongDirection) with the field that the other side alone
    /// may send: `packet_type`, `reason_code`, or a property.
    ///
    /// ```
    /// use dunlin_codec::{Auth, EncodeErrorKind, Packet, Sender};
    ///
    /// let success = Packet::Auth(Auth::default());
    /// assert_eq!(success.check_sender(Sender::Server), Ok(()));
    /// let error = success.check_sender(Sender::Client).unwrap_err();
    /// assert_eq!((error.kind, error.field), (EncodeErrorKind::WrongDirection, "reason_code"));
    /// ```
    pub fn check_sender(&self, sender: Sender) -> Result<(), EncodeError> {
        let wrong = |field| Err(EncodeError::new(EncodeErrorKind::WrongDirection, field));
        if !sender.may_be(self.packet_type().sender()) {
            return wrong("packet_type");
        }
        let check_code = |code: ReasonCode| {
            // A code that no side may send in this packet is the encoder's to refuse.
            let is_legal = |sender| code.is_legal_in(self.packet_type(), sender);
            if is_legal(Sender::Any) && !is_legal(sender) {
                return wrong("reason_code");
            }
            Ok(())
        };
        match self {
            // Servers alone send Subscription Identifiers in messages.
            Self::Publish(publish)
                if sender == Sender::Client
                    && !publish.properties.subscription_identifiers.is_empty() =>
            {
                wrong(row::subscription_identifier::NAME)
            }
            Self::Disconnect(disconnect) => {
                let properties = &disconnect.properties;
                check_code(disconnect.reason_code)?;
                if sender == Sender::Server && properties.session_expiry_interval.is_some() {
                    return wrong(row::session_expiry_interval::NAME);
                }
                if sender == Sender::Client && properties.server_reference.is_some() {
                    return wrong(row::server_reference::NAME);
                }
                Ok(())
            }
            Self::Auth(auth) => check_code(auth.reason_code),
            // The codes of acknowledgements are those of both sides, and all other packets with a
            // code come from one side.
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                check_code(ack.reason_code)
            }
            Self::Connect(_)
            | Self::ConnAck(_)
            | Self::Publish(_)
            | Self::Subscribe(_)
            | Self::SubAck(_)
            | Self::Unsubscribe(_)
            | Self::UnsubAck(_)
            | Self::PingReq
            | Self::PingResp => Ok(()),
        }
    }

    /// Appends the packet to `out` like [`encode`](Self::encode), with options.
    ///
    /// # Errors
    /// The errors of [`encode`](Self::encode) and of [`check_sender`](Self::check_sender).
    #[cfg(feature = "alloc")]
    pub fn encode_with(
        &self,
        out: &mut impl bytes::BufMut,
        options: &EncodeOptions,
    ) -> Result<(), EncodeError> {
        self.check_sender(options.sender)?;
        self.encode(out)
    }

    /// Writes the packet to the front of `out` like [`encode_to_slice`](Self::encode_to_slice), with
    /// options, and returns its length in bytes.
    ///
    /// # Errors
    /// The errors of [`encode_to_slice`](Self::encode_to_slice) and of
    /// [`check_sender`](Self::check_sender).
    pub fn encode_to_slice_with(
        &self,
        out: &mut [u8],
        options: &EncodeOptions,
    ) -> Result<usize, EncodeError> {
        self.check_sender(options.sender)?;
        self.encode_to_slice(out)
    }
}
