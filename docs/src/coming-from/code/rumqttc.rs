use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or("1883".into());
    let options = MqttOptions::new("hello-rumqttc", "localhost", port.parse()?);
    let (client, mut event_loop) = AsyncClient::new(options, 10);
    // Both calls only put a request into a channel; the event loop sends it.
    client.subscribe("hello/+", QoS::AtLeastOnce).await?;
    client
        .publish("hello/lamp", QoS::AtLeastOnce, false, "on")
        .await?;
    // Nothing happens unless the event loop is polled: SUBACK and PUBACK are events as well.
    loop {
        if let Event::Incoming(Packet::Publish(message)) = event_loop.poll().await? {
            let topic = String::from_utf8_lossy(&message.topic);
            println!("{topic} {}", String::from_utf8_lossy(&message.payload));
            break;
        }
    }
    client.disconnect().await?;
    while event_loop.poll().await.is_ok() {}
    Ok(())
}
