//! Conversions of the standard library: every number both ways, text, and errors.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::io;
use std::iter::FusedIterator;
use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use dunlin_codec::{
    Ack, AckType, Auth, BinaryData, ConnAck, Connect, DecodeOptions, Delivery, Disconnect,
    EncodeErrorKind, FramingError, Packet, PacketBuf, PacketId, PacketType, PayloadFormat, Publish,
    PublishProperties, QoS, ReasonCode, Repeated, RetainHandling, SubAck, Subscribe, Subscription,
    SubscriptionIdentifier, TextError, TopicAlias, TopicError, TopicFilter, TopicMatcher,
    TopicName, UnsubAck, Unsubscribe, UserProperty, Utf8String, Will, owned,
};

#[test]
fn every_byte_converts_to_what_it_means_and_back() {
    for byte in 0..=u8::MAX {
        if let Ok(packet_type) = PacketType::try_from(byte) {
            assert_eq!(u8::from(packet_type), byte);
        }
        if let Ok(ack_type) = AckType::try_from(byte) {
            assert_eq!(u8::from(ack_type), byte);
        }
        if let Ok(code) = ReasonCode::try_from(byte) {
            assert_eq!(u8::from(code), byte);
        }
        if let Ok(format) = PayloadFormat::try_from(byte) {
            assert_eq!(u8::from(format), byte);
        }
    }
    assert_eq!(RetainHandling::try_from(2).map(u8::from), Ok(2));
    assert!(RetainHandling::try_from(3).is_err());
    let valid = |is_valid: fn(u8) -> bool| (0..=u8::MAX).filter(|byte| is_valid(*byte)).count();
    assert_eq!(valid(|byte| PacketType::try_from(byte).is_ok()), 15);
    assert_eq!(valid(|byte| AckType::try_from(byte).is_ok()), 4);
    assert_eq!(
        valid(|byte| ReasonCode::try_from(byte).is_ok()),
        ReasonCode::ALL.len()
    );
    assert_eq!(valid(|byte| PayloadFormat::try_from(byte).is_ok()), 2);
    assert_eq!(AckType::try_from(6), Ok(AckType::PubRel));
}

#[test]
fn acknowledgements_convert_to_packet_types_and_back() {
    let numbers = (1..=15).map(|number| PacketType::try_from(number).expect("a packet type"));
    for packet_type in numbers {
        match AckType::try_from(packet_type) {
            Ok(ack_type) => assert_eq!(PacketType::from(ack_type), packet_type),
            Err(error) => {
                assert!(!matches!(packet_type as u8, 4..=7), "{packet_type}");
                assert_eq!(
                    error.to_string(),
                    format!("{} is no acknowledgement", packet_type as u8)
                );
            }
        }
    }
}

#[test]
fn identifiers_and_aliases_convert_both_ways() {
    assert_eq!(PacketId::try_from(7).map(u16::from), Ok(7));
    assert_eq!(TopicAlias::try_from(65_535).map(u16::from), Ok(65_535));
    let largest = SubscriptionIdentifier::try_from(268_435_455);
    assert_eq!(largest.map(u32::from), Ok(268_435_455));

    let seven = NonZeroU16::new(7).unwrap();
    assert_eq!(NonZeroU16::from(PacketId::from(seven)), seven);
    assert_eq!(NonZeroU16::from(TopicAlias::from(seven)), seven);
    let seven = NonZeroU32::from(seven);
    let identifier = SubscriptionIdentifier::try_from(seven).unwrap();
    assert_eq!(NonZeroU32::from(identifier), seven);
    assert!(SubscriptionIdentifier::try_from(NonZeroU32::MAX).is_err());

    let fault = TopicAlias::try_from(0).unwrap_err();
    assert_eq!((fault.name, fault.number), ("Topic Alias", 0));
    assert_eq!(fault.to_string(), "0 is no Topic Alias");
    assert_eq!(TopicAlias::try_from(3).unwrap().to_string(), "3");
    assert_eq!(identifier.to_string(), "7");
}

#[test]
fn text_converts_and_compares() {
    assert_eq!(TopicName::try_from("lamp/7").unwrap(), "lamp/7");
    assert_eq!(
        TopicName::try_from("lamp/+"),
        Err(TopicError::WildcardInName)
    );
    assert_eq!(
        *TopicFilter::try_from("lamp/+").unwrap().as_ref(),
        *"lamp/+"
    );
    assert!(TopicFilter::try_from("lamp/+").unwrap() == *"lamp/+");
    assert_eq!(Utf8String::try_from("a\0"), Err(TextError::Nul));
    assert_ne!(Utf8String::try_from("a").unwrap(), "b");
    assert_eq!(BinaryData::try_from(&[1, 2][..]).unwrap().as_ref(), [1, 2]);
}

