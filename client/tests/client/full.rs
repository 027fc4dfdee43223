//! Streams that nobody drains: what is dropped, what is counted, and what is held up.

use std::time::Duration;

use dunlin_client::codec::{Packet, ReasonCode, SubscriptionOptions};
use dunlin_client::{
    Client, DropCause, EndCause, Event, Message, QoS, StreamLimits, SubscribeOptions, Subscription,
    WhenFull,
};

use crate::packets::{at_least_once, at_most_once, pingreq, pingresp, puback, publish, suback};
use crate::server::{Peer, TestServer};
use crate::streams::wait_until_routed;
use crate::{connected, connected_as, options, soon};

async fn subscribed_with_limits(
    client: &Client,
    peer: &mut Peer,
    packet_id: u16,
    filter: &str,
    limits: StreamLimits,
) -> Subscription {
    let subscription = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..SubscriptionOptions::default()
    };
    let answer = async {
        peer.receives().await;
        peer.sends(&suback(packet_id, &[ReasonCode::GrantedQoS1]))
            .await;
    };
    let options = SubscribeOptions {
        subscription,
        limits,
    };
    tokio::join!(soon(client.subscribe_with(filter, options)), answer)
        .0
        .unwrap()
}

fn limits_of(count: usize, when_full: WhenFull) -> StreamLimits {
    StreamLimits {
        count,
        when_full,
        ..StreamLimits::default()
    }
}

/// Topics of all messages in the stream.
async fn drain_topics(stream: &mut Subscription) -> Vec<String> {
    let mut topics = Vec::new();
    while let std::task::Poll::Ready(Some(message)) =
        std::future::poll_fn(|cx| std::task::Poll::Ready(stream.poll_next(cx))).await
    {
        topics.push(message.topic().to_owned());
    }
    topics
}

async fn send_numbered_messages(peer: &mut Peer, numbers: std::ops::Range<u32>) {
    for number in numbers {
        peer.sends(&publish(&format!("lamp/{number}"), at_most_once()))
            .await;
    }
}

#[tokio::test]
async fn a_burst_loses_nothing_while_the_stream_is_read() {
    const BURST: usize = 50_000;
    /// Limit in bytes: the messages of one large read fit, those of several don't.
    const LIMIT: usize = 6_500;
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(LIMIT, WhenFull::DropNewest),
    )
    .await;
    let burst = publish("lamp/1", at_most_once()).as_bytes().repeat(BURST);
    let received = async {
        for _ in 0..BURST {
            lamps.next().await.unwrap();
        }
    };
    tokio::join!(soon(peer.sends_bytes(&burst)), soon(received));
    assert_eq!(lamps.dropped(), 0);
}

#[tokio::test]
async fn the_newest_messages_of_a_full_stream_are_dropped_and_counted() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(2, WhenFull::DropNewest),
    )
    .await;
    send_numbered_messages(&mut peer, 0..5).await;
    wait_until_routed(&client, &mut peer).await;
    assert_eq!(
        (lamps.dropped(), client.unrouted()),
        (3, 1),
        "what was dropped had a stream"
    );
    assert_eq!(drain_topics(&mut lamps).await, ["lamp/0", "lamp/1"]);

    let size = publish("lamp/0", at_most_once()).as_bytes().len() as u64;
    let (mut reported, mut first_topic) = ((0, 0), None);
    while reported.0 < 3 {
        if let Event::MessageDropped {
            topic,
            cause: DropCause::StreamFull,
            count,
            bytes,
        } = soon(events.next()).await.unwrap()
        {
            reported = (reported.0 + count, reported.1 + bytes);
            first_topic.get_or_insert(topic);
        }
    }
    assert_eq!(
        (reported, first_topic.as_deref()),
        ((3, 3 * size), Some("lamp/2"))
    );
    let counted = client.statistics().dropped_messages.stream_full;
    assert_eq!((counted.count, counted.bytes), reported);
}

#[tokio::test]
async fn the_oldest_messages_of_a_full_stream_are_dropped_and_counted() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(2, WhenFull::DropOldest),
    )
    .await;
    peer.sends(&publish("lamp/first", at_least_once(1))).await;
    send_numbered_messages(&mut peer, 0..3).await;
    peer.sends(&publish("lamp/last", at_least_once(2))).await;
    send_numbered_messages(&mut peer, 3..5).await;
    wait_until_routed(&client, &mut peer).await;
    assert_eq!(lamps.dropped(), 3);
    assert_eq!(
        drain_topics(&mut lamps).await,
        ["lamp/first", "lamp/last", "lamp/3", "lamp/4"]
    );
}

