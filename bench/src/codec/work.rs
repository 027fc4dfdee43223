//! The measured work: decoding a stream, reading its fields, and encoding its packets.

use std::hint::black_box;

use dunlin_codec::Packet;

use super::cases::Case;
use super::contestant::{Contestant, Outcome, Task};
use super::dunlin::Borrowed;
use super::fields::{self, Look, Sum};
use crate::timing::Work;

/// Most packets that are encoded before the output is emptied.
pub const AT_ONCE: usize = 64;

/// Most bytes that are encoded before the output is emptied, unless one packet has more.
pub const BYTES_AT_ONCE: usize = 64 * 1024;

/// Packets that are encoded in one run, unless the encoder consumes them.
pub const RUN: usize = 2048;

/// Returns the work of `task` after checking that the codec reads and writes the right text.
pub fn of<C: Contestant>(case: &Case, task: Task) -> Outcome<Box<dyn Work>> {
    if let Some(reason) = C::lacks(task, case) {
        return Err(reason.to_owned());
    }
    match task {
        Task::Decode | Task::Read => {
            let mut sum = Sum::default();
            decode_stream::<C>(case.stream, |packet| C::read(&packet, &mut sum))?;
            if sum != sum_of(case.packets.iter().cycle().take(case.count as usize)) {
                return Err("other text read than was sent".to_owned());
            }
            let decoding = Decoding::<C> {
                input: C::Input::default(),
                stream: case.stream,
                count: case.count,
            };
            Ok(if task == Task::Decode {
                Box::new(decoding)
            } else {
                reading(decoding, case.kind)
            })
        }
        Task::Encode => Ok(Box::new(Encoding::<C, false>::new(case)?)),
        Task::Share => Ok(Box::new(Encoding::<C, true>::new(case)?)),
    }
}

/// Decodes all of `stream` with a new input.
pub fn decode_stream<C: Contestant + ?Sized>(
    stream: &'static [u8],
    each: impl FnMut(C::Packet),
) -> Outcome<()> {
    let mut input = C::Input::default();
    C::refill(&mut input, stream);
    C::decode_all(&mut input, each).map_err(|error| format!("refused: {error:?}"))
}

/// Decoding a stream.
struct Decoding<C: Contestant> {
    input: C::Input,
    stream: &'static [u8],
    count: u32,
}

impl<C: Contestant> Work for Decoding<C> {
    fn prepare(&mut self) {
        C::refill(&mut self.input, self.stream);
    }

    fn run(&mut self) {
        // By value: the optimiser must build the whole packet and move it.
        let outcome = C::decode_all(&mut self.input, |packet| drop(black_box(packet)));
        assert!(outcome.is_ok(), "{} decoded this stream before", C::NAME);
    }

    fn packets(&self) -> u32 {
        self.count
    }
}

/// Decoding a stream of packets of one type, and reading every field.
struct Reading<C: Contestant, const KIND: u8>(Decoding<C>);

/// Returns the work for packets of the type `kind`, so that each type has a loop of its own.
fn reading<C: Contestant>(decoding: Decoding<C>, kind: u8) -> Box<dyn Work> {
    match kind {
        fields::CONNECT => Box::new(Reading::<C, { fields::CONNECT }>(decoding)),
        fields::CONNACK => Box::new(Reading::<C, { fields::CONNACK }>(decoding)),
        fields::PUBLISH => Box::new(Reading::<C, { fields::PUBLISH }>(decoding)),
        fields::PUBACK => Box::new(Reading::<C, { fields::PUBACK }>(decoding)),
        fields::SUBSCRIBE => Box::new(Reading::<C, { fields::SUBSCRIBE }>(decoding)),
        _ => Box::new(Reading::<C, { fields::MIXED }>(decoding)),
    }
}

impl<C: Contestant, const KIND: u8> Work for Reading<C, KIND> {
    fn prepare(&mut self) {
        self.0.prepare();
    }

    fn run(&mut self) {
        let read = |packet| C::read(&packet, &mut Look::<KIND>);
        let outcome = C::decode_all(&mut self.0.input, read);
        assert!(outcome.is_ok(), "{} decoded this stream before", C::NAME);
    }

    fn packets(&self) -> u32 {
        self.0.count
    }
}

/// Encoding packets into an output that is emptied before each group of them, as a connection
/// writes all packets that wait at once.
struct Encoding<C: Contestant, const SHARE: bool> {
    originals: Vec<C::Packet>,
    slots: Vec<Option<C::Packet>>,
    /// Number of packets that are encoded before the output is emptied.
    group: usize,
    output: C::Output,
}

impl<C: Contestant, const SHARE: bool> Encoding<C, SHARE> {
    fn new(case: &Case) -> Outcome<Self> {
        let mut originals = C::packets(case)?;
        originals.truncate(AT_ONCE);
        let most = (BYTES_AT_ONCE as f64 / case.packet_len()) as usize;
        let mut encoding = Self {
            originals,
            slots: Vec::new(),
            group: most.clamp(1, AT_ONCE),
            output: C::Output::default(),
        };
        encoding.check(&case.packets)?;
        Ok(encoding)
    }

    /// Encodes a packet; true if it succeeded.
    #[inline]
    fn encode(slot: &mut Option<C::Packet>, output: &mut C::Output) -> bool {
        if SHARE {
            C::share(slot, output).is_ok()
        } else {
            C::encode(slot, output).is_ok()
        }
    }

    fn repeats(&self) -> usize {
        if C::ENCODES_BY_VALUE {
            1
        } else {
            RUN / AT_ONCE
        }
    }

    /// Encodes each packet once, decodes the bytes with Dunlin, and compares the text.
    fn check(&mut self, packets: &[Packet<'static>]) -> Outcome<()> {
        self.prepare();
        let count = self.originals.len();
        for slot in self.slots.iter_mut().take(count) {
            if SHARE {
                C::share(slot, &mut self.output)?;
            } else {
                C::encode(slot, &mut self.output).map_err(|error| format!("{error:?}"))?;
            }
        }
        let written = C::written(&mut self.output);
        let mut sum = Sum::default();
        decode_stream::<Borrowed>(written.leak(), |packet| Borrowed::read(&packet, &mut sum))?;
        if sum == sum_of(packets.iter().take(count)) {
            Ok(())
        } else {
            Err("other text written than was given".to_owned())
        }
    }
}

impl<C: Contestant, const SHARE: bool> Work for Encoding<C, SHARE> {
    fn prepare(&mut self) {
        if C::ENCODES_BY_VALUE || self.slots.is_empty() {
            let packets = self.originals.iter().cycle().take(AT_ONCE);
            self.slots.clear();
            self.slots.extend(packets.cloned().map(Some));
        }
    }

    fn run(&mut self) {
        for _ in 0..self.repeats() {
            for group in self.slots.chunks_mut(self.group) {
                C::clear(&mut self.output);
                for slot in group {
                    let encoded = Self::encode(slot, &mut self.output);
                    assert!(encoded, "{} encoded this packet before", C::NAME);
                }
            }
        }
    }

    fn packets(&self) -> u32 {
        u32::try_from(self.slots.len() * self.repeats()).expect("a small number")
    }
}

fn sum_of<'p>(packets: impl Iterator<Item = &'p Packet<'static>>) -> Sum {
    let mut sum = Sum::default();
    packets.for_each(|packet| Borrowed::read(packet, &mut sum));
    sum
}
