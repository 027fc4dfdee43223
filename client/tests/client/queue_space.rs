//! A full queue: publishes wait for space, and are woken when some is free.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dunlin_client::codec::Packet;
use dunlin_client::{Client, ClientOptions, Message, Offline, QoS, QueueLimits, RequestError};

use crate::packets::{at_least_once, puback, publish};
use crate::server::{Peer, TestServer};
use crate::{connected_as, millis, options, soon};

fn lamp_message(qos: QoS) -> Message<'static> {
    Message::new("lamp/7", "on").qos(qos)
}

fn options_with_queue_of_one(server: &TestServer) -> ClientOptions {
    let mut options = options(server);
    options.connect.queue = QueueLimits {
        count: 1,
        bytes: 1 << 20,
    };
    options
}

async fn connected_with_queue_of_one(server: &TestServer) -> (Client, Peer) {
    let (client, _, peer) = connected_as(server, options_with_queue_of_one(server)).await;
    (client, peer)
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn a_full_queue_is_waited_for_until_the_timeout() {
    let server = TestServer::start().await;
    let mut options = options_with_queue_of_one(&server);
    options.connect.ack_timeout = millis(50);
    let client = Client::start(options);
    let _first = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    assert!(matches!(
        client.try_publish(lamp_message(QoS::AtLeastOnce)),
        Err(RequestError::QueueFull { .. })
    ));
    let began = tokio::time::Instant::now();
    let full = soon(client.publish(lamp_message(QoS::AtLeastOnce))).await;
    assert!(matches!(
        full,
        Err(RequestError::QueueFull { count: 1, .. })
    ));
    assert!(began.elapsed() >= millis(50));
}

#[tokio::test]
async fn a_waiting_publish_continues_when_there_is_space() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_with_queue_of_one(&server).await;
    let first = client
        .publish(lamp_message(QoS::AtLeastOnce))
        .await
        .unwrap();
    let ack = async {
        peer.receives().await;
        tokio::time::sleep(millis(20)).await;
        peer.sends(&puback(1)).await;
    };
    let (second, ()) = tokio::join!(soon(client.publish(lamp_message(QoS::AtLeastOnce))), ack);
    drop(second.unwrap());
    soon(first).await.unwrap();
    peer.expects(publish("lamp/7", at_least_once(2))).await;
}

/// Each acknowledgement frees space for one of them and wakes a few, not all.
#[tokio::test]
async fn a_thousand_waiting_publishers_are_woken_a_few_at_a_time_and_in_order() {
    const WAITING: u16 = 1000;
    let server = TestServer::start().await;
    let (client, mut peer) = connected_with_queue_of_one(&server).await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );

    // The queue is full: a thousand tasks wait, each counting its polls.
    let looks = Arc::new(AtomicUsize::new(0));
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..WAITING {
        let (client, looks) = (client.clone(), Arc::clone(&looks));
        waiting.spawn(async move {
            let topic = number.to_string();
            let mut publish = pin!(client.publish(Message::new(&topic, "").qos(QoS::AtLeastOnce)));
            poll_fn(|cx| {
                looks.fetch_add(1, Ordering::Relaxed);
                publish.as_mut().poll(cx)
            })
            .await
            .map(drop)
        });
    }

    // Each acknowledgement frees one place, for the publisher that came first.
    peer.expects(publish("lamp/7", at_least_once(1))).await;
    peer.sends(&puback(1)).await;
    for number in 0..WAITING {
        let packet = peer.receives().await;
        let Packet::Publish(publish) = packet.packet() else {
            panic!("{packet:?}")
        };
        assert_eq!(
            publish.topic.map(|topic| topic.as_str().to_owned()),
            Some(number.to_string())
        );
        peer.sends(&puback(publish.delivery.packet_id().unwrap().get()))
            .await;
    }
    while let Some(done) = soon(waiting.join_next()).await {
        done.unwrap().unwrap();
    }

    // If each place woke all waiting tasks, the count would be half a million.
    let looks = looks.load(Ordering::Relaxed);
    assert!(looks <= 10 * usize::from(WAITING), "{looks}");
}

/// Models the arm of a `select!` whose other arm is a publish.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn a_publish_that_is_not_polled_delays_no_other() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_with_queue_of_one(&server).await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    let (handle, (tell, waits)) = (client.clone(), tokio::sync::oneshot::channel());
    let leaves = tokio::spawn(async move {
        let mut left = pin!(handle.publish(lamp_message(QoS::AtLeastOnce)));
        assert!(poll_fn(|cx| Poll::Ready(left.as_mut().poll(cx).is_pending())).await);
        tell.send(()).unwrap();
        pending::<()>().await;
    });
    soon(waits).await.unwrap();
    let acknowledge = async {
        peer.receives().await;
        peer.sends(&puback(1)).await;
    };
    let began = tokio::time::Instant::now();
    let (other, ()) = tokio::join!(client.publish(lamp_message(QoS::AtLeastOnce)), acknowledge);
    drop(other.unwrap());
    // At the end of its time it looks by itself.
    assert!(began.elapsed() < Duration::from_secs(4), "nobody woke it");
    leaves.abort();
}

