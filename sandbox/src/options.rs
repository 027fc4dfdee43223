//! Settings of a sandbox, as the config file, the command line and Rust programs give them.

use core::net::IpAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::access_key::AccessKey;
use crate::authorizer::Authorizer;
use crate::certificates::ClientCertificates;
use crate::denial::Denials;
use crate::event_log::EventLog;
use crate::fault::Fault;
use crate::overflow::WhenQueueFull;
use crate::policy::ArnScope;
use crate::profile::Profile;
use crate::qos2::SubscribeQoS2;
use crate::server::limits::MAX_CONNECTIONS;
use crate::websocket_refusal::WebSocketRefusal;

/// Settings of a sandbox. Versions may add fields: write `..SandboxOptions::default()`.
///
/// ```
/// use dunlin_sandbox::{Profile, SandboxOptions};
///
/// let options = SandboxOptions { port: 0, profile: Profile::Mqtt5, ..SandboxOptions::default() };
/// assert_eq!(options.time_scale, 1);
/// ```
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// TLS port; 0 takes any that is free. Default: 8883.
    pub port: u16,
    /// Port without TLS besides the other one, on loopback whatever `address` says; 0 takes any that
    /// is free. Default: `None`, no such port.
    pub plain_port: Option<u16>,
    /// Port for MQTT over WebSocket and TLS, with the path `/mqtt`; 0 takes any that is free.
    /// Default: `None`, no such port.
    pub wss_port: Option<u16>,
    /// Port for MQTT over WebSocket without TLS, on loopback whatever `address` says; 0 takes any
    /// that is free. Default: `None`, no such port.
    pub ws_port: Option<u16>,
    /// Port for HTTPS: publishing by `POST /topics/{topic}`, and the APIs of retained messages and of
    /// connections; 0 takes any that is free. The ports of HTTP and of WebSocket serve both, but only
    /// this one asks for client certificates. Default: `None`, no such port.
    pub https_port: Option<u16>,
    /// Port for HTTP without TLS, on loopback whatever `address` says; 0 takes any that is free.
    /// Default: `None`, no such port.
    pub http_port: Option<u16>,
    /// Access keys that HTTP requests and upgrades to WebSocket may be signed with (SigV4). Default:
    /// none, so that signatures aren't checked and the log warns.
    pub access_keys: Vec<AccessKey>,
    /// Takes clients with certificates of the sandbox's CA, over MQTT and over HTTPS. Default: `None`,
    /// clients aren't asked for one.
    pub client_certificates: Option<ClientCertificates>,
    /// Answer to a client over WebSocket that the authorizers refuse. Default: a CONNACK, as over
    /// TLS.
    pub websocket_refusal: WebSocketRefusal,
    /// Serves WebSocket and HTTPS at [`port`](Self::port), too, as port 443 of AWS IoT Core does: the
    /// ALPN protocol `mqtt` is MQTT with a custom authorizer, `x-amzn-mqtt-ca` MQTT with a certificate
    /// ([`client_certificates`](Self::client_certificates)), `x-amzn-http-ca` HTTP with one, `http/1.1`
    /// or none HTTP. Default: no.
    pub all_on_one_port: bool,
    /// Address to listen on with TLS. Default: `None`, 127.0.0.1 and ::1. The certificate stays one
    /// for `localhost`.
    ///
    /// Clients that reach another address than loopback's can try passwords here, and a sandbox
    /// keeps no data: use it in a network of your own.
    pub address: Option<IpAddr>,
    /// Folder for keys and traces of running sandboxes. Default: `None`, the user's state directory
    /// (see [`StateDir::resolve`](crate::StateDir::resolve)).
    pub state_dir: Option<PathBuf>,
    /// Lets every client in that names no authorizer, with any user name and password, and lets it
    /// do everything. A client that names an authorizer is judged by it. Default: no.
    pub anonymous: bool,
    /// Adds the authorizers `DemoUnsigned` and `DemoSigned`. Default: yes.
    pub demo: bool,
    /// Authorizers besides those of the demonstration. Default: none.
    pub authorizers: Vec<Authorizer>,
    /// Name of the authorizer for clients that name none. Default: `None`, they are refused.
    pub default_authorizer: Option<String>,
    /// Region and account that every ARN of a policy is compared with. Default: `None`, any matches.
    pub strict_arns: Option<ArnScope>,
    /// Faults on demand. Default: none.
    pub faults: Vec<Fault>,
    /// Answers to denied requests. Default: a reason code, and DISCONNECT for a reserved topic.
    pub denials: Denials,
    /// Server that the sandbox stands in for. Default: AWS IoT Core.
    pub profile: Profile,
    /// Factor by which the clocks of the server (keep alive, expiry, refresh, longest connection)
    /// run faster. The times of faults stay as they are. Default: 1.
    pub time_scale: u32,
    /// Connections at a time; 0 counts as 1. Each needs a file descriptor and, while nothing is
    /// sent, about 25 KiB. Sessions may be twice as many. Default: 4,096.
    pub max_connections: usize,
    /// Handling of a message for a subscriber whose queue is full. Default: `None`, as the profile
    /// does.
    pub when_queue_full: Option<WhenQueueFull>,
    /// Answer to a SUBSCRIBE at QoS 2 in the profile `aws`. Default: no answer, as AWS documents.
    pub subscribe_qos2: SubscribeQoS2,
    /// Refuses a client that sends no server name by SNI, or another one than this endpoint's.
    /// AWS's pages disagree about it. Default: no, and the log tells.
    pub strict_sni: bool,
    /// Program that ends the processes of Lambdas if the sandbox's own process is killed. Default:
    /// `None`: they are ended when the sandbox stops or is dropped, and stay after SIGKILL.
    pub watchdog: Option<WatchdogProgram>,
    /// Callback for every event, such as a decision. Default: none.
    pub log: EventLog,
}

/// Program that calls [`watch_process_groups`](crate::watch_process_groups) with its standard input.
///
/// The sandbox starts it only if a Lambda has processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchdogProgram {
    /// Path of the program.
    pub program: PathBuf,
    /// Arguments of the program.
    pub arguments: Vec<OsString>,
}

impl SandboxOptions {
    /// TLS port that sandboxes listen on by default.
    pub const DEFAULT_PORT: u16 = 8883;
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            port: Self::DEFAULT_PORT,
            plain_port: None,
            wss_port: None,
            ws_port: None,
            https_port: None,
            http_port: None,
            access_keys: Vec::new(),
            client_certificates: None,
            all_on_one_port: false,
            websocket_refusal: WebSocketRefusal::default(),
            address: None,
            state_dir: None,
            anonymous: false,
            demo: true,
            authorizers: Vec::new(),
            default_authorizer: None,
            strict_arns: None,
            faults: Vec::new(),
            denials: Denials::default(),
            profile: Profile::default(),
            time_scale: 1,
            max_connections: MAX_CONNECTIONS,
            when_queue_full: None,
            subscribe_qos2: SubscribeQoS2::default(),
            strict_sni: false,
            watchdog: None,
            log: EventLog::default(),
        }
    }
}
