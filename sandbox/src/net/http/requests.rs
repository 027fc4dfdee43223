//! Requests of one HTTP connection: each is answered, and the last one may become a WebSocket.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, StatusCode, Version};
use tokio::task::yield_now;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::authorizer::{Credentials, RequestHead};
use crate::event::Event;
use crate::net::handshake_slots::SlotHandle;
use crate::net::http::answer::{self, Answer};
use crate::net::http::data_plane;
use crate::net::http::signature::SignedRequest;
use crate::net::http::signer::signer;
use crate::net::http::upgrade::{self, UpgradeError};
use crate::net::shared::Shared;
use crate::net::tls::ENDPOINT;
use crate::server::Peer;
use crate::uuid;
use crate::websocket_refusal::WebSocketRefusal;

/// Requests of one connection.
pub(super) struct Requests {
    shared: Arc<Shared>,
    peer: Peer,
    slot: SlotHandle,
    has_answered: AtomicBool,
    /// Request that was upgraded to WebSocket.
    upgraded: Mutex<Option<Upgraded>>,
}

/// Request that was upgraded to WebSocket.
pub(super) struct Upgraded {
    pub(super) head: Arc<RequestHead>,
    /// Id of the access key that signed it; `None` if it isn't signed.
    pub(super) signed_by: Option<Arc<str>>,
}

impl Requests {
    pub(super) fn new(shared: Arc<Shared>, peer: Peer, slot: SlotHandle) -> Self {
        Self {
            shared,
            peer,
            slot,
            has_answered: AtomicBool::new(false),
            upgraded: Mutex::new(None),
        }
    }

    /// `true` if a request was answered.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Answers a request; after one with a chunked body the connection is closed.
    ///
    /// hyper reads the chunks even where a request has a Content-Length too, and hides that length. A
    /// proxy before this server may have used the length, and taken a second request for a part of the
    /// body (RFC 9112, 6.3): no request is read after a chunked one.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
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

    /// Takes the request that was upgraded; `None` if none was.
    pub(super) fn take_upgrade(&self) -> Option<Upgraded> {
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
