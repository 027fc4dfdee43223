//! From received bytes to what they change: one packet after another, in order.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use dunlin_codec::{
    Ack, AckType, DecodeError, Delivery, Disconnect, FaultyMessage, FixedHeader, Packet, PacketBuf,
    PacketType, Publish, ReasonCode, TopicName,
};

use crate::engine::inbound::inbound_aliases::AliasFault;
use crate::engine::inbound::{DeliveryId, Verdict};
use crate::engine::link::conduct;
use crate::engine::session::Session;
use crate::engine::{Ended, Engine, EngineEvent, State};
use crate::error::{ConnectionError, ServerReason, Violation};
use crate::message::{Layout, ReceivedMessage};

/// Bytes of acknowledgements that wait for a server that doesn't read.
const ANSWERS: usize = 1 << 20;
/// Largest packet in bytes that is taken, other than PUBLISH.
const LARGEST_OTHER: u32 = 1 << 20;
/// Events that wait for whoever drives the engine.
const EVENTS: usize = 1 << 16;

impl Engine {
    /// Takes every whole packet at the front of `input`; the beginning of another one stays there.
    ///
    /// As long as a packet is arriving, its bytes count as life of the server in place of the
    /// PINGRESP that they delay.
    ///
    /// A breach of the protocol shows in [`should_close`](Self::should_close); what follows it
    /// isn't looked at. A message that is wrong only in itself is refused, unless
    /// [`ConnectOptions::invalid_messages`](crate::ConnectOptions::invalid_messages) asks for
    /// closing the connection.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Instant) {
        self.now = Some(now);
        self.pass_time(now);
        let total = input.len();
        while !self.should_close() {
            let before = input.len();
            match self.handle_packet(input, now) {
                Ok(true) => {
                    let counts = self.counts();
                    counts.packets_received += 1;
                    counts.bytes_received += before.saturating_sub(input.len()) as u64;
                }
                Ok(false) => break,
                Err(violation) => self.handle_violation(violation),
            }
        }
        self.send_due_acks();
        if let State::Open(connection) = &mut self.state {
            connection.received(total, input.len(), now);
        }
        let Session {
            operations,
            ack_deadlines,
            ..
        } = &mut self.session;
        ack_deadlines.forget(operations.load().0, |id| operations.is_over(id));
    }

    /// Whether more should be read: there is a connection that isn't at its end, and the server
    /// takes what it is answered. One that doesn't read gets no more answers than the queue's
    /// limits and a mebibyte hold. While more than 65,536 events wait to be polled, nothing is
    /// read either.
    #[must_use]
    pub fn read_interest(&self) -> bool {
        let room = self.options.queue.bytes.saturating_add(ANSWERS);
        let is_heard = self.output.len() < room && self.events.len() < EVENTS;
        matches!(self.state, State::Connecting { .. } | State::Open(_)) && is_heard
    }

    /// Takes one packet; `false` if there is no whole one.
    fn handle_packet(&mut self, input: &mut BytesMut, now: Instant) -> Result<bool, Violation> {
        let Some(header) = FixedHeader::peek(input, self.decode.max_packet_size)? else {
            return Ok(false);
        };
        if header.packet_type == PacketType::Publish && self.is_connected() {
            let decode = self.decode;
            let taken = PacketBuf::take_publish(input, &decode, |publish| {
                self.handle_publish(publish, header.packet_len())
                    .map(|found| found.map(|found| (found, Layout::of(publish, header.header_len))))
            });
            let (packet, found) = match taken {
                Ok(Some(taken)) => taken,
                Ok(None) => return Ok(false),
                Err(error) => return self.handle_faulty_publish(error, header, input),
            };
            if let State::Open(connection) = &mut self.state {
                connection.count(Some(packet.as_bytes().len()), self.now);
            }
            if let Some((Found { aliased, id }, layout)) = found? {
                let message = ReceivedMessage::new(packet, layout, aliased);
                self.events.push_back(EngineEvent::Message(message, id));
            }
            return Ok(true);
        }
        // What isn't a message has no reason to be large.
        if header.packet_len() > LARGEST_OTHER as usize {
            FixedHeader::peek(input, LARGEST_OTHER)?;
        }
        if let State::Open(_) = self.state
            && let Some((ack_type, ack, len)) = Ack::decode(input, &self.decode)?
        {
            self.handle_exchange(ack_type, &ack)?;
            bytes::Buf::advance(input, len);
            return Ok(true);
        }
        let Some((packet, len)) = Packet::decode_with(input, &self.decode)? else {
            return Ok(false);
        };
        match self.state {
            State::Open(_) => self.handle_open(&packet)?,
            _ => self.handle_first(&packet, now)?,
        }
        bytes::Buf::advance(input, len);
        Ok(true)
    }

    /// Until CONNACK nothing else may come but AUTH. [MQTT-3.2.0-1]
    fn handle_first(&mut self, packet: &Packet<'_>, now: Instant) -> Result<(), Violation> {
        match packet {
            Packet::ConnAck(connack) => self.handle_connack(connack, now),
            Packet::Auth(auth) => self.handle_auth(auth),
            Packet::Disconnect(_) => Err(conduct(
                PacketType::Disconnect,
                "before CONNACK",
                "MQTT-3.14.0-1",
            )),
            other => Err(conduct(
                other.packet_type(),
                "before CONNACK",
                "MQTT-3.2.0-1",
            )),
        }
    }

    /// The steps of QoS 1 and 2.
    fn handle_exchange(&mut self, ack_type: AckType, ack: &Ack<'_>) -> Result<(), Violation> {
        match ack_type {
            AckType::PubAck | AckType::PubComp => self.handle_ack(ack_type, ack),
            AckType::PubRec => self.handle_pubrec(ack),
            AckType::PubRel => self.handle_pubrel(ack),
        }
    }

    fn handle_open(&mut self, packet: &Packet<'_>) -> Result<(), Violation> {
        match packet {
            Packet::PubAck(ack) => self.handle_exchange(AckType::PubAck, ack),
            Packet::PubRec(ack) => self.handle_exchange(AckType::PubRec, ack),
            Packet::PubRel(ack) => self.handle_exchange(AckType::PubRel, ack),
            Packet::PubComp(ack) => self.handle_exchange(AckType::PubComp, ack),
            Packet::SubAck(ack) => self.handle_answer(
                PacketType::SubAck,
                ack.packet_id,
                &ack.properties,
                ack.reason_codes,
            ),
            Packet::UnsubAck(ack) => self.handle_answer(
                PacketType::UnsubAck,
                ack.packet_id,
                &ack.properties,
                ack.reason_codes,
            ),
            Packet::PingResp => {
                if let State::Open(connection) = &mut self.state {
                    connection.pong();
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => {
                let cause = ConnectionError::Disconnected(ServerReason::of_disconnect(disconnect));
                self.close(Ended::Connection(cause));
                Ok(())
            }
            Packet::ConnAck(_) => Err(conduct(PacketType::ConnAck, "a second one", "MQTT-3.2.0-2")),
            Packet::Auth(auth) => self.handle_auth(auth),
            // The decoder refuses what only clients send; a PUBLISH takes its own way.
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Publish(_) => Ok(()),
        }
    }

    /// What the message is delivered with, unless it isn't.
    fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
        size: usize,
    ) -> Result<Option<Found>, Violation> {
        self.counts()
            .messages_received
            .count(publish.delivery.qos());
        if let Some(error) = self.check_payload(publish) {
            return self.refuse(error, publish, size);
        }
        // The alias counts whatever becomes of the message.
        let aliased = match (publish.properties.topic_alias, &mut self.state) {
            (Some(alias), State::Open(connection)) => {
                match connection.aliases.resolve(alias, publish.topic) {
                    Ok(aliased) => aliased,
                    Err(AliasFault::Violation(violation)) => return Err(violation),
                    Err(AliasFault::Refused(error)) => return self.refuse(error, publish, size),
                }
            }
            _ => None,
        };
        Ok(self
            .admit_delivery(publish.delivery, size)?
            .map(|id| Found { aliased, id }))
    }

    #[cold]
    fn refuse(
        &mut self,
        error: DecodeError,
        publish: &Publish<'_>,
        size: usize,
    ) -> Result<Option<Found>, Violation> {
        let (delivery, topic_alias) = (publish.delivery, publish.properties.topic_alias);
        let topic = publish.topic.as_ref().map_or(&[][..], TopicName::as_bytes);
        self.refuse_message(
            error,
            FaultyMessage {
                delivery,
                topic_alias,
            },
            topic,
            size,
        )
        .map(|()| None)
    }

    /// Gives a message its place among those that are acknowledged; with a name if it is to be.
    /// `None` if it isn't to be delivered.
    pub(super) fn admit_delivery(
        &mut self,
        delivery: Delivery,
        size: usize,
    ) -> Result<Option<Option<DeliveryId>>, Violation> {
        let announced = self.announced_receive_maximum;
        let configured = self.options.receive_maximum.unwrap_or(u16::MAX);
        match self
            .session
            .inbound
            .receive(delivery, size, announced, configured)
        {
            Verdict::Deliver(id) => return Ok(Some(id)),
            Verdict::Repeat => self.send_due_acks(),
            Verdict::Ignore => {}
            Verdict::Untaken(messages) => {
                let reason_code = ReasonCode::QuotaExceeded;
                self.send_packet(&Packet::Disconnect(Disconnect {
                    reason_code,
                    ..Disconnect::default()
                }));
                self.close(Ended::Connection(ConnectionError::Untaken { messages }));
            }
            Verdict::TooMany => {
                let (fault, statement) =
                    ("more than this client's Receive Maximum", "MQTT-3.3.4-9");
                let reason_code = ReasonCode::ReceiveMaximumExceeded;
                return Err(Violation::Conduct {
                    packet_type: PacketType::Publish,
                    fault,
                    statement,
                    reason_code,
                });
            }
        }
        Ok(None)
    }
}

/// What a delivered message has besides its packet.
struct Found {
    /// The topic that its alias stands for.
    aliased: Option<Arc<str>>,
    /// The name under which it is taken.
    id: Option<DeliveryId>,
}