/// Polls each future once, with a waker that does nothing.
fn poll_each_once<F: Future>(futures: &mut [Pin<Box<F>>]) {
    let mut cx = Context::from_waker(Waker::noop());
    for future in futures {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
}

/// Models futures that a `select!` holds without polling them.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn many_publishes_that_are_not_polled_delay_no_other() {
    let server = TestServer::start().await;
    let (client, mut peer) = connected_with_queue_of_one(&server).await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    let mut parked: Vec<_> = (0..12)
        .map(|_| Box::pin(client.publish(lamp_message(QoS::AtLeastOnce))))
        .collect();
    poll_each_once(&mut parked);
    let acknowledge = async {
        peer.receives().await;
        peer.sends(&puback(1)).await;
    };
    let began = tokio::time::Instant::now();
    let (other, ()) = tokio::join!(client.publish(lamp_message(QoS::AtLeastOnce)), acknowledge);
    drop(other.unwrap());
    // Else it looks by itself at the end of its time, a minute.
    assert!(began.elapsed() < Duration::from_secs(2), "nobody woke it");
}

/// The driver frees space when it writes the output.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn publishes_of_qos_0_that_are_not_polled_delay_no_other() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue = QueueLimits {
        count: 1,
        bytes: 10,
    };
    let (client, _, _peer) = connected_as(&server, options).await;
    drop(client.try_publish(lamp_message(QoS::AtMostOnce)).unwrap());
    let mut parked: Vec<_> = (0..12)
        .map(|_| Box::pin(client.publish(lamp_message(QoS::AtMostOnce))))
        .collect();
    poll_each_once(&mut parked);
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    drop(client.publish(lamp_message(QoS::AtMostOnce)).await.unwrap());
    // Else the driver looks when it gives its buffers back, after a second.
    assert!(began.elapsed() < millis(500), "nobody woke it");
}

/// Some space is free, but not enough: the publish must not poll in a loop.
#[tokio::test]
async fn a_large_publish_waits_without_spinning() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue = QueueLimits {
        count: 100,
        bytes: 1000,
    };
    options.connect.ack_timeout = millis(200);
    let client = Client::start(options);
    let large = [0; 600];
    let _first = client
        .publish(Message::new("a", &large).qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    let mut second = pin!(client.publish(Message::new("a", &large).qos(QoS::AtLeastOnce)));
    let mut polls = 0;
    let outcome = soon(poll_fn(|cx| {
        polls += 1;
        second.as_mut().poll(cx)
    }))
    .await;
    assert!(matches!(outcome, Err(RequestError::QueueFull { .. })));
    assert!(polls < 10, "{polls}");
}

const SMALL: &str = "small";

/// Connected, with `sent` in the queue, 1,000 bytes of free space, eight large messages waiting and
/// behind them a small one; the acknowledgement of the last of `sent` then comes. Returns when the
/// small one is in.
async fn small_message_waits_behind_large_ones(sent: &[usize]) {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue = QueueLimits {
        count: 100,
        bytes: 1000,
    };
    let (client, _, mut peer) = connected_as(&server, options).await;

    // Messages in flight fill the queue of 1,000 bytes.
    let of = |size| vec![0; size];
    for size in sent {
        drop(
            client
                .publish(Message::new("a", of(*size)).qos(QoS::AtLeastOnce))
                .await
                .unwrap(),
        );
        peer.receives().await;
    }

    // Eight large messages wait for space, and then a small one.
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, large) = (client.clone(), of(900));
        waiting.spawn(async move {
            client
                .publish(Message::new("b", &large).qos(QoS::AtLeastOnce))
                .await
        });
    }
    tokio::task::yield_now().await;
    let (told, tell) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        drop(
            client
                .publish(Message::new(SMALL, of(60)).qos(QoS::AtLeastOnce))
                .await
                .unwrap(),
        );
        told.send(()).unwrap();
    });
    tokio::task::yield_now().await;

    // The freed space is too small for the large ones.
    peer.sends(&puback(u16::try_from(sent.len()).unwrap()))
        .await;
    soon(tell).await.unwrap();
    waiting.abort_all();
}

#[tokio::test]
async fn a_small_publish_does_not_wait_for_large_ones_that_do_not_fit() {
    small_message_waits_behind_large_ones(&[500, 450]).await;
}

