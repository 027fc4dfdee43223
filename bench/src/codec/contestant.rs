//! Operations that a codec must implement to be measured.

use std::fmt::Debug;

use serde::Serialize;

use super::cases::Case;
use super::fields::Fields;
use super::work;
use crate::allocations;
use crate::timing::Work;

/// A codec, used the way its documentation recommends.
pub trait Contestant: 'static {
    /// Name of the codec in the tables.
    const NAME: &'static str;
    /// True if the encoder consumes the packet. The packets to consume are cloned before the clock
    /// starts.
    const ENCODES_BY_VALUE: bool = false;
    /// Buffer from which packets are decoded.
    type Input: Default;
    /// Packet as the decoder returns it.
    type Packet: Clone;
    /// Buffer into which packets are encoded.
    type Output: Default;

    /// Puts `stream` into an input whose bytes were all consumed, and reuses its memory.
    fn refill(input: &mut Self::Input, stream: &'static [u8]);

    /// Decodes packets until no complete packet is left, and passes each on by value.
    ///
    /// This is the loop that an application writes, so it pays for every move of a packet out of
    /// the decoder's result.
    ///
    /// # Errors
    /// The decoder's error about the first packet that it refuses.
    fn decode_all(
        input: &mut Self::Input,
        each: impl FnMut(Self::Packet),
    ) -> Result<(), impl Debug>;

    /// Passes every field of the packet to `fields`.
    fn read<F: Fields>(packet: &Self::Packet, fields: &mut F);

    /// Returns the packets to encode; by default those that were decoded.
    fn packets(case: &Case) -> Outcome<Vec<Self::Packet>> {
        let mut packets = Vec::new();
        work::decode_stream::<Self>(case.stream, |packet| {
            if packets.len() < case.packets.len() {
                packets.push(packet);
            }
        })?;
        Ok(packets)
    }

    /// Appends the packet to the output. An encoder that consumes packets takes it out of the
    /// option.
    ///
    /// # Errors
    /// The encoder's error; nothing else is in the measured loop.
    fn encode(
        packet: &mut Option<Self::Packet>,
        output: &mut Self::Output,
    ) -> Result<(), impl Debug>;

    /// Encodes like `encode`, but passes a large payload on without copying it.
    fn share(_: &mut Option<Self::Packet>, _: &mut Self::Output) -> Outcome<()> {
        Err("no way to pass on a payload without copying it".to_owned())
    }

    /// Empties the output and keeps its memory.
    fn clear(output: &mut Self::Output);

    /// Returns all encoded bytes.
    fn written(output: &mut Self::Output) -> Vec<u8>;

    /// Reason why this codec is left out of a task; an empty reason leaves the cell empty.
    fn lacks(_: Task, _: &Case) -> Option<&'static str> {
        None
    }

    /// Reads the first bytes of a packet as a reader of a connection does, with no maximum size.
    fn read_some(first: &'static [u8]) -> Outcome<()> {
        let mut input = Self::Input::default();
        Self::refill(&mut input, first);
        Self::decode_all(&mut input, |_| ()).map_err(|error| format!("{error:?}"))
    }
}

/// Operation that is measured for each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// Decode, and move each packet to where the optimiser can't see it.
    Decode,
    /// Decode, and read every field of each packet.
    Read,
    /// Encode into a buffer that has enough capacity.
    Encode,
    /// Encode all but the payload, which is shared.
    Share,
}

/// A value, or the reason why there is none.
pub type Outcome<T> = Result<T, String>;

/// A contestant without its type.
pub struct Entry {
    pub name: &'static str,
    pub side: Side,
    /// Returns the work of a task after checking that the codec does it right.
    pub work: fn(&Case, Task) -> Outcome<Box<dyn Work>>,
    /// Number of packets that the codec takes from a stream before its first error; `None` for a
    /// limit, which decodes nothing.
    pub accepts: Option<fn(&'static [u8]) -> usize>,
    /// Most bytes held after the first bytes of a packet.
    pub held_after: fn(&'static [u8]) -> Outcome<u64>,
}

/// Owner of a row in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Dunlin,
    Peer,
    /// Not a codec: a part of the work that no codec can leave out.
    Limit,
}

impl Entry {
    pub const fn ours<C: Contestant>() -> Self {
        Self {
            name: C::NAME,
            side: Side::Dunlin,
            work: work::of::<C>,
            accepts: Some(accepts::<C>),
            held_after: held_after::<C>,
        }
    }

    #[cfg(feature = "peers")]
    pub const fn peer<C: Contestant>() -> Self {
        Self {
            side: Side::Peer,
            ..Self::ours::<C>()
        }
    }
}

fn accepts<C: Contestant>(stream: &'static [u8]) -> usize {
    let mut packets = 0;
    // The number of packets before the error is the result.
    let _ = work::decode_stream::<C>(stream, |_| packets += 1);
    packets
}

fn held_after<C: Contestant>(first: &'static [u8]) -> Outcome<u64> {
    let mut outcome = Ok(());
    let allocations = allocations::count(|| outcome = C::read_some(first));
    outcome.map(|()| allocations.peak)
}
