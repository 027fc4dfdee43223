//! Attacks over each transport: the program runs itself once for each, with the transport in a
//! variable, through which the hostile server is reached.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_client::transport::{CaBundle, Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_test_support::authority::Authority;
use dunlin_test_support::websocket_front::WebSocketFront;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Transport of this run; TCP without it.
const VARIABLE: &str = "DUNLIN_TEST_TRANSPORT";

/// Runtime of the servers in front of the hostile one, on a thread of its own: their memory isn't the
/// client's. They live as long as the program.
struct Fronts {
    runtime: Runtime,
    server_tls: Arc<ServerConfig>,
    client_tls: Arc<TlsConnector>,
}

fn fronts() -> &'static Fronts {
    static FRONTS: OnceLock<Fronts> = OnceLock::new();
    FRONTS.get_or_init(|| {
        let authority = Authority::new("Test CA");
        let identity = authority.issues(&["localhost"]);
        let server_tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(identity.chain(), identity.key())
            .unwrap();
        let options = TlsOptions {
            roots: Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap()),
            ..TlsOptions::default()
        };
        Fronts {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            server_tls: Arc::new(server_tls),
            client_tls: Arc::new(TlsConnector::new(&options).unwrap()),
        }
    })
}

/// Options that lead to the server at `address` over the transport of this run, with a time-out of 10 s.
pub(crate) fn options(address: SocketAddr) -> TransportOptions {
    let plain = TransportOptions {
        connect_to: Some(address),
        timeout: Duration::from_secs(10),
        ..TransportOptions::new("localhost", address.port())
    };
    let transport = std::env::var(VARIABLE).unwrap_or_default();
    match transport.as_str() {
        "" | "tcp" => plain,
        "tls" => TransportOptions {
            connect_to: Some(tls_front(address)),
            tls: Some(Arc::clone(&fronts().client_tls)),
            ..plain
        },
        #[cfg(unix)]
        "unix" => TransportOptions {
            timeout: plain.timeout,
            ..TransportOptions::unix(unix_front(address))
        },
        "ws" | "wss" => {
            let is_tls = transport == "wss";
            let _entered = fronts().runtime.enter();
            let server_tls = is_tls.then(|| Arc::clone(&fronts().server_tls));
            let front = WebSocketFront::start_now(address, server_tls);
            let connect_to = Some(front.address());
            // It would end when dropped.
            std::mem::forget(front);
            TransportOptions {
                connect_to,
                tls: is_tls.then(|| Arc::clone(&fronts().client_tls)),
                websocket: Some(Box::default()),
                ..plain
            }
        }
        other => panic!("no transport {other:?}"),
    }
}

/// Starts a server that takes TLS connections for the one at `address`, and returns its address.
fn tls_front(address: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let front = listener.local_addr().unwrap();
    fronts().runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(Arc::clone(&fronts().server_tls));
            tokio::spawn(async move {
                let mut tls = acceptor.accept(tcp).await?;
                let mut server = TcpStream::connect(address).await?;
                copy_bidirectional(&mut tls, &mut server).await
            });
        }
    });
    front
}

/// Starts a Unix domain socket in front of the server at `address`, and returns its path.
#[cfg(unix)]
fn unix_front(address: SocketAddr) -> std::path::PathBuf {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mqtt.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    fronts().runtime.spawn(async move {
        // Removed when the front ends.
        let _folder = folder;
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        while let Ok((mut unix, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await?;
                copy_bidirectional(&mut unix, &mut server).await
            });
        }
    });
    path
}

/// Transports of the table.
fn transports() -> impl Iterator<Item = &'static str> {
    let unix = cfg!(unix).then_some("unix");
    ["tcp", "tls", "ws", "wss"].into_iter().chain(unix)
}

/// Attacks over each transport: all of these with `DUNLIN_FULL=1`, else the first two filters.
const ATTACKS: [&str; 3] = [
    "violations::",
    "messages::faulty_messages_reach_no_stream_and_valid_ones_do",
    "burst::a_flood_at_resumption_ends_the_connection",
];

#[test]
fn the_client_survives_the_attacks_over_each_transport() {
    let is_full = std::env::var("DUNLIN_FULL").is_ok_and(|value| value == "1");
    let attacks = if is_full { &ATTACKS[..] } else { &ATTACKS[..2] };
    println!("{:<10} {:>5} {:>6}", "transport", "cases", "passed");
    let mut failed = Vec::new();
    for transport in transports() {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(attacks)
            .arg("--nocapture")
            .env(VARIABLE, transport)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&run.stdout).into_owned();
        let count = |word: &str| -> usize {
            let summary = output.lines().find(|line| line.starts_with("test result:"));
            let words: Vec<&str> = summary.unwrap_or_default().split(' ').collect();
            let at = words.iter().position(|each| each.starts_with(word));
            at.map_or(0, |at| words[at - 1].parse().unwrap())
        };
        let (passed, failures) = (count("passed"), count("failed"));
        println!("{transport:<10} {:>5} {passed:>6}", passed + failures);
        if !run.status.success() || passed == 0 {
            let errors = String::from_utf8_lossy(&run.stderr).into_owned();
            failed.push(format!("{transport}:\n{output}\n{errors}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
