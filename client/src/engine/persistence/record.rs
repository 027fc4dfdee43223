//! The form of what is kept, and the way back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dunlin_codec::{Delivery, Packet, PacketId, PacketType, ReasonCode, Sender};

use crate::engine::clock::{Between, ClockReading, StoredMoment};
use crate::engine::outbound::operation::{Kind, Operation, OperationId, Phase};
use crate::engine::persistence::changes::{Change, RestoreError};
use crate::engine::session::Session;

/// The form of all of it. Another one is refused.
const VERSION: u8 = 2;

/// First byte of the keys that the application's own records have.
pub(in crate::engine) const APPLICATION: u8 = b'u';

/// What a value is about: a letter, and which one.
pub(in crate::engine) enum Key<'a> {
    About,
    /// A request, by its number among all of them.
    Request(u64),
    /// Its packet.
    Packet(u64),
    Received(PacketId),
    Subscription(&'a str),
}

/// What CONNECT hangs on.
#[derive(Debug)]
pub(in crate::engine) struct About {
    client_id: Option<String>,
    established: bool,
    unanswered: bool,
    is_given_up: bool,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Request {
    kind: Kind,
    phase: Phase,
    order: u64,
    /// As of an operation that waits; what is in the output waits before all others.
    place: i64,
    is_anew: bool,
    is_settled: bool,
    expiry: Option<Expiry>,
}

/// How long a message may still wait, and when it was left that time.
#[derive(Debug, Clone, Copy)]
struct Expiry {
    /// In milliseconds.
    left: u64,
    at: StoredMoment,
}

/// No process counts so far.
const HIGHEST: u64 = 1 << 62;

impl Key<'_> {
    pub(in crate::engine) fn change(&self, value: Option<Vec<u8>>) -> Change {
        let key = match self {
            Self::About => b"a".to_vec(),
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

impl About {
    pub(in crate::engine) fn of(session: &Session) -> Self {
        Self {
            client_id: session.client_id.clone(),
            established: session.established,
            unanswered: session.unanswered,
            is_given_up: session.is_given_up,
        }
    }

    pub(in crate::engine) fn is_of(&self, session: &Session) -> bool {
        self.client_id == session.client_id
            && self.established == session.established
            && self.unanswered == session.unanswered
            && self.is_given_up == session.is_given_up
    }

    pub(in crate::engine) fn encode(&self) -> Vec<u8> {
        let flags = [
            self.established,
            self.unanswered,
            self.is_given_up,
            self.client_id.is_some(),
        ];
        let flags = flags
            .into_iter()
            .rev()
            .fold(0, |bits, flag| bits << 1 | u8::from(flag));
        [
            &[VERSION, flags],
            self.client_id.as_deref().unwrap_or_default().as_bytes(),
        ]
        .concat()
    }

    fn decode(value: &[u8]) -> Result<Self, RestoreError> {
        let [VERSION, flags, client_id @ ..] = value else {
            return Err(fault("another version's"));
        };
        let is_set = |bit: u8| flags >> bit & 1 == 1;
        let client_id =
            String::from_utf8(client_id.to_vec()).map_err(|_| fault("no client identifier"))?;
        Ok(Self {
            client_id: is_set(3).then_some(client_id),
            established: is_set(0),
            unanswered: is_set(1),
            is_given_up: is_set(2),
        })
    }
}

impl Request {
    /// Of one that isn't over. What is in the output and not staged is as new.
    pub(in crate::engine) fn of(
        operation: &Operation,
        is_unstaged: bool,
        clock: ClockReading,
    ) -> Self {
        // Some servers acknowledge what they can't have.
        let is_new = is_unstaged && matches!(operation.phase, Phase::Sent(_));
        let expiry = operation.expires.map(|expires| {
            let left = expires.saturating_duration_since(clock.now).as_millis();
            Expiry {
                left: u64::try_from(left).unwrap_or(u64::MAX),
                at: clock.stored(),
            }
        });
        Self {
            kind: operation.kind,
            phase: if is_new {
                Phase::Queued
            } else {
                operation.phase
            },
            order: operation.order,
            place: if is_new {
                i64::MIN.saturating_add_unsigned(operation.order)
            } else {
                operation.place
            },
            is_anew: operation.is_anew,
            is_settled: operation.is_settled(),
            expiry,
        }
    }

    pub(in crate::engine) fn encode(&self) -> Vec<u8> {
        let (phase, packet_id) = match self.phase {
            Phase::Queued | Phase::Done => (0, 0),
            Phase::Sent(packet_id) | Phase::Repeat(packet_id) => (1, packet_id.get()),
            Phase::Released(packet_id) => (2, packet_id.get()),
        };
        let kind = match self.kind {
            Kind::PublishExactlyOnce => 2,
            Kind::PublishAtLeastOnce => 1,
            _ => 0,
        };
        let has_boot = self.expiry.is_some_and(|expiry| expiry.at.boot.is_some());
        let flags = [
            self.is_anew,
            self.is_settled,
            self.expiry.is_some(),
            has_boot,
        ];
        let flags = flags
            .into_iter()
            .rev()
            .fold(0, |bits, flag| bits << 1 | u8::from(flag));
        let mut value = vec![kind, phase, flags];
        value.extend_from_slice(&packet_id.to_be_bytes());
        value.extend_from_slice(&self.order.to_be_bytes());
        value.extend_from_slice(&self.place.to_be_bytes());
        if let Some(Expiry { left, at }) = self.expiry {
            value.extend_from_slice(&left.to_be_bytes());
            value.extend_from_slice(&at.date.to_be_bytes());
            if let Some((boot_id, elapsed)) = at.boot {
                value.extend_from_slice(&boot_id.to_be_bytes());
                value.extend_from_slice(&elapsed.to_be_bytes());
            }
        }
        value
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (&[kind, phase, flags], rest) = value.split_first_chunk()?;
        let (packet_id, rest) = rest.split_first_chunk()?;
        let (order, rest) = rest.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let packet_id = PacketId::new(u16::from_be_bytes(*packet_id));
        let expiry = match flags >> 2 {
            0 if rest.is_empty() => None,
            1 | 3 => Some(Expiry::decode(rest, flags & 8 != 0)?),
            _ => return None,
        };
        Some(Self {
            kind: match kind {
                0 => Kind::Unsubscribe,
                1 => Kind::PublishAtLeastOnce,
                2 => Kind::PublishExactlyOnce,
                _ => return None,
            },
            phase: match phase {
                0 => Phase::Queued,
                1 => Phase::Sent(packet_id?),
                2 => Phase::Released(packet_id?),
                _ => return None,
            },
            order: u64::from_be_bytes(*order),
            place: i64::from_be_bytes(*place),
            is_anew: flags & 1 != 0,
            is_settled: flags & 2 != 0,
            expiry,
        })
    }

    fn is_carried_by(&self, bytes: &[u8]) -> bool {
        let Ok(Some((packet, len))) = Packet::decode(bytes) else {
            return false;
        };
        let is_it = match packet {
            Packet::Unsubscribe(_) => self.kind == Kind::Unsubscribe,
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => false,
                Delivery::AtLeastOnce { dup, .. } => !dup && self.kind == Kind::PublishAtLeastOnce,
                Delivery::ExactlyOnce { dup, .. } => !dup && self.kind == Kind::PublishExactlyOnce,
            },
            _ => false,
        };
        is_it && len == bytes.len()
    }
}

impl Expiry {
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

    /// When it is over by the engine's clock, and whether that is known. Never later than the
    /// application asked for, which its packet says (§3.3.2.3.3).
    fn expires_at(&self, packet: &[u8], clock: ClockReading) -> (Option<Instant>, bool) {
        let (passed, is_known) = match clock.since(self.at) {
            Between::Known(passed) => (passed, true),
            Between::Unknown(at_least) => (at_least, false),
        };
        let asked = match Packet::decode(packet) {
            Ok(Some((Packet::Publish(publish), _))) => publish.properties.message_expiry_interval,
            _ => None,
        };
        let asked = asked.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.into()));
        let left = Duration::from_millis(self.left)
            .min(asked)
            .saturating_sub(passed);
        (clock.now.checked_add(left), is_known)
    }
}

