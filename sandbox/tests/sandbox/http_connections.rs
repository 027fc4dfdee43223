//! The API of connections over HTTP: facts, the end of a connection, subscriptions, direct messages.

use dunlin_codec::{
    Ack, AckType, BinaryData, Connect, Disconnect, DisconnectProperties, Packet, QoS, ReasonCode,
    TopicName, Will, WillProperties,
};
use dunlin_sandbox::Answer;
use serde_json::{Value, json};

use crate::client::{TestClient, TestSandbox, allow, connect};
use crate::http::{Response, SIGNED, asks, sandbox, sandbox_with};

/// CONNECT with a will on `gone`, and a session of an hour.
fn persistent(client_id: &str) -> Connect<'_> {
    let mut connect = Connect {
        keep_alive: 60,
        will: Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
            topic: TopicName::new("gone").unwrap(),
            payload: BinaryData::new(b"bye").unwrap(),
        }),
        clean_start: false,
        ..connect(client_id, "", "")
    };
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

async fn signed(sandbox: &TestSandbox, line: &str) -> Response {
    asks(sandbox, line, &[SIGNED], "").await
}

fn told(response: &Response) -> (u16, &str) {
    (response.status, response.error())
}

async fn disconnects(mut client: TestClient) {
    client
        .sends(Packet::Disconnect(Disconnect {
            reason_code: ReasonCode::NORMAL_DISCONNECTION,
            properties: DisconnectProperties::default(),
        }))
        .await;
    client.expects_end().await;
}

const NOT_FOUND: (u16, &str) = (404, "ResourceNotFoundException");

