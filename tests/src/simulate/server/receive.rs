//! Handling of the client's packets.

use bytes::BytesMut;
use dunlin_client::codec::{
    Ack, AckType, Connect, DecodeOptions, Delivery, Packet, PacketBuf, PacketType, Publish, QoS,
    ReasonCode, Sender, Subscribe,
};

use super::auth::Exchange;
use super::session::Received;
use super::{ClientLimits, Connection, Observed, Response, Server, Stage, code, serial_of};
use crate::simulate::choices::Choices;
use crate::simulate::network::Pipe;
use crate::simulate::transcript::Transcript;
use crate::simulate::violation::{Checked, Violation, ensure};

const OPTIONS: DecodeOptions = DecodeOptions::any_size().with_sender(Sender::Client);

impl Server {
    /// Reads up to `most` bytes, and does what the packets in them say; whether there were any
    /// bytes.
    pub(in crate::simulate) fn receives(
        &mut self,
        pipe: &mut Pipe,
        most: usize,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        let Some(connection) = &mut self.connection else {
            return Ok(false);
        };
        let some = pipe.read(&mut connection.input, most) > 0;
        loop {
            let Some(connection) = &mut self.connection else {
                return Ok(some);
            };
            if connection.stage == Stage::Closing {
                connection.input.clear();
                return Ok(some);
            }
            let Some(packet) = take(&mut connection.input)? else {
                return Ok(some);
            };
            transcript.say(format_args!("server receives {}", packet.packet()));
            self.handle(&packet.packet(), choices)?;
        }
    }

