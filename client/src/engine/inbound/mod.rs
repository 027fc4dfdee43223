//! Messages that were received: what still has to be acknowledged, in which order, and what was
//! delivered already.

pub(super) mod inbound_aliases;
mod memory_budget;
mod received_changes;
mod refusal;
mod unmatched;
mod unmatched_wait;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dunlin_codec::{AckType, Delivery, PacketId, ReasonCode};

use crate::engine::inbound::unmatched::Unmatched;

/// Names a delivered message until it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(u64);

/// What to do with a received PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    /// Hand it to the application; with a name if it is to be acknowledged.
    Deliver(Option<DeliveryId>),
    /// QoS 2, and it was acknowledged before: PUBREC is due again, in its turn. [MQTT-4.3.3-10]
    Repeat,
    /// It was handed over before, and its acknowledgement is still to come.
    Ignore,
    /// More than this client said that it takes. [MQTT-3.3.4-9]
    TooMany,
    /// The application hasn't taken so many messages of earlier connections that there is no room
    /// for more.
    Untaken(usize),
}

/// Acknowledgements of one session, owed in the order of arrival. [MQTT-4.6.0-2] [MQTT-4.6.0-3]
///
/// Its maps are mostly empty or small: trees cost nothing then, where a hash of the key would be
/// made first.
#[derive(Debug, Default)]
pub(in crate::engine) struct Inbound {
    owed: VecDeque<Owed>,
    /// The place of the first in `owed` among all that there ever were.
    first: u64,
    /// QoS 2 messages whose PUBREL hasn't come.
    unreleased: BTreeMap<PacketId, Unreleased>,
    /// Messages of QoS 1 and 2 that came on this connection and aren't finished.
    unfinished: usize,
    /// What was owed to an earlier connection: the server will repeat it, and it waits for the
    /// application already.
    unrepeated: BTreeMap<PacketId, Owed>,
    /// Where those are that aren't in the place that their name says.
    moved: BTreeMap<DeliveryId, Place>,
    /// What the application has of lost sessions and hasn't taken, with how many takers have still
    /// to.
    stale: BTreeMap<DeliveryId, usize>,
    /// Entries of `owed` that are answered and wait for those before them.
    ready: usize,
    /// Messages that no stream matches yet.
    unmatched: Unmatched,
    /// Bytes of unacknowledged messages above the Receive Maximum; `None` if the connection didn't
    /// resume a session, so that none are tolerated.
    excess_bytes: Option<usize>,
    /// Messages of QoS 2 that were taken, acknowledged or released, where that is to be known.
    pub(in crate::engine) noted: Option<BTreeSet<PacketId>>,
}

/// Unacknowledged messages above the Receive Maximum that are tolerated on a connection that
/// resumed a session: mosquitto 2.0 sends all that waits in the session at once. Closing the
/// connection would bring the same messages again.
const EXCESS_MESSAGES: usize = 16_384;
/// Bytes of such messages.
const EXCESS_BYTES: usize = 16 << 20;

/// How many times the Receive Maximum of what earlier connections brought the application may leave
/// untaken.
const UNTAKEN: usize = 2;

#[derive(Debug)]
struct Owed {
    /// The place that it had first.
    name: DeliveryId,
    packet_id: PacketId,
    ack_type: AckType,
    /// How many more have to take the message.
    takers: usize,
    /// What it is acknowledged with: of several answers the gravest.
    answer: ReasonCode,
    /// Somebody won't answer: it waits for the next connection, and so do those behind it.
    abandoned: bool,
    /// Bytes that count as excess; 0 within the Receive Maximum.
    excess: usize,
    /// PUBREL came before PUBREC was sent: the exchange is over, and the identifier may stand for
    /// another message.
    released: bool,
}

/// An acknowledgement that may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Due {
    pub(in crate::engine) ack_type: AckType,
    pub(in crate::engine) packet_id: PacketId,
    pub(in crate::engine) reason_code: ReasonCode,
}

#[derive(Debug)]
struct Unreleased {
    /// Whether PUBREC was sent.
    received: bool,
    /// Whether it is in `unfinished`: it came on this connection.
    counted: bool,
    /// The place of its PUBREC in `owed`, if it is there: one at a time, however often it is
    /// repeated.
    owed: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Owed(u64),
    Unrepeated(PacketId),
}