#[test]
fn text_compares_and_converts() {
    let name = TopicName::new("lamp/7").unwrap();
    assert_eq!("lamp/7", name);
    assert_eq!(*"lamp/7", name);
    assert_eq!(name, "lamp/7");
    let filter = TopicFilter::new("lamp/+").unwrap();
    assert_ne!("lamp/7", filter);

    // A map of topics is searched with a `str`, a map of data with bytes.
    let by_name: HashMap<_, _> = [(name, 1)].into();
    assert_eq!(by_name.get("lamp/7"), Some(&1));
    let by_filter: BTreeMap<_, _> = [(filter, 2)].into();
    assert_eq!(by_filter.get("lamp/+"), Some(&2));
    let data = BinaryData::new(b"key").unwrap();
    let by_data: HashMap<_, _> = [(data, 3)].into();
    assert_eq!(by_data.get(&b"key"[..]), Some(&3));

    let (text, owned): (&str, String) = (name.into(), name.into());
    assert_eq!((text, &*owned), ("lamp/7", "lamp/7"));
    let (bytes, owned): (&[u8], Vec<u8>) = (data.into(), data.into());
    assert_eq!((bytes, &*owned), (&b"key"[..], &b"key"[..]));
    assert_eq!(data, *b"key".as_slice());
    assert_eq!(data, b"key".as_slice());
    assert_eq!(*b"key".as_slice(), data);
    assert_eq!(b"key".as_slice(), data);
    assert_eq!(data, b"key");
    assert_eq!(data, *b"key");
    assert_ne!(data, b"kex");
}

#[test]
fn owned_text_and_data_compare_from_either_side() {
    let name: owned::TopicName = "lamp/7".parse().unwrap();
    assert_eq!("lamp/7", name);
    assert_eq!(*"lamp/7", name);
    assert_eq!(name, "lamp/7");
    let filter: owned::TopicFilter = "lamp/+".parse().unwrap();
    assert_ne!("lamp/7", filter);
    let text: owned::Utf8String = "lamp".parse().unwrap();
    assert_eq!("lamp", text);
    let data = owned::BinaryData::new(b"key").unwrap();
    assert_eq!(b"key".as_slice(), data);
    assert_eq!(*b"key".as_slice(), data);
    assert_eq!(data, b"key".as_slice());
    assert_eq!(data, b"key");
    assert_eq!(data, *b"key");
    assert_ne!(data, b"ke");
}

#[test]
fn a_packet_buf_is_bytes() {
    let packet = PacketBuf::try_from(&Packet::PingReq).unwrap();
    assert_eq!(packet.as_ref(), [0xc0, 0x00]);
    assert_eq!(packet.to_string(), "PINGREQ");
    assert_eq!(Bytes::from(packet), &[0xc0, 0x00][..]);
    PacketBuf::try_from(&Packet::Publish(Publish {
        topic: None,
        ..Publish::new(TopicName::new("a").unwrap(), b"")
    }))
    .unwrap_err();
}

/// Equal packets have equal hashes, whatever their form: short or long, decoded or built.
#[test]
fn packets_are_found_in_sets() {
    let buffer = |bytes: &'static [u8]| {
        PacketBuf::take_shared(&mut Bytes::from_static(bytes), &DecodeOptions::default())
            .unwrap()
            .unwrap()
    };
    let short = buffer(b"\x40\x02\x00\x07");
    let long = buffer(b"\x40\x04\x00\x07\x00\x00");
    assert_eq!(HashSet::from([short.clone(), long]).len(), 1);
    let built = Packet::PubAck(Ack::success(PacketId::new(7).unwrap()));
    assert!(HashSet::from([built]).contains(&short.packet()));

    let suback = buffer(b"\x90\x05\x00\x01\x00\x01\x02");
    let codes = [ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2];
    let built = Packet::SubAck(SubAck::new(PacketId::MIN, &codes));
    assert!(HashSet::from([suback.packet()]).contains(&built));
    let connack = buffer(b"\x20\x03\x00\x00\x00");
    let built = ConnAck::new(ReasonCode::Success);
    assert!(HashSet::from([connack.packet()]).contains(&Packet::from(&built)));
}

/// Sized, cloned and fused, whatever the items.
#[test]
fn iterators_have_the_traits_of_a_slice() {
    fn check<I: Clone + ExactSizeIterator + FusedIterator + Debug>(mut iter: I) {
        let len = iter.len();
        assert_eq!(iter.clone().count(), len);
        iter.by_ref().for_each(drop);
        assert!(iter.next().is_none() && iter.next().is_none() && iter.len() == 0);
    }
    let pairs = [UserProperty::new("k", "v").unwrap(); 3];
    let built: Repeated<'_, UserProperty<'_>> = (&pairs).into();
    check(built.iter());
    let (packet, _) = Packet::decode(b"\x90\x05\x00\x01\x00\x01\x02")
        .unwrap()
        .unwrap();
    let Packet::SubAck(suback) = packet else {
        panic!("a SUBACK")
    };
    check(suback.reason_codes.iter());
    let mut matcher = TopicMatcher::new();
    matcher.insert(TopicFilter::new("#").unwrap(), 1);
    check(matcher.iter());
}

