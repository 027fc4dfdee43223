//! The rules of the standard that bind a client, checked against the packets of its connections in
//! both directions.

use std::collections::BTreeMap;

use dunlin_client::codec::{ConnAck, Delivery, Packet, PacketBuf, Publish};

use super::exchange::Exchange;
use super::inbound::{Inbound, PendingAcks};
use super::limits::Limits;
use super::outbound::{Outbound, Window};
use crate::simulate::auth_method::BAD;
use crate::simulate::violation::{Checked, ensure};

/// Watches all connections of one client, one after another.
#[derive(Debug)]
pub struct Wire {
    stage: Stage,
    exchange: Exchange,
    outbound: Outbound,
    inbound: Inbound,
}

#[derive(Debug)]
enum Stage {
    Closed,
    /// Nothing was sent yet.
    Opened,
    /// CONNECT was sent.
    Connecting,
    Open(Box<Connection>),
    /// DISCONNECT was sent.
    Disconnected,
}

/// State of an open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) limits: Limits,
    pub(super) window: Window,
    pub(super) pending_acks: PendingAcks,
    aliases: BTreeMap<u16, String>,
}

impl Wire {
    /// One for a client that has never been connected. Where the trace isn't `complete`, packets
    /// may have been written that it doesn't show: a first one with DUP is then no violation.
    #[must_use]
    pub fn new(complete: bool) -> Self {
        let exchange = Exchange::default();
        Self {
            stage: Stage::Closed,
            exchange,
            outbound: Outbound::new(complete),
            inbound: Inbound::new(),
        }
    }

    /// A connection opens. The one before is over.
    pub fn opens(&mut self) {
        self.stage = Stage::Opened;
    }

    /// The client has forgotten its session.
    pub fn lose_session(&mut self) {
        self.stage = Stage::Closed;
        self.outbound.forget();
        self.inbound.forget();
    }

