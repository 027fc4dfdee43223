//! `WebSocketFront`: takes WebSocket connections, with or without TLS, for a server that speaks plain
//! TCP.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Front of a server. Ends when dropped.
#[derive(Debug)]
pub struct WebSocketFront {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl WebSocketFront {
    /// Starts a front of `server` on a free port; with `tls` it speaks TLS.
    pub async fn start(server: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start_now(server, tls)
    }

    /// Like [`start`](Self::start), without a wait; in a tokio runtime.
    pub fn start_now(server: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    tcp.set_nodelay(true).unwrap();
                    match tls {
                        None => forward(tcp, server).await,
                        Some(config) => {
                            if let Ok(tls) = TlsAcceptor::from(config).accept(tcp).await {
                                forward(tls, server).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, task }
    }

    /// Address that the front listens on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebSocketFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens the WebSocket connection and forwards its content to the server and back.
async fn forward<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    server: SocketAddr,
) {
    let Ok(front) = tokio_tungstenite::accept_hdr_async(stream, select_mqtt).await else {
        return;
    };
    let Ok(back) = TcpStream::connect(server).await else {
        return;
    };
    back.set_nodelay(true).unwrap();
    let (sink, stream) = front.split();
    let (from_server, to_server) = back.into_split();
    tokio::join!(
        forward_to_server(stream, to_server),
        forward_to_client(from_server, sink)
    );
}

/// Takes the subprotocol `mqtt`, and refuses a request without it.
#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
fn select_mqtt(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get("Sec-WebSocket-Protocol");
    if offered.is_none_or(|offered| offered != "mqtt") {
        return Err(ErrorResponse::new(Some("no subprotocol".to_owned())));
    }
    response
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    Ok(response)
}

async fn forward_to_server<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: futures_util::stream::SplitStream<WebSocketStream<S>>,
    mut to_server: OwnedWriteHalf,
) {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(bytes) if to_server.write_all(&bytes).await.is_ok() => {}
            Message::Ping(_) | Message::Pong(_) => {}
            _ => break,
        }
    }
    let _ = to_server.shutdown().await;
}

/// Sends what the server says in frames of changing sizes and shapes, so that packets are cut anywhere.
async fn forward_to_client<S: AsyncRead + AsyncWrite + Unpin>(
    mut from_server: OwnedReadHalf,
    mut sink: SplitSink<WebSocketStream<S>, Message>,
) {
    let mut buffer = vec![0; 16 * 1024];
    for turn in 0_usize.. {
        let read = from_server.read(&mut buffer).await;
        let Ok(read @ 1..) = read else {
            break;
        };
        let bytes = Bytes::copy_from_slice(buffer.get(..read).unwrap());
        let frames = match turn % 3 {
            // All packets of a read in one frame; in three fragments of a message with a ping between
            // them; each byte of the first in a frame of its own.
            0 => vec![Message::Binary(bytes)],
            1 => {
                let (first, second) = (read / 3, read / 2);
                vec![
                    fragment(bytes.slice(..first), Data::Binary, false),
                    Message::Ping(Bytes::from_static(b"between")),
                    fragment(bytes.slice(first..second), Data::Continue, false),
                    fragment(bytes.slice(second..), Data::Continue, true),
                ]
            }
            _ => {
                let singles = read.min(8);
                let mut frames: Vec<Message> = (0..singles)
                    .map(|at| Message::Binary(bytes.slice(at..=at)))
                    .collect();
                frames.push(Message::Binary(bytes.slice(singles..)));
                frames
            }
        };
        for frame in frames {
            if sink.send(frame).await.is_err() {
                return;
            }
        }
    }
    let _ = sink.close().await;
}

fn fragment(bytes: Bytes, data: Data, is_final: bool) -> Message {
    Message::Frame(Frame::message(bytes, OpCode::Data(data), is_final))
}
