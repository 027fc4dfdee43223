//! Credentials of a client: everything that it has sent before it is authorized.

use core::fmt;
use std::sync::Arc;

use crate::policy::ClientCertificate;

/// Credentials of a client, by the protocols that it speaks. `Debug` shows no secret of them.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Facts of the TLS handshake; `None` for a connection without TLS.
    pub tls: Option<TlsFacts>,
    /// HTTP request of a client over WebSocket or HTTPS; `None` for MQTT over TLS or TCP.
    pub http: Option<Arc<RequestHead>>,
    /// Id of the access key that signed the HTTP request (SigV4), with a signature that was checked:
    /// no authorizer is asked then. `None` if it isn't signed.
    pub signed_by: Option<Arc<str>>,
    /// Fields of the CONNECT; `None` for an HTTP request that isn't followed by MQTT.
    pub mqtt: Option<ConnectFields>,
    /// Id of the connection for the Lambda: a UUID.
    pub connection_id: String,
}

/// Facts of a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFacts {
    /// Server name (SNI) that the client asked for; `None` if it sent none.
    pub server_name: Option<String>,
    /// Certificate of the client; `None` without one.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The certificate alone authenticates the client, and no authorizer is asked: by its ALPN
    /// protocol, or because it was shown at the port of HTTPS.
    pub is_authenticated: bool,
}

/// Target and headers of an HTTP request. `Debug` shows the names of the headers alone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RequestHead {
    /// Headers in the order of the request, with names in lower case. A header that was sent twice
    /// is here twice.
    pub headers: Vec<(String, String)>,
    /// Query of the target as the client sent it, without its `?`; `None` if there is none.
    pub query: Option<String>,
}

/// Fields of a CONNECT that authorizers are told. `Debug` shows the client id alone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConnectFields {
    /// Client id; `None` if the server assigns it, which the Lambda isn't told.
    pub client_id: Option<String>,
    /// User name with its parameters; `None` without the field.
    pub username: Option<String>,
    /// Password; `None` without the field.
    pub password: Option<Vec<u8>>,
}

impl Credentials {
    /// Bytes of all texts, for the memory that a connection is charged for.
    pub(crate) fn size(&self) -> usize {
        let mqtt = self.mqtt.iter().map(|fields| {
            fields.username.as_ref().map_or(0, String::len)
                + fields.password.as_ref().map_or(0, Vec::len)
        });
        let http = self.http.iter().map(|head| {
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| name.len() + value.len());
            headers.sum::<usize>() + head.query.as_ref().map_or(0, String::len)
        });
        mqtt.chain(http).sum()
    }
}

impl RequestHead {
    /// Value of the first header with this name, in either case; `None` if there is none.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("RequestHead")
            .field("headers", &names)
            .field("query", &"..")
            .finish()
    }
}

impl fmt::Debug for ConnectFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFields")
            .field("client_id", &self.client_id)
            .field("username", &"..")
            .field("password", &"..")
            .finish()
    }
}
