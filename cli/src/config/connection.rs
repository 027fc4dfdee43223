//! Options of a connection: the transport and the keep alive.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::{TlsConnector, TransportOptions};

use crate::args::{AddressArgs, ReliabilityArgs};
use crate::config::address::Addresses;
use crate::config::{ProxyChoice, Server};
use crate::diagnosis::Diagnosis;
use crate::terminal::Console;

/// Checks `--keep-alive`, and warns of values that AWS IoT replaces.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) unless it is 0 to 65,535 whole seconds.
pub(super) fn keep_alive(
    typed: Duration,
    is_aws: bool,
    console: Console,
) -> Result<Duration, Diagnosis> {
    // §3.1.2.10: the Keep Alive is a Two Byte Integer in seconds.
    let seconds = u16::try_from(typed.as_secs())
        .ok()
        .filter(|_| typed.subsec_nanos() == 0);
    let seconds = seconds
        .ok_or_else(|| Diagnosis::usage("--keep-alive takes whole seconds, 65535 at most"))?;
    if is_aws && !(30..=1200).contains(&seconds) {
        let instead = if (1..30).contains(&seconds) { 30 } else { 1200 };
        console.warning(format_args!(
            "AWS IoT takes a keep alive of 30 to 1200 s; it will use {instead} s"
        ));
    }
    Ok(typed)
}

/// Options of TCP, proxy, TLS and WebSocket for `server`; `tls` is `None` for a server without TLS.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for addresses that can't be used.
pub(super) fn transport(
    server: Server,
    proxy: Option<ProxyChoice>,
    address: AddressArgs,
    tls: Option<TlsConnector>,
    reliability: &ReliabilityArgs,
) -> Result<TransportOptions, Diagnosis> {
    let timeout = reliability.connect_timeout.min(reliability.timeout);
    if let Some(path) = server.unix_socket {
        return Ok(TransportOptions {
            timeout,
            ..TransportOptions::unix(path)
        });
    }
    let addresses = Addresses::new(address, &server, proxy.is_some())?;
    Ok(TransportOptions {
        connect_to: server.connect_to,
        ip_version: addresses.ip_version,
        local_address: addresses.local,
        proxy: proxy.map(|choice| Box::new(choice.proxy)),
        tls: tls.map(Arc::new),
        timeout,
        websocket: server.websocket.map(Box::new),
        ..TransportOptions::new(server.host, server.port)
    })
}
