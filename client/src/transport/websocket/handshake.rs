//! Handshake of WebSocket: sends the request of the client and reads the answer (RFC 6455,
//! section 4).

mod answer;
mod body;
mod request;
#[cfg(test)]
mod tests;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use self::answer::{Head, parse};
use self::body::read_body;
use self::request::request;
use super::redaction::redacted;
use super::{Server, WebSocketOptions};
use crate::error::{UpgradeRefusal, WebSocketError};

/// Cause of a handshake that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Reading or writing failed.
    Io(io::Error),
    /// The server doesn't accept the connection.
    WebSocket(WebSocketError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WebSocketError> for Failure {
    fn from(error: WebSocketError) -> Self {
        Self::WebSocket(error)
    }
}

/// Sends the request and reads the answer. Returns the bytes that came after it.
///
/// # Errors
/// [`Failure::Io`], or [`Failure::WebSocket`] with the fault of the options or the answer.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    options: &WebSocketOptions,
    server: Server<'_>,
) -> Result<Vec<u8>, Failure> {
    options.check()?;
    let key = generate_key();
    stream
        .write_all(request(options, server, &key).as_bytes())
        .await?;
    // TLS may hold the request until it is flushed.
    stream.flush().await?;

    // Read until the head is complete. The answer may come in any number of pieces.
    let accept = derive_accept_key(key.as_bytes());
    let mut answer = Vec::new();
    let mut interim_answers = 0;
    let head_len = loop {
        match parse(&answer, &accept)? {
            Head::Incomplete if answer.len() > LONGEST_HEAD => {
                return Err(WebSocketError::AnswerTooLong.into());
            }
            Head::Incomplete => {}
            // The final answer may be there already.
            Head::Interim { len } if interim_answers < MOST_INTERIM_ANSWERS => {
                interim_answers += 1;
                answer.drain(..len);
                continue;
            }
            Head::Interim { .. } => return Err(WebSocketError::AnswerTooLong.into()),
            Head::Accepted { len } => break len,
            Head::Refused { len, body, refusal } => {
                answer.drain(..len);
                let body = read_body(stream, answer, body).await;
                let refusal = UpgradeRefusal { body, ..refusal };
                return Err(WebSocketError::Refused(redacted(refusal, options)).into());
            }
        }
        match stream.read_buf(&mut answer).await {
            Ok(0) if answer.is_empty() => return Err(WebSocketError::NoAnswer.into()),
            // A server that doesn't know HTTP says a few bytes at most.
            Ok(0) => return Err(WebSocketError::NotHttp.into()),
            Ok(_) => {}
            // A server of MQTT closes the connection over a request of HTTP, with a reset if it
            // hasn't read all of it.
            Err(error) if is_end(&error) && answer.is_empty() => {
                return Err(WebSocketError::NoAnswer.into());
            }
            Err(error) => return Err(error.into()),
        }
    };
    answer.drain(..head_len);
    answer.shrink_to_fit();
    Ok(answer)
}

/// Returns true if the server has closed the connection, also with a reset.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

/// Subprotocol of MQTT.
const SUBPROTOCOL: &str = "mqtt";
/// Longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Maximum number of answers before the final one.
const MOST_INTERIM_ANSWERS: usize = 8;
