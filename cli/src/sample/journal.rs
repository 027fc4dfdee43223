//! The client's life on stderr, for `-v`: what the transcript has no line for.

use dunlin_client::Event;
use tracing::info;

/// Logs what is known of one step. Nothing in it is secret.
pub(crate) fn note(event: &Event) {
    match event {
        Event::Attempt { attempt, host, port, client_id } => {
            info!(attempt, host, port, client_id, "connecting");
        }
        Event::Opened(opened) => {
            let tls = opened.tls.as_ref();
            info!(
                peer = %opened.peer,
                tls = tls.map(|tls| tls.version.to_string()),
                alpn = tls.and_then(|tls| tls.alpn_selected.as_deref()),
                resumed = tls.map(|tls| tls.resumed),
                resolve_ms = millis(opened.resolve_time),
                tcp_ms = millis(opened.tcp_time),
                tls_ms = millis(opened.tls_time),
                "opened"
            );
        }
        Event::Connected(connected) => {
            let limits = &connected.limits;
            info!(
                client_id = connected.client_id,
                session_present = connected.session_present,
                receive_maximum = limits.receive_maximum,
                maximum_qos = %limits.maximum_qos,
                maximum_packet_size = limits.maximum_packet_size,
                keep_alive = limits.keep_alive,
                reason_string = connected.reason_string,
                connack_ms = millis(connected.elapsed),
                "connected"
            );
        }
        Event::Failed { cause, retry_in } => info!(%cause, ?retry_in, "failed"),
        Event::Disconnected { cause, retry_in } => info!(%cause, ?retry_in, "disconnected"),
        Event::MessageRefused(refused) => {
            info!(topic = ?refused.topic, qos = refused.qos.level(), reason = %refused.reason, "message refused");
        }
        Event::SubscriptionLost { filter, cause } => info!(filter, %cause, "subscription lost"),
        Event::Stopped(cause) => info!(%cause, "stopped"),
        _ => {}
    }
}

/// Whole milliseconds.
fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
