//! CONNECT and CONNACK.

use std::num::{NonZeroU16, NonZeroU32};

use dunlin_codec::{
    ConnAck, ConnAckProperties, Connect, ConnectProperties, Packet, PayloadFormat, QoS, ReasonCode,
    Will, WillProperties,
};

use super::values::{Lasting as _, data, name, text, user_properties};

pub(super) fn table() -> Vec<(&'static str, &'static str, Packet<'static>)> {
    let minimal = Connect {
        clean_start: true,
        keep_alive: 60,
        ..Connect::default()
    };
    vec![
        // An empty set of properties is written, and so is an empty name. [MQTT-2.2.2-1] [MQTT-3.1.3-3] [MQTT-3.1.2-1]
        // [MQTT-3.1.2-2]
        ("a CONNECT with nothing", "10 0D 0004 4D515454 05 02 003C 00 0000", minimal.lasting()),
        // Six fields after the properties, in this order. [MQTT-3.1.3-1] [MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-19]
        (
            "a CONNECT with everything",
            "10 A301 0004 4D515454 05 F6 FFFF \
             34 11 FFFFFFFF 21 0014 27 00010000 22 000A 19 01 17 00 15 0005 534352414D 16 0002 00FF \
             26 0001 61 0001 31 26 0001 61 0000 26 0000 0001 32 \
             0006 6C616D702D37 \
             3A 18 0000000A 01 01 02 00000E10 03 000A 746578742F706C61696E \
             08 000D 6C616D702F372F616E73776572 09 0001 07 26 0003 776879 0005 706F776572 \
             000B 6C616D702F372F676F6E65 0003 627965 0005 616C696365 0006 733363726574",
            connect_with_everything().lasting(),
        ),
        (
            "a CONNECT with a password and no user name",
            "10 10 0004 4D515454 05 42 003C 00 0000 0001 70",
            Connect { password: Some(data(b"p")), ..minimal }.lasting(),
        ),
        (
            "a CONNECT in which all is empty that may be",
            "10 15 0004 4D515454 05 8C 0000 00 0000 00 0001 77 0000 0000",
            Connect {
                will: Some(will("w", b"")),
                username: Some(text("")),
                ..Connect::default()
            }
            .lasting(),
        ),
        (
            "a CONNECT with a will",
            "10 15 0004 4D515454 05 0C 0000 00 0001 63 00 0001 77 0001 78",
            Connect { client_id: text("c"), will: Some(will("w", b"x")), ..Connect::default() }.lasting(),
        ),
        // [MQTT-1.5.4-3]
        (
            "a CONNECT with U+FEFF for a name",
            "10 10 0004 4D515454 05 00 0000 00 0003 EFBBBF",
            Connect { client_id: text("\u{feff}"), ..Connect::default() }.lasting(),
        ),
        (
            "the sample's CONNECT, unsigned",
            "105400044d51545405c204b00000156d717474352d73616d706c652d30613162326333640028616c6963653f782d616d7a2d63\
             7573746f6d617574686f72697a65722d6e616d653d4d79417574680006733363726574",
            sample("alice?x-amz-customauthorizer-name=MyAuth").lasting(),
        ),
        (
            "the sample's CONNECT, signed",
            "10b20100044d51545405c204b00000156d717474352d73616d706c652d30613162326333640086616c6963653f782d616d7a2d\
             637573746f6d617574686f72697a65722d6e616d653d4d794175746826782d616d7a2d637573746f6d617574686f72697a6572\
             2d7369676e61747572653d4162432532426445662f476849303132333435363738392532422f25334425334426746f6b656e4b\
             65794e616d653d746f6b656e56616c75653132330006733363726574",
            sample(
                "alice?x-amz-customauthorizer-name=MyAuth\
                 &x-amz-customauthorizer-signature=AbC%2BdEf/GhI0123456789%2B/%3D%3D&tokenKeyName=tokenValue123",
            )
            .lasting(),
        ),
        ("a CONNACK with nothing", "20 03 00 00 00", ConnAck::default().lasting()),
        (
            "a CONNACK with a session",
            "20 03 01 00 00",
            ConnAck { session_present: true, ..ConnAck::default() }.lasting(),
        ),
        (
            "a CONNACK that refuses",
            "20 12 00 87 0F 1F 000C 6E6F20737563682075736572",
            ConnAck {
                reason_code: ReasonCode::NotAuthorized,
                properties: ConnAckProperties { reason_string: Some(text("no such user")), ..Default::default() },
                ..ConnAck::default()
            }
            .lasting(),
        ),
        (
            "a CONNACK with everything",
            "20 64 00 00 \
             61 11 00000E10 21 0064 24 01 25 00 27 00020000 12 0007 6D6164652D7570 22 0008 1F 0007 77656C636F6D65 \
             28 01 29 00 2A 01 13 04B0 1A 000D 7265706C792F6D6164652D7570 1C 0009 622E6578616D706C65 \
             15 0005 534352414D 16 0002 0102 26 0001 6B 0001 76",
            connack_with_everything().lasting(),
        ),
    ]
}

