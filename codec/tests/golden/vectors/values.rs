//! Values that vectors are made of; a slice lives as long as the test.

use dunlin_codec::{
    BinaryData, Packet, PacketId, Repeated, TopicFilter, TopicName, UserProperty, Utf8String,
};

pub(super) fn text(text: &'static str) -> Utf8String<'static> {
    Utf8String::new(text).expect("text")
}

pub(super) fn data(data: &'static [u8]) -> BinaryData<'static> {
    BinaryData::new(data).expect("data")
}

pub(super) fn name(name: &'static str) -> TopicName<'static> {
    TopicName::new(name).expect("a topic name")
}

pub(super) fn filter(filter: &'static str) -> TopicFilter<'static> {
    TopicFilter::new(filter).expect("a topic filter")
}

pub(super) fn id(id: u16) -> PacketId {
    PacketId::new(id).expect("a packet identifier")
}

/// Packet that a [`Packet`] refers to, kept as long as the test.
pub(super) trait Lasting: Sized + 'static {
    fn lasting(self) -> Packet<'static>
    where
        Packet<'static>: From<&'static Self>,
    {
        Packet::from(&*Box::leak(Box::new(self)))
    }
}

impl<T: 'static> Lasting for T {}

pub(super) fn list<T>(items: Vec<T>) -> Repeated<'static, T> {
    Repeated::from(&*items.leak())
}

pub(super) fn user_properties(
    pairs: &[(&'static str, &'static str)],
) -> Repeated<'static, UserProperty<'static>> {
    list(
        pairs
            .iter()
            .map(|(name, value)| UserProperty {
                name: text(name),
                value: text(value),
            })
            .collect(),
    )
}
