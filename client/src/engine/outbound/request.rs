//! Requests as values: messages, subscriptions and their ends.

use std::borrow::Cow;

use bytes::BufMut;
use dunlin_codec::{
    DecodeOptions, Delivery, FixedHeader, Packet, PacketId, Publish, QoS, Subscribe,
    SubscribeProperties, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Unsubscribe,
    UnsubscribeProperties, UserProperty,
};

use crate::error::RequestError;

/// Packet identifier of a packet that is encoded before it has one.
pub(in crate::engine) const PLACEHOLDER: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};

/// Content of an accepted request.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Request {
    Publish(PublishRequest),
    Subscribe(Box<SubscribeRequest>),
    Unsubscribe(Box<UnsubscribeRequest>),
    /// Re-authentication: its packets belong to one connection and are never queued.
    Authenticate,
}

/// A message, kept as the packet that is sent.
#[derive(Debug, Clone)]
pub(in crate::engine) struct PublishRequest {
    pub(in crate::engine) qos: QoS,
    pub(in crate::engine) retain: bool,
    /// Whole PUBLISH without DUP, with any packet identifier; empty once it is not needed again.
    pub(in crate::engine) packet: Vec<u8>,
}

/// Subscriptions that are requested in one SUBSCRIBE.
#[derive(Debug, Clone)]
pub(in crate::engine) struct SubscribeRequest {
    pub(in crate::engine) subscriptions: Vec<(String, SubscriptionOptions)>,
    pub(in crate::engine) identifier: Option<SubscriptionIdentifier>,
    user_properties: Vec<(String, String)>,
    /// `true` for a request of the engine itself, after the server lost the session.
    pub(in crate::engine) is_resubscribe: bool,
    /// Size of the packet in bytes.
    size: usize,
}

/// Subscriptions that one UNSUBSCRIBE ends.
#[derive(Debug, Clone)]
pub(in crate::engine) struct UnsubscribeRequest {
    pub(in crate::engine) filters: Vec<String>,
    user_properties: Vec<(String, String)>,
    /// Size of the packet in bytes.
    size: usize,
}

impl Request {
    /// Size of the packet in bytes; 0 once it is not needed again.
    pub(in crate::engine) const fn size(&self) -> usize {
        match self {
            Self::Publish(publish) => publish.packet.len(),
            Self::Subscribe(subscribe) => subscribe.size,
            Self::Unsubscribe(unsubscribe) => unsubscribe.size,
            Self::Authenticate => 0,
        }
    }

    /// QoS of a message; `None` for other requests.
    pub(in crate::engine) const fn message_qos(&self) -> Option<QoS> {
        match self {
            Self::Publish(publish) => Some(publish.qos),
            Self::Subscribe(_) | Self::Unsubscribe(_) | Self::Authenticate => None,
        }
    }

    /// Returns `true` if this is a message.
    pub(in crate::engine) const fn is_publish(&self) -> bool {
        matches!(self, Self::Publish(_))
    }

    /// Returns `true` if this is a message of QoS 0.
    pub(in crate::engine) const fn is_at_most_once(&self) -> bool {
        matches!(self.message_qos(), Some(QoS::AtMostOnce))
    }

    /// Returns `true` if the server's Receive Maximum counts the request once it is sent.
    pub(in crate::engine) const fn needs_quota(&self) -> bool {
        matches!(
            self.message_qos(),
            Some(QoS::AtLeastOnce | QoS::ExactlyOnce)
        )
    }

    /// Returns `true` if the packet carries a packet identifier.
    pub(in crate::engine) const fn has_packet_id(&self) -> bool {
        !self.is_at_most_once()
    }

    /// Returns `true` if the request may have to wait behind others: messages of QoS 1 and 2
    /// always, those of QoS 0 only where the rate is limited.
    pub(in crate::engine) const fn waits_in_queue(&self, is_paced: bool) -> bool {
        self.needs_quota() || is_paced && self.is_publish()
    }

    /// Returns `true` if a store keeps the request for the next process.
    pub(in crate::engine) const fn outlives_process(&self) -> bool {
        self.needs_quota() || matches!(self, Self::Unsubscribe(_))
    }

    /// The SUBSCRIBE of the application; `None` for other requests and for resubscriptions.
    pub(in crate::engine) fn subscribe(&self) -> Option<&SubscribeRequest> {
        match self {
            Self::Subscribe(subscribe) if !subscribe.is_resubscribe => Some(subscribe),
            _ => None,
        }
    }

