//! The pace of AWS IoT Core, kept by a running client.

use std::time::Duration;

use dunlin_client::aws::{Limit, LimitError, PACE};
use dunlin_client::codec::ReasonCode;
use dunlin_client::{Client, ConnectOptions, Message, QoS, Reconnect, RequestError};

use crate::packets::refusal;
use crate::server::TestServer;
use crate::{connected_as, millis, options, soon};

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which this test pauses"
)]
async fn messages_above_the_rate_of_a_second_are_sent_in_the_next_one() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.pace = Some(PACE);
    let (client, _, mut peer) = connected_as(&server, options).await;
    let began = tokio::time::Instant::now();
    for _ in 0..150 {
        drop(client.publish(Message::new("a", "on")).await.unwrap());
    }
    for _ in 0..150 {
        peer.receives().await;
    }
    let took = began.elapsed();
    assert!(
        (millis(490)..millis(520)).contains(&took),
        "50 at 100 a second: {took:?}"
    );
}

#[tokio::test]
async fn requests_above_the_limits_of_the_service_are_refused_by_name() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect = ConnectOptions::for_aws_iot("lamp-7");
    let (client, _, _peer) = connected_as(&server, options).await;
    let twice = soon(client.publish(Message::new("a", "on").qos(QoS::ExactlyOnce)))
        .await
        .unwrap_err();
    let limit = LimitError::Exceeded {
        limit: Limit::QoS,
        value: 2,
        max: 1,
    };
    assert_eq!(twice, RequestError::Limit(limit));
    let deep = soon(client.subscribe("1/2/3/4/5/6/7/8/9", QoS::AtMostOnce))
        .await
        .unwrap_err();
    assert_eq!(
        deep.to_string(),
        "8 slashes in a topic, but AWS IoT Core takes 7"
    );
}

/// AWS IoT Core takes one CONNECT a second for each client identifier.
#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which this test pauses"
)]
async fn the_service_is_not_asked_to_connect_more_than_once_a_second() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect = ConnectOptions::for_aws_iot("lamp-7");
    options.reconnect = Reconnect {
        min_delay: Duration::ZERO,
        base_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        ..Reconnect::default()
    };
    let _client = Client::start(options);
    let mut last = None;
    for _ in 0..3 {
        server
            .accepts_client_with(&refusal(ReasonCode::ServerBusy))
            .await
            .expects_end()
            .await;
        let now = tokio::time::Instant::now();
        if let Some(last) = last.replace(now) {
            assert!(now - last >= Duration::from_secs(1), "{:?}", now - last);
        }
    }
}
