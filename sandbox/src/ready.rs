//! Facts about a sandbox that accepts connections, for scripts and other programs.

use core::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One JSON object for scripts, for `--ready-file` and for `run/<pid>.json`. Fields may be added.
///
/// ```
/// use dunlin_sandbox::{Ready, Sandbox};
///
/// /// Prints what a client must know to connect.
/// fn print(sandbox: &Sandbox) {
///     let ready: &Ready = sandbox.ready();
///     println!("{}:{}, certificate authority {}", ready.endpoint, ready.port, ready.ca.display());
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ready {
    /// The host name to connect to: the one in the certificate.
    pub endpoint: String,
    /// The port that it listens on.
    pub port: u16,
    /// The port for connections without TLS, on loopback; `None` means that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_port: Option<u16>,
    /// Port of MQTT over WebSocket and TLS; `None` means that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wss_port: Option<u16>,
    /// Port of MQTT over WebSocket without TLS, on loopback; `None` means that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws_port: Option<u16>,
    /// Port of HTTPS; `None` means that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_port: Option<u16>,
    /// Port of HTTP without TLS, on loopback; `None` means that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_port: Option<u16>,
    /// A client that names no authorizer is accepted and may do everything.
    #[serde(default)]
    pub anonymous: bool,
    /// Clients may authenticate by a certificate of the CA.
    #[serde(default)]
    pub client_certificates: bool,
    /// The addresses that it listens on with TLS, without the port.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// The faults that are active, as `--fault` spells them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// The CA certificate to trust.
    pub ca: PathBuf,
    /// The private key that signs tokens for `DemoSigned`.
    pub signing_key: PathBuf,
    /// Process id.
    pub pid: u32,
    /// `REGION:ACCOUNT`, where the ARNs of policies are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_arns: Option<String>,
    /// `DemoUnsigned` and `DemoSigned` are there, first among the authorizers.
    #[serde(default = "yes")]
    pub demo: bool,
    /// Authorizers, in the order of the configuration.
    pub authorizers: Vec<ReadyAuthorizer>,
}

const fn yes() -> bool {
    true
}

/// An authorizer as far as a client must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReadyAuthorizer {
    /// Name that clients send.
    pub name: String,
    /// Status: only an active authorizer is called.
    pub active: bool,
    /// A token must be signed.
    pub signing: bool,
    /// The parameter that carries the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_key_name: Option<String>,
    /// Default: decides about clients that name none.
    #[serde(default)]
    pub default: bool,
    /// The command, handler or URL that decides, as people type it; empty in files of earlier
    /// versions.
    #[serde(default)]
    pub lambda: String,
}
