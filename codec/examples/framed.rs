//! A client and a server that speak over an in-memory stream, framed by `PacketCodec`.
//!
//! `cargo run -p dunlin-codec --example framed`

use std::error::Error;

use dunlin_codec::{
    Ack, AckType, ConnAck, Connect, DecodeOptions, Delivery, Disconnect, Packet, PacketCodec,
    PacketId, Publish, Sender, TopicName, Utf8String,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_util::codec::Framed;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Narrower than the packets: they arrive in pieces.
    let (ours, theirs) = duplex(8);
    let (client, server) = tokio::join!(
        client(framed(ours, Sender::Server)),
        server(framed(theirs, Sender::Client))
    );
    client?;
    server
}

/// A stream of what `sender` sends.
fn framed(stream: DuplexStream, sender: Sender) -> Framed<DuplexStream, PacketCodec> {
    Framed::new(
        stream,
        PacketCodec::new(
            DecodeOptions::new()
                .with_sender(sender)
                .with_max_packet_size(1024),
        ),
    )
}

async fn client(mut stream: Framed<DuplexStream, PacketCodec>) -> Result<(), Box<dyn Error>> {
    let client_id = Utf8String::new("lamp-7")?;
    stream
        .send(Packet::from(&Connect {
            clean_start: true,
            client_id,
            ..Connect::default()
        }))
        .await?;
    answer(&mut stream).await?;

    let packet_id = PacketId::from(std::num::NonZeroU16::MIN);
    let delivery = Delivery::AtLeastOnce {
        packet_id,
        dup: false,
    };
    let publish = Publish {
        delivery,
        ..Publish::new(TopicName::new("lamp/7")?, b"on")
    };
    stream.send(Packet::from(publish)).await?;
    answer(&mut stream).await?;

    stream.send(Packet::from(Disconnect::default())).await?;
    Ok(())
}

async fn answer(stream: &mut Framed<DuplexStream, PacketCodec>) -> Result<(), Box<dyn Error>> {
    let received = stream.next().await.ok_or("the server has gone")??;
    println!("client <- {}", received.packet());
    Ok(())
}

async fn server(mut stream: Framed<DuplexStream, PacketCodec>) -> Result<(), Box<dyn Error>> {
    while let Some(received) = stream.next().await {
        let received = received?;
        println!("server <- {}", received.packet());
        match received.packet() {
            Packet::Connect(_) => stream.send(Packet::from(&ConnAck::default())).await?,
            Packet::Publish(publish) => {
                if let Delivery::AtLeastOnce { packet_id, .. } = publish.delivery {
                    stream
                        .send(Ack::success(packet_id).into_packet(AckType::PubAck))
                        .await?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
