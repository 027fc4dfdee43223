//! Flags of every verb that connects: endpoint, credentials, TLS, session and time-outs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::value::{self, Alpn, Attempts, Encode, SentInArg, TlsMinimum};
use crate::args::websocket::WebSocketArgs;

/// Server to connect to.
#[derive(Args)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct EndpointArgs {
    /// AWS IoT data endpoint, or "sandbox"
    ///
    /// HOST or HOST:PORT; wss://HOST:PORT/PATH for MQTT over WebSocket. "sandbox" is the sandbox
    /// that runs on this computer, whose port and CA are found automatically.
    #[arg(
        short = 'H',
        long,
        visible_alias = "host",
        value_name = "HOST[:PORT]",
        env = "DUNLIN_ENDPOINT"
    )]
    pub(crate) endpoint: Option<String>,
    /// TCP port [default: 443]
    #[arg(short = 'p', long, hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Connect to this address and still ask TLS for the endpoint's name
    #[arg(long, value_name = "IP[:PORT]", hide_short_help = true)]
    pub(crate) connect_to: Option<String>,
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    #[command(flatten)]
    pub(crate) websocket: WebSocketArgs,
    /// Connect through an HTTP or SOCKS5 proxy, or with "none" through no proxy
    ///
    /// http://HOST:PORT or http://USER:PASSWORD@HOST:PORT (default port 80); in the same way https://
    /// for TLS to the proxy (443), socks5h:// (1080), or socks5:// if this computer is to resolve the
    /// server's name. Without this flag HTTPS_PROXY and ALL_PROXY are used, except for the hosts, domains and networks
    /// (10.0.0.0/8) in NO_PROXY. Variables are ignored for servers on this computer.
    #[arg(long, value_name = "URL", env = "DUNLIN_PROXY", hide_short_help = true)]
    pub(crate) proxy: Option<String>,
    /// Folder with the files of running sandboxes [default: $XDG_STATE_HOME/dunlin or
    /// ~/.local/state/dunlin]
    #[arg(
        long,
        value_name = "DIR",
        env = "DUNLIN_STATE_DIR",
        hide_short_help = true
    )]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Addresses of both ends of the TCP connection.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct AddressArgs {
    /// Connect to an IPv4 address only
    #[arg(short = '4', long, conflicts_with = "ipv6", hide_short_help = true)]
    pub(crate) ipv4: bool,
    /// Connect to an IPv6 address only
    #[arg(short = '6', long, hide_short_help = true)]
    pub(crate) ipv6: bool,
    /// Connect from this address of this computer
    #[arg(short = 'A', long, value_name = "IP", hide_short_help = true)]
    pub(crate) bind: Option<IpAddr>,
}

