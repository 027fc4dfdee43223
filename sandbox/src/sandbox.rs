//! The public API of a running sandbox: started, asked, and stopped.

use core::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::authorizer::{Authorizer, Authorizers, Watchdog, demo_signed, demo_unsigned};
use crate::fault::{Fault, FaultPlan};
use crate::net::{self, Bound, CertificateUse, Protocol, Service, Shared, Tls, TlsSettings};
use crate::options::{SandboxOptions, WatchdogProgram};
use crate::pki::{Pki, PkiError};
use crate::ready::Ready;
use crate::server::Settings;
use crate::start_error::StartError;
use crate::state::{RunFile, StateDir};

/// A running sandbox. Dropping it stops it at once; [`stop`](Self::stop) sends a DISCONNECT to its
/// clients first.
///
/// ```
/// use dunlin_sandbox::{Sandbox, SandboxOptions};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let state = tempfile::tempdir()?;
/// let options = SandboxOptions {
///     port: 0,
///     state_dir: Some(state.path().into()),
///     ..SandboxOptions::default()
/// };
/// let sandbox = Sandbox::start(options).await?;
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

impl Sandbox {
    /// Starts a sandbox. When this returns, it accepts connections, on loopback unless
    /// [`SandboxOptions::address`] says otherwise.
    ///
    /// # Errors
    /// `State` or `Pki` if the state directory or its keys can't be used, `DuplicateAuthorizer` or
    /// `UnknownDefault` if the authorizers contradict each other, `Lambda` if a program or file of
    /// one is missing, `Watchdog`, `Tls` or `Listen` if the system refuses what is needed, `Runtime`
    /// if the runtime shuts down.
    pub async fn start(options: SandboxOptions) -> Result<Self, StartError> {
        let faults = FaultPlan::new(options.faults.clone());
        let state_dir = StateDir::resolve(options.state_dir.clone())?;

        // Keys and certificates: files and arithmetic, off the runtime's threads.
        let certificate_fault = faults.certificate();
        let keys_dir = state_dir.clone();
        let opened = spawn_blocking(move || {
            let pki = Pki::open(&keys_dir)?;
            let identity = pki.server_identity(certificate_fault)?;
            let ca = pki.ca_certificate()?;
            Ok::<_, PkiError>((pki, identity, ca))
        });
        let (pki, identity, ca) = opened.await.map_err(|_| StartError::Runtime)??;

        // The authorizers, checked before a client could find out.
        let authorizers = authorizers(&pki, &options)?;
        let watchdog = watchdog(options.watchdog.as_ref(), &authorizers).await?;
        let authorizers = authorizers.watched_by(watchdog);

        // The ports, and what others may know of them.
        let certificates = options.client_certificates.as_ref();
        let certificates = certificates.map(|settings| CertificateUse {
            ca,
            with_authorizer: settings.with_authorizer,
            things: settings.things.iter().cloned().map(Arc::new).collect(),
        });
        let tls_settings = TlsSettings {
            selects_alpn: !faults.has(&Fault::NoAlpn),
            strict_sni: options.strict_sni,
            certificates,
            serves_all: options.all_on_one_port,
        };
        let tls = |protocol, takes_certificates| {
            let tls = Tls::new(protocol, takes_certificates, &identity, &tls_settings)?;
            Ok::<_, StartError>(Service::Tls(Arc::new(tls)))
        };
        // Browsers would ask their users for a certificate at a port of WebSocket that takes some.
        let mqtts = tls(Protocol::Mqtt, true)?;
        let (wss, https) = (tls(Protocol::Http, false)?, tls(Protocol::Http, true)?);
        let ports = Ports::bind(&options).await?;
        let ready = ready(&options, &ports, &pki, &authorizers);
        let run_file = RunFile::create(&state_dir, &ready)?;

        // The tasks.
        let (stop, stopping) = watch::channel(false);
        let settings = Settings {
            profile: options.profile,
            faults,
            denials: options.denials,
            time_scale: options.time_scale,
            max_connections: options.max_connections.max(1),
            when_queue_full: options.when_queue_full,
            websocket_refusal: options.websocket_refusal,
            subscribe_qos2: options.subscribe_qos2,
        };
        let strict_sni = options.strict_sni;
        let shared = Shared::new(
            authorizers,
            settings,
            stopping,
            options.log,
            strict_sni,
            options.access_keys,
        );
        let shared = Arc::new(shared);
        let mut listeners = JoinSet::new();
        for (bound, service) in [
            (Some(ports.mqtts), mqtts),
            (ports.mqtt, Service::Plain(Protocol::Mqtt)),
            (ports.wss, wss),
            (ports.https, https),
            (ports.ws, Service::Plain(Protocol::Http)),
            (ports.http, Service::Plain(Protocol::Http)),
        ] {
            for listener in bound.into_iter().flat_map(|bound| bound.listeners) {
                listeners.spawn(net::accept(listener, service.clone(), Arc::clone(&shared)));
            }
        }
        listeners.spawn(net::run_timers(shared));
        Ok(Self {
            ready,
            pki,
            stop,
            listeners,
            _run_file: run_file,
        })
    }

