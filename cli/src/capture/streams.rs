//! `TcpStreams`: the byte streams of TCP connections, put together from segments.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::Direction;

use super::segment::Segment;

/// Event of a TCP connection in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamEvent<'a> {
    /// Number of the connection in the file, from 1 on.
    pub(crate) connection: u32,
    /// Time since 1970-01-01 in UTC.
    pub(crate) at: Duration,
    pub(crate) kind: StreamEventKind<'a>,
}

/// Kind of a [`StreamEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamEventKind<'a> {
    /// The first segment of the connection, by the addresses of client and server. `is_whole` is false
    /// if the file lacks the beginning.
    Opened {
        client: SocketAddr,
        server: SocketAddr,
        is_whole: bool,
    },
    /// Bytes in their order.
    Data(Direction, &'a [u8]),
    /// Number of bytes that the file lacks.
    Gap(Direction, u32),
    /// FIN of both sides, RST, or too many connections at a time.
    Closed,
}

/// Connections of a capture. Memory: [`MOST_CONNECTIONS`], and [`MOST_PENDING`] bytes of segments that
/// arrived early.
#[derive(Debug, Default)]
pub(super) struct TcpStreams {
    flows: HashMap<Key, Flow>,
    /// Keys by the number of their connection: the first is the oldest.
    order: BTreeMap<u32, Key>,
    /// Number of connections so far.
    count: u32,
    /// Bytes of segments that arrived early.
    pending: usize,
    /// Time of the last segment.
    last: Duration,
    /// Number of segments that were there before, in whole.
    pub(super) repeated: u64,
    /// Number of segments that came before earlier ones.
    pub(super) reordered: u64,
}

/// Addresses of both sides, the smaller one first.
type Key = (SocketAddr, SocketAddr);

#[derive(Debug)]
struct Flow {
    number: u32,
    client: SocketAddr,
    sent: HalfStream,
    received: HalfStream,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct HalfStream {
    /// Sequence number of the next byte; `None` before the first segment.
    next: Option<u32>,
    /// Segments that arrived early, by their distance from the first `next`.
    early: BTreeMap<u32, Vec<u8>>,
    is_finished: bool,
}

impl TcpStreams {
    /// Adds a segment, and passes all events that follow from it to `each`.
    pub(super) fn add(
        &mut self,
        segment: &Segment<'_>,
        at: Duration,
        each: &mut impl FnMut(StreamEvent<'_>),
    ) {
        self.last = at;
        let key = (segment.from.min(segment.to), segment.from.max(segment.to));

        // A new SYN on the same ports is a new connection; the one before is over.
        let opens = segment.is_syn && segment.acknowledged.is_none();
        if opens && self.flows.get(&key).is_some_and(Flow::has_data) {
            self.close(key, at, each);
        }
        if !self.flows.contains_key(&key) {
            // The end of a connection that was never seen says nothing.
            if segment.data.is_empty() && !segment.is_syn {
                return;
            }
            self.open(key, segment, at, each);
        }
        let Some(flow) = self.flows.get_mut(&key) else {
            return;
        };
        let number = flow.number;
        let direction = if segment.from == flow.client {
            Direction::Sent
        } else {
            Direction::Received
        };
        let mut emit = |kind: StreamEventKind<'_>| {
            each(StreamEvent {
                connection: number,
                at,
                kind,
            });
        };

        // What the sender acknowledges was on the wire: if the file lacks it, it won't come.
        if let Some(acknowledged) = segment.acknowledged {
            let (half, direction) = match direction {
                Direction::Sent => (&mut flow.received, Direction::Received),
                Direction::Received => (&mut flow.sent, Direction::Sent),
            };
            half.skip_to(acknowledged, direction, &mut self.pending, &mut emit);
        }
        let half = match direction {
            Direction::Sent => &mut flow.sent,
            Direction::Received => &mut flow.received,
        };
        if segment.is_syn {
            // SYN counts as one byte of the sequence.
            half.next = Some(segment.sequence.wrapping_add(1));
        } else if !segment.data.is_empty() {
            match half.take(segment, direction, &mut self.pending, &mut emit) {
                Arrival::InOrder => {}
                Arrival::Early => self.reordered += 1,
                Arrival::Repeated => self.repeated += 1,
            }
        }
        if segment.is_fin {
            half.is_finished = true;
        }
        // Early segments may not fill memory: the missing bytes count as lost.
        while (self.pending > MOST_PENDING && !half.early.is_empty())
            || half.early.len() > MOST_EARLY
        {
            half.give_up_gap(direction, &mut self.pending, &mut emit);
        }
        if segment.is_reset || (flow.sent.is_finished && flow.received.is_finished) {
            self.close(key, at, each);
        }
    }

