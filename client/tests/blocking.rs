//! The client without tokio around it, against a scripted server on another thread.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use dunlin_client::blocking::{Client, TimedOut};
use dunlin_client::codec::{
    AckType, Disconnect, DisconnectProperties, Packet, PacketBuf, ReasonCode,
};
use dunlin_client::store::{Change, Store};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{
    ClientOptions, ConnectOptions, EndCause, Event, Message, QoS, RequestError, StopCause,
    StreamLimits,
};

use dunlin_test_support::packets::{
    self, ack, at_least_once, at_most_once, connack_resumed, disconnect, puback, publish, refusal,
    suback, unsuback, with_dup,
};
use dunlin_test_support::server::{Peer, TestServer};

const SOON: Duration = Duration::from_secs(5);

/// DISCONNECT of a client that ends its session with the connection.
fn disconnect_ending_session() -> PacketBuf {
    let properties = DisconnectProperties {
        session_expiry_interval: Some(0),
        ..DisconnectProperties::default()
    };
    packets::buf(Packet::Disconnect(Disconnect {
        properties,
        ..Disconnect::default()
    }))
}

/// Runs `script` with a server on a thread of its own.
fn serve<F, T>(script: impl FnOnce(TestServer) -> F + Send + 'static) -> (SocketAddr, JoinHandle<T>)
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = TestServer::start().await;
            tell.send(server.address()).unwrap();
            script(server).await
        })
    });
    (told.recv_timeout(SOON).unwrap(), thread)
}

fn options(address: SocketAddr) -> ClientOptions {
    let transport = TransportOptions {
        connect_to: Some(address),
        timeout: Duration::from_secs(2),
        ..TransportOptions::new("localhost", address.port())
    };
    ClientOptions::new(transport, ConnectOptions::new("lamp-7"))
}

async fn grant_subscription(peer: &mut Peer, packet_id: u16) {
    let packet = peer.receives().await;
    assert!(
        matches!(packet.packet(), Packet::Subscribe(_)),
        "{packet:?}"
    );
    peer.sends(&suback(packet_id, &[ReasonCode::GrantedQoS1]))
        .await;
}

#[test]
fn a_conversation_goes_as_with_the_async_client() {
    let (address, serving) = serve(|server| async move {
        let mut peer = server.accepts_client().await;
        grant_subscription(&mut peer, 1).await;
        peer.sends(&publish("lamp/1", at_least_once(1))).await;
        peer.expects(puback(1)).await;
        peer.expects(publish("lamp/7", at_least_once(2))).await;
        peer.sends(&puback(2)).await;
        peer.receives().await;
        peer.sends(&unsuback(3, &[ReasonCode::Success])).await;
        peer.expects(disconnect_ending_session()).await;
        peer.expects_end().await;
    });
    let client = Client::connect(options(address)).unwrap();
    let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).unwrap();
    assert_eq!(
        (lamps.filter(), lamps.granted_qos()),
        ("lamp/+", QoS::AtLeastOnce)
    );
    assert_eq!(lamps.next(SOON).unwrap().unwrap().topic(), "lamp/1");
    let mut receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    assert_eq!(receipt.wait(SOON).unwrap().reason_code, ReasonCode::Success);
    assert_eq!(client.statistics().acknowledged, 1);
    assert_eq!(
        client.unsubscribe("lamp/+").unwrap().reason_codes,
        [ReasonCode::Success]
    );
    assert!(lamps.next(SOON).unwrap().is_none());
    client.disconnect();
    serving.join().unwrap();
    let stopped = client.publish(Message::new("lamp/7", "on")).unwrap_err();
    assert_eq!(stopped, RequestError::Stopped(StopCause::Requested));
}

#[test]
fn every_blocking_wait_has_a_timeout_and_can_be_repeated() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (address, serving) = serve(|server| async move {
        let mut peer = server.accepts_client().await;
        grant_subscription(&mut peer, 1).await;
        peer.receives().await;
        tokio::task::spawn_blocking(move || waits.recv_timeout(SOON))
            .await
            .unwrap()
            .unwrap();
        peer.sends(&puback(2)).await;
        peer.sends(&publish("lamp/1", at_most_once())).await;
        // An unanswered SUBSCRIBE.
        peer.receives().await;
        peer.acknowledges_until_end().await;
    });
    let short = Duration::from_millis(30);
    let mut options = options(address);
    options.connect.ack_timeout = Duration::from_secs(1);
    let client = Client::connect(options).unwrap();
    let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).unwrap();
    let mut receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    assert_eq!(lamps.next(short).unwrap_err(), TimedOut { after: short });
    assert_eq!(
        receipt.wait(short).unwrap_err(),
        RequestError::Timeout { after: short }
    );
    let mut rest = client.unmatched(StreamLimits::default()).unwrap();
    assert_eq!(rest.next(short).unwrap_err(), TimedOut { after: short });
    go_on.send(()).unwrap();
    receipt.wait(SOON).unwrap();
    assert_eq!(lamps.next(SOON).unwrap().unwrap().topic(), "lamp/1");
    let unanswered = client.subscribe("door/+", QoS::AtMostOnce).unwrap_err();
    assert_eq!(
        unanswered,
        RequestError::Timeout {
            after: Duration::from_secs(1)
        }
    );
    client.disconnect_within(Duration::ZERO);
    serving.join().unwrap();
}

