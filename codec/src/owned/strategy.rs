//! Strategies of proptest for packets that can be encoded, and for the values of their parts.

use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{BinaryData, Lend, Packet, Repeated, TopicFilter, TopicName, Utf8String};
use crate::property_types::SubscriptionIdentifier;
use crate::reason_code::ReasonCode;
use crate::text::MAX_LEN;
use crate::value::Item;
use crate::varint;

/// Implements `Arbitrary` by a boxed strategy.
macro_rules! arbitrary {
    ($($type:ty: $strategy:expr;)*) => {$(
        impl Arbitrary for $type {
            type Parameters = ();
            type Strategy = BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                $strategy.boxed()
            }
        }
    )*};
}

arbitrary! {
    Packet: packet();
    ReasonCode: select(ReasonCode::ALL);
    SubscriptionIdentifier: number_of_any_length().prop_filter_map("0", SubscriptionIdentifier::new);
    Utf8String: prop_oneof![
        40 => text(24).prop_filter_map("NUL", |text| Utf8String::new(text).ok()),
        1 => any::<()>().prop_filter_map("", |()| Utf8String::new("x".repeat(MAX_LEN)).ok()),
    ];
    BinaryData: vec(any::<u8>(), 0..24).prop_filter_map("too long", |data| BinaryData::new(data).ok());
    TopicName: levels(false).prop_filter_map("no name", |levels| TopicName::new(levels.join("/")).ok());
    TopicFilter: (share(), levels(true), any::<bool>()).prop_filter_map("no filter", |(share, levels, all)| {
        TopicFilter::new(share + &levels.join("/") + if all { "/#" } else { "" }).ok()
    });
}

fn packet() -> impl Strategy<Value = Packet> {
    let packet = prop_oneof![
        any::<super::Connect>().prop_map(Packet::Connect),
        any::<super::ConnAck>().prop_map(Packet::ConnAck),
        any::<super::Publish>().prop_map(Packet::Publish),
        any::<super::Ack>().prop_map(Packet::PubAck),
        any::<super::Ack>().prop_map(Packet::PubRec),
        any::<super::Ack>().prop_map(Packet::PubRel),
        any::<super::Ack>().prop_map(Packet::PubComp),
        any::<super::Subscribe>().prop_map(Packet::Subscribe),
        any::<super::SubAck>().prop_map(Packet::SubAck),
        any::<super::Unsubscribe>().prop_map(Packet::Unsubscribe),
        any::<super::UnsubAck>().prop_map(Packet::UnsubAck),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
        any::<super::Disconnect>().prop_map(Packet::Disconnect),
        any::<super::Auth>().prop_map(Packet::Auth),
    ];
    // The parts are independent of each other; this makes them fit.
    packet.prop_map(Packet::legal)
}

/// Number whose Variable Byte Integer has one to four bytes, each with the same probability.
fn number_of_any_length() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..=0x7fu32,
        0x80..=0x3fffu32,
        0x4000..=0x1f_ffffu32,
        0x20_0000..=varint::MAX
    ]
}

/// Characters of one to four bytes.
fn text(most: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![4 => proptest::char::range('\u{1}', '\u{7f}'), 1 => any::<char>()];
    vec(character, 0..most).prop_map(String::from_iter)
}

fn levels(wildcards: bool) -> impl Strategy<Value = Vec<String>> {
    // Names without wildcards; in filters every fourth level is a `+`.
    let name = text(8).prop_map(|text| text.replace(['+', '#', '\0'], "$"));
    let wildcard = if wildcards { 1 } else { 0 };
    vec(
        prop_oneof![3 => name, wildcard => Just(String::from("+"))],
        1..5,
    )
}

/// Empty text, or the beginning of a shared filter.
fn share() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => levels(false).prop_map(|name| name.concat().replace('/', "_"))]
        .prop_map(|name| if name.is_empty() { name } else { String::from("$share/") + &name + "/" })
}

impl<T: Arbitrary + Lend + 'static> Arbitrary for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        vec(any::<T>(), 0..4).prop_map(Self::from_iter).boxed()
    }
}
