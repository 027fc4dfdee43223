//! `Proxy`: a tunnel through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6).

use dunlin_codec::Escaped;
use std::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::deadline::Deadline;
use super::local::LocalEnd;
use super::open_observer::{OpenObserver, OpenStep};
use super::{authority, resolve, tcp, without_brackets};
use crate::error::{IoFault, ProxyError, Stage, TransportError};
use crate::secret::Secret;

/// HTTP proxy that connections go through. The proxy sees host and port of the server, and with TLS
/// nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or IP address of the proxy; an IPv6 address with or without brackets.
    pub host: String,
    /// Port of the proxy.
    pub port: u16,
    /// Credentials that are sent with every request (RFC 7617), without encryption. Default: `None`.
    pub credentials: Option<ProxyCredentials>,
}

/// Credentials for a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyCredentials {
    /// User name, without a colon.
    pub username: String,
    /// Password.
    pub password: Secret<String>,
}

impl Proxy {
    /// Proxy without credentials.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            credentials: None,
        }
    }

    /// Opens a tunnel to `host`; returns it with the proxy's address.
    ///
    /// # Errors
    /// [`TransportError::Proxy`] if the proxy can't be reached or opens no tunnel,
    /// [`TransportError::TimedOut`] in the stage [`Stage::Proxy`] if it doesn't answer in time.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        local: LocalEnd,
        deadline: Deadline,
        observer: Option<&OpenObserver>,
    ) -> Result<(TcpStream, SocketAddr), TransportError> {
        // All failures name the proxy, also those of its own name and address: otherwise the user
        // would look for the fault at the MQTT server.
        let failed = |error| TransportError::Proxy {
            proxy: self.to_string(),
            error,
        };
        let unreachable = |error| failed(ProxyError::Unreachable(Box::new(error)));
        // Connect to the proxy itself.
        let proxy_host = without_brackets(&self.host);
        let addresses = resolve::resolve(proxy_host, self.port, deadline)
            .await
            .map_err(unreachable)?;
        let step = OpenStep::Resolved {
            host: proxy_host,
            addresses: &addresses,
        };
        OpenObserver::report(observer, step);
        let addresses = local.select(proxy_host, addresses).map_err(unreachable)?;
        let (mut tcp, peer) = tcp::connect(addresses, local, deadline, observer)
            .await
            .map_err(unreachable)?;
        // Then ask it for the tunnel. From its 2xx answer on, the socket carries the server's
        // bytes.
        match deadline.run(self.ask(&mut tcp, host, port)).await {
            Some(Ok(())) => {
                OpenObserver::report(observer, OpenStep::Tunnelled { peer });
                Ok((tcp, peer))
            }
            Some(Err(error)) => Err(failed(error)),
            None => Err(deadline.passed(Stage::Proxy, vec![peer])),
        }
    }

    /// Sends the request and reads the head of the answer.
    ///
    /// # Errors
    /// [`ProxyError::Refused`] for a status other than 2xx, [`ProxyError::NotHttp`] for anything but an
    /// HTTP answer, [`ProxyError::Closed`] if the proxy closes without one, [`ProxyError::Io`].
    async fn ask(&self, tcp: &mut TcpStream, host: &str, port: u16) -> Result<(), ProxyError> {
        let io = |error: std::io::Error| ProxyError::Io(IoFault::from(&error));
        tcp.write_all(self.request(host, port).as_bytes())
            .await
            .map_err(io)?;
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
            match tcp.read_buf(&mut answer).await.map_err(io)? {
                0 if answer.is_empty() => return Err(ProxyError::Closed),
                0 => return Err(ProxyError::NotHttp),
                _ => {}
            }
        }
    }

    fn request(&self, host: &str, port: u16) -> Zeroizing<String> {
        // The request target of CONNECT is host and port, and Host repeats it (RFC 9110, section
        // 9.3.6). Every copy of the credentials is zeroed after use.
        let authority = authority(host, port);
        let mut request = Zeroizing::new(format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        ));
        if let Some(ProxyCredentials { username, password }) = &self.credentials {
            let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
            let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&encoded);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request
    }
}

/// Without the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", Escaped(authority(&self.host, self.port)))
    }
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

const LONGEST_HEAD: usize = 8 * 1024;
const LONGEST_REASON: usize = 100;
const MOST_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(credentials: Option<ProxyCredentials>) -> Proxy {
        Proxy {
            host: "proxy.corp".into(),
            port: 3128,
            credentials,
        }
    }

    #[test]
    fn a_request_names_the_server_and_the_user() {
        assert_eq!(
            *proxy(None).request("iot.example", 443),
            "CONNECT iot.example:443 HTTP/1.1\r\nHost: iot.example:443\r\n\r\n"
        );
        let user = ProxyCredentials {
            username: "Aladdin".into(),
            password: "open sesame".into(),
        };
        assert!(
            proxy(Some(user)).request("::1", 8883).ends_with(
                "[::1]:8883\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
            ),
            "the example of RFC 7617"
        );
    }

    #[test]
    fn nothing_that_is_printed_has_the_password() {
        let user = ProxyCredentials {
            username: "u".into(),
            password: "canary".into(),
        };
        let proxy = proxy(Some(user));
        assert!(!format!("{proxy} {proxy:?}").contains("canary"));
        assert_eq!(proxy.to_string(), "http://proxy.corp:3128");
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
