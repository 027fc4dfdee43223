//! MQTT server without sockets, clock, randomness or tasks: bytes, time and random identifiers in,
//! bytes and events out.
//!
//! [`Connection`] is the state of one client, [`Hub`] the state that all clients share. The owner of
//! a socket drives its connection; the tests of this folder have no sockets.
//!
//! # Refusals
//!
//! Each is a value that says what is wrong. Reason codes and texts are made of it in one place, and
//! packets only where a request is answered or a connection ends.
//!
//! | type | made by | becomes |
//! |---|---|---|
//! | `Limit` | checks of the profile's limits | `RequestRefusal` or `CloseReason` |
//! | `policy::Decision` | the policy | `RequestRefusal::Policy` |
//! | `authorizer::Refusal` | user name, token signature or Lambda (`LambdaError`) | `RequestRefusal::Authorizer` |
//! | `RequestRefusal` | CONNECT, SUBSCRIBE, PUBLISH, a refresh, the hub | PUBACK, PUBREC or SUBACK in `publish` and `subscribe`; or `CloseReason`, if the setting `Denials` has it so |
//! | `CloseReason` | every step that ends a connection | CONNACK or DISCONNECT in `close_reason` |
//! | `LossReason` | the hub, for accepted messages that a subscriber won't get | a line of the log; no packet tells it |

mod acknowledgement;
mod aliases;
mod charge;
mod close_reason;
mod closing;
mod connack;
mod connect;
mod connect_check;
mod connection;
#[cfg(feature = "conversation")]
mod conversation;
mod deadlines;
mod delivery;
mod direct_message;
mod http_publish;
mod hub;
mod limit;
pub(crate) mod limits;
mod message;
mod open;
mod other_version;
mod outgoing;
mod output;
mod peer;
mod publish;
mod rate;
mod request_refusal;
mod retained;
mod session;
mod settings;
mod subscribe;
#[cfg(test)]
mod tests;
mod throttle;
mod timestamp;
mod topics;
mod turn;
mod will;

pub(crate) use connection::Connection;
#[cfg(feature = "conversation")]
pub use conversation::Conversation;
pub(crate) use direct_message::{DirectError, DirectProgress};
pub(crate) use http_publish::publish_over_http;
pub(crate) use hub::{ClientRecord, ConnectionStatus, Hub, NO_DEADLINE};
pub(crate) use limit::Limit;
pub(crate) use output::Close;
pub(crate) use peer::{Peer, RandomIds};
pub(crate) use request_refusal::RequestRefusal;
pub(crate) use settings::Settings;
pub(crate) use timestamp::Timestamp;
