//! Many devices in one process, on one thread: each has its own connection, session and will.
//!
//! `cargo run --release -p dunlin-client --example many_devices mqtt://localhost 1000`

use std::error::Error;
use std::time::Duration;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS, Will};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(count)) = (arguments.next(), arguments.next()) else {
        println!("usage: many_devices URL COUNT");
        return Ok(());
    };
    // With TLS its connector is shared by all devices, and so are its sessions.
    let transport: TransportOptions = url.parse()?;

    let mut devices = tokio::task::JoinSet::new();
    for number in 0..count.parse::<u32>()? {
        devices.spawn(report(number, transport.clone()));
        // A server that everybody connects to in the same moment refuses some.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let (mut reported, mut failed) = (0, 0);
    while let Some(outcome) = devices.join_next().await {
        match outcome? {
            Ok(()) => reported += 1,
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
    }
    println!("{reported} devices reported, {failed} failed");
    Ok(())
}

/// Life of one device: connects, says that it is on, and leaves.
async fn report(number: u32, transport: TransportOptions) -> Result<(), String> {
    let topic = format!("dunlin/example/device/{number}");
    let connect = ConnectOptions {
        client_id: format!("dunlin-example-{number}"),
        // The server publishes it if the device vanishes without DISCONNECT.
        will: Some(Will::new(&topic, "gone")),
        ..Default::default()
    };
    let client = Client::connect(ClientOptions::new(transport, connect))
        .await
        .map_err(|error| format!("device {number}: {error}"))?;
    let message = Message::new(&topic, "on").qos(QoS::AtLeastOnce);
    let receipt = client.publish(message).await;
    let receipt = receipt.map_err(|error| format!("device {number}: {error}"))?;
    receipt
        .await
        .map_err(|error| format!("device {number}: {error}"))?;
    client.disconnect().await;
    Ok(())
}
