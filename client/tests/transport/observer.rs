//! The steps of opening a transport, as an observer sees them.

use std::sync::{Arc, Mutex};

use dunlin_client::transport::{OpenObserver, OpenStep, TransportOptions, open};
use tokio::net::TcpListener;

use crate::server::{Behaviour, Server};
use crate::{Authority, tls_options, transport_options};

/// Observer, and the names of the steps that it saw.
pub(crate) fn recorder() -> (OpenObserver, Arc<Mutex<Vec<String>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let observer = OpenObserver::new(move |step| {
        let text = match step {
            OpenStep::Resolved { host, addresses } => {
                format!("resolved {host} {}", addresses.len())
            }
            OpenStep::AddressFailed(attempt) => format!("failed {}", attempt.address.ip()),
            OpenStep::Connected { peer } => {
                format!("connected {}", peer.socket_addr().unwrap().ip())
            }
            OpenStep::Tunnelled { peer } => format!("tunnelled {}", peer.ip()),
            OpenStep::Secured { tls } => format!("secured {:?}", tls.alpn_selected),
            other => format!("{other:?}"),
        };
        seen.lock().unwrap().push(text);
    });
    (observer, steps)
}

#[tokio::test]
async fn an_observer_sees_each_step_of_opening() {
    let authority = Authority::new("Test CA");
    let server = Server::start(&authority.issues(&["127.0.0.1"]), Behaviour::default()).await;
    let (observer, steps) = recorder();
    let options = TransportOptions {
        connect_to: None,
        port: server.address.port(),
        observer: Some(observer),
        ..transport_options("127.0.0.1", server.address, Some(&tls_options(&authority)))
    };
    open(&options).await.unwrap();
    assert_eq!(
        *steps.lock().unwrap(),
        [
            "resolved 127.0.0.1 1",
            "connected 127.0.0.1",
            "secured Some(\"mqtt\")"
        ]
    );
}

#[tokio::test]
async fn an_observer_sees_the_addresses_that_failed() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (observer, steps) = recorder();
    let options = TransportOptions {
        observer: Some(observer),
        ..transport_options("localhost", address, None)
    };
    open(&options).await.unwrap_err();
    assert_eq!(*steps.lock().unwrap(), ["failed 127.0.0.1"]);
}
