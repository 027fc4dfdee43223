//! `WebSocketOptions`: path, query and headers of the request that opens a WebSocket connection.

use crate::error::WebSocketError;
use crate::secret::Secret;

/// Path, query and headers of the request that opens a WebSocket connection.
///
/// ```
/// use dunlin_client::transport::{TransportOptions, WebSocketOptions};
///
/// // wss://broker.example.com/mqtt, with a header for a gateway.
/// let mut options: TransportOptions = "wss://broker.example.com".parse()?;
/// let mut websocket = WebSocketOptions::default();
/// websocket.set_header("Authorization", "Bearer s3cret");
/// options.websocket = Some(Box::new(websocket));
/// assert!(!format!("{options:?}").contains("s3cret"));
/// # Ok::<(), dunlin_client::transport::UrlError>(())
/// ```
///
/// Headers and query may differ between attempts. A provider sets them:
///
/// ```
/// use dunlin_client::{NextAttempt, Provider, ProviderError};
///
/// let provider = Provider::new(|attempt: NextAttempt| async move {
///     let mut target = attempt.target;
///     let token = fetch_token().await.map_err(ProviderError::retryable)?;
///     let websocket = target.transport.websocket.get_or_insert_default();
///     websocket.set_header("Authorization", format!("Bearer {token}"));
///     Ok(target)
/// });
/// # async fn fetch_token() -> std::io::Result<String> { Ok("token".to_owned()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Path, beginning with `/` and percent-encoded. Default: `/mqtt`.
    pub path: String,
    /// Query without the `?`, percent-encoded. It is a secret, because tokens and signatures are sent
    /// in it. Default: `None`, which means no query.
    pub query: Option<Secret<String>>,
    /// Headers besides those of the handshake. Default: none.
    pub headers: Vec<HttpHeader>,
}

/// Header of a request. The value may be a secret, so it is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHeader {
    /// Name, in any case.
    pub name: String,
    /// Value in ASCII, without line ends.
    pub value: Secret<String>,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            path: Self::DEFAULT_PATH.to_owned(),
            query: None,
            headers: Vec::new(),
        }
    }
}

impl WebSocketOptions {
    /// Path that most servers have MQTT at.
    pub const DEFAULT_PATH: &'static str = "/mqtt";

    /// Path and query as a URL has them after host and port. Without a path, or with a single slash,
    /// the path is the default.
    ///
    /// # Errors
    /// [`WebSocketError::InvalidPath`], as [`check`](Self::check).
    pub fn from_target(target: &str) -> Result<Self, WebSocketError> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut options = Self::default();
        // As for HTTP, no path and a single slash are the same; no server has MQTT there.
        if !matches!(path, "" | "/") {
            path.clone_into(&mut options.path);
        }
        options.query = query.filter(|query| !query.is_empty()).map(Secret::from);
        options.check()?;
        Ok(options)
    }

    /// Sets a header, in place of those with the same name in any case.
    pub fn set_header(&mut self, name: impl Into<String>, value: impl Into<Secret<String>>) {
        let (name, value) = (name.into(), value.into());
        self.headers
            .retain(|header| !header.name.eq_ignore_ascii_case(&name));
        self.headers.push(HttpHeader { name, value });
    }

    /// Appends parameters to the query, with `&` where there is one already. They are
    /// percent-encoded, such as those of
    /// [`CustomAuthorizer::query`](crate::aws::CustomAuthorizer::query).
    pub fn push_query(&mut self, parameters: &Secret<String>) {
        if parameters.expose().is_empty() {
            return;
        }
        let before = self.query.take();
        let before = before.as_ref().map_or("", |query| query.expose().as_str());
        // Reserved whole: a string that grows leaves a copy of the secret behind.
        let mut query = String::with_capacity(before.len() + 1 + parameters.expose().len());
        query.push_str(before);
        if !before.is_empty() {
            query.push('&');
        }
        query.push_str(parameters.expose());
        self.query = Some(query.into());
    }

    /// Checks that everything can stand in a request.
    ///
    /// # Errors
    /// * [`WebSocketError::InvalidPath`]: the path doesn't begin with `/`, or path or query contain
    ///   white space, `#`, control characters or anything beyond ASCII; or the path contains `?`.
    /// * [`WebSocketError::InvalidHeader`]: a name that isn't a token (RFC 9110, section 5.1) or that
    ///   the handshake sets itself, or a value beyond printable ASCII, space and tab.
    pub fn check(&self) -> Result<(), WebSocketError> {
        let is_target = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        let path = self.path.as_bytes();
        let query = self.query.as_ref().map_or("", |query| query.expose());
        if path.first() != Some(&b'/')
            || !path.iter().all(|byte| is_target(*byte) && *byte != b'?')
            || !query.bytes().all(is_target)
        {
            return Err(WebSocketError::InvalidPath);
        }
        for HttpHeader { name, value } in &self.headers {
            let is_value = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
            if !is_token(name) || is_of_handshake(name) || !value.expose().bytes().all(is_value) {
                let name = name.clone();
                return Err(WebSocketError::InvalidHeader { name });
            }
        }
        Ok(())
    }
}

/// True for a name of a header (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// True for headers that the handshake sets, and for those that give the request a body. `Host` may be
/// set: some gateways choose the server by it.
fn is_of_handshake(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("sec-websocket-")
        || matches!(
            name.as_str(),
            "connection" | "upgrade" | "content-length" | "transfer-encoding"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_the_request_is_refused() {
        for path in [
            "",
            "mqtt",
            "/mq tt",
            "/mqtt?x",
            "/mqtt#x",
            "/m\r\nX: y",
            "/é",
        ] {
            let path = path.to_owned();
            let options = WebSocketOptions {
                path,
                ..WebSocketOptions::default()
            };
            assert_eq!(options.check(), Err(WebSocketError::InvalidPath));
        }
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("x", "a\r\nb: c"),
            ("x", "é"),
            ("Upgrade", "h2c"),
            ("Sec-WebSocket-Protocol", "mqtt"),
            ("content-length", "5"),
        ] {
            let mut options = WebSocketOptions::default();
            options.set_header(name, value);
            let name = name.to_owned();
            assert_eq!(options.check(), Err(WebSocketError::InvalidHeader { name }));
        }
    }

    #[test]
    fn a_header_replaces_those_of_its_name_and_a_query_grows() {
        let mut options = WebSocketOptions::default();
        options.set_header("X-Token", "old");
        options.set_header("x-token", "new");
        options.push_query(&"a=1".into());
        options.push_query(&"".into());
        options.push_query(&"b=2".into());

        assert_eq!(options.headers.len(), 1);
        assert_eq!(options.headers[0].value.expose(), "new");
        assert_eq!(options.query, Some("a=1&b=2".into()));
        assert_eq!(options.check(), Ok(()));
        assert!(!format!("{options:?}").contains("new"));
    }
}
