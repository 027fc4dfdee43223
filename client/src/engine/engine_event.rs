//! Events of the engine, and the immediate result of a publish.

use super::inbound::DeliveryId;
use super::outbound::accepted_request::OperationId;
use crate::error::RequestError;
use crate::event::{Connected, RefusedMessage, RefusedRequest};
use crate::message::ReceivedMessage;

/// Event that [`Engine::poll_event`](super::Engine::poll_event) returns.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// The server answered CONNECT with success.
    Connected(Box<Connected>),
    /// A message was received. One with an identifier is acknowledged after
    /// [`ReceivedMessages::consume`](super::ReceivedMessages::consume).
    Message(ReceivedMessage, Option<DeliveryId>),
    /// The server refused a request. The outcome of the request says it as well.
    RequestRefused(Box<RefusedRequest>),
    /// A received message was refused, because it is wrong in itself
    /// ([`InvalidMessages::Refuse`](crate::InvalidMessages::Refuse)).
    MessageRefused(Box<RefusedMessage>),
    /// A message that was [kept for a later stream](super::ReceivedMessages::keep_unmatched) can't wait any
    /// longer and is refused with 0x80.
    UnmatchedRefused(DeliveryId),
    /// The server forgot the session, and a subscription that it had granted before couldn't be
    /// made again.
    SubscriptionLost {
        /// Topic filter of the subscription.
        filter: String,
        /// Cause, as for a request of the application: the request was refused or not answered, or
        /// the server lacks a feature.
        cause: Box<RequestError>,
    },
}

/// Immediate result of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The message has QoS 0 and is in the output: there will be no outcome.
    Sent,
    /// The outcome can be polled under this identifier.
    Pending(OperationId),
}
