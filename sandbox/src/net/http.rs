//! HTTP/1.1 at the ports of WebSocket and HTTPS: requests are read, answered, and upgraded to MQTT.

mod answer;
mod connection_api;
mod data_plane;
mod publish_request;
mod query;
mod refused;
mod requests;
mod resource;
mod retained_api;
mod signature;
mod signer;
mod upgrade;

use core::convert::Infallible;
use core::error::Error as _;
use core::future::Future;
use core::pin::{Pin, pin};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use crate::event::Event;
use crate::net::handshake_slots::HandshakeSlot;
use crate::net::http::answer::Answer;
use crate::net::http::requests::{Requests, Upgraded};
use crate::net::other_protocol::OtherProtocol;
use crate::net::shared::Shared;
use crate::net::socket::{self, linger};
use crate::net::transport::Transport;
use crate::net::websocket::WebSocket;
use crate::net::write_timeout::WriteTimeout;
use crate::server::Peer;
use crate::server::limits::{ANSWER_TIMEOUT, HANDSHAKE_TIMEOUT};

/// Serves the requests of one connection, until it ends or becomes a WebSocket; then MQTT over that.
///
/// Until the CONNACK the client has a handshake slot, as over TLS.
pub(crate) async fn serve<T: Transport>(
    stream: T,
    peer: Peer,
    slot: HandshakeSlot,
    shared: Arc<Shared>,
) {
    let address = peer.address;
    // Without TLS the first bytes can be looked at: another protocol would be told as a bad request.
    if peer.tls.is_none()
        && let Some(reason) = other_protocol(&stream, &slot, &shared).await
    {
        return shared.emit(Event::Rejected {
            peer: address,
            reason,
        });
    }

    // Request by request, each with its answer; an upgrade is the last one.
    let requests = Arc::new(Requests::new(
        Arc::clone(&shared),
        peer.clone(),
        slot.handle(),
    ));
    let service = service_fn(|request| {
        let requests = Arc::clone(&requests);
        let answer: Answering = Box::pin(async move { Ok(requests.answer(request).await) });
        answer
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIMEOUT)
        // A client may end its side after its last request, and still gets the answer.
        .half_close(true)
        .max_buf_size(MAX_HEAD)
        .serve_connection(
            TokioIo::new(WriteTimeout::new(stream, ANSWER_TIMEOUT)),
            service,
        );
    let mut connection = pin!(connection.without_shutdown());
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = slot.evicted() => {
            return shared.emit(Event::Rejected {
                peer: address,
                reason: EVICTED.into(),
            });
        }
        () = shared.stopping() => return,
    };
    let parts = match ended {
        Ok(parts) => parts,
        // Keep-alive: the client was answered, and has nothing more to ask.
        Err(error) if error.is_timeout() && requests.has_answered() => {
            let text = format!("{NO_REQUEST} of the last one; the connection is closed");
            return shared.emit(Event::Note {
                peer: address,
                text,
            });
        }
        Err(error) => {
            return shared.emit(Event::Rejected {
                peer: address,
                reason: failed(&error),
            });
        }
    };
    let mut stream = parts.io.into_inner().into_inner();
    let Some(Upgraded { head, signed_by }) = requests.take_upgrade() else {
        let _ = timeout(LINGER, linger(&mut stream)).await;
        return;
    };

    // MQTT: the bytes that came with the request are the first frames.
    let most = shared.settings.rules().maximum_packet_size as usize + MESSAGE_OVERHEAD;
    let stream = WebSocket::new(stream, parts.read_buf.to_vec(), most).await;
    let peer = Peer {
        http: Some(head),
        signed_by,
        ..peer
    };
    socket::serve(stream, peer, slot, shared).await;
}

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// Reason to reject a client without TLS that speaks another protocol, or nothing; `None` if it may
/// be HTTP.
async fn other_protocol<T: Transport>(
    stream: &T,
    slot: &HandshakeSlot,
    shared: &Shared,
) -> Option<String> {
    let mut first = [0; FIRST_BYTES];
    let length = tokio::select! {
        peeked = timeout(HANDSHAKE_TIMEOUT, stream.tcp().peek(&mut first)) => match peeked {
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return Some(error.to_string()),
            Err(_) => return Some("no HTTP request came within 10 seconds".into()),
        },
        () = slot.evicted() => {
            return Some(EVICTED.into());
        }
        () = shared.stopping() => return Some("the sandbox stops".into()),
    };
    let first = first.get(..length).unwrap_or_default();
    OtherProtocol::instead_of_http(first).map(|other| other.to_string())
}

/// Reason for the end of a connection, for the log.
fn failed(error: &hyper::Error) -> String {
    if error.is_timeout() {
        NO_REQUEST.into()
    } else if is_write_timeout(error) {
        "the client took nothing of its answers for 10 seconds".into()
    } else if error.is_parse() {
        format!("this is no HTTP request, or its head is too large: {error}")
    } else {
        format!("the HTTP connection failed: {error}")
    }
}

/// `true` if the client didn't read what was written to it.
fn is_write_timeout(error: &hyper::Error) -> bool {
    let source = error.source();
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

const NO_REQUEST: &str = "no whole HTTP request came within 10 seconds";
const EVICTED: &str = "too many clients wait to be let in, and this one has waited for longest";
/// Bytes of the head of a request: AWS takes 8,192 of a header and 4,096 of a query.
const MAX_HEAD: usize = 16 * 1024;
/// Bytes of a message beyond the largest packet: clients may put small packets in front of it.
const MESSAGE_OVERHEAD: usize = 64 * 1024;
/// Bytes that tell the protocol of a client.
const FIRST_BYTES: usize = 16;
/// Time for the client to read the last answer, and to close too.
const LINGER: Duration = Duration::from_secs(2);