#[test]
fn a_refusal_is_returned_by_every_wait() {
    let (address, serving) = serve(|server| async move {
        let mut peer = server.accepts_client().await;
        peer.receives().await;
        peer.sends(&ack(AckType::PubAck, 1, ReasonCode::NotAuthorized))
            .await;
        peer.acknowledges_until_end().await;
    });
    let client = Client::connect(options(address)).unwrap();
    let mut receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    for _ in 0..2 {
        assert!(matches!(receipt.wait(SOON), Err(RequestError::Refused(_))));
    }
    drop((client, receipt));
    serving.join().unwrap();
}

#[test]
fn unmatched_messages_are_acknowledged_manually_too() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (address, serving) = serve(|server| async move {
        let mut peer = server.accepts_client().await;
        tokio::task::spawn_blocking(move || waits.recv_timeout(SOON))
            .await
            .unwrap()
            .unwrap();
        peer.sends(&publish("lamp/1", at_least_once(1))).await;
        peer.expects(ack(AckType::PubAck, 1, ReasonCode::NotAuthorized))
            .await;
    });
    let client = Client::connect(options(address)).unwrap();
    let mut rest = client.unmatched(StreamLimits::default()).unwrap();
    go_on.send(()).unwrap();
    let (message, acknowledgement) = rest.next_unacknowledged(SOON).unwrap().unwrap();
    assert_eq!(message.topic(), "lamp/1");
    acknowledgement.answer(ReasonCode::NotAuthorized).unwrap();
    serving.join().unwrap();
}

#[test]
fn requests_made_offline_wait_for_the_connection() {
    let (address, serving) = serve(|server| async move {
        drop(
            server
                .accepts_client_with(&refusal(ReasonCode::ServerBusy))
                .await,
        );
        let mut peer = server.accepts_client().await;
        peer.expects(publish("lamp/7", at_least_once(1))).await;
        peer.sends(&puback(1)).await;
        peer.acknowledges_until_end().await
    });
    let mut options = options(address);
    options.reconnect.min_delay = Duration::ZERO;
    options.reconnect.max_delay = Duration::from_millis(20);
    let client = Client::start(options).unwrap();
    let mut events = client.events();
    let mut receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    receipt.wait(SOON).unwrap();
    while !matches!(events.next(SOON).unwrap().unwrap(), Event::Connected(_)) {}
    drop((client, receipt, events));
    assert_eq!(
        serving.join().unwrap(),
        [disconnect_ending_session()],
        "said before the drop returned"
    );
}

#[test]
fn a_connection_that_is_refused_is_an_error_and_leaves_no_thread() {
    let (address, serving) = serve(|server| async move {
        server
            .accepts_client_with(&refusal(ReasonCode::NotAuthorized))
            .await
            .expects_end()
            .await;
    });
    assert!(matches!(
        Client::connect(options(address)),
        Err(StopCause::Final(EndCause::Attempt(_)))
    ));
    serving.join().unwrap();
}

#[test]
fn another_client_continues_a_session() {
    let (address, serving) = serve(|server| async move {
        let mut peer = server.accepts_client().await;
        peer.expects(publish("lamp/7", at_least_once(1))).await;
        peer.expects(disconnect(ReasonCode::Success)).await;
        drop(peer);
        let mut peer = server.accepts_client_with(&connack_resumed()).await;
        peer.expects(publish("lamp/7", with_dup(at_least_once(1))))
            .await;
        peer.sends(&puback(1)).await;
        peer.expects(disconnect_ending_session()).await;
    });
    let client = Client::connect(options(address)).unwrap();
    drop(
        client
            .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
            .unwrap(),
    );
    let session = client.disconnect_keeping_session().unwrap();
    assert_eq!(session.in_flight(), 1);
    let client = Client::start_with_session(options(address), session).unwrap();
    client.disconnect();
    serving.join().unwrap();
}

#[derive(Default)]
struct Memory(Arc<Mutex<Vec<Change>>>);

impl Store for Memory {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        Ok(Vec::new())
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(changes);
        Ok(())
    }
}

#[test]
fn a_blocking_client_persists_its_session() {
    let (address, serving) = serve(|server| async move {
        server.accepts_client().await.acknowledges_until_end().await;
    });
    let kept = Arc::default();
    let client = Client::start_with_store(options(address), Memory(Arc::clone(&kept))).unwrap();
    let mut receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    client.until_persisted(SOON).unwrap();
    assert!(!kept.lock().unwrap().is_empty());
    receipt.wait(SOON).unwrap();
    client.disconnect();
    serving.join().unwrap();
}

/// Waiting there would hold up the tasks of the runtime, so it isn't begun.
#[test]
fn a_blocking_client_in_asynchronous_code_panics_before_it_starts() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connected = runtime.block_on(async {
        let server = TestServer::start().await;
        let options = options(server.address());
        let started = || Client::start(options.clone()).map(drop);
        assert!(catch_unwind(AssertUnwindSafe(started)).is_err());
        let connected = || Client::connect(options.clone()).map(drop);
        assert!(catch_unwind(AssertUnwindSafe(connected)).is_err());
        let connected =
            tokio::time::timeout(Duration::from_millis(50), server.accepts_without_timeout()).await;

        // A thread for blocking work may wait.
        let welcomed = async { server.accepts_client().await };
        let client = tokio::task::spawn_blocking(|| Client::connect(options).map(drop));
        let (client, _peer) = tokio::join!(client, welcomed);
        client.unwrap().unwrap();
        connected.is_ok()
    });
    assert!(!connected);
}
