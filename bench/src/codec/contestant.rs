//! Operations that a codec must implement to be measured, and the measured work.

use std::fmt::Debug;
use std::hint::black_box;

use dunlin_codec::Packet;
use serde::Serialize;

use super::cases::Case;
use super::dunlin;
use super::fields::{Fields, Look, Sum};
use crate::allocations;
use crate::timing::Work;

/// A codec, used as its own users would use it.
pub trait Contestant: 'static {
    const NAME: &'static str;
    /// True if the encoder consumes the packet. Creating the consumed packets isn't timed.
    const ENCODES_BY_VALUE: bool = false;
    /// Buffer from which packets are decoded.
    type Input: Default;
    /// A packet that is kept, to be encoded.
    type Packet: Clone;
    /// A packet that was just decoded, where its decoder left it.
    type Seen<'p>;
    /// Buffer into which packets are encoded.
    type Output: Default;

    /// Puts `stream` into an input that was read to its end, in the memory that it has.
    fn refill(input: &mut Self::Input, stream: &'static [u8]);

    /// Decodes until there is no whole packet any more. A packet is looked at where its decoder
    /// left it: nobody is charged for moving packets out of results.
    fn decode_all(
        input: &mut Self::Input,
        each: impl FnMut(Self::Seen<'_>),
    ) -> Result<(), impl Debug>;

    /// Hands out every field.
    fn read(packet: Self::Seen<'_>, fields: &mut impl Fields);

    /// The packet, to be kept.
    fn keep(packet: Self::Seen<'_>) -> Self::Packet;

    /// The packets to encode: by default those that were decoded.
    fn packets(case: &Case) -> Outcome<Vec<Self::Packet>> {
        let mut packets = Vec::new();
        decode_stream::<Self>(case.stream, |packet| {
            if packets.len() < case.packets.len() {
                packets.push(Self::keep(packet));
            }
        })?;
        Ok(packets)
    }

    /// Appends the packet, or takes it where it is encoded by value.
    fn encode(packet: &mut Option<Self::Packet>, output: &mut Self::Output) -> Outcome<()>;

    /// Encodes like `encode`, but passes a large payload on without copying it.
    fn share(_: &mut Option<Self::Packet>, _: &mut Self::Output) -> Outcome<()> {
        Err("no way to pass on a payload uncopied".to_owned())
    }

    /// Empties the output and keeps its memory.
    fn clear(output: &mut Self::Output);

    /// All that was encoded.
    fn written(output: &mut Self::Output) -> Vec<u8>;

    /// Why a figure would say nothing; an empty reason leaves its place empty.
    fn lacks(_: Task, _: &Case) -> Option<&'static str> {
        None
    }

    /// Reads the first bytes of a packet as a reader of a connection would, without a limit.
    fn read_some(first: &'static [u8]) -> Outcome<()> {
        let mut input = Self::Input::default();
        Self::refill(&mut input, first);
        Self::decode_all(&mut input, |_| ()).map_err(|error| format!("{error:?}"))
    }
}

/// Operation that is measured for each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    Decode,
    /// Decode, and look at every field.
    Read,
    Encode,
    /// Encode all but the payload, which is shared.
    Share,
}

/// Something, or why there is none.
pub type Outcome<T> = Result<T, String>;

/// A contestant without its type.
pub struct Entry {
    pub name: &'static str,
    pub side: Side,
    /// The work of a task, once it was seen to be done right.
    pub work: fn(&Case, Task) -> Outcome<Box<dyn Work>>,
    /// The most bytes held after the first bytes of a packet.
    pub held_after: fn(&'static [u8]) -> Outcome<u64>,
}

/// Owner of a row in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Dunlin,
    Peer,
    /// Nobody's: a part of the job that can't be left out.
    Limit,
}

impl Entry {
    pub const fn ours<C: Contestant>() -> Self {
        Self {
            name: C::NAME,
            side: Side::Dunlin,
            work: work::<C>,
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

fn work<C: Contestant>(case: &Case, task: Task) -> Outcome<Box<dyn Work>> {
    if let Some(reason) = C::lacks(task, case) {
        return Err(reason.to_owned());
    }
    match task {
        Task::Decode | Task::Read => {
            let mut sum = Sum::default();
            decode_stream::<C>(case.stream, |packet| C::read(packet, &mut sum))?;
            if sum != sum_of(case.packets.iter().cycle().take(case.count as usize)) {
                return Err("other text read than was sent".to_owned());
            }
            let (input, stream, count) = (C::Input::default(), case.stream, case.count);
            Ok(Box::new(Decoding::<C> {
                input,
                stream,
                count,
                look: task == Task::Read,
            }))
        }
        Task::Encode => Ok(Box::new(Encoding::<C, false>::new(case)?)),
        Task::Share => Ok(Box::new(Encoding::<C, true>::new(case)?)),
    }
}

/// The packets that are encoded before the output is emptied, where they differ.
const AT_ONCE: usize = 64;

/// The packets encoded in one run where none is used up.
const RUN: usize = 2048;

/// Decoding a stream, and looking at the fields if that is asked for.
struct Decoding<C: Contestant> {
    input: C::Input,
    stream: &'static [u8],
    count: u32,
    look: bool,
}

impl<C: Contestant> Work for Decoding<C> {
    fn prepare(&mut self) {
        C::refill(&mut self.input, self.stream);
    }

    fn run(&mut self) {
        let outcome = if self.look {
            C::decode_all(&mut self.input, |packet| C::read(packet, &mut Look)).is_ok()
        } else {
            C::decode_all(&mut self.input, |packet| _ = black_box(packet)).is_ok()
        };
        assert!(outcome, "{} decoded this stream before", C::NAME);
    }

    fn packets(&self) -> u32 {
        self.count
    }
}

/// Encoding packets into an output that is emptied before each group of them.
struct Encoding<C: Contestant, const SHARE: bool> {
    originals: Vec<C::Packet>,
    slots: Vec<Option<C::Packet>>,
    output: C::Output,
}

impl<C: Contestant, const SHARE: bool> Encoding<C, SHARE> {
    fn new(case: &Case) -> Outcome<Self> {
        let mut originals = C::packets(case)?;
        originals.truncate(AT_ONCE);
        let mut encoding = Self {
            originals,
            slots: Vec::new(),
            output: C::Output::default(),
        };
        encoding.check(&case.packets)?;
        Ok(encoding)
    }

    #[inline]
    fn encode(slot: &mut Option<C::Packet>, output: &mut C::Output) -> Outcome<()> {
        if SHARE {
            C::share(slot, output)
        } else {
            C::encode(slot, output)
        }
    }

    fn repeats(&self) -> usize {
        if C::ENCODES_BY_VALUE {
            1
        } else {
            RUN / self.originals.len()
        }
    }

    fn check(&mut self, packets: &[Packet<'static>]) -> Outcome<()> {
        self.prepare();
        let count = self.originals.len();
        for slot in self.slots.iter_mut().take(count) {
            Self::encode(slot, &mut self.output)?;
        }
        let written = C::written(&mut self.output);
        let mut sum = Sum::default();
        decode_stream::<dunlin::Borrowed>(written.leak(), |packet| {
            dunlin::Borrowed::read(packet, &mut sum)
        })?;
        if sum == sum_of(packets.iter().take(count)) {
            Ok(())
        } else {
            Err("other text written than was given".to_owned())
        }
    }
}

impl<C: Contestant, const SHARE: bool> Work for Encoding<C, SHARE> {
    fn prepare(&mut self) {
        let count = if C::ENCODES_BY_VALUE {
            AT_ONCE
        } else {
            self.originals.len()
        };
        if C::ENCODES_BY_VALUE || self.slots.is_empty() {
            self.slots.clear();
            self.slots
                .extend(self.originals.iter().cycle().take(count).cloned().map(Some));
        }
    }

    fn run(&mut self) {
        for _ in 0..self.repeats() {
            for group in self.slots.chunks_mut(self.originals.len()) {
                C::clear(&mut self.output);
                for slot in group {
                    let outcome = Self::encode(slot, &mut self.output);
                    assert!(outcome.is_ok(), "{} encoded this packet before", C::NAME);
                }
            }
        }
    }

    fn packets(&self) -> u32 {
        u32::try_from(self.slots.len() * self.repeats()).expect("a small number")
    }
}

fn held_after<C: Contestant>(first: &'static [u8]) -> Outcome<u64> {
    let mut outcome = Ok(());
    let allocations = allocations::count(|| outcome = C::read_some(first));
    outcome.map(|()| allocations.peak)
}

fn decode_stream<C: Contestant + ?Sized>(
    stream: &'static [u8],
    each: impl FnMut(C::Seen<'_>),
) -> Outcome<()> {
    let mut input = C::Input::default();
    C::refill(&mut input, stream);
    C::decode_all(&mut input, each).map_err(|error| format!("refused: {error:?}"))
}

fn sum_of<'p>(packets: impl Iterator<Item = &'p Packet<'static>>) -> Sum {
    let mut sum = Sum::default();
    packets.for_each(|packet| dunlin::Borrowed::read(packet, &mut sum));
    sum
}
