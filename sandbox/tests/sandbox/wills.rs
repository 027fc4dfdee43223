//! Publication of wills, and its exceptions.

use dunlin_codec::{
    BinaryData, Connect, Disconnect, DisconnectProperties, Packet, QoS, ReasonCode, TopicName,
    UserProperty, Will, WillProperties,
};
use dunlin_sandbox::SandboxOptions;

use crate::client::{TestClient, TestSandbox, connect};

const TOPIC: &str = "last/words";

fn will(properties: WillProperties<'_>) -> Will<'_> {
    Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties,
        topic: TopicName::new(TOPIC).unwrap(),
        payload: BinaryData::new(b"gone").unwrap(),
    }
}

/// CONNECT with a session of a minute and a Will Delay Interval of `seconds`.
fn connect_with_delayed_will(client_id: &str, seconds: u32) -> Connect<'_> {
    let will = will(WillProperties {
        will_delay_interval: Some(seconds),
        ..WillProperties::default()
    });
    let mut connect = Connect {
        clean_start: false,
        will: Some(will),
        ..connect(client_id, "", "")
    };
    connect.properties.session_expiry_interval = Some(60);
    connect
}

async fn client_with_watched_will(time_scale: u32) -> (TestSandbox, TestClient) {
    let sandbox = TestSandbox::mqtt5_with(|options| SandboxOptions {
        time_scale,
        ..options
    })
    .await;
    let mut watcher = sandbox.connected_to_default("watcher").await;
    watcher.subscribes(TOPIC).await;
    (sandbox, watcher)
}

#[tokio::test]
async fn a_take_over_publishes_the_will_unless_it_is_delayed() {
    let (sandbox, mut watcher) = client_with_watched_will(1).await;
    for (seconds, expected) in [(3600, false), (0, true)] {
        let id = format!("c{seconds}");
        let (mut first, _) = sandbox
            .connects(connect_with_delayed_will(&id, seconds))
            .await;
        let _second = sandbox
            .connects(Connect {
                will: None,
                ..connect_with_delayed_will(&id, 0)
            })
            .await;
        assert_eq!(
            first.receives_disconnect().await.0,
            ReasonCode::SessionTakenOver
        );
        first.expects_end().await;
        if expected {
            assert_eq!(watcher.receives_message().await.0, "gone");
        }
        watcher.receives_nothing_more().await;
    }
}

/// MQTT-3.14.4-3
#[tokio::test]
async fn only_a_normal_disconnect_removes_the_will() {
    let (sandbox, mut watcher) = client_with_watched_will(1).await;
    for reason_code in [
        ReasonCode::NORMAL_DISCONNECTION,
        ReasonCode::DisconnectWithWill,
    ] {
        let (mut client, _) = sandbox.connects(connect_with_delayed_will("c", 0)).await;
        client
            .sends(Disconnect {
                reason_code,
                properties: DisconnectProperties::default(),
            })
            .await;
        client.expects_end().await;
    }
    assert_eq!(watcher.receives_message().await.0, "gone");
    watcher.receives_nothing_more().await;
}

/// MQTT-3.1.3-10, MQTT-3.1.2-15
#[tokio::test]
async fn a_will_has_its_properties_and_may_be_retained() {
    let (sandbox, mut watcher) = client_with_watched_will(1).await;

    // User properties keep their order and repetitions; Correlation Data may be empty.
    let user_properties = [
        UserProperty::new("b", "1").unwrap(),
        UserProperty::new("a", "2").unwrap(),
        UserProperty::new("b", "1").unwrap(),
    ];
    let properties = WillProperties {
        message_expiry_interval: Some(100),
        correlation_data: BinaryData::new(b"").ok(),
        user_properties: (&user_properties).into(),
        ..WillProperties::default()
    };
    let connect = Connect {
        will: Some(Will {
            retain: true,
            ..will(properties)
        }),
        ..connect("c", "", "")
    };

    // The connection is lost, so the will is published.
    drop(sandbox.connects(connect).await);
    let packet = watcher.receives().await;
    let Packet::Publish(publish) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    assert_eq!(
        publish.properties.user_properties,
        properties.user_properties
    );
    assert_eq!(
        publish.properties.correlation_data,
        properties.correlation_data
    );
    assert_eq!(publish.properties.message_expiry_interval, Some(100));

    // A later subscriber gets the will as a retained message.
    let mut late = sandbox.connected_to_default("late").await;
    late.subscribes("last/#").await;
    assert_eq!(
        late.receives_message().await,
        ("gone".into(), QoS::AtLeastOnce, true)
    );
}

#[tokio::test]
async fn the_profile_aws_ignores_the_will_delay() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut watcher = sandbox.connected_to_default("watcher").await;
    watcher.subscribes(TOPIC).await;
    drop(sandbox.connects(connect_with_delayed_will("c", 3600)).await);
    assert_eq!(watcher.receives_message().await.0, "gone");
}

/// MQTT-3.2.2-12
#[tokio::test]
async fn a_will_above_the_maximum_qos_is_refused() {
    let sandbox = TestSandbox::allowing_everything().await;
    let mut client = sandbox.open().await;
    let above = Will {
        qos: QoS::ExactlyOnce,
        ..will(WillProperties::default())
    };
    client
        .sends(Connect {
            will: Some(above),
            ..connect("c", "", "")
        })
        .await;
    assert_eq!(
        client.receives_connack().await.0,
        ReasonCode::QoSNotSupported
    );
    client.expects_end().await;
}
