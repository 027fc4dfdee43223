//! The sample through an HTTP proxy.

use dunlin_tests::dunlin;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::{golden, serve};

/// Forwards one connection to the requested address, and returns the request.
async fn forward(listener: TcpListener) -> String {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(client.read_buf(&mut request).await.unwrap(), 0);
    }
    let request = String::from_utf8(request).unwrap();
    let to = request.split(' ').nth(1).unwrap();
    // Small images have no /etc/hosts that says where localhost is.
    let to = to.replace("localhost", "127.0.0.1");
    let mut server = TcpStream::connect(to).await.unwrap();
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .unwrap();
    // Either side may close first.
    let _ = copy_bidirectional(&mut client, &mut server).await;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_carries_tls_to_the_server() {
    let served = serve(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://me:pw@{}", listener.local_addr().unwrap());
    let carried = tokio::spawn(forward(listener));
    let run = dunlin([
        "unsigned",
        "--client_id",
        "mqtt5-sample-0a1b2c3d",
        "--interval",
        "50ms",
    ])
    .args(["--timeout", "5s", "--count", "1", "--proxy", &proxy])
    .connecting_to(&served.sandbox)
    .with_demo_credentials()
    .run()
    .await;
    run.exits(0);
    assert_eq!(
        run.stdout,
        golden("Unsigned", &["Hello from mqtt5 sample [1]"]),
        "nothing of it on stdout"
    );
    let request = carried.await.unwrap();
    let to = format!("CONNECT localhost:{} HTTP/1.1\r\n", served.sandbox.port());
    assert!(
        request.starts_with(&to) && request.contains("Proxy-Authorization: Basic"),
        "{request}"
    );
}