    fn handle(&mut self, packet: &Packet<'_>, choices: &mut Choices) -> Checked {
        match packet {
            Packet::Connect(connect) => self.handle_connect(&connect.read()),
            Packet::Publish(publish) => self.handle_publish(publish, choices)?,
            Packet::PubAck(ack) => self.handle_ack(AckType::PubAck, ack)?,
            Packet::PubRec(ack) => self.handle_ack(AckType::PubRec, ack)?,
            Packet::PubComp(ack) => self.handle_ack(AckType::PubComp, ack)?,
            Packet::PubRel(ack) => self.handle_pubrel(ack),
            Packet::Subscribe(subscribe) => self.handle_subscribe(subscribe, choices),
            Packet::Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.filters.iter();
                let codes = filters
                    .map(|filter| self.unsubscribe(filter.as_str(), choices))
                    .collect();
                self.queue_response(Response::Answer(
                    PacketType::UnsubAck,
                    unsubscribe.packet_id,
                    codes,
                ));
            }
            Packet::Auth(auth) => self.handle_auth(auth)?,
            Packet::PingReq => self.queue_response(Response::PingResp),
            Packet::Disconnect(disconnect) => {
                if let (Some(seconds), Some(session)) = (
                    disconnect.properties.session_expiry_interval,
                    &mut self.session,
                ) {
                    session.expiry = std::time::Duration::from_secs(seconds.into());
                }
                self.connection
                    .as_mut()
                    .into_iter()
                    .for_each(Connection::close);
            }
            other => {
                return Err(Violation::new(
                    "the server didn't ask for this packet",
                    other,
                ));
            }
        }
        Ok(())
    }

    fn handle_connect(&mut self, connect: &Connect<'_>) {
        if let Some(connection) = &mut self.connection {
            connection.client = ClientLimits::of(connect);
            connection.exchange = connection.client.has_method.then_some(Exchange::Ours);
            connection.stage = Stage::SubscriptionRequest;
        }
        self.queue_response(Response::ConnAck);
    }

    fn handle_publish(&mut self, publish: &Publish<'_>, choices: &mut Choices) -> Checked {
        let (Some(connection), Some(session)) = (&mut self.connection, &mut self.session) else {
            return Ok(());
        };
        let aliases = &mut connection.their_aliases;
        let alias = publish.properties.topic_alias.map(|alias| alias.get());
        let topic = match (publish.topic, alias) {
            (Some(topic), Some(alias)) => {
                aliases.insert(alias, topic.as_str().to_owned());
                topic.as_str().to_owned()
            }
            (Some(topic), None) => topic.as_str().to_owned(),
            (None, alias) => alias
                .and_then(|alias| aliases.get(&alias))
                .cloned()
                .unwrap_or_default(),
        };
        let Some(serial) = serial_of(publish.payload) else {
            return Err(Violation::new(
                "what arrives is what was published",
                Packet::Publish(*publish),
            ));
        };
        let qos = publish.delivery.qos();
        let mut observed = |topic, reason_code, is_new| {
            self.observed.push(Observed::Publish {
                serial,
                topic,
                qos,
                reason_code,
                is_new,
            });
        };
        let (ack_type, packet_id) = match publish.delivery {
            Delivery::AtMostOnce => {
                observed(topic, ReasonCode::Success, true);
                return Ok(());
            }
            Delivery::AtLeastOnce { packet_id, .. } => (AckType::PubAck, packet_id),
            Delivery::ExactlyOnce { packet_id, .. } => (AckType::PubRec, packet_id),
        };
        if let Some(before) = session
            .received
            .get(&packet_id)
            .filter(|_| qos == QoS::ExactlyOnce)
        {
            // A process that lost its session can't know which identifiers the server still holds.
            let is_same = before.serial == serial || before.process != self.process;
            ensure(
                is_same,
                "[MQTT-2.2.1-3] an identifier in flight isn't used again",
                || format!("{packet_id} was {} and is {serial}", before.serial),
            )?;
            if before.serial == serial {
                observed(topic, ReasonCode::Success, false);
            } else {
                self.observed
                    .push(Observed::TakenForRepetition { serial, topic });
                session.received.insert(
                    packet_id,
                    Received {
                        serial,
                        process: self.process,
                    },
                );
            }
            self.queue_response(Response::Ack(ack_type, packet_id, ReasonCode::Success));
            return Ok(());
        }
        let refuses = !self.is_cooperative && choices.one_in(self.behavior.refuses_one_in);
        let reason_code = match refuses {
            true => code(ack_type.packet_type(), true, choices),
            false => code(ack_type.packet_type(), false, choices),
        };
        observed(topic, reason_code, true);
        if qos == QoS::ExactlyOnce && !refuses {
            session.received.insert(
                packet_id,
                Received {
                    serial,
                    process: self.process,
                },
            );
        }
        self.queue_response(Response::Ack(ack_type, packet_id, reason_code));
        Ok(())
    }

    /// PUBREL, whether its message is known or not.
    fn handle_pubrel(&mut self, ack: &Ack<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        let known = session.received.remove(&ack.packet_id).is_some();
        let code = if known {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        self.queue_response(Response::Ack(AckType::PubComp, ack.packet_id, code));
    }

    /// An acknowledgement of a message of the server's own.
    fn handle_ack(&mut self, ack_type: AckType, ack: &Ack<'_>) -> Checked {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let (id, reason_code) = (ack.packet_id, ack.reason_code);
        let detail = || ack.into_packet(ack_type).to_string();
        let outgoing = session.find(id).filter(|outgoing| outgoing.is_live);
        let Some(outgoing) = outgoing else {
            return Err(Violation::new(
                "[MQTT-2.2.1-5] an acknowledgement is for a message",
                detail(),
            ));
        };
        let expected = match (outgoing.qos, outgoing.is_released) {
            (QoS::ExactlyOnce, false) => AckType::PubRec,
            (QoS::ExactlyOnce, true) => AckType::PubComp,
            _ => AckType::PubAck,
        };
        ensure(
            ack_type == expected,
            "[MQTT-2.2.1-5] each message has its acknowledgements",
            detail,
        )?;
        if ack_type != AckType::PubComp {
            let serial = outgoing.serial;
            self.observed.push(Observed::Acknowledged {
                serial,
                reason_code,
            });
        }
        if ack_type == AckType::PubRec && !reason_code.is_error() {
            outgoing.is_released = true;
            self.queue_response(Response::Ack(AckType::PubRel, id, ReasonCode::Success));
        } else {
            session.finish(id);
            if self.behavior.reuses_at_once {
                session.reuse(id);
            }
        }
        Ok(())
    }

    fn handle_subscribe(&mut self, subscribe: &Subscribe<'_>, choices: &mut Choices) {
        let mut codes = Vec::new();
        for each in &subscribe.subscriptions {
            let refuses = !self.is_cooperative && choices.one_in(self.behavior.refuses_one_in);
            if refuses {
                codes.push(code(PacketType::SubAck, true, choices));
                continue;
            }
            let granted = match choices.below(12) {
                0 => each.options.qos.min(QoS::AtMostOnce),
                1 => each.options.qos.min(QoS::AtLeastOnce),
                _ => each.options.qos,
            };
            codes.push(match granted {
                QoS::AtMostOnce => ReasonCode::GRANTED_QOS_0,
                QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
                QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
            });
            if let Some(session) = &mut self.session {
                session
                    .subscriptions
                    .insert(each.filter.as_str().to_owned(), granted);
            }
        }
        self.queue_response(Response::Answer(
            PacketType::SubAck,
            subscribe.packet_id,
            codes,
        ));
    }

    fn unsubscribe(&mut self, filter: &str, choices: &mut Choices) -> ReasonCode {
        if !self.is_cooperative && choices.one_in(self.behavior.refuses_one_in) {
            return code(PacketType::UnsubAck, true, choices);
        }
        let existed = self
            .session
            .as_mut()
            .is_some_and(|each| each.subscriptions.remove(filter).is_some());
        if existed {
            ReasonCode::Success
        } else {
            ReasonCode::NoSubscriptionExisted
        }
    }

    fn queue_response(&mut self, due: Response) {
        if let Some(connection) = &mut self.connection {
            connection.due.push(due);
        }
    }
}

fn take(input: &mut BytesMut) -> Checked<Option<PacketBuf>> {
    PacketBuf::take(input, &OPTIONS).map_err(|error| {
        Violation::new(
            "what a client sends is a packet",
            format_args!("{error}: {:02x?}", &input[..]),
        )
    })
}
