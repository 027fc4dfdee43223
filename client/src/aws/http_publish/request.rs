//! `PublishRequest`: the HTTP request that carries a message.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use zeroize::Zeroizing;

use super::error::HttpPublishError;
use super::message_parts::{check, push_headers, query};
use super::options::HttpPublishOptions;
use super::signer::UnsignedRequest;
use crate::aws::encoding::{push_encoded, unreserved};
use crate::message::Message;
use crate::secret::Secret;
use crate::transport::authority;

/// HTTP request that carries a message.
///
/// `Display` writes its head without secrets: of the options' headers and query only the names, and
/// the authorizer's name.
///
/// ```
/// use dunlin_client::aws::http_publish::{HttpPublishError, HttpPublishOptions, PublishRequest};
/// use dunlin_client::{Message, QoS};
///
/// let options = HttpPublishOptions::from_url("https://x-ats.iot.eu-west-1.amazonaws.com")?;
/// let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce);
/// let request = PublishRequest::new(message, &options)?;
/// assert!(request.to_string().starts_with("POST /topics/lamp%2F7?qos=1 HTTP/1.1"));
///
/// let exactly_once = Message::new("lamp/7", "on").qos(QoS::ExactlyOnce);
/// let error = PublishRequest::new(exactly_once, &options).unwrap_err();
/// assert!(matches!(error, HttpPublishError::NotOverHttp(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRequest {
    path: String,
    /// Query of the message, without that of the options.
    query: String,
    extra_query: Option<Secret<String>>,
    /// Number of `headers` that are of the message, and no secrets.
    plain_headers: usize,
    headers: Vec<(String, Secret<String>)>,
    body: Bytes,
}

impl PublishRequest {
    /// Request that publishes `message` with the credentials of `options`.
    ///
    /// # Errors
    /// * [`HttpPublishError::Message`]: the topic or a property of the message can't be sent.
    /// * [`HttpPublishError::NotOverHttp`]: the message has QoS 2 or a topic alias.
    /// * [`HttpPublishError::InvalidRequest`]: headers or query of the options, or of the signer,
    ///   can't stand in a request.
    /// * [`HttpPublishError::Signing`]: the signer failed.
    pub fn new(
        message: Message<'_>,
        options: &HttpPublishOptions,
    ) -> Result<Self, HttpPublishError> {
        check(&message)?;

        // The topic, with slashes encoded as the AWS SDKs do, and the query.
        let mut path = "/topics/".to_owned();
        push_encoded(&mut path, message.topic, unreserved);
        let mut headers = vec![("host".to_owned(), host(options).into())];
        push_headers(&mut headers, &message.properties);
        let mut request = Self {
            path,
            query: query(&message),
            extra_query: options.query.clone(),
            plain_headers: headers.len(),
            headers,
            body: message.payload.into_bytes(),
        };
        request.push_headers(options.headers.iter().cloned())?;

        // Signed last, because a signature covers everything else.
        if let Some(signer) = &options.signer {
            let whole = request.whole_query();
            let signed = signer.sign(UnsignedRequest {
                method: Method::POST.as_str(),
                path: &request.path,
                query: &whole,
                headers: &request.headers,
                body: &request.body,
            })?;
            request.push_headers(signed)?;
        }
        // Checked at once, so that a dry run finds the same mistakes.
        request.to_hyper()?;
        Ok(request)
    }