impl Inbound {
    /// The server goes on with the session on a new connection.
    pub(in crate::engine) const fn resumed(&mut self) {
        self.excess_bytes = Some(0);
    }

    /// Judges a PUBLISH of `size` bytes under this client's Receive Maximum.
    /// `configured` is the Receive Maximum of the options, which may be larger than the announced
    /// one.
    pub(in crate::engine) fn receive(
        &mut self,
        delivery: Delivery,
        size: usize,
        receive_maximum: u16,
        configured: u16,
    ) -> Verdict {
        let (packet_id, ack_type) = match delivery {
            Delivery::AtMostOnce => return Verdict::Deliver(None),
            Delivery::AtLeastOnce { packet_id, .. } => (packet_id, AckType::PubAck),
            Delivery::ExactlyOnce { packet_id, .. } => (packet_id, AckType::PubRec),
        };
        let repeats = |before: &Owed| {
            before.ack_type == ack_type && (delivery.dup() || ack_type == AckType::PubRec)
        };
        let is_known = self.unrepeated.get(&packet_id).is_some_and(repeats)
            || ack_type == AckType::PubRec && self.unreleased.contains_key(&packet_id);
        let most_untaken = UNTAKEN * usize::from(configured);
        if !is_known && self.stale.len() + self.unrepeated.len() >= most_untaken {
            let untaken = self.untaken();
            if untaken >= most_untaken {
                return Verdict::Untaken(untaken);
            }
        }
        let known = self
            .unreleased
            .get_mut(&packet_id)
            .filter(|_| ack_type == AckType::PubRec);
        let counted = known.as_ref().is_some_and(|known| known.counted);
        // What a server released before PUBREC is finished for it, and still owed here.
        let outstanding = self.unfinished.max(self.owed.len());
        let mut excess = 0;
        if !counted && outstanding >= usize::from(receive_maximum) {
            let above = outstanding - usize::from(receive_maximum);
            match &mut self.excess_bytes {
                Some(bytes) if above < EXCESS_MESSAGES && *bytes + size <= EXCESS_BYTES => {
                    *bytes += size;
                    excess = size;
                }
                _ => return Verdict::TooMany,
            }
        }
        self.unfinished += usize::from(!counted);
        let is_repetition = known.as_ref().is_some_and(|known| known.received);
        let place = self.first + self.owed.len() as u64;
        match known {
            Some(known) if known.owed.is_some() => return Verdict::Ignore,
            Some(known) => (known.counted, known.owed) = (true, Some(place)),
            None if ack_type == AckType::PubRec => {
                let unreleased = Unreleased {
                    received: false,
                    counted: true,
                    owed: Some(place),
                };
                self.unreleased.insert(packet_id, unreleased);
            }
            None => {}
        }
        let before = self.unrepeated.remove(&packet_id);
        if let Some(before) = before {
            if repeats(&before) {
                self.moved.insert(before.name, Place::Owed(place));
                self.ready += usize::from(before.is_ready());
                self.owed.push_back(Owed { excess, ..before });
                return Verdict::Ignore;
            }
            // The identifier stands for another message by now.
            self.moved.remove(&before.name);
            leave_untaken(&mut self.stale, &before);
            self.note(packet_id);
        }
        let name = DeliveryId(place);
        let answer = ReasonCode::Success;
        let takers = usize::from(!is_repetition);
        self.ready += usize::from(is_repetition);
        self.owed.push_back(Owed {
            name,
            packet_id,
            ack_type,
            takers,
            answer,
            abandoned: false,
            excess,
            released: false,
        });
        if is_repetition {
            Verdict::Repeat
        } else {
            Verdict::Deliver(Some(name))
        }
    }

    /// The first message that isn't acknowledged, if there are at least `most`.
    pub(in crate::engine) fn blocking(&self, most: usize) -> Option<DeliveryId> {
        self.owed
            .front()
            .filter(|_| self.owed.len() >= most)
            .map(|owed| owed.name)
    }

    /// Messages that came on this connection and aren't acknowledged.
    pub(in crate::engine) fn outstanding(&self) -> usize {
        self.owed.len()
    }

    /// The message goes to several: all of them have to take it.
    pub(in crate::engine) fn share(&mut self, id: DeliveryId, takers: usize) {
        if let Some(owed) = self.find(id) {
            owed.takers = takers;
        }
    }

