//! Will of a connection, as its CONNECT has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::Will;

use crate::server::charge::MemoryCounter;
use crate::server::close_reason::CloseReason;
use crate::server::message::Message;
use crate::server::settings::Settings;

/// Will of a connection, with the times that begin when it ends.
#[derive(Debug)]
pub(crate) struct ConnectionWill {
    pub(super) message: Message,
    /// Message Expiry Interval, from the publication on; `None` for a will that never expires.
    pub(super) expiry: Option<Duration>,
    /// Will Delay Interval; zero for none.
    pub(super) delay: Duration,
}

impl ConnectionWill {
    /// Copies the will of a CONNECT, within the limits of the profile.
    ///
    /// # Errors
    /// The end of the connection if the will can't be encoded.
    pub(crate) fn new(
        will: &Will<'_>,
        client_id: &Arc<str>,
        settings: &Settings,
        memory: &MemoryCounter,
        now: Instant,
    ) -> Result<Self, CloseReason> {
        let range = &settings.rules().message_expiry;
        let expiry = will.properties.message_expiry_interval;
        let expiry = expiry.map(|seconds| seconds.clamp(*range.start(), *range.end()));
        let delay = will
            .properties
            .will_delay_interval
            .filter(|_| settings.rules().will_delay)
            .unwrap_or(0);
        Ok(Self {
            message: Message::of_will(will, client_id, settings, memory, now)?,
            expiry: expiry.map(|seconds| settings.scaled_seconds(seconds)),
            delay: settings.scaled_seconds(delay),
        })
    }
}