#[tokio::test]
async fn the_limit_in_bytes_holds_and_one_message_always_fits() {
    for (when_full, kept) in [
        (WhenFull::DropNewest, ["lamp/0", "lamp/1"]),
        (WhenFull::DropOldest, ["lamp/8", "lamp/9"]),
    ] {
        let server = TestServer::start().await;
        let (client, _, mut peer) = connected(&server).await;
        let size = publish("lamp/0", at_most_once()).as_bytes().len();
        let limits = StreamLimits {
            bytes: 2 * size,
            when_full,
            ..StreamLimits::default()
        };
        let mut lamps = subscribed_with_limits(&client, &mut peer, 1, "lamp/+", limits).await;
        let one = StreamLimits {
            bytes: 1,
            when_full,
            ..StreamLimits::default()
        };
        let mut one = subscribed_with_limits(&client, &mut peer, 2, "lamp/0", one).await;
        send_numbered_messages(&mut peer, 0..10).await;
        wait_until_routed(&client, &mut peer).await;
        assert_eq!((lamps.dropped(), one.dropped()), (8, 0));
        assert_eq!(drain_topics(&mut lamps).await, kept);
        assert_eq!(drain_topics(&mut one).await, ["lamp/0"]);
    }
}

/// More than the system's buffers and the stream hold together: the server can't get rid of it
/// until it is read.
#[tokio::test]
async fn a_stream_that_pauses_reading_loses_nothing_and_holds_little() {
    const MESSAGES: usize = 40_000;
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(10, WhenFull::PauseReading),
    )
    .await;
    let payload = vec![b'x'; 1000];
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let topic = format!("lamp/{number}");
            let topic = dunlin_client::codec::TopicName::new(&topic).unwrap();
            let publish = dunlin_client::codec::Publish::new(topic, &payload);
            peer.sends(&crate::packets::buf(Packet::Publish(publish)))
                .await;
        }
        peer
    });
    for number in 0..MESSAGES {
        assert_eq!(
            soon(lamps.next()).await.unwrap().topic(),
            format!("lamp/{number}")
        );
    }
    assert_eq!(lamps.dropped(), 0);
    drop(soon(sending).await.unwrap());
}

/// The keep alive goes on, and the silence isn't held against the server.
#[tokio::test(start_paused = true)]
async fn the_ping_timeout_is_suspended_while_reading_is_paused() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.keep_alive = Duration::from_secs(40);
    options.connect.ping_timeout = Duration::from_secs(2);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(1, WhenFull::PauseReading),
    )
    .await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    for _ in 0..3 {
        // The runtime's clock jumps there as soon as nobody has anything else to do.
        let ping = tokio::time::timeout(Duration::from_secs(41), peer.receives_or_end())
            .await
            .unwrap();
        assert_eq!(ping, Some(pingreq()));
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    peer.sends(&pingresp()).await;
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    peer.sends(&publish("lamp/2", at_most_once())).await;
    assert_eq!(
        soon(lamps.next()).await.unwrap().topic(),
        "lamp/2",
        "the connection is the same"
    );
    drop(peer);
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert_eq!(*cause, dunlin_client::ConnectionError::Closed);
}

/// Once reading goes on, the answer is due again.
#[tokio::test(start_paused = true)]
async fn after_a_pause_the_ping_timeout_continues() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.keep_alive = Duration::from_secs(40);
    options.connect.ping_timeout = Duration::from_secs(2);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(1, WhenFull::PauseReading),
    )
    .await;
    peer.sends(&publish("lamp/1", at_most_once())).await;
    let ping = tokio::time::timeout(Duration::from_secs(41), peer.receives_or_end())
        .await
        .unwrap();
    assert_eq!(ping, Some(pingreq()));
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/1");
    let Some(Event::Disconnected {
        cause: EndCause::Connection(cause),
        ..
    }) = soon(events.next()).await
    else {
        panic!()
    };
    assert!(
        matches!(
            *cause,
            dunlin_client::ConnectionError::KeepAliveTimeout { .. }
        ),
        "{cause:?}"
    );
}

