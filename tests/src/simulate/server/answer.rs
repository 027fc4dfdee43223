//! Output of the server: responses in any order that the standard allows, and messages of its own.

use dunlin_client::codec::PacketType;
use dunlin_client::codec::{
    Ack, AckProperties, AckType, Delivery, Packet, Publish, PublishProperties, ReasonCode, SubAck,
    SubAckProperties, TopicAlias, TopicName, UnsubAck, Utf8String,
};
use std::time::Instant;

use super::session::Outgoing;
use super::{Connection, Observed, Response, Server, Stage, payload_of, sized};
use crate::simulate::choices::Choices;
use crate::simulate::transcript::Transcript;

impl Server {
    /// Gives one of the answers that are due; whether there was one.
    pub(in crate::simulate) fn answers(
        &mut self,
        now: Instant,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        if connection.due.is_empty() {
            return false;
        }
        // Mostly in order. PUBRELs have to be, and no server answers UNSUBSCRIBE before an earlier
        // SUBSCRIBE.
        let any = if choices.one_in(4) {
            choices.below(connection.due.len())
        } else {
            0
        };
        let kind = |due: &Response| match due {
            Response::Ack(AckType::PubRel, ..) => 1,
            Response::Answer(..) => 2,
            _ => 0,
        };
        let at = match connection.due.get(any).map(kind) {
            Some(0) | None => any,
            Some(ordered) => connection
                .due
                .iter()
                .position(|due| kind(due) == ordered)
                .unwrap_or(any),
        };
        match connection.due.remove(at) {
            Response::ConnAck => self.continue_connect(now, choices, transcript),
            Response::Auth => self.continue_authentication(choices, transcript),
            Response::Ack(ack_type, packet_id, reason_code) => {
                let explains = reason_code.is_error() && choices.one_in(2);
                let properties = AckProperties {
                    reason_string: explains.then(why),
                    ..AckProperties::default()
                };
                let ack = Ack {
                    packet_id,
                    reason_code,
                    properties,
                };
                let short = Ack {
                    properties: AckProperties::default(),
                    ..ack
                };
                connection.explain(
                    &ack.into_packet(ack_type),
                    &short.into_packet(ack_type),
                    transcript,
                );
            }
            Response::Answer(packet_type, packet_id, codes) => {
                let (properties, reason_codes) =
                    (SubAckProperties::default(), codes.as_slice().into());
                let answer = match packet_type {
                    PacketType::SubAck => Packet::SubAck(SubAck {
                        packet_id,
                        properties,
                        reason_codes,
                    }),
                    _ => Packet::UnsubAck(UnsubAck {
                        packet_id,
                        properties,
                        reason_codes,
                    }),
                };
                connection.say(&answer, transcript);
            }
            Response::PingResp => connection.say(&Packet::PingResp, transcript),
        }
        true
    }

    /// Returns `true` if there is a message to send, and the client takes one more.
    pub(super) fn may_send(&self) -> bool {
        let (Some(connection), Some(session)) = (&self.connection, &self.session) else {
            return false;
        };
        let Some(next) = session.next() else {
            return false;
        };
        let waits = next.qos.level() > 0 && !next.is_released;
        // Some servers resume a session with more than the client takes.
        let excess = if connection.is_resumed {
            self.behavior.overshoots_by
        } else {
            0
        };
        !waits || session.outstanding() < connection.client.receive_maximum + excess
    }

    /// Sends or repeats the next message, if there is one and the client takes it; whether it did.
    pub(in crate::simulate) fn sends(
        &mut self,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> bool {
        if !self.is_open() || !self.may_send() {
            return false;
        }
        let (Some(connection), Some(session)) = (&mut self.connection, &mut self.session) else {
            return false;
        };
        let Some((outgoing, is_repeated)) = session.send_next() else {
            return false;
        };
        if outgoing.is_counted && session.outstanding() > connection.client.receive_maximum {
            self.excess += 1;
        }
        match outgoing.id {
            Some(id) if outgoing.is_released => {
                connection.say(&Ack::success(id).into_packet(AckType::PubRel), transcript);
            }
            id => {
                if !connection.publish(&outgoing, is_repeated, choices, transcript) {
                    id.into_iter().for_each(|id| session.finish(id));
                    self.observed.push(Observed::Dropped {
                        serial: outgoing.serial,
                    });
                }
            }
        }
        true
    }
}

impl Connection {
    /// Says it with its explanation, if the client wants to hear that and takes packets of that
    /// size.
    fn explain(&mut self, long: &Packet<'_>, short: &Packet<'_>, transcript: &mut Transcript) {
        let fits = self.client.wants_explanations && sized(long) <= self.client.maximum_packet_size;
        self.say(if fits { long } else { short }, transcript);
    }

    /// Sends a message; not if it is larger than the client takes.
    fn publish(
        &mut self,
        outgoing: &Outgoing,
        dup: bool,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> bool {
        let Ok(topic) = TopicName::new(&outgoing.topic) else {
            return false;
        };
        let payload = payload_of(outgoing.serial, outgoing.serial % 5 * 20);
        let delivery = match outgoing.id {
            Some(id) => Delivery::new(outgoing.qos, id, dup),
            None => Delivery::AtMostOnce,
        };
        let mut publish = Publish {
            delivery,
            ..Publish::new(topic, &payload)
        };
        if outgoing.is_faulty {
            publish.properties.response_topic = TopicName::new(RESPONSE_TOPIC).ok();
        }
        if sized(&Packet::Publish(publish)) + ROOM_FOR_AN_ALIAS > self.client.maximum_packet_size {
            return false;
        }
        let (alias, is_bound) = self.alias_for(&outgoing.topic, choices);
        let publish = Publish {
            topic: (!is_bound).then_some(topic),
            properties: PublishProperties {
                topic_alias: alias,
                ..publish.properties
            },
            ..publish
        };
        if outgoing.is_faulty {
            self.send_faulty(&Packet::Publish(publish), RESPONSE_TOPIC, transcript);
        } else {
            self.say(&Packet::Publish(publish), transcript);
        }
        true
    }

    /// Perhaps an alias, and whether it stands for the topic already.
    fn alias_for(&mut self, topic: &str, choices: &mut Choices) -> (Option<TopicAlias>, bool) {
        let maximum = self.client.topic_alias_maximum;
        if maximum == 0 || choices.one_in(4) {
            return (None, false);
        }
        let bound = self
            .our_aliases
            .iter()
            .find(|(_, bound)| *bound == topic)
            .map(|(alias, _)| *alias);
        if let Some(alias) = bound
            && !choices.one_in(4)
        {
            return (TopicAlias::new(alias), true);
        }
        let alias = u16::try_from(choices.between(1, maximum.into())).unwrap_or(1);
        self.our_aliases.insert(alias, topic.to_owned());
        (TopicAlias::new(alias), false)
    }

    /// Nothing more is said.
    pub(super) fn close(&mut self) {
        self.stage = Stage::Closing;
        self.due.clear();
    }
}

/// Response Topic that looks like no other part of a packet.
const RESPONSE_TOPIC: &str = "answers/x";
/// A topic alias is a property of three bytes.
const ROOM_FOR_AN_ALIAS: usize = 3;

fn why() -> Utf8String<'static> {
    Utf8String::new("because").unwrap_or_default()
}

/// A refusal that says why or doesn't.
pub(super) fn reason_string(
    reason_code: ReasonCode,
    choices: &mut Choices,
) -> Option<Utf8String<'static>> {
    (reason_code.is_error() && choices.one_in(2)).then(why)
}
