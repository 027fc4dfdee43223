//! Head of the server's answer, and its checks (RFC 6455, sections 4.1 and 4.2.2).

use super::SUBPROTOCOL;
use crate::error::{UpgradeRefusal, WebSocketError};

/// Head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// More bytes are needed.
    Incomplete,
    /// An answer before the final one, such as 103 (RFC 9110, section 15.2); `len` is its size in
    /// bytes.
    Interim { len: usize },
    /// The connection is open; `len` is the size of the head in bytes.
    Accepted { len: usize },
    /// The server refuses, and a body may follow.
    Refused {
        len: usize,
        body: BodyLength,
        refusal: UpgradeRefusal,
    },
}

/// End of a body (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// After this many bytes.
    Bytes(usize),
    /// In chunks, after one of no bytes.
    Chunked,
    /// At the end of the connection.
    UntilClose,
}

/// Parses an answer whose `Sec-WebSocket-Accept` should be `accept`.
///
/// # Errors
/// [`WebSocketError::NotHttp`], [`WebSocketError::AnswerTooLong`] for too many headers, or the fault
/// of an answer with status 101.
pub(super) fn parse(answer: &[u8], accept: &str) -> Result<Head, WebSocketError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(answer) {
        Ok(httparse::Status::Partial) => return Ok(Head::Incomplete),
        Ok(httparse::Status::Complete(len)) => len,
        Err(httparse::Error::TooManyHeaders) => return Err(WebSocketError::AnswerTooLong),
        Err(_) => return Err(WebSocketError::NotHttp),
    };
    let (Some(status), reason) = (response.code, response.reason.unwrap_or_default()) else {
        return Err(WebSocketError::NotHttp);
    };
    if status != 101 && matches!(status, 100..=199) {
        return Ok(Head::Interim { len });
    }
    let headers = Headers(response.headers);
    if status != 101 {
        let body = match headers
            .first("Content-Length")
            .and_then(|text| text.parse().ok())
        {
            _ if headers.lists("Transfer-Encoding", "chunked") => BodyLength::Chunked,
            Some(len) => BodyLength::Bytes(len),
            None => BodyLength::UntilClose,
        };
        let refusal = UpgradeRefusal {
            status,
            reason: cut(reason),
            error_type: headers.first("x-amzn-ErrorType").map(|text| cut(&text)),
            body: String::new(),
        };
        return Ok(Head::Refused { len, body, refusal });
    }

    // The checks of RFC 6455, section 4.1, in its order.
    let wrong = |header| Err(WebSocketError::WrongAnswer { header });
    if !headers.lists("Upgrade", "websocket") {
        return wrong("Upgrade");
    }
    if !headers.lists("Connection", "upgrade") {
        return wrong("Connection");
    }
    if headers.first("Sec-WebSocket-Accept").as_deref() != Some(accept) {
        return wrong("Sec-WebSocket-Accept");
    }
    // No extension was offered.
    if headers.first("Sec-WebSocket-Extensions").is_some() {
        return wrong("Sec-WebSocket-Extensions");
    }
    match headers.first("Sec-WebSocket-Protocol") {
        Some(protocol) if protocol == SUBPROTOCOL => Ok(Head::Accepted { len }),
        selected => Err(WebSocketError::Subprotocol {
            selected: selected.map(|text| cut(&text)),
        }),
    }
}

/// Headers of an answer; their names are the same in any case.
struct Headers<'a>(&'a [httparse::Header<'a>]);

impl Headers<'_> {
    /// Values of all headers with this name.
    fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let named = self
            .0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    }

    fn first(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// True if `token` is in the comma-separated list of a header, in any case.
    fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).any(|value| {
            value
                .split(',')
                .any(|item| item.trim().eq_ignore_ascii_case(token))
        })
    }
}

/// First 100 characters of a server's text.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// Maximum number of characters of a server's text in an error.
const LONGEST_TEXT: usize = 100;
/// Maximum number of headers of an answer.
const MOST_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
                            connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: ok\r\n\
                            Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    #[test]
    fn an_answer_is_parsed_when_its_head_is_complete() {
        for len in 0..ACCEPTED.len() {
            let head = parse(&ACCEPTED.as_bytes()[..len], "ok");
            assert_eq!(head, Ok(Head::Incomplete), "{len}");
        }
        let len = ACCEPTED.len();
        let with_frames = [ACCEPTED.as_bytes(), &[0x82, 0x00]].concat();
        assert_eq!(parse(&with_frames, "ok"), Ok(Head::Accepted { len }));
    }

    #[test]
    fn each_wrong_header_of_an_answer_is_named() {
        let wrong = |header| WebSocketError::WrongAnswer { header };
        let selected = |name: &str| WebSocketError::Subprotocol {
            selected: Some(name.into()),
        };
        for (from, to, error) in [
            ("WebSocket", "h2c", wrong("Upgrade")),
            ("keep-alive, Upgrade", "close", wrong("Connection")),
            ("Accept: ok", "Accept: no", wrong("Sec-WebSocket-Accept")),
            (
                "\r\n\r\n",
                "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                wrong("Sec-WebSocket-Extensions"),
            ),
            ("Protocol: mqtt", "Protocol: mqttv3.1", selected("mqttv3.1")),
            ("Protocol: mqtt", "Protocol: MQTT", selected("MQTT")),
            (
                "Sec-WebSocket-Protocol: mqtt\r\n",
                "",
                WebSocketError::Subprotocol { selected: None },
            ),
            ("HTTP/1.1", "SSH-2.0", WebSocketError::NotHttp),
            (
                "\r\n\r\n",
                &format!("\r\n{}\r\n", "X: y\r\n".repeat(MOST_HEADERS)),
                WebSocketError::AnswerTooLong,
            ),
        ] {
            let answer = ACCEPTED.replace(from, to);
            assert_eq!(parse(answer.as_bytes(), "ok"), Err(error), "{answer}");
        }
    }
}
