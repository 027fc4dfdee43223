//! A server without `TCP_NODELAY` that writes an answer in two parts: real sockets, and the delay of
//! the system.

use std::net::SocketAddr;

use dunlin_sandbox::{Profile, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, dunlin};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections to `target`. What the server sends is written in two parts if
/// `in_two_parts`, without `TCP_NODELAY` on the way to the client.
async fn forward_to(target: SocketAddr, in_two_parts: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(target).await.unwrap();
            client.set_nodelay(!in_two_parts).unwrap();
            server.set_nodelay(true).unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(len @ 1..) = from_server.read(&mut bytes).await {
                    let read = bytes.get(..len).unwrap_or_default();
                    let first = if in_two_parts { 2.min(len) } else { len };
                    let (one, two) = read.split_at(first);
                    for part in [one, two] {
                        if to_client.write_all(part).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn requests_through(in_two_parts: bool) -> Finished {
    let state = TempDir::new().unwrap();
    let options = SandboxOptions {
        port: 0,
        plain_port: Some(0),
        anonymous: true,
        profile: Profile::Mqtt5,
        state_dir: Some(state.path().into()),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let target = ([127, 0, 0, 1], sandbox.plain_port().unwrap()).into();
    let address = forward_to(target, in_two_parts).await;
    let run = dunlin(["bench", "request", "--clients=1", "--count=100"])
        .args(["--in-flight=1", "--endpoint", &format!("mqtt://{address}")])
        .run()
        .await;
    run.exits(0);
    run
}

/// The delay of acknowledgements, 40 ms, is that of Linux.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_nodelay_is_recognised() {
    let run = requests_through(true).await;
    println!("{}{}", run.stdout, run.stderr);
    assert!(run.error_line().contains("it doesn't set TCP_NODELAY"));
    let lines = run.stderr.lines();
    assert_eq!(lines.filter(|line| line.contains("NODELAY")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_writes_at_once_is_not_blamed() {
    let run = requests_through(false).await;
    assert!(!run.stderr.contains("NODELAY"), "{}", run.stderr);
}
