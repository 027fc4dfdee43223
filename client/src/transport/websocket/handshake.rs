//! Handshake of WebSocket: the request of the client, and the check of the answer (RFC 6455,
//! sections 4.1 and 4.2.2).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use zeroize::Zeroizing;

use super::redaction::redacted;
use super::{Server, WebSocketOptions};
use crate::error::{UpgradeRefusal, WebSocketError};
use crate::transport::authority;

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

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}

/// Request for a WebSocket connection (RFC 6455, section 4.1).
fn request(options: &WebSocketOptions, server: Server<'_>, key: &str) -> Zeroizing<String> {
    // The default port isn't named (RFC 9110, section 4.2.1), as the signatures of some gateways
    // include this header.
    let default_port = if server.is_tls { 443 } else { 80 };
    let mut host = authority(server.host, server.port);
    if server.port == default_port
        && let Some((name, _)) = host.rsplit_once(':')
    {
        host.truncate(name.len());
    }
    let query = options.query.as_ref().map_or("", |query| query.expose());
    let headers = &options.headers;
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");

    // Query and headers may hold tokens: the memory is reserved whole and zeroed after use.
    let headers_len: usize = headers
        .iter()
        .map(|header| header.name.len() + header.value.expose().len() + 4)
        .sum();
    let len = options.path.len() + query.len() + host.len() + headers_len + FIXED_LEN;
    let mut request = Zeroizing::new(String::with_capacity(len));
    for part in ["GET ", &options.path] {
        request.push_str(part);
    }
    if !query.is_empty() {
        request.push('?');
        request.push_str(query);
    }
    request.push_str(" HTTP/1.1\r\n");
    let mut push = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    };
    if !headers.iter().any(|header| is_host(&header.name)) {
        push("Host", &host);
    }
    push("Upgrade", "websocket");
    push("Connection", "Upgrade");
    push("Sec-WebSocket-Version", "13");
    push("Sec-WebSocket-Key", key);
    // [MQTT-6.0.0-3]
    push("Sec-WebSocket-Protocol", SUBPROTOCOL);
    for header in headers {
        push(&header.name, header.value.expose());
    }
    request.push_str("\r\n");
    request
}

/// Head of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Head {
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
enum BodyLength {
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
fn parse(answer: &[u8], accept: &str) -> Result<Head, WebSocketError> {
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

/// Reads the beginning of a body of which `received` is there. An explanation isn't worth a long
/// wait, and an error while it is read is none of its own.
async fn read_body<S: AsyncRead + Unpin>(
    stream: &mut S,
    mut received: Vec<u8>,
    length: BodyLength,
) -> String {
    let reading = async {
        loop {
            let is_complete = match length {
                BodyLength::Bytes(len) => received.len() >= len.min(LONGEST_BODY),
                BodyLength::Chunked => received.len() >= 2 * LONGEST_BODY || dechunked(&received).1,
                BodyLength::UntilClose => received.len() >= LONGEST_BODY,
            };
            if is_complete || !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
                return;
            }
        }
    };
    let _: Result<(), _> = tokio::time::timeout(BODY_WITHIN, reading).await;

    if length == BodyLength::Chunked {
        received = dechunked(&received).0;
    }
    if let BodyLength::Bytes(len) = length {
        received.truncate(len);
    }
    received.truncate(LONGEST_BODY);
    String::from_utf8_lossy(&received).into_owned()
}

/// Content of the chunks that are there, and whether they are all (RFC 9112, section 7.1).
fn dechunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(bytes) {
        if size == 0 {
            return (content, true);
        }
        let rest = bytes.get(head..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(rest.get(..size.min(rest.len())).unwrap_or_default());
        // The line end after the chunk.
        bytes = rest.get(size.saturating_add(2)..).unwrap_or_default();
    }
    (content, false)
}

/// First 100 characters of a server's text.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

const SUBPROTOCOL: &str = "mqtt";
/// Bytes of a request besides path, query, host and additional headers; a little more than there are.
const FIXED_LEN: usize = 256;
/// Longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_TEXT: usize = 100;
/// Maximum number of answers before the final one.
const MOST_INTERIM_ANSWERS: usize = 8;
/// Longest beginning of a body that is kept, in bytes.
const LONGEST_BODY: usize = 1_024;
const MOST_HEADERS: usize = 64;
/// Longest wait for the body of a refusal.
const BODY_WITHIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use super::*;
    use crate::error::PeerAddress;

