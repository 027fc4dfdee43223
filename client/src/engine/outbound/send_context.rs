//! Context of sending: the connection's limits, the output, counters and the time. The only place
//! where a PUBLISH is encoded into the output.

use std::time::Instant;

use dunlin_codec::{Ack, AckType, Delivery, PacketId, Publish, ReasonCode};

use super::flow::Flow;
use super::request::PublishRequest;
use crate::engine::output::Output;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;
use crate::options::ConnectOptions;

/// Everything beside the requests themselves that sending needs.
#[derive(Debug)]
pub(in crate::engine) struct SendContext<'a> {
    /// Limits of the open connection; `None` while there is none, and everything waits.
    pub(in crate::engine) flow: Option<&'a mut Flow>,
    pub(in crate::engine) output: &'a mut Output,
    pub(in crate::engine) statistics: &'a mut Statistics,
    pub(in crate::engine) options: &'a ConnectOptions,
    /// Time that the engine was told last.
    pub(in crate::engine) now: Option<Instant>,
}

impl SendContext<'_> {
    /// Returns `true` if there is a connection whose rate is limited.
    pub(super) fn is_paced(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_paced())
    }

    /// Writes a small acknowledgement. It is valid by construction.
    pub(in crate::engine) fn write_ack(
        &mut self,
        ack_type: AckType,
        packet_id: PacketId,
        reason_code: ReasonCode,
    ) {
        write_ack(
            self.output,
            self.statistics,
            ack_type,
            packet_id,
            reason_code,
        );
    }

    /// Encodes a PUBLISH, with a topic alias where the connection has one. Returns the size of the
    /// packet in bytes.
    #[inline]
    pub(super) fn write_publish(&mut self, publish: &Publish<'_>) -> Result<usize, RequestError> {
        let Some(flow) = self.flow.as_deref_mut() else {
            return Err(RequestError::Offline);
        };
        // If the packet turns out too large, the output is cut back to here.
        let start = self.output.len();
        let shortened = flow.aliases.apply(publish, &flow.server);
        let encoded = match &shortened {
            None => publish.encode(self.output.buffer()),
            Some((publish, _)) => publish.encode(self.output.buffer()),
        };
        let size = self.output.len() - start;
        if encoded.is_err() || size > flow.server.maximum_packet_size as usize {
            self.output.truncate(start);
            encoded?;
            flow.check_size(size)?;
        }
        // The server learns the alias from this packet, so it counts from here on.
        if let Some((_, Some(aliased))) = shortened {
            flow.aliases.bind(aliased);
        }
        Ok(size)
    }

    /// Writes a message that was accepted before: as it is if possible, or with the time that is left of its
    /// expiry interval and with this connection's alias.
    pub(super) fn write_accepted(
        &mut self,
        request: &PublishRequest,
        packet_id: Option<PacketId>,
        is_repetition: bool,
        seconds_left: Option<u32>,
    ) -> Result<(), RequestError> {
        let chooses_aliases = self
            .flow
            .as_ref()
            .is_some_and(|flow| flow.aliases.chooses_by_itself());
        // Most messages have no properties: a copy with another identifier will do.
        if let Some(packet_id) = packet_id
            && !chooses_aliases
            && let Some(offset) = request.plain_packet_id_offset()
        {
            self.output
                .write_copy(&request.packet, offset, packet_id, is_repetition);
            return Ok(());
        }
        // The expiry interval, the alias or both have to be changed.
        let Some(mut publish) = request.publish() else {
            return Ok(());
        };
        if let Some(packet_id) = packet_id {
            publish.delivery = Delivery::new(request.qos, packet_id, is_repetition);
        }
        let interval = &mut publish.properties.message_expiry_interval;
        if let (Some(seconds), Some(left)) = (&interval, seconds_left) {
            // A repetition is due however late. Some servers take 0 for "never", so 0 is sent only
            // if the application asked for it.
            *interval = Some(left.max(1.min(*seconds)));
        }
        self.write_publish(&publish)?;
        Ok(())
    }
}

/// Writes a small acknowledgement. It is valid by construction.
pub(in crate::engine) fn write_ack(
    output: &mut Output,
    statistics: &mut Statistics,
    ack_type: AckType,
    packet_id: PacketId,
    reason_code: ReasonCode,
) {
    let ack = Ack {
        reason_code,
        ..Ack::success(packet_id)
    };
    statistics.packets_sent += 1;
    let encoded = ack.encode(ack_type, output.buffer());
    debug_assert_eq!(encoded, Ok(()), "{ack:?}");
}
