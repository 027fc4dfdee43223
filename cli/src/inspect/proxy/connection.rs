//! One client of the proxy: its first packet, the connection to the server, and the bytes of both.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use dunlin_client::Direction;
use dunlin_codec::{ConnAck, Packet, ReasonCode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::time::timeout;

use super::first_packet::{self, FirstPacket, LONGEST_WAIT};
use super::reporter::{Reporter, Watch};
use crate::inspect::upstream::Upstream;

/// Serves a client to its end.
pub(super) async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    number: u32,
    upstream: &Upstream,
    reporter: &Reporter,
) {
    let watch = reporter.watch(number, peer, &upstream.address());
    // The server is connected to once the client has said something: it may be a port scan.
    let first = match first_packet::read(&mut client, LONGEST_WAIT).await {
        Ok(first) => first,
        Err(error) => return watch.note(&format!("the connection of the client failed: {error}")),
    };
    let (packet, rest) = match first {
        FirstPacket::Connect { packet, rest } => match upstream.with_credentials(&packet) {
            Some(changed) => {
                watch.note("user name and password of the flags replace those of CONNECT");
                (changed, rest)
            }
            None => (packet, rest),
        },
        FirstPacket::Other(bytes) => (bytes, Vec::new()),
        FirstPacket::Nothing(bytes) => {
            return watch.note(&format!(
                "the client sent {} bytes and no whole CONNECT",
                bytes.len()
            ));
        }
    };

    let mut server = match upstream.open().await {
        Ok(server) => server,
        Err(error) => {
            watch.see(Direction::Sent, &packet);
            let diagnosis = upstream.explain(&error);
            watch.note(&format!(
                "error[{}]: {}",
                diagnosis.id.name(),
                diagnosis.headline
            ));
            refuse(&mut client, &packet).await;
            return;
        }
    };
    let first = [packet, rest].concat();
    watch.see(Direction::Sent, &first);
    let sent = async {
        server.write_all(&first).await?;
        server.flush().await
    };
    if let Err(error) = sent.await {
        return watch.note(&format!("the connection to the server failed: {error}"));
    }
    relay_both(client, server, &watch, reporter).await;
}

/// Answers the CONNECT of a client whose server can't be reached: with 0x88, which says that it may try
/// again. Only clients of MQTT 5 understand it.
async fn refuse(client: &mut (impl AsyncWrite + Unpin), connect: &[u8]) {
    if !matches!(Packet::decode(connect), Ok(Some(_))) {
        return;
    }
    let connack = ConnAck::new(ReasonCode::ServerUnavailable);
    let mut bytes = Vec::new();
    if Packet::from(&connack).encode(&mut bytes).is_ok() {
        // A client that has gone needs no answer.
        let _ = timeout(CLOSING_TIME, client.write_all(&bytes)).await;
    }
}

/// Passes bytes on in both directions until both have ended, or one has failed.
async fn relay_both(
    client: impl AsyncRead + AsyncWrite + Unpin,
    server: impl AsyncRead + AsyncWrite + Unpin,
    watch: &Watch,
    reporter: &Reporter,
) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let mut sent = pin!(relay(
        &mut from_client,
        &mut to_server,
        Direction::Sent,
        watch,
        reporter
    ));
    let mut received = pin!(relay(
        &mut from_server,
        &mut to_client,
        Direction::Received,
        watch,
        reporter
    ));
    // After the end of one direction the other one may go on for a while.
    let outcome = tokio::select! {
        outcome = &mut sent => match outcome {
            Ok(()) => timeout(CLOSING_TIME, received).await.unwrap_or(Ok(())),
            failed => failed,
        },
        outcome = &mut received => match outcome {
            Ok(()) => timeout(CLOSING_TIME, sent).await.unwrap_or(Ok(())),
            failed => failed,
        },
    };
    if let Err(failed) = outcome {
        watch.note(&failed);
    }
}

/// Passes bytes on until the sender ends its direction. Nothing is read before all of it is written: a
/// slow receiver slows the sender down.
///
/// # Errors
/// A sentence about the side whose connection failed.
async fn relay(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    direction: Direction,
    watch: &Watch,
    reporter: &Reporter,
) -> Result<(), String> {
    let (sender, receiver) = match direction {
        Direction::Sent => ("client", "server"),
        Direction::Received => ("server", "client"),
    };
    let failed =
        |side: &str, error: &io::Error| format!("the connection of the {side} failed: {error}");
    let mut buffer = vec![0; BUFFER];
    loop {
        let len = match from.read(&mut buffer).await {
            Ok(len) => len,
            // A server that closes TLS without its goodbye closes it all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(failed(sender, &error)),
        };
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            watch.note(&format!("the {sender} closes the connection"));
            // A receiver that has gone by now knows; one that reads nothing can't be told.
            let _ = timeout(CLOSING_TIME, to.shutdown()).await;
            return Ok(());
        }
        // Shown first, so that the line of a request comes before that of its answer.
        watch.see(direction, bytes);
        let written = async {
            to.write_all(bytes).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return Err(failed(receiver, &error));
        }
        // Lines that nobody reads don't pile up.
        reporter.ready().await;
    }
}

const BUFFER: usize = 16 * 1024;
/// Time for one direction after the other one has ended.
const CLOSING_TIME: Duration = Duration::from_secs(10);
