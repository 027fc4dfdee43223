//! The library's face: a sandbox that is started, asked, and stopped.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::rustls;

use crate::authorizer::{
    Authorizer, Authorizers, LambdaMissing, Watchdog, demo_signed, demo_unsigned,
};
use crate::denial::{Denial, Denials};
use crate::event::LogLine;
use crate::event_log::EventLog;
use crate::fault::{Fault, FaultPlan};
use crate::net::{self, Shared, Tls};
use crate::overflow::WhenQueueFull;
use crate::pki::{Pki, PkiError};
use crate::policy::ArnScope;
use crate::profile::Profile;
use crate::qos2::SubscribeQoS2;
use crate::ready::Ready;
use crate::server::Settings;
use crate::server::limits::MAX_CONNECTIONS;
use crate::state::{RunFile, StateDir, StateError};

/// A running sandbox. Dropping it stops it at once; [`stop`](Self::stop) says good bye to its
/// clients first.
///
/// ```
/// use dunlin_sandbox::Sandbox;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let state = tempfile::tempdir()?;
/// let sandbox = Sandbox::builder().port(0).state_dir(state.path()).start().await?;
/// println!("mqtts://{}:{}, CA {}", sandbox.endpoint(), sandbox.port(), sandbox.ca_path().display());
/// sandbox.stop().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sandbox {
    ready: Ready,
    pki: Pki,
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
    _run_file: RunFile,
}

/// What a sandbox is to be. By default: port 8883, the user's state directory, the two demo
/// authorizers, no faults.
#[must_use]
pub struct SandboxBuilder {
    port: u16,
    plain_port: Option<u16>,
    anonymous: bool,
    address: Option<IpAddr>,
    state_dir: Option<PathBuf>,
    authorizers: Vec<Authorizer>,
    default_authorizer: Option<String>,
    scope: Option<ArnScope>,
    faults: Vec<Fault>,
    denials: Denials,
    profile: Profile,
    time_scale: u32,
    max_connections: usize,
    when_queue_full: Option<WhenQueueFull>,
    subscribe_qos2: SubscribeQoS2,
    strict_sni: bool,
    demo: bool,
    /// A program and its arguments.
    watchdog: Option<(PathBuf, Vec<OsString>)>,
    log: EventLog,
}

/// Why a sandbox doesn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The port.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Two authorizers with one name.
    #[error("there are two authorizers named {0:?}")]
    DuplicateAuthorizer(String),
    /// A default that no authorizer is named.
    #[error("the default authorizer {0:?} doesn't exist")]
    UnknownDefault(String),
    /// Something that a Lambda needs isn't there.
    #[error("the Lambda of the authorizer {authorizer:?} can't run: {missing}")]
    Lambda {
        /// Whose Lambda.
        authorizer: String,
        /// What isn't there.
        missing: LambdaMissing,
    },
    /// The watchdog's program.
    #[error("can't start the watchdog: {0}")]
    Watchdog(io::Error),
    /// The TLS library.
    #[error("can't set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The runtime shut down meanwhile.
    #[error("the runtime is shutting down")]
    Runtime,
}

impl Sandbox {
    /// The port that sandboxes listen on unless told otherwise.
    pub const DEFAULT_PORT: u16 = 8883;

    /// Describes a sandbox; [`start`](SandboxBuilder::start) starts it.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            port: Self::DEFAULT_PORT,
            plain_port: None,
            anonymous: false,
            address: None,
            state_dir: None,
            authorizers: Vec::new(),
            default_authorizer: None,
            scope: None,
            faults: Vec::new(),
            denials: Denials::default(),
            profile: Profile::default(),
            time_scale: 1,
            max_connections: MAX_CONNECTIONS,
            when_queue_full: None,
            subscribe_qos2: SubscribeQoS2::default(),
            strict_sni: false,
            demo: true,
            watchdog: None,
            log: EventLog::default(),
        }
    }

    /// The host name to connect to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.ready.endpoint
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.ready.port
    }

    /// The port for connections without TLS; `None` unless
    /// [`plain_port`](SandboxBuilder::plain_port) asked for one.
    #[must_use]
    pub const fn plain_port(&self) -> Option<u16> {
        self.ready.plain_port
    }

    /// The CA certificate to trust.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.ready.ca
    }

    /// All that scripts want to know about it.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The signature of a token value for `DemoSigned`, in base64.
    pub fn sign(&self, value: &str) -> Result<String, PkiError> {
        self.pki.sign_token(value)
    }

    /// Takes no more connections, tells the connected clients (DISCONNECT 0x8B), and closes.
    pub async fn stop(mut self) {
        // Without listeners there is nobody to tell.
        let _ = self.stop.send(true);
        let _ = timeout(STOP_TIMEOUT, async {
            while self.listeners.join_next().await.is_some() {}
        })
        .await;
    }
}

