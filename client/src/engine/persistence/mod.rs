//! The session's changes for a store, and the session that is restored from them.
//!
//! A store has: messages of QoS 1 and 2 and UNSUBSCRIBE requests that weren't answered, with their
//! packet identifiers; received messages of QoS 2 that were answered and not released;
//! subscriptions; and the facts that CONNECT depends on. The rest ends with its process: messages
//! of QoS 0, and SUBSCRIBE requests that weren't answered, whose streams have ended with it.

pub(super) mod change;
mod changes;
pub(super) mod dirty;
mod record;
pub(super) mod records;
pub(super) mod restore;
