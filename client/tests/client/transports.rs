//! The conversations of this suite over each transport: the program runs itself once for each, with the
//! transport in a variable, through which the scripted server is reached.

use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_client::transport::{
    CaBundle, Roots, StreamOpener, TlsConnector, TlsOptions, TransportOptions,
};
use tokio::net::TcpStream;
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

/// Transports of the table.
const TRANSPORTS: &[&str] = if cfg!(feature = "websocket") {
    &["tcp", "own", "tls", "ws", "wss"]
} else {
    &["tcp", "own", "tls"]
};

/// Conversations that run over each transport: all of these modules with `DUNLIN_FULL=1`, else the first
/// two.
const MODULES: [&str; 7] = [
    "request::",
    "acknowledge::",
    "requests::",
    "routing::",
    "streams::",
    "unmatched::",
    "records::",
];

/// Left out: virtual time goes on while a front waits for its socket, and the time-out comes first.
const OF_VIRTUAL_TIME: &str = "a_request_without_a_reply_times_out_exactly";

#[test]
fn the_conversations_pass_over_each_transport() {
    let is_full = std::env::var("DUNLIN_FULL").is_ok_and(|value| value == "1");
    let modules = if is_full { &MODULES[..] } else { &MODULES[..2] };
    println!("{:<10} {:>5} {:>6}", "transport", "cases", "passed");
    let mut failed = Vec::new();
    for transport in TRANSPORTS {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(modules)
            .args(["--test-threads=4", "--skip", OF_VIRTUAL_TIME])
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
