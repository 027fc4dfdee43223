//! Admission of a received PUBLISH: delivered, repeated, ignored, or too much.

use dunlin_codec::{AckType, Delivery, PacketType, ReasonCode};

use super::receive_window::ReceiveMaximum;
use super::{DeliveryId, Inbound, Location, PendingAck, Unreleased, orphan};
use crate::engine::core::Core;
use crate::engine::exit::Exit;
use crate::engine::violation::violation;
use crate::error::ConnectionError;

/// Action for a received PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InboundAction {
    /// Deliver the message. It has an identifier if it is to be acknowledged.
    Deliver(Option<DeliveryId>),
    /// Send PUBREC again in its turn: the message has QoS 2 and was acknowledged before.
    /// [MQTT-4.3.3-10]
    AcknowledgeAgain,
    /// Do nothing: the message was delivered before, and its acknowledgement is still pending.
    Ignore,
    /// Close the connection: the server exceeds this client's Receive Maximum. [MQTT-3.3.4-9]
    ReceiveMaximumExceeded,
    /// Close the connection: the application has not answered so many messages of earlier
    /// connections that there is no space for more.
    BacklogFull(usize),
}

/// Number of unacknowledged messages above the Receive Maximum that are tolerated on a connection
/// that resumed a session.
///
/// mosquitto 2.0 sends all that waits in the session at once. Closing the connection would bring
/// the same messages again.
const EXCESS_MESSAGES: usize = 16_384;
/// Bytes of such messages.
const EXCESS_BYTES: usize = 16 << 20;

/// Number of unanswered messages of earlier connections that are tolerated, as a multiple of the
/// Receive Maximum.
const BACKLOG: usize = 2;

/// Notes the acknowledgement of a message. Returns its identifier (`None` at QoS 0), or `None` if
/// it is not delivered.
///
/// # Errors
/// The server exceeds the Receive Maximum, or the backlog of the application is full.
pub(super) fn admit(
    delivery: Delivery,
    size: usize,
    core: &mut Core,
) -> Result<Option<Option<DeliveryId>>, Exit> {
    // Counts against what CONNECT announced.
    let maximum = core.receive_window.maximum(&core.options);
    match core.session.inbound.receive(delivery, size, maximum) {
        InboundAction::Deliver(id) => return Ok(Some(id)),
        // PUBREC is sent in its turn; mostly that is now.
        InboundAction::AcknowledgeAgain => core.send_due_acks(true),
        InboundAction::Ignore => {}
        InboundAction::BacklogFull(messages) => {
            let cause = ConnectionError::BacklogFull { messages };
            return Err(Exit::disconnect(ReasonCode::QuotaExceeded, cause));
        }
        InboundAction::ReceiveMaximumExceeded => {
            return Err(violation(
                PacketType::Publish,
                "more than this client's Receive Maximum",
                "MQTT-3.3.4-9",
                ReasonCode::ReceiveMaximumExceeded,
            )
            .into());
        }
    }
    Ok(None)
}

impl Inbound {
    /// Decides about a PUBLISH of `size` bytes, and notes its acknowledgement.
    fn receive(
        &mut self,
        delivery: Delivery,
        size: usize,
        receive_maximum: ReceiveMaximum,
    ) -> InboundAction {
        let (packet_id, ack_type) = match delivery {
            Delivery::AtMostOnce => return InboundAction::Deliver(None),
            Delivery::AtLeastOnce { packet_id, .. } => (packet_id, AckType::PubAck),
            Delivery::ExactlyOnce { packet_id, .. } => (packet_id, AckType::PubRec),
        };

        // A message that the application has not seen needs space in the backlog.
        let repeats = |before: &PendingAck| {
            before.ack_type == ack_type && (delivery.dup() || ack_type == AckType::PubRec)
        };
        let is_known = self
            .awaiting_redelivery
            .get(&packet_id)
            .is_some_and(repeats)
            || ack_type == AckType::PubRec && self.unreleased.contains_key(&packet_id);
        let maximum = BACKLOG * usize::from(receive_maximum.configured);
        if !is_known && self.orphaned.len() + self.awaiting_redelivery.len() >= maximum {
            let backlog = self.backlog();
            if backlog >= maximum {
                return InboundAction::BacklogFull(backlog);
            }
        }

        // Each message counts against the Receive Maximum once. One that the server released before
        // PUBREC is finished for the server, and still pending here.
        let known = self
            .unreleased
            .get_mut(&packet_id)
            .filter(|_| ack_type == AckType::PubRec);
        let is_counted = known.as_ref().is_some_and(|known| known.is_counted);
        let outstanding = self.unfinished.max(self.pending_acks.len());
        let announced = usize::from(receive_maximum.announced);
        let mut excess = 0;
        if !is_counted && outstanding >= announced {
            match &mut self.excess_bytes {
                Some(bytes)
                    if outstanding - announced < EXCESS_MESSAGES
                        && *bytes + size <= EXCESS_BYTES =>
                {
                    *bytes += size;
                    excess = size;
                }
                _ => return InboundAction::ReceiveMaximumExceeded,
            }
        }
        // Admitted: the message counts until its exchange is finished.
        self.unfinished += usize::from(!is_counted);

        // At QoS 2 the identifier is known until PUBREL.
        let is_repetition = known.as_ref().is_some_and(|known| known.is_received);
        let position = self.first_position + self.pending_acks.len() as u64;
        match known {
            Some(known) if known.position.is_some() => return InboundAction::Ignore,
            Some(known) => (known.is_counted, known.position) = (true, Some(position)),
            None if ack_type == AckType::PubRec => {
                let unreleased = Unreleased {
                    is_received: false,
                    is_counted: true,
                    position: Some(position),
                };
                self.unreleased.insert(packet_id, unreleased);
            }
            None => {}
        }

        // The application may have the message since an earlier connection.
        if let Some(before) = self.awaiting_redelivery.remove(&packet_id) {
            if repeats(&before) {
                self.moved.insert(before.id, Location::Pending(position));
                self.ready += usize::from(before.is_ready());
                self.pending_acks.push_back(PendingAck { excess, ..before });
                return InboundAction::Ignore;
            }
            // The identifier stands for another message by now.
            self.moved.remove(&before.id);
            orphan(&mut self.orphaned, &before);
            self.mark_dirty(packet_id);
        }

        // A new message, or a repetition that only needs its PUBREC.
        let id = DeliveryId(position);
        self.ready += usize::from(is_repetition);
        self.pending_acks.push_back(PendingAck {
            id,
            packet_id,
            ack_type,
            consumers: usize::from(!is_repetition),
            reason_code: ReasonCode::Success,
            is_abandoned: false,
            excess,
            is_released: false,
        });
        if is_repetition {
            InboundAction::AcknowledgeAgain
        } else {
            InboundAction::Deliver(Some(id))
        }
    }
}
