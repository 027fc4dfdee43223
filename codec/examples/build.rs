//! Builds one of every packet, and shows each as a line, as bytes and as JSON.
//!
//! `cargo run -p dunlin-codec --example build`

use std::error::Error;

use dunlin_codec::{
    Ack, AckType, Auth, AuthProperties, BinaryData, ConnAck, ConnAckProperties, Connect,
    ConnectProperties, Delivery, Disconnect, Packet, PacketId, Publish, PublishProperties, QoS,
    ReasonCode, SubAck, SubAckProperties, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions, TopicFilter, TopicName, UnsubAck, Unsubscribe, UnsubscribeProperties,
    UserProperty, Utf8String, Will, WillProperties,
};

fn main() -> Result<(), Box<dyn Error>> {
    let packet_id = PacketId::from(std::num::NonZeroU16::MIN);
    let user_properties = [UserProperty::new("built", "by hand")?];

    // A `Packet` refers to the two packets that have the most fields.
    show(&Connect {
        clean_start: true,
        keep_alive: 60,
        properties: ConnectProperties {
            session_expiry_interval: Some(3600),
            ..ConnectProperties::default()
        },
        client_id: Utf8String::new("lamp-7")?,
        will: Some(Will {
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties {
                will_delay_interval: Some(5),
                ..WillProperties::default()
            },
            topic: TopicName::new("lamp/7/state")?,
            payload: BinaryData::new(b"gone")?,
        }),
        username: Some(Utf8String::new("lamp")?),
        password: Some(BinaryData::new(b"not shown in the line")?),
    })?;
    show(&ConnAck {
        properties: ConnAckProperties {
            maximum_qos: Some(QoS::AtLeastOnce),
            user_properties: (&user_properties).into(),
            ..ConnAckProperties::default()
        },
        ..ConnAck::default()
    })?;
    show(Publish {
        delivery: Delivery::AtLeastOnce {
            packet_id,
            dup: false,
        },
        properties: PublishProperties {
            content_type: Some(Utf8String::new("text/plain")?),
            correlation_data: Some(BinaryData::new(&[0xc0, 0xff, 0xee])?),
            ..PublishProperties::default()
        },
        ..Publish::new(TopicName::new("lamp/7/state")?, b"on")
    })?;
    for ack_type in [
        AckType::PubAck,
        AckType::PubRec,
        AckType::PubRel,
        AckType::PubComp,
    ] {
        show(Ack::success(packet_id).into_packet(ack_type))?;
    }

    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        ..Default::default()
    };
    let subscriptions = [Subscription {
        filter: TopicFilter::new("lamp/+/state")?,
        options,
    }];
    let properties = SubscribeProperties::default();
    show(Subscribe {
        packet_id,
        properties,
        subscriptions: (&subscriptions).into(),
    })?;
    let reason_codes = [ReasonCode::GrantedQoS1];
    let properties = SubAckProperties::default();
    show(SubAck {
        packet_id,
        properties,
        reason_codes: (&reason_codes).into(),
    })?;

    let filters = [TopicFilter::new("lamp/+/state")?];
    let properties = UnsubscribeProperties::default();
    show(Unsubscribe {
        packet_id,
        properties,
        filters: (&filters).into(),
    })?;
    let reason_codes = [ReasonCode::Success];
    let properties = SubAckProperties::default();
    show(UnsubAck {
        packet_id,
        properties,
        reason_codes: (&reason_codes).into(),
    })?;

    show(Packet::PingReq)?;
    show(Packet::PingResp)?;
    show(Disconnect {
        reason_code: ReasonCode::DisconnectWithWill,
        ..Disconnect::default()
    })?;
    show(Auth {
        reason_code: ReasonCode::ContinueAuthentication,
        properties: AuthProperties {
            authentication_method: Some(Utf8String::new("SCRAM-SHA-256")?),
            ..AuthProperties::default()
        },
    })
}

fn show<'a>(packet: impl Into<Packet<'a>>) -> Result<(), Box<dyn Error>> {
    let packet = packet.into();
    let mut bytes = Vec::with_capacity(packet.encoded_len()?);
    packet.encode(&mut bytes)?;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{packet}\n  {}\n  {}\n",
        hex.join(" "),
        serde_json::to_string(&packet)?
    );
    // What is written reads back as the same packet.
    assert_eq!(Packet::decode(&bytes)?, Some((packet, bytes.len())));
    Ok(())
}
