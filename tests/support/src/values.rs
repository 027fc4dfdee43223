//! Packets as values, whose fields a test can change before it sends them.

use bytes::BytesMut;
use dunlin_codec::{
    PacketBuf, QoS, Repeated, RetainHandling, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions, TopicFilter,
};

use crate::packets::id;

/// Subscription at QoS 1 that asks for retained messages.
pub fn subscription(filter: &str) -> Subscription<'_> {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    Subscription {
        filter: TopicFilter::new(filter).unwrap(),
        options,
    }
}

/// SUBSCRIBE with Packet Identifier 1.
pub fn subscribe<'a>(subscriptions: &'a [Subscription<'a>]) -> Subscribe<'a> {
    Subscribe {
        packet_id: id(1),
        properties: SubscribeProperties::default(),
        subscriptions: Repeated::from(subscriptions),
    }
}

/// Packet that a test can send.
pub trait Encoded {
    /// Bytes of the packet.
    fn encoded(&self) -> BytesMut;
}

/// Implements [`Encoded`] by `encode`.
macro_rules! encoded {
    ($($packet:ident)*) => {$(
        impl Encoded for dunlin_codec::$packet<'_> {
            fn encoded(&self) -> BytesMut {
                let mut bytes = BytesMut::new();
                self.encode(&mut bytes).unwrap();
                bytes
            }
        }
    )*};
}

encoded!(Packet Connect ConnAck Publish Subscribe Unsubscribe Disconnect Auth);

impl Encoded for PacketBuf {
    fn encoded(&self) -> BytesMut {
        BytesMut::from(&self.as_bytes()[..])
    }
}