/// An ended stream takes nothing more, so that it needs no pause.
#[tokio::test(start_paused = true)]
async fn unsubscribing_from_a_full_stream_ends_the_pause() {
    let server = TestServer::start().await;
    let (client, _, mut peer) = connected(&server).await;
    let mut lamps = subscribed_with_limits(
        &client,
        &mut peer,
        1,
        "lamp/+",
        limits_of(1, WhenFull::PauseReading),
    )
    .await;
    send_numbered_messages(&mut peer, 0..2).await;
    // The clock moves when nobody has anything else to do: the stream is full by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.sends(&publish("nobody/wants/this", at_least_once(1)))
        .await;
    let answer = async {
        loop {
            let packet = peer.receives().await;
            match packet.packet() {
                Packet::Unsubscribe(_) => break,
                Packet::PubAck(_) => {}
                other => panic!("{other:?}"),
            }
        }
        peer.sends(&crate::packets::unsuback(2, &[ReasonCode::Success]))
            .await;
    };
    tokio::join!(soon(client.unsubscribe("lamp/+")), answer)
        .0
        .unwrap();
    assert_eq!(soon(lamps.next()).await.unwrap().topic(), "lamp/0");
}

/// The promise that callers can't deadlock the client: the stream is full of both kinds, and every
/// message is answered by a publish whose receipt is awaited before the next one is taken.
#[tokio::test]
async fn a_loop_over_a_full_stream_that_awaits_receipts_completes() {
    const ROUNDS: u16 = 100;
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest] {
        let server = TestServer::start().await;
        let mut options = options(&server);
        options.connect.receive_maximum = Some(ROUNDS);
        let (client, _, mut peer) = connected_as(&server, options).await;
        let mut lamps =
            subscribed_with_limits(&client, &mut peer, 1, "lamp/+", limits_of(1, when_full)).await;
        for number in 1..=ROUNDS {
            peer.sends(&publish("lamp/1", at_least_once(number))).await;
            peer.sends(&publish("lamp/0", at_most_once())).await;
        }
        wait_until_routed(&client, &mut peer).await;
        assert_eq!(lamps.dropped(), u64::from(ROUNDS) - 1, "it is full");
        let serving = tokio::spawn(async move {
            let (mut acknowledged, mut answered) = (0, 0);
            while acknowledged < ROUNDS || answered <= ROUNDS {
                match peer.receives().await.packet() {
                    Packet::PubAck(_) => acknowledged += 1,
                    Packet::Publish(publish) => {
                        answered += 1;
                        peer.sends(&puback(publish.delivery.packet_id().unwrap().get()))
                            .await;
                    }
                    other => panic!("{other:?}"),
                }
            }
            peer
        });
        for _ in 0..=ROUNDS {
            soon(lamps.next()).await.unwrap();
            let receipt = client
                .publish(Message::new("answer", "on").qos(QoS::AtLeastOnce))
                .await
                .unwrap();
            soon(receipt).await.unwrap();
        }
        drop(soon(serving).await.unwrap());
    }
}

/// The budget bounds what waits, not only when the pause begins: one read of 64 KiB may lie above
/// it.
#[tokio::test]
async fn a_pause_for_lack_of_memory_lasts_until_half_of_the_budget_is_free() {
    const MESSAGES: u64 = 4_000;
    const BUDGET: usize = 256 << 10;
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.memory_budget = BUDGET;
    let (client, _, mut peer) = connected_as(&server, options).await;
    let limits = limits_of(1_000_000, WhenFull::PauseReading);
    let mut lamps = subscribed_with_limits(&client, &mut peer, 1, "lamp/+", limits).await;
    let payload = vec![b'x'; 1000];
    let topic = dunlin_client::codec::TopicName::new("lamp/1").unwrap();
    let publish = dunlin_client::codec::Publish::new(topic, &payload);
    let burst = crate::packets::buf(Packet::Publish(publish))
        .as_bytes()
        .repeat(usize::try_from(MESSAGES).unwrap());
    let sending = tokio::spawn(async move {
        peer.sends_bytes(&burst).await;
        peer
    });
    for taken in 1..=MESSAGES {
        assert_eq!(soon(lamps.next()).await.unwrap().payload().len(), 1000);
        // The client gets a chance to read more.
        if taken % 8 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let waiting = client.statistics().messages_received.at_most_once - taken;
        assert!(
            waiting <= (BUDGET as u64 + (64 << 10)) / 1000,
            "{waiting} messages wait after {taken}"
        );
    }
    assert_eq!(lamps.dropped(), 0);
    drop(soon(sending).await.unwrap());
}
