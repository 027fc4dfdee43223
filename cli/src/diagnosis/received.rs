//! `ReceivedBytes`: the first bytes of a packet that can't be decoded, kept as evidence.

use std::sync::{Arc, Mutex, PoisonError};

use dunlin_client::{Direction, ObservedPacket, Observer};
use dunlin_codec::{DecodeOptions, Packet, Sender};

/// First bytes of the last packet that isn't valid MQTT 5; shared with the client's observer.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceivedBytes(Arc<Mutex<Vec<u8>>>);

impl ReceivedBytes {
    /// Observer of a client that keeps the first bytes of each packet that can't be decoded.
    pub(crate) fn observer(&self) -> Observer {
        let record = self.recorder();
        Observer::new(move |seen| record(&seen))
    }

    /// Function that keeps the first bytes of a packet that can't be decoded.
    pub(crate) fn recorder(&self) -> impl Fn(&ObservedPacket<'_>) + Send + Sync + use<> {
        let kept = Arc::clone(&self.0);
        let options = DecodeOptions::any_size().with_sender(Sender::Server);
        move |seen| {
            if seen.direction == Direction::Received
                && Packet::decode_with(seen.bytes, &options).is_err()
            {
                let start = seen.bytes.get(..SHOWN).unwrap_or(seen.bytes);
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = start.to_vec();
            }
        }
    }

    /// Bytes that were kept; empty if all packets could be decoded.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Number of bytes that are kept and shown.
pub(super) const SHOWN: usize = 24;
