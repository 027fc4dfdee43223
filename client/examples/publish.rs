//! Publishes each line of standard input and reports what the server said about it.
//!
//! `seq 1000 | cargo run -p dunlin-client --example publish mqtt://localhost dunlin/example`

use std::error::Error;
use std::io::BufRead;

use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(topic)) = (arguments.next(), arguments.next()) else {
        println!("usage: publish URL TOPIC < LINES");
        return Ok(());
    };
    let client =
        Client::connect(ClientOptions::new(url.parse()?, ConnectOptions::default())).await?;

    // `publish` returns as soon as the message is accepted, and waits while the queue is full. So many
    // messages are on their way at a time, and memory stays bounded.
    let mut receipts = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let message = Message::new(&topic, line?).qos(QoS::AtLeastOnce);
        receipts.push(client.publish(message).await?);
    }

    // A refusal is an error: it names the reason code and the reason string of the server.
    let (mut acknowledged, mut failed) = (0, 0);
    for receipt in receipts {
        match receipt.await {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                failed += 1;
                eprintln!("not published: {error}");
            }
        }
    }
    println!("{acknowledged} acknowledged, {failed} failed");

    client.disconnect().await;
    Ok(())
}
