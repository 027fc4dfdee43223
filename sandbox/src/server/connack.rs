//! CONNACK of a client that is accepted: the limits of the profile, within the client's Maximum Packet
//! Size.

use core::num::{NonZeroU16, NonZeroU32};

use dunlin_codec::{ConnAck, ConnAckProperties, Packet, QoS, ReasonCode, Utf8String};

use crate::profile::Rules;
use crate::server::close_reason::CloseReason;
use crate::server::connect::Pending;
use crate::server::output::Output;

impl Pending {
    /// Sends the CONNACK; optional properties are left out if the client accepts no larger packet.
    ///
    /// # Errors
    /// The end of the connection if even then the packet is too large: no CONNACK may say so.
    /// [MQTT-3.1.2-24]
    pub(super) fn send_connack(
        &self,
        session_present: bool,
        rules: &Rules,
        output: &mut Output,
    ) -> Result<(), CloseReason> {
        let mut connack = self.connack(session_present, rules);
        if output.send(&Packet::from(&connack)) {
            return Ok(());
        }

        // Too large: leave out every property whose absence means the same.
        omit_defaults(&mut connack.properties);
        if output.send(&Packet::from(&connack)) {
            return Ok(());
        }
        // The client may do without topic aliases; to everything else it is held.
        connack.properties.topic_alias_maximum = None;
        let packet = Packet::from(&connack);
        if output.send(&packet) {
            return Ok(());
        }
        let needed = packet.encoded_len().unwrap_or_default();
        let maximum = output.client.maximum_packet_size;
        Err(CloseReason::ConnAckTooLarge { needed, maximum })
    }

    fn connack(&self, session_present: bool, rules: &Rules) -> ConnAck<'_> {
        // A value that was granted as requested is left out.
        let unless_requested =
            |granted: u32, requested: u32| (granted != requested).then_some(granted);
        let keep_alive = unless_requested(self.keep_alive.into(), self.requested.keep_alive.into());
        let properties = ConnAckProperties {
            session_expiry_interval: unless_requested(
                self.session_expiry,
                self.requested.session_expiry,
            ),
            receive_maximum: NonZeroU16::new(rules.receive_maximum),
            // [MQTT-3.2.2-9]
            maximum_qos: Some(rules.maximum_qos).filter(|qos| *qos < QoS::ExactlyOnce),
            retain_available: Some(true),
            maximum_packet_size: NonZeroU32::new(rules.maximum_packet_size),
            // [MQTT-3.1.3-7] [MQTT-3.2.2-16]
            assigned_client_identifier: self.assigned_client_id(),
            topic_alias_maximum: Some(rules.topic_alias_maximum),
            wildcard_subscription_available: Some(true),
            subscription_identifier_available: Some(rules.subscription_identifiers),
            shared_subscription_available: Some(true),
            server_keep_alive: keep_alive.and_then(|seconds| u16::try_from(seconds).ok()),
            ..ConnAckProperties::default()
        };
        ConnAck {
            session_present,
            reason_code: ReasonCode::Success,
            properties,
        }
    }

    fn assigned_client_id(&self) -> Option<Utf8String<'_>> {
        if self.is_assigned {
            Utf8String::new(&self.client_id).ok()
        } else {
            None
        }
    }
}

/// Leaves out every property that has the value that its absence means (§3.2.2.3).
fn omit_defaults(properties: &mut ConnAckProperties<'_>) {
    properties
        .receive_maximum
        .take_if(|most| *most == NonZeroU16::MAX);
    properties.topic_alias_maximum.take_if(|most| *most == 0);
    for is_available in [
        &mut properties.retain_available,
        &mut properties.wildcard_subscription_available,
        &mut properties.subscription_identifier_available,
        &mut properties.shared_subscription_available,
    ] {
        is_available.take_if(|is_available| *is_available);
    }
}
