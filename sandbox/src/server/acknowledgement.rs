//! Acknowledgements of QoS 1 and 2, in both directions.

use dunlin_codec::{Ack, AckProperties, AckType, Packet, PacketId, QoS, ReasonCode};

use crate::fault::Fault;
use crate::server::close_reason::CloseReason;
use crate::server::open::Open;
use crate::server::outgoing::AckOutcome;
use crate::server::output::Output;
use crate::server::turn::Turn;

impl Open {
    /// Handles PUBACK, PUBREC, PUBREL and PUBCOMP.
    ///
    /// # Errors
    /// The end of the connection for an acknowledgement of another QoS than its message has.
    pub(super) fn handle_ack(
        &self,
        packet: &Packet<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        // The session borrows the hub, and the answer is for the output.
        let output = &mut *turn.output;
        let session = turn.hub.session(&self.client_id, self.attached.connection);
        let Some(session) = session else {
            return Ok(());
        };
        let outgoing = &mut session.outgoing;
        let outcome = match packet {
            // PUBACK ends QoS 1. [MQTT-4.3.2-3]
            Packet::PubAck(ack) => outgoing.finish(ack.packet_id, |qos, _| qos == QoS::AtLeastOnce),
            // The client refuses the message, which ends the exchange: no PUBREL follows (§4.3.3).
            Packet::PubRec(ack) if ack.reason_code.is_error() => {
                outgoing.finish(ack.packet_id, |qos, _| qos == QoS::ExactlyOnce)
            }
            Packet::PubRec(ack) => {
                // PUBREL is the answer even to an unknown identifier: 0x92 lets the client forget
                // it.
                let reason_code = match outgoing.received(ack.packet_id) {
                    AckOutcome::Accepted => ReasonCode::Success,
                    AckOutcome::UnknownId => ReasonCode::PacketIdentifierNotFound,
                    AckOutcome::WrongKind => return Err(WRONG_ACK),
                };
                send_ack(AckType::PubRel, ack.packet_id, reason_code, None, output);
                return Ok(());
            }
            Packet::PubRel(ack) => {
                // [MQTT-4.3.3-11]
                let reason_code = match session.received.remove(&ack.packet_id) {
                    true => ReasonCode::Success,
                    false => ReasonCode::PacketIdentifierNotFound,
                };
                send_ack(AckType::PubComp, ack.packet_id, reason_code, None, output);
                return Ok(());
            }
            // PUBCOMP before PUBREC would skip half of the exchange.
            Packet::PubComp(ack) => outgoing.finish(ack.packet_id, |qos, is_released| {
                qos == QoS::ExactlyOnce && is_released
            }),
            _ => return Ok(()),
        };
        if outcome == AckOutcome::WrongKind {
            Err(WRONG_ACK)
        } else {
            Ok(())
        }
    }

    /// Sends PUBACK or PUBREC at once, so that a client that obeys the server's Receive Maximum is
    /// never held up by it. [MQTT-3.3.4-1]
    pub(super) fn acknowledge(
        &self,
        qos: QoS,
        packet_id: PacketId,
        reason_code: ReasonCode,
        reason: Option<&str>,
        output: &mut Output,
    ) {
        let ack_type = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => AckType::PubAck,
            QoS::ExactlyOnce => AckType::PubRec,
        };
        if !self.settings.faults.has(&Fault::NoPubAck) {
            send_ack(ack_type, packet_id, reason_code, reason, output);
        }
    }
}

/// [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2]
fn send_ack(
    ack_type: AckType,
    packet_id: PacketId,
    reason_code: ReasonCode,
    reason: Option<&str>,
    output: &mut Output,
) {
    output.send_explained(output.explaining(reason), |reason_string| {
        let properties = AckProperties {
            reason_string,
            ..AckProperties::default()
        };
        Ack {
            packet_id,
            reason_code,
            properties,
        }
        .into_packet(ack_type)
    });
}

const WRONG_ACK: CloseReason =
    CloseReason::ProtocolError("an acknowledgement that doesn't belong to the message's QoS");
