//! HTTP/1.1 at the ports of WebSocket and HTTPS: requests are read, answered, and upgraded to MQTT.

mod answer;
mod connection_api;
mod data_plane;
mod publish_request;
mod query;
mod refused;
mod resource;
mod retained_api;
mod signature;
mod signer;
mod upgrade;

use core::convert::Infallible;
use core::error::Error as _;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::authorizer::{Credentials, RequestHead};
use crate::event::Event;
use crate::net::handshake_slots::{HandshakeSlot, SlotHandle};
use crate::net::http::answer::Answer;
use crate::net::http::signature::SignedRequest;
use crate::net::http::signer::signer;
use crate::net::http::upgrade::UpgradeError;
use crate::net::other_protocol::OtherProtocol;
use crate::net::shared::Shared;
use crate::net::socket::{self, linger};
use crate::net::tls::ENDPOINT;
use crate::net::transport::Transport;
use crate::net::websocket::WebSocket;
use crate::net::write_timeout::WriteTimeout;
use crate::server::Peer;
use crate::server::limits::{ANSWER_TIMEOUT, HANDSHAKE_TIMEOUT};
use crate::uuid;
use crate::websocket_refusal::WebSocketRefusal;

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
    let requests = Arc::new(Requests {
        shared: Arc::clone(&shared),
        peer,
        slot: slot.handle(),
        has_answered: AtomicBool::new(false),
        upgraded: Mutex::new(None),
    });
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
        Err(error) if error.is_timeout() && requests.has_answered.load(Ordering::Relaxed) => {
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
        ..requests.peer.clone()
    };
    socket::serve(stream, peer, slot, shared).await;
}

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// Requests of one connection.
struct Requests {
    shared: Arc<Shared>,
    peer: Peer,
    slot: SlotHandle,
    has_answered: AtomicBool,
    /// Request that was upgraded to WebSocket.
    upgraded: Mutex<Option<Upgraded>>,
}

/// Request that was upgraded to WebSocket.
struct Upgraded {
    head: Arc<RequestHead>,
    /// Id of the access key that signed it; `None` if it isn't signed.
    signed_by: Option<Arc<str>>,
}

impl Requests {
    /// Answers a request; after one with a chunked body the connection is closed.
    ///
    /// hyper goes by the chunks where a request has a Content-Length, too, and hides that. A proxy
    /// before this server may have gone by the length, so what follows could be hidden from it
    /// (RFC 9112, 6.3): no request is read after a chunked one.
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        // One request of a connection at a time: hyper would handle 16 pipelined ones before MQTT.
        yield_now().await;
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let mut answer = self.answer_framed(request).await;
        self.has_answered.store(true, Ordering::Relaxed);
        if is_chunked {
            let headers = answer.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn answer_framed(&self, request: Request<Incoming>) -> Answer {
        if !has_one_host(&request) {
            let text = "the header Host must be there once";
            self.log_refusal(&format!("{text} (400)"));
            return answer::error(StatusCode::BAD_REQUEST, "InvalidRequestException", text);
        }
        if let Some(problem) = self.wrong_host(request.headers()) {
            if self.shared.strict_sni {
                self.log_refusal(&problem);
                return answer::error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden");
            }
            self.shared.emit(Event::Note {
                peer: self.peer.address,
                text: problem,
            });
        }
        if upgrade::is_upgrade(request.headers()) {
            return self.upgrade(&request).await;
        }
        let head = Arc::new(head_of(&request));
        let message = format!(
            "no such resource: {} {}",
            request.method(),
            request.uri().path()
        );
        if let Some(answer) =
            data_plane::answer(&self.shared, &self.peer, &self.slot, request, head).await
        {
            return answer;
        }
        self.log_refusal(&format!("{message} (404)"));
        answer::error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message)
    }

