use gneiss_mqtt::client::{AsyncClient, ClientEvent, TokioClientBuilder};
use gneiss_mqtt::mqtt::{PublishPacket, QualityOfService, SubscribePacket};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or("1883".into());
    let client = TokioClientBuilder::new("localhost", port.parse()?).build()?;
    // Messages arrive in a callback, with the other events.
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
    client.start(Some(Arc::new(move |event: Arc<ClientEvent>| {
        if let ClientEvent::PublishReceived(received) = event.as_ref() {
            let _ = sender.send(received.publish.clone());
        }
    })))?;
    let subscribe = SubscribePacket::builder()
        .with_subscription_simple("hello/+".into(), QualityOfService::AtLeastOnce)
        .build();
    // A refusal isn't an error: its reason code is in the SUBACK.
    let answer = client.subscribe(subscribe, None).await?;
    assert!(answer.reason_codes().iter().all(|code| code.is_success()));
    let publish = PublishPacket::builder("hello/lamp".into(), QualityOfService::AtLeastOnce)
        .with_payload(b"on".to_vec())
        .build();
    // Likewise: the reason code is in the PUBACK.
    client.publish(publish, None).await?;
    if let Some(message) = messages.recv().await {
        let payload = String::from_utf8_lossy(message.payload().unwrap_or_default());
        println!("{} {payload}", message.topic());
    }
    client.stop(None)?;
    Ok(())
}
