//! The wire rules that bind a client, judged from nothing but the packets of its connections, in
//! both directions.

use std::collections::BTreeMap;

use dunlin_client::codec::{
    ConnAck, Delivery, Packet, PacketBuf, Publish, QoS, SubscriptionOptions, TopicFilter,
};

use super::exchange::Exchange;
use super::inbound::{Inbound, OwedAcks};
use super::outbound::{Content, Outbound, Window};
use super::{Checked, ensure};
use crate::simulate::proof::FOUL;

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

/// What lives as long as the connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) limits: Limits,
    pub(super) window: Window,
    pub(super) owed: OwedAcks,
    aliases: BTreeMap<u16, String>,
}

/// What CONNACK allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) receive_maximum: usize,
    maximum_qos: QoS,
    retain_available: bool,
    maximum_packet_size: usize,
    topic_alias_maximum: u16,
    wildcards: bool,
    shared: bool,
    identifiers: bool,
}

impl Wire {
    /// One for a client that has never been connected. Where the trace isn't `complete`, packets
    /// may have been written that it doesn't show: a first one with DUP is then no breach.
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
    pub fn forgets(&mut self) {
        self.stage = Stage::Closed;
        self.outbound.forget();
        self.inbound.forget();
    }

    /// Requests that the server hasn't finished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.outbound.len()
    }

    /// Messages of QoS 1 and 2 that this connection has brought and the client hasn't acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        match &self.stage {
            Stage::Open(connection) => connection.owed.len(),
            _ => 0,
        }
    }

    /// The server goes on with another session than the client can know of: identifiers of QoS 2
    /// that the client knows stand for other messages, which it takes for repetitions.
    pub(in crate::simulate) fn is_mistaken(&mut self) {
        if let Stage::Open(connection) = &mut self.stage {
            connection.owed.in_any_order();
        }
    }

    /// The client sends a packet.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn sends(&mut self, packet: &PacketBuf) -> Checked {
        let (size, packet) = (packet.as_bytes().len(), packet.packet());
        let told = || packet.to_string();
        match (&mut self.stage, &packet) {
            (Stage::Opened, Packet::Connect(connect)) => {
                self.stage = Stage::Connecting;
                self.exchange = Exchange::of(connect);
                return Ok(());
            }
            (Stage::Opened | Stage::Closed, _) => {
                return ensure(false, "[MQTT-3.1.0-1] CONNECT comes first", told);
            }
            (_, Packet::Connect(_)) => {
                return ensure(false, "[MQTT-3.1.0-2] CONNECT comes once", told);
            }
            (Stage::Disconnected, _) => {
                return ensure(false, "[MQTT-3.14.4-1] nothing follows DISCONNECT", told);
            }
            (Stage::Connecting, Packet::Auth(auth)) => return self.exchange.sends(auth, false),
            (_, Packet::Disconnect(_)) => {
                self.stage = Stage::Disconnected;
                return Ok(());
            }
            (Stage::Connecting, _) => {
                return ensure(false, "nothing but AUTH goes before CONNACK", told);
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
                self.outbound.publishes(publish, &topic, connection)?;
            }
            Packet::Subscribe(subscribe) => {
                let identifier = subscribe.properties.subscription_identifier;
                ensure(
                    identifier.is_none() || limits.identifiers,
                    "[U-3.2.2-3] no such identifiers",
                    told,
                )?;
                for each in &subscribe.subscriptions {
                    limits.check_filter(each.filter, each.options)?;
                }
                self.outbound.requests(subscribe.packet_id.get())?;
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.outbound.requests(unsubscribe.packet_id.get())?;
            }
            Packet::PubRel(ack) => self.outbound.releases(ack, connection)?,
            Packet::PubAck(ack) => connection.owed.acknowledges(ack)?,
            Packet::PubRec(ack) => {
                connection.owed.receives(ack)?;
                self.inbound.received(ack);
            }
            Packet::PubComp(ack) => connection.owed.completes(ack)?,
            Packet::Auth(auth) => self.exchange.sends(auth, true)?,
            Packet::PingReq => {}
            _ => return ensure(false, "[MQTT-4.13.1-1] clients don't send this", told),
        }
        Ok(())
    }

    /// The client has read a message that is wrong in itself: it is acknowledged like any other.
    pub fn receives_faulty(&mut self, delivery: Delivery) {
        if let Stage::Open(connection) = &mut self.stage {
            connection.owed.arrives(delivery);
        }
    }

    /// The client has read a packet, of a server that keeps to the rules.
    pub fn receives(&mut self, packet: &PacketBuf) {
        let packet = packet.packet();
        if let Packet::ConnAck(connack) = &packet
            && matches!(self.stage, Stage::Connecting)
            && !connack.reason_code.is_error()
            && connack
                .properties
                .authentication_data
                .is_none_or(|data| data.as_bytes() != FOUL)
        {
            self.accepted(connack);
            return;
        }
        if let Packet::Auth(auth) = &packet {
            self.exchange.receives(auth);
        }
        let Stage::Open(connection) = &mut self.stage else {
            return;
        };
        match &packet {
            Packet::Publish(publish) => connection.owed.arrives(publish.delivery),
            Packet::PubRel(ack) => {
                let known = self.inbound.released(ack);
                connection.owed.is_released(ack, known);
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.outbound.finished(ack.packet_id, connection);
            }
            Packet::PubRec(ack) => self.outbound.received(ack, connection),
            Packet::SubAck(ack) => self.outbound.finished(ack.packet_id, connection),
            Packet::UnsubAck(ack) => self.outbound.finished(ack.packet_id, connection),
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
            Window::default()
        };
        let owed = OwedAcks::new(self.outbound.is_complete());
        self.stage = Stage::Open(Box::new(Connection {
            limits,
            window,
            owed,
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

impl Limits {
    fn of(connack: &ConnAck<'_>) -> Self {
        let said = &connack.properties;
        Self {
            receive_maximum: said
                .receive_maximum
                .map_or(65_535, |maximum| maximum.get().into()),
            maximum_qos: said.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: said.retain_available.unwrap_or(true),
            maximum_packet_size: said
                .maximum_packet_size
                .map_or(usize::MAX, |size| size.get() as usize),
            topic_alias_maximum: said.topic_alias_maximum.unwrap_or(0),
            wildcards: said.wildcard_subscription_available.unwrap_or(true),
            shared: said.shared_subscription_available.unwrap_or(true),
            identifiers: said.subscription_identifier_available.unwrap_or(true),
        }
    }

    /// Whether the server surely takes such a message, with a topic alias or without.
    pub(super) fn allow(&self, content: Content) -> bool {
        content.qos <= self.maximum_qos
            && (self.retain_available || !content.retain)
            && content.size + TOPIC_ALIAS <= self.maximum_packet_size
    }

    fn check_publish(&self, publish: &Publish<'_>) -> Checked {
        let qos = publish.delivery.qos();
        ensure(
            qos <= self.maximum_qos,
            "[MQTT-3.2.2-11] Maximum QoS",
            || qos.to_string(),
        )?;
        ensure(
            self.retain_available || !publish.retain,
            "[MQTT-3.2.2-14] Retain Available",
            String::new,
        )
    }

    fn check_filter(&self, filter: TopicFilter<'_>, options: SubscriptionOptions) -> Checked {
        let told = || filter.as_str().to_owned();
        ensure(
            self.wildcards || !filter.has_wildcard(),
            "[U-3.2.2-3] no wildcards",
            told,
        )?;
        ensure(
            self.shared || !filter.is_shared(),
            "[U-3.2.2-3] no shared subscriptions",
            told,
        )?;
        ensure(
            !(filter.is_shared() && options.no_local),
            "[MQTT-3.8.3-4] no No Local if shared",
            told,
        )
    }
}

/// The bytes of the property.
const TOPIC_ALIAS: usize = 3;
