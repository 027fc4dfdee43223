//! The client's log: its targets, its spans, the level of each event, and equal warnings that are
//! left out.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use dunlin_codec::{DecodeOptions, Escaped, Packet, PacketId};
use tracing::{Span, debug, error, field, info, info_span, trace, warn};

use crate::error::{EndCause, RequestError, StopCause};
use crate::event::{Event, RefusedRequest};
use crate::message::Message;
use crate::runtime::observer::{Direction, ObservedPacket};

/// Attempts, connections and their ends.
pub(crate) const CONNECTION: &str = "dunlin_client::connection";
/// Each packet on the wire, at trace.
pub(crate) const PACKETS: &str = "dunlin_client::packets";
/// Requests, subscriptions and messages.
pub(crate) const SESSION: &str = "dunlin_client::session";
/// Commits and errors of the store.
pub(crate) const STORE: &str = "dunlin_client::store";

/// Shortest time between two equal warnings.
const QUIET: Duration = Duration::from_secs(1);
/// Number of different warnings that are remembered for `QUIET`.
const REMEMBERED: usize = 32;

/// Span of all that a client does. Without an identifier of its own, the server's choice is
/// recorded later.
pub(crate) fn client_span(client_id: &str) -> Span {
    match client_id {
        "" => info_span!(target: CONNECTION, "client", client_id = field::Empty),
        _ => info_span!(target: CONNECTION, "client", client_id = %Escaped(client_id)),
    }
}

/// Span of one attempt to connect, and of the connection that it leads to; `number` counts from 1.
pub(crate) fn connection_span(number: u64) -> Span {
    info_span!(target: CONNECTION, "connection", number)
}

/// Counts equal warnings, of which one a second is written.
///
/// Warnings are equal if they tell of the same fault, whatever their topics: a server can choose
/// another topic each time.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    recent: Vec<Recent>,
    /// Number of warnings that were left out and are equal to none of `recent` any more.
    left_out: u64,
}

#[derive(Debug)]
struct Recent {
    key: u64,
    written: Instant,
    /// Number of equal warnings since, which weren't written.
    left_out: u64,
}

impl Warnings {
    /// True if a warning is written: `None` if an equal one was written less than a second ago,
    /// otherwise the number of equal ones that were left out since.
    pub(crate) fn admit(&mut self, key: impl Hash, now: Instant) -> Option<u64> {
        // Only the hash is kept, so no text of the server stays in memory. A collision leaves out
        // one warning, and it is counted.
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let key = hasher.finish();
        if let Some(recent) = self.recent.iter_mut().find(|recent| recent.key == key) {
            if now.saturating_duration_since(recent.written) < QUIET {
                recent.left_out = recent.left_out.saturating_add(1);
                return None;
            }
            recent.written = now;
            return Some(std::mem::take(&mut recent.left_out));
        }
        // The oldest kind makes way. What was left out of it goes into the sum that is logged at
        // the end.
        if self.recent.len() == REMEMBERED {
            let forgotten = self.recent.remove(0);
            self.left_out = self.left_out.saturating_add(forgotten.left_out);
        }
        self.recent.push(Recent {
            key,
            written: now,
            left_out: 0,
        });
        Some(0)
    }

    /// Number of warnings that were left out and not told of yet. None is, afterwards.
    pub(crate) fn take_left_out(&mut self) -> u64 {
        let recent = self.recent.drain(..).map(|recent| recent.left_out);
        recent.fold(std::mem::take(&mut self.left_out), u64::saturating_add)
    }
}

/// Key that equal warnings share; `None` for an event that isn't a warning, or is rare.
pub(crate) fn warning_key(event: &Event) -> Option<(&'static str, Cow<'static, str>)> {
    match event {
        Event::MessageRefused(refused) => Some(("refused", refused.reason.field.into())),
        Event::MessageDropped { cause, .. } => Some(("dropped", format!("{cause:?}").into())),
        Event::SubscriptionLost { cause, .. } => {
            let cause = match &**cause {
                RequestError::Refused(reason) => reason.reason_code.name().into(),
                other => other.to_string().into(),
            };
            Some(("lost", cause))
        }
        _ => None,
    }
}

/// Writes an event of the client, `left_out` warnings equal to which weren't written.
pub(crate) fn write(event: &Event, left_out: u64) {
    match event {
        // Attempts are for debugging; a connection and its end are news; what loses a message or a
        // subscription is a warning. Only an end that nobody asked for is an error.
        Event::Attempt {
            attempt,
            host,
            port,
            client_id,
        } => debug!(
            target: CONNECTION,
            attempt,
            host = %Escaped(host),
            port,
            client_id = %Escaped(client_id),
            "connecting"
        ),
        Event::Opened(opened) => debug!(
            target: CONNECTION,
            peer = %opened.peer,
            tls = opened.tls.is_some(),
            resolve_time = ?opened.resolve_time,
            tcp_time = ?opened.tcp_time,
            tls_time = ?opened.tls_time,
            "opened"
        ),
        Event::Connected(connected) => info!(
            target: CONNECTION,
            client_id = %Escaped(&connected.client_id),
            session_present = connected.session_present,
            keep_alive = connected.limits.keep_alive,
            receive_maximum = connected.limits.receive_maximum,
            elapsed = ?connected.elapsed,
            "connected"
        ),
        Event::Disconnected { cause, retry_in } => match cause {
            EndCause::Attempt(cause) => {
                info!(target: CONNECTION, %cause, ?retry_in, "connecting failed");
            }
            EndCause::Connection(cause) => {
                info!(target: CONNECTION, %cause, ?retry_in, "disconnected");
            }
        },
        Event::MessageRefused(refused) => warn!(
            target: SESSION,
            topic = %Escaped(&refused.topic),
            qos = refused.qos.level(),
            reason = %refused.reason,
            left_out,
            "message refused"
        ),
        Event::SubscriptionLost { filter, cause } => {
            warn!(target: SESSION, filter = %Escaped(filter), %cause, left_out, "subscription lost");
        }
        Event::MessageDropped {
            topic,
            cause,
            count,
            bytes,
        } => {
            warn!(target: SESSION, topic = %Escaped(topic), ?cause, count, bytes, left_out, "message dropped");
        }
        Event::WindowClosed { filter, is_taken } => warn!(
            target: SESSION,
            filter = filter.as_ref().map(field_of),
            is_taken,
            left_out,
            "one message keeps the server from sending others"
        ),
        Event::ExpiryUnmeasured { messages } => warn!(
            target: STORE,
            messages,
            "the calendar was set, so the age of stored messages that expire isn't known"
        ),
        Event::Stopped(cause @ StopCause::Requested) => {
            info!(target: CONNECTION, %cause, "stopped");
        }
        Event::Stopped(cause) => error!(target: CONNECTION, %cause, "stopped for good"),
    }
}