    /// Ends all connections at the end of the file.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(StreamEvent<'_>)) {
        let at = self.last;
        while let Some((_, key)) = self.order.pop_first() {
            self.close(key, at, each);
        }
    }

    fn open(
        &mut self,
        key: Key,
        segment: &Segment<'_>,
        at: Duration,
        each: &mut impl FnMut(StreamEvent<'_>),
    ) {
        while self.flows.len() >= MOST_CONNECTIONS {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.close(oldest, at, each);
        }
        // SYN tells the client; without it the ports of MQTT do, or else the higher port.
        let is_from_client = match (segment.is_syn, segment.acknowledged) {
            (true, acknowledged) => acknowledged.is_none(),
            (false, _) if MQTT_PORTS.contains(&segment.to.port()) => true,
            (false, _) if MQTT_PORTS.contains(&segment.from.port()) => false,
            (false, _) => segment.from.port() > segment.to.port(),
        };
        let (client, server) = match is_from_client {
            true => (segment.from, segment.to),
            false => (segment.to, segment.from),
        };
        self.count += 1;
        let number = self.count;
        self.order.insert(number, key);
        let flow = Flow {
            number,
            client,
            sent: HalfStream::default(),
            received: HalfStream::default(),
        };
        self.flows.insert(key, flow);
        each(StreamEvent {
            connection: number,
            at,
            kind: StreamEventKind::Opened {
                client,
                server,
                is_whole: segment.is_syn,
            },
        });
    }

    fn close(&mut self, key: Key, at: Duration, each: &mut impl FnMut(StreamEvent<'_>)) {
        let Some(mut flow) = self.flows.remove(&key) else {
            return;
        };
        self.order.remove(&flow.number);
        let mut emit = |kind: StreamEventKind<'_>| {
            each(StreamEvent {
                connection: flow.number,
                at,
                kind,
            });
        };
        // What arrived early is all that there will be.
        while !flow.sent.early.is_empty() {
            flow.sent
                .give_up_gap(Direction::Sent, &mut self.pending, &mut emit);
        }
        while !flow.received.early.is_empty() {
            flow.received
                .give_up_gap(Direction::Received, &mut self.pending, &mut emit);
        }
        emit(StreamEventKind::Closed);
    }
}

/// Order in which a segment arrived.
enum Arrival {
    InOrder,
    Early,
    Repeated,
}

impl HalfStream {
    /// Passes on the bytes of a segment that are next, or keeps them for later.
    fn take(
        &mut self,
        segment: &Segment<'_>,
        direction: Direction,
        pending: &mut usize,
        emit: &mut impl FnMut(StreamEventKind<'_>),
    ) -> Arrival {
        // Without SYN the stream begins with the first segment that the file has.
        let next = *self.next.get_or_insert(segment.sequence);
        let ahead = segment.sequence.wrapping_sub(next);
        if ahead == 0 {
            self.pass_on(segment.data, direction, emit);
        } else if ahead <= LARGEST_DISTANCE {
            // A repetition of an early segment replaces it if it has more.
            let kept = self.early.entry(segment.sequence).or_default();
            if kept.len() < segment.data.len() {
                *pending += segment.data.len() - kept.len();
                *kept = segment.data.to_vec();
            }
            return Arrival::Early;
        } else {
            // Behind: a repetition, whose end may be new.
            let known = usize::try_from(next.wrapping_sub(segment.sequence)).unwrap_or(usize::MAX);
            match segment.data.get(known..).filter(|rest| !rest.is_empty()) {
                Some(rest) => self.pass_on(rest, direction, emit),
                None => return Arrival::Repeated,
            }
        }
        self.pass_on_early(direction, pending, emit);
        Arrival::InOrder
    }

    fn pass_on(
        &mut self,
        bytes: &[u8],
        direction: Direction,
        emit: &mut impl FnMut(StreamEventKind<'_>),
    ) {
        emit(StreamEventKind::Data(direction, bytes));
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.next = self.next.map(|next| next.wrapping_add(len));
    }

    /// Passes on early segments that are next now.
    fn pass_on_early(
        &mut self,
        direction: Direction,
        pending: &mut usize,
        emit: &mut impl FnMut(StreamEventKind<'_>),
    ) {
        while let Some((sequence, ahead)) = self.nearest() {
            if ahead != 0 && ahead <= LARGEST_DISTANCE {
                return;
            }
            let Some(bytes) = self.early.remove(&sequence) else {
                return;
            };
            *pending -= bytes.len();
            let next = self.next.unwrap_or(sequence);
            let known = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            if let Some(rest) = bytes.get(known..).filter(|rest| !rest.is_empty()) {
                self.pass_on(rest, direction, emit);
            }
        }
    }

    /// Early segment that comes first, and its distance from the next byte; a segment after the next
    /// byte has a distance above [`LARGEST_DISTANCE`].
    fn nearest(&self) -> Option<(u32, u32)> {
        let next = self.next?;
        self.early
            .keys()
            .map(|sequence| (*sequence, sequence.wrapping_sub(next)))
            // One behind comes before all that are ahead.
            .min_by_key(|(_, ahead)| ahead.wrapping_add(LARGEST_DISTANCE))
    }

    /// Counts the bytes before the first early segment as lost if the other side has acknowledged
    /// them.
    fn skip_to(
        &mut self,
        acknowledged: u32,
        direction: Direction,
        pending: &mut usize,
        emit: &mut impl FnMut(StreamEventKind<'_>),
    ) {
        while let (Some(next), Some((sequence, ahead))) = (self.next, self.nearest()) {
            let received = acknowledged.wrapping_sub(next);
            let is_lost = ahead != 0
                && ahead <= LARGEST_DISTANCE
                && received <= LARGEST_DISTANCE
                && received >= ahead;
            if !is_lost {
                return;
            }
            emit(StreamEventKind::Gap(direction, ahead));
            self.next = Some(sequence);
            self.pass_on_early(direction, pending, emit);
        }
    }

    /// Counts the bytes before the first early segment as lost.
    fn give_up_gap(
        &mut self,
        direction: Direction,
        pending: &mut usize,
        emit: &mut impl FnMut(StreamEventKind<'_>),
    ) {
        let Some((sequence, ahead)) = self.nearest() else {
            // Without a next byte there are no early segments.
            self.early.clear();
            return;
        };
        emit(StreamEventKind::Gap(direction, ahead));
        self.next = Some(sequence);
        self.pass_on_early(direction, pending, emit);
    }
}

impl Flow {
    /// True once data was seen.
    fn has_data(&self) -> bool {
        self.sent.next.is_some() && self.received.next.is_some()
    }
}

/// Ports of MQTT, and that of AWS IoT Core.
const MQTT_PORTS: [u16; 3] = [1883, 8883, 443];
/// Distance up to which a sequence number is ahead of another one, and not behind it.
const LARGEST_DISTANCE: u32 = u32::MAX / 2;
/// Number of connections that are open at a time; the oldest ends when one more comes.
const MOST_CONNECTIONS: usize = 1024;
/// Bytes of all early segments.
const MOST_PENDING: usize = 16 << 20;
/// Number of early segments of one direction.
const MOST_EARLY: usize = 256;

#[cfg(test)]
mod tests;
