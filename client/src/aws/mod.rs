//! AWS IoT Core with a custom authorizer: the content of CONNECT, and checks before it is sent.
//!
//! But for `http_publish`, which publishes messages over HTTPS (feature `http`), pure functions without
//! I/O, in three groups: [`CustomAuthorizer::user_name`], and for WebSocket
//! [`CustomAuthorizer::headers`] and [`CustomAuthorizer::query`], build what is sent, and refuse only
//! values that can't be a part of it; [`CustomAuthorizer::check_limits`] and
//! [`check_client_id`] check the limits of AWS's API model; [`check_signature`] and
//! [`check_endpoint`] recognise values that can't be right at AWS IoT Core.

mod authorizer;
mod encoding;
mod endpoint;
mod error;
mod host;
#[cfg(feature = "http")]
pub mod http_publish;
mod limits;
#[cfg(feature = "tokio")]
mod provider;
mod query;
mod sent_in;
mod service;
mod signature;

pub use authorizer::{AuthorizerToken, CustomAuthorizer};
pub use encoding::Encoding;
pub use endpoint::{Endpoint, EndpointAdvice, EndpointFault, check_endpoint};
pub use error::AuthorizerError;
pub use host::{AwsService, is_aws_host};
pub use limits::check_password;
pub use sent_in::SentIn;
pub use service::{PACE, POISON_GUARD};
pub use signature::{SignatureFault, check_signature};

pub use crate::limits::{Field, Limit, LimitError, ServiceLimits, check_client_id};

/// Port of AWS IoT Core for custom authorizers.
pub const DEFAULT_PORT: u16 = 443;

/// ALPN protocol that stands for "HTTP with a client certificate" on [`DEFAULT_PORT`].
pub const HTTP_CERTIFICATE_ALPN: &str = "x-amzn-http-ca";

/// ALPN protocol that stands for "MQTT with a custom authorizer" on [`DEFAULT_PORT`].
pub const ALPN: &str = "mqtt";