/// Writes that the server refused a request.
pub(crate) fn write_refusal(refused: &RefusedRequest, left_out: u64) {
    warn!(
        target: SESSION,
        packet = refused.packet_type.name(),
        packet_id = refused.packet_id.get(),
        reason_code = %refused.reason_code,
        filter = refused.filter.as_ref().map(field_of),
        reason_string = refused.reason_string.as_ref().map(field_of),
        left_out,
        "request refused"
    );
}

/// Writes that `left_out` warnings weren't written, and won't be.
pub(crate) fn write_left_out(left_out: u64) {
    if left_out > 0 {
        warn!(target: SESSION, left_out, "equal warnings were left out");
    }
}

/// Writes that the application has published `message`, or tried to.
#[inline]
pub(crate) fn write_publish<T>(
    span: &Span,
    message: &Message<'_>,
    accepted: &Result<T, RequestError>,
) {
    debug!(
        target: SESSION,
        parent: span,
        topic = %Escaped(message.topic),
        qos = message.qos.level(),
        bytes = message.payload.len(),
        error = accepted.as_ref().err().map(field::display),
        "publish"
    );
}

/// Writes that the application makes a request about `filter`.
pub(crate) fn write_request(span: &Span, request: &'static str, filter: &str) {
    debug!(target: SESSION, parent: span, request, filter = %Escaped(filter), "request");
}

/// Writes one packet: its type, and of a PUBLISH what it is about. Nothing in it is secret.
pub(crate) fn write_packet(seen: &ObservedPacket<'_>) {
    let size = seen.bytes.len();
    let direction = match seen.direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    // Only what identifies a packet is logged. Payloads, user names and passwords are never among
    // the fields.
    match Packet::decode_with(seen.bytes, &DecodeOptions::any_size()) {
        Ok(Some((Packet::Publish(publish), _))) => trace!(
            target: PACKETS,
            packet = "PUBLISH",
            id = publish.delivery.packet_id().map(PacketId::get),
            qos = publish.delivery.qos().level(),
            topic = publish.topic.as_ref().map(|topic| field_of(topic.as_str())),
            alias = publish.properties.topic_alias.map(|alias| alias.get()),
            size,
            "{direction}"
        ),
        Ok(Some((packet, _))) => {
            let id = packet_id(&packet).map(PacketId::get);
            trace!(target: PACKETS, packet = packet.packet_type().name(), id, size, "{direction}");
        }
        Ok(None) | Err(_) => trace!(target: PACKETS, packet = "malformed", size, "{direction}"),
    }
}

fn packet_id(packet: &Packet<'_>) -> Option<PacketId> {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            Some(ack.packet_id)
        }
        Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
        Packet::SubAck(suback) => Some(suback.packet_id),
        Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
        Packet::UnsubAck(unsuback) => Some(unsuback.packet_id),
        _ => None,
    }
}

/// Text of others, as the value of a field.
fn field_of<T: std::fmt::Display>(text: T) -> field::DisplayValue<Escaped<T>> {
    field::display(Escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_warnings_are_written_once_a_second_with_a_count() {
        let mut warnings = Warnings::default();
        let begin = crate::runtime::clock::now();
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(warnings.admit("a", at(0)), Some(0));
        assert_eq!(warnings.admit("b", at(0)), Some(0), "another one");
        for millis in [0, 500, 999] {
            assert_eq!(warnings.admit("a", at(millis)), None);
        }
        assert_eq!(warnings.admit("a", at(1000)), Some(3));
        assert_eq!(warnings.admit("a", at(1001)), None);
        assert_eq!(warnings.take_left_out(), 1);
        assert_eq!(warnings.take_left_out(), 0);
    }

    #[test]
    fn only_the_latest_warnings_are_remembered() {
        let mut warnings = Warnings::default();
        let now = crate::runtime::clock::now();
        for key in 0..1000 {
            assert_eq!(warnings.admit(key, now), Some(0));
        }
        assert_eq!(warnings.recent.len(), REMEMBERED);
        assert_eq!(warnings.take_left_out(), 0);
    }

    #[test]
    fn a_warning_that_is_not_remembered_any_more_keeps_its_count() {
        let mut warnings = Warnings::default();
        let now = crate::runtime::clock::now();
        for key in 0..=REMEMBERED {
            assert_eq!(warnings.admit(key, now), Some(0));
            assert_eq!(warnings.admit(key, now), None);
        }
        assert_eq!(warnings.take_left_out(), 33);
        assert_eq!(warnings.take_left_out(), 0);
    }
}
