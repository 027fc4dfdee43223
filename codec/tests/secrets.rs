//! Secrets in packets: no `Debug` and no `Display` shows them, whatever the type that holds them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::{Debug, Display};

use dunlin_codec::{
    Ack, AckType, Auth, AuthProperties, BinaryData, ConnAck, ConnAckProperties, Connect,
    ConnectProperties, Disconnect, DisconnectProperties, Packet, PacketBuf, PacketId, Publish,
    PublishProperties, QoS, ReasonCode, Repeated, SubAck, SubAckProperties, Subscribe,
    SubscribeProperties, Subscription, TopicFilter, TopicName, UnsubAck, Unsubscribe,
    UnsubscribeProperties, UserProperty, Utf8String, Will, WillProperties, owned,
};

/// Text of all secrets here; letters alone, so that no escape can hide it.
const CANARY: &str = "canary";

/// Asserts that neither form of `Debug` shows a secret, but that it does show `name`.
fn assert_hidden(value: &impl Debug, name: &str) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.contains(CANARY), "{text}");
        // Nor as a list of numbers.
        let numbers: String = text.split_whitespace().collect();
        assert!(!numbers.contains("99,97,110"), "{text}");
        assert!(text.contains(name), "{name} in {text}");
    }
}

fn assert_display_hidden(value: &impl Display) {
    let text = value.to_string();
    assert!(!text.contains(CANARY), "{text}");
}

/// Credentials of an AWS custom authorizer, in each case of letters.
fn credentials() -> [UserProperty<'static>; 3] {
    [
        UserProperty::new("x-amz-customauthorizer-signature", CANARY).unwrap(),
        UserProperty::new("X-Amz-CustomAuthorizer-Name", CANARY).unwrap(),
        UserProperty::new("site", "north").unwrap(),
    ]
}

/// Asserts the same of a packet in each form that a program can have.
fn assert_packet_hidden(packet: Packet<'_>) {
    let name = "north";
    let buffer = PacketBuf::new(&packet).unwrap();
    let kept = packet.to_owned();
    assert_hidden(&packet, name);
    assert_hidden(&buffer, name);
    assert_hidden(&buffer.packet(), name);
    assert_hidden(&kept, name);
    assert_hidden(&Some(&kept), name);
    assert_display_hidden(&packet);
    assert_display_hidden(&buffer);
    assert_display_hidden(&kept);
    assert_hidden(&Packet::decode(buffer.as_bytes()), name);
}

