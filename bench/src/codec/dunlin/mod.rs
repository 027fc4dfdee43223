//! Dunlin itself: `Packet::decode`, the decoders of one packet type, `PacketBuf`, and
//! `encode_to_slice`.

mod direct;
mod packet_buf;
mod read;
mod to_slice;

use std::fmt::Debug;
use std::mem;

use bytes::{BufMut, Bytes, BytesMut};
use dunlin_codec::{DecodeError, Packet};

use super::cases::Case;
use super::contestant::{Contestant, Outcome};
use super::fields::Fields;

pub use direct::Direct;
pub use packet_buf::Owned;
pub use to_slice::ToSlice;

/// `Packet::decode`: any packet, borrowed from the input.
pub struct Borrowed;

impl Contestant for Borrowed {
    const NAME: &'static str = "Dunlin, borrowed";
    type Input = &'static [u8];
    type Packet = Packet<'static>;
    type Output = Output;

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(
        input: &mut Self::Input,
        mut each: impl FnMut(Packet<'static>),
    ) -> Result<(), impl Debug> {
        let mut rest = mem::take(input);
        while let Some((packet, len)) = Packet::decode(rest)? {
            rest = &rest[len..];
            each(packet);
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &Packet<'static>, fields: &mut F) {
        read::read(packet, fields);
    }

    fn packets(case: &Case) -> Outcome<Vec<Self::Packet>> {
        Ok(case.packets.clone())
    }

    #[inline]
    fn encode(packet: &mut Option<Self::Packet>, output: &mut Output) -> Result<(), impl Debug> {
        let packet = packet.as_ref().expect("every slot has a packet");
        packet.encode(&mut output.head)
    }

    #[inline]
    fn share(packet: &mut Option<Self::Packet>, output: &mut Output) -> Outcome<()> {
        let Some(Packet::Publish(publish)) = packet else {
            return Err("is no PUBLISH".to_owned());
        };
        publish
            .encode_head(&mut output.head)
            .map_err(|error| error.to_string())?;
        let payload = output
            .payload
            .get_or_insert_with(|| Bytes::copy_from_slice(publish.payload));
        output.tails.push(payload.clone());
        Ok(())
    }

    fn clear(output: &mut Output) {
        output.head.clear();
        output.tails.clear();
    }

    fn written(output: &mut Output) -> Vec<u8> {
        let mut written = output.head.to_vec();
        output.tails.iter().for_each(|tail| written.put_slice(tail));
        written
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        // The caller owns the input; the row of `PacketBuf` reads into a buffer.
        Err(AS_BORROWED.to_owned())
    }
}

/// Buffer for encoded bytes, and the payloads that were passed on without copying.
pub struct Output {
    head: BytesMut,
    tails: Vec<Bytes>,
    payload: Option<Bytes>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            head: BytesMut::with_capacity(CAPACITY),
            tails: Vec::with_capacity(1),
            payload: None,
        }
    }
}

/// Capacity of an output buffer in bytes, enough that it never grows.
const CAPACITY: usize = 128 * 1024;

/// Empty reason: the row of `Borrowed` has the figure.
const AS_BORROWED: &str = "";
