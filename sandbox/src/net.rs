//! Sockets, TLS, tasks and the clock: what drives the server.

mod clock;
mod handshake_slots;
mod http;
mod listener;
mod local_tls;
mod other_protocol;
mod protocol;
mod proxy;
mod shared;
mod socket;
mod timers;
mod tls;
mod transport;
mod websocket;
mod write_timeout;

pub(crate) use listener::{Bound, Service, accept, bind};
pub use local_tls::LocalTls;
pub(crate) use protocol::Protocol;
pub(crate) use shared::Shared;
pub(crate) use timers::run_timers;
pub(crate) use tls::{CertificateUse, ENDPOINT, Tls, TlsSettings};
