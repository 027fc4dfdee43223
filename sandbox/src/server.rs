//! The MQTT server without sockets, clock or tasks: bytes and time in, bytes and events out.
//!
//! [`Connection`] is one client's side of it, [`Hub`] what all clients share. A connection is
//! driven by whoever owns the socket; the tests of this folder own none.

mod aliases;
mod charge;
mod close_reason;
mod connect;
mod connection;
#[cfg(feature = "conversation")]
mod conversation;
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
mod publish;
mod rate;
mod retained;
mod session;
mod settings;
mod subscribe;
#[cfg(test)]
mod tests;
mod topics;

pub(crate) use close_reason::Close;
pub(crate) use connection::{Connection, Peer};
#[cfg(feature = "conversation")]
pub use conversation::Conversation;
pub(crate) use hub::{Hub, NO_DEADLINE};
pub(crate) use settings::Settings;
