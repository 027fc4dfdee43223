//! PINGREQ (§3.12) and PINGRESP (§3.13), which are a fixed header alone.

use super::encoding::Body;
use crate::error::EncodeError;
use crate::packet_type::PacketType;
use crate::sink::Sink;

/// PINGREQ or PINGRESP, which have no body.
pub(super) struct Empty(pub(super) PacketType);

impl Body for Empty {
    fn packet_type(&self) -> PacketType {
        self.0
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write<S: Sink>(&self, _: &mut S) {}
}
