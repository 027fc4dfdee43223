//! The session that is restored from the entries of a store.

use std::collections::BTreeMap;

use dunlin_codec::{PacketId, PacketType, QoS, ReasonCode, Sender};

use super::record::{RequestRecord, StoredKind, decode_identity};
use super::records::APPLICATION;
use crate::engine::clock_reading::ClockReading;
use crate::engine::outbound::accepted_request::{Expiry, OperationId, RequestStage};
use crate::engine::outbound::request::{PublishRequest, Request, UnsubscribeRequest};
use crate::engine::session::{Session, SessionIdentity};
use crate::engine::statistics::Statistics;
use crate::error::RequestError;

/// The entries of a store are not a session: something else wrote them, or some are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("what the store has is no session: {fault}")]
pub struct RestoreError {
    /// Reason why the entries are not valid.
    pub fault: &'static str,
}

/// Highest number that a process can have counted to.
const HIGHEST: u64 = 1 << 62;

/// StoredEntries of a store, decoded one by one.
#[derive(Default)]
struct StoredEntries {
    is_empty: bool,
    identity: Option<SessionIdentity>,
    requests: BTreeMap<u64, RequestRecord>,
    packets: BTreeMap<u64, Vec<u8>>,
}

impl Session {
    /// Restores a session from all entries of its store, in any order. `clock` is read now, as in
    /// [`Recorder::take_changes`](crate::engine::Recorder::take_changes). `None` if no session was ever
    /// stored.
    ///
    /// Outcomes of its requests can't be taken. Messages that the application hadn't answered are
    /// delivered again. Changes are recorded from here on, against what is stored.
    ///
    /// # Errors
    /// [`RestoreError`] if the entries are not a session.
    pub fn restore(
        stored: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
        clock: ClockReading,
    ) -> Result<Option<Self>, RestoreError> {
        let mut session = Self::new();
        // Received messages and subscriptions restore themselves; the rest needs all entries.
        let entries = session.read_entries(stored)?;
        let Some(identity) = entries.identity else {
            return if entries.is_empty {
                Ok(None)
            } else {
                Err(fault("without a beginning"))
            };
        };
        session.identity = identity;

        // Numbers go on after the highest that was used.
        let (requests, mut packets) = (entries.requests, entries.packets);
        let last = requests
            .values()
            .map(|each| each.order)
            .max()
            .unwrap_or_default();
        let last = last.max(session.subscriptions.highest_number());
        let last_request = requests.keys().next_back().copied().unwrap_or_default();
        if last.max(last_request) > HIGHEST {
            return Err(fault("a number beyond all numbers"));
        }
        session.outbound.set_last_order(last);

        let (mut waiting, mut expiring) = (Vec::new(), Vec::new());
        for (number, record) in requests {
            let packet = packets.remove(&number).unwrap_or_default();
            let id = session.restore_request(number, &record, packet, clock)?;
            if record.stage == RequestStage::Queued {
                waiting.push((record.queue_position, id));
            }
            if record
                .expiry
                .is_some_and(|expiry| !clock.is_of_this_boot(expiry.at))
            {
                expiring.push(id);
            }
        }
        // The queue has the order of the earlier process.
        waiting.sort_unstable();

        // The store has all of it, but for queue positions that change from here on.
        session.record_changes();
        for (_, id) in waiting {
            session.outbound.queue_last(id);
            session.outbound.watch_expiry(id);
        }
        // Their time is measured by the clock of this boot from now on.
        for id in expiring {
            session.outbound.operations.mark_dirty(id.key());
        }
        session.stored_identity = Some(Box::new(Some(session.identity.clone())));
        Ok(Some(session))
    }

    /// Number of restored messages with a Message Expiry Interval for which the time between the
    /// processes can't be known, because the calendar was set. They keep the time that was left
    /// when they were stored, less the time since the machine started.
    #[must_use]
    pub const fn unmeasured_expiries(&self) -> usize {
        self.unmeasured_expiries
    }

