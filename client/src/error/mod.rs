//! Errors of the client, sorted by the side that caused them. They are facts without explanations
//! for people, which are up to the application.
//!
//! All are plain data and depend on no feature.

mod connection;
mod end_cause;
mod io_fault;
mod options;
mod peer;
mod request;
mod server_reason;
mod socks;
mod stop_cause;
mod tls;
mod transport;
mod websocket;

pub use self::connection::{ConnectError, ConnectionError, ProviderError, Violation};
pub use self::end_cause::EndCause;
pub use self::io_fault::IoFault;
pub use self::options::OptionsError;
pub(crate) use self::options::text;
pub use self::peer::PeerAddress;
pub use self::request::RequestError;
pub(crate) use self::server_reason::{Explanation, copied_bytes};
pub use self::server_reason::{Omitted, ServerReason};
pub use self::socks::SocksReply;
pub use self::stop_cause::StopCause;
pub use self::tls::{CertificateFault, RootsTried, TlsAlert, TlsError};
pub use self::transport::{
    FailedAttempt, IpVersion, ProxyError, ResolveFault, Stage, TransportError,
};
pub use self::websocket::{CloseReason, FrameFault, UpgradeRefusal, WebSocketError};
