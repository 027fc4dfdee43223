//! Counter that tells publishers when to yield to the driver.

/// Number of messages after which a publisher yields once.
const MESSAGES: u32 = 512;

/// Bytes of new output after which a publisher yields once.
const BYTES: usize = 32 * 1024;

/// Messages and bytes of output that were published since a publisher last yielded.
///
/// A loop that publishes without waiting would never let the driver write. It yields once per 512
/// messages or 32 KiB of new output, however much output there is: a server that is slower than the
/// publisher would otherwise cost a turn of the runtime for each message.
#[derive(Debug, Default)]
pub(crate) struct YieldCounter {
    messages: u32,
    bytes: usize,
}

impl YieldCounter {
    /// Counts a message that added this many bytes to the output.
    #[inline]
    pub(crate) const fn add(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns `true` if publishers have published so much that one should yield; counting then
    /// starts again.
    #[inline]
    pub(crate) const fn take_enough(&mut self) -> bool {
        let is_enough = self.messages >= MESSAGES || self.bytes >= BYTES;
        if is_enough {
            (self.messages, self.bytes) = (0, 0);
        }
        is_enough
    }
}