pub(in crate::engine) fn restore(
    kept: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    clock: ClockReading,
) -> Result<Option<Session>, RestoreError> {
    let mut session = Session::new();
    let (mut about, mut requests, mut packets) = (None, BTreeMap::new(), BTreeMap::new());
    let mut is_empty = true;
    for (key, value) in kept {
        // The application's own records say nothing about the session.
        if key.first() == Some(&APPLICATION) {
            continue;
        }
        is_empty = false;
        match &key[..] {
            b"a" => about = Some(About::decode(&value)?),
            [b'm', number @ ..] => {
                let request = Request::decode(&value).ok_or_else(|| fault("no request"))?;
                requests.insert(number_of(number)?, request);
            }
            [b'p', number @ ..] => drop(packets.insert(number_of(number)?, value)),
            [b'r', packet_id @ ..] => {
                let number = packet_id.try_into().map(u16::from_be_bytes).ok();
                let packet_id = number
                    .and_then(PacketId::new)
                    .ok_or_else(|| fault("no packet identifier"))?;
                session.inbound.restore(packet_id, answer_of(&value)?);
            }
            [b's', filter @ ..] => {
                let restored = std::str::from_utf8(filter).ok();
                let restored =
                    restored.and_then(|filter| session.subscriptions.restore(filter, &value));
                restored.ok_or_else(|| fault("no subscription"))?;
            }
            _ => return Err(fault("an unknown key")),
        }
    }
    let Some(about) = about else {
        return if is_empty {
            Ok(None)
        } else {
            Err(fault("without a beginning"))
        };
    };
    session.client_id = about.client_id;
    (session.established, session.unanswered) = (about.established, about.unanswered);
    session.is_given_up = about.is_given_up;
    let last = requests
        .values()
        .map(|each| each.order)
        .max()
        .unwrap_or_default();
    let last = last.max(session.subscriptions.last_number());
    if last.max(requests.keys().next_back().copied().unwrap_or_default()) > HIGHEST {
        return Err(fault("a number beyond all numbers"));
    }
    session.set_order(last);
    let (mut waiting, mut expiring) = (Vec::new(), Vec::new());
    for (number, request) in requests {
        let packet = packets.remove(&number).unwrap_or_default();
        let id = session.restore_request(number, &request, packet, clock)?;
        if request.phase == Phase::Queued {
            waiting.push((request.place, id));
        }
        if request
            .expiry
            .is_some_and(|expiry| !clock.is_of_this_boot(expiry.at))
        {
            expiring.push(id);
        }
    }
    waiting.sort_unstable();
    // It is kept as it is, but for places that change.
    session.note_changes();
    for (_, id) in waiting {
        session.wait_last(id);
        session.watch_expiry(id);
    }
    // From now on their time is measured by the clock of this start.
    expiring
        .into_iter()
        .for_each(|id| session.operations.note(id.key()));
    session.about = Some(Some(About::of(&session)));
    Ok(Some(session))
}