impl SandboxBuilder {
    /// The port to listen on; 0 is any that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A port for connections without TLS besides the other one; 0 is any that is free. It is on
    /// loopback, whatever [`listen`](Self::listen) says.
    pub fn plain_port(mut self, port: u16) -> Self {
        self.plain_port = Some(port);
        self
    }

    /// Whether a client that names no authorizer is let in, whatever its user name and password,
    /// and may do everything. A client that names an authorizer is judged by it. Default: no.
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// The address to listen on, instead of loopback's. Its certificate stays one for `localhost`.
    ///
    /// Whoever reaches another address than loopback's can try passwords here, and a sandbox
    /// forgets what it served: this is for a network of one's own.
    pub fn listen(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Where keys are kept, instead of the user's state directory.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// An authorizer besides `DemoUnsigned` and `DemoSigned`.
    pub fn authorizer(mut self, authorizer: Authorizer) -> Self {
        self.authorizers.push(authorizer);
        self
    }

    /// The authorizer that answers where a client names none.
    pub fn default_authorizer(mut self, name: impl Into<String>) -> Self {
        self.default_authorizer = Some(name.into());
        self
    }

    /// Compares region and account of every ARN in a policy with these. Without them, the default,
    /// any matches.
    pub fn strict_arns(mut self, scope: Option<ArnScope>) -> Self {
        self.scope = scope;
        self
    }

    /// Something to do wrong; may be said more than once.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Whose limits and differences it has; AWS IoT Core's by default.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// How a refused CONNECT is told.
    pub fn deny_connect(mut self, denial: Denial) -> Self {
        self.denials.connect = denial;
        self
    }

    /// How a refused SUBSCRIBE or PUBLISH is told.
    pub fn deny_operation(mut self, denial: Denial) -> Self {
        self.denials.operation = denial;
        self
    }

    /// Makes the service's clocks (keep alive, refresh, the longest connection) run so many times
    /// faster.
    ///
    /// The times of faults are taken as they are.
    pub fn time_scale(mut self, factor: u32) -> Self {
        self.time_scale = factor;
        self
    }

    /// How many connections it holds at a time, of at least 1; 4,096 by default. Each needs a file
    /// descriptor and, while nothing is said, about 25 KiB. Sessions may be twice as many.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count.max(1);
        self
    }

    /// How a SUBSCRIBE or PUBLISH on a topic is told that begins with `$` and that AWS IoT Core
    /// doesn't define.
    pub fn deny_reserved_topic(mut self, denial: Denial) -> Self {
        self.denials.reserved_topic = denial;
        self
    }

    /// Whether a client is refused that sends no server name by SNI, or another one than this
    /// endpoint's. AWS's pages disagree about it. Default: no; the log tells.
    pub fn strict_sni(mut self, strict: bool) -> Self {
        self.strict_sni = strict;
        self
    }

    /// What happens to a message for a subscriber whose queue is full, instead of what the profile
    /// does.
    pub fn when_queue_full(mut self, when: WhenQueueFull) -> Self {
        self.when_queue_full = Some(when);
        self
    }

    /// What a SUBSCRIBE at QoS 2 gets in the profile `aws`; nothing by default.
    pub fn subscribe_qos2(mut self, answer: SubscribeQoS2) -> Self {
        self.subscribe_qos2 = answer;
        self
    }

    /// Whether there are `DemoUnsigned` and `DemoSigned`, as there are by default.
    pub fn demo(mut self, demo: bool) -> Self {
        self.demo = demo;
        self
    }

    /// The program that ends the processes of Lambdas if the sandbox is killed: it must call
    /// [`watch_process_groups`](crate::watch_process_groups) with its standard input.
    ///
    /// Without it, the default, they are ended when the sandbox stops or is dropped, and stay if
    /// its process is killed by SIGKILL. It is started only if a Lambda has processes.
    pub fn watchdog(
        mut self,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        self.watchdog = Some((
            program.into(),
            arguments.into_iter().map(Into::into).collect(),
        ));
        self
    }

    /// Called with each decision, from the task of the connection: it should not block.
    pub fn on_event(mut self, on_event: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.log = EventLog::new(on_event);
        self
    }

