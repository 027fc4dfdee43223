//! A Lambda behind a URL: one POST, as AWS's runtime interface emulator takes it.

use core::fmt;
use core::str::FromStr;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::authorizer::lambda::LambdaError;
use crate::authorizer::lambda::program::MAX_ANSWER;

/// URL of a Lambda function: `http://127.0.0.1:9000`, with the emulator's path where none is given.
///
/// ```
/// use dunlin_sandbox::LambdaUrl;
///
/// let url: LambdaUrl = "http://127.0.0.1:9000".parse()?;
/// assert_eq!(url.to_string(), "http://127.0.0.1:9000/2015-03-31/functions/function/invocations");
/// assert!("https://example.com".parse::<LambdaUrl>().is_err());
/// # Ok::<(), dunlin_sandbox::LambdaUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaUrl {
    host: String,
    port: u16,
    path: String,
}

/// A text that is no URL of a Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as http://HOST:PORT (the runtime interface emulator speaks no https)")]
pub struct LambdaUrlError;

impl LambdaUrl {
    /// Posts an event. Dropped, the connection is closed.
    pub(super) async fn post(&self, event: Vec<u8>) -> Result<Vec<u8>, LambdaError> {
        // One connection for each call: none is left open between calls.
        let stream = TcpStream::connect((self.bare_host(), self.port))
            .await
            .map_err(unreachable)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(unreachable)?;
        // It does the reading and writing, and ends with this call.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::post(&self.path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(event)))
            .map_err(unreachable)?;
        let response = sender.send_request(request).await.map_err(unreachable)?;
        // The emulator answers 200 even if the handler failed; the body then is an error object.
        if response.status() != hyper::StatusCode::OK {
            return Err(LambdaError::Status(response.status().as_u16()));
        }
        // The body is bounded while it is read, so that an endless one can't use up memory.
        match Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
        {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => Err(LambdaError::TooLarge),
            Err(error) => Err(unreachable(error)),
        }
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

fn unreachable(error: impl fmt::Display) -> LambdaError {
    LambdaError::Unreachable(error.to_string().into())
}

impl FromStr for LambdaUrl {
    type Err = LambdaUrlError;

    fn from_str(text: &str) -> Result<Self, LambdaUrlError> {
        let uri: Uri = text.parse().map_err(|_| LambdaUrlError)?;
        // A user name in the URL would be ignored, so it is refused.
        let has_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        let (Some("http"), Some(host), false) = (uri.scheme_str(), uri.host(), has_user) else {
            return Err(LambdaUrlError);
        };
        // Without a path it is the emulator's.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { EMULATOR_PATH } else { path };
        Ok(Self {
            // An IPv6 address keeps its brackets here, for the Host header.
            host: host.into(),
            port: uri.port_u16().unwrap_or(80),
            path: path.into(),
        })
    }
}

impl fmt::Display for LambdaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

const EMULATOR_PATH: &str = "/2015-03-31/functions/function/invocations";

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Answers one request with these bytes, and gives back what it was asked.
    async fn posted(response: &[u8]) -> (Result<Vec<u8>, LambdaError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: LambdaUrl = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        // Reads the whole request before it answers: the body is the word "event".
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"event") {
                assert!(stream.read_buf(&mut asked).await.unwrap() > 0);
            }
            let _ = stream.write_all(response).await;
            String::from_utf8(asked).unwrap()
        };
        tokio::join!(url.post(b"event".to_vec()), serve)
    }

    #[tokio::test]
    async fn the_event_is_posted_as_the_emulator_takes_it() {
        let (answer, asked) = posted(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        assert_eq!(answer, Ok(b"{}".to_vec()));
        assert!(
            asked.starts_with("POST /2015-03-31/functions/function/invocations HTTP/1.1\r\n"),
            "{asked}"
        );
        for header in [
            "host: 127.0.0.1:",
            "content-type: application/json\r\n",
            "content-length: 5\r\n",
        ] {
            assert!(asked.contains(header), "{asked}");
        }
    }

    #[tokio::test]
    async fn a_status_an_endless_answer_and_a_broken_one_are_faults() {
        assert_eq!(
            posted(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.0,
            Err(LambdaError::Status(502))
        );
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        // No Content-Length: the body lasts until the connection closes. 300 KiB are above the
        // limit of 256.
        endless.resize(300 * 1024, b' ');
        assert_eq!(posted(&endless).await.0, Err(LambdaError::TooLarge));
        let broken = posted(b"220 ready\r\n").await.0;
        assert!(
            matches!(broken, Err(LambdaError::Unreachable(_))),
            "{broken:?}"
        );
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_a_fault() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: LambdaUrl = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        drop(listener);
        let fault = url.post(Vec::new()).await.unwrap_err();
        assert!(
            fault.to_string().starts_with("its URL can't be reached: "),
            "{fault}"
        );
    }

    #[test]
    fn only_plain_http_urls_are_taken() {
        let url = |text: &str| text.parse::<LambdaUrl>().map(|url| url.to_string());
        assert_eq!(
            // A path and a query of one's own are kept.
            url("http://[::1]:9000/x?y"),
            Ok("http://[::1]:9000/x?y".into())
        );
        assert_eq!(
            url("http://lambda"),
            Ok(format!("http://lambda:80{EMULATOR_PATH}"))
        );
        for wrong in [
            "",
            "localhost:9000",
            "https://localhost",
            "http://",
            "http://u:p@localhost",
            "/x",
        ] {
            assert_eq!(url(wrong), Err(LambdaUrlError), "{wrong}");
        }
    }
}