fn connect_with_everything() -> Connect<'static> {
    Connect {
        clean_start: true,
        keep_alive: u16::MAX,
        properties: ConnectProperties {
            session_expiry_interval: Some(u32::MAX),
            receive_maximum: NonZeroU16::new(20),
            maximum_packet_size: NonZeroU32::new(0x1_0000),
            topic_alias_maximum: Some(10),
            request_response_information: Some(true),
            request_problem_information: Some(false),
            authentication_method: Some(text("SCRAM")),
            authentication_data: Some(data(&[0x00, 0xff])),
            user_properties: user_properties(&[("a", "1"), ("a", ""), ("", "2")]),
        },
        client_id: text("lamp-7"),
        will: Some(Will {
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: WillProperties {
                will_delay_interval: Some(10),
                payload_format_indicator: Some(PayloadFormat::Utf8),
                message_expiry_interval: Some(3600),
                content_type: Some(text("text/plain")),
                response_topic: Some(name("lamp/7/answer")),
                correlation_data: Some(data(&[7])),
                user_properties: user_properties(&[("why", "power")]),
            },
            topic: name("lamp/7/gone"),
            payload: data(b"bye"),
        }),
        username: Some(text("alice")),
        password: Some(data(b"s3cret")),
    }
}

fn connack_with_everything() -> ConnAck<'static> {
    ConnAck {
        properties: ConnAckProperties {
            session_expiry_interval: Some(3600),
            receive_maximum: NonZeroU16::new(100),
            maximum_qos: Some(QoS::AtLeastOnce),
            retain_available: Some(false),
            maximum_packet_size: NonZeroU32::new(0x2_0000),
            assigned_client_identifier: Some(text("made-up")),
            topic_alias_maximum: Some(8),
            reason_string: Some(text("welcome")),
            wildcard_subscription_available: Some(true),
            subscription_identifier_available: Some(false),
            shared_subscription_available: Some(true),
            server_keep_alive: Some(1200),
            response_information: Some(text("reply/made-up")),
            server_reference: Some(text("b.example")),
            authentication_method: Some(text("SCRAM")),
            authentication_data: Some(data(&[1, 2])),
            user_properties: user_properties(&[("k", "v")]),
        },
        ..ConnAck::default()
    }
}

fn will(topic: &'static str, payload: &'static [u8]) -> Will<'static> {
    let properties = WillProperties::default();
    Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        properties,
        topic: name(topic),
        payload: data(payload),
    }
}

/// CONNECT of the custom authorizer sample.
fn sample(username: &'static str) -> Connect<'static> {
    Connect {
        clean_start: true,
        keep_alive: 1200,
        client_id: text("mqtt5-sample-0a1b2c3d"),
        username: Some(text(username)),
        password: Some(data(b"s3cret")),
        ..Connect::default()
    }
}
