//! Tunnels through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::Escaped;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::credentials::ProxyCredentials;
use crate::error::{IoFault, ProxyError};
use crate::transport::authority;

/// Opens a tunnel to `host`: sends the request and reads the head of the answer.
///
/// # Errors
/// [`ProxyError::Refused`] for a status other than 2xx, [`ProxyError::NotHttp`] for anything but an
/// HTTP answer, [`ProxyError::Closed`] if the proxy closes without one, [`ProxyError::Io`].
pub(super) async fn open_tunnel(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    credentials: Option<&ProxyCredentials>,
    host: &str,
    port: u16,
) -> Result<(), ProxyError> {
    let io = |error: std::io::Error| ProxyError::Io(IoFault::from(&error));
    let request = request(credentials, host, port);
    stream.write_all(request.as_bytes()).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    // Read until the head is complete. The answer may come in any number of pieces, and its
    // size is bounded, because the peer may be something else than a proxy.
    let mut answer = Vec::new();
    loop {
        match judge(&answer) {
            Some(verdict) => return verdict,
            None if answer.len() > LONGEST_HEAD => return Err(ProxyError::NotHttp),
            None => {}
        }
        // A connection that ends without an answer differs from one that ends within an answer.
        match stream.read_buf(&mut answer).await.map_err(io)? {
            0 if answer.is_empty() => return Err(ProxyError::Closed),
            0 => return Err(ProxyError::NotHttp),
            _ => {}
        }
    }
}

/// Request for a tunnel to the server, zeroed after use.
fn request(credentials: Option<&ProxyCredentials>, host: &str, port: u16) -> Zeroizing<String> {
    // The request target of CONNECT is host and port, and Host repeats it (RFC 9110, section
    // 9.3.6). Every copy of the credentials is zeroed after use.
    let authority = authority(host, port);
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    ));
    if let Some(ProxyCredentials { username, password }) = credentials {
        let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

/// Status and reason of an answer; `None` as long as its head isn't complete.
fn judge(answer: &[u8]) -> Option<Result<(), ProxyError>> {
    // Only status and reason matter; the headers are parsed to find their end.
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(head)) => head,
        Err(_) => return Some(Err(ProxyError::NotHttp)),
    };
    Some(match response.code {
        // A server that spoke first would be none of MQTT or TLS.
        Some(200..=299) if head == answer.len() => Ok(()),
        Some(200..=299) | None => Err(ProxyError::NotHttp),
        Some(status) => {
            // The text is the proxy's: it is cut, and escaped for terminals and logs.
            let reason: String = response
                .reason
                .unwrap_or_default()
                .chars()
                .take(LONGEST_REASON)
                .collect();
            Err(ProxyError::Refused {
                status,
                reason: Escaped(reason).to_string(),
            })
        }
    })
}

/// Maximum length of the head of an answer, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;
/// Maximum length of a reason phrase in an error, in characters.
const LONGEST_REASON: usize = 100;
/// Maximum number of headers of an answer.
const MOST_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_server_and_the_user() {
        assert_eq!(
            *request(None, "iot.example", 443),
            "CONNECT iot.example:443 HTTP/1.1\r\nHost: iot.example:443\r\n\r\n"
        );
        let user = ProxyCredentials {
            username: "Aladdin".into(),
            password: "open sesame".into(),
        };
        assert!(
            request(Some(&user), "::1", 8883).ends_with(
                "[::1]:8883\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
            ),
            "the example of RFC 7617"
        );
    }

    #[test]
    fn a_proxy_answer_is_parsed_when_its_head_is_complete() {
        let whole = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n";
        for len in 0..whole.len() {
            assert_eq!(judge(&whole[..len]), None, "{len}");
        }
        assert_eq!(judge(whole), Some(Ok(())));
        assert_eq!(judge(b"HTTP/1.0 204 \r\n\r\n"), Some(Ok(())));
        let refused = |status, reason: &str| {
            Some(Err(ProxyError::Refused {
                status,
                reason: reason.into(),
            }))
        };
        let body = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno";
        assert_eq!(judge(body), refused(407, "Proxy Authentication Required"));
        assert_eq!(judge(b"HTTP/1.1 503\r\n\r\n"), refused(503, ""));
        for odd in [
            &b"\x16\x03\x01"[..],
            b"SSH-2.0-x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nmore",
        ] {
            assert_eq!(judge(odd), Some(Err(ProxyError::NotHttp)), "{odd:?}");
        }
    }
}