#[test]
fn no_packet_shows_a_secret_in_whatever_form() {
    let pairs = credentials();
    let user_properties: Repeated<'_, _> = (&pairs).into();
    let data = Some(BinaryData::new(CANARY.as_bytes()).unwrap());
    let method = Some(Utf8String::new("SCRAM").unwrap());
    let topic = TopicName::new("lamp/7").unwrap();
    let packet_id = PacketId::MIN;

    let query = format!("demo?x-amz-customauthorizer-name={CANARY}&token={CANARY}?{CANARY}");
    let connect = Connect {
        username: Some(Utf8String::new(&query).unwrap()),
        password: data,
        properties: ConnectProperties {
            authentication_method: method,
            authentication_data: data,
            user_properties,
            ..ConnectProperties::new()
        },
        will: Some(Will {
            properties: WillProperties {
                user_properties,
                ..WillProperties::new()
            },
            ..Will::new(topic, BinaryData::new(b"gone").unwrap())
        }),
        ..Connect::new(Utf8String::new("lamp-7").unwrap())
    };
    // The name itself isn't secret, nor are the lengths.
    for shown in ["demo", "SCRAM", "<redacted 6 bytes>", "lamp/7"] {
        assert_hidden(&connect, shown);
        assert_hidden(&connect.to_owned(), shown);
    }
    assert_hidden(&connect.properties, "SCRAM");
    assert_hidden(&connect.properties.to_owned(), "SCRAM");
    assert_hidden(&connect.will, "lamp/7");
    assert_hidden(&connect.will.unwrap().to_owned(), "lamp/7");
    assert_display_hidden(&connect);
    assert_packet_hidden((&connect).into());

    let connack = ConnAck {
        properties: ConnAckProperties {
            authentication_method: method,
            authentication_data: data,
            user_properties,
            ..ConnAckProperties::new()
        },
        ..ConnAck::new(ReasonCode::Success)
    };
    assert_hidden(&connack, "SCRAM");
    assert_hidden(&connack.to_owned(), "SCRAM");
    assert_hidden(&connack.properties.to_owned(), "SCRAM");
    assert_packet_hidden((&connack).into());

    let auth = Auth {
        reason_code: ReasonCode::ContinueAuthentication,
        properties: AuthProperties {
            authentication_method: method,
            authentication_data: data,
            user_properties,
            ..AuthProperties::new()
        },
    };
    assert_hidden(&auth, "SCRAM");
    assert_hidden(&auth.to_owned().properties, "SCRAM");
    assert_packet_hidden(auth.into());

    // In all other packets, User Properties alone can hold a credential.
    let codes = [ReasonCode::Success];
    let filters = [TopicFilter::new("lamp/+").unwrap()];
    let subscriptions = [Subscription::new(filters[0], QoS::AtMostOnce)];
    let suback = SubAckProperties {
        user_properties,
        ..SubAckProperties::new()
    };
    let publish = Publish {
        properties: PublishProperties {
            user_properties,
            ..PublishProperties::new()
        },
        ..Publish::new(topic, b"on")
    };
    assert_packet_hidden(publish.into());
    let subscribe = Subscribe {
        properties: SubscribeProperties {
            user_properties,
            ..SubscribeProperties::new()
        },
        ..Subscribe::new(packet_id, &subscriptions)
    };
    assert_packet_hidden(subscribe.into());
    let unsubscribe = Unsubscribe {
        properties: UnsubscribeProperties { user_properties },
        ..Unsubscribe::new(packet_id, &filters)
    };
    assert_packet_hidden(unsubscribe.into());
    let suback = SubAck {
        properties: suback,
        ..SubAck::new(packet_id, &codes)
    };
    assert_packet_hidden(suback.into());
    let disconnect = Disconnect {
        properties: DisconnectProperties {
            user_properties,
            ..DisconnectProperties::new()
        },
        ..Disconnect::default()
    };
    assert_packet_hidden(disconnect.into());
    let mut ack = Ack::success(packet_id);
    ack.properties.user_properties = user_properties;
    for ack_type in [
        AckType::PubAck,
        AckType::PubRec,
        AckType::PubRel,
        AckType::PubComp,
    ] {
        assert_packet_hidden(ack.into_packet(ack_type));
    }
    let unsuback = UnsubAck {
        properties: suback.properties,
        ..UnsubAck::new(packet_id, &codes)
    };
    assert_packet_hidden(unsuback.into());
}

#[test]
fn a_credential_is_hidden_outside_of_a_packet_too() {
    for pair in &credentials()[..2] {
        assert_hidden(pair, "ustom");
        assert_hidden(&pair.to_owned(), "ustom");
        assert_display_hidden(pair);
    }
    let pairs = credentials();
    let list: Repeated<'_, _> = (&pairs).into();
    assert_hidden(&list, "north");
    assert_hidden(&list.to_owned(), "north");
    assert_hidden(&list.iter(), "3");
    // A name that only begins like one of them, and one that is shorter.
    for name in ["x-amz-custom", "x-amz-customauthorize\u{e9}"] {
        let pair = UserProperty::new(name, "shown").unwrap();
        assert!(format!("{pair:?}").contains("shown"));
    }
    let list: owned::Repeated<owned::UserProperty> = Vec::new().into();
    assert_eq!(format!("{list:?}"), "[]");
}
