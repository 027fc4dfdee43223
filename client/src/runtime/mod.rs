//! The tokio side of a client: the task that connects, its connections, and the state that it
//! shares with the client's handles.

pub(crate) mod backoff;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod deadline_timer;
pub(crate) mod driver;
pub(crate) mod log;
pub(crate) mod observer;
pub(crate) mod provider;
pub(crate) mod receive_window;
pub(crate) mod replies;
pub(crate) mod retry;
pub(crate) mod router;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod store_task;
pub(crate) mod stream;
pub(crate) mod unanswered;
mod unmatched_queue;
pub(crate) mod wait_queue;

pub use backoff::Reconnect;
pub use observer::{Direction, ObservedPacket, Observer};
pub use provider::{
    ConnectProvider, Failure, NextAttempt, Provided, Provider, ProviderError, Target,
};
pub use retry::{RepeatedViolation, Retry, RetryContext, RetryPolicy};
pub use stream::{StreamLimits, WhenFull};
