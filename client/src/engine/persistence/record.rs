//! Format of the entries that a store keeps for a session.

use std::time::{Duration, Instant};

use dunlin_codec::{PacketId, QoS};

use super::change::Change;
use crate::engine::clock_reading::{Between, ClockReading, StoredMoment};
use crate::engine::outbound::accepted_request::{AcceptedRequest, RequestStage};
use crate::engine::outbound::request::Request;
use crate::engine::session::SessionIdentity;

/// Version of the format. Other versions are refused.
const VERSION: u8 = 2;

/// Key of an entry: a letter, and which of its kind it is.
pub(super) enum Key<'a> {
    Identity,
    /// A request, by its number among all of the session.
    Request(u64),
    /// The packet of a request.
    Packet(u64),
    /// A received message of QoS 2.
    Received(PacketId),
    Subscription(&'a str),
}

impl Key<'_> {
    /// Change of the entry under this key; `None` deletes it.
    pub(super) fn change(&self, value: Option<Vec<u8>>) -> Change {
        let key = match self {
            Self::Identity => b"a".to_vec(),
            Self::Request(number) => [b"m", &number.to_be_bytes()[..]].concat(),
            Self::Packet(number) => [b"p", &number.to_be_bytes()[..]].concat(),
            Self::Received(packet_id) => [b"r", &packet_id.get().to_be_bytes()[..]].concat(),
            Self::Subscription(filter) => [b"s", filter.as_bytes()].concat(),
        };
        match value {
            Some(value) => Change::Put { key, value },
            None => Change::Remove { key },
        }
    }
}

/// Kind of a stored request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredKind {
    Unsubscribe,
    /// A message of QoS 1 or 2.
    Publish(QoS),
}

/// A request as it is stored, apart from its packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestRecord {
    pub(super) kind: StoredKind,
    pub(super) stage: RequestStage,
    pub(super) order: u64,
    /// Position among the requests that wait. A request in the output goes before all others.
    pub(super) queue_position: i64,
    pub(super) is_reissued: bool,
    pub(super) has_outcome: bool,
    pub(super) expiry: Option<StoredExpiry>,
}

/// Rest of a Message Expiry Interval at some moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredExpiry {
    /// Rest in milliseconds.
    left: u64,
    pub(super) at: StoredMoment,
}

impl RequestRecord {
    /// Record of a request that is not complete. One that is in the output and not staged counts as
    /// not sent, because some servers acknowledge packets that they cannot have.
    pub(super) fn new(operation: &AcceptedRequest, is_unstaged: bool, clock: ClockReading) -> Self {
        let is_new = is_unstaged && matches!(operation.stage, RequestStage::Sent(_));
        let expiry = operation.expiry.map(|expiry| {
            let left = expiry.at.saturating_duration_since(clock.now).as_millis();
            StoredExpiry {
                left: u64::try_from(left).unwrap_or(u64::MAX),
                at: clock.stored(),
            }
        });
        Self {
            kind: match &operation.request {
                Request::Publish(publish) => StoredKind::Publish(publish.qos),
                // Nothing else outlives the process.
                _ => StoredKind::Unsubscribe,
            },
            stage: if is_new {
                RequestStage::Queued
            } else {
                operation.stage
            },
            order: operation.order,
            queue_position: if is_new {
                i64::MIN.saturating_add_unsigned(operation.order)
            } else {
                operation.queue_position
            },
            is_reissued: operation.is_reissued,
            has_outcome: operation.has_outcome(),
            expiry,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A repetition is stored as sent: the next process repeats it in any case.
        let (stage, packet_id) = match self.stage {
            RequestStage::Queued | RequestStage::Done => (0, 0),
            RequestStage::Sent(packet_id) | RequestStage::Resend(packet_id) => (1, packet_id.get()),
            RequestStage::Released(packet_id) => (2, packet_id.get()),
        };
        // QoS 0 is never stored.
        let kind = match self.kind {
            StoredKind::Unsubscribe | StoredKind::Publish(QoS::AtMostOnce) => 0,
            StoredKind::Publish(QoS::AtLeastOnce) => 1,
            StoredKind::Publish(QoS::ExactlyOnce) => 2,
        };
        let has_boot = self.expiry.is_some_and(|expiry| expiry.at.boot.is_some());
        let flags = flags_byte([
            self.is_reissued,
            self.has_outcome,
            self.expiry.is_some(),
            has_boot,
        ]);
        // Fixed fields first, then the expiry if there is one.
        let mut value = vec![kind, stage, flags];
        value.extend_from_slice(&packet_id.to_be_bytes());
        value.extend_from_slice(&self.order.to_be_bytes());
        value.extend_from_slice(&self.queue_position.to_be_bytes());
        if let Some(StoredExpiry { left, at }) = self.expiry {
            value.extend_from_slice(&left.to_be_bytes());
            value.extend_from_slice(&at.date.to_be_bytes());
            if let Some((boot_id, elapsed)) = at.boot {
                value.extend_from_slice(&boot_id.to_be_bytes());
                value.extend_from_slice(&elapsed.to_be_bytes());
            }
        }
        value
    }

    /// Decodes a record; `None` if it is not valid.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        // Fields in the order of `encode`.
        let (&[kind, stage, flags], rest) = value.split_first_chunk()?;
        let (packet_id, rest) = rest.split_first_chunk()?;
        let (order, rest) = rest.split_first_chunk()?;
        let (queue_position, rest) = rest.split_first_chunk()?;
        let packet_id = PacketId::new(u16::from_be_bytes(*packet_id));
        // Bit 2 says that there is an expiry, bit 3 that it has a boot identifier.
        let expiry = match flags >> 2 {
            0 if rest.is_empty() => None,
            1 | 3 => Some(StoredExpiry::decode(rest, flags & 8 != 0)?),
            _ => return None,
        };
        Some(Self {
            kind: match kind {
                0 => StoredKind::Unsubscribe,
                1 => StoredKind::Publish(QoS::AtLeastOnce),
                2 => StoredKind::Publish(QoS::ExactlyOnce),
                _ => return None,
            },
            stage: match stage {
                0 => RequestStage::Queued,
                1 => RequestStage::Sent(packet_id?),
                2 => RequestStage::Released(packet_id?),
                _ => return None,
            },
            order: u64::from_be_bytes(*order),
            queue_position: i64::from_be_bytes(*queue_position),
            is_reissued: flags & 1 != 0,
            has_outcome: flags & 2 != 0,
            expiry,
        })
    }
}

