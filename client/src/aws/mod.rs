//! AWS IoT Core with a custom authorizer: what CONNECT says and what can be known to be wrong
//! before it is sent.
//!
//! Pure functions without I/O. Three questions, answered apart because they differ in who may be
//! wrong: [`CustomAuthorizer::user_name`] builds the user name and refuses only what can't be one;
//! the limits ([`CustomAuthorizer::check_limits`], [`check_client_id`]) are those of AWS's API
//! model; [`check_signature`] and [`check_endpoint`] recognise values that can't be right at AWS
//! IoT Core.

mod authorizer;
mod encoding;
mod endpoint;
mod host;
mod limits;
#[cfg(feature = "tokio")]
mod provider;
mod query;
mod service;
mod signature;

pub use authorizer::{AuthorizerError, AuthorizerToken, CustomAuthorizer};
pub use encoding::Encoding;
pub use endpoint::{Endpoint, EndpointAdvice, EndpointFault, check_endpoint};
pub use host::{AwsService, is_aws_host};
pub use limits::{Field, LimitError, check_client_id, check_password};
pub use service::{Limit, PACE, POISON_GUARD, ServiceLimits};
pub use signature::{SignatureFault, check_signature};

/// The port where AWS IoT Core takes custom authorizers.
pub const DEFAULT_PORT: u16 = 443;

/// The ALPN protocol that stands for "MQTT with a custom authorizer" on [`DEFAULT_PORT`].
pub const ALPN: &str = "mqtt";
