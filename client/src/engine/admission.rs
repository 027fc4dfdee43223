//! Which requests are accepted: there has to be room, or a policy that makes it.

use dunlin_codec::QoS;

use super::Engine;
use crate::error::RequestError;
use crate::policy::Offline;

impl Engine {
    /// Whether a request of `more` bytes may join those that wait; a message has its QoS.
    pub(super) fn admit(&mut self, message: Option<QoS>, more: usize) -> Result<(), RequestError> {
        let policy = self.options.offline;
        let refuses = match policy {
            Offline::KeepAll | Offline::DropOldest => false,
            Offline::DropQoS0 => message == Some(QoS::AtMostOnce),
            Offline::Reject => true,
        };
        if refuses && !self.is_connected() {
            return Err(RequestError::Offline);
        }
        while let Err(full) = self.check_room(more) {
            // What no room would do for costs nobody theirs.
            let may_fit = self.output.len().saturating_add(more) <= self.options.queue.bytes;
            if policy != Offline::DropOldest || !may_fit || !self.session.drop_oldest() {
                return Err(full);
            }
        }
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), RequestError> {
        let (count, bytes) = self.load();
        let limits = self.options.queue;
        // One request alone always fits: how large it may be is the server's matter.
        if count >= limits.count || bytes > 0 && bytes.saturating_add(more) > limits.bytes {
            return Err(RequestError::QueueFull { count, bytes });
        }
        Ok(())
    }
}
