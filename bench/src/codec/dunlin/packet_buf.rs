//! `PacketBuf`: a packet that owns its bytes.

use std::fmt::Debug;

use bytes::{BufMut, BytesMut};
use dunlin_codec::{DecodeError, DecodeOptions, PacketBuf};

use super::{AS_BORROWED, read};
use crate::codec::cases::Case;
use crate::codec::contestant::{Contestant, Task};
use crate::codec::fields::Fields;

/// `PacketBuf::take` splits a packet off a `BytesMut`; its fields are read through `packet()`.
pub struct Owned;

impl Contestant for Owned {
    const NAME: &'static str = "Dunlin, owned (PacketBuf)";
    type Input = BytesMut;
    type Packet = PacketBuf;
    type Output = ();

    fn refill(input: &mut BytesMut, stream: &'static [u8]) {
        input.reserve(stream.len());
        input.put_slice(stream);
    }

    fn decode_all(input: &mut BytesMut, mut each: impl FnMut(PacketBuf)) -> Result<(), impl Debug> {
        let options = DecodeOptions::default();
        while let Some(packet) = PacketBuf::take(input, &options)? {
            each(packet);
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &PacketBuf, fields: &mut F) {
        read::read(&packet.packet(), fields);
    }

    fn encode(_: &mut Option<PacketBuf>, (): &mut ()) -> Result<(), impl Debug> {
        Err(AS_BORROWED)
    }

    fn clear((): &mut ()) {}

    fn written((): &mut ()) -> Vec<u8> {
        Vec::new()
    }

    fn lacks(task: Task, _: &Case) -> Option<&'static str> {
        matches!(task, Task::Encode | Task::Share).then_some(AS_BORROWED)
    }
}
