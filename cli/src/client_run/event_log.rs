//! Details of connections on stderr for `-v`, beyond the transcript and the client's own log.

use dunlin_client::Event;
use dunlin_codec::Escaped;
use tracing::field::{DisplayValue, display};
use tracing::info;

/// Logs one event of the client, without secrets.
pub(crate) fn log_event(event: &Event) {
    match event {
        Event::Attempt {
            attempt,
            host,
            port,
            client_id,
        } => {
            info!(attempt, host = %Escaped(host), port, client_id = %Escaped(client_id), "connecting");
        }
        Event::Opened(opened) => {
            // Durations of the stages tell where a slow connection loses its time.
            let tls = opened.tls.as_ref();
            info!(
                peer = %opened.peer,
                tls = tls.map(|tls| tls.version.to_string()),
                alpn = tls.and_then(|tls| tls.alpn_selected.as_deref()).map(escaped),
                resumed = tls.map(|tls| tls.resumed),
                resolve_ms = millis(opened.resolve_time),
                tcp_ms = millis(opened.tcp_time),
                tls_ms = millis(opened.tls_time),
                websocket_ms = millis(opened.websocket_time),
                "opened"
            );
        }
        Event::Connected(connected) => {
            // Limits of CONNACK explain refusals later on.
            let limits = &connected.limits;
            info!(
                client_id = %Escaped(&connected.client_id),
                session_present = connected.session_present,
                receive_maximum = limits.receive_maximum,
                maximum_qos = %limits.maximum_qos,
                maximum_packet_size = limits.maximum_packet_size,
                keep_alive = limits.keep_alive,
                reason_string = connected.reason_string.as_deref().map(escaped),
                connack_ms = millis(connected.elapsed),
                "the server's limits"
            );
        }
        _ => {}
    }
}

/// Escaped text of a server, as the value of a field.
fn escaped(text: &str) -> DisplayValue<Escaped<&str>> {
    display(Escaped(text))
}

/// Whole milliseconds.
fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
