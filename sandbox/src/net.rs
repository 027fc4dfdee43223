//! Sockets, TLS, tasks and the clock: what drives the server.

mod keeper;
mod listener;
mod other_protocol;
mod place;
mod proxy;
mod shared;
mod socket;
mod tls;

pub(crate) use keeper::keep;
pub(crate) use listener::{Bound, accept, bind};
pub(crate) use shared::Shared;
pub(crate) use tls::{ENDPOINT, Tls};
