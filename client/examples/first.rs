//! A first program: connects, subscribes, publishes, receives its own message, and leaves.
//!
//! `cargo run -p dunlin-client --example first mqtt://localhost` (without a URL it shows its usage)

use std::error::Error;
use std::time::Duration;

use dunlin_client::transport::{Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, MessageProperties, QoS, Will};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        println!("usage: first URL [CA_FILE]");
        println!("URL: mqtt://HOST[:PORT] for TCP, mqtts://HOST[:PORT] for TLS");
        println!("CA_FILE: PEM file with the certificate authority of the server");
        return Ok(());
    };
    let ca_file = arguments.next();

    // Where to connect to.
    let mut transport: TransportOptions = url.parse()?;
    if let Some(path) = ca_file {
        let tls = TlsOptions {
            roots: Roots::from_pem_file(path)?,
            ..Default::default()
        };
        transport.tls = Some(TlsConnector::new(&tls)?.into());
    }

    // What CONNECT says. The client identifier is left to the server.
    let connect = ConnectOptions {
        keep_alive: Duration::from_secs(30),
        receive_maximum: Some(10),
        will: Some(Will::new("dunlin/first/state", "gone")),
        ..Default::default()
    };

    // Connect and subscribe.
    let client = Client::connect(ClientOptions::new(transport, connect)).await?;
    let mut messages = client
        .subscribe("dunlin/first/+", QoS::try_from(1)?)
        .await?;

    // Publish, and wait until the server has the message.
    let mut message =
        Message::new("dunlin/first/temperature", format!("{:.1}", 21.53)).qos(QoS::AtLeastOnce);
    message.properties = MessageProperties {
        content_type: Some("text/plain"),
        correlation_data: Some(b"x"),
        user_properties: &[("unit", "celsius")],
        ..Default::default()
    };
    let receipt = client.publish(message).await?;
    println!("published: {}", receipt.await?.reason_code);

    // It comes back, since this client is subscribed to its topic.
    if let Some(message) = messages.next().await {
        println!(
            "received on {}: {}",
            message.topic(),
            String::from_utf8_lossy(message.payload())
        );
    }

    client.disconnect().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Lines that people write first: each of them has to compile.
    #[test]
    fn options_and_messages_accept_common_types() -> Result<(), Box<dyn Error>> {
        let mut options = ConnectOptions::new("lamp-7");
        options.username = Some("me".into());
        options.password = Some("x".into());
        options.password = Some(String::from("x").into());
        options.password = Some(b"x".into());
        options.password = Some(vec![b'x'].into());
        options.receive_maximum = Some(10);
        options.maximum_packet_size = Some(1 << 20);
        options.keep_alive = Duration::from_secs(30);
        options.will = Some(Will {
            qos: QoS::AtLeastOnce,
            ..Will::new("t", "p")
        });
        options.check()?;
        ConnectOptions {
            client_id: "lamp-7".into(),
            ..Default::default()
        }
        .check()?;

        let transport = TransportOptions::new(String::from("[::1]"), 1883);
        let transport = TransportOptions {
            timeout: Duration::from_secs(5),
            ..transport
        };
        let client_options = ClientOptions {
            connect: options,
            ..Default::default()
        };
        let client_options = ClientOptions {
            transport,
            ..client_options
        };
        assert_eq!(client_options.transport.port, 1883);
        TransportOptions::from_url("mqtts://localhost")?;
        "mqtts://[::1]:8884".parse::<TransportOptions>()?;
        assert!(Roots::from_pem_file("no-such-file.pem").is_err());
        assert!(Roots::try_from(Path::new("no-such-file.pem")).is_err());

        let (text, bytes) = (String::from("on"), vec![1, 2, 3]);
        let topic = format!("lamp/{}", 7);
        for message in [
            Message::new("lamp/7", "on"),
            Message::new("lamp/7", b"on"),
            Message::new(&topic, &text),
            Message::new(&topic, &bytes),
            Message::new(&topic, &bytes[1..]),
            Message::new("lamp/7", text.clone()),
            Message::new("lamp/7", bytes.clone()),
            Message::new("lamp/7", bytes::Bytes::from_static(b"on")),
            Message {
                topic: "lamp/7",
                payload: "on".into(),
                ..Default::default()
            },
        ] {
            assert!(!message.payload.is_empty());
        }
        assert_eq!(QoS::try_from(1)?, QoS::AtLeastOnce);
        Ok(())
    }
}
