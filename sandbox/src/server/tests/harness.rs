//! A server in virtual time, and packets for its clients.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::BytesMut;
use dunlin_codec::{
    Ack, BinaryData, Connect, ConnectProperties, Delivery, Packet, PacketBuf, PacketId, Publish,
    QoS, ReasonCode, TopicName, Utf8String,
};
use dunlin_test_support::values::Encoded;
pub(super) use dunlin_test_support::values::{subscribe, subscription};
use tokio::sync::Notify;

use crate::authorizer::Grant;
use crate::event::Event;
use crate::policy::Policy;
use crate::profile::Profile;
use crate::server::{Connection, Hub, Peer, RandomIds, Settings, Timestamp};

pub(super) const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;
pub(super) const CONNECT_ONLY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;

/// A server without sockets, and its virtual clock.
pub(super) struct Harness {
    pub(super) hub: Hub,
    settings: Arc<Settings>,
    pub(super) now: Timestamp,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(Settings {
            profile: Profile::Mqtt5,
            ..Settings::default()
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time has to begin somewhere"
    )]
    pub(super) fn with(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self {
            hub: Hub::new(Arc::clone(&settings)),
            settings,
            now: Timestamp {
                instant: Instant::now(),
                calendar: UNIX_EPOCH,
            },
        }
    }

    pub(super) fn accepted(&self) -> Connection {
        let peer = Peer {
            address: ([127, 0, 0, 1], 1).into(),
            local_address: None,
            tls: None,
            http: None,
            signed_by: None,
        };
        // Fixed, so that tests can predict the assigned client id.
        let ids = RandomIds {
            connection: "1".into(),
            client: "a-random-id".into(),
        };
        Connection::new(
            Arc::clone(&self.settings),
            peer,
            ids,
            Arc::new(Notify::new()),
            self.now.instant,
        )
    }

    pub(super) fn connected(&mut self, client_id: &str) -> Connection {
        self.connects(connect(client_id)).0
    }

    /// Connection with its CONNACK, and the Session Present flag.
    pub(super) fn connects(&mut self, connect: Connect<'_>) -> (Connection, bool) {
        let mut connection = self.accepted();
        self.receives(&mut connection, connect);
        // Every CONNECT is decided by an authorizer; here it allows everything.
        assert!(connection.poll_authorization().is_some());
        connection.handle_authorization(Ok(grant(ALL)), &mut self.hub, self.now);
        let sent = self.sends(&mut connection);
        let Packet::ConnAck(connack) = sent[0].packet() else {
            panic!("a CONNACK")
        };
        let connack = connack.read();
        assert_eq!(connack.reason_code, ReasonCode::Success);
        (connection, connack.session_present)
    }

    /// Log lines of the hub for everything that is due within a second.
    pub(super) fn hub_log(&mut self) -> Vec<String> {
        // The first turns finish what has ended; losses are reported a moment after they were
        // counted.
        let mut events = self.hub_events(self.now.instant);
        events.extend(self.hub_events(self.now.instant + Duration::from_secs(1)));
        events.iter().map(ToString::to_string).collect()
    }

    /// Events of everything that is due at `now`, in as many turns as it takes.
    fn hub_events(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        while self.hub.poll_timeout().is_some_and(|at| at <= now) {
            events.extend(self.hub.handle_timeout(now));
        }
        events
    }

    pub(super) fn receives(&mut self, connection: &mut Connection, packet: impl Encoded) {
        // Encoded and decoded again, so that tests cover the way of real bytes.
        let mut input = packet.encoded();
        connection.handle_input(&mut input, &mut self.hub, self.now);
        assert!(input.is_empty());
    }

    /// Packets that are ready to be sent.
    pub(super) fn sends(&mut self, connection: &mut Connection) -> Vec<PacketBuf> {
        let mut packets = Vec::new();
        loop {
            // An empty input begins a new turn, and with it a new allowance of work.
            connection.handle_input(&mut BytesMut::new(), &mut self.hub, self.now);
            connection.poll_deliveries(&mut self.hub, self.now);
            let output = &mut connection.output.bytes;
            if output.is_empty() {
                return packets;
            }
            while let Some(packet) = PacketBuf::take(output, &Default::default()).unwrap() {
                packets.push(packet);
            }
        }
    }

    pub(super) fn sends_disconnect(&mut self, connection: &mut Connection) -> Option<ReasonCode> {
        match self.sends(connection).last()?.packet() {
            Packet::Disconnect(disconnect) => Some(disconnect.reason_code),
            _ => None,
        }
    }

    pub(super) fn advance(&mut self, connection: &mut Connection, seconds: u64) {
        // Deadlines are handled at the end of the time that passes, as by a process that was
        // asleep.
        self.now += Duration::from_secs(seconds);
        while connection
            .poll_timeout()
            .is_some_and(|at| at <= self.now.instant)
        {
            connection.handle_timeout(&mut self.hub, self.now);
        }
    }
}

pub(super) fn grant(policy: &str) -> Grant {
    Grant {
        authorizer: "A".into(),
        principal_id: "p".into(),
        policy: Policy::parse(policy).unwrap(),
        disconnect_after: Duration::from_secs(1000),
        refresh_after: Some(Duration::from_secs(300)),
    }
}

pub(super) fn connect(client_id: &str) -> Connect<'_> {
    Connect {
        clean_start: true,
        keep_alive: 600,
        properties: ConnectProperties::default(),
        client_id: Utf8String::new(client_id).unwrap(),
        will: None,
        username: None,
        password: BinaryData::new(b"secret").ok(),
    }
}

pub(super) fn publish(topic: &str, qos: QoS) -> Publish<'_> {
    let delivery = Delivery::new(qos, PacketId::new(7).unwrap(), false);
    Publish {
        delivery,
        ..Publish::new(TopicName::new(topic).unwrap(), b"x")
    }
}

pub(super) fn puback_codes(packets: &[PacketBuf]) -> Vec<ReasonCode> {
    let code = |packet: &PacketBuf| match packet.packet() {
        Packet::PubAck(Ack { reason_code, .. }) => Some(reason_code),
        _ => None,
    };
    packets.iter().filter_map(code).collect()
}

/// Number of PUBLISH packets.
pub(super) fn messages(packets: &[PacketBuf]) -> usize {
    packets
        .iter()
        .filter(|packet| matches!(packet.packet(), Packet::Publish(_)))
        .count()
}
