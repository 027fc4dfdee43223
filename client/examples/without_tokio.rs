//! A program without asynchronous code: publishes a message and waits for its return.
//!
//! `cargo run -p dunlin-client --features blocking --example without_tokio mqtt://localhost`

use std::error::Error;
use std::time::Duration;

use dunlin_client::blocking::Client;
use dunlin_client::{ClientOptions, ConnectOptions, Message, QoS};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(url) = std::env::args().nth(1) else {
        println!("usage: without_tokio URL");
        return Ok(());
    };
    // The client works on a thread of its own. Each wait of the calling thread has a timeout.
    let wait = Duration::from_secs(10);
    let client = Client::connect(ClientOptions::new(url.parse()?, ConnectOptions::default()))?;
    let mut messages = client.subscribe("dunlin/example/blocking", QoS::AtLeastOnce)?;

    let message = Message::new("dunlin/example/blocking", "on").qos(QoS::AtLeastOnce);
    client.publish(message)?.wait(wait)?;
    if let Some(message) = messages.next(wait)? {
        println!("{}", String::from_utf8_lossy(message.payload()));
    }

    client.disconnect();
    Ok(())
}
