//! One attack: a client on the test's own thread, whose memory is counted, against a server on
//! another thread.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::{Client, ClientOptions, ConnectOptions, Event, Events};
use dunlin_tests::Mosquitto;

use crate::transports;

/// Runs `client` on this thread, prints the peak of its memory, and checks it against `limit`
/// bytes.
#[track_caller]
pub(crate) fn attack<T>(name: &str, limit: u64, client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut output = None;
    let held = allocation_counter::measure(|| {
        output = Some(runtime.block_on(async { tokio::time::timeout(LONGEST, client).await }));
    });
    println!(
        "{name}: a peak of {} KiB of {}",
        held.bytes_max / 1024,
        limit / 1024
    );
    assert!(held.bytes_max <= limit, "{name}: {held:?}");
    output
        .unwrap()
        .unwrap_or_else(|_| panic!("{name}: not done within {LONGEST:?}"))
}

/// Every attack ends, whatever the machine is busy with.
const LONGEST: Duration = Duration::from_secs(120);

pub(crate) fn options(address: SocketAddr, client_id: &str) -> ClientOptions {
    let transport = transports::options(address);
    ClientOptions::new(transport, ConnectOptions::new(client_id))
}

/// Options with the only user name that this mosquitto accepts.
pub(crate) fn as_alice(address: SocketAddr, client_id: &str) -> ClientOptions {
    let mut options = options(address, client_id);
    options.connect.username = Some(Mosquitto::USER.into());
    options.connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    options
}

pub(crate) async fn connect(options: ClientOptions) -> Client {
    Client::connect(options).await.unwrap()
}

/// Waits for the next event for which `find` returns a value.
pub(crate) async fn wait_for<T>(events: &mut Events, find: impl Fn(&Event) -> Option<T>) -> T {
    loop {
        let event = events.next().await.unwrap();
        if let Some(found) = find(&event) {
            return found;
        }
    }
}
