//! `exactly_once HOST PORT STORE`: a warehouse that counts deliveries, each exactly once, however
//! often it is killed.
//!
//! A message of QoS 2 to `delivery/ITEM` brings a number of pieces. The stock of the item is a
//! record in the client's store: it is written in one commit with the fact that the message was
//! received. So either both are there after a crash, and the server's repetition isn't delivered,
//! or neither is, and it is delivered again.
//!
//! User name and password are taken from `MQTT_USERNAME` and `MQTT_PASSWORD`.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;

use dunlin_client::store::{Change, FileStore, Store};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [host, port, path] = &arguments[..] else {
        return Err("usage: exactly_once HOST PORT STORE".into());
    };

    // The stock, as the commits before the last end of this program left it.
    let mut store = FileStore::open(path)?;
    let mut stock = BTreeMap::new();
    for (item, pieces) in store.application_records()? {
        stock.insert(
            String::from_utf8(item)?,
            u64::from_be_bytes(pieces[..].try_into()?),
        );
    }
    println!("{} items", stock.len());

    // The session goes on where it was: messages that weren't received come first.
    let client = Client::start_with_store(options(host, port.parse()?), store)?;
    let mut deliveries = client.subscribe("delivery/+", QoS::ExactlyOnce).await?;
    println!("ready");

    while let Some((message, acknowledgement)) = deliveries.next_unacknowledged().await {
        let item = message.topic().trim_start_matches("delivery/").to_owned();
        let brought: u64 = std::str::from_utf8(message.payload())?.parse()?;
        let pieces = stock.get(&item).copied().unwrap_or_default() + brought;
        // One commit: the new stock, and that this message was received.
        let record = Change::Put {
            key: item.clone().into_bytes(),
            value: pieces.to_be_bytes().to_vec(),
        };
        acknowledgement.accept_with(vec![record]).await?;
        println!("{item}: {pieces}");
        stock.insert(item, pieces);
    }
    Ok(())
}

fn options(host: &str, port: u16) -> ClientOptions {
    let transport = TransportOptions::new(host, port);
    let mut connect = ConnectOptions::new("warehouse");
    connect.username = env::var("MQTT_USERNAME").ok().map(Into::into);
    connect.password = env::var("MQTT_PASSWORD")
        .ok()
        .map(|password| password.into_bytes().into());
    // The server keeps what comes while this program isn't running for a day.
    connect.session_expiry_interval = Some(24 * 60 * 60);
    ClientOptions::new(transport, connect)
}
