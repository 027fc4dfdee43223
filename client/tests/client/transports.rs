//! Conversations of this suite over each transport: the program runs itself once for each, with the
//! transport in a variable, through which the scripted server is reached.

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_client::transport::{
    CaBundle, Roots, StreamOpener, TlsConnector, TlsOptions, TransportOptions,
};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio_rustls::rustls::ServerConfig;

use crate::authority::Authority;
use crate::server::TestServer;
use crate::tls_front::{TlsFront, server_config};

/// Transport of this run; TCP without it.
const VARIABLE: &str = "DUNLIN_TEST_TRANSPORT";

/// Certificate of the fronts, and a connector that trusts it.
struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<TlsConnector>,
}

fn tls() -> &'static Tls {
    static TLS: OnceLock<Tls> = OnceLock::new();
    TLS.get_or_init(|| {
        let authority = Authority::new("Test CA");
        let roots = Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap());
        let options = TlsOptions {
            roots,
            ..TlsOptions::default()
        };
        Tls {
            server: server_config(&authority.issues(&["localhost"]), None),
            client: Arc::new(TlsConnector::new(&options).unwrap()),
        }
    })
}

/// Options that lead to `server` by the transport of this run, with a time-out of 2 s.
pub(crate) fn options(server: &TestServer) -> TransportOptions {
    let transport = std::env::var(VARIABLE).unwrap_or_default();
    let plain = TransportOptions {
        connect_to: Some(server.address()),
        timeout: Duration::from_secs(2),
        ..TransportOptions::new("localhost", server.address().port())
    };
    // A front lives as long as the runtime of its test: its handle, which would end it, is kept.
    match transport.as_str() {
        "" | "tcp" => plain,
        "own" => {
            let address = server.address();
            TransportOptions {
                stream_opener: Some(StreamOpener::new(move || TcpStream::connect(address))),
                ..plain
            }
        }
        "tls" => {
            let front = TlsFront::start_now(server, Arc::clone(&tls().server));
            let connect_to = Some(front.address);
            std::mem::forget(front);
            TransportOptions {
                connect_to,
                tls: Some(Arc::clone(&tls().client)),
                ..plain
            }
        }
        #[cfg(unix)]
        "unix" => TransportOptions {
            timeout: plain.timeout,
            ..TransportOptions::unix(unix_front(server))
        },
        #[cfg(feature = "websocket")]
        "ws" | "wss" => {
            use dunlin_test_support::websocket_front::WebSocketFront;

            let is_tls = transport == "wss";
            let config = is_tls.then(|| Arc::clone(&tls().server));
            let front = WebSocketFront::start_now(server.address(), config);
            let connect_to = Some(front.address());
            std::mem::forget(front);
            TransportOptions {
                connect_to,
                tls: is_tls.then(|| Arc::clone(&tls().client)),
                websocket: Some(Box::default()),
                ..plain
            }
        }
        other => panic!("no transport {other:?}"),
    }
}

/// Starts a Unix domain socket in front of `server`, and returns its path.
#[cfg(unix)]
fn unix_front(server: &TestServer) -> std::path::PathBuf {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mqtt.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = server.address();
    tokio::spawn(async move {
        // Removed when the runtime of the test ends.
        let _folder = folder;
        while let Ok((mut unix, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut tcp) = TcpStream::connect(server).await else {
                    return;
                };
                let _ = tokio::io::copy_bidirectional(&mut unix, &mut tcp).await;
            });
        }
    });
    path
}

/// Transports of the table.
fn transports() -> impl Iterator<Item = &'static str> {
    let unix = cfg!(unix).then_some("unix");
    let websocket = cfg!(feature = "websocket").then_some(["ws", "wss"]);
    ["tcp", "own"]
        .into_iter()
        .chain(unix)
        .chain(["tls"])
        .chain(websocket.into_iter().flatten())
}

/// Conversations that run over each transport: all of these modules with `DUNLIN_FULL=1`, else the first
/// four filters. `full` has the burst, `stalled` the servers that read slowly or not at all.
const MODULES: [&str; 11] = [
    "request::",
    "acknowledge::",
    "full::a_burst_loses_nothing_while_the_stream_is_read",
    "stalled::a_slow_server_gets_everything_in_order",
    "full::",
    "stalled::",
    "requests::",
    "routing::",
    "streams::",
    "unmatched::",
    "records::",
];

/// Tests that say nothing about a transport, or can't have a front between client and server.
const LEFT_OUT: [&str; 6] = [
    // Virtual time goes on while a front waits for its socket, and the time-out comes first.
    "a_request_without_a_reply_times_out_exactly",
    "the_ping_timeout_is_suspended_while_reading_is_paused",
    "after_a_pause_the_ping_timeout_continues",
    "unsubscribing_from_a_full_stream_ends_the_pause",
    // The reset between front and server takes the last packet with it before the front reads it.
    "the_servers_reason_survives_a_broken_pipe",
    // The server is a thread without a front.
    "a_pause_of_the_runtime",
];

#[test]
fn the_conversations_pass_over_each_transport() {
    let is_full = std::env::var("DUNLIN_FULL").is_ok_and(|value| value == "1");
    let modules = if is_full { &MODULES[..] } else { &MODULES[..4] };
    println!("{:<10} {:>5} {:>6}", "transport", "cases", "passed");
    let mut failed = Vec::new();
    for transport in transports() {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(modules)
            .arg("--test-threads=4")
            .args(LEFT_OUT.iter().flat_map(|name| ["--skip", name]))
            .env(VARIABLE, transport)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&run.stdout).into_owned();
        let passed = output.matches(" ... ok\n").count();
        let cases = passed + output.matches(" ... FAILED\n").count();
        println!("{transport:<10} {cases:>5} {passed:>6}");
        if !run.status.success() || cases == 0 {
            failed.push(format!("{transport}:\n{output}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
