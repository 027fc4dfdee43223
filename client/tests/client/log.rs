//! Log of the client: levels, targets, spans, no terminal control characters and no secrets.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use dunlin_client::codec::{
    Ack, AckProperties, AckType, ConnAck, ConnAckProperties, Disconnect, DisconnectProperties,
    Packet, PacketId, ReasonCode, Utf8String, needs_escape,
};
use dunlin_client::{Client, ConnectOptions, Event, Message, QoS};
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Metadata, Subscriber, span};

use crate::packets::{buf, refusal};
use crate::server::TestServer;
use crate::{connected_as, event_names, millis, options, soon};

/// One entry of the log.
#[derive(Debug, Clone)]
struct Line {
    level: Level,
    target: String,
    /// Names and fields of the spans around it, the outermost first.
    spans: String,
    text: String,
}

#[derive(Default)]
struct Inner {
    lines: Vec<Line>,
    spans: HashMap<u64, String>,
    next: u64,
    entered: Vec<u64>,
}

/// A subscriber that keeps everything as it came, without any escaping of its own.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Inner>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dunlin")
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        let mut inner = self.0.lock().unwrap();
        inner.next += 1;
        let id = inner.next;
        inner.spans.insert(id, text.0);
        span::Id::from_u64(id)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.0
            .lock()
            .unwrap()
            .spans
            .get_mut(&id.into_u64())
            .unwrap()
            .push_str(&text.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let mut inner = self.0.lock().unwrap();
        let around: Vec<u64> = match event.parent() {
            Some(parent) => vec![parent.into_u64()],
            None => inner.entered.clone(),
        };
        let spans: Vec<String> = around
            .iter()
            .map(|id| inner.spans.get(id).unwrap().clone())
            .collect();
        let (level, target) = (
            *event.metadata().level(),
            event.metadata().target().to_owned(),
        );
        inner.lines.push(Line {
            level,
            target,
            spans: spans.join(" / "),
            text: text.0,
        });
    }

    fn enter(&self, id: &span::Id) {
        self.0.lock().unwrap().entered.push(id.into_u64());
    }

    fn exit(&self, id: &span::Id) {
        let mut inner = self.0.lock().unwrap();
        let at = inner
            .entered
            .iter()
            .rposition(|entered| *entered == id.into_u64())
            .unwrap();
        inner.entered.remove(at);
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = tracing::subscriber::set_default(log.clone());
        (log, guard)
    }

    fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().lines.clone()
    }

    /// Entries with this message.
    fn with(&self, message: &str) -> Vec<Line> {
        let end = format!("message={message}");
        self.lines()
            .into_iter()
            .filter(|line| format!("{} ", line.text).contains(&format!("{end} ")))
            .collect()
    }
}

const CONNECTION: &str = "dunlin_client::connection";
const SESSION: &str = "dunlin_client::session";

#[tokio::test]
async fn each_step_has_its_level_its_target_and_its_spans() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let (client, mut events, peer) = connected_as(&server, options(&server)).await;
    drop(peer);
    let mut peer = server.accepts_client().await;
    crate::until_connected(&mut events).await;
    drop(client.try_publish(Message::new("lamp/7", "on")).unwrap());
    peer.receives().await;
    soon(client.disconnect()).await;

    let steps: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.level <= Level::INFO)
        .map(|line| {
            assert_eq!(line.target, CONNECTION);
            (
                line.level,
                line.spans,
                line.text
                    .split("message=")
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    let number = |number| format!("client client_id=lamp-7 / connection number={number}");
    let words = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let told: Vec<_> = steps
        .iter()
        .map(|(level, spans, text)| (*level, spans.clone(), words(text)))
        .collect();
    let expected = [
        (Level::INFO, number(1), "connected"),
        (Level::INFO, number(1), "disconnected"),
        (Level::INFO, number(2), "connected"),
        (Level::INFO, number(2), "disconnected"),
        (Level::INFO, "client client_id=lamp-7".to_owned(), "stopped"),
    ];
    assert_eq!(
        told,
        expected.map(|(level, spans, text)| (level, spans, text.to_owned()))
    );

    let publish = &log.with("publish")[0];
    assert_eq!(
        (publish.level, publish.target.as_str()),
        (Level::DEBUG, SESSION)
    );
    assert!(
        publish.text.contains("topic=lamp/7 qos=0 bytes=2"),
        "{publish:?}"
    );
    assert_eq!(publish.spans, "client client_id=lamp-7");
}

#[tokio::test]
async fn a_client_that_stops_for_good_is_an_error() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    server
        .accepts_client_with(&refusal(ReasonCode::NotAuthorized))
        .await
        .expects_end()
        .await;
    assert_eq!(
        event_names(&mut client.events()).await,
        "attempt opened failed stopped"
    );
    let stopped = log.with("stopped for good");
    assert_eq!((stopped.len(), stopped[0].level), (1, Level::ERROR));
    assert!(stopped[0].text.contains("0x87"), "{stopped:?}");
}

#[tokio::test]
async fn refused_requests_are_warned_of_and_equal_warnings_are_counted() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let (client, _events, mut peer) = connected_as(&server, options(&server)).await;
    for id in 1..=5_u16 {
        let receipt = client
            .publish(Message::new("a", "on").qos(QoS::AtLeastOnce))
            .await
            .unwrap();
        peer.receives().await;
        let code = if id == 5 {
            ReasonCode::QuotaExceeded
        } else {
            ReasonCode::NotAuthorized
        };
        let ack = Ack {
            reason_code: code,
            ..Ack::success(PacketId::new(id).unwrap())
        };
        peer.sends(&buf(ack.into_packet(AckType::PubAck))).await;
        soon(receipt).await.unwrap_err();
    }
    let warnings = log.with("request refused");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings
            .iter()
            .all(|line| line.level == Level::WARN && line.target == SESSION)
    );
    assert!(warnings[0].text.contains("packet=PUBACK") && warnings[0].text.contains("packet_id=1"));
    soon(client.disconnect()).await;
    let left_out = log.with("equal warnings were left out");
    assert!(
        left_out.len() == 1 && left_out[0].text.contains("left_out=3"),
        "{left_out:?}"
    );
}

