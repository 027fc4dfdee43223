//! The event that AWS IoT gives to the Lambda of a custom authorizer, in AWS's JSON.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::authorizer::credentials::Credentials;
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
    tls: TlsData,
    mqtt: MqttData,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsData {
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
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
            // The sandbox has no WebSocket, which would add "http".
            protocols: vec!["tls", "mqtt"],
            protocol_data: ProtocolData {
                tls: TlsData {
                    server_name: credentials.server_name.clone(),
                },
                mqtt: MqttData {
                    // The user name with its query: handlers of AWS parse it themselves.
                    username: credentials.username.clone(),
                    password: credentials
                        .password
                        .as_ref()
                        .map(|password| STANDARD.encode(password)),
                    client_id: credentials.client_id.clone(),
                },
            },
            connection_metadata: ConnectionMetadata {
                id: credentials.connection_id.clone(),
            },
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        // Strings and booleans alone: nothing in it can't be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub(super) fn is_from(&self, username: &str, password: &str) -> bool {
        let mqtt = &self.protocol_data.mqtt;
        // The password check compares the name in front of the parameters.
        let name = mqtt.username.as_deref().unwrap_or_default();
        let name = name.split_once('?').map_or(name, |(name, _)| name);
        name == username && mqtt.password.as_deref() == Some(STANDARD.encode(password).as_str())
    }
}

impl fmt::Debug for LambdaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaEvent")
            .field("signature_verified", &self.signature_verified)
            .field("client_id", &self.protocol_data.mqtt.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{Answer, Lambda};

    fn credentials() -> Credentials {
        Credentials {
            client_id: Some("lamp-7".into()),
            username: Some("alice?t=abc".into()),
            password: Some(b"s3cret".to_vec()),
            server_name: Some("localhost".into()),
            connection_id: "c0ffee".into(),
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
            username: None,
            password: None,
            client_id: None,
            server_name: None,
            connection_id: "c0ffee".into(),
        };
        let event = serde_json::to_value(LambdaEvent::new(&credentials, None)).unwrap();
        assert_eq!(
            event["protocolData"],
            serde_json::json!({"tls": {}, "mqtt": {}})
        );
        assert_eq!(event.get("token"), None);
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
