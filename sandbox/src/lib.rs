//! AWS IoT Core with custom authorizers, on your own machine: for development and tests.
//!
//! [`Sandbox`] is a small MQTT 5 server on loopback that behaves as AWS IoT Core does at the door: TLS with the ALPN
//! protocol `mqtt`, custom authorizers with signed tokens, an IoT policy asked about every connect, publish, subscribe
//! and receive, the service's limits, and [`Fault`]s on demand. It is for development and tests; nothing it holds
//! outlives it but its keys.
//!
//! AWS's documentation leaves open how a denial is told, so [`Denials`] says: by default a CONNECT is refused with its
//! CONNACK, a subscription with its SUBACK and a QoS 1 message with its PUBACK, each with 0x87 and a reason string; a
//! denied message of QoS 0 ends the connection with DISCONNECT 0x87.
//!
//! A client that sends no server name (SNI), as none does to an IP address, is let in; the service refuses it.
//!
//! [`Profile::Aws`] has what AWS IoT Core has, its limits and its differences from the standard; [`Profile::Mqtt5`] is
//! all of MQTT 5 for other clients: QoS 2, subscription identifiers, will delays, and none of AWS's limits.

mod authorizer;
mod config;
mod denial;
mod event;
mod fault;
mod net;
mod pki;
mod policy;
mod profile;
mod ready;
mod sandbox;
mod server;
mod state;
mod uuid;

pub use authorizer::{
    Answer, AnswerFault, Authorizer, Authorizers, Credentials, DEMO_POLICY, Grant, Lambda, LambdaEvent,
    LambdaFault, LambdaUrl, LambdaUrlError, Program, PublicKey, PublicKeyError, Refusal, SignatureFault,
    Signing, demo_signed, demo_unsigned,
};
pub use config::{Config, ConfigError, ConfigProblem};
pub use denial::{Denial, DenialError, Denials};
pub use event::{Event, LogLine, Outcome};
pub use fault::{CertificateFault, Fault, FaultError, ValueProblem};
pub use pki::{Pki, PkiError};
pub use policy::{
    Action, ArnScope, ArnScopeError, ConnectAttributes, Decision, Effect, Miss, NearMisses, Policy,
    PolicyDocument, PolicyError, Request, StatementRef, Subject,
};
pub use profile::{Profile, ProfileError};
pub use ready::{Ready, ReadyAuthorizer};
pub use sandbox::{Sandbox, SandboxBuilder, StartError};
pub use state::{RunningSandbox, StateDir, StateError};
