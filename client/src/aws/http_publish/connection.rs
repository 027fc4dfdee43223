//! `HttpConnection`: open connection to a server, for one request at a time.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::answer::{self, HttpPublished};
use super::error::{AnswerStage, HttpPublishError};
use super::request::PublishRequest;
use crate::error::{IoFault, PeerAddress, TransportError};
use crate::runtime::clock::now;
use crate::transport::{Transport, TransportOptions, open};

/// Open connection. It has no task: it is read and written while a request waits for its answer, and
/// dropping it closes it.
pub(super) struct HttpConnection {
    peer: PeerAddress,
    sender: SendRequest<Full<Bytes>>,
    /// Reads and writes; `None` once the connection has ended. Boxed, because it is moved between the
    /// pool and the request.
    driver: Option<Driver>,
    /// True after the first answer.
    reused: bool,
    /// Time of the last answer, or of the opening.
    idle_since: Instant,
}

type Driver = Pin<Box<http1::Connection<TokioIo<Transport>, Full<Bytes>>>>;

/// Outcome of a request on a connection.
pub(super) struct Exchange {
    pub(super) outcome: Result<HttpPublished, HttpPublishError>,
    /// Connection if it can be used again.
    pub(super) connection: Option<HttpConnection>,
}

impl Exchange {
    fn failed(error: HttpPublishError) -> Self {
        Self {
            outcome: Err(error),
            connection: None,
        }
    }
}

impl HttpConnection {
    /// Opens a connection.
    ///
    /// # Errors
    /// [`HttpPublishError::Connect`].
    pub(super) async fn open(options: &TransportOptions) -> Result<Self, HttpPublishError> {
        let (transport, opened) = open(options).await.map_err(HttpPublishError::Connect)?;
        let peer = opened.peer;
        let handshake = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(transport));
        // The handshake of HTTP/1 sends nothing.
        let (sender, connection) = handshake
            .await
            .map_err(|error| explain(&error, &peer, AnswerStage::Head))?;
        Ok(Self {
            peer,
            sender,
            driver: Some(Box::pin(connection)),
            reused: false,
            idle_since: now(),
        })
    }

    /// True if the last answer is so long ago that something in between may have forgotten the
    /// connection without a word.
    pub(super) fn is_stale(&self) -> bool {
        now().saturating_duration_since(self.idle_since) > IDLE_LIMIT
    }

    /// Sends a request and reads its answer; each of head and body has the time `within`. `None` if the
    /// server had closed the connection before anything of the request was sent.
    ///
    /// Cancel safe: a dropped future closes the connection. The server may have got the request.
    pub(super) async fn exchange(
        mut self,
        request: &PublishRequest,
        within: Duration,
    ) -> Option<Exchange> {
        let message = match request.to_hyper() {
            Ok(message) => message,
            Err(error) => return Some(Exchange::failed(error)),
        };
        // What arrived since the last answer is read first: the server may have closed. The runtime
        // learns of that between two polls of a task.
        if self.reused {
            yield_now().await;
            if !self.is_open().await {
                return None;
            }
        }

        // Send the request and read the head of the answer.
        let answered = {
            let mut answer = pin!(self.sender.try_send_request(message));
            let exchanged = async {
                tokio::select! {
                    biased;
                    answer = &mut answer => answer,
                    // The answer has the reason why the connection ended.
                    () = drive(&mut self.driver) => answer.await,
                }
            };
            timeout(within, exchanged).await
        };
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(mut error)) => {
                // The request comes back if nothing of it was written.
                if self.reused && error.take_message().is_some() {
                    return None;
                }
                let error = explain(error.error(), &self.peer, AnswerStage::Head);
                return Some(Exchange::failed(error));
            }
            Err(_elapsed) => return Some(self.timed_out(AnswerStage::Head, within)),
        };
        Some(self.read(response, request, within).await)
    }

    /// Reads the body of an answer, and makes the outcome of it.
    async fn read(
        mut self,
        response: Response<Incoming>,
        request: &PublishRequest,
        within: Duration,
    ) -> Exchange {
        let (head, body) = response.into_parts();
        let mut bytes = Vec::new();
        let read = timeout(within, self.read_body(body, &mut bytes)).await;
        let is_success = head.status == StatusCode::OK;
        let is_whole = match read {
            Ok(Ok(BodyEnd::Whole)) => true,
            // A refusal is one, however its text ends: what came of it is part of the error.
            _ if !is_success => false,
            Ok(Ok(BodyEnd::Cut)) => {
                let peer = self.peer;
                return Exchange::failed(HttpPublishError::AnswerTooLong { peer });
            }
            Ok(Err(error)) => {
                let error = explain(&error, &self.peer, AnswerStage::Body);
                return Exchange::failed(error);
            }
            Err(_elapsed) => return self.timed_out(AnswerStage::Body, within),
        };

        let peer = self.peer.clone();
        let outcome = if is_success {
            Ok(HttpPublished {
                request_id: answer::published_id(&head.headers, &bytes, request),
                peer,
                reused: self.reused,
            })
        } else {
            let refusal = answer::refusal(head.status, &head.headers, &bytes, request);
            Err(HttpPublishError::Refused {
                peer,
                refusal: Box::new(refusal),
            })
        };
        // The server may close the connection after its answer, and often says so.
        let is_usable = is_whole && self.is_open().await;
        self.reused = true;
        self.idle_since = now();
        Exchange {
            outcome,
            connection: is_usable.then_some(self),
        }
    }

    /// Reads a body of at most 16 KiB into `bytes`; of a longer one its beginning. What was read
    /// before an error or a time-out stays there.
    async fn read_body(
        &mut self,
        mut body: Incoming,
        bytes: &mut Vec<u8>,
    ) -> Result<BodyEnd, hyper::Error> {
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                // The body has the reason why the connection ended.
                () = drive(&mut self.driver) => body.frame().await,
            };
            match frame {
                None => return Ok(BodyEnd::Whole),
                Some(Err(error)) => return Err(error),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    let left = MAX_BODY - bytes.len();
                    bytes.extend_from_slice(data.get(..left).unwrap_or(&data));
                    if data.len() > left {
                        return Ok(BodyEnd::Cut);
                    }
                }
            }
        }
    }

    /// True if the server keeps the connection open for another request, as far as anything of its end
    /// has arrived.
    async fn is_open(&mut self) -> bool {
        tokio::select! {
            biased;
            () = drive(&mut self.driver) => false,
            ready = self.sender.ready() => ready.is_ok(),
            () = std::future::ready(()) => false,
        }
    }

    fn timed_out(self, stage: AnswerStage, after: Duration) -> Exchange {
        let peer = self.peer;
        Exchange::failed(HttpPublishError::TimedOut { peer, stage, after })
    }
}

