//! Conversation of the device and the server in memory.

use std::error::Error;

use bytes::BytesMut;
use dunlin_codec::{PacketId, owned::TopicName};
use dunlin_codec_embed::device::Device;
use dunlin_codec_embed::server::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut device, mut server) = (Device::default(), Server::default());
    let (mut to_server, mut to_device) = (BytesMut::new(), BytesMut::new());
    let mut out = [0; 512];

    // The device connects and subscribes, and the server answers.
    let len = device.start(&mut out)?;
    to_server.extend_from_slice(&out[..len]);
    server.receive(&mut to_server, &mut to_device)?;

    // The server switches the lamp on.
    let topic: TopicName = "lamps/lamp-7/commands".parse()?;
    server.send(&topic, b"on", PacketId::try_from(7_u16)?, &mut to_device)?;
    let progress = device.receive(&to_device, &mut out)?;
    assert_eq!(progress.consumed, to_device.len());
    assert!(device.is_connected && device.is_on);
    to_server.extend_from_slice(&out[..progress.written]);

    // The device reports its state, which the server keeps.
    let len = device.publish_state(PacketId::try_from(2_u16)?, &mut out)?;
    to_server.extend_from_slice(&out[..len]);
    to_device.clear();
    server.receive(&mut to_server, &mut to_device)?;
    assert_eq!(server.retained["lamps/lamp-7/state"].payload, b"on");

    for line in &server.log {
        println!("{line}");
    }
    Ok(())
}