/// Credentials for the custom authorizer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Custom authorizer")]
pub(crate) struct AuthorizerArgs {
    /// Custom authorizer to invoke
    ///
    /// Without it AWS IoT invokes the account's default authorizer.
    // The prefixes of the Python sample's flag would be ambiguous since --authorizer-as.
    #[arg(
        long,
        value_name = "NAME",
        env = "DUNLIN_AUTHORIZER_NAME",
        aliases = ["autho", "author", "authori", "authoriz", "authorize", "authorizer", "authorizer-", "authorizer_"]
    )]
    pub(crate) authorizer_name: Option<String>,
    /// User name for the authorizer
    #[arg(long, value_name = "NAME", env = "DUNLIN_AUTH_USERNAME")]
    pub(crate) auth_username: Option<String>,
    /// Password for the authorizer
    ///
    /// Better: --auth-password-file, or the environment.
    #[arg(long, value_name = "PASSWORD", env = "DUNLIN_AUTH_PASSWORD")]
    pub(crate) auth_password: Option<String>,
    /// Read the password from a file ("-": standard input); one newline at its end is dropped
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) auth_password_file: Option<PathBuf>,
    /// Signature of the token, base64
    #[arg(long, value_name = "BASE64", env = "DUNLIN_AUTH_SIGNATURE")]
    pub(crate) auth_signature: Option<String>,
    /// Read the signature from a file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) auth_signature_file: Option<PathBuf>,
    /// Parameter that carries the token
    #[arg(long, value_name = "NAME", env = "DUNLIN_AUTH_TOKEN_KEY_NAME")]
    pub(crate) auth_token_key_name: Option<String>,
    /// Token for the authorizer
    #[arg(long, value_name = "TOKEN", env = "DUNLIN_AUTH_TOKEN")]
    pub(crate) auth_token_key_value: Option<String>,
    /// Read the token from a file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) auth_token_key_value_file: Option<PathBuf>,
    /// Compute the signature with this RSA private key instead of giving one
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(crate) auth_signing_key: Option<PathBuf>,
    /// Check the signature with this RSA public key before anything is sent
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(crate) auth_public_key: Option<PathBuf>,
    /// Percent-encoding of authorizer name, token key, token and signature
    #[arg(long, value_enum, default_value_t, hide_short_help = true)]
    pub(crate) encode: Encode,
    /// Send authorizer name, token and signature here, over WebSocket (wss://) or HTTP
    ///
    /// User name and password are always sent in CONNECT. HTTP has none: there the default is
    /// headers.
    #[arg(long, value_enum, default_value_t, hide_short_help = true)]
    pub(crate) authorizer_as: SentInArg,
    /// Tell AWS IoT the name and version of this tool, as its SDKs do
    #[arg(long, hide_short_help = true)]
    pub(crate) metrics: bool,
    /// Run this command before every connection, and take the password that it prints
    ///
    /// Or a JSON object with any of username, password, token and signature (strings). No shell
    /// reads the command; it has 30 s, and its standard output is never shown; if it fails, the last
    /// line of its standard error is. It has no terminal to ask on: --ask does that. If it takes too
    /// long, it is ended together with what it has started (on Windows alone). --dry-run doesn't run
    /// it.
    #[arg(
        long,
        value_name = "COMMAND",
        hide_short_help = true,
        conflicts_with = "ask"
    )]
    pub(crate) auth_cmd: Option<String>,
    /// Ask for the password on the terminal, without showing it; also for that of an encrypted --key
    #[arg(long, hide_short_help = true)]
    pub(crate) ask: bool,
    /// Never ask on the terminal: where --ask would, as of a profile, end with exit code 2
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub(crate) no_input: bool,
    /// True for HTTP requests, which carry neither user name nor password.
    #[arg(skip)]
    pub(crate) is_http: bool,
}

/// Ids of the flags that make a token signed, or check its signature.
pub(crate) const OF_SIGNING: [&str; 4] = [
    "auth_signature",
    "auth_signature_file",
    "auth_signing_key",
    "auth_public_key",
];

/// Ids of the flags for a token, signed or not.
pub(crate) const OF_TOKEN: [&str; 3] = [
    "auth_token_key_name",
    "auth_token_key_value",
    "auth_token_key_value_file",
];

