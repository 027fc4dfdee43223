//! Texts of failed connections in the words of the AWS SDK, which the Python sample prints.

use dunlin_client::ConnectError;
use dunlin_client::transport::{ResolveFault, TransportError, WebSocketError};

/// Text in the form `NAME: message` for the line `Lifecycle Connection Failure with exception:`.
pub(crate) fn of(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Refused(_) => {
            "AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED: Remote endpoint rejected the CONNECT attempt by returning an \
             unsuccessful CONNACK"
        }
        ConnectError::Closed { reset: false } => {
            "AWS_ERROR_MQTT_UNEXPECTED_HANGUP: The connection was closed unexpectedly."
        }
        ConnectError::Closed { reset: true } => "AWS_IO_SOCKET_CLOSED: socket is closed.",
        ConnectError::ConnAckTimeout { .. } => {
            "AWS_ERROR_MQTT5_CONNACK_TIMEOUT: Remote endpoint did not respond to a CONNECT request before timeout exceeded"
        }
        ConnectError::Protocol(_) => {
            "AWS_ERROR_MQTT5_DECODE_PROTOCOL_ERROR: Mqtt5 decoder received an invalid packet that broke mqtt5 protocol rules"
        }
        // Errors below MQTT have names of the SDK's I/O library.
        ConnectError::Transport(error) => of_transport(error),
        _ => {
            "AWS_ERROR_MQTT5_USER_REQUESTED_STOP: Mqtt5 client connection interrupted by user request."
        }
    }
}

fn of_transport(error: &TransportError) -> &'static str {
    match error {
        TransportError::Resolve {
            fault: ResolveFault::NotFound,
            ..
        } => "AWS_IO_DNS_INVALID_NAME: Host name was invalid for dns resolution.",
        TransportError::Resolve { .. } => {
            "AWS_IO_DNS_QUERY_FAILED: A query to dns failed to resolve."
        }
        TransportError::Refused { .. } => {
            "AWS_IO_SOCKET_CONNECTION_REFUSED: socket connection refused."
        }
        TransportError::TimedOut { .. } => "AWS_IO_SOCKET_TIMEOUT: socket operation timed out.",
        TransportError::Tls { .. } => {
            "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE: TLS (SSL) negotiation failed"
        }
        TransportError::WebSocket { error, .. } => match &**error {
            WebSocketError::Closed(_) | WebSocketError::Frame(_) | WebSocketError::Io(_) => {
                "AWS_ERROR_MQTT_UNEXPECTED_HANGUP: The connection was closed unexpectedly."
            }
            _ => {
                "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE: Failed to upgrade HTTP connection to Websocket."
            }
        },
        _ => "AWS_IO_SOCKET_CLOSED: socket is closed.",
    }
}
