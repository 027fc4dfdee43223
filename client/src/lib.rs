//! An MQTT 5 client that says exactly what went wrong: so far its transports and the custom authorizer.

pub mod aws;
pub mod secret;
#[cfg(feature = "tokio")]
pub mod transport;
