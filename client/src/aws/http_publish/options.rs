//! `HttpPublishOptions`: server, credentials and time-outs of HTTP publishes.

use std::time::Duration;

use super::signer::RequestSigner;
use crate::aws::{AuthorizerError, CustomAuthorizer};
use crate::secret::Secret;
use crate::transport::{Scheme, TransportOptions, UrlError};

/// Server, credentials and time-outs of HTTP publishes.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_client::aws::http_publish::HttpPublishOptions;
///
/// let mut options = HttpPublishOptions::from_url("https://x-ats.iot.eu-west-1.amazonaws.com:8443")?;
/// options.answer_timeout = Duration::from_secs(5);
/// assert_eq!(options.transport.port, 8443);
/// # Ok::<(), dunlin_client::transport::UrlError>(())
/// ```
#[derive(Debug, Clone)]
pub struct HttpPublishOptions {
    /// Server, proxy, TLS, and the time-out of connecting. Options of WebSocket aren't used.
    pub transport: TransportOptions,
    /// Headers of every request, besides those of the message: names with values in printable ASCII,
    /// each name once. `Host` replaces the one of the server's name and port. Default: none.
    pub headers: Vec<(String, Secret<String>)>,
    /// Parameters at the end of every request's query, percent-encoded, without the `?`. Default:
    /// `None`, which means those of the message alone.
    pub query: Option<Secret<String>>,
    /// Time for each of two stages: from the first byte of a request to the head of its answer, and
    /// for the body of the answer. Default: 30 s.
    pub answer_timeout: Duration,
    /// Signer of requests (SigV4). Default: `None`.
    pub signer: Option<RequestSigner>,
}

impl HttpPublishOptions {
    /// Options for the server at the other end of `transport`.
    #[must_use]
    pub fn new(transport: TransportOptions) -> Self {
        Self {
            transport,
            headers: Vec::new(),
            query: None,
            answer_timeout: Duration::from_secs(30),
            signer: None,
        }
    }

    /// Options for the server of a URL: `https://HOST[:PORT]`, with the default TLS and port 443, or
    /// `http://HOST[:PORT]`, without TLS and with port 80. Nothing but a slash may follow.
    ///
    /// # Errors
    /// [`UrlError::Scheme`], [`UrlError::Credentials`], [`UrlError::Path`], [`UrlError::Host`] or
    /// [`UrlError::Port`] for the part of the URL that is wrong; [`UrlError::Tls`] if TLS can't be
    /// set up.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let transport = TransportOptions::from_url_with(url, |scheme| match scheme {
            "https" => Some(Scheme::new(true, 443)),
            "http" => Some(Scheme::new(false, 80)),
            _ => None,
        })?;
        Ok(Self::new(transport))
    }

    /// Sends name, token and signature of a custom authorizer in headers. Its user name isn't sent,
    /// since HTTP has no place for it.
    ///
    /// # Errors
    /// [`AuthorizerError::Empty`] and [`AuthorizerError::NotInHeader`], as
    /// [`CustomAuthorizer::headers`].
    pub fn set_authorizer_headers(
        &mut self,
        authorizer: &CustomAuthorizer,
    ) -> Result<(), AuthorizerError> {
        for (name, value) in authorizer.headers()? {
            self.headers
                .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            self.headers.push((name, value));
        }
        Ok(())
    }

    /// Sends name, token and signature of a custom authorizer in the query, in place of
    /// [`query`](Self::query). Proxies and servers often write it to their logs. The user name isn't
    /// sent, since HTTP has no place for it.
    ///
    /// # Errors
    /// [`AuthorizerError::SecondQuestionMark`], [`AuthorizerError::HalfEncoded`],
    /// [`AuthorizerError::Empty`] and [`AuthorizerError::TooLong`], as [`CustomAuthorizer::query`].
    pub fn set_authorizer_query(
        &mut self,
        authorizer: &CustomAuthorizer,
    ) -> Result<(), AuthorizerError> {
        let query = authorizer.query()?;
        self.query = (!query.expose().is_empty()).then_some(query);
        Ok(())
    }
}
