//! Owned packets, conversions of the standard library and lenient decoding, as a server needs them.
#![cfg(feature = "server")]

use std::collections::{BTreeSet, HashSet};
use std::error::Error;
use std::io;

use bytes::{Bytes, BytesMut};
use dunlin_codec::owned::{self, Repeated, Utf8String};
use dunlin_codec::{
    DecodeError, DecodeOptions, Leniency, Packet, PacketBuf, PacketCodec, PacketId, PacketType,
    Publish, QoS, ReasonCode, TopicError, TopicFilter, TopicName,
};
use tokio_util::codec::{Decoder, Encoder};

/// PUBLISH of QoS 0, topic `a`, payload `hi`.
const PUBLISH: &[u8] = b"\x30\x06\x00\x01a\x00hi";

#[test]
fn a_received_packet_can_be_kept_changed_and_sent_on() -> Result<(), Box<dyn Error>> {
    let mut input = BytesMut::from(PUBLISH);
    let received = PacketBuf::take(&mut input, &DecodeOptions::default())?.expect("a packet");
    let owned::Packet::Publish(mut publish) = owned::Packet::from(&received) else {
        panic!("a PUBLISH")
    };
    publish.topic = Some("b/c".parse()?);
    publish.properties.user_properties =
        Repeated::from([owned::UserProperty::new("via", "bridge")?]);
    assert_eq!(publish.properties.user_properties.len(), 1);

    // Through the framed codec and back to the borrowed form.
    let (mut codec, mut stream) = (PacketCodec::default(), BytesMut::new());
    let packet = owned::Packet::from(publish);
    codec.encode(&packet, &mut stream)?;
    let again = codec.decode(&mut stream)?.expect("a packet");
    assert_eq!(packet, again.packet());
    assert_eq!(packet.to_string(), again.to_string());
    assert_eq!(Bytes::from(again.clone()), again.as_ref());
    Ok(())
}

#[test]
fn texts_are_keys_and_convert_like_strings() -> Result<(), TopicError> {
    let topics: HashSet<owned::TopicName> = HashSet::from(["a/b".parse()?, "c".parse()?]);
    assert!(topics.contains("a/b"));
    let sorted: BTreeSet<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    assert_eq!(Vec::from_iter(sorted), ["a/b", "c"]);

    let text = Utf8String::try_from("lamp-7").expect("text");
    assert_eq!(text, "lamp-7");
    assert_eq!(text.strip_prefix("lamp-"), Some("7"));
    assert_eq!(String::from(text), "lamp-7");
    assert_eq!(
        TopicFilter::try_from("a/#/b"),
        Err(TopicError::MisplacedMultiLevelWildcard)
    );
    Ok(())
}

#[test]
fn numbers_convert_both_ways() {
    assert_eq!(QoS::try_from(1), Ok(QoS::AtLeastOnce));
    assert!(QoS::try_from(3).is_err());
    assert_eq!(u8::from(QoS::ExactlyOnce), 2);
    assert_eq!(PacketType::try_from(3), Ok(PacketType::Publish));
    assert_eq!(ReasonCode::try_from(0x87), Ok(ReasonCode::NotAuthorized));
    assert_eq!(PacketId::try_from(7_u16).map(u16::from), Ok(7));
    assert!(PacketId::try_from(0_u16).is_err());
}

#[test]
fn an_error_becomes_one_of_io_and_keeps_its_source() {
    let error = Packet::decode(b"\x36\x00").expect_err("QoS 3");
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let source = error.get_ref().expect("the decode error");
    assert!(source.is::<DecodeError>());
}

#[test]
fn a_packet_that_was_taken_leniently_has_strict_bytes() -> Result<(), DecodeError> {
    let mut leniency = Leniency::default();
    leniency.dup_at_qos_0 = true;
    let options = DecodeOptions::new().with_leniency(leniency);

    // The same PUBLISH with DUP, which QoS 0 doesn't allow.
    let mut input = Bytes::from_static(b"\x38\x06\x00\x01a\x00hi");
    assert!(Packet::decode(&input).is_err());
    let taken = PacketBuf::take_shared(&mut input, &options)?.expect("a packet");
    assert_eq!(taken.as_bytes(), PUBLISH);
    let publish = Publish::new(TopicName::new("a").expect("a Topic Name"), b"hi");
    assert_eq!(taken.packet(), Packet::from(publish));
    Ok(())
}
