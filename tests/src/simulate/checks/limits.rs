//! Limits that a server states in CONNACK (§3.2.2.3).

use dunlin_client::codec::{ConnAck, Publish, QoS, SubscriptionOptions, TopicFilter};

use super::content::Content;
use crate::simulate::violation::{Checked, ensure};

/// Limits of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) receive_maximum: usize,
    pub(super) maximum_qos: QoS,
    pub(super) retain_available: bool,
    pub(super) maximum_packet_size: usize,
    pub(super) topic_alias_maximum: u16,
    pub(super) wildcards: bool,
    pub(super) shared: bool,
    pub(super) identifiers: bool,
}

impl Limits {
    pub(super) fn of(connack: &ConnAck<'_>) -> Self {
        let said = &connack.properties;
        Self {
            receive_maximum: said
                .receive_maximum
                .map_or(65_535, |maximum| maximum.get().into()),
            maximum_qos: said.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: said.retain_available.unwrap_or(true),
            maximum_packet_size: said
                .maximum_packet_size
                .map_or(usize::MAX, |size| size.get() as usize),
            topic_alias_maximum: said.topic_alias_maximum.unwrap_or(0),
            wildcards: said.wildcard_subscription_available.unwrap_or(true),
            shared: said.shared_subscription_available.unwrap_or(true),
            identifiers: said.subscription_identifier_available.unwrap_or(true),
        }
    }

    /// Returns `true` if the server accepts such a message both with and without a topic alias.
    pub(super) fn allow(&self, content: Content) -> bool {
        content.qos <= self.maximum_qos
            && (self.retain_available || !content.retain)
            && content.size + TOPIC_ALIAS <= self.maximum_packet_size
    }

    pub(super) fn check_publish(&self, publish: &Publish<'_>) -> Checked {
        let qos = publish.delivery.qos();
        ensure(
            qos <= self.maximum_qos,
            "[MQTT-3.2.2-11] Maximum QoS",
            || qos.to_string(),
        )?;
        ensure(
            self.retain_available || !publish.retain,
            "[MQTT-3.2.2-14] Retain Available",
            String::new,
        )
    }

    pub(super) fn check_filter(
        &self,
        filter: TopicFilter<'_>,
        options: SubscriptionOptions,
    ) -> Checked {
        let detail = || filter.as_str().to_owned();
        ensure(
            self.wildcards || !filter.has_wildcard(),
            "[U-3.2.2-3] no wildcards",
            detail,
        )?;
        ensure(
            self.shared || !filter.is_shared(),
            "[U-3.2.2-3] no shared subscriptions",
            detail,
        )?;
        ensure(
            !(filter.is_shared() && options.no_local),
            "[MQTT-3.8.3-4] no No Local if shared",
            detail,
        )
    }
}

/// Size in bytes of the property Topic Alias.
const TOPIC_ALIAS: usize = 3;
