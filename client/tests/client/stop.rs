//! The end that the application asks for: DISCONNECT, in time, and everybody learns of it.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use dunlin_client::codec::ReasonCode;
use dunlin_client::{
    Client, ConnectError, DisconnectOptions, EndCause, Event, Message, QoS, RequestError, StopCause,
};
use tokio::runtime::Builder;
use tracing::{Metadata, Subscriber, span};

use crate::packets::{at_least_once, at_most_once, disconnect, puback, publish, refusal};
use crate::server::TestServer;
use crate::{
    connected, connected_as, disconnect_ending_session, event_names, millis, options, soon,
};

fn lamp_message(qos: QoS) -> Message<'static> {
    Message::new("lamp/7", "on").qos(qos)
}

/// Fails the test after 0.9 s: less than any of the waits that the tests configure.
async fn without_waiting<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(millis(900), what).await.unwrap()
}

/// awscrt_stop_without_disconnect
#[tokio::test]
async fn disconnect_is_sent_before_the_connection_is_closed() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let disconnect = async {
        peer.expects(disconnect_ending_session()).await;
        peer.expects_end().await;
        drop(peer);
    };
    tokio::join!(without_waiting(client.disconnect()), disconnect);
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
    without_waiting(client.disconnect()).await;
}

/// [U-3.14.2-1]
#[tokio::test]
async fn a_client_that_stops_ends_its_session_at_the_server() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    drop(client);
    assert_eq!(
        peer.receives().await.as_bytes()[..],
        [0xE0, 0x07, 0x00, 0x05, 0x11, 0, 0, 0, 0]
    );
}

#[tokio::test]
async fn a_kept_session_survives_its_client_at_the_server() {
    let server = TestServer::start().await;
    // The session is handed to another client.
    let (client, _, mut peer) = connected(&server).await;
    let kept = tokio::spawn(async move { client.disconnect_keeping_session().await });
    peer.expects(disconnect(ReasonCode::Success)).await;
    drop(peer);
    assert!(soon(kept).await.unwrap().is_some());

    // Another run with these options will go on with it.
    let mut never = options(&server);
    never.connect.clean_start = dunlin_client::CleanStart::Never;
    let (client, _, mut peer) = connected_as(&server, never).await;
    drop(client);
    peer.expects(disconnect(ReasonCode::Success)).await;

    // The application says how long.
    let (client, _, mut peer) = connected(&server).await;
    client
        .set_disconnect(DisconnectOptions {
            session_expiry_interval: Some(60),
            ..DisconnectOptions::default()
        })
        .unwrap();
    drop(client);
    assert_eq!(
        peer.receives().await.as_bytes()[..],
        [0xE0, 0x07, 0x00, 0x05, 0x11, 0, 0, 0, 60]
    );
}

#[tokio::test]
async fn a_client_without_a_session_sends_no_session_expiry_at_disconnect() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.session_expiry_interval = None;
    let (client, _, mut peer) = connected_as(&server, options).await;
    drop(client);
    assert_eq!(peer.receives().await.as_bytes()[..], [0xE0, 0x00]);
}

#[tokio::test]
async fn a_client_says_whether_it_is_connected() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    assert!(!client.is_connected());
    let mut events = client.events();
    let peer = server.accepts_client().await;
    crate::until_connected(&mut events).await;
    assert!(client.is_connected());
    drop((server, peer));
    while !matches!(soon(events.next()).await, Some(Event::Disconnected { .. })) {}
    assert!(!client.is_connected());
}

#[tokio::test]
async fn the_last_handle_that_is_dropped_disconnects() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let clone = client.clone();
    drop(client);
    drop(clone.try_publish(lamp_message(QoS::AtMostOnce)).unwrap());
    drop(clone);
    peer.expects(publish("lamp/7", at_most_once())).await;
    peer.expects(disconnect_ending_session()).await;
    peer.expects_end().await;
    drop(peer);
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
}

