//! `dunlin inspect proxy`: a listener that connects each client to a server, and shows the packets of
//! both.

mod connection;
mod first_packet;
mod reporter;
mod round_trips;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_sandbox::{LocalTls, Pki, PkiError, StateDir};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::reporter::Reporter;
use super::conversation::LineForm;
use super::upstream::Upstream;
use crate::args::{ProxyArgs, Sources};
use crate::capture::CaptureFile;
use crate::client_run::Output;
use crate::diagnosis::{Diagnosis, Try};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Serves until a signal. Stopping is what a proxy is asked to do in the end, so the exit code is 0.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used and an address that can't be listened on;
/// [`Failure::Local`] if standard output can't be written.
pub(super) fn run(typed: ProxyArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    confirm_exposure(typed.listen, typed.yes, console)?;
    let tls = match typed.listen_tls {
        true => Some(ListenerTls::new(typed.upstream.endpoint.state_dir.clone())?),
        false => None,
    };
    let form = LineForm {
        is_json: typed.json,
        packets: typed.packets,
        shows_secrets: typed.show_secrets,
    };
    let (listen, capture) = (typed.listen, typed.capture);
    let upstream = Upstream::new(typed.upstream, "inspect proxy", sources, console)?;
    block_on(async {
        let mut stop = StopSignal::install()?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| not_listening(listen, &error))?;
        let capture = CaptureFile::asked_for(&capture, typed.show_secrets, console)?;
        let output = Output::new(io::stdout());
        let reporter = Reporter::new(form, output.clone(), capture);
        let upstream = Arc::new(upstream);
        let ca = tls.as_ref().map(|tls| tls.ca.display().to_string());
        reporter.listening(listener.local_addr()?, &upstream.address(), ca.as_deref());

        let mut clients = JoinSet::new();
        let exit = tokio::select! {
            _ = stop.received() => Ok(Exit::Done),
            // A reader that has gone wants nothing more.
            error = output.failed() => Err(Failure::Local(error)),
            never = serve(&listener, tls.as_ref(), &mut clients, &upstream, &reporter, console) => match never {},
        };
        // The tasks write the ends of their connections, which come before the totals.
        clients.shutdown().await;
        reporter.summary();
        // A second signal ends a reader that doesn't read.
        output.flushed().await;
        exit
    })
}

/// TLS of the listener.
struct ListenerTls {
    local: LocalTls,
    /// Certificate of the CA, which clients have to trust.
    ca: PathBuf,
}

impl ListenerTls {
    /// Opens the keys of the state directory, or makes them.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if the state directory can't be used;
    /// [`Failure::Local`] if the certificate can't be made.
    fn new(state_dir: Option<PathBuf>) -> Result<Self, Failure> {
        let pki = StateDir::resolve(state_dir)
            .map_err(PkiError::from)
            .and_then(|dir| Pki::open(&dir))
            .map_err(|error| Diagnosis::usage(format!("--listen-tls: {error}")))?;
        Ok(Self {
            local: LocalTls::new(&pki)?,
            ca: pki.ca_path().to_owned(),
        })
    }
}

/// A type without values, for a loop without an end.
enum Never {}

/// Accepts clients and serves each in a task of its own, which is one of `clients`.
async fn serve(
    listener: &TcpListener,
    tls: Option<&ListenerTls>,
    clients: &mut JoinSet<()>,
    upstream: &Arc<Upstream>,
    reporter: &Reporter,
    console: Console,
) -> Never {
    let mut has_warned = false;
    loop {
        // Tasks that have ended are taken out, so that the set doesn't grow.
        while clients.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Too many open files, for example: the next client may be accepted.
            Err(error) => {
                if !std::mem::replace(&mut has_warned, true) {
                    console.warning(format_args!("a client can't be accepted: {error}"));
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = reporter.open_connection();
        if clients.len() >= MOST_CLIENTS {
            let note = format!(
                "{peer} is refused: {MOST_CLIENTS} clients are connected, which is the maximum"
            );
            reporter.note(connection, now(), &note);
            continue;
        }
        prepare(&stream);
        let (upstream, reporter) = (Arc::clone(upstream), reporter.clone());
        let tls = tls.map(|tls| tls.local.clone());
        clients.spawn(async move {
            let Some(tls) = tls else {
                return connection::serve(stream, peer, connection, &upstream, &reporter).await;
            };
            // A client that connects and says nothing counts against the number of clients.
            let fault = match timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    return connection::serve(stream, peer, connection, &upstream, &reporter).await;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it took more than 10 s".to_owned(),
            };
            let note = format!("the TLS handshake with {peer} failed: {fault}");
            reporter.note(connection, now(), &note);
        });
    }
}

/// Turns Nagle's algorithm off: it would delay small packets until earlier ones are acknowledged.
fn prepare(stream: &TcpStream) {
    // A client that has gone by now is told by the next read.
    let _ = stream.set_nodelay(true);
}

/// Warns of an address that others can reach, and refuses it without `--yes`.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) without `--yes`.
fn confirm_exposure(listen: SocketAddr, yes: bool, console: Console) -> Result<(), Diagnosis> {
    let address = listen.ip();
    if address.is_loopback() {
        return Ok(());
    }
    if !yes {
        return Err(Diagnosis::usage(format!(
            "--listen {listen} lets other computers connect with the credentials of this proxy; add --yes if that is meant"
        )));
    }
    console.warning(format_args!(
        "listening on {address}: whoever reaches this computer connects with the credentials of the flags"
    ));
    Ok(())
}

fn not_listening(listen: SocketAddr, error: &io::Error) -> Diagnosis {
    let is_taken = error.kind() == io::ErrorKind::AddrInUse;
    let advice = Try::paste("--listen 127.0.0.1:0");
    Diagnosis {
        try_: is_taken.then_some(advice).into_iter().collect(),
        ..Diagnosis::usage(format!("--listen {listen} can't be used: {error}"))
    }
}

/// Time of a packet.
#[expect(
    clippy::disallowed_methods,
    reason = "the proxy is the driver of its connections"
)]
fn now() -> Instant {
    Instant::now()
}

/// Longest time for a TLS handshake with a client.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Number of clients at a time.
const MOST_CLIENTS: usize = 256;
/// Pause after a client that couldn't be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
