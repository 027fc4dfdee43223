//! Messages of other clients on the topic of the sample.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::{CaBundle, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};
use dunlin_tests::Finished;

use super::{Served, read_until, sample, serve};

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_others_are_printed_escaped_and_not_counted() {
    let served = serve(&[]).await;
    let mut child = sample(&served)
        .args(["--count", "2", "--interval", "1s"])
        .spawn();
    let mut seen = read_until(&mut child, "PubAck received").await;
    publish_as_another_client(&served, b"\xff\x00 not ours \x1b[2J").await;
    let run = Finished::wait_for(child).await;
    run.exits(0);
    seen.push_str(&run.stdout);
    assert!(
        seen.contains("'test/topic': \\xff\\u{0} not ours \\u{1b}[2J ===="),
        "{seen}"
    );
    assert!(seen.contains("\n2 message(s) received.\n"), "{seen}");
}

async fn publish_as_another_client(served: &Served, payload: &[u8]) {
    let tls = TlsOptions {
        roots: CaBundle::from_pem_file(served.sandbox.ca_path())
            .unwrap()
            .into(),
        alpn: vec![b"mqtt".to_vec()],
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new(served.sandbox.endpoint(), served.sandbox.port())
    };
    let mut connect = ConnectOptions::new("mqtt5-sample-other");
    connect.username = Some("demo?x-amz-customauthorizer-name=DemoUnsigned".into());
    connect.password = Some(b"demo"[..].into());
    let client = Client::connect(ClientOptions::new(transport, connect))
        .await
        .unwrap();
    let message = Message::new("test/topic", payload).qos(QoS::AtLeastOnce);
    client.publish(message).await.unwrap().await.unwrap();
    client.disconnect().await;
}