#[tokio::test]
async fn a_connection_is_described_while_it_lasts_and_after_its_end() {
    let sandbox = sandbox().await;
    let (client, _) = sandbox.connects(persistent("lamp/7")).await;
    let line = "GET /connections/lamp%2F7?includeSocketInformation=true";
    let response = signed(&sandbox, line).await;
    assert_eq!(response.status, 200, "{response:?}");
    let body = &response.body;
    for (name, value) in [
        ("connected", json!(true)),
        ("clientId", json!("lamp/7")),
        ("cleanSession", json!(false)),
        ("keepAliveDuration", json!(60)),
        ("sessionExpiry", json!(3600)),
        ("sourceIp", json!("127.0.0.1")),
        ("targetIp", json!("127.0.0.1")),
        ("targetPort", json!(sandbox.sandbox.port())),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert!(body["sourcePort"].as_u64() > Some(0));
    assert!(body["connectedSince"].as_u64() > Some(1_500_000_000_000));
    assert_eq!(body.get("disconnectReason"), None);
    // Sockets are told on demand alone.
    let response = signed(&sandbox, "GET /connections/lamp%2F7").await;
    assert_eq!(response.body.get("sourceIp"), None);

    disconnects(client).await;
    sandbox.wait_for_log("disconnect lamp/7").await;
    let body = signed(&sandbox, line).await.body;
    assert_eq!(body["connected"], false);
    assert_eq!(body["disconnectReason"], "CLIENT_INITIATED_DISCONNECT");
    assert!(body["disconnectedSince"].as_u64() > Some(1_500_000_000_000));
    assert_eq!(body.get("connectedSince"), None);
    assert_eq!(body.get("sourceIp"), None);
}

#[tokio::test]
async fn requests_about_connections_that_are_refused() {
    let sandbox = sandbox().await;
    let invalid = (400, "InvalidRequestException");
    let long = format!("GET /connections/{}", "x".repeat(129));
    for (line, expected) in [
        ("GET /connections/nobody", NOT_FOUND),
        ("DELETE /connections/nobody", NOT_FOUND),
        ("GET /connections/nobody/subscriptions", NOT_FOUND),
        ("POST /connections/nobody/messages?topic=a", NOT_FOUND),
        ("GET /connections/$GEN%2Fa", invalid),
        ("GET /connections/%24a", invalid),
        ("GET /connections/%zz", invalid),
        ("GET /connections/", invalid),
        (&long, invalid),
        ("GET /connections/a?includeSocketInformation=yes", invalid),
        ("DELETE /connections/a?cleanSession=1", invalid),
        ("DELETE /connections/a?preventWillMessage=1", invalid),
        ("GET /connections/a/subscriptions?maxResults=201", invalid),
        ("GET /connections/a/subscriptions?nextToken=%3F", invalid),
        ("POST /connections/a/messages", invalid),
        ("POST /connections/a/messages?topic=b%2F%23", invalid),
        (
            "POST /connections/a/messages?topic=b&confirmation=true&timeout=0",
            invalid,
        ),
        (
            "POST /connections/a/messages?topic=b&confirmation=true&timeout=16",
            invalid,
        ),
        // Without confirmation the time counts for nothing.
        ("POST /connections/a/messages?topic=b&timeout=16", NOT_FOUND),
        ("POST /connections/a/messages?topic=b&topic=b", invalid),
        // No topic of AWS IoT Core's own, not even one that may be published to.
        (
            "POST /connections/a/messages?topic=$aws%2Frules%2Fr%2Fb",
            invalid,
        ),
        ("GET /retainedMessage/%zz", invalid),
        (
            "POST /connections/a/messages?topic=b&confirmation=1",
            invalid,
        ),
        ("POST /connections/a/messages?topic=$aws%2Funknown", invalid),
        ("PUT /connections/a", (405, "MethodNotAllowedException")),
        (
            "GET /connections/a/messages",
            (405, "MethodNotAllowedException"),
        ),
        ("GET /connections/a/other", NOT_FOUND),
    ] {
        let response = signed(&sandbox, line).await;
        assert_eq!(told(&response), expected, "{line}: {response:?}");
    }
    // Without a signature nothing is told, about no client.
    let response = asks(&sandbox, "GET /connections/nobody", &[], "").await;
    assert_eq!(told(&response), (403, "ForbiddenException"));
}

#[tokio::test]
async fn delete_disconnects_with_0x98_and_treats_session_and_will_as_asked() {
    let sandbox = sandbox().await;
    let mut watcher = sandbox.connected_to_default("watcher").await;
    watcher.subscribes("gone").await;
    for (index, (query, has_will, has_session)) in [
        ("", true, true),
        ("?cleanSession=false&preventWillMessage=true", false, true),
        ("?cleanSession=true", true, false),
        ("?cleanSession=true&preventWillMessage=true", false, false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("lamp-{index}");
        let (mut client, _) = sandbox.connects(persistent(&id)).await;
        client.subscribes("a").await;
        let line = format!("DELETE /connections/{id}{query}");
        let response = signed(&sandbox, &line).await;
        assert_eq!(told(&response), (200, ""), "{line}");
        assert_eq!(
            client.receives_disconnect().await.0,
            ReasonCode::AdministrativeAction
        );
        client.expects_end().await;
        if has_will {
            assert_eq!(watcher.receives_message().await.0, "bye", "{line}");
        }
        watcher.receives_nothing_more().await;

        let body = signed(&sandbox, &format!("GET /connections/{id}"))
            .await
            .body;
        assert_eq!(body["disconnectReason"], "API_INITIATED_DISCONNECT");
        let subscriptions = format!("GET /connections/{id}/subscriptions");
        let status = signed(&sandbox, &subscriptions).await.status;
        assert_eq!(status == 200, has_session, "{line}");
        assert_eq!(told(&signed(&sandbox, &line).await), NOT_FOUND);
        sandbox
            .wait_for_log(&format!(
                "disconnect {id}  0x98: by the connection API (API_INITIATED_DISCONNECT)"
            ))
            .await;
    }
    assert!(sandbox.logged("DELETE /connections/lamp-0: 200"));
}

#[tokio::test]
async fn subscriptions_are_listed_in_pages_also_of_a_client_that_is_away() {
    let sandbox = sandbox().await;
    let (mut client, _) = sandbox.connects(persistent("lamp")).await;
    for filter in ["c/#", "a/+", "b"] {
        client.subscribes(filter).await;
    }
    disconnects(client).await;
    sandbox.wait_for_log("disconnect lamp").await;
    let line = "GET /connections/lamp/subscriptions?maxResults=2";
    let first = signed(&sandbox, line).await;
    assert_eq!(
        first.body["subscriptions"],
        json!([{"topicFilter": "a/+", "qos": 1}, {"topicFilter": "b", "qos": 1}])
    );
    let token = first.body["nextToken"].as_str().unwrap();
    let line = format!("{line}&nextToken={}", token.replace('=', "%3D"));
    let second = signed(&sandbox, &line).await;
    assert_eq!(
        second.body["subscriptions"],
        json!([{"topicFilter": "c/#", "qos": 1}])
    );
    assert_eq!(second.body["nextToken"], Value::Null);
}

#[tokio::test]
async fn a_direct_message_needs_no_subscription_and_is_confirmed_by_puback() {
    let sandbox = sandbox().await;
    let mut client = sandbox.connected_to_default("lamp").await;
    // Without confirmation: QoS 0, and the answer doesn't wait.
    let line =
        "POST /connections/lamp/messages?topic=a%2Fb&contentType=text%2Fplain&responseTopic=r";
    let headers = [
        SIGNED,
        ("x-amz-mqtt5-user-properties", "W3siayI6IjEifV0="),
        ("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA"),
        ("x-amz-mqtt5-correlation-data", "aWQ="),
    ];
    let response = asks(&sandbox, line, &headers, "hello").await;
    assert_eq!(told(&response), (200, ""));
    assert_eq!(response.body["message"], "OK");
    let packet = client.receives().await;
    let Packet::Publish(publish) = packet.packet() else {
        panic!("a PUBLISH, not {packet:?}")
    };
    assert_eq!(publish.topic.unwrap().as_str(), "a/b");
    assert_eq!(publish.payload, b"hello");
    assert_eq!(publish.delivery.qos(), QoS::AtMostOnce);
    let properties = publish.properties;
    assert_eq!(properties.content_type.unwrap().as_str(), "text/plain");
    assert_eq!(properties.response_topic.unwrap().as_str(), "r");
    assert_eq!(properties.correlation_data.unwrap().as_bytes(), b"id");
    assert_eq!(properties.user_properties.iter().count(), 1);

    // With confirmation: QoS 1, and the answer waits for the PUBACK.
    let line = "POST /connections/lamp/messages?topic=a&confirmation=true&timeout=10";
    let asked = signed(&sandbox, line);
    let received = client.receives_message();
    let (response, (_, qos, _)) = tokio::join!(asked, received);
    assert_eq!(qos, QoS::AtLeastOnce);
    assert_eq!(told(&response), (200, ""));
    assert!(sandbox.logged("receive   lamp  a  → allow, delivered"));
}

#[tokio::test]
async fn a_direct_message_without_puback_is_504_and_not_sent_again_after_the_connection() {
    let sandbox = sandbox().await;
    let (mut client, _) = sandbox.connects(persistent("lamp")).await;
    let line = "POST /connections/lamp/messages?topic=a&confirmation=true&timeout=1";
    let asked = signed(&sandbox, line);
    let (response, packet) = tokio::join!(asked, client.receives());
    assert!(matches!(packet.packet(), Packet::Publish(_)));
    assert_eq!(told(&response), (504, "GatewayTimeoutException"));
    // A late acknowledgement is no error.
    client
        .sends(Ack::success(crate::client::id(1)).into_packet(AckType::PubAck))
        .await;
    client.receives_nothing_more().await;

    // While the request waits the client leaves: the message isn't kept for it.
    let line = "POST /connections/lamp/messages?topic=a&confirmation=true&timeout=15";
    let leaves = async {
        let packet = client.receives().await;
        assert!(matches!(packet.packet(), Packet::Publish(_)));
        disconnects(client).await;
    };
    let (response, ()) = tokio::join!(signed(&sandbox, line), leaves);
    assert_eq!(told(&response), NOT_FOUND);
    // Nor is a message queued for the session of a client that is away.
    let response = signed(&sandbox, line).await;
    assert_eq!(told(&response), NOT_FOUND);
    let message = response.body["message"].as_str().unwrap();
    assert!(message.contains("active persistent session"), "{message}");
    // At AWS's rate of one CONNECT a second.
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    let (mut client, session_present) = sandbox.connects(persistent("lamp")).await;
    assert!(session_present);
    client.receives_nothing_more().await;
}

/// Policy to send to `lamp` on the topic `a`, and to receive.
fn direct_on_a() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["iot:Connect", "iot:Receive"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:SendDirectMessage", "Resource": "arn:aws:iot:*:*:client/lamp",
            "Condition": {"StringEquals": {"iot:Topic": ["a", "b"]}}},
    ]})
}

