//! `WebSocketError`: cause of a WebSocket connection that wasn't opened, or that ended. Plain data:
//! they are made in `transport/websocket/`.

use std::fmt;

use dunlin_codec::{Escaped, Quoted};

use super::io_fault::IoFault;

/// Cause of a WebSocket connection that wasn't opened, or that ended (RFC 6455).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// Path or query of the options can't stand in a request; nothing was sent.
    #[error("the path or the query can't stand in a request")]
    InvalidPath,
    /// An additional header can't be sent, or is one that the handshake sets; nothing was sent.
    #[error("the header {} can't be sent with the request", Quoted(name))]
    InvalidHeader {
        /// Name of the header. The value isn't repeated, because it may be a secret.
        name: String,
    },
    /// The server answered with another status than 101.
    #[error("{0}")]
    Refused(UpgradeRefusal),
    /// The answer isn't HTTP/1.1, or ends within its head.
    #[error("the answer isn't that of a WebSocket server")]
    NotHttp,
    /// The head of the answer is longer than 16 KiB or has more than 64 headers, or more than eight
    /// answers came before the final one (such as 103).
    #[error("the answer of the server is too long: more than 16 KiB or 64 headers")]
    AnswerTooLong,
    /// The server answered with 101, and this header isn't the one that the standard asks for.
    #[error("the server answered with 101 and a wrong {header}")]
    WrongAnswer {
        /// Name of the header.
        header: &'static str,
    },
    /// The server selected no subprotocol, or another one than `mqtt`. [MQTT-6.0.0-3]
    #[error("the server selected {}", selected_protocol(selected.as_deref()))]
    Subprotocol {
        /// Subprotocol that the server selected, cut after 100 characters; `None` if it selected none.
        selected: Option<String>,
    },
    /// The server closed the connection without an answer.
    #[error("the server closed the connection without an answer to the request")]
    NoAnswer,
    /// The server sent a Close frame.
    #[error("the server closed the WebSocket connection: {0}")]
    Closed(CloseReason),
    /// The server sent a frame that breaks the rules, or one that MQTT doesn't allow.
    #[error("the server sent {0}")]
    Frame(FrameFault),
    /// The connection failed during the handshake.
    #[error("the connection failed: {0}")]
    Io(IoFault),
}

impl std::error::Error for FrameFault {}

/// Answer of a server that refused to open a WebSocket connection. Its texts are the server's: they
/// are cut, and escaped when they are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRefusal {
    /// HTTP status code: 401 and 403 refuse the credentials, 404 the path.
    pub status: u16,
    /// Reason phrase, cut after 100 characters; it may be empty.
    pub reason: String,
    /// Header `x-amzn-ErrorType` of AWS, cut after 100 characters; `None` if there was none.
    pub error_type: Option<String>,
    /// First 1,024 bytes of the body, as text; empty if there was none.
    pub body: String,
}

impl fmt::Display for UpgradeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server refused the WebSocket connection: {}",
            self.status
        )?;
        if !self.reason.is_empty() {
            write!(f, " {}", Escaped(&self.reason))?;
        }
        if let Some(error_type) = &self.error_type {
            write!(f, " ({})", Escaped(error_type))?;
        }
        Ok(())
    }
}

/// Content of a Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// Close code, such as 1008 for a violated policy (RFC 6455, section 7.4); `None` if the frame
    /// had none.
    pub code: Option<u16>,
    /// Reason, 123 bytes at most; it may be empty. Invalid UTF-8 is replaced.
    pub reason: String,
}

impl CloseReason {
    /// Meaning of the code in the standard and in its registry; `None` for a code of the
    /// application, and without a code.
    #[must_use]
    pub fn meaning(&self) -> Option<&'static str> {
        Some(match self.code? {
            1000 => "normal closure",
            1001 => "the server goes away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1007 => "invalid content",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "extension missing",
            1011 => "internal error of the server",
            1012 => "the server restarts",
            1013 => "try again later",
            1014 => "bad gateway",
            _ => return None,
        })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "code {code}")?,
            None => f.write_str("without a code")?,
        }
        if let Some(meaning) = self.meaning() {
            write!(f, " ({meaning})")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", Quoted(&self.reason))?;
        }
        Ok(())
    }
}

/// Fault of a WebSocket frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameFault {
    /// A text frame. [MQTT-6.0.0-1]
    Text,
    /// A masked frame, which only clients send (RFC 6455, section 5.1).
    Masked,
    /// Reserved bits that no extension was negotiated for (RFC 6455, section 5.2).
    ReservedBits,
    /// A reserved opcode (RFC 6455, section 5.2).
    Opcode,
    /// A continuation without a message, or a new message within another (RFC 6455, section 5.4).
    Fragmentation,
    /// A control frame that is fragmented or has more than 125 bytes (RFC 6455, section 5.5).
    ControlFrame,
    /// A length with its highest bit set (RFC 6455, section 5.2).
    Length,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text frame, where MQTT uses binary frames",
            Self::Masked => "a masked frame",
            Self::ReservedBits => "a frame with reserved bits",
            Self::Opcode => "a frame with a reserved opcode",
            Self::Fragmentation => "fragments of messages in a wrong order",
            Self::ControlFrame => "a control frame that is fragmented or too long",
            Self::Length => "a frame with an invalid length",
        })
    }
}

fn selected_protocol(selected: Option<&str>) -> String {
    match selected {
        None => "no subprotocol, where MQTT needs \"mqtt\"".to_owned(),
        Some(name) => format!(
            "the subprotocol {}, where MQTT needs \"mqtt\"",
            Quoted(name)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_servers_are_escaped() {
        let refusal = UpgradeRefusal {
            status: 403,
            reason: "For\u{1b}bidden".into(),
            error_type: Some("Forbidden\nException".into()),
            body: String::new(),
        };
        let closed = CloseReason {
            code: Some(1008),
            reason: "no\u{7}".into(),
        };
        for text in [
            WebSocketError::Refused(refusal).to_string(),
            WebSocketError::Closed(closed).to_string(),
            WebSocketError::Subprotocol {
                selected: Some("x\u{1b}".into()),
            }
            .to_string(),
        ] {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_close_reason_has_code_meaning_and_text() {
        let reason = |code, reason: &str| {
            let reason = reason.to_owned();
            CloseReason { code, reason }.to_string()
        };
        assert_eq!(
            reason(Some(1008), "no"),
            "code 1008 (policy violation): \"no\""
        );
        assert_eq!(reason(Some(4001), ""), "code 4001");
        assert_eq!(reason(None, ""), "without a code");
    }
}
