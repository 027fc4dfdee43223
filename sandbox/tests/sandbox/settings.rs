//! Options of a sandbox.

use std::time::Duration;

use dunlin_sandbox::SandboxOptions;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::TestSandbox;

#[tokio::test]
async fn the_limit_of_connections_is_enforced() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        max_connections: 1,
        ..options
    })
    .await;
    let _first = sandbox.connected("mqtt5-sample-1").await;
    let mut second = TcpStream::connect(("127.0.0.1", sandbox.sandbox.port()))
        .await
        .unwrap();
    let read = timeout(Duration::from_secs(5), second.read(&mut [0]))
        .await
        .expect("closed at once");
    assert_eq!(read.unwrap_or(0), 0);
    assert!(sandbox.logged("too many connections"));
}

#[tokio::test]
async fn the_demo_authorizers_can_be_left_out() {
    let sandbox = TestSandbox::start_with(|options| SandboxOptions {
        demo: false,
        ..options
    })
    .await;
    let ready = sandbox.sandbox.ready();
    assert!(!ready.demo && ready.authorizers.is_empty(), "{ready:?}");
}
