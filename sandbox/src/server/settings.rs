//! Settings of one sandbox for all its connections.

use std::time::Duration;

use crate::denial::Denials;
use crate::fault::FaultPlan;
use crate::overflow::WhenQueueFull;
use crate::profile::{Profile, Rules};
use crate::qos2::SubscribeQoS2;
use crate::server::limits::{MAX_CONNECTIONS, SESSIONS_PER_CONNECTION};
use crate::websocket_refusal::WebSocketRefusal;

/// Settings of one sandbox, fixed at its start.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) faults: FaultPlan,
    pub(crate) denials: Denials,
    /// Factor by which the service's clocks run faster; at least 1.
    pub(crate) time_scale: u32,
    pub(crate) max_connections: usize,
    /// Handling of a full queue; `None` for that of the profile.
    pub(crate) when_queue_full: Option<WhenQueueFull>,
    /// Answer to a client over WebSocket that is refused.
    pub(crate) websocket_refusal: WebSocketRefusal,
    /// Answer to a SUBSCRIBE at QoS 2 if the profile has no QoS 2.
    pub(crate) subscribe_qos2: SubscribeQoS2,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            faults: FaultPlan::default(),
            denials: Denials::default(),
            time_scale: 1,
            max_connections: MAX_CONNECTIONS,
            when_queue_full: None,
            websocket_refusal: WebSocketRefusal::default(),
            subscribe_qos2: SubscribeQoS2::default(),
        }
    }
}

impl Settings {
    pub(crate) const fn max_sessions(&self) -> usize {
        self.max_connections.saturating_mul(SESSIONS_PER_CONNECTION)
    }

    pub(crate) const fn rules(&self) -> &'static Rules {
        self.profile.rules()
    }

    pub(crate) fn when_queue_full(&self) -> WhenQueueFull {
        self.when_queue_full
            .unwrap_or_else(|| self.rules().when_queue_full)
    }

    /// Duration here of a duration of the service.
    pub(crate) fn scaled(&self, time: Duration) -> Duration {
        time / self.time_scale.max(1)
    }

    pub(crate) fn scaled_seconds(&self, seconds: u32) -> Duration {
        self.scaled(Duration::from_secs(seconds.into()))
    }
}
