//! Messages published over HTTPS (`POST /topics/{topic}`), without a connection of MQTT: for back
//! ends, tests, and devices behind a firewall that lets nothing else through.
//!
//! [`publish`] sends one message. [`HttpPublisher`] keeps its connection for the next one.
//!
//! ```
//! use dunlin_client::aws::CustomAuthorizer;
//! use dunlin_client::aws::http_publish::{HttpPublishOptions, HttpPublisher};
//! use dunlin_client::{Message, QoS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = HttpPublishOptions::from_url("https://x-ats.iot.eu-west-1.amazonaws.com")?;
//! let authorizer = CustomAuthorizer {
//!     authorizer_name: Some("MyAuth".to_owned()),
//!     ..CustomAuthorizer::default()
//! };
//! options.set_authorizer_headers(&authorizer)?;
//!
//! let publisher = HttpPublisher::new(options);
//! let published = publisher.publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce)).await?;
//! println!("request {:?}", published.request_id);
//! # Ok(())
//! # }
//! ```
//!
//! # Credentials
//!
//! | way | options |
//! |---|---|
//! | custom authorizer | [`set_authorizer_headers`](HttpPublishOptions::set_authorizer_headers) or [`set_authorizer_query`](HttpPublishOptions::set_authorizer_query), at port 443 |
//! | client certificate | TLS of the transport: at port 8443 without ALPN, at port 443 with [`HTTP_CERTIFICATE_ALPN`](super::HTTP_CERTIFICATE_ALPN) |
//! | SigV4 | a [`RequestSigner`] with an AWS SDK's signer |
//!
//! HTTP has no CONNECT: user name and password of a custom authorizer can't be sent.

mod answer;
mod connection;
mod error;
mod message_parts;
mod options;
mod publisher;
mod request;
mod signer;

pub use self::answer::HttpPublished;
pub use self::error::{AnswerStage, HttpPublishError, HttpRefusal, RefusalKind};
pub use self::options::HttpPublishOptions;
pub use self::publisher::{HttpPublisher, publish};
pub use self::request::PublishRequest;
pub use self::signer::{RequestSigner, SigningError, UnsignedRequest};