    /// Host name to connect to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.ready.endpoint
    }

    /// TLS port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.ready.port
    }

    /// Port for connections without TLS; `None` unless [`SandboxOptions::plain_port`] asked for one.
    #[must_use]
    pub const fn plain_port(&self) -> Option<u16> {
        self.ready.plain_port
    }

    /// Port for MQTT over WebSocket and TLS; `None` unless [`SandboxOptions::wss_port`] asked for one.
    #[must_use]
    pub const fn wss_port(&self) -> Option<u16> {
        self.ready.wss_port
    }

    /// Port for MQTT over WebSocket without TLS; `None` unless [`SandboxOptions::ws_port`] asked for
    /// one.
    #[must_use]
    pub const fn ws_port(&self) -> Option<u16> {
        self.ready.ws_port
    }

    /// Port for HTTPS; `None` unless [`SandboxOptions::https_port`] asked for one.
    #[must_use]
    pub const fn https_port(&self) -> Option<u16> {
        self.ready.https_port
    }

    /// Port for HTTP without TLS; `None` unless [`SandboxOptions::http_port`] asked for one.
    #[must_use]
    pub const fn http_port(&self) -> Option<u16> {
        self.ready.http_port
    }

    /// CA certificate to trust, a file in PEM.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.ready.ca
    }

    /// Facts about the sandbox for scripts.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Signs a token value for `DemoSigned`: RS256, in base64.
    ///
    /// # Errors
    /// [`PkiError`] if the signing key can't be used.
    pub fn sign(&self, value: &str) -> Result<String, PkiError> {
        self.pki.sign_token(value)
    }

    /// Accepts no more connections, sends DISCONNECT 0x8B to the clients, and closes.
    ///
    /// Returns within 3 seconds. Not cancel safe: dropped, the connections are closed at once.
    pub async fn stop(mut self) {
        // It fails if no task is left.
        let _ = self.stop.send(true);
        let _ = timeout(STOP_TIMEOUT, async {
            while self.listeners.join_next().await.is_some() {}
        })
        .await;
    }
}