/// Nothing of QoS 0 is waited for once it is written.
#[tokio::test]
async fn disconnect_right_after_a_publish_sends_it_first() {
    let server = TestServer::start().await;
    let (client, _, peer) = connected(&server).await;
    drop(client.publish(lamp_message(QoS::AtMostOnce)).await.unwrap());
    let ((), packets) = tokio::join!(
        without_waiting(client.disconnect()),
        peer.acknowledges_until_end()
    );
    assert_eq!(
        packets,
        [
            publish("lamp/7", at_most_once()),
            disconnect_ending_session()
        ]
    );
}

#[tokio::test]
async fn disconnect_waits_for_what_was_accepted() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let slow = async {
        peer.expects(publish("lamp/7", at_least_once(1))).await;
        tokio::time::sleep(millis(100)).await;
        peer.sends(&puback(1)).await;
        peer.expects(disconnect_ending_session()).await;
        drop(peer);
    };
    tokio::join!(
        without_waiting(client.disconnect_within(Duration::MAX)),
        slow
    );
    without_waiting(receipt).await.unwrap();
}

#[tokio::test]
async fn disconnect_waits_no_longer_than_its_timeout() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let disconnect = async {
        peer.receives().await;
        peer.expects(disconnect_ending_session()).await;
        drop(peer);
    };
    tokio::join!(
        without_waiting(client.disconnect_within(millis(50))),
        disconnect
    );
    assert_eq!(
        without_waiting(receipt).await.unwrap_err(),
        RequestError::Stopped(StopCause::Requested)
    );
}

#[tokio::test]
async fn the_shortest_requested_time_applies() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    let other = client.clone();
    let patient =
        tokio::spawn(async move { other.disconnect_within(Duration::from_secs(3600)).await });
    let disconnect = async {
        peer.receives().await;
        peer.expects(disconnect_ending_session()).await;
        drop(peer);
    };
    tokio::join!(
        without_waiting(client.disconnect_within(millis(50))),
        disconnect
    );
    without_waiting(patient).await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_requests_that_timed_out() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.ack_timeout = millis(50);
    let (client, _, mut peer) = connected_as(&server, options).await;
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(matches!(
        soon(receipt).await,
        Err(RequestError::Timeout { .. })
    ));
    peer.receives().await;
    let disconnect = async {
        peer.expects(disconnect_ending_session()).await;
        drop(peer);
    };
    tokio::join!(without_waiting(client.disconnect()), disconnect);
}

#[tokio::test]
async fn a_server_that_does_not_close_is_not_waited_for_long() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
}

#[tokio::test]
async fn a_client_that_is_connecting_stops_at_once() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    let mut peer = server.accepts().await;
    peer.receives().await;
    without_waiting(client.disconnect()).await;
    peer.expects_end().await;
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Attempt { .. })
    ));
    assert!(matches!(soon(events.next()).await, Some(Event::Opened(_))));
    let Some(Event::Disconnected {
        cause: EndCause::Attempt(cause),
        retry_in: None,
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert_eq!(cause, Arc::new(ConnectError::Requested));
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Stopped(StopCause::Requested))
    ));
}

#[tokio::test]
async fn a_client_that_waits_for_its_next_attempt_stops_at_once() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = Duration::from_secs(60);
    options.reconnect.max_delay = Duration::from_secs(60);
    let client = Client::start(options);
    let mut events = client.events();
    server
        .accepts_client_with(&refusal(ReasonCode::ServerBusy))
        .await;
    while !matches!(
        soon(events.next()).await,
        Some(Event::Disconnected {
            cause: EndCause::Attempt(_),
            ..
        })
    ) {}
    without_waiting(client.disconnect()).await;
    assert_eq!(event_names(&mut events).await, "stopped");
}

