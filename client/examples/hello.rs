//! The smallest program: subscribes, publishes one message at QoS 1, prints it, and ends.
//!
//! `cargo run -p dunlin-client --example hello mqtt://localhost`

use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1);
    let url = url.as_deref().unwrap_or("mqtt://localhost");
    let options = ClientOptions::new(url.parse()?, ConnectOptions::new("hello-dunlin"));
    let client = Client::connect(options).await?;
    // Waits for SUBACK; a refusal is an error.
    let mut lamps = client.subscribe("hello/+", QoS::AtLeastOnce).await?;
    // Waits for PUBACK; a refusal is an error.
    let message = Message::new("hello/lamp", "on").qos(QoS::AtLeastOnce);
    client.publish(message).await?.await?;
    if let Some(message) = lamps.next().await {
        let text = String::from_utf8_lossy(message.payload());
        println!("{} {text}", message.topic());
    }
    client.disconnect().await;
    Ok(())
}