    /// Adds headers of the options or of the signer. `Host` may be another than that of the server;
    /// the headers of the message stay as they are.
    ///
    /// # Errors
    /// [`HttpPublishError::InvalidRequest`] for a second header of the same name: the signature would
    /// cover both, and one be sent.
    fn push_headers(
        &mut self,
        headers: impl IntoIterator<Item = (String, Secret<String>)>,
    ) -> Result<(), HttpPublishError> {
        for (name, value) in headers {
            let mut present = self.headers.iter_mut();
            match present.find(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                None => self.headers.push((name, value)),
                Some((_, host)) if name.eq_ignore_ascii_case("host") => *host = value,
                // A signer may return the headers that it has signed.
                Some((_, other)) if *other == value => {}
                Some(_) => {
                    return Err(HttpPublishError::InvalidRequest(
                        "second header of the same name",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Query of the message and of the options.
    fn whole_query(&self) -> Zeroizing<String> {
        let extra = self
            .extra_query
            .as_ref()
            .map_or("", |query| query.expose().as_str());
        // Reserved whole: a string that grows leaves a copy of the secret behind.
        let mut whole = Zeroizing::new(String::with_capacity(self.query.len() + 1 + extra.len()));
        whole.push_str(&self.query);
        if !self.query.is_empty() && !extra.is_empty() {
            whole.push('&');
        }
        whole.push_str(extra);
        whole
    }

    /// Request as hyper sends it.
    ///
    /// # Errors
    /// [`HttpPublishError::InvalidRequest`] for a query or a header that can't be sent.
    pub(super) fn to_hyper(&self) -> Result<Request<Full<Bytes>>, HttpPublishError> {
        let query = self.whole_query();
        if !query
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        {
            return Err(HttpPublishError::InvalidRequest("query"));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let target = Zeroizing::new(format!("{}{separator}{}", self.path, query.as_str()));
        let uri = Uri::try_from(target.as_str())
            .map_err(|_invalid| HttpPublishError::InvalidRequest("query"))?;

        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        for (name, value) in &self.headers {
            // Headers that frame the request are hyper's: a second one would let a proxy read
            // another body than the server.
            let name = HeaderName::try_from(name.as_str())
                .ok()
                .filter(|name| !FRAMING.contains(&name.as_str()))
                .ok_or(HttpPublishError::InvalidRequest("name of a header"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_invalid| HttpPublishError::InvalidRequest("value of a header"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    /// Values of the headers that may be secrets.
    pub(super) fn secret_headers(&self) -> Vec<&str> {
        let secrets = self.headers.iter().skip(self.plain_headers);
        // The name of an authorizer is none, and helps in the text of a refusal.
        secrets
            .filter(|(name, _)| !is_public(name))
            .map(|(_, value)| value.expose().as_str())
            .collect()
    }

    /// Query of the options, which may hold secrets; empty if there is none.
    pub(super) fn secret_query(&self) -> &str {
        self.extra_query
            .as_ref()
            .map_or("", |query| query.expose().as_str())
    }
}

impl fmt::Display for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Request line: the message's query as it is, of the options' the names.
        write!(f, "POST {}", self.path)?;
        let mut separator = '?';
        let own = self.query.split('&').filter(|pair| !pair.is_empty());
        for pair in own {
            write!(f, "{separator}{pair}")?;
            separator = '&';
        }
        let extra = self.secret_query().split('&');
        for pair in extra.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            write!(f, "{separator}{name}=")?;
            write_value(f, name, value)?;
            separator = '&';
        }
        writeln!(f, " HTTP/1.1")?;

        // Headers, and the length that hyper adds.
        for (index, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{name}: ")?;
            if index < self.plain_headers {
                writeln!(f, "{}", value.expose())?;
            } else {
                write_value(f, name, value.expose())?;
                writeln!(f)?;
            }
        }
        write!(f, "content-length: {}", self.body.len())
    }
}

/// Writes a value, or its length if it may be a secret.
fn write_value(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    match is_public(name) {
        true => f.write_str(value),
        false => fmt::Display::fmt(&Secret::<String>::from(value), f),
    }
}

/// True for a parameter that is no secret.
fn is_public(name: &str) -> bool {
    name.eq_ignore_ascii_case("x-amz-customauthorizer-name")
}

/// Value of the header `Host`: the port is left out where it is the scheme's.
fn host(options: &HttpPublishOptions) -> String {
    let transport = &options.transport;
    let default = if transport.tls.is_some() { 443 } else { 80 };
    let mut host = authority(&transport.host, transport.port);
    if transport.port == default {
        host.truncate(host.rfind(':').unwrap_or(host.len()));
    }
    host
}

/// Headers that only hyper sets.
const FRAMING: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

#[cfg(test)]
mod tests {
    use dunlin_codec::PayloadFormat;

    use super::*;
    use crate::aws::http_publish::RequestSigner;
    use crate::error::RequestError;
    use crate::transport::TransportOptions;
    use crate::{MessageProperties, QoS};

    fn options() -> HttpPublishOptions {
        HttpPublishOptions::new(TransportOptions::new("iot.example.com", 8080))
    }

    fn message() -> Message<'static> {
        let mut message = Message::new("a/b c", "on")
            .qos(QoS::AtLeastOnce)
            .retain(true);
        message.properties = MessageProperties {
            payload_format_indicator: Some(PayloadFormat::Utf8),
            message_expiry_interval: Some(60),
            content_type: Some("text/plain; a=b"),
            response_topic: Some("r/1"),
            correlation_data: Some(b"\x00\xff"),
            user_properties: &[("k", "\"v\""), ("k", "é")],
        };
        message
    }

    #[test]
    fn each_property_has_its_place_in_the_request() {
        let request = PublishRequest::new(message(), &options()).unwrap();

        assert_eq!(
            request.to_string(),
            "POST /topics/a%2Fb%20c?qos=1&retain=true&contentType=text%2Fplain%3B%20a%3Db&\
             responseTopic=r%2F1&messageExpiry=60 HTTP/1.1\n\
             host: iot.example.com:8080\n\
             x-amz-mqtt5-user-properties: W3siayI6IlwidlwiIn0seyJrIjoiw6kifV0=\n\
             x-amz-mqtt5-payload-format-indicator: UTF8_DATA\n\
             x-amz-mqtt5-correlation-data: AP8=\n\
             content-length: 2"
        );
    }

    #[test]
    fn a_request_prints_no_secret() {
        let mut options = options();
        options.transport.port = 80;
        options.query = Some("x-amz-customauthorizer-name=MyAuth&t=canary1".into());
        options
            .headers
            .push(("x-token".to_owned(), "canary2".into()));
        let request = PublishRequest::new(Message::new("t", "canary3"), &options).unwrap();

        assert_eq!(
            request.to_string(),
            "POST /topics/t?x-amz-customauthorizer-name=MyAuth&t=<redacted 7 bytes> HTTP/1.1\n\
             host: iot.example.com\n\
             x-token: <redacted 7 bytes>\n\
             content-length: 7"
        );
        assert!(!format!("{options:?}").contains("canary"));
    }

    #[test]
    fn a_message_that_http_does_not_carry_is_refused() {
        let refused = |message| PublishRequest::new(message, &options()).unwrap_err();
        assert_eq!(
            refused(Message::new("t", "").qos(QoS::ExactlyOnce)),
            HttpPublishError::NotOverHttp("QoS 2")
        );
        assert!(matches!(
            refused(Message::new("a/#", "")),
            HttpPublishError::Message(RequestError::Topic(_))
        ));
    }

    #[test]
    fn options_that_would_break_the_request_are_refused() {
        for (name, value) in [
            ("a b", "x"),
            ("x", "a\r\nb: c"),
            ("Content-Length", "5"),
            ("", "x"),
            ("X-AMZ-MQTT5-User-Properties", "W10="),
        ] {
            let mut options = options();
            options.headers.push((name.to_owned(), value.into()));
            let error = PublishRequest::new(message(), &options).unwrap_err();
            assert!(matches!(error, HttpPublishError::InvalidRequest(_)));
        }
        for query in ["a b", "a#b", "a\r\n"] {
            let mut options = options();
            options.query = Some(query.into());
            let error = PublishRequest::new(Message::new("t", ""), &options).unwrap_err();
            assert_eq!(error, HttpPublishError::InvalidRequest("query"));
        }
    }

    #[test]
    fn the_host_may_be_another_one_and_a_signer_may_return_what_it_signed() {
        let mut options = options();
        options.headers.push((
            "Host".to_owned(),
            "x-ats.iot.eu-west-1.amazonaws.com".into(),
        ));
        options.signer = Some(RequestSigner::new(|request| Ok(request.headers.to_vec())));
        let request = PublishRequest::new(Message::new("t", ""), &options).unwrap();

        assert_eq!(
            request.to_string(),
            "POST /topics/t HTTP/1.1\nhost: x-ats.iot.eu-west-1.amazonaws.com\ncontent-length: 0"
        );
    }

    #[test]
    fn a_signer_sees_the_request_as_it_is_sent_and_adds_headers() {
        let mut options = options();
        options.query = Some("k=v".into());
        options.signer = Some(RequestSigner::new(|request| {
            let line = format!("{} {} {}", request.method, request.path, request.query);
            let host = request.headers.first().map(|(name, _)| name.clone());
            Ok(vec![(
                "x-signed".to_owned(),
                format!("{line} {host:?}").into(),
            )])
        }));
        let message = Message::new("a/b", "on").qos(QoS::AtLeastOnce);
        let request = PublishRequest::new(message, &options).unwrap();

        let request = request.to_hyper().unwrap();
        assert_eq!(
            request.headers()["x-signed"],
            "POST /topics/a%2Fb qos=1&k=v Some(\"host\")"
        );
    }
}