    /// Restores received messages and subscriptions, and collects the other entries.
    fn read_entries(
        &mut self,
        stored: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<StoredEntries, RestoreError> {
        let mut entries = StoredEntries {
            is_empty: true,
            ..StoredEntries::default()
        };
        for (key, value) in stored {
            // The application's own records are not part of the session.
            if key.first() == Some(&APPLICATION) {
                continue;
            }
            entries.is_empty = false;
            match &key[..] {
                // Facts for the next CONNECT.
                b"a" => entries.identity = Some(decode_identity(&value).map_err(fault)?),
                // Requests and their packets are put together later.
                [b'm', number @ ..] => {
                    let record = RequestRecord::decode(&value).ok_or(fault("no request"))?;
                    entries.requests.insert(number_of(number)?, record);
                }
                [b'p', number @ ..] => drop(entries.packets.insert(number_of(number)?, value)),
                // Received messages of QoS 2.
                [b'r', packet_id @ ..] => {
                    let number = packet_id.try_into().map(u16::from_be_bytes).ok();
                    let packet_id = number
                        .and_then(PacketId::new)
                        .ok_or(fault("no packet identifier"))?;
                    self.inbound.restore(packet_id, reason_code_of(&value)?);
                }
                [b's', filter @ ..] => {
                    std::str::from_utf8(filter)
                        .ok()
                        .and_then(|filter| self.subscriptions.restore(filter, &value))
                        .ok_or(fault("no subscription"))?;
                }
                _ => return Err(fault("an unknown key")),
            }
        }
        Ok(entries)
    }

    fn restore_request(
        &mut self,
        number: u64,
        record: &RequestRecord,
        packet: Vec<u8>,
        clock: ClockReading,
    ) -> Result<OperationId, RestoreError> {
        // The packet is needed until PUBREC, or until a time-out.
        let is_released = matches!(record.stage, RequestStage::Released(_));
        let needs_packet = !is_released && !record.has_outcome;
        if number == 0 || is_released && record.kind != StoredKind::Publish(QoS::ExactlyOnce) {
            return Err(fault("a request that can't be"));
        }
        let without_packet = fault("a request without its packet");
        if needs_packet && packet.is_empty() {
            return Err(without_packet);
        }
        // The packet has to be what the record says.
        let (request, interval) = match record.kind {
            StoredKind::Publish(qos) => {
                let publish = PublishRequest::restore(qos, packet).ok_or(without_packet)?;
                let interval = publish
                    .publish()
                    .and_then(|publish| publish.properties.message_expiry_interval);
                (Request::Publish(publish), interval)
            }
            StoredKind::Unsubscribe => {
                let unsubscribe = UnsubscribeRequest::restore(&packet).ok_or(without_packet)?;
                (Request::Unsubscribe(Box::new(unsubscribe)), None)
            }
        };

        let expiry = record
            .expiry
            .map(|expiry| expiry.expires_at(interval, clock));
        self.unmeasured_expiries += usize::from(expiry.is_some_and(|(_, is_known)| !is_known));
        // Progress as it was, under the number that it had.
        let operations = &mut self.outbound.operations;
        let id = operations.restore(number, request);
        if let Some(operation) = operations.get_mut(id.key()) {
            operation.stage = record.stage;
            operation.order = record.order;
            operation.queue_position = record.queue_position;
            operation.is_reissued = record.is_reissued;
            operation.expiry = expiry.and_then(|(at, _)| at).map(|at| Expiry {
                at,
                is_watched: false,
            });
        }
        if record.has_outcome {
            // The earlier process counted it.
            let (lost, uncounted) = (Err(RequestError::SessionLost), &mut Statistics::default());
            operations.set_outcome(id.key(), lost, uncounted);
        }
        // The server knows the request under its packet identifier.
        if let RequestStage::Sent(packet_id) | RequestStage::Released(packet_id) = record.stage
            && !self.outbound.packet_ids.reserve(packet_id, id.key())
        {
            return Err(fault("a packet identifier twice"));
        }
        Ok(id)
    }
}

/// Reason code of a PUBREC that is still to be sent; `None` if PUBREC was sent.
fn reason_code_of(value: &[u8]) -> Result<Option<ReasonCode>, RestoreError> {
    let [code] = value else {
        return if value.is_empty() {
            Ok(None)
        } else {
            Err(fault("no answer"))
        };
    };
    let code = ReasonCode::from_code(*code);
    let legal = code.filter(|code| code.is_legal_in(PacketType::PubRec, Sender::Client));
    legal.map(Some).ok_or(fault("no answer"))
}

fn number_of(bytes: &[u8]) -> Result<u64, RestoreError> {
    bytes
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| fault("no number"))
}

const fn fault(fault: &'static str) -> RestoreError {
    RestoreError { fault }
}
