//! The client against Debian's mosquitto: TLS, ALPN offered and ignored, user name and password.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::transport::{CaBundle, Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{
    Client, ClientOptions, ConnectError, ConnectOptions, Connected, EndCause, Event, Events,
    Message, QoS, Reconnect, StopCause, Subscription,
};
use dunlin_tests::{Cutter, Mosquitto};

const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[tokio::test]
async fn a_message_of_each_qos_is_published_and_received() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let client = Client::start(options(&broker, broker.address(), "qos"));
    let mut events = client.events();
    connected(&mut events).await;
    let mut lamps = soon(client.subscribe("lamp/+", QoS::ExactlyOnce))
        .await
        .unwrap();
    assert_eq!(lamps.granted_qos(), QoS::ExactlyOnce);

    // Each QoS has its receipt and arrives as it was sent.
    for qos in ALL_QOS {
        let message = Message::new("lamp/7", "on").qos(qos);
        let published = soon(soon(client.publish(message)).await.unwrap())
            .await
            .unwrap();
        assert_eq!(published.packet_id.is_some(), qos != QoS::AtMostOnce);
        let received = soon(lamps.next()).await.unwrap();
        assert_eq!(
            (received.topic(), received.payload(), received.qos()),
            ("lamp/7", &b"on"[..], qos)
        );
    }

    // UNSUBSCRIBE ends the stream, and DISCONNECT the client: mosquitto has seen it.
    soon(client.unsubscribe("lamp/+")).await.unwrap();
    assert!(soon(lamps.next()).await.is_none());
    soon(client.disconnect()).await;
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Disconnected { .. })
    ));
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Stopped(StopCause::Requested))
    ));
    assert!(soon(events.next()).await.is_none());
    assert!(
        broker.output().contains("Received DISCONNECT from qos"),
        "{}",
        broker.output()
    );
}

#[tokio::test]
async fn a_thousand_messages_at_once_arrive_in_order() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let client = soon(Client::connect(options(&broker, broker.address(), "many")))
        .await
        .unwrap();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let topic = format!("many/{qos}");
        let mut stream = soon(client.subscribe(&topic, qos)).await.unwrap();

        // All are accepted before the first receipt is awaited.
        let mut receipts = Vec::new();
        for number in 0..1000 {
            let payload = number.to_string();
            receipts.push(
                client
                    .publish(Message::new(&topic, &payload).qos(qos))
                    .await
                    .unwrap(),
            );
        }
        for number in 0..1000 {
            let received = soon(stream.next()).await.unwrap();
            assert_eq!(received.payload(), number.to_string().as_bytes());
        }
        for receipt in receipts {
            soon(receipt).await.unwrap();
        }
    }
    soon(client.disconnect()).await;
}

#[tokio::test]
async fn an_offered_alpn_is_ignored_and_the_client_says_so() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let client = Client::start(options(&broker, broker.address(), "alpn"));
    let mut events = client.events();
    assert!(matches!(
        soon(events.next()).await,
        Some(Event::Attempt { attempt: 1, .. })
    ));
    let Some(Event::Opened(opened)) = soon(events.next()).await else {
        panic!()
    };
    let tls = opened.tls.unwrap();
    assert_eq!(
        (tls.alpn_offered, tls.alpn_selected),
        (vec!["mqtt".to_owned()], None)
    );
    connected(&mut events).await;
    soon(client.disconnect()).await;
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_and_is_not_tried_again() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let mut options = options(&broker, broker.address(), "wrong");
    options.connect.password = Some(b"no".to_vec().into());
    let refused = soon(Client::connect(options)).await.unwrap_err();
    let StopCause::Final(EndCause::Attempt(cause)) = refused else {
        panic!("{refused:?}")
    };
    let ConnectError::Refused(reason) = &*cause else {
        panic!("{cause:?}")
    };
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::ConnAck, ReasonCode::NotAuthorized)
    );
    assert_eq!(broker.output().matches("New client connected").count(), 0);
}

