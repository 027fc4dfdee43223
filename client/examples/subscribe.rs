//! Prints the messages of a Topic Filter, and on standard error what happens to the connection.
//!
//! `cargo run -p dunlin-client --example subscribe mqtt://localhost 'dunlin/#' 10` ends after ten messages.

use std::error::Error;

use dunlin_client::{Client, ClientOptions, ConnectOptions, Event, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(filter)) = (arguments.next(), arguments.next()) else {
        println!("usage: subscribe URL FILTER [COUNT]");
        return Ok(());
    };
    let mut left: u64 = arguments
        .next()
        .map_or(Ok(u64::MAX), |count| count.parse())?;

    // The client connects again by itself; its events say when and why.
    let client = Client::start(ClientOptions::new(url.parse()?, ConnectOptions::default()));
    let mut events = client.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Connected(_) => eprintln!("connected"),
                Event::Disconnected { cause, retry_in } => {
                    eprintln!("disconnected: {cause}; next attempt: {retry_in:?}");
                }
                Event::Stopped(cause) => eprintln!("stopped: {cause}"),
                // Others are about single messages and subscriptions.
                _ => {}
            }
        }
    });

    // Waits for the connection and for SUBACK. A refusal is an error.
    let mut messages = client.subscribe(&filter, QoS::AtLeastOnce).await?;
    while left > 0 {
        // `None` means that the client has stopped.
        let Some(message) = messages.next().await else {
            break;
        };
        println!(
            "{} {}",
            message.topic(),
            String::from_utf8_lossy(message.payload())
        );
        left -= 1;
    }

    client.disconnect().await;
    Ok(())
}
