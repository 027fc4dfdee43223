//! AWS IoT Core with custom authorizers, on your own machine: for development and tests.
//!
//! [`Sandbox`] is a small MQTT 5 server on loopback that behaves as AWS IoT Core does at the door:
//! TLS with the ALPN protocol `mqtt` or WebSocket, custom authorizers with signed tokens, an IoT policy asked
//! about every connect, publish, subscribe and receive, the service's limits, and [`Fault`]s on
//! demand. It is for development and tests; nothing it holds outlives it but its keys.
//!
//! AWS's documentation leaves open how a denial is told, so [`Denials`] says: by default a CONNECT
//! is refused with its CONNACK, a subscription with its SUBACK and a QoS 1 message with its PUBACK,
//! each with 0x87 and a reason string; a denied message of QoS 0 ends the connection with
//! DISCONNECT 0x87.
//!
//! The end of `disconnectAfterInSeconds` is told by DISCONNECT 0x98 (Administrative action): the
//! service documents that it ends the connection then, and 0x98 among its codes. After
//! `refreshAfterInSeconds` the Lambda is asked again and its policy replaces the old one; where it
//! refuses or fails, the connection ends with 0x87. An answer without that field lasts
//! until the connection ends.
//!
//! # A Lambda of your own
//!
//! An [`Authorizer`] asks a [`Lambda`]: a fixed [`Answer`]; a [`Handler`] for AWS Lambda's Python
//! or Node runtime, which runs unchanged; a [`Program`] that gets AWS's event as JSON and prints
//! the answer; or a [`LambdaUrl`]. Its [`LambdaLimits`] say how many calls run at a time and how
//! long one may take, and its [`LambdaEnvironment`] what a process of it sees of this one.
//! A config file describes any number of authorizers: [`SandboxOptions::from_file`] reads it. In the
//! tests of another project, with this crate among its `dev-dependencies`:
//!
//! ```
//! use dunlin_sandbox::{Answer, Authorizer, EventLog, Lambda, Sandbox, SandboxOptions};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
//!     {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/lamp-*"},
//!     {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/lamp/*"},
//! ]});
//! let lamps = Authorizer::new("Lamps", Lambda::Static(Answer::allow("lamp", policy)));
//! let state = tempfile::tempdir()?;
//! let options = SandboxOptions {
//!     port: 0,
//!     state_dir: Some(state.path().into()),
//!     authorizers: vec![lamps],
//!     default_authorizer: Some("Lamps".into()),
//!     log: EventLog::new(|line| println!("{}", line.explained())),
//!     ..SandboxOptions::default()
//! };
//! let sandbox = Sandbox::start(options).await?;
//! // Connect what is to be tested to sandbox.endpoint(), sandbox.port(), trusting sandbox.ca_path().
//! sandbox.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # WebSocket
//!
//! [`SandboxOptions::wss_port`] and [`SandboxOptions::ws_port`] serve MQTT over WebSocket at the path
//! `/mqtt`, with the subprotocol `mqtt`. The parameters of the custom authorizer are taken from the
//! user name of the CONNECT, the query of the request and its headers, in this order
//! ([`ParameterSource`]), and the authorizer is asked after CONNECT, as at AWS.
//! AWS doesn't document the answer to a refused client: [`WebSocketRefusal`] has three.
//!
//! # Client certificates
//!
//! With [`SandboxOptions::client_certificates`] the port of TLS also takes clients that a certificate
//! of the sandbox's CA authenticates: those that offer the ALPN protocol `x-amzn-mqtt-ca`, or none.
//! At the port of HTTPS a certificate that is shown is enough; at the one port of everything the ALPN
//! protocol `x-amzn-http-ca` asks for it.
//! [`Pki::issue_client`] makes certificates. The thing of a certificate is its common name;
//! [`ClientCertificates::things`] has types and attributes of things.
//!
//! # HTTP
//!
//! [`SandboxOptions::https_port`] and [`SandboxOptions::http_port`] serve `POST /topics/{topic}`, which
//! publishes, and `GET /retainedMessage/{topic}` and `GET /retainedMessage`. A custom authorizer is
//! asked about each request to publish. Other clients sign by SigV4, which is checked with
//! [`SandboxOptions::access_keys`]; no IoT policy applies to them. The ports of HTTP and of
//! WebSocket serve both, and an upgrade to WebSocket may be signed, too.
//!
//! Signed requests may also ask about a connection and end it (`GET` and `DELETE
//! /connections/{clientId}`), list its subscriptions (`GET /connections/{clientId}/subscriptions`), and
//! send its client a message (`POST /connections/{clientId}/messages`).
//!
//! # Policies
//!
//! [`Policy::evaluate`] answers as AWS IoT does, and its [`Decision`] says which statement decided
//! or came near; [`lint()`] finds the usual mistakes. Any region and account in an ARN matches,
//! unless [`SandboxOptions::strict_arns`] says which are meant.
//!
//! # Servers and clients
//!
//! A client that sends no server name (SNI), as none does to an IP address, or another one, is let
//! in, and the log says so; [`SandboxOptions::strict_sni`] refuses it. AWS's pages disagree about
//! what the service does.
//!
//! [`Profile::Aws`] has what AWS IoT Core has, its limits and its differences from the standard;
//! [`Profile::Mqtt5`] is all of MQTT 5 for other clients: QoS 2, subscription identifiers, will
//! delays, and none of AWS's limits.

