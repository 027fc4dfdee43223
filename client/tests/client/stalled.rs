//! Servers that stop reading, or stop altogether: bounded memory, bounded time.

use std::io::{Read, Write};
use std::time::Duration;

use dunlin_client::codec::ReasonCode;
use dunlin_client::{
    Client, ConnectionError, EndCause, Event, Message, QoS, QueueLimits, RequestError,
};

use crate::packets::{connack, disconnect, pingreq, pingresp};
use crate::server::TestServer;
use crate::{
    connected, connected_as, disconnect_ending_session, event_names, millis, options, soon,
    until_connected,
};

const KIB: usize = 1024;

/// Publishes messages of 64 KiB until one waits for 100 ms. Returns how many were accepted.
async fn publish_until_full(client: &Client) -> usize {
    let payload = vec![b'x'; 64 * KIB];
    let mut accepted = 0;
    loop {
        match tokio::time::timeout(millis(100), client.publish(Message::new("a", &payload))).await {
            Ok(Ok(receipt)) => {
                drop(receipt);
                accepted += 1;
            }
            Ok(Err(other)) => panic!("{other:?}"),
            Err(_) => return accepted,
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_fills_the_queue_and_nothing_more() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue = QueueLimits {
        count: 10,
        bytes: 1024 * KIB,
    };
    let (client, _, peer) = connected_as(&server, options).await;
    let accepted = publish_until_full(&client).await;
    // What the system's buffers hold is the system's: a few MiB on loopback.
    assert!(accepted * 64 < 16 * KIB, "{accepted} times 64 KiB");

    let reading = tokio::spawn(peer.acknowledges_until_end());
    drop(
        soon(client.publish(Message::new("b", "room")))
            .await
            .unwrap(),
    );
    soon(client.disconnect()).await;
    let packets = soon(reading).await.unwrap();
    assert_eq!(
        packets.len(),
        accepted + 2,
        "everything that was accepted, the last one, and DISCONNECT"
    );
}

#[tokio::test]
async fn a_server_that_does_not_read_delays_the_end_by_a_second() {
    let server = TestServer::start().await;
    let options = options(&server);
    let (client, mut events, _peer) = connected_as(&server, options).await;
    publish_until_full(&client).await;
    tokio::time::timeout(millis(1900), client.disconnect_within(millis(50)))
        .await
        .unwrap();
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
}

#[tokio::test]
async fn a_server_that_stops_answering_is_detected_by_the_keep_alive() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.keep_alive = Duration::from_secs(1);
    options.connect.ping_timeout = millis(200);
    let (client, mut events, _peer) = connected_as(&server, options).await;
    publish_until_full(&client).await;
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert!(
        matches!(*cause, ConnectionError::KeepAliveTimeout { .. }),
        "{cause:?}"
    );
}

/// Without a keep alive nothing else would find it out.
#[tokio::test]
async fn output_that_is_not_written_within_ack_timeout_ends_the_connection() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.ack_timeout = millis(700);
    let (client, mut events, _peer) = connected_as(&server, options).await;
    let receipt = client
        .publish(Message::new("a", vec![b'x'; 15 << 20]).qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        retry_in,
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert_eq!(*cause, ConnectionError::WriteTimeout { after: millis(700) });
    assert!(retry_in.is_some(), "another connection may be better");

    let _peer = server.accepts_client().await;
    assert_eq!(
        soon(receipt).await.unwrap_err(),
        RequestError::Timeout { after: millis(700) }
    );
}

/// The transport takes a little now and then, so that the time for writing never ends.
#[tokio::test]
async fn requests_behind_slowly_written_output_end_within_their_time() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.ack_timeout = Duration::from_secs(1);
    options.connect.queue = QueueLimits {
        count: 10,
        bytes: 64 << 20,
    };
    let (client, _events, peer) = connected_as(&server, options).await;
    let peer = tokio::spawn(peer.reads_slowly());
    let large = vec![b'x'; 48 << 20];
    let first = client
        .publish(Message::new("a", large).qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    tokio::time::sleep(millis(100)).await;
    let second = client
        .publish(Message::new("b", "on").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    let timeout = RequestError::Timeout {
        after: Duration::from_secs(1),
    };
    assert_eq!(soon(first).await.unwrap_err(), timeout);
    let waited = tokio::time::timeout(Duration::from_secs(2), second).await;
    assert_eq!(waited.unwrap().unwrap_err(), timeout);
    assert!(client.is_connected(), "it may still be taken");
    peer.abort();
}

/// The driver sleeps while the server reads nothing, and has to learn of a deadline that is sooner
/// than all others.
#[tokio::test]
async fn a_request_behind_output_that_is_not_written_ends_within_its_own_time() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.request_timeout.publish = Some(millis(300));
    let (client, _events, _peer) = connected_as(&server, options).await;
    // At QoS 0 a message has no time limit.
    publish_until_full(&client).await;
    // The driver wakes once more to release buffers, and then sleeps until the server reads.
    tokio::time::sleep(millis(1500)).await;
    let receipt = client
        .try_publish(Message::new("b", "on").qos(QoS::AtLeastOnce))
        .unwrap();
    assert_eq!(
        soon(receipt).await.unwrap_err(),
        RequestError::RequestTimeout { after: millis(300) }
    );
}

/// The runtime stands still, and the server takes the output meanwhile.
#[tokio::test]
async fn output_that_is_written_during_a_pause_of_the_runtime_is_no_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(&TestServer::start().await);
    options.transport.connect_to = Some(listener.local_addr().unwrap());
    options.connect.ack_timeout = millis(300);
    let (resume, waits) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "CONNECT");
        stream.write_all(connack().as_bytes()).unwrap();
        waits.recv().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    let client = Client::start(options);
    let mut events = client.events();
    until_connected(&mut events).await;
    let payload = vec![b'x'; 15 << 20];
    drop(client.publish(Message::new("a", &payload)).await.unwrap());
    tokio::time::sleep(millis(50)).await;
    resume.send(()).unwrap();
    std::thread::sleep(millis(600));
    // The driver is woken before the runtime looks at its sockets.
    client.disconnect_within(Duration::from_secs(5)).await;
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
    let received = server.join().unwrap();
    assert!(received.ends_with(disconnect_ending_session().as_bytes()));
    assert!(received.len() > payload.len());
}

