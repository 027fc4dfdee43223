//! The event that AWS IoT gives to the Lambda of a custom authorizer, in AWS's JSON.

use core::fmt;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::authorizer::credentials::{Credentials, RequestHead};
use crate::authorizer::token::Token;

/// The event that AWS IoT gives to the Lambda of a custom authorizer; serialises to its JSON.
///
/// `protocolData.mqtt.username` is the whole MQTT user name with its parameters, as the client sent
/// it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaEvent {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    signature_verified: bool,
    protocols: Vec<&'static str>,
    protocol_data: ProtocolData,
    connection_metadata: ConnectionMetadata,
}

#[derive(Serialize)]
struct ProtocolData {
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mqtt: Option<MqttData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsData {
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(rename = "x509CertificatePem", skip_serializing_if = "Option::is_none")]
    x509_certificate_pem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpData {
    /// Names are in lower case. Values of a header that was sent twice are joined with a comma.
    headers: BTreeMap<String, String>,
    /// Query as it was sent, with its `?`; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MqttData {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Base64, since MQTT passwords are bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

#[derive(Serialize)]
struct ConnectionMetadata {
    id: String,
}

impl LambdaEvent {
    pub(in crate::authorizer) fn new(credentials: &Credentials, token: Option<Token<'_>>) -> Self {
        Self {
            // Absent without a token, as at AWS; signatureVerified is false then.
            token: token.map(|token| token.value.to_owned()),
            signature_verified: token.is_some_and(|token| token.signature_verified),
            protocols: protocols(credentials),
            protocol_data: ProtocolData {
                tls: credentials.tls.as_ref().map(|tls| TlsData {
                    server_name: tls.server_name.clone(),
                    x509_certificate_pem: tls.certificate.as_ref().map(|it| it.pem.clone()),
                    principal_id: tls.certificate.as_ref().map(|it| it.id.clone()),
                }),
                http: credentials.http.as_deref().map(HttpData::of),
                mqtt: credentials.mqtt.as_ref().map(|fields| MqttData {
                    // The user name with its query: handlers of AWS parse it themselves.
                    username: fields.username.clone(),
                    password: fields
                        .password
                        .as_ref()
                        .map(|password| STANDARD.encode(password)),
                    client_id: fields.client_id.clone(),
                }),
            },
            connection_metadata: ConnectionMetadata {
                id: credentials.connection_id.clone(),
            },
        }
    }

    /// Returns true if the client has shown a certificate.
    pub(super) fn has_certificate(&self) -> bool {
        let tls = self.protocol_data.tls.as_ref();
        tls.is_some_and(|tls| tls.principal_id.is_some())
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Strings and booleans alone: nothing in it can't be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn is_from(&self, username: &str, password: &str) -> bool {
        let Some(mqtt) = &self.protocol_data.mqtt else {
            return false;
        };
        // The password check compares the name in front of the parameters.
        let name = mqtt.username.as_deref().unwrap_or_default();
        let name = name.split_once('?').map_or(name, |(name, _)| name);
        name == username && mqtt.password.as_deref() == Some(STANDARD.encode(password).as_str())
    }
}

/// Protocols of a client, the lowest first: those that AWS IoT Core lists for a connection of its
/// own, which always has TLS.
fn protocols(credentials: &Credentials) -> Vec<&'static str> {
    let spoken = [
        ("tls", credentials.tls.is_some()),
        ("http", credentials.http.is_some()),
        ("mqtt", credentials.mqtt.is_some()),
    ];
    let spoken = spoken.into_iter().filter(|(_, is_spoken)| *is_spoken);
    spoken.map(|(name, _)| name).collect()
}

impl HttpData {
    fn of(head: &RequestHead) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &head.headers {
            headers
                .entry(name.clone())
                .and_modify(|values| {
                    values.push_str(", ");
                    values.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
        Self {
            headers,
            query_string: head.query.as_ref().map(|query| format!("?{query}")),
        }
    }
}

impl fmt::Debug for LambdaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mqtt = self.protocol_data.mqtt.as_ref();
        f.debug_struct("LambdaEvent")
            .field("signature_verified", &self.signature_verified)
            .field("protocols", &self.protocols)
            .field("client_id", &mqtt.and_then(|mqtt| mqtt.client_id.as_ref()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{Answer, ConnectFields, Lambda, TlsFacts};

    fn credentials() -> Credentials {
        Credentials {
            tls: Some(TlsFacts {
                server_name: Some("localhost".into()),
                ..TlsFacts::default()
            }),
            mqtt: Some(ConnectFields {
                client_id: Some("lamp-7".into()),
                username: Some("alice?t=abc".into()),
                password: Some(b"s3cret".to_vec()),
            }),
            connection_id: "c0ffee".into(),
            ..Credentials::default()
        }
    }

    #[test]
    fn the_event_is_the_json_of_aws() {
        let event = LambdaEvent::new(
            &credentials(),
            Some(Token {
                value: "abc",
                signature_verified: true,
            }),
        );
        // Names and nesting as AWS documents them; the password is Base64.
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            serde_json::json!({
                "token": "abc",
                "signatureVerified": true,
                "protocols": ["tls", "mqtt"],
                "protocolData": {
                    "tls": {"serverName": "localhost"},
                    "mqtt": {"username": "alice?t=abc", "password": "czNjcmV0", "clientId": "lamp-7"},
                },
                "connectionMetadata": {"id": "c0ffee"},
            })
        );
    }

    #[test]
    fn values_that_the_client_did_not_send_are_absent() {
        let credentials = Credentials {
            tls: Some(TlsFacts::default()),
            mqtt: Some(ConnectFields::default()),
            ..Credentials::default()
        };
        let event = serde_json::to_value(LambdaEvent::new(&credentials, None)).unwrap();
        assert_eq!(
            event["protocolData"],
            serde_json::json!({"tls": {}, "mqtt": {}})
        );
        assert_eq!(event.get("token"), None);
    }

    #[test]
    fn over_websocket_the_event_has_headers_and_the_raw_query() {
        let head = RequestHead {
            headers: vec![
                ("host".into(), "localhost".into()),
                ("tok".into(), "a".into()),
                ("tok".into(), "b".into()),
            ],
            query: Some("tok=%61&x".into()),
        };
        let credentials = Credentials {
            http: Some(head.into()),
            ..credentials()
        };
        let event =
            |credentials: &Credentials| serde_json::to_value(LambdaEvent::new(credentials, None));
        let told = event(&credentials).unwrap();
        assert_eq!(
            told["protocols"],
            serde_json::json!(["tls", "http", "mqtt"])
        );
        assert_eq!(
            told["protocolData"]["http"],
            serde_json::json!({
                "headers": {"host": "localhost", "tok": "a, b"},
                "queryString": "?tok=%61&x",
            })
        );
        // An HTTPS request has no MQTT, and a connection without TLS says so.
        let request = Credentials {
            mqtt: None,
            tls: None,
            ..credentials
        };
        let told = event(&request).unwrap();
        assert_eq!(told["protocols"], serde_json::json!(["http"]));
        let data = told["protocolData"].as_object().unwrap();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["http"]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let event = LambdaEvent::new(
            &credentials(),
            Some(Token {
                value: "abc",
                signature_verified: true,
            }),
        );
        let lambda = Lambda::Password {
            username: "alice".into(),
            password: "s3cret".into(),
            answer: Answer::not_authenticated(),
        };
        // Password in plain and in Base64, token, and user name: Debug may show none of them.
        let shown = format!("{event:?} {lambda:?} {:?}", credentials());
        for secret in ["s3cret", "czNjcmV0", "abc", "alice"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
