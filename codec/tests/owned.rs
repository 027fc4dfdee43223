//! Owned packets: from borrowed ones and back, changed, sent, and used as collections and text.

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::BytesMut;
use dunlin_codec::{
    Ack, AckType, Auth, BinaryData, ConnAck, Connect, DecodeOptions, Disconnect, EncodeError,
    Packet, PacketBuf, PacketCodec, PacketId, Publish, QoS, ReasonCode, SubAck, Subscribe,
    Subscription, SubscriptionOptions, TextError, TopicError, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Utf8String, Will, owned,
};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

/// Bytes and length of the packet by the functions of its own type.
fn encode_alone(packet: &owned::Packet) -> Result<(Vec<u8>, usize), EncodeError> {
    use owned::Packet as P;
    let mut out = Vec::new();
    let (encoded, len) = match packet {
        P::Connect(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::ConnAck(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::Publish(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::PubAck(ack) => (
            ack.encode(AckType::PubAck, &mut out),
            ack.encoded_len(AckType::PubAck),
        ),
        P::PubRec(ack) => (
            ack.encode(AckType::PubRec, &mut out),
            ack.encoded_len(AckType::PubRec),
        ),
        P::PubRel(ack) => (
            ack.encode(AckType::PubRel, &mut out),
            ack.encoded_len(AckType::PubRel),
        ),
        P::PubComp(ack) => (
            ack.encode(AckType::PubComp, &mut out),
            ack.encoded_len(AckType::PubComp),
        ),
        P::Subscribe(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::SubAck(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::Unsubscribe(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::UnsubAck(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::Disconnect(packet) => (packet.encode(&mut out), packet.encoded_len()),
        P::Auth(packet) => (packet.encode(&mut out), packet.encoded_len()),
        // These two have no type of their own.
        P::PingReq | P::PingResp => (packet.encode(&mut out), packet.encoded_len()),
    };
    encoded.and(len).map(|len| (out, len))
}

proptest! {
    #[test]
    fn a_packet_becomes_owned_and_back_unchanged(kept: owned::Packet) {
        let packet = kept.packet();
        prop_assert_eq!(&packet.to_owned(), &kept);
        prop_assert_eq!(&owned::Packet::from(packet), &kept);
        prop_assert_eq!(Packet::from(&kept), packet);
        prop_assert_eq!(&kept, &packet);
        prop_assert_eq!(kept.packet_type(), packet.packet_type());
        prop_assert_eq!(kept.to_string(), packet.to_string());

        // Through the bytes: what was received is as good as what was built.
        let mut bytes = Vec::new();
        kept.encode(&mut bytes).unwrap();
        prop_assert_eq!(kept.encoded_len(), Ok(bytes.len()));
        let (alone, len) = encode_alone(&kept).unwrap();
        prop_assert_eq!(&alone, &bytes);
        prop_assert_eq!(len, bytes.len());
        let (decoded, _) = Packet::decode(&bytes).unwrap().unwrap();
        prop_assert_eq!(&decoded.to_owned(), &kept);
        let buffer = PacketBuf::try_from(&kept).unwrap();
        prop_assert_eq!(&owned::Packet::from(&buffer), &kept);
        prop_assert_eq!(HashSet::from([kept.clone(), owned::Packet::from(buffer)]).len(), 1);
    }

    #[test]
    fn owned_packets_go_through_the_codec_of_streams(packets in prop::collection::vec(any::<owned::Packet>(), 1..5)) {
        let (mut codec, mut stream) = (PacketCodec::default(), BytesMut::new());
        for packet in &packets {
            codec.encode(packet, &mut stream).unwrap();
            codec.encode(packet.clone(), &mut stream).unwrap();
        }
        for packet in packets {
            for _ in 0..2 {
                let received = codec.decode(&mut stream).unwrap().unwrap();
                prop_assert_eq!(owned::Packet::from(received), packet.clone());
            }
        }
    }
}

#[test]
fn a_received_packet_is_kept_changed_and_sent() {
    let mut input = BytesMut::from(&b"\x32\x0f\x00\x03a/b\x00\x07\x05\x23\x00\x01\x01\x01on"[..]);
    let received = PacketBuf::take(&mut input, &DecodeOptions::default());
    let owned::Packet::Publish(mut publish) = received.unwrap().unwrap().into() else {
        panic!("a PUBLISH")
    };
    drop(input);
    assert_eq!(publish.topic.as_deref(), Some("a/b"));
    // On to another connection: the alias was that of this one.
    publish.properties.topic_alias = None;
    publish.properties.user_properties.extend([
        owned::UserProperty::new("via", "bridge").unwrap(),
        owned::UserProperty::new("via", "gateway").unwrap(),
    ]);
    publish.payload.extend(b"!");
    let packet = owned::Packet::from(publish);
    assert_eq!(packet.to_string(), r#"PUBLISH QoS 1 id 7 "a/b" 3 bytes"#);
    let mut out = Vec::new();
    packet.encode(&mut out).unwrap();
    let (decoded, len) = Packet::decode(&out).unwrap().unwrap();
    assert_eq!((decoded, len), (packet.packet(), out.len()));
}

/// An owned packet is built like a borrowed one.
#[test]
fn owned_packets_are_built_from_what_they_need() {
    let (topic, filter) = ("lamp/7", "lamp/+");
    let name = TopicName::new(topic).unwrap();
    let filters = [TopicFilter::new(filter).unwrap()];
    let will = owned::Will::new(
        topic.parse().unwrap(),
        owned::BinaryData::new(*b"gone").unwrap(),
    );
    let data = BinaryData::new(b"gone").unwrap();
    assert_eq!(will.as_borrowed(), Will::new(name, data));
    assert_eq!(will.to_string(), r#"QoS 0 "lamp/7" 4 bytes"#);
    let connect = owned::Connect::new("lamp-7".parse().unwrap());
    assert_eq!(
        connect.as_borrowed(),
        Connect::new(Utf8String::new("lamp-7").unwrap())
    );
    assert_eq!(
        owned::Publish::new(topic.parse().unwrap(), *b"on").as_borrowed(),
        Publish::new(name, b"on")
    );
    assert_eq!(
        owned::Ack::new(PacketId::MIN, ReasonCode::Success).as_borrowed(),
        Ack::success(PacketId::MIN)
    );
    let subscription = owned::Subscription::new(filter.parse().unwrap(), QoS::AtLeastOnce);
    assert_eq!(
        owned::Subscribe::new(PacketId::MIN, [subscription]).as_borrowed(),
        Subscribe::new(
            PacketId::MIN,
            &[Subscription::new(filters[0], QoS::AtLeastOnce)]
        )
    );
    let kept: owned::TopicFilter = filter.parse().unwrap();
    assert_eq!(
        owned::Unsubscribe::new(PacketId::MIN, vec![kept]).as_borrowed(),
        Unsubscribe::new(PacketId::MIN, &filters)
    );
}

#[test]
fn each_part_becomes_owned_and_back() {
    let topic = TopicName::new("lamp/7").unwrap();
    let publish = Publish::new(topic, b"on");
    let kept: owned::Publish = publish.to_owned();
    assert_eq!(kept.as_borrowed(), publish);
    assert_eq!(Publish::from(&kept), publish);
    assert_eq!(owned::Publish::from(publish), kept);
    assert_eq!(kept.to_string(), publish.to_string());

    let subscription = owned::Subscription {
        filter: "lamp/+".parse().unwrap(),
        options: SubscriptionOptions::new(QoS::AtLeastOnce),
    };
    let subscribe = owned::Subscribe {
        packet_id: PacketId::MIN,
        properties: owned::SubscribeProperties::default(),
        subscriptions: vec![subscription.clone(); 2].into(),
    };
    let again = subscribe.as_borrowed().subscriptions.to_owned();
    assert_eq!(again, subscribe.subscriptions);
    assert!(again.iter().all(|each| each.to_owned() == subscription));
}

#[test]
fn an_owned_list_is_a_collection() {
    let codes = [ReasonCode::Success, ReasonCode::NotAuthorized];
    let mut list = owned::Repeated::from(codes);
    assert_eq!((list.len(), list.is_empty()), (2, false));
    list.push(&ReasonCode::QuotaExceeded);
    list.extend([ReasonCode::Success]);
    assert_eq!(list.iter().len(), 4);
    let mut count = 0;
    for code in &list {
        count += usize::from(code.is_error());
    }
    assert_eq!(count, 2);
    assert_eq!(list, list.iter().collect());
    assert_eq!(list, Vec::from_iter(&list).into());
    assert_ne!(list, owned::Repeated::from(codes));
    list.clear();
    assert_eq!(list, owned::Repeated::new());
    assert_eq!(list.iter().next(), None);
}

#[test]
fn answers_are_made_owned_as_they_are_borrowed() {
    let (code, codes) = (ReasonCode::NotAuthorized, [ReasonCode::NotAuthorized]);
    let method = Utf8String::new("SCRAM").unwrap();
    let auth = Auth::new(ReasonCode::ContinueAuthentication, method);
    let owned_auth = owned::Auth::new(auth.reason_code, method.into());
    let connack = owned::ConnAck::new(code);
    let suback = owned::SubAck::new(PacketId::MIN, codes);
    let unsuback = owned::UnsubAck::new(PacketId::MIN, codes);
    let disconnect = owned::Disconnect::new(code);

    assert_eq!(Packet::from(&connack), Packet::from(&ConnAck::new(code)));
    assert_eq!(suback.as_borrowed(), SubAck::new(PacketId::MIN, &codes));
    assert_eq!(unsuback.as_borrowed(), UnsubAck::new(PacketId::MIN, &codes));
    assert_eq!(
        Packet::from(&disconnect),
        Packet::from(Disconnect::new(code))
    );
    assert_eq!(Packet::from(&owned_auth), Packet::from(auth));
}

#[test]
fn owned_text_is_used_like_a_string() {
    let topic: owned::TopicName = "lamp/7".parse().unwrap();
    assert_eq!((topic.as_str(), topic.len()), ("lamp/7", 6));
    assert_eq!(topic.to_string(), "lamp/7");
    assert_eq!(format!("{topic:?}"), r#""lamp/7""#);
    assert_eq!(topic, *"lamp/7");
    assert_eq!(topic, "lamp/7");
    assert_eq!(topic, TopicName::new("lamp/7").unwrap());
    assert_eq!(AsRef::<str>::as_ref(&topic), "lamp/7");
    assert_eq!(HashMap::from([(topic.clone(), 1)]).get("lamp/7"), Some(&1));
    assert!(BTreeSet::from([topic.clone()]).contains("lamp/7"));
    assert!(topic.starts_with("lamp"));
    assert!(
        TopicFilter::new("lamp/+")
            .unwrap()
            .matches(&topic.as_borrowed())
    );
    assert_eq!(String::from(topic), "lamp/7");

    for wrong in ["", "a\0", "lamp/#"] {
        assert!(owned::TopicName::try_from(wrong).is_err());
        assert!(owned::TopicName::try_from(wrong.to_owned()).is_err());
        assert!(owned::TopicName::new(wrong).is_err());
    }
    let misplaced: Result<owned::TopicFilter, _> = "lamp+".parse();
    assert_eq!(misplaced, Err(TopicError::MisplacedSingleLevelWildcard));
    assert_eq!(owned::Utf8String::new("\0"), Err(TextError::Nul));

    let data = owned::BinaryData::try_from(&b"key"[..]).unwrap();
    assert_eq!((data.as_bytes(), data.len()), (&b"key"[..], 3));
    assert_eq!(
        HashMap::from([(data.clone(), 1)]).get(&b"key"[..]),
        Some(&1)
    );
    assert_eq!(Vec::from(data), b"key");
    assert_eq!(
        owned::BinaryData::try_from(vec![0; 65_536]),
        Err(TextError::TooLong)
    );
}