/// TLS of the connection.
#[derive(Args, Default)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Trust the CA certificates in this PEM file (also: SSL_CERT_FILE)
    #[arg(
        long,
        alias = "cafile",
        value_name = "FILE",
        env = "DUNLIN_CA",
        hide_short_help = true
    )]
    pub(crate) ca: Option<PathBuf>,
    /// Trust the public authorities, too, beside those of --ca
    #[arg(long, hide_short_help = true)]
    pub(crate) public_ca: bool,
    /// Trust the authorities of this computer in place of those that this program contains
    ///
    /// Those of Linux's certificate folders (or of SSL_CERT_FILE and SSL_CERT_DIR), of macOS's
    /// keychain or of Windows' store. A CA of the environment or of a profile is not used then.
    #[arg(
        long,
        alias = "tls-use-os-certs",
        conflicts_with = "public_ca",
        hide_short_help = true
    )]
    pub(crate) platform_roots: bool,
    /// Accept a certificate that names its host as Common Name only
    ///
    /// For old test servers, with --ca of a private authority. This gives up that authorities check
    /// names: whoever gets a certificate with this Common Name from a trusted one can pose as the
    /// server.
    #[arg(long, conflicts_with = "insecure", hide_short_help = true)]
    pub(crate) allow_common_name: bool,
    /// Client certificate chain
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the client certificate
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(crate) key: Option<PathBuf>,
    /// Read the password of an encrypted --key from a file ("-": standard input)
    ///
    /// Without this flag --ask asks for it on the terminal.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) key_password_file: Option<PathBuf>,
    /// Protocol to offer with ALPN, or "none" [default: mqtt for AWS IoT and custom authorizers]
    ///
    /// For a client certificate on port 443 of AWS IoT the default is x-amzn-mqtt-ca; everywhere
    /// else nothing is offered.
    #[arg(long, alias = "tls-alpn", value_name = "NAME", hide_short_help = true)]
    pub(crate) alpn: Option<Alpn>,
    /// Name to ask the server for (SNI) and to look for in its certificate [default: the host]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) sni: Option<String>,
    /// Lowest version of TLS [default: 1.2]
    #[arg(long, value_name = "VERSION", value_enum, hide_short_help = true)]
    pub(crate) tls_min: Option<TlsMinimum>,
    /// Accept any certificate of the server: whoever redirects the connection can read all of it
    ///
    /// For tests alone. Better: --ca FILE with the certificate that the server shows, or its
    /// authority's. Refused for AWS IoT without --yes-really.
    #[arg(long, hide_short_help = true)]
    pub(crate) insecure: bool,
    /// Confirm --insecure for AWS IoT
    #[arg(long, requires = "insecure", hide_short_help = true)]
    pub(crate) yes_really: bool,
    /// Append the secrets of TLS to this file, with which Wireshark decrypts a recording
    ///
    /// Whoever has this file and a recording of the network can read the connection, passwords
    /// included. A new file is for its owner alone.
    #[arg(
        long,
        alias = "tls-keylog",
        value_name = "FILE",
        env = "SSLKEYLOGFILE",
        hide_short_help = true
    )]
    pub(crate) keylog: Option<PathBuf>,
}

/// Content of CONNECT besides the credentials.
#[derive(Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct SessionArgs {
    /// Client id [default: mqtt5-sample-RANDOM]
    #[arg(short = 'i', long, value_name = "ID", help_heading = "Endpoint")]
    pub(crate) client_id: Option<String>,
    /// Keep alive; AWS IoT takes 30 to 1200 s
    #[arg(short = 'k', long, value_name = "TIME", default_value = "1200s", value_parser = value::duration, hide_short_help = true)]
    pub(crate) keep_alive: Duration,
}

/// Time-outs and attempts.
#[derive(Args)]
#[command(next_help_heading = "Reliability")]
pub(crate) struct ReliabilityArgs {
    /// Longest wait for the connection and for each answer; for missing messages 10s, unless this
    /// flag is given
    #[arg(short = 'W', long, value_name = "TIME", default_value = "100s", value_parser = value::timeout, hide_short_help = true)]
    pub(crate) timeout: Duration,
    /// Longest wait for name resolution, TCP and TLS
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::timeout, hide_short_help = true)]
    pub(crate) connect_timeout: Duration,
    /// Longest wait for the answer to a ping; at most half the keep alive
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::timeout, hide_short_help = true)]
    pub(crate) ping_timeout: Duration,
    /// Attempts after the first, for failures that may pass: a number or "inf"
    ///
    /// Without this flag a client gives up after five refusals (CONNACK) if the server has never
    /// accepted it.
    #[arg(long, value_name = "N", default_value = "inf", value_parser = value::attempts, hide_short_help = true)]
    pub(crate) reconnect: Attempts,
    /// Longest pause between two attempts [default: 2m; 15m where the server refuses the client]
    #[arg(long, value_name = "TIME", value_parser = value::timeout, hide_short_help = true)]
    pub(crate) max_backoff: Option<Duration>,
    /// End with exit code 10 when the server breaks the protocol
    ///
    /// By default a received message with an invalid topic, text or payload format is refused with a
    /// warning, and the connection stays.
    #[arg(long, hide_short_help = true)]
    pub(crate) strict: bool,
}
