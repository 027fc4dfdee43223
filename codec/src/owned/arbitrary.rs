//! Packets that can be encoded, made from the bytes of a fuzzer.

use alloc::string::String;
use alloc::vec::Vec;

use ::arbitrary::{Arbitrary, Error, Result, Unstructured};

use super::{BinaryData, Lend, Packet, Repeated, TopicFilter, TopicName, Utf8String};
use crate::property_types::SubscriptionIdentifier;
use crate::reason_code::ReasonCode;
use crate::value::Item;
use crate::varint;

impl<'u> Arbitrary<'u> for Packet {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        let packet = match u.int_in_range(1..=15)? {
            1 => Self::Connect(u.arbitrary()?),
            2 => Self::ConnAck(u.arbitrary()?),
            4 => Self::PubAck(u.arbitrary()?),
            5 => Self::PubRec(u.arbitrary()?),
            6 => Self::PubRel(u.arbitrary()?),
            7 => Self::PubComp(u.arbitrary()?),
            8 => Self::Subscribe(u.arbitrary()?),
            9 => Self::SubAck(u.arbitrary()?),
            10 => Self::Unsubscribe(u.arbitrary()?),
            11 => Self::UnsubAck(u.arbitrary()?),
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect(u.arbitrary()?),
            15 => Self::Auth(u.arbitrary()?),
            _ => Self::Publish(u.arbitrary()?),
        };
        Ok(packet.legal())
    }
}

impl<'u> Arbitrary<'u> for Utf8String {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        // NUL is the only character that a string can't hold.
        Self::new(String::arbitrary(u)?.replace('\0', "")).map_err(|_| Error::IncorrectFormat)
    }
}

impl<'u> Arbitrary<'u> for BinaryData {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        Self::new(Vec::arbitrary(u)?).map_err(|_| Error::IncorrectFormat)
    }
}

impl<'u> Arbitrary<'u> for TopicName {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        // Something stands in front, so that it is never empty.
        let name = String::from("/") + &String::arbitrary(u)?.replace(['+', '#', '\0'], "");
        Self::new(name).map_err(|_| Error::IncorrectFormat)
    }
}

impl<'u> Arbitrary<'u> for TopicFilter {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        // Most arbitrary texts are valid filters. The others lose the wildcards that are out of
        // place.
        let filter = String::arbitrary(u)?;
        Self::new(filter.clone()).or_else(|_| {
            let levels = filter
                .split('/')
                .map(|level| level.replace(['#', '\0'], ""))
                .map(|level| {
                    if level.contains('+') {
                        String::from("+")
                    } else {
                        level
                    }
                });
            Self::new(levels.fold(String::new(), |filter, level| filter + "/" + &level))
                .map_err(|_| Error::IncorrectFormat)
        })
    }
}

impl<'u> Arbitrary<'u> for ReasonCode {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        u.choose(Self::ALL).copied()
    }
}

impl<'u> Arbitrary<'u> for SubscriptionIdentifier {
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        Self::new(u.int_in_range(1..=varint::MAX)?).ok_or(Error::IncorrectFormat)
    }
}

impl<'u, T: Arbitrary<'u> + Lend + 'static> Arbitrary<'u> for Repeated<T>
where
    for<'a> T::Lent<'a>: Item<'a>,
{
    fn arbitrary(u: &mut Unstructured<'u>) -> Result<Self> {
        u.arbitrary_iter()?.collect()
    }
}