/// Reads and writes until the connection ends; after that it is pending for ever.
async fn drive(driver: &mut Option<Driver>) {
    match driver {
        Some(connection) => {
            // Its error is that of the request or of the body, which ended with it.
            let _ = connection.await;
            *driver = None;
        }
        None => pending().await,
    }
}

/// End of a body.
enum BodyEnd {
    Whole,
    /// The body is longer than what was read of it.
    Cut,
}

/// Error of a connection in the terms of this crate.
fn explain(error: &hyper::Error, peer: &PeerAddress, stage: AnswerStage) -> HttpPublishError {
    let peer = peer.clone();
    // hyper has a method for this in servers alone.
    if error.is_parse() && error.to_string().contains("too large") {
        return HttpPublishError::AnswerTooLong { peer };
    }
    // An error of the socket or of TLS, or of hyper's decoder: it may be the cause of a cause, as hyper
    // wraps what ends a connection before the request was written in two errors of its own.
    if let Some(io) = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()) {
        let error = TransportError::from_io(io, &peer);
        // Wrong chunks of a body are errors of the decoder, not of the socket.
        if is_of_decoder(&error) {
            let detail = io.to_string();
            return HttpPublishError::NotHttp { peer, detail };
        }
        let error = Box::new(error);
        return HttpPublishError::Connection { peer, error };
    }
    // An answer before the request, for example.
    let inner = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    if let Some(inner) = inner.filter(|inner| !is_end(inner)) {
        let detail = inner.to_string();
        return HttpPublishError::NotHttp { peer, detail };
    }
    if is_end(error) || stage == AnswerStage::Body && !error.is_parse() {
        let fault = IoFault {
            kind: std::io::ErrorKind::UnexpectedEof,
            os_code: None,
        };
        let error = Box::new(TransportError::Io(fault));
        return HttpPublishError::Connection { peer, error };
    }
    HttpPublishError::NotHttp {
        peer,
        detail: error.to_string(),
    }
}

/// Errors that led to an error, the nearest one first.
fn causes(error: &hyper::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

/// True if the connection ended, or its use.
fn is_end(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}

/// True for an error about the bytes of a body; those of sockets have a code, and TLS has its own.
fn is_of_decoder(error: &TransportError) -> bool {
    let kinds = [
        std::io::ErrorKind::InvalidData,
        std::io::ErrorKind::InvalidInput,
    ];
    matches!(error, TransportError::Io(fault) if fault.os_code.is_none() && kinds.contains(&fault.kind))
}

/// Maximum size of the head of an answer in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Maximum number of headers of an answer.
const MAX_HEADERS: usize = 64;
/// Maximum size of the body of an answer in bytes.
const MAX_BODY: usize = 16 * 1024;
/// Longest time that a connection is kept without a request. NATs and load balancers forget a
/// connection after a minute or more.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