    /// Starts it; from then on it accepts connections, on loopback unless told otherwise.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let state_dir = StateDir::resolve(self.state_dir)?;
        let fault_names = self.faults.iter().map(ToString::to_string).collect();
        let faults = FaultPlan::new(self.faults);
        let certificate_fault = faults.certificate();
        let opened = spawn_blocking({
            let state_dir = state_dir.clone();
            move || {
                let pki = Pki::open(&state_dir)?;
                let identity = pki.server_identity(certificate_fault)?;
                Ok::<_, PkiError>((pki, identity))
            }
        });
        let (pki, identity) = opened.await.map_err(|_| StartError::Runtime)??;
        let authorizers = authorizers(&pki, self.demo, self.authorizers, self.default_authorizer)?
            .within(self.scope.clone())
            .with_anonymous(self.anonymous);
        authorizers
            .find()
            .map_err(|(authorizer, missing)| StartError::Lambda {
                authorizer,
                missing,
            })?;
        let watchdog = self.watchdog.filter(|_| authorizers.have_processes());
        let watchdog = match watchdog {
            Some((program, arguments)) => {
                let started = Watchdog::start(&program, &arguments).await;
                Some(started.map_err(StartError::Watchdog)?)
            }
            None => None,
        };
        let authorizers = authorizers.watched_by(watchdog);
        let tls = Arc::new(Tls::new(
            identity,
            !faults.has(&Fault::NoAlpn),
            self.strict_sni,
        )?);
        let bound = net::bind(self.address, self.port).await;
        let bound = bound.map_err(|(address, source)| StartError::Listen { address, source })?;
        let plain = match self.plain_port {
            Some(port) => Some(net::bind(None, port).await),
            None => None,
        };
        let plain = plain
            .transpose()
            .map_err(|(address, source)| StartError::Listen { address, source })?;
        let ready = Ready {
            endpoint: net::ENDPOINT.into(),
            port: bound.port,
            plain_port: plain.as_ref().map(|plain| plain.port),
            anonymous: self.anonymous,
            addresses: bound
                .listeners
                .iter()
                .filter_map(|at| Some(at.local_addr().ok()?.ip()))
                .collect(),
            faults: fault_names,
            ca: pki.ca_path().into(),
            signing_key: pki.signing_key_path().into(),
            pid: std::process::id(),
            strict_arns: self.scope.as_ref().map(ToString::to_string),
            demo: self.demo,
            authorizers: authorizers.ready().collect(),
        };
        let run_file = RunFile::create(&state_dir, &ready)?;
        let (stop, stopping) = watch::channel(false);
        let settings = Settings {
            profile: self.profile,
            faults,
            denials: self.denials,
            time_scale: self.time_scale,
            max_connections: self.max_connections,
            when_queue_full: self.when_queue_full,
            subscribe_qos2: self.subscribe_qos2,
        };
        let shared = Arc::new(Shared::new(authorizers, settings, stopping, self.log));
        let mut listeners = JoinSet::new();
        for listener in bound.listeners {
            listeners.spawn(net::accept(
                listener,
                Some(Arc::clone(&tls)),
                Arc::clone(&shared),
            ));
        }
        for listener in plain.into_iter().flat_map(|plain| plain.listeners) {
            listeners.spawn(net::accept(listener, None, Arc::clone(&shared)));
        }
        listeners.spawn(net::keep(shared));
        Ok(Sandbox {
            ready,
            pki,
            stop,
            listeners,
            _run_file: run_file,
        })
    }
}

fn authorizers(
    pki: &Pki,
    demo: bool,
    more: Vec<Authorizer>,
    default: Option<String>,
) -> Result<Authorizers, StartError> {
    let mut list = if demo {
        vec![demo_unsigned(), demo_signed(pki.signing_public_key()?)]
    } else {
        Vec::new()
    };
    for authorizer in more {
        if list.iter().any(|existing| existing.name == authorizer.name) {
            return Err(StartError::DuplicateAuthorizer(authorizer.name));
        }
        list.push(authorizer);
    }
    match default {
        Some(name) if list.iter().all(|authorizer| authorizer.name != name) => {
            Err(StartError::UnknownDefault(name))
        }
        default => Ok(Authorizers::new(list, default)),
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("port", &self.port)
            .field("state_dir", &self.state_dir)
            .field("faults", &self.faults)
            .field("time_scale", &self.time_scale)
            .finish_non_exhaustive()
    }
}

/// Longer than a connection takes to say good bye.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