#[tokio::test]
async fn an_authorizer_lets_send_direct_messages_by_receiver_and_topic() {
    let sandbox = sandbox_with(Answer::allow("anybody", direct_on_a()), |options| options).await;
    let mut client = sandbox.connected_to_default("lamp").await;
    let _other = sandbox.connected_to_default("other").await;
    let forbidden = (403, "ForbiddenException");
    for (path, expected) in [
        ("lamp/messages?topic=a", (200, "")),
        ("lamp/messages?topic=c", forbidden),
        ("other/messages?topic=a", forbidden),
        // Nobody learns so whether a client is connected.
        ("nobody/messages?topic=a", forbidden),
        (
            "lamp/messages?topic=a%2F%23",
            (400, "InvalidRequestException"),
        ),
    ] {
        let line = format!("POST /connections/{path}");
        let response = asks(&sandbox, &line, &[], "hello").await;
        assert_eq!(told(&response), expected, "{path}");
    }
    assert_eq!(client.receives_message().await.0, "hello");
    client.receives_nothing_more().await;
    sandbox
        .wait_for_log("POST /connections/other/messages: 403 (")
        .await;
    // The rest of the API is for signed requests.
    for line in ["GET /connections/lamp", "DELETE /connections/lamp"] {
        assert_eq!(told(&asks(&sandbox, line, &[], "").await), forbidden);
    }
}

#[tokio::test]
async fn a_direct_message_needs_iot_receive_of_the_receiver() {
    let connect_only = Answer::allow("anybody", allow("iot:Connect"));
    let sandbox = sandbox_with(connect_only, |options| options).await;
    let mut client = sandbox.connected_to_default("lamp").await;
    for confirmation in [false, true] {
        let line = format!("POST /connections/lamp/messages?topic=a&confirmation={confirmation}");
        let response = signed(&sandbox, &line).await;
        assert_eq!(told(&response), (403, "ForbiddenException"));
    }
    let large = "x".repeat(128 * 1024 + 1);
    let line = "POST /connections/lamp/messages?topic=a";
    let response = asks(&sandbox, line, &[SIGNED], &large).await;
    assert_eq!(told(&response), (413, "RequestEntityTooLargeException"));
    client.receives_nothing_more().await;
    sandbox
        .wait_for_log("403 (the policy of the receiver doesn't allow iot:Receive)")
        .await;
}