#[tokio::test]
async fn a_client_reconnects_to_a_restarted_broker_and_renews_its_subscriptions() {
    let Some(mut broker) = Mosquitto::start().await else {
        return;
    };
    let client = Client::start(options(&broker, broker.address(), "restart"));
    let mut events = client.events();
    connected(&mut events).await;
    let mut lamps = soon(client.subscribe("lamp/+", QoS::AtLeastOnce))
        .await
        .unwrap();
    expect_echo(&client, &mut lamps, "before").await;

    broker.stop();
    let Some(Event::Disconnected { retry_in, .. }) = soon(events.next()).await else {
        panic!()
    };
    assert!(retry_in.is_some());
    let while_away = client
        .publish(Message::new("lamp/7", "while away").qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    broker.run().await;

    assert!(
        !connected(&mut events).await.session_present,
        "nothing is kept over a restart"
    );
    soon(while_away).await.unwrap();
    // The subscription is renewed before the queue is sent.
    assert_eq!(soon(lamps.next()).await.unwrap().payload(), b"while away");
    expect_echo(&client, &mut lamps, "after").await;
    soon(client.disconnect()).await;
}

#[tokio::test]
async fn a_session_is_resumed_after_the_network_was_cut() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let wire = Cutter::start(broker.address()).await;
    let client = Client::start(options(&broker, wire.address(), "cut"));
    let mut events = client.events();
    assert!(
        !connected(&mut events).await.session_present,
        "the first connection starts clean"
    );
    let mut lamps = soon(client.subscribe("lamp/+", QoS::ExactlyOnce))
        .await
        .unwrap();
    let other = soon(Client::connect(options(&broker, broker.address(), "other")))
        .await
        .unwrap();

    for round in 0..3 {
        wire.cut();
        assert!(matches!(
            soon(events.next()).await,
            Some(Event::Disconnected { .. })
        ));
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let payload = format!("{round} {qos}");
            let receipt = other
                .publish(Message::new("lamp/7", &payload).qos(qos))
                .await
                .unwrap();
            soon(receipt).await.unwrap();
        }
        assert!(connected(&mut events).await.session_present);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(
                soon(lamps.next()).await.unwrap().payload(),
                format!("{round} {qos}").as_bytes()
            );
        }
        // Once this is acknowledged, so is everything before it: nothing comes twice at QoS 1.
        soon(
            client
                .publish(Message::new("mark", "").qos(QoS::AtLeastOnce))
                .await
                .unwrap(),
        )
        .await
        .unwrap();
    }
    soon(client.disconnect()).await;
    soon(other.disconnect()).await;
}

fn options(broker: &Mosquitto, address: SocketAddr, client_id: &str) -> ClientOptions {
    let tls = TlsOptions {
        roots: Roots::Only(CaBundle::from_pem_file(broker.ca()).unwrap()),
        alpn: vec![b"mqtt".to_vec()],
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        connect_to: Some(address),
        tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", address.port())
    };
    let mut connect = ConnectOptions::new(client_id);
    connect.username = Some(Mosquitto::USER.into());
    connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    let reconnect = Reconnect {
        min_delay: Duration::from_millis(50),
        max_delay: Duration::from_millis(200),
        ..Reconnect::default()
    };
    ClientOptions {
        reconnect,
        ..ClientOptions::new(transport, connect)
    }
}

/// The next connection, whatever attempts it takes.
async fn connected(events: &mut Events) -> Connected {
    loop {
        match soon(events.next()).await.unwrap() {
            Event::Connected(connected) => return *connected,
            Event::Stopped(cause) => panic!("{cause}"),
            _ => {}
        }
    }
}

async fn expect_echo(client: &Client, lamps: &mut Subscription, payload: &str) {
    let receipt = client
        .publish(Message::new("lamp/7", payload).qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    soon(receipt).await.unwrap();
    assert_eq!(
        soon(lamps.next()).await.unwrap().payload(),
        payload.as_bytes()
    );
}

async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), what)
        .await
        .unwrap()
}
