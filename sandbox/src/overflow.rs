//! Handling of a message for a subscriber whose queue is full: a setting.

use crate::setting::setting;

/// Handling of a message of QoS 1 or 2 for a subscriber whose queue is full: 1,000 messages or
/// 4 MiB.
///
/// Parses from `drop`, `end-session` and `refuse`. The log tells every message that is lost. A
/// message of QoS 0 is always dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenQueueFull {
    /// The new message isn't queued for this subscriber: what AWS IoT Core documents, and the
    /// default of its profile.
    Drop,
    /// The session ends, so that its client learns of the gap: with DISCONNECT 0x97 if it is
    /// connected, else by the next CONNACK, which says that there is no session. The default of
    /// the profile `mqtt5`.
    EndSession,
    /// The publisher is told 0x97 (Quota exceeded), and nobody gets the message. A retained message
    /// that a new subscription would get has no publisher to refuse: the session ends, as with
    /// [`Self::EndSession`].
    Refuse,
}

setting!(WhenQueueFull {
    Drop => "drop",
    EndSession => "end-session",
    Refuse => "refuse",
});
