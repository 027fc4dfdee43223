//! The upgrade from HTTP to WebSocket (RFC 6455, 4.2), for the subprotocol `mqtt`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, StatusCode, Version};

/// Reason to refuse an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UpgradeError {
    #[error("the path of MQTT over WebSocket is /mqtt")]
    Path,
    #[error("an upgrade to WebSocket is a GET of HTTP/1.1")]
    NotGet,
    #[error("Connection: Upgrade and Upgrade: websocket are needed")]
    NotWebSocket,
    #[error("Sec-WebSocket-Version must be 13")]
    WrongVersion,
    #[error("Sec-WebSocket-Key must be there once, with 16 bytes in base64")]
    Key,
    #[error("the subprotocol \"mqtt\" is needed (Sec-WebSocket-Protocol: mqtt)")]
    Subprotocol,
}

impl UpgradeError {
    /// Status of the answer.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            // RFC 6455, 4.4
            Self::WrongVersion => StatusCode::UPGRADE_REQUIRED,
            Self::NotGet | Self::NotWebSocket | Self::Key | Self::Subprotocol => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Returns `true` if a request asks for an upgrade, right or wrong.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) || headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Checks an upgrade; returns the key for `Sec-WebSocket-Accept`.
///
/// # Errors
/// The first thing that is wrong with it, in the order of [`UpgradeError`].
pub(super) fn check<B>(request: &hyper::Request<B>) -> Result<&[u8], UpgradeError> {
    let headers = request.headers();
    if request.uri().path() != PATH {
        return Err(UpgradeError::Path);
    }
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(UpgradeError::NotGet);
    }
    if !lists(headers, &CONNECTION, "upgrade") || !lists(headers, &UPGRADE, "websocket") {
        return Err(UpgradeError::NotWebSocket);
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .map(|value| value.as_bytes())
        != Some(b"13")
    {
        return Err(UpgradeError::WrongVersion);
    }
    // A request has this header once (RFC 6455, 11.3.1).
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|_| keys.next().is_none());
    let key = key
        .map(hyper::header::HeaderValue::as_bytes)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or(UpgradeError::Key)?;
    // Names of subprotocols are compared as they are (RFC 6455, 11.5). [MQTT-6.0.0-3]
    if !names(headers, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == SUBPROTOCOL) {
        return Err(UpgradeError::Subprotocol);
    }
    Ok(key)
}

fn lists(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    names(headers, header).any(|name| name.eq_ignore_ascii_case(wanted))
}

/// Items of a header with a list, which may also be sent several times.
fn names<'a>(headers: &'a HeaderMap, header: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Path of MQTT over WebSocket at AWS IoT Core.
const PATH: &str = "/mqtt";
/// Subprotocol of MQTT, of every version. [MQTT-6.0.0-4]
pub(super) const SUBPROTOCOL: &str = "mqtt";

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut hyper::Request<()>)) -> Result<Vec<u8>, UpgradeError> {
        let mut request = hyper::Request::get("/mqtt?a=b")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY)
            .header("sec-websocket-protocol", "mqttv3.1, mqtt")
            .body(())
            .unwrap();
        change(&mut request);
        check(&request).map(<[u8]>::to_vec)
    }

    #[test]
    fn each_part_of_an_upgrade_is_needed() {
        assert_eq!(checked(|_| ()), Ok(KEY.as_bytes().to_vec()));
        let set = |name: &'static str, value: &'static str| {
            checked(|request| {
                let _ = request.headers_mut().insert(name, value.parse().unwrap());
            })
        };
        for (outcome, expected) in [
            (set("connection", "keep-alive"), UpgradeError::NotWebSocket),
            (set("upgrade", "h2c"), UpgradeError::NotWebSocket),
            (
                set("sec-websocket-version", "8"),
                UpgradeError::WrongVersion,
            ),
            (set("sec-websocket-key", "c2hvcnQ="), UpgradeError::Key),
            (set("sec-websocket-key", "no base64"), UpgradeError::Key),
            (
                set("sec-websocket-protocol", "mqttv3.1"),
                UpgradeError::Subprotocol,
            ),
            (
                set("sec-websocket-protocol", "MQTT"),
                UpgradeError::Subprotocol,
            ),
            (
                checked(|request| {
                    let key = KEY.parse().unwrap();
                    let _ = request.headers_mut().append(SEC_WEBSOCKET_KEY, key);
                }),
                UpgradeError::Key,
            ),
            (
                checked(|request| *request.method_mut() = Method::POST),
                UpgradeError::NotGet,
            ),
            (
                checked(|request| *request.version_mut() = Version::HTTP_10),
                UpgradeError::NotGet,
            ),
            (
                checked(|request| *request.uri_mut() = "/".parse().unwrap()),
                UpgradeError::Path,
            ),
        ] {
            assert_eq!(outcome, Err(expected));
        }
    }

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
}
