//! The MQTT server without sockets, clock or tasks: bytes and time in, bytes and events out.
//!
//! [`Connection`] is one client's side of it, [`Hub`] what all clients share. A connection is driven by whoever owns
//! the socket; the tests of this folder own none.

mod connect;
mod connection;
#[cfg(test)]
mod conversation;
mod delivery;
mod denied;
mod end;
mod hub;
pub(crate) mod limits;
mod message;
mod open;
mod outgoing;
mod output;
mod publish;
mod retained;
mod subscribe;
mod topics;

pub(crate) use connection::{Connection, Peer, Settings};
pub(crate) use end::Close;
pub(crate) use hub::Hub;
