//! Packets as JSON: read back equal, the same however they came about, and readable.

use dunlin_codec::owned;
use dunlin_codec::{
    BinaryData, Connect, Packet, PacketBuf, PacketId, Publish, PublishProperties, ReasonCode,
    SubAck, SubAckProperties, Subscribe, SubscribeProperties, Subscription, SubscriptionOptions,
    TopicFilter, TopicName, UserProperty, Utf8String,
};
use proptest::prelude::*;
use serde_json::{from_str, json, to_string, to_value};

proptest! {
    #[test]
    fn serialized_packets_deserialize_equal(packet: owned::Packet) {
        let text = to_string(&packet).unwrap();
        prop_assert_eq!(&from_str::<owned::Packet>(&text).unwrap(), &packet, "{}", text);
        // Another order of the keys changes nothing.
        let value = to_value(&packet).unwrap();
        let turned = format!(r#"{{"packet":{},"type":{}}}"#, value["packet"], value["type"]);
        prop_assert_eq!(from_str::<owned::Packet>(&turned).unwrap(), packet);
    }

    #[test]
    fn a_packet_is_serialized_alike_whether_decoded_or_built(packet: owned::Packet) {
        let decoded = PacketBuf::new(&packet.packet()).unwrap();
        prop_assert_eq!(to_string(&decoded.packet()).unwrap(), to_string(&packet).unwrap());
    }

    #[test]
    fn serialized_parts_deserialize_equal(publish: owned::Publish) {
        prop_assert_eq!(from_str::<owned::Publish>(&to_string(&publish.as_borrowed()).unwrap()).unwrap(), publish);
    }
}

proptest! {
    /// TOML has signed integers only, and writes simple values before tables.
    #[test]
    fn packets_go_through_toml_as_well(packet: owned::Packet) {
        let text = toml::to_string(&packet).unwrap();
        prop_assert_eq!(&toml::from_str::<owned::Packet>(&text).unwrap(), &packet, "{}", text);
    }
}

#[test]
fn a_reason_code_may_be_a_bare_number_of_any_format() {
    let acknowledgement =
        |code: &str| toml::from_str::<owned::Ack>(&format!("packet_id = 7\nreason_code = {code}"));
    let read = acknowledgement("135").unwrap();
    assert_eq!(read.reason_code, ReasonCode::NotAuthorized);
    assert_eq!(read, acknowledgement("{ code = 135 }").unwrap());
    for wrong in ["-1", "256", "3", "\"Success\""] {
        assert!(acknowledgement(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_publish_is_readable_and_its_payload_is_base64_only_where_it_is_no_text() {
    let pairs = [
        UserProperty::new("k", "v").unwrap(),
        UserProperty::new("k", "v2").unwrap(),
    ];
    let properties = PublishProperties {
        correlation_data: Some(BinaryData::new(&[0xff]).unwrap()),
        user_properties: (&pairs).into(),
        ..PublishProperties::default()
    };
    let topic = TopicName::new("lamp/7").unwrap();
    let packet = Packet::Publish(Publish {
        properties,
        retain: true,
        ..Publish::new(topic, b"on")
    });
    assert_eq!(
        to_string(&packet).unwrap(),
        r#"{"type":"PUBLISH","packet":{"qos":0,"retain":true,"topic":"lamp/7","properties":{"correlation_data_b64":"/w==","user_properties":[["k","v"],["k","v2"]]},"payload":"on"}}"#
    );
    let packet = Packet::Publish(Publish::new(topic, &[0xc3, 0x28]));
    assert_eq!(to_value(packet).unwrap()["packet"]["payload_b64"], "wyg=");
}

#[test]
fn a_subscription_is_flat_and_a_reason_code_has_its_name() {
    let packet_id = PacketId::new(9).unwrap();
    let subscription = Subscription {
        filter: TopicFilter::new("a/+").unwrap(),
        options: SubscriptionOptions::default(),
    };
    let subscriptions = [subscription];
    let subscribe = Subscribe {
        packet_id,
        properties: SubscribeProperties::default(),
        subscriptions: (&subscriptions).into(),
    };
    assert_eq!(
        to_value(subscribe).unwrap()["subscriptions"],
        json!([{"filter": "a/+", "qos": 0, "no_local": false, "retain_as_published": false, "retain_handling": 0}])
    );
    let codes = [ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized];
    let suback = SubAck {
        packet_id,
        properties: SubAckProperties::default(),
        reason_codes: (&codes).into(),
    };
    assert_eq!(
        to_value(suback).unwrap()["reason_codes"],
        json!([{"code": 1, "name": "Granted QoS 1"}, {"code": 135, "name": "Not authorized"}])
    );
}

#[test]
fn fields_with_a_default_may_be_omitted() {
    let read = |text| from_str::<owned::Packet>(text).unwrap();
    assert_eq!(
        read(r#"{"type":"PINGREQ","packet":{}}"#),
        owned::Packet::PingReq
    );
    let client_id = Utf8String::new("lamp-7").unwrap();
    let connect = Connect {
        client_id,
        ..Connect::default()
    };
    assert_eq!(
        read(r#"{"type":"CONNECT","packet":{"client_id":"lamp-7"}}"#).packet(),
        Packet::from(&connect)
    );
    let suback =
        read(r#"{"type":"SUBACK","packet":{"packet_id":1,"reason_codes":[2,{"code":135}]}}"#);
    let owned::Packet::SubAck(suback) = suback else {
        panic!("a SUBACK")
    };
    assert!(
        suback
            .reason_codes
            .as_borrowed()
            .iter()
            .eq([ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized])
    );
}

#[test]
fn invalid_values_are_errors_with_a_reason() {
    for (text, why) in [
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a/#"}}"#,
            "a topic name has no wildcard",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","qos":3}}"#,
            "expected 0, 1 or 2",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","qos":1}}"#,
            "missing field `packet_id`",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","dup":true}}"#,
            "dup is for QoS 1 and 2",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","payload":"a","payload_b64":"YQ=="}}"#,
            "duplicate field `payload`",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","payload_b64":"?"}}"#,
            "Invalid",
        ),
        (
            r#"{"type":"PUBLISH","packet":{"topic":"a","colour":1}}"#,
            "unknown field `colour`",
        ),
        (
            r#"{"type":"PUBACK","packet":{"packet_id":0}}"#,
            "expected 1 to 65,535",
        ),
        (
            r#"{"type":"PUBACK","packet":{"packet_id":1,"reason_code":5}}"#,
            "expected a reason code",
        ),
        (r#"{"type":"PINGREQ","packet":{"a":1}}"#, "unknown field"),
        (r#"{"type":"PING","packet":{}}"#, "unknown variant"),
    ] {
        let error = from_str::<owned::Packet>(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}
