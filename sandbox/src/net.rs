//! Sockets, TLS, tasks and the clock: what drives the server.

mod listener;
mod shared;
mod socket;
mod tls;

pub(crate) use listener::{accept, bind};
pub(crate) use shared::{EventSink, Shared};
pub(crate) use tls::Tls;