    /// The SUBSCRIBE of the engine itself; `None` for other requests.
    pub(in crate::engine) fn resubscribe(&self) -> Option<&SubscribeRequest> {
        match self {
            Self::Subscribe(subscribe) if subscribe.is_resubscribe => Some(subscribe),
            _ => None,
        }
    }

    /// The whole packet, as a store keeps it; empty once it is not needed again.
    pub(in crate::engine) fn packet(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Publish(publish) => publish.packet.as_slice().into(),
            Self::Unsubscribe(unsubscribe) if unsubscribe.size > 0 => {
                let mut packet = Vec::with_capacity(unsubscribe.size);
                let encoded = unsubscribe.encode(PLACEHOLDER, &mut packet);
                debug_assert_eq!(encoded, Ok(()), "{unsubscribe:?}");
                packet.into()
            }
            Self::Subscribe(_) | Self::Unsubscribe(_) | Self::Authenticate => Cow::default(),
        }
    }

    /// Drops what is only needed to send the request again. Returns the size of the packet.
    #[cold]
    pub(super) fn drop_packet(&mut self) -> usize {
        let size = self.size();
        match self {
            Self::Publish(publish) => publish.packet = Vec::new(),
            Self::Subscribe(subscribe) => {
                subscribe.size = 0;
                subscribe.subscriptions = Vec::new();
                subscribe.user_properties = Vec::new();
            }
            Self::Unsubscribe(unsubscribe) => {
                unsubscribe.size = 0;
                unsubscribe.filters = Vec::new();
                unsubscribe.user_properties = Vec::new();
            }
            Self::Authenticate => {}
        }
        size
    }
}

impl PublishRequest {
    /// The packet as it is, if it has no properties: then neither an expiry interval nor an alias
    /// has to be changed, and only identifier and DUP are written into the copy.
    ///
    /// Returns the offset of the packet identifier, or `None` for a packet with properties.
    pub(in crate::engine) fn plain_packet_id_offset(&self) -> Option<usize> {
        // The topic follows the fixed header, then the identifier.
        let header = FixedHeader::peek(&self.packet, u32::MAX).ok()??;
        let body = self.packet.get(usize::from(header.header_len)..)?;
        let (topic_len, _) = body.split_first_chunk()?;
        let after_topic = 2 + usize::from(u16::from_be_bytes(*topic_len));
        // The Property Length follows the packet identifier (§3.3.2.3.1).
        (*body.get(after_topic + 2)? == 0).then(|| usize::from(header.header_len) + after_topic)
    }

    /// The packet's fields; `None` once the packet was dropped.
    pub(in crate::engine) fn publish(&self) -> Option<Publish<'_>> {
        match Packet::decode_with(&self.packet, &DecodeOptions::any_size()) {
            Ok(Some((Packet::Publish(publish), _))) => Some(publish),
            _ => None,
        }
    }

    /// A message that a store kept. `packet` is empty where PUBREC was received, or the message
    /// timed out; otherwise it has to be a whole PUBLISH of this QoS without DUP, or `None` is
    /// returned.
    pub(in crate::engine) fn restore(qos: QoS, packet: Vec<u8>) -> Option<Self> {
        if packet.is_empty() {
            let retain = false;
            return Some(Self {
                qos,
                retain,
                packet,
            });
        }
        let Ok(Some((Packet::Publish(publish), len))) =
            Packet::decode_with(&packet, &DecodeOptions::any_size())
        else {
            return None;
        };
        // A packet with DUP, or of another QoS, was not stored by this engine.
        let is_valid = publish.delivery.qos() == qos && !publish.delivery.dup();
        let retain = publish.retain;
        (is_valid && len == packet.len()).then_some(Self {
            qos,
            retain,
            packet,
        })
    }
}

impl SubscribeRequest {
    /// Checks the filters and the size of the packet.
    ///
    /// # Errors
    /// [`RequestError::Topic`] for a filter that is not valid, [`RequestError::Encode`] for an empty
    /// list and for a packet above 268,435,455 bytes.
    pub(in crate::engine) fn new(
        subscriptions: &[(&str, SubscriptionOptions)],
        properties: SubscribeProperties<'_>,
    ) -> Result<Self, RequestError> {
        let mut request = Self {
            subscriptions: subscriptions
                .iter()
                .map(|(filter, options)| ((*filter).to_owned(), *options))
                .collect(),
            identifier: properties.subscription_identifier,
            user_properties: owned_pairs(properties.user_properties.iter()),
            is_resubscribe: false,
            size: 0,
        };
        request.size =
            request.with_packet(PLACEHOLDER, true, |packet| Ok(packet.encoded_len()?))?;
        Ok(request)
    }

