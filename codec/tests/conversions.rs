//! Conversions of the standard library: every number both ways, text, and errors.

use std::io;
use std::num::{NonZeroU16, NonZeroU32};

use dunlin_codec::{
    AckType, BinaryData, FramingError, InvalidNumber, Packet, PacketId, PacketType, PayloadFormat,
    ReasonCode, SubscriptionIdentifier, TextError, TopicAlias, TopicError, TopicFilter, TopicName,
    Utf8String,
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
    assert_eq!(
        fault,
        InvalidNumber {
            name: "Topic Alias",
            number: 0
        }
    );
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
fn errors_become_errors_of_io_that_keep_them() {
    let error = Packet::decode(&[0x36, 0x00]).unwrap_err();
    let converted = io::Error::from(error);
    assert_eq!(converted.kind(), io::ErrorKind::InvalidData);
    let inner = converted.get_ref().unwrap().downcast_ref();
    assert_eq!(inner, Some(&error));

    let converted = io::Error::from(FramingError::Decode(error));
    assert_eq!(converted.kind(), io::ErrorKind::InvalidData);
    let broken = io::Error::from(io::ErrorKind::BrokenPipe);
    let converted = io::Error::from(FramingError::Io(broken));
    assert_eq!(converted.kind(), io::ErrorKind::BrokenPipe);
}
