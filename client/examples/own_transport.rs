//! A client over a byte stream of the application: here a pipe in memory, whose other end is a server of
//! a few lines. A QUIC stream or a serial port takes its place in the same way.
//!
//! Run it with `cargo run -p dunlin-client --example own_transport`.

use std::error::Error;
use std::io;

use dunlin_client::transport::StreamOpener;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Called for each attempt to connect.
    let opener = StreamOpener::new(|| async {
        let (ours, theirs) = duplex(4096);
        tokio::spawn(serve(theirs));
        Ok(ours)
    });
    let options = ClientOptions {
        connect: ConnectOptions::new("lamp-7"),
        ..ClientOptions::default()
    };
    let client = Client::connect_over(options, opener).await?;
    let receipt = client
        .publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))
        .await?;
    receipt.await?;
    println!("acknowledged");
    client.disconnect().await;
    Ok(())
}

/// Accepts CONNECT and acknowledges each PUBLISH at QoS 1. Its packets are shorter than 128 bytes, so
/// that their length is one byte.
async fn serve(mut stream: DuplexStream) -> io::Result<()> {
    loop {
        let (first, len) = (stream.read_u8().await?, stream.read_u8().await?);
        let mut body = vec![0; len.into()];
        stream.read_exact(&mut body).await?;
        match (first >> 4, body.as_slice()) {
            // CONNECT: CONNACK with success and no properties.
            (1, _) => stream.write_all(&[0x20, 3, 0, 0, 0]).await?,
            // PUBLISH: the Packet Identifier follows the topic.
            (3, [high, low, rest @ ..]) => {
                let topic_len = usize::from(u16::from_be_bytes([*high, *low]));
                if let Some([high, low, ..]) = rest.get(topic_len..) {
                    stream.write_all(&[0x40, 2, *high, *low]).await?;
                }
            }
            _ => {}
        }
    }
}