/// The README, whose example is compiled as those of the documentation are.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod access_key;
mod authorizer;
mod certificates;
mod config;
mod denial;
mod event;
mod event_log;
mod fault;
mod net;
mod options;
mod overflow;
mod pki;
mod policy;
mod profile;
mod qos2;
mod ready;
mod sandbox;
mod server;
mod setting;
mod shell;
mod start_error;
mod state;
mod uuid;
mod websocket_refusal;

pub use access_key::AccessKey;
pub use authorizer::{
    Answer, AnswerError, AnswerProblem, Authorizer, Authorizers, ConnectFields, Credentials,
    DEMO_POLICY, Grant, Handler, HandlerError, Lambda, LambdaEnvironment, LambdaEnvironmentError,
    LambdaError, LambdaEvent, LambdaLimits, LambdaMissing, LambdaRuntime, LambdaUrl,
    LambdaUrlError, ParameterSource, Program, PublicKey, PublicKeyError, QueueError, Refusal,
    RequestHead, SignatureError, Signing, TlsFacts, demo_signed, demo_unsigned,
    watch_process_groups,
};
pub use certificates::{CertificatePolicy, ClientCertificates, DEMO_THING_POLICY};
pub use config::{ConfigError, ConfigProblem};
pub use denial::{Denial, Denials};
pub use event::{Event, LogLine, Outcome, Transport};
pub use event_log::EventLog;
pub use fault::{CertificateFault, Fault, FaultError, ValueProblem};
pub use net::LocalTls;
pub use options::{SandboxOptions, WatchdogProgram};
pub use overflow::WhenQueueFull;
pub use pki::{ClientFiles, ClientIdentity, Pki, PkiError, TokenKey};
pub use policy::{
    Action, ArnScope, ArnScopeError, ClientCertificate, ConnectAttributes, Decision, Effect,
    Finding, Miss, NearMisses, Policy, PolicyDocument, PolicyError, PolicyErrorKind, PolicyProblem,
    Request, SetKeyError, SkippedDenial, StatementRef, Subject, Thing, ThingError, lint,
};
pub use profile::{Profile, ServiceLimit};
pub use qos2::SubscribeQoS2;
pub use ready::{Ready, ReadyAuthorizer};
pub use sandbox::Sandbox;
#[cfg(feature = "conversation")]
pub use server::Conversation;
pub use setting::SettingError;
pub use start_error::StartError;
pub use state::{RunningSandbox, StateDir, StateError};
pub use websocket_refusal::WebSocketRefusal;