/// Messages that were accepted offline are sent before the client ends.
#[tokio::test]
async fn a_stop_without_a_connection_waits_for_one_while_something_is_queued() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let disconnect = async {
        server
            .accepts_client_with(&refusal(ReasonCode::ServerBusy))
            .await
            .expects_end()
            .await;
        let mut peer = server.accepts_client().await;
        peer.expects(publish("lamp/7", at_least_once(1))).await;
        peer.sends(&puback(1)).await;
        peer.expects(disconnect_ending_session()).await;
        peer.expects_end().await;
    };
    tokio::join!(
        soon(client.disconnect_within(Duration::from_secs(4))),
        disconnect
    );
    soon(receipt).await.unwrap();
    assert_eq!(
        event_names(&mut events).await,
        "attempt opened failed attempt opened connected disconnected stopped"
    );
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which this test pauses"
)]
async fn a_stop_without_a_connection_ends_when_its_time_is_over() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = Duration::from_secs(60);
    options.reconnect.max_delay = Duration::from_secs(60);
    let client = Client::start(options);
    let receipt = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    server
        .accepts_client_with(&refusal(ReasonCode::ServerBusy))
        .await
        .expects_end()
        .await;
    let began = tokio::time::Instant::now();
    client.disconnect_within(Duration::from_secs(7)).await;
    assert_eq!(began.elapsed().as_secs(), 7);
    assert_eq!(
        receipt.await.unwrap_err(),
        RequestError::Stopped(StopCause::Requested)
    );
}

#[tokio::test]
async fn dropping_the_last_handle_sends_queued_messages_first() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    drop(client);
    let mut peer = server.accepts_client().await;
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&puback(1)).await;
    peer.expects(disconnect_ending_session()).await;
}

#[tokio::test]
async fn a_client_dropped_before_connecting_reports_every_event() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    drop(client);
    assert_eq!(event_names(&mut events).await, "attempt failed stopped");
}

/// [MQTT-3.14.4-1]
#[tokio::test]
async fn nothing_follows_disconnect() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let publisher = client.clone();
    let publishing = tokio::spawn(async move {
        while let Ok(receipt) = publisher.publish(lamp_message(QoS::AtMostOnce)).await {
            drop(receipt);
            tokio::task::yield_now().await;
        }
    });
    peer.receives().await;
    let ((), packets) = tokio::join!(
        soon(client.disconnect_within(millis(20))),
        peer.acknowledges_until_end()
    );
    let (last, before) = packets.split_last().unwrap();
    assert_eq!(*last, disconnect_ending_session());
    assert!(
        before
            .iter()
            .all(|packet| *packet == publish("lamp/7", at_most_once()))
    );
    soon(publishing).await.unwrap();
}

#[test]
fn a_runtime_shutdown_completes_all_waiting_calls() {
    let runtime = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (clients, others) = (runtime(), runtime());
    let (client, server) = clients.block_on(async {
        let server = TestServer::start().await;
        (Client::start(options(&server)), server)
    });
    let receipt = client.try_publish(lamp_message(QoS::AtLeastOnce)).unwrap();
    let waiting = others.spawn(receipt);
    clients.shutdown_background();
    drop(server);
    let outcome = others.block_on(async { soon(waiting).await.unwrap() });
    assert_eq!(
        outcome.unwrap_err(),
        RequestError::Stopped(StopCause::RuntimeGone)
    );
}

/// Keeps a log by means of the client that it is about.
struct ClientHolder(Mutex<Option<Client>>);

impl Subscriber for ClientHolder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        if let Some(client) = &*self.0.lock().unwrap() {
            let _ = client.try_publish(lamp_message(QoS::AtMostOnce));
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_log_subscriber_may_hold_a_client_while_it_stops() {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = TestServer::start().await;
            let holder = Arc::new(ClientHolder(Mutex::new(None)));
            let _guard = tracing::subscriber::set_default(Arc::clone(&holder));
            let (client, mut events, _peer) = connected(&server).await;
            *holder.0.lock().unwrap() = Some(client.clone());
            soon(client.disconnect()).await;
            tell.send(event_names(&mut events).await).unwrap();
        });
    });
    assert_eq!(
        told.recv_timeout(Duration::from_secs(5)).unwrap(),
        "disconnected stopped"
    );
}

#[tokio::test]
async fn a_client_that_has_stopped_does_not_authenticate_again() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected(&server).await;
    soon(client.disconnect_within(Duration::ZERO)).await;
    assert_eq!(
        without_waiting(client.reauthenticate()).await.unwrap_err(),
        RequestError::Stopped(StopCause::Requested)
    );
}
