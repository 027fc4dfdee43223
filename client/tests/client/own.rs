//! Clients over byte streams of the application.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_client::codec::{PacketType, Sender};
use dunlin_client::transport::{PeerAddress, Stage, StreamOpener, TransportError};
use dunlin_client::{
    Client, ClientOptions, ConnectError, ConnectOptions, EndCause, Event, Message, QoS, StopCause,
};
use dunlin_test_support::peer::Peer;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::packets::{connack, puback};
use crate::{millis, soon};

fn options() -> ClientOptions {
    ClientOptions {
        connect: ConnectOptions::new("lamp-7"),
        ..ClientOptions::default()
    }
}

/// Opener of pipes that hold `size` bytes, whose other ends come out of the receiver.
fn pipes(size: usize) -> (StreamOpener, mpsc::UnboundedReceiver<Peer<DuplexStream>>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let opener = StreamOpener::new(move || {
        let (ours, theirs) = duplex(size);
        sender.send(Peer::new(theirs, Sender::Client)).unwrap();
        async { Ok(ours) }
    });
    (opener, receiver)
}

async fn accepts(peers: &mut mpsc::UnboundedReceiver<Peer<DuplexStream>>) -> Peer<DuplexStream> {
    let mut peer = soon(peers.recv()).await.unwrap();
    let connect = peer.receives().await;
    assert_eq!(connect.packet().packet_type(), PacketType::Connect);
    peer.sends(&connack()).await;
    peer
}

#[tokio::test]
async fn a_client_talks_and_connects_again_over_streams_of_the_application() {
    // So small that every packet is cut.
    let (opener, mut peers) = pipes(5);
    let client = Client::start_over(options(), opener);
    let mut events = client.events();
    let peer = accepts(&mut peers).await;
    while let Some(event) = soon(events.next()).await {
        if let Event::Opened(opened) = &event {
            assert_eq!(opened.peer, PeerAddress::Own);
        }
        if matches!(event, Event::Connected(_)) {
            break;
        }
    }

    // The end of one stream is followed by another.
    drop(peer);
    client.reconnect_now();
    let mut peer = accepts(&mut peers).await;
    let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce);
    let (receipt, ()) = tokio::join!(client.publish(message), async {
        let publish = peer.receives().await;
        assert_eq!(publish.packet().packet_type(), PacketType::Publish);
        peer.sends(&puback(1)).await;
    });
    soon(receipt.unwrap()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_opener_that_never_ends_times_out() {
    let opener = StreamOpener::new(std::future::pending::<io::Result<DuplexStream>>);
    let mut options = options();
    options.transport.timeout = millis(100);
    options.reconnect.max_attempts = Some(0);

    let stopped = Client::connect_over(options, opener).await.unwrap_err();

    let StopCause::Final(EndCause::Attempt(error)) = stopped else {
        panic!("{stopped}");
    };
    let ConnectError::Transport(TransportError::TimedOut { stage, .. }) = &*error else {
        panic!("{error}");
    };
    assert_eq!(*stage, Stage::Stream);
}

#[tokio::test(start_paused = true)]
async fn an_opener_that_fails_is_called_again() {
    // Two failures, then a pipe.
    let (sender, mut peers) = mpsc::unbounded_channel();
    let calls = AtomicU32::new(0);
    let opener = StreamOpener::new(move || {
        let fails = calls.fetch_add(1, Ordering::Relaxed) < 2;
        let (ours, theirs) = duplex(1_000);
        if !fails {
            sender.send(Peer::new(theirs, Sender::Client)).unwrap();
        }
        async move {
            match fails {
                true => Err(io::ErrorKind::NotFound.into()),
                false => Ok(ours),
            }
        }
    });

    let mut options = options();
    options.reconnect.min_delay = millis(1);
    options.reconnect.max_delay = millis(10);
    let (connected, _peer) =
        tokio::join!(Client::connect_over(options, opener), accepts(&mut peers));

    assert!(connected.unwrap().is_connected());
}