    /// One of its takers has the message, or refuses it.
    pub(in crate::engine) fn answer(&mut self, id: DeliveryId, reason_code: ReasonCode) {
        self.unmatched.remove(id);
        if let Some(takers) = self.stale.get_mut(&id) {
            *takers -= 1;
            if *takers == 0 {
                self.stale.remove(&id);
            }
        } else if let Some(owed) = self.find(id) {
            let was_ready = owed.is_ready();
            owed.takers = owed.takers.saturating_sub(1);
            owed.answer = owed.answer.max(reason_code);
            let is_newly_ready = owed.is_ready() && !was_ready;
            let (packet_id, is_it) = (owed.packet_id, owed.ack_type == AckType::PubRec);
            if is_newly_ready && !self.is_awaiting_repetition(id) {
                self.ready += 1;
            }
            if self.noted.is_some() && is_it {
                self.note_change(packet_id);
            }
        }
    }

    /// One of its takers won't answer: it is as if the message had never come, but for its place in
    /// the order.
    pub(in crate::engine) fn abandon(&mut self, id: DeliveryId) {
        if self.stale.remove(&id).is_some() {
            return;
        }
        if let Some(Place::Unrepeated(packet_id)) = self.moved.get(&id).copied() {
            self.moved.remove(&id);
            self.unrepeated.remove(&packet_id);
        } else if let Some(owed) = self.find(id) {
            let was_ready = owed.is_ready();
            owed.abandoned = true;
            self.ready -= usize::from(was_ready);
        }
    }

    /// Whether the application has this message, and hasn't answered it as often as it has it.
    pub(in crate::engine) fn waits_for_takers(&mut self, id: DeliveryId) -> bool {
        self.stale.contains_key(&id) || self.find(id).is_some_and(|owed| owed.takers > 0)
    }

    /// Whether its acknowledgement is still to be sent, on this connection or another one.
    #[cfg(feature = "tokio")]
    pub(in crate::engine) fn may_answer(&mut self, id: DeliveryId) -> bool {
        self.find(id).is_some_and(|owed| owed.takers > 0)
    }

    /// Whether this message comes again, whatever it is answered with.
    pub(in crate::engine) fn is_abandoned(&mut self, id: DeliveryId) -> bool {
        self.find(id).is_some_and(|owed| owed.abandoned)
    }

    /// Whether the server has to repeat this message before it can be acknowledged.
    fn is_awaiting_repetition(&self, id: DeliveryId) -> bool {
        matches!(self.moved.get(&id), Some(Place::Unrepeated(_)))
    }

    /// Nothing for what was acknowledged, or belonged to a session that is lost.
    fn find(&mut self, id: DeliveryId) -> Option<&mut Owed> {
        let place = match self.moved.get(&id) {
            Some(Place::Unrepeated(packet_id)) => return self.unrepeated.get_mut(packet_id),
            Some(Place::Owed(place)) => *place,
            None => id.0,
        };
        self.owed.get_mut(self.index_of(place)?)
    }

    fn index_of(&self, place: u64) -> Option<usize> {
        usize::try_from(place.checked_sub(self.first)?).ok()
    }

    /// The next acknowledgement that may be sent.
    pub(in crate::engine) fn next_due(&mut self) -> Option<Due> {
        let owed = loop {
            if !self.owed.front().is_some_and(Owed::is_ready) {
                return None;
            }
            let owed = self.owed.pop_front()?;
            self.first += 1;
            self.ready = self.ready.saturating_sub(1);
            self.moved.remove(&owed.name);
            self.give_excess_back(owed.excess);
            if !owed.released {
                break owed;
            }
        };
        let Owed {
            packet_id,
            ack_type,
            answer: reason_code,
            ..
        } = owed;
        match ack_type {
            // A refusal ends the exchange: there will be no PUBREL. [MQTT-4.3.3-9]
            AckType::PubRec if reason_code.is_error() => {
                self.release(packet_id);
            }
            AckType::PubRec => {
                if let Some(unreleased) = self.unreleased.get_mut(&packet_id) {
                    (unreleased.received, unreleased.owed) = (true, None);
                }
                self.note(packet_id);
            }
            _ => self.unfinished -= 1,
        }
        Some(Due {
            ack_type,
            packet_id,
            reason_code,
        })
    }

    fn give_excess_back(&mut self, excess: usize) {
        if let Some(bytes) = self.excess_bytes.as_mut().filter(|_| excess > 0) {
            *bytes = bytes.saturating_sub(excess);
        }
    }

