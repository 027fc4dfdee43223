//! An MQTT 5 client that says exactly what went wrong, and keeps its promises through outages.
//!
//! [`engine`] is the protocol without sockets, clocks or locks; it is driven by the tokio driver
//! behind `Client` (feature `tokio`, on by default), by tests and by whoever brings a transport of
//! their own. [`aws`] speaks to AWS IoT Core's custom authorizers. A [`store`] lets sessions
//! outlive their process (feature `store` for one in a file).
//!
//! # The log
//!
//! The client writes to [`tracing`](https://docs.rs/tracing). Everything is in the span `client` with the client identifier, and
//! what concerns one attempt and its connection in the span `connection` with its number, which
//! counts from 1.
//!
//! | target | what | levels |
//! |---|---|---|
//! | `dunlin_client::connection` | attempts and connections; both spans | info: connected, disconnected, stopped; warn: slow attempts; error: stopped for good |
//! | `dunlin_client::session` | requests and messages | debug: requests; warn: refused requests, refused or dropped messages, lost subscriptions |
//! | `dunlin_client::store` | what a store keeps | debug: commits; error: the store failed |
//! | `dunlin_client::packets` | each packet: type, identifier, QoS, topic and size; looked at when a connection begins | trace |
//!
//! Warnings of the same fault are written once a second; `left_out` says how many weren't.
//! Payloads, passwords and user names are never written, and text of servers is escaped
//! ([`Escaped`](dunlin_codec::Escaped)).

#[cfg(feature = "tokio")]
mod acknowledgement;
#[cfg(feature = "tokio")]
mod alarm;
mod authentication;
pub mod aws;
#[cfg(feature = "tokio")]
mod backoff;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "tokio")]
mod client;
#[cfg(feature = "tokio")]
mod clock;
#[cfg(feature = "tokio")]
mod driver;
pub mod engine;
mod error;
mod event;
mod farewell;
#[cfg(feature = "tokio")]
mod keeper;
#[cfg(feature = "tokio")]
mod line;
#[cfg(feature = "tokio")]
mod link;
#[cfg(feature = "tokio")]
mod log;
mod message;
#[cfg(feature = "tokio")]
mod observer;
mod options;
mod payload;
mod policy;
#[cfg(feature = "tokio")]
mod provider;
#[cfg(feature = "tokio")]
mod publish;
#[cfg(feature = "tokio")]
mod receipt;
#[cfg(feature = "tokio")]
mod replies;
#[cfg(feature = "tokio")]
mod request;
#[cfg(feature = "tokio")]
mod retry;
#[cfg(feature = "tokio")]
mod router;
pub mod secret;
#[cfg(feature = "tokio")]
mod shared;
#[cfg(feature = "tokio")]
mod state;
pub mod store;
#[cfg(feature = "tokio")]
mod stream;
#[cfg(feature = "tokio")]
mod subscribe;
#[cfg(feature = "tokio")]
mod subscription;
#[cfg(feature = "tokio")]
pub mod transport;
#[cfg(feature = "tokio")]
mod unanswered;
#[cfg(feature = "tokio")]
mod unmatched_queue;
mod will;
#[cfg(feature = "tokio")]
mod window;

#[cfg(feature = "tokio")]
pub use acknowledgement::Acknowledgement;
pub use authentication::{
    Authentication, AuthenticationError, Authenticator, ReauthenticationError,
};
#[cfg(feature = "tokio")]
pub use backoff::Reconnect;
#[cfg(feature = "tokio")]
pub use client::{Client, ClientOptions, Events};
pub use dunlin_codec as codec;
pub use dunlin_codec::{InvalidQoS, QoS};
pub use error::{
    ConnectError, ConnectionError, Omitted, RequestError, ServerReason, StopCause, Violation,
};
pub use event::{Connected, DropCause, Event, RefusedMessage, RefusedRequest, ServerLimits};
pub use farewell::Farewell;
pub use message::{Message, MessageProperties, ReceivedMessage};
#[cfg(feature = "tokio")]
pub use observer::{Direction, ObservedPacket, Observer};
pub use options::{CleanStart, ConnectOptions, OptionsError, QueueLimits, RequestTimeouts};
pub use payload::Payload;
pub use policy::{
    InvalidMessages, LostMessage, LostRequest, Offline, OnDropped, OnSessionLost, OutboundAliases,
};
#[cfg(feature = "tokio")]
pub use provider::{
    ConnectProvider, Failure, NextAttempt, Provided, Provider, ProviderError, Target,
};
#[cfg(feature = "tokio")]
pub use receipt::Receipt;
#[cfg(feature = "tokio")]
pub use retry::{RepeatedViolation, Retry, RetryContext, RetryPolicy};
#[cfg(feature = "tokio")]
pub use stream::{StreamLimits, WhenFull};
#[cfg(feature = "tokio")]
pub use subscribe::SubscribeOptions;
#[cfg(feature = "tokio")]
pub use subscription::{Subscription, Unmatched};
pub use will::Will;