    /// Writes the packet. Servers without subscription identifiers get none (§3.2.2.3.12).
    pub(in crate::engine) fn encode(
        &self,
        packet_id: PacketId,
        with_identifier: bool,
        output: &mut impl BufMut,
    ) -> Result<(), RequestError> {
        self.with_packet(packet_id, with_identifier, |packet| {
            Ok(packet.encode(output)?)
        })
    }

    /// Size of the packet in bytes.
    pub(in crate::engine) const fn size(&self) -> usize {
        self.size
    }

    /// Topic filters in the order of the request.
    pub(in crate::engine) fn filters(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(|(filter, _)| filter.as_str())
    }

    fn with_packet<T>(
        &self,
        packet_id: PacketId,
        with_identifier: bool,
        f: impl FnOnce(&Subscribe<'_>) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        // The filters were checked when the request was accepted.
        let subscriptions = self
            .subscriptions
            .iter()
            .map(|(filter, options)| {
                Ok(dunlin_codec::Subscription {
                    filter: TopicFilter::new(filter)?,
                    options: *options,
                })
            })
            .collect::<Result<Vec<_>, RequestError>>()?;
        let user_properties = borrowed_pairs(&self.user_properties);
        f(&Subscribe {
            packet_id,
            properties: SubscribeProperties {
                subscription_identifier: self.identifier.filter(|_| with_identifier),
                user_properties: user_properties.as_slice().into(),
            },
            subscriptions: subscriptions.as_slice().into(),
        })
    }
}

impl UnsubscribeRequest {
    /// Checks the filters and the size of the packet.
    ///
    /// # Errors
    /// Errors of [`SubscribeRequest::new`].
    pub(in crate::engine) fn new(
        filters: &[&str],
        properties: UnsubscribeProperties<'_>,
    ) -> Result<Self, RequestError> {
        let mut request = Self {
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            user_properties: owned_pairs(properties.user_properties.iter()),
            size: 0,
        };
        request.size = request.with_packet(PLACEHOLDER, |packet| Ok(packet.encoded_len()?))?;
        Ok(request)
    }

    /// A request that a store kept. `packet` is empty where it timed out and was not needed any
    /// more; otherwise it has to be a whole UNSUBSCRIBE, or `None` is returned.
    pub(in crate::engine) fn restore(packet: &[u8]) -> Option<Self> {
        if packet.is_empty() {
            let (filters, user_properties) = (Vec::new(), Vec::new());
            return Some(Self {
                filters,
                user_properties,
                size: 0,
            });
        }
        let Ok(Some((Packet::Unsubscribe(unsubscribe), len))) =
            Packet::decode_with(packet, &DecodeOptions::any_size())
        else {
            return None;
        };
        (len == packet.len()).then(|| Self {
            filters: unsubscribe
                .filters
                .iter()
                .map(|filter| filter.as_str().to_owned())
                .collect(),
            user_properties: owned_pairs(unsubscribe.properties.user_properties.iter()),
            size: len,
        })
    }

    /// Size of the packet in bytes.
    pub(in crate::engine) const fn size(&self) -> usize {
        self.size
    }

    /// Writes the packet.
    pub(in crate::engine) fn encode(
        &self,
        packet_id: PacketId,
        output: &mut impl BufMut,
    ) -> Result<(), RequestError> {
        self.with_packet(packet_id, |packet| Ok(packet.encode(output)?))
    }

    fn with_packet<T>(
        &self,
        packet_id: PacketId,
        f: impl FnOnce(&Unsubscribe<'_>) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let filters = self
            .filters
            .iter()
            .map(|filter| TopicFilter::new(filter))
            .collect::<Result<Vec<_>, _>>()?;
        let user_properties = borrowed_pairs(&self.user_properties);
        f(&Unsubscribe {
            packet_id,
            properties: UnsubscribeProperties {
                user_properties: user_properties.as_slice().into(),
            },
            filters: filters.as_slice().into(),
        })
    }
}

/// Delivery of a message that was not sent before, under a packet identifier that is not known yet.
pub(in crate::engine) const fn first_delivery(qos: QoS) -> Delivery {
    Delivery::new(qos, PLACEHOLDER, false)
}

fn owned_pairs<'a>(pairs: impl Iterator<Item = UserProperty<'a>>) -> Vec<(String, String)> {
    pairs
        .map(|each| {
            (
                each.name.as_str().to_owned(),
                each.value.as_str().to_owned(),
            )
        })
        .collect()
}

/// User properties that were checked when they were copied.
fn borrowed_pairs(pairs: &[(String, String)]) -> Vec<UserProperty<'_>> {
    pairs
        .iter()
        .filter_map(|(name, value)| UserProperty::new(name, value).ok())
        .collect()
}
