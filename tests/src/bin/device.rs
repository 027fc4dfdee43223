//! `device PORT CA STORE FROM TO`: a client with a store that publishes the numbers, and can be
//! killed at any time. It says `begun N` before a number is accepted and `kept N` when the store
//! has it, and ends when all of them are acknowledged.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::store::FileStore;
use dunlin_client::transport::{CaBundle, Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS, Reconnect};
use dunlin_tests::Mosquitto;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [port, ca, store, from, to] = &words[..] else {
        return Err("PORT CA STORE FROM TO".into());
    };
    let client = Client::start_with_store(options(port.parse()?, ca)?, FileStore::open(store)?)?;
    for number in from.parse::<usize>()?..to.parse()? {
        println!("begun {number}");
        let qos = if number.is_multiple_of(2) {
            QoS::ExactlyOnce
        } else {
            QoS::AtLeastOnce
        };
        drop(
            client
                .publish(Message::new("up", number.to_string()).qos(qos))
                .await?,
        );
        client.until_persisted().await?;
        println!("kept {number}");
    }
    client.disconnect_within(Duration::from_secs(20)).await;
    println!("done");
    Ok(())
}

fn options(port: u16, ca: &str) -> Result<ClientOptions, Box<dyn Error>> {
    let tls = TlsOptions {
        roots: Roots::Only(CaBundle::from_pem_file(ca)?),
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        connect_to: Some(SocketAddr::from(([127, 0, 0, 1], port))),
        tls: Some(Arc::new(TlsConnector::new(&tls)?)),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", port)
    };
    let mut connect = ConnectOptions::new("device");
    connect.username = Some(Mosquitto::USER.into());
    connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    let reconnect = Reconnect {
        min_delay: Duration::from_millis(20),
        ..Reconnect::default()
    };
    Ok(ClientOptions {
        reconnect,
        ..ClientOptions::new(transport, connect)
    })
}