    /// Answers an upgrade: with 101, and the connection then speaks MQTT over WebSocket, or with an
    /// error.
    async fn upgrade(&self, request: &Request<Incoming>) -> Answer {
        let key = match upgrade::check(request) {
            Ok(key) => key,
            Err(error) => return self.refuse_upgrade(error),
        };
        // A certificate is for MQTT over TLS and for HTTPS, and WebSocket isn't served with one.
        let tls = self.peer.tls.as_ref();
        if tls.is_some_and(|tls| tls.is_authenticated) {
            self.log_refusal(
                "no upgrade to WebSocket (403): the client shows a certificate, which AWS IoT Core takes for MQTT \
                 over TLS and HTTPS alone",
            );
            return answer::error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden");
        }
        // A signature is checked here, and no authorizer is asked about the CONNECT then.
        let head = Arc::new(head_of(request));
        let signed = SignedRequest {
            method: "GET",
            path: request.uri().path(),
            head: &head,
            body: b"",
        };
        let signed_by = match signer(&self.shared, &self.peer, &signed) {
            Ok(key_id) => key_id.map(Into::into),
            Err(refused) => {
                self.log_refusal(&format!(
                    "no upgrade to WebSocket (403): {}",
                    refused.reason
                ));
                return answer::error(refused.status, refused.error, &refused.message);
            }
        };
        // AWS asks the authorizer after CONNECT; only the setting has it asked before.
        let asks_before = self.shared.settings.websocket_refusal == WebSocketRefusal::Forbidden;
        if asks_before && signed_by.is_none() {
            let credentials = Credentials {
                tls: self.peer.tls.clone(),
                http: Some(Arc::clone(&head)),
                connection_id: uuid::random(),
                ..Credentials::default()
            };
            let asked = self
                .shared
                .authorizers
                .authorize_upgrade(&credentials, &self.shared.log);
            if let Err(refusal) = asked.await {
                self.log_refusal(&format!("no upgrade to WebSocket (403): {refusal}"));
                return answer::error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden");
            }
        }

        let mut answer = Answer::default();
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let subprotocol = HeaderValue::from_static(upgrade::SUBPROTOCOL);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        *self.upgraded.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Upgraded { head, signed_by });
        answer
    }

    fn refuse_upgrade(&self, error: UpgradeError) -> Answer {
        let status = error.status();
        self.log_refusal(&format!(
            "no upgrade to WebSocket ({}): {error}",
            status.as_u16()
        ));
        let mut answer = answer::error(status, "InvalidRequestException", &error.to_string());
        if error == UpgradeError::WrongVersion {
            let headers = answer.headers_mut();
            headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        }
        answer
    }

    /// Problem of a client that names this endpoint neither by SNI nor in its header `Host`; `None`
    /// if it does. A wrong server name was told after the handshake.
    fn wrong_host(&self, headers: &HeaderMap) -> Option<String> {
        let tls = self.peer.tls.as_ref()?;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let name = host.map(|host| host.split_once(':').map_or(host, |(name, _)| name));
        let is_right = name.is_some_and(|name| name.eq_ignore_ascii_case(ENDPOINT));
        (tls.server_name.is_none() && !is_right).then(|| {
            format!(
                "the client sends no server name (SNI), and its header Host isn't {ENDPOINT:?}; AWS IoT Core needs \
                 one of both"
            )
        })
    }

    fn log_refusal(&self, reason: &str) {
        self.shared.emit(Event::Rejected {
            peer: self.peer.address,
            reason: reason.into(),
        });
    }

    fn take_upgrade(&self) -> Option<Upgraded> {
        let mut upgraded = self.upgraded.lock().unwrap_or_else(PoisonError::into_inner);
        upgraded.take()
    }
}

/// `false` for a request that its recipients could take for one to different hosts: with more than
/// one header `Host`, or from HTTP/1.1 on without one (RFC 9112, 3.2).
fn has_one_host<B>(request: &Request<B>) -> bool {
    let count = request.headers().get_all(HOST).iter().count();
    count == 1 || (count == 0 && request.version() == Version::HTTP_10)
}

/// Headers and query of a request. Bytes of a header that aren't UTF-8 are replaced.
fn head_of<B>(request: &Request<B>) -> RequestHead {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    RequestHead {
        headers: headers.collect(),
        query: request.uri().query().map(Into::into),
    }
}

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
