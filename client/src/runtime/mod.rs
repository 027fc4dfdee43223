//! The tokio side of a client: the task that connects, its connections, and the state that it
//! shares with the client's handles.
//!
//! Modules use only those above them in this list: `clock`, `wakers`, `deadline_timer`; `router`,
//! `delivery`, `wait_queue`, `manual_acks`, `pending_replies`, `store_progress`, `event_queue`,
//! `lifecycle`; `state`; `shared`; `connection`, `store_task`,
//! `until_stop`; `driver`.

pub(crate) mod backoff;
pub(crate) mod clock;
mod connection;
mod connection_phase;
mod deadline_timer;
mod delivery;
pub(crate) mod driver;
mod event_queue;
mod lifecycle;
pub(crate) mod log;
pub(crate) mod manual_acks;
pub(crate) mod observer;
pub(crate) mod pending_replies;
pub(crate) mod provider;
mod read_buffer;
pub(crate) mod retry;
pub(crate) mod router;
pub(crate) mod shared;
pub(crate) mod state;
mod store_progress;
mod store_task;
mod until_stop;
pub(crate) mod wait_queue;
mod wakers;
mod write_buffer;
mod yield_counter;

pub use backoff::Reconnect;
pub use observer::{Direction, ObservedPacket, Observer};
pub use provider::{ConnectProvider, NextAttempt, Provided, Provider, Target};
pub use retry::{RepeatedViolation, Retry, RetryContext, RetryPolicy};
pub use router::{StreamLimits, WhenFull};
