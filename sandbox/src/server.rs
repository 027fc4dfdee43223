//! MQTT server without sockets, clock, randomness or tasks: bytes, time and random identifiers in,
//! bytes and events out.
//!
//! [`Connection`] is the state of one client, [`Hub`] the state that all clients share. The owner of
//! a socket drives its connection; the tests of this folder have no sockets.

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
mod denied;
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
mod retained;
mod session;
mod settings;
mod subscribe;
#[cfg(test)]
mod tests;
mod throttle;
mod topics;
mod turn;
mod will;

pub(crate) use close_reason::Close;
pub(crate) use connection::Connection;
#[cfg(feature = "conversation")]
pub use conversation::Conversation;
pub(crate) use hub::{Hub, NO_DEADLINE};
pub(crate) use peer::{Peer, RandomIds};
pub(crate) use settings::Settings;
pub(crate) use turn::Timestamp;