#[tokio::test]
async fn packets_are_traced_without_their_secrets() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.password = Some(b"canary-password".to_vec().into());
    options.connect.username = Some("user?canary-token=1".into());
    let (client, _events, mut peer) = connected_as(&server, options).await;
    drop(
        client
            .publish(Message::new("lamp/7", "canary-payload").qos(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    peer.receives().await;
    soon(client.disconnect_within(millis(1))).await;
    let packets: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line.target == "dunlin_client::packets")
        .collect();
    assert!(packets.iter().all(|line| line.level == Level::TRACE));
    let texts: Vec<_> = packets.iter().map(|line| line.text.as_str()).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("packet=CONNECT") && text.contains("sent")),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.contains("packet=CONNACK") && text.contains("received"))
    );
    let publish = texts
        .iter()
        .find(|text| text.contains("packet=PUBLISH"))
        .unwrap();
    for field in ["id=1", "qos=1", "topic=lamp/7", "size=27"] {
        assert!(publish.contains(field), "{publish}");
    }
    assert!(!format!("{:?}", log.lines()).contains("canary"));
}

/// Every control character that MQTT lets through, every mark of the reading direction, every
/// separator.
fn hostile_text() -> String {
    ('\u{1}'..=char::MAX).filter(|c| needs_escape(*c)).collect()
}

#[tokio::test]
async fn text_of_the_server_is_escaped_in_the_log() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let hostile = hostile_text();
    let said = Utf8String::new(&hostile).unwrap();
    let mut options = options(&server);
    // The server chooses the identifier.
    options.connect = ConnectOptions {
        keep_alive: std::time::Duration::ZERO,
        ..ConnectOptions::new("")
    };
    let client = Client::start(options);
    let mut events = client.events();
    let properties = ConnAckProperties {
        assigned_client_identifier: Some(said),
        reason_string: Some(said),
        ..ConnAckProperties::default()
    };
    let refused = ConnAck {
        reason_code: ReasonCode::ServerBusy,
        properties,
        ..ConnAck::default()
    };
    let refused = ConnAck {
        properties: ConnAckProperties {
            assigned_client_identifier: None,
            ..properties
        },
        ..refused
    };
    server
        .accepts_client_with(&buf(Packet::from(&refused)))
        .await
        .expects_end()
        .await;
    let accepted = ConnAck {
        properties,
        ..ConnAck::default()
    };
    let mut peer = server
        .accepts_client_with(&buf(Packet::from(&accepted)))
        .await;
    crate::until_connected(&mut events).await;

    let receipt = client
        .publish(Message::new(&hostile, "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    peer.receives().await;
    let properties = AckProperties {
        reason_string: Some(said),
        ..AckProperties::default()
    };
    let ack = Ack {
        reason_code: ReasonCode::NotAuthorized,
        properties,
        ..Ack::success(PacketId::new(1).unwrap())
    };
    peer.sends(&buf(ack.into_packet(AckType::PubAck))).await;
    soon(receipt).await.unwrap_err();
    let _ = tokio::time::timeout(millis(20), client.subscribe(&hostile, QoS::AtMostOnce)).await;
    peer.receives().await;
    // A message that is wrong only in itself: a wildcard in its Topic Name.
    let mut wrong = vec![0x30, 0, 0, 0];
    wrong.extend_from_slice(hostile.as_bytes());
    wrong.extend_from_slice(b"/#\0");
    let topic = u16::try_from(hostile.len() + 2).unwrap().to_be_bytes();
    let rest = wrong.len() - 2;
    wrong.splice(
        1..4,
        [
            u8::try_from(rest % 128).unwrap() | 0x80,
            u8::try_from(rest / 128).unwrap(),
            topic[0],
            topic[1],
        ],
    );
    peer.sends_bytes(&wrong).await;
    let properties = DisconnectProperties {
        reason_string: Some(said),
        ..DisconnectProperties::default()
    };
    let leaves = Disconnect {
        reason_code: ReasonCode::SessionTakenOver,
        properties,
    };
    peer.sends(&buf(Packet::Disconnect(leaves))).await;
    while !matches!(soon(events.next()).await, Some(Event::Stopped(_))) {}

    let lines = log.lines();
    let written: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {}", line.spans, line.text))
        .collect();
    for step in [
        "connecting failed",
        "connected",
        "request refused",
        "message refused",
        "stopped for good",
    ] {
        assert!(
            written
                .iter()
                .any(|text| text.contains(&format!("message={step}"))),
            "{step}: {written:?}"
        );
    }
    assert!(
        written
            .iter()
            .any(|text| text.contains("\\u{202e}") && text.contains("client_id="))
    );
    for text in written {
        assert!(!text.chars().any(needs_escape), "{text:?}");
    }
}