    static PEER: PeerAddress = PeerAddress::Ip(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1));

    fn server(host: &str, port: u16) -> Server<'_> {
        Server {
            host,
            port,
            is_tls: true,
            peer: &PEER,
        }
    }

    #[test]
    fn a_request_has_path_query_headers_and_the_subprotocol() {
        let mut options = WebSocketOptions::default();
        options.push_query(&"t=1".into());
        options.set_header("X-Token", "s3cret");

        let request = request(&options, server("iot.example", 443), "a2V5");

        assert_eq!(
            *request,
            "GET /mqtt?t=1 HTTP/1.1\r\nHost: iot.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n\
             Sec-WebSocket-Protocol: mqtt\r\nX-Token: s3cret\r\n\r\n"
        );
    }

    #[test]
    fn a_request_names_another_port_and_brackets_ipv6() {
        let host = |options: &WebSocketOptions, server| {
            let request = request(options, server, "k");
            let line = request.lines().find(|line| line.starts_with("Host"));
            line.map(str::to_owned).unwrap()
        };
        let mut options = WebSocketOptions::default();
        assert_eq!(host(&options, server("::1", 8080)), "Host: [::1]:8080");
        assert_eq!(host(&options, server("::1", 443)), "Host: [::1]");
        options.set_header("Host", "gateway");
        assert_eq!(host(&options, server("::1", 443)), "Host: gateway");
    }

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

    async fn refusal(answer: &[u8]) -> UpgradeRefusal {
        let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
        peer.write_all(answer).await.unwrap();
        peer.shutdown().await.unwrap();
        let options = WebSocketOptions::default();
        match run(&mut client, &options, server("h", 443)).await {
            Err(Failure::WebSocket(WebSocketError::Refused(refusal))) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_refusal_has_status_error_type_and_the_beginning_of_its_body() {
        let json = r#"{"message":"Forbidden"}"#;
        let with_length = format!(
            "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ForbiddenException:\r\n\
             content-length: {}\r\n\r\n{json}",
            json.len()
        );
        let chunked = format!(
            "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: ForbiddenException:\r\n\
             Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &json[..5],
            json.len() - 5,
            &json[5..]
        );
        for answer in [with_length, chunked] {
            let expected = UpgradeRefusal {
                status: 403,
                reason: "Forbidden".into(),
                error_type: Some("ForbiddenException:".into()),
                body: json.into(),
            };
            assert_eq!(refusal(answer.as_bytes()).await, expected);
        }
        let long = [b"HTTP/1.1 404 \r\n\r\n", &[b'x'; 5_000][..]].concat();
        let refusal = refusal(&long).await;
        assert_eq!((refusal.status, refusal.body.len()), (404, LONGEST_BODY));
    }

    #[tokio::test]
    async fn a_server_that_repeats_the_request_brings_no_secret_into_the_error() {
        let mut options = WebSocketOptions::default();
        options.set_header("X-Token", "canary-1");
        options.push_query(&"a=1&token=canary-2".into());
        let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
        let answer = b"HTTP/1.1 403 canary-1\r\n\r\n{\"token\":\"canary-2\",\"x\":\"canary-1\"}";
        peer.write_all(answer).await.unwrap();
        peer.shutdown().await.unwrap();

        let outcome = run(&mut client, &options, server("h", 443)).await;

        let Err(Failure::WebSocket(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn answers_before_the_final_one_are_skipped_and_bounded() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
        let final_answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let answer = interim.repeat(2) + final_answer;
        assert_eq!(refusal(answer.as_bytes()).await.status, 404);

        let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
        peer.write_all(interim.repeat(100).as_bytes())
            .await
            .unwrap();
        let options = WebSocketOptions::default();
        let outcome = run(&mut client, &options, server("h", 443)).await;
        assert!(
            matches!(
                outcome,
                Err(Failure::WebSocket(WebSocketError::AnswerTooLong))
            ),
            "{outcome:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_briefly() {
        let (mut client, mut peer) = tokio::io::duplex(1024);
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 900\r\n\r\npart";
        peer.write_all(answer).await.unwrap();
        let options = WebSocketOptions::default();

        let outcome = run(&mut client, &options, server("h", 443)).await;

        let Err(Failure::WebSocket(WebSocketError::Refused(refusal))) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!((refusal.status, refusal.body.as_str()), (401, "part"));
    }

    #[tokio::test]
    async fn a_head_without_end_is_given_up() {
        let (mut client, mut peer) = tokio::io::duplex(64 * 1024);
        let mut answer = b"HTTP/1.1 101 x\r\nX: ".to_vec();
        answer.resize(LONGEST_HEAD + 100, b'y');
        peer.write_all(&answer).await.unwrap();
        let options = WebSocketOptions::default();

        let outcome = run(&mut client, &options, server("h", 443)).await;

        assert!(
            matches!(
                outcome,
                Err(Failure::WebSocket(WebSocketError::AnswerTooLong))
            ),
            "{outcome:?}"
        );
    }
}