    /// PUBREL came; whether its message was known. [MQTT-4.3.3-11]
    pub(in crate::engine) fn release(&mut self, packet_id: PacketId) -> bool {
        let Some(unreleased) = self.unreleased.remove(&packet_id) else {
            return false;
        };
        self.note(packet_id);
        self.unfinished -= usize::from(unreleased.counted);
        // A PUBREC after PUBREL would be taken for that of the next message with this identifier.
        let index = unreleased.owed.and_then(|place| self.index_of(place));
        if let Some(owed) = index.and_then(|index| self.owed.get_mut(index)) {
            owed.released = true;
        }
        if let Some(owed) = self.unrepeated.remove(&packet_id) {
            self.moved.remove(&owed.name);
            leave_untaken(&mut self.stale, &owed);
        }
        true
    }

    /// The connection is gone, and with it the right to acknowledge on it. The server will repeat
    /// what is owed: it is then acknowledged when it is taken, and not handed over again,
    /// unless nobody would take it.
    pub(in crate::engine) fn disconnected(&mut self) {
        self.first += self.owed.len() as u64;
        for owed in std::mem::take(&mut self.owed) {
            if owed.abandoned {
                self.moved.remove(&owed.name);
                continue;
            }
            // The server won't repeat it.
            if owed.released {
                self.moved.remove(&owed.name);
                leave_untaken(&mut self.stale, &owed);
                continue;
            }
            self.moved
                .insert(owed.name, Place::Unrepeated(owed.packet_id));
            // A server that used the identifier twice can repeat only one of them.
            if let Some(former) = self.unrepeated.insert(owed.packet_id, owed) {
                self.moved.remove(&former.name);
                leave_untaken(&mut self.stale, &former);
                self.note(former.packet_id);
            }
        }
        (self.unfinished, self.ready) = (0, 0);
        self.excess_bytes = None;
        for unreleased in self.unreleased.values_mut() {
            (unreleased.counted, unreleased.owed) = (false, None);
        }
    }

    /// The server may have begun another session without this client's knowing: what it repeats
    /// under a known identifier may be another message. At QoS 1 it is delivered; at QoS 2 it
    /// isn't [MQTT-4.3.3-10]: DUP doesn't tell, as some servers repeat without.
    pub(in crate::engine) fn doubt(&mut self) {
        let (moved, stale) = (&mut self.moved, &mut self.stale);
        self.unrepeated.retain(|_, owed| {
            let kept = owed.ack_type == AckType::PubRec;
            if !kept {
                moved.remove(&owed.name);
                leave_untaken(stale, owed);
            }
            kept
        });
    }

    /// The session moves on to another application, which has none of the messages that wait to be
    /// taken: the server's repetitions of them are delivered.
    pub(in crate::engine) fn move_on(&mut self) {
        self.disconnected();
        self.stale.clear();
        self.unmatched.clear();
        let moved = &mut self.moved;
        self.unrepeated.retain(|_, owed| {
            let taken = owed.takers == 0;
            if !taken {
                moved.remove(&owed.name);
            }
            taken
        });
        self.note_all();
        let unrepeated = &self.unrepeated;
        self.unreleased
            .retain(|id, each| each.received || unrepeated.contains_key(id));
    }

    /// Messages of earlier connections that the application hasn't taken.
    fn untaken(&self) -> usize {
        self.stale.len()
            + self
                .unrepeated
                .values()
                .filter(|owed| owed.takers > 0)
                .count()
    }

    /// Whether no message of QoS 2 is known.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.unreleased.is_empty()
    }

    /// The server has forgotten the session. [MQTT-3.2.2-5]
    pub(in crate::engine) fn forget(&mut self) {
        self.unrepeated
            .values()
            .for_each(|owed| leave_untaken(&mut self.stale, owed));
        self.note_all();
        self.unreleased.clear();
        self.unrepeated.clear();
        self.moved.clear();
    }
}

impl Owed {
    /// Whether the acknowledgement may leave, as far as this message is concerned.
    const fn is_ready(&self) -> bool {
        self.takers == 0 && !self.abandoned
    }
}

/// A message won't be acknowledged any more, but the application may still have it.
fn leave_untaken(stale: &mut BTreeMap<DeliveryId, usize>, owed: &Owed) {
    if owed.takers > 0 {
        stale.insert(owed.name, owed.takers);
    }
}