    /// Requests that the server hasn't finished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.outbound.len()
    }

    /// Packet identifiers that are in use, also of requests that the server may never answer.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.outbound.reserved()
    }

    /// Messages of QoS 1 and 2 that this connection has brought and the client hasn't acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        match &self.stage {
            Stage::Open(connection) => connection.pending_acks.len(),
            _ => 0,
        }
    }

    /// The server goes on with another session than the client can know of: identifiers of QoS 2
    /// that the client knows stand for other messages, which it takes for repetitions.
    pub(in crate::simulate) fn is_mistaken(&mut self) {
        if let Stage::Open(connection) = &mut self.stage {
            connection.pending_acks.in_any_order();
        }
    }

    /// The client sends a packet.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn sends(&mut self, packet: &PacketBuf) -> Checked {
        let (size, packet) = (packet.as_bytes().len(), packet.packet());
        let detail = || packet.to_string();
        match (&mut self.stage, &packet) {
            (Stage::Opened, Packet::Connect(connect)) => {
                self.stage = Stage::Connecting;
                self.exchange = Exchange::of(&connect.read());
                return Ok(());
            }
            (Stage::Opened | Stage::Closed, _) => {
                return ensure(false, "[MQTT-3.1.0-1] CONNECT comes first", detail);
            }
            (_, Packet::Connect(_)) => {
                return ensure(false, "[MQTT-3.1.0-2] CONNECT comes once", detail);
            }
            (Stage::Disconnected, _) => {
                return ensure(false, "[MQTT-3.14.4-1] nothing follows DISCONNECT", detail);
            }
            (Stage::Connecting, Packet::Auth(auth)) => return self.exchange.sends(auth, false),
            (_, Packet::Disconnect(_)) => {
                self.stage = Stage::Disconnected;
                return Ok(());
            }
            (Stage::Connecting, _) => {
                return ensure(false, "nothing but AUTH goes before CONNACK", detail);
            }
            (Stage::Open(_), _) => {}
        }
        let Stage::Open(connection) = &mut self.stage else {
            return Ok(());
        };
        let limits = connection.limits;
        ensure(
            size <= limits.maximum_packet_size,
            "[MQTT-3.2.2-15] Maximum Packet Size",
            || format!("{size} bytes of {}: {packet}", limits.maximum_packet_size),
        )?;
        match &packet {
            Packet::Publish(publish) => {
                limits.check_publish(publish)?;
                let topic = connection.resolve(publish)?;
                self.outbound
                    .publishes(publish, &topic, &mut connection.window)?;
            }
            Packet::Subscribe(subscribe) => {
                let identifier = subscribe.properties.subscription_identifier;
                ensure(
                    identifier.is_none() || limits.identifiers,
                    "[U-3.2.2-3] no such identifiers",
                    detail,
                )?;
                for each in &subscribe.subscriptions {
                    limits.check_filter(each.filter, each.options)?;
                }
                self.outbound.requests(subscribe.packet_id.get())?;
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.outbound.requests(unsubscribe.packet_id.get())?;
            }
            Packet::PubRel(ack) => self.outbound.releases(ack, &mut connection.window)?,
            Packet::PubAck(ack) => connection.pending_acks.acknowledges(ack)?,
            Packet::PubRec(ack) => {
                connection.pending_acks.receives(ack)?;
                self.inbound.received(ack);
            }
            Packet::PubComp(ack) => connection.pending_acks.completes(ack)?,
            Packet::Auth(auth) => self.exchange.sends(auth, true)?,
            Packet::PingReq => {}
            _ => return ensure(false, "[MQTT-4.13.1-1] clients don't send this", detail),
        }
        Ok(())
    }

    /// The client has read a message that is wrong in itself: it is acknowledged like any other.
    pub fn receives_faulty(&mut self, delivery: Delivery) {
        if let Stage::Open(connection) = &mut self.stage {
            connection.pending_acks.arrives(delivery);
        }
    }

    /// Handles a packet that the client has read, of a server that keeps the rules.
    pub fn receives(&mut self, packet: &PacketBuf) {
        let packet = packet.packet();
        if let Packet::ConnAck(connack) = &packet
            && matches!(self.stage, Stage::Connecting)
            && let connack = connack.read()
            && !connack.reason_code.is_error()
            && connack
                .properties
                .authentication_data
                .is_none_or(|data| data.as_bytes() != BAD)
        {
            self.accepted(&connack);
            return;
        }
        if let Packet::Auth(auth) = &packet {
            self.exchange.receives(auth);
        }
        let Stage::Open(connection) = &mut self.stage else {
            return;
        };
        match &packet {
            Packet::Publish(publish) => connection.pending_acks.arrives(publish.delivery),
            Packet::PubRel(ack) => {
                let known = self.inbound.released(ack);
                connection.pending_acks.is_released(ack, known);
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.outbound
                    .finished(ack.packet_id, &mut connection.window);
            }
            Packet::PubRec(ack) => self.outbound.received(ack, &mut connection.window),
            Packet::SubAck(ack) => self
                .outbound
                .finished(ack.packet_id, &mut connection.window),
            Packet::UnsubAck(ack) => self
                .outbound
                .finished(ack.packet_id, &mut connection.window),
            _ => {}
        }
    }

    fn accepted(&mut self, connack: &ConnAck<'_>) {
        let limits = Limits::of(connack);
        let window = if connack.session_present {
            self.outbound.resume(&limits)
        } else {
            self.outbound.forget();
            self.inbound.forget();
            Window::new(&limits)
        };
        let pending_acks = PendingAcks::new(self.outbound.is_complete());
        self.stage = Stage::Open(Box::new(Connection {
            limits,
            window,
            pending_acks,
            aliases: BTreeMap::new(),
        }));
    }
}

impl Connection {
    /// The topic that a PUBLISH means on this connection.
    fn resolve(&mut self, publish: &Publish<'_>) -> Checked<String> {
        let topic = publish.topic.map(|topic| topic.as_str().to_owned());
        let Some(alias) = publish.properties.topic_alias else {
            return Ok(topic.unwrap_or_default());
        };
        let alias = alias.get();
        ensure(
            alias <= self.limits.topic_alias_maximum,
            "[MQTT-3.2.2-17] Topic Alias Maximum",
            || alias.to_string(),
        )?;
        if let Some(topic) = topic {
            self.aliases.insert(alias, topic.clone());
            return Ok(topic);
        }
        let bound = self.aliases.get(&alias).cloned();
        ensure(
            bound.is_some(),
            "[MQTT-3.3.2-7] an alias is bound on its connection",
            || alias.to_string(),
        )?;
        Ok(bound.unwrap_or_default())
    }
}