/// Evaluated by the compiler.
mod constants {
    use super::*;

    pub(super) const TOPIC: TopicName<'_> = match TopicName::new("lamp/7/a topic of many bytes") {
        Ok(name) => name,
        Err(_) => panic!("no name"),
    };
    pub(super) const FILTER: TopicFilter<'_> =
        match TopicFilter::new("$share/workers/building/+/a level of many bytes/#") {
            Ok(filter) => filter,
            Err(_) => panic!("no filter"),
        };
    const SUBSCRIPTIONS: [Subscription<'_>; 1] = [Subscription::new(FILTER, QoS::AtLeastOnce)];
    const ID: PacketId = PacketId::MIN;
    const TEXT: Utf8String<'_> = match Utf8String::new("lämp") {
        Ok(text) => text,
        Err(_) => panic!("no text"),
    };
    const PROPERTY: UserProperty<'_> = match UserProperty::new("name", "value") {
        Ok(property) => property,
        Err(_) => panic!("no property"),
    };
    const DATA: BinaryData<'_> = match BinaryData::new(b"data") {
        Ok(data) => data,
        Err(_) => panic!("no data"),
    };
    pub(super) const PUBLISH: Publish<'_> = Publish {
        properties: PublishProperties {
            topic_alias: TopicAlias::new(7),
            user_properties: Repeated::from_slice(&[PROPERTY]),
            ..PublishProperties::new()
        },
        delivery: Delivery::AtLeastOnce {
            packet_id: ID,
            dup: true,
        },
        ..Publish::new(TOPIC, b"on")
    };
    pub(super) const CONNECT: Connect<'_> = Connect {
        will: Some(Will::new(TOPIC, DATA)),
        ..Connect::new(TEXT)
    };
    pub(super) const CONNACK: ConnAck<'_> = ConnAck::new(ReasonCode::ServerBusy);
    pub(super) const SMALL: [Packet<'_>; 8] = [
        Packet::PubAck(Ack::new(ID, ReasonCode::NoMatchingSubscribers)),
        Packet::PubComp(Ack::success(ID)),
        Packet::Subscribe(Subscribe::new(ID, &SUBSCRIPTIONS)),
        Packet::SubAck(SubAck::new(ID, &[ReasonCode::GrantedQoS1])),
        Packet::Unsubscribe(Unsubscribe::new(ID, &[FILTER])),
        Packet::UnsubAck(UnsubAck::new(ID, &[ReasonCode::Success])),
        Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill)),
        Packet::Auth(Auth::new(ReasonCode::ContinueAuthentication, TEXT)),
    ];
}

#[test]
fn packets_are_built_at_compile_time() {
    let mut out = Vec::new();
    for packet in constants::SMALL {
        packet.encode(&mut out).unwrap();
    }
    let publish = constants::PUBLISH;
    publish.encode(&mut out).unwrap();
    constants::CONNECT.encode(&mut out).unwrap();
    constants::CONNACK.encode(&mut out).unwrap();
    // Each of them is what a receiver takes.
    let (mut rest, mut count) = (&*out, 0);
    while let Some((_, len)) = Packet::decode(rest).unwrap() {
        (rest, count) = (&rest[len..], count + 1);
    }
    assert_eq!((count, rest.len()), (11, 0));

    assert_eq!(publish.qos(), QoS::AtLeastOnce);
    assert_eq!(publish.packet_id(), Some(PacketId::MIN));
    assert!(publish.is_dup());
    let plain = Publish::new(constants::TOPIC, b"on");
    assert_eq!((plain.qos(), plain.packet_id()), (QoS::AtMostOnce, None));
    assert_eq!(
        Publish {
            topic: None,
            ..plain
        }
        .topic,
        None
    );
    assert_eq!(constants::FILTER.share_name(), Some("workers"));
}

#[test]
fn errors_become_errors_of_io_that_keep_them() {
    let error = Packet::decode(&[0x36, 0x00]).unwrap_err();
    let converted = io::Error::from(error);
    assert_eq!(converted.kind(), io::ErrorKind::InvalidData);
    let inner = converted.get_ref().unwrap().downcast_ref();
    assert_eq!(inner, Some(&error));

    let unencodable = Packet::SubAck(SubAck {
        packet_id: PacketId::new(1).unwrap(),
        properties: Default::default(),
        reason_codes: Repeated::default(),
    });
    let error_of_encoding = unencodable.encoded_len().unwrap_err();
    assert_eq!(error_of_encoding.kind, EncodeErrorKind::Missing);
    let converted = io::Error::from(error_of_encoding);
    assert_eq!(converted.kind(), io::ErrorKind::InvalidInput);

    let converted = io::Error::from(FramingError::Decode(error));
    assert_eq!(converted.kind(), io::ErrorKind::InvalidData);
    let broken = io::Error::from(io::ErrorKind::BrokenPipe);
    let converted = io::Error::from(FramingError::Io(broken));
    assert_eq!(converted.kind(), io::ErrorKind::BrokenPipe);
}
