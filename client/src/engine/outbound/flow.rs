//! Limits of what one connection carries to the server.

use std::time::Instant;

use dunlin_codec::{QoS, TopicFilter};

use super::outbound_aliases::OutboundAliasTable;
use super::pace::Pacer;
use super::quota::Quota;
use super::request::SubscribeRequest;
use crate::error::RequestError;
use crate::event::ServerLimits;

/// Limits of one open connection: those of the server and those of the options.
#[derive(Debug)]
pub(in crate::engine) struct Flow {
    /// Limits that the server announced in CONNACK.
    pub(in crate::engine) server: ServerLimits,
    pub(in crate::engine) quota: Quota,
    pub(in crate::engine) aliases: OutboundAliasTable,
    /// Rate limit; `None` without one.
    pub(in crate::engine) pacer: Option<Box<Pacer>>,
}

impl Flow {
    /// Checks QoS and RETAIN against what the server announced.
    pub(in crate::engine) const fn check_publish(
        &self,
        qos: QoS,
        retain: bool,
    ) -> Result<(), RequestError> {
        // [MQTT-3.2.2-11]
        if qos.level() > self.server.maximum_qos.level() {
            return Err(RequestError::QoSNotSupported {
                maximum: self.server.maximum_qos,
            });
        }
        // [MQTT-3.2.2-14]
        if retain && !self.server.retain_available {
            return Err(RequestError::RetainNotSupported);
        }
        Ok(())
    }

    /// Checks the size of a packet against the server's Maximum Packet Size. [MQTT-3.2.2-15]
    pub(in crate::engine) const fn check_size(&self, size: usize) -> Result<(), RequestError> {
        let limit = self.server.maximum_packet_size;
        if size > limit as usize {
            Err(RequestError::TooLarge { size, limit })
        } else {
            Ok(())
        }
    }

    /// Checks the filters of a SUBSCRIBE against what the server announced.
    pub(in crate::engine) fn check_subscribe(
        &self,
        subscribe: &SubscribeRequest,
    ) -> Result<(), RequestError> {
        let server = &self.server;
        if server.wildcard_subscription_available && server.shared_subscription_available {
            return Ok(());
        }
        match subscribe
            .filters()
            .find_map(|filter| missing_feature(filter, server))
        {
            None => Ok(()),
            Some(missing) => Err(missing),
        }
    }

    /// Returns `true` if messages are sent at once and as the application wrote them: without
    /// aliases and without a rate limit.
    pub(in crate::engine) const fn is_plain(&self) -> bool {
        self.pacer.is_none() && matches!(self.aliases, OutboundAliasTable::None)
    }

    /// Returns `true` if the rate is limited, so that messages may have to wait.
    pub(in crate::engine) const fn is_paced(&self) -> bool {
        self.pacer.is_some()
    }

    /// Returns `true` if the rate limit admits a message of `size` bytes now.
    pub(in crate::engine) fn admits(&mut self, size: usize, now: Option<Instant>) -> bool {
        match (&mut self.pacer, now) {
            (Some(pacer), Some(now)) => pacer.admits(size, now),
            _ => true,
        }
    }

    /// Counts a PUBLISH of `size` bytes that is sent or was received.
    #[inline]
    pub(in crate::engine) fn count(&mut self, size: usize, now: Option<Instant>) {
        if let (Some(pacer), Some(now)) = (&mut self.pacer, now) {
            pacer.take(size, now);
        }
    }
}

/// Feature that a subscription to `filter` needs and the server lacks; `None` if it lacks none.
/// [U-3.2.2-3]
pub(in crate::engine) fn missing_feature(
    filter: &str,
    server: &ServerLimits,
) -> Option<RequestError> {
    let filter = TopicFilter::new(filter).ok()?;
    if filter.is_shared() && !server.shared_subscription_available {
        return Some(RequestError::SharedNotSupported);
    }
    if filter.has_wildcard() && !server.wildcard_subscription_available {
        return Some(RequestError::WildcardNotSupported);
    }
    None
}
