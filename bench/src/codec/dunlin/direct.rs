//! `Publish::decode_with` and `Ack::decode_with`: the packets that a busy connection mostly carries.

use std::fmt::Debug;
use std::mem;

use dunlin_codec::{Ack, DecodeError, DecodeOptions, Decoded, Packet, Publish};

use super::{AS_BORROWED, read};
use crate::codec::cases::Case;
use crate::codec::contestant::{Contestant, Outcome, Task};
use crate::codec::fields::Fields;

/// `Publish::decode_with` and `Ack::decode_with` by the first byte; `Packet::decode` for other packets.
pub struct Direct;

/// Packet as its own decoder returns it.
#[derive(Clone)]
pub enum DirectPacket {
    Publish(Publish<'static>),
    Ack(Ack<'static>),
}

impl Contestant for Direct {
    const NAME: &'static str = "Dunlin, direct";
    type Input = &'static [u8];
    type Packet = DirectPacket;
    type Output = ();

    fn refill(input: &mut Self::Input, stream: &'static [u8]) {
        *input = stream;
    }

    fn decode_all(
        input: &mut Self::Input,
        mut each: impl FnMut(DirectPacket),
    ) -> Result<(), impl Debug> {
        let mut rest = mem::take(input);
        let options = DecodeOptions::default();
        while let Some(first) = rest.first() {
            let len = match first >> 4 {
                PUBLISH => {
                    let Decoded::Packet(publish, len) = Publish::decode_with(rest, &options)?
                    else {
                        break;
                    };
                    each(DirectPacket::Publish(publish));
                    len
                }
                PUBACK..=PUBCOMP => {
                    let Decoded::Packet((_, ack), len) = Ack::decode_with(rest, &options)? else {
                        break;
                    };
                    each(DirectPacket::Ack(ack));
                    len
                }
                // The cases of this row have no other packet with fields.
                _ => {
                    let Some((_, len)) = Packet::decode(rest)? else {
                        break;
                    };
                    len
                }
            };
            rest = &rest[len..];
        }
        Ok::<_, DecodeError>(())
    }

    #[inline(always)]
    fn read<F: Fields>(packet: &DirectPacket, fields: &mut F) {
        match packet {
            DirectPacket::Publish(publish) => read::read_publish(publish, fields),
            DirectPacket::Ack(ack) => read::read_ack(ack, fields),
        }
    }

    fn encode(_: &mut Option<Self::Packet>, (): &mut ()) -> Result<(), impl Debug> {
        Err(AS_BORROWED)
    }

    fn clear((): &mut ()) {}

    fn written((): &mut ()) -> Vec<u8> {
        Vec::new()
    }

    fn lacks(task: Task, case: &Case) -> Option<&'static str> {
        let has_decoder = matches!(
            case.packets.first(),
            Some(Packet::Publish(_) | Packet::PubAck(_))
        );
        let decodes = matches!(task, Task::Decode | Task::Read);
        (!(decodes && has_decoder)).then_some(AS_BORROWED)
    }

    fn read_some(_: &'static [u8]) -> Outcome<()> {
        Err(AS_BORROWED.to_owned())
    }
}

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const PUBCOMP: u8 = 7;
