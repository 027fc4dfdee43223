//! `Packet::encode_to_slice`: encoding into bytes that the application owns.

use std::fmt::Debug;

use dunlin_codec::{DecodeError, EncodeError, Packet};

use super::{AS_BORROWED, CAPACITY};
use crate::codec::cases::Case;
use crate::codec::contestant::{Contestant, Outcome, Task};
use crate::codec::fields::Fields;

/// The encoder that works without an allocator.
pub struct ToSlice;

/// Bytes of fixed length, and the number of those that are written.
pub struct Output {
    bytes: Vec<u8>,
    written: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            bytes: vec![0; CAPACITY],
            written: 0,
        }
    }
}

impl Contestant for ToSlice {
    const NAME: &'static str = "Dunlin, to a slice";
    type Input = ();
    type Packet = Packet<'static>;
    type Output = Output;

    fn refill((): &mut (), _: &'static [u8]) {}

    fn decode_all((): &mut (), _: impl FnMut(Packet<'static>)) -> Result<(), impl Debug> {
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(_: &Packet<'static>, _: &mut F) {}

    fn packets(case: &Case) -> Outcome<Vec<Self::Packet>> {
        Ok(case.packets.clone())
    }

    #[inline]
    fn encode(packet: &mut Option<Self::Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.as_ref().expect("every slot has a packet");
        output.written += packet.encode_to_slice(&mut output.bytes[output.written..])?;
        Ok::<_, EncodeError>(())
    }

    fn clear(output: &mut Output) {
        output.written = 0;
    }

    fn written(output: &mut Output) -> Vec<u8> {
        output.bytes[..output.written].to_vec()
    }

    fn lacks(task: Task, _: &Case) -> Option<&'static str> {
        (task != Task::Encode).then_some(AS_BORROWED)
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        Err(AS_BORROWED.to_owned())
    }
}
