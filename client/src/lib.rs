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

mod authentication;
pub mod aws;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "tokio")]
mod client;
mod disconnect;
mod domains;
pub mod engine;
pub mod error;
mod event;
mod limits;
mod message;
mod options;
mod payload;
mod policy;
#[cfg(feature = "tokio")]
mod runtime;
pub mod secret;
pub mod store;
#[cfg(feature = "tokio")]
pub mod transport;
mod will;

pub use authentication::{
    Authentication, AuthenticationError, Authenticator, ReauthenticationError,
};
#[cfg(feature = "tokio")]
pub use client::{
    Acknowledgement, Client, ClientOptions, Events, Receipt, SubscribeOptions, Subscription,
    Unmatched,
};
pub use disconnect::DisconnectOptions;
pub use dunlin_codec as codec;
pub use dunlin_codec::{InvalidQoS, QoS};
pub use error::{
    ConnectError, ConnectionError, Omitted, OptionsError, ProviderError, RequestError,
    ServerReason, StopCause, Violation,
};
pub use event::{Connected, DropCause, Event, RefusedMessage, RefusedRequest, ServerLimits};
pub use message::{Message, MessageProperties, ReceivedMessage};
pub use options::{CleanStart, ConnectOptions, QueueLimits, RequestTimeouts};
pub use payload::Payload;
pub use policy::{
    InvalidMessages, LostMessage, LostRequest, Offline, OnDropped, OnSessionLost, OutboundAliases,
};
#[cfg(feature = "tokio")]
pub use runtime::{
    ConnectProvider, Direction, Failure, NextAttempt, ObservedPacket, Observer, Provided, Provider,
    Reconnect, RepeatedViolation, Retry, RetryContext, RetryPolicy, StreamLimits, Target, WhenFull,
};
pub use will::Will;