impl StoredExpiry {
    fn decode(value: &[u8], has_boot: bool) -> Option<Self> {
        let (left, rest) = value.split_first_chunk()?;
        let (date, rest) = rest.split_first_chunk()?;
        let boot = if has_boot {
            let (boot_id, elapsed) = rest.split_first_chunk()?;
            Some((
                u128::from_be_bytes(*boot_id),
                u64::from_be_bytes(elapsed.try_into().ok()?),
            ))
        } else if rest.is_empty() {
            None
        } else {
            return None;
        };
        let at = StoredMoment {
            date: u64::from_be_bytes(*date),
            boot,
        };
        Some(Self {
            left: u64::from_be_bytes(*left),
            at,
        })
    }

    /// End of the interval by the engine's clock (`None` beyond its range), and whether the time
    /// between the processes is known. It is never later than the packet's interval of `seconds`
    /// allows (§3.3.2.3.3).
    pub(super) fn expires_at(
        &self,
        seconds: Option<u32>,
        clock: ClockReading,
    ) -> (Option<Instant>, bool) {
        let (passed, is_known) = match clock.since(self.at) {
            Between::Known(passed) => (passed, true),
            Between::Unknown(at_least) => (at_least, false),
        };
        let interval = seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        let left = Duration::from_millis(self.left)
            .min(interval)
            .saturating_sub(passed);
        (clock.now.checked_add(left), is_known)
    }
}

pub(super) fn encode_identity(identity: &SessionIdentity) -> Vec<u8> {
    let flags = flags_byte([
        identity.is_established,
        identity.is_unanswered,
        identity.is_given_up,
        identity.client_id.is_some(),
    ]);
    let client_id = identity.client_id.as_deref().unwrap_or_default();
    [&[VERSION, flags], client_id.as_bytes()].concat()
}

/// Decodes the identity of a session.
///
/// # Errors
/// The reason why the record is not valid.
pub(super) fn decode_identity(value: &[u8]) -> Result<SessionIdentity, &'static str> {
    let [VERSION, flags, client_id @ ..] = value else {
        return Err("another version's");
    };
    let is_set = |bit: u8| flags >> bit & 1 == 1;
    let client_id = String::from_utf8(client_id.to_vec()).map_err(|_| "no client identifier")?;
    Ok(SessionIdentity {
        client_id: is_set(3).then_some(client_id),
        is_established: is_set(0),
        is_unanswered: is_set(1),
        is_given_up: is_set(2),
    })
}

/// Packs flags into a byte, the first into the lowest bit.
fn flags_byte(flags: [bool; 4]) -> u8 {
    flags
        .into_iter()
        .rev()
        .fold(0, |bits, flag| bits << 1 | u8::from(flag))
}
