//! `doctor --all`: the ways to connect, and the sentence that names the cause.

use std::net::SocketAddr;

use dunlin_sandbox::Sandbox;
use dunlin_tests::Finished;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{at, doctor, has_no_secret, objects, serve, serve_in, stages};

/// Sentence of the last line of the stages.
fn conclusion(run: &Finished) -> String {
    let lines = objects(run);
    let line = lines.iter().find(|line| line["event"] == "conclusion");
    let text = line.unwrap_or_else(|| panic!("no conclusion\n{}\n{}", run.stdout, run.stderr));
    text["text"].as_str().unwrap().to_owned()
}

/// HTTP proxy whose tunnels lead to `target`, whatever is asked for.
async fn proxy_to(target: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    if client.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    url
}

fn address(sandbox: &Sandbox) -> SocketAddr {
    ([127, 0, 0, 1], sandbox.port()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_works_tells_what_it_needs() {
    let served = serve(&[]).await;
    let run = at(&served).args(["--all", "--json"]).run().await;
    run.exits(0);
    has_no_secret(&run);
    let sentence = conclusion(&run);
    assert!(
        sentence.starts_with("the connection works as given; "),
        "{sentence}"
    );
    assert!(sentence.contains("it needs ALPN mqtt"), "{sentence}");
    // The table of people ends with the same sentence.
    let text = at(&served).args(["--all"]).run().await;
    println!("{}", text.stdout);
    assert_eq!(
        text.stdout.lines().last(),
        Some(format!("conclusion: {sentence}").as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_strips_alpn_is_the_cause() {
    // The proxy leads to a server with the same certificate that selects no ALPN protocol.
    let good = serve(&[]).await;
    let stripping = serve_in(good.state.path(), &["no-alpn"]).await;
    let proxy = proxy_to(address(&stripping)).await;
    let run = at(&good)
        .args(["--all", "--json", "--proxy", &proxy])
        .run()
        .await;
    run.exits(4);
    assert_eq!(stages(&run, "failed"), "connect");
    assert_eq!(stages(&run, "warned"), "tls");
    assert_eq!(
        conclusion(&run),
        "the proxy strips ALPN: without it the connection works"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_the_cause() {
    let good = serve(&[]).await;
    let refusing = serve(&["proxy=403"]).await;
    let proxy = format!("http://{}", address(&refusing.sandbox));
    let run = at(&good)
        .args(["--all", "--json", "--proxy", &proxy])
        .run()
        .await;
    run.exits(3);
    let sentence = conclusion(&run);
    assert!(
        sentence.starts_with("the proxy is the cause ("),
        "{sentence}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_not_blamed_on_the_network() {
    let served = serve(&["connack=0x87"]).await;
    let run = at(&served).args(["--all", "--json"]).run().await;
    run.exits(5);
    let sentence = conclusion(&run);
    assert!(
        sentence.starts_with("the network is fine, and the server refuses this client: "),
        "{sentence}"
    );
    // A denied subscription is no question of the network, either.
    let served = serve(&["suback=0x87"]).await;
    let run = at(&served).args(["--all", "--json"]).run().await;
    run.exits(7);
    let sentence = conclusion(&run);
    assert!(
        sentence.starts_with("the connection works, and the cause comes after it: "),
        "{sentence}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_has_no_way_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let endpoint = format!("localhost:{port}");
    let run = doctor()
        .args(["--all", "--json", "--endpoint", &endpoint])
        .run()
        .await;
    run.exits(3);
    let sentence = conclusion(&run);
    assert!(
        sentence.starts_with("no way leads to the server"),
        "{sentence}"
    );
}
