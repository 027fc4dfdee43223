//! `Stamp`: the first 24 bytes of every payload, by which a receiver knows sender, number and time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Sender, number and time of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Random number of the sender's run, by which other runs are told apart.
    pub(super) run: u32,
    /// Number of the client.
    pub(super) sender: u32,
    /// Number of the message, from 0 on, without a gap.
    pub(super) sequence: u32,
    /// Time at which the message was due, in nanoseconds since 1970.
    pub(super) at: u64,
}

/// Bytes of a stamp.
pub(super) const LEN: usize = 24;
const MAGIC: [u8; 4] = *b"DnlB";

impl Stamp {
    /// Writes the stamp into the first bytes of `payload`, which has at least [`LEN`].
    pub(super) fn write(self, payload: &mut [u8]) {
        let fields = [
            MAGIC,
            self.run.to_be_bytes(),
            self.sender.to_be_bytes(),
            self.sequence.to_be_bytes(),
        ];
        for (bytes, field) in payload.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field);
        }
        if let Some(bytes) = payload.get_mut(16..LEN) {
            bytes.copy_from_slice(&self.at.to_be_bytes());
        }
    }

    /// Reads the stamp of a payload; `None` if a load test didn't send it.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (head, _) = payload.split_first_chunk::<LEN>()?;
        // Four fields of four bytes, then eight bytes of time.
        let ([magic, run, sender, sequence, _, _], _) = head.as_chunks::<4>() else {
            return None;
        };
        let (_, at) = head.split_last_chunk::<8>()?;
        let [run, sender, sequence] =
            [run, sender, sequence].map(|field| u32::from_be_bytes(*field));
        (*magic == MAGIC).then_some(Self {
            run,
            sender,
            sequence,
            at: u64::from_be_bytes(*at),
        })
    }
}

/// Clock of the stamps: the time of the computer at the start of the run, which then runs without the
/// jumps of the computer's clock. Programs on one computer agree about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    offset: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        // Read once: a step of the computer's clock must not change latencies.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            begun: Instant::now(),
            offset: nanos(since),
        }
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// `instant` in nanoseconds since 1970.
    pub(super) fn at(&self, instant: Instant) -> u64 {
        self.offset
            .saturating_add(nanos(instant.saturating_duration_since(self.begun)))
    }

    /// Time since `at`, which is in nanoseconds since 1970; zero if it is in the future.
    pub(super) fn since(&self, at: u64) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(at))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_stamp_reads_back_and_other_payloads_are_refused() {
        let stamp = Stamp {
            run: 7,
            sender: 1,
            sequence: u32::MAX,
            at: 1 << 60,
        };
        let mut payload = vec![b'x'; 64];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert!(payload[LEN..].iter().all(|byte| *byte == b'x'));
        assert_eq!(Stamp::read(&payload[..LEN - 1]), None);
        assert_eq!(Stamp::read(&[b'x'; 64]), None);
    }
}