/// A few of them are woken, and the first uses the space.
#[tokio::test]
async fn space_that_a_large_publish_leaves_is_used_by_a_small_one() {
    small_message_waits_behind_large_ones(&[950]).await;
}

#[tokio::test]
async fn a_publish_that_waits_for_space_fails_when_the_connection_ends() {
    let server = TestServer::start().await;
    let mut options = options_with_queue_of_one(&server);
    options.connect.offline = Offline::Reject;
    let (client, _, mut peer) = connected_as(&server, options).await;
    drop(
        client
            .publish(lamp_message(QoS::AtLeastOnce))
            .await
            .unwrap(),
    );
    let leave = async {
        peer.receives().await;
        drop(peer);
    };
    let (waited, ()) = tokio::join!(soon(client.publish(lamp_message(QoS::AtLeastOnce))), leave);
    assert_eq!(waited.unwrap_err(), RequestError::Offline);
}

/// Size of one of the messages of [`publish_until_it_waits`] on the wire.
const MESSAGE_LEN: usize = 1036;

/// Unwritten output, in bytes, above which a publisher at QoS 0 waits.
const OUTPUT_MARK: usize = 256 << 10;

/// Publishes messages of 1 KiB at QoS 0 until one waits for 100 ms. Returns how many were accepted,
/// and how often the publisher was polled.
async fn publish_until_it_waits(client: &Client) -> (usize, usize) {
    let payload = vec![0; 1024];
    let (mut accepted, mut polls) = (0, 0);
    loop {
        let mut publish = pin!(client.publish(Message::new("lamp/7", &payload)));
        let publish = poll_fn(|cx| {
            polls += 1;
            publish.as_mut().poll(cx)
        });
        match tokio::time::timeout(millis(100), publish).await {
            Ok(receipt) => drop(receipt.unwrap()),
            Err(_) => return (accepted, polls),
        }
        accepted += 1;
    }
}

/// The output grows from 32 KiB to 256 KiB at the end, and still most messages follow each other at
/// once.
#[tokio::test]
async fn a_publisher_yields_once_per_32_kib_to_a_server_that_does_not_read() {
    let server = TestServer::start().await;
    let (client, _, _peer) = connected_as(&server, options(&server)).await;
    let (accepted, polls) = soon(publish_until_it_waits(&client)).await;
    let yields = accepted * MESSAGE_LEN / (32 << 10);
    // Each message was polled once at least, and once more after each yield.
    let more = polls - accepted;
    assert!((yields / 2..yields + 50).contains(&more), "{more}");
}

/// Memory stays small: the queue would hold 16 MiB.
#[tokio::test]
async fn a_publisher_at_qos_0_waits_while_256_kib_are_unwritten_and_goes_on_below() {
    let server = TestServer::start().await;
    let (client, _, peer) = connected_as(&server, options(&server)).await;
    let before = client.statistics().bytes_sent;
    let (accepted, _) = soon(publish_until_it_waits(&client)).await;
    let taken = usize::try_from(client.statistics().bytes_sent - before).unwrap();
    let unwritten = accepted * MESSAGE_LEN - taken;
    let expected = OUTPUT_MARK + 1..=OUTPUT_MARK + MESSAGE_LEN;
    assert!(expected.contains(&unwritten), "{unwritten}");

    // The limits of the queue are what they are, for others.
    drop(client.try_publish(lamp_message(QoS::AtMostOnce)).unwrap());
    let publish = client.publish(lamp_message(QoS::AtLeastOnce));
    let receipt = soon(publish).await.unwrap();
    let waiting = client.publish(lamp_message(QoS::AtMostOnce));
    let mut waiting = pin!(waiting);
    assert!(
        tokio::time::timeout(millis(50), waiting.as_mut())
            .await
            .is_err()
    );

    // The server reads, and the publisher goes on.
    let reading = tokio::spawn(peer.acknowledges_until_end());
    drop(soon(waiting).await.unwrap());
    soon(receipt).await.unwrap();
    soon(client.disconnect()).await;
    let packets = soon(reading).await.unwrap();
    assert_eq!(packets.len(), accepted + 4, "and DISCONNECT");
}

/// One that is larger than 256 KiB finds the output empty.
#[tokio::test]
async fn large_messages_at_qos_0_are_published_one_after_another() {
    let server = TestServer::start().await;
    let (client, _, peer) = connected_as(&server, options(&server)).await;
    let reading = tokio::spawn(peer.acknowledges_until_end());
    let payload = vec![0; 3 * OUTPUT_MARK];
    for _ in 0..5 {
        let publish = client.publish(Message::new("lamp/7", &payload));
        drop(soon(publish).await.unwrap());
    }
    soon(client.disconnect()).await;
    assert_eq!(soon(reading).await.unwrap().len(), 6, "and DISCONNECT");
}