/// All authorizers, those of the demonstration first. Programs and files of active ones exist.
fn authorizers(pki: &Pki, options: &SandboxOptions) -> Result<Authorizers, StartError> {
    let mut list = if options.demo {
        vec![demo_unsigned(), demo_signed(pki.signing_public_key()?)]
    } else {
        Vec::new()
    };
    // Names identify authorizers, those of the demonstration included.
    let is_named = |list: &[Authorizer], name: &str| list.iter().any(|other| other.name == name);
    for authorizer in &options.authorizers {
        if is_named(&list, &authorizer.name) {
            return Err(StartError::DuplicateAuthorizer(authorizer.name.clone()));
        }
        list.push(authorizer.clone());
    }
    let default = options.default_authorizer.clone();
    if let Some(name) = default.as_ref().filter(|name| !is_named(&list, name)) {
        return Err(StartError::UnknownDefault(name.clone()));
    }
    let certificates = options.client_certificates.clone();
    let certificates = certificates.map(|settings| settings.with_demo(options.demo));
    let authorizers = Authorizers::new(list, default)
        .within(options.strict_arns.clone())
        .with_anonymous(options.anonymous)
        .with_certificates(certificates);
    // A missing program fails the start, and not the first client.
    let found = authorizers.find();
    found.map_err(|(authorizer, missing)| StartError::Lambda {
        authorizer,
        missing,
    })?;
    Ok(authorizers)
}

/// Starts the watchdog if a Lambda has processes.
async fn watchdog(
    program: Option<&WatchdogProgram>,
    authorizers: &Authorizers,
) -> Result<Option<Watchdog>, StartError> {
    match program.filter(|_| authorizers.have_processes()) {
        Some(WatchdogProgram { program, arguments }) => {
            let started = Watchdog::start(program, arguments).await;
            started.map(Some).map_err(StartError::Watchdog)
        }
        None => Ok(None),
    }
}

/// Sockets of all ports, by what their clients speak.
struct Ports {
    mqtts: Bound,
    mqtt: Option<Bound>,
    wss: Option<Bound>,
    ws: Option<Bound>,
    https: Option<Bound>,
    http: Option<Bound>,
}

impl Ports {
    /// Listens on all ports. Those without TLS are on loopback whatever the address.
    async fn bind(options: &SandboxOptions) -> Result<Self, StartError> {
        let address = options.address;
        Ok(Self {
            mqtts: bind(address, options.port).await?,
            mqtt: bind_if_asked(None, options.plain_port).await?,
            wss: bind_if_asked(address, options.wss_port).await?,
            ws: bind_if_asked(None, options.ws_port).await?,
            https: bind_if_asked(address, options.https_port).await?,
            http: bind_if_asked(None, options.http_port).await?,
        })
    }
}

async fn bind_if_asked(
    address: Option<IpAddr>,
    port: Option<u16>,
) -> Result<Option<Bound>, StartError> {
    match port {
        Some(port) => bind(address, port).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(address: Option<IpAddr>, port: u16) -> Result<Bound, StartError> {
    let bound = net::bind(address, port).await;
    bound.map_err(|(address, source)| StartError::Listen { address, source })
}

fn ready(options: &SandboxOptions, ports: &Ports, pki: &Pki, authorizers: &Authorizers) -> Ready {
    // Facts for scripts: no private key, only paths to them.
    let addresses = ports.mqtts.listeners.iter();
    let port = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.port);
    // A port of its own counts more than the one of everything.
    let of_all = options.all_on_one_port.then_some(ports.mqtts.port);
    Ready {
        endpoint: net::ENDPOINT.into(),
        port: ports.mqtts.port,
        plain_port: port(&ports.mqtt),
        wss_port: port(&ports.wss).or(of_all),
        ws_port: port(&ports.ws),
        https_port: port(&ports.https).or(of_all),
        http_port: port(&ports.http),
        anonymous: options.anonymous,
        addresses: addresses
            .filter_map(|listener| Some(listener.local_addr().ok()?.ip()))
            .collect(),
        faults: options.faults.iter().map(ToString::to_string).collect(),
        ca: pki.ca_path().into(),
        signing_key: pki.signing_key_path().into(),
        pid: std::process::id(),
        client_certificates: options.client_certificates.is_some(),
        strict_arns: options.strict_arns.as_ref().map(ToString::to_string),
        demo: options.demo,
        authorizers: authorizers.ready().collect(),
    }
}

/// Longer than a connection takes to send its DISCONNECT and close.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
