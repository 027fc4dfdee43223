//! MQTT 5 client that connects again by itself, and whose errors say exactly what went wrong.
//!
//! ```no_run
//! use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Connect: TLS at port 8883, with the authorities that Mozilla trusts.
//! let transport = "mqtts://broker.example.com".parse()?;
//! let client = Client::connect(ClientOptions::new(transport, ConnectOptions::new("lamp-7"))).await?;
//!
//! // Subscribe; the stream outlives connections.
//! let mut switches = client.subscribe("switch/+", QoS::AtLeastOnce).await?;
//!
//! // Publish, and wait for the acknowledgement.
//! let receipt = client.publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce)).await?;
//! receipt.await?;
//!
//! // Receive; a message is acknowledged when it is returned.
//! while let Some(message) = switches.next().await {
//!     println!("{}: {} bytes", message.topic(), message.payload().len());
//! }
//!
//! // Send DISCONNECT and stop.
//! client.disconnect().await;
//! # Ok(())
//! # }
//! ```
//!
//! | module or type | content |
//! |---|---|
//! | `Client` (feature `tokio`, on by default) | the client; `blocking` has it for programs without tokio |
//! | [`error`] | all errors, as plain data |
//! | [`engine`] | the protocol without sockets, clocks or locks: for tests, and for other transports |
//! | [`store`] | sessions that outlive their process (feature `store` for one in a file) |
//! | [`aws`] | custom authorizers of AWS IoT Core, and presets for its limits |
//!
//! | feature | content |
//! |---|---|
//! | `tokio` (default) | the client and its transports |
//! | `aws-lc` (default), `ring` | cryptography of TLS; `tokio` needs one of them, and [`TlsOptions`](transport::TlsOptions) chooses between both |
//! | `websocket` | MQTT over WebSocket |
//! | `http` | messages published over HTTPS: `aws::http_publish` |
//! | `encrypted-keys` | private keys of client certificates that are encrypted with a password |
//! | `platform-roots` | the authorities that the operating system trusts |
//! | `store` | sessions in a file |
//! | `blocking` | the client for programs without tokio |
//!
//! # The log
//!
//! The client writes to [`tracing`](https://docs.rs/tracing). The span `client` has the client
//! identifier; the span `connection` has the number of the attempt and its connection, from 1.
//!
//! | target | events | levels |
//! |---|---|---|
//! | `dunlin_client::connection` | attempts and connections; both spans | info: connected, disconnected, stopped; warn: slow attempts; error: stopped for good |
//! | `dunlin_client::session` | requests and messages | debug: requests; warn: refused requests, refused or dropped messages, lost subscriptions |
//! | `dunlin_client::store` | commits of the store | debug: commits; error: the store failed |
//! | `dunlin_client::packets` | each packet: type, identifier, QoS, topic and size; enabled when a connection begins | trace |
//!
//! Equal warnings are written once a second; `left_out` is the number of those that weren't written.
//! Payloads, passwords and user names are never written, and text of servers is escaped
//! ([`Escaped`](dunlin_codec::Escaped)).
#![cfg_attr(
    not(feature = "tokio"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the engine's documentation links to the client, which is another feature"
    )
)]

/// The README, whose example is compiled as those of the documentation are.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
mod readme {}

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
mod percent;
mod policy;
#[cfg(any(feature = "http", feature = "websocket"))]
mod redaction;
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
    ConnectError, ConnectionError, EndCause, Omitted, OptionsError, ProviderError, RequestError,
    ServerReason, StopCause, Violation,
};
pub use event::{Connected, DropCause, Event, RefusedMessage, RefusedRequest, ServerLimits};
pub use message::{Message, MessageProperties, ReceivedMessage};
pub use options::ConnectOptions;
pub use payload::Payload;
pub use policy::{
    CleanStart, InvalidMessages, LostMessage, LostRequest, Offline, OnDropped, OnSessionLost,
    OutboundAliases, QueueLimits, RequestTimeouts,
};
#[cfg(feature = "tokio")]
pub use runtime::{
    ConnectProvider, Direction, NextAttempt, ObservedPacket, Observer, Provided, Provider,
    Reconnect, RepeatedViolation, Retry, RetryContext, RetryPolicy, StreamLimits, Target, WhenFull,
};
pub use will::Will;