impl Session {
    fn restore_request(
        &mut self,
        number: u64,
        request: &Request,
        packet: Vec<u8>,
        clock: ClockReading,
    ) -> Result<OperationId, RestoreError> {
        let needs_packet = !matches!(request.phase, Phase::Released(_)) && !request.is_settled;
        if number == 0
            || request.kind != Kind::PublishExactlyOnce
                && matches!(request.phase, Phase::Released(_))
        {
            return Err(fault("a request that can't be"));
        }
        if (needs_packet || !packet.is_empty()) && !request.is_carried_by(&packet) {
            return Err(fault("a request without its packet"));
        }
        let expires = request
            .expiry
            .map(|expiry| expiry.expires_at(&packet, clock));
        self.unmeasured_expiries += usize::from(expires.is_some_and(|(_, is_known)| !is_known));
        let id = self.operations.restore(number, request.kind, packet);
        if let Some(operation) = self.operations.get_mut(id.key()) {
            operation.phase = request.phase;
            (operation.order, operation.place) = (request.order, request.place);
            operation.is_anew = request.is_anew;
            operation.expires = expires.and_then(|(expires, _)| expires);
        }
        if request.is_settled {
            self.operations
                .settle(id.key(), Err(crate::error::RequestError::SessionLost));
        }
        if let Phase::Sent(packet_id) | Phase::Released(packet_id) = request.phase
            && !self.ids.reserve(packet_id, id.key())
        {
            return Err(fault("a packet identifier twice"));
        }
        Ok(id)
    }
}

/// Nothing where PUBREC was sent already.
fn answer_of(value: &[u8]) -> Result<Option<ReasonCode>, RestoreError> {
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