/// The runtime stands still past the ping timeout, and PINGRESP arrives meanwhile.
#[tokio::test]
async fn an_answer_that_arrives_during_a_pause_of_the_runtime_is_no_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(&TestServer::start().await);
    options.transport.connect_to = Some(listener.local_addr().unwrap());
    options.connect.keep_alive = Duration::from_secs(1);
    options.connect.ping_timeout = millis(200);
    let (pinged, pings) = std::sync::mpsc::channel::<()>();
    let (pause, pauses) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0, "CONNECT");
        stream.write_all(connack().as_bytes()).unwrap();
        stream.read_exact(&mut [0; 2]).unwrap();
        pinged.send(()).unwrap();
        pauses.recv().unwrap();
        stream.write_all(pingresp().as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let client = Client::start(options);
    let mut events = client.events();
    until_connected(&mut events).await;
    while pings.try_recv().is_err() {
        tokio::time::sleep(millis(5)).await;
    }
    pause.send(()).unwrap();
    std::thread::sleep(millis(400));
    // The driver finds its deadline passed, and the answer in the socket.
    tokio::time::sleep(millis(50)).await;
    client.disconnect_within(millis(0)).await;
    let Some(Event::Disconnected { cause, .. }) = soon(events.next()).await else {
        panic!()
    };
    assert!(cause.is_requested(), "{cause}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_silent_server_is_pinged() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.keep_alive = Duration::from_secs(1);
    options.connect.ping_timeout = millis(100);
    let (_client, mut events, mut peer) = connected_as(&server, options).await;
    peer.expects(pingreq()).await;
    peer.sends(&pingresp()).await;
    peer.expects(pingreq()).await;
    peer.expects_end().await;
    drop(peer);
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    let ConnectionError::KeepAliveTimeout {
        after, keep_alive, ..
    } = *cause
    else {
        panic!("{cause:?}")
    };
    assert_eq!((after, keep_alive), (millis(100), Duration::from_secs(1)));
}

/// A server that says why and goes away at once, with our bytes unread: the reset must not eat its
/// words.
#[tokio::test]
async fn the_servers_reason_survives_a_broken_pipe() {
    for _ in 0..10 {
        let server = TestServer::start().await;
        let (client, mut events, mut peer) = connected(&server).await;
        let payload = vec![b'x'; 64 * KIB];
        for _ in 0..200 {
            drop(client.try_publish(Message::new("a", &payload)).unwrap());
        }
        peer.receives().await;
        peer.sends(&disconnect(ReasonCode::QuotaExceeded)).await;
        drop(peer);
        let Some(Event::Disconnected {
            cause: EndCause::Connection(cause),
            ..
        }) = soon(events.next()).await
        else {
            panic!()
        };
        let ConnectionError::Disconnected(reason) = &*cause else {
            panic!("{cause:?}")
        };
        assert_eq!(reason.reason_code, ReasonCode::QuotaExceeded);
    }
}

#[tokio::test]
async fn a_slow_server_gets_everything_in_order() {
    let server = TestServer::start().await;
    let (client, _, peer) = connected(&server).await;
    let publisher = client.clone();
    let publishing = tokio::spawn(async move {
        let filler = "x".repeat(32 * KIB);
        for number in 0..300 {
            let payload = format!("{number} {filler}");
            drop(
                publisher
                    .publish(Message::new("a", &payload).qos(QoS::AtLeastOnce))
                    .await
                    .unwrap(),
            );
        }
    });
    let serving = tokio::spawn(peer.acknowledges_until_end());
    soon(publishing).await.unwrap();
    soon(client.disconnect()).await;
    let packets = soon(serving).await.unwrap();
    let numbers = packets.iter().filter_map(|packet| match packet.packet() {
        dunlin_client::codec::Packet::Publish(publish) => std::str::from_utf8(publish.payload)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse::<u32>()
            .ok(),
        _ => None,
    });
    assert!(numbers.eq(0..300));
    assert_eq!(packets.last(), Some(&disconnect_ending_session()));
}
