//! Flags about the transport: TCP, TLS or WebSocket, and the headers of WebSocket.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use crate::args::value::TransportArg;

/// Transport of the connection.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct WebSocketArgs {
    /// Transport [default: that of the URL, or tls]
    ///
    /// "wss" and "ws" are MQTT over WebSocket with and without TLS, ports 443 and 80, path /mqtt; the
    /// URLs wss://HOST:PORT/PATH and ws://HOST:PORT/PATH name another path. "http" publishes messages by
    /// HTTPS requests, port 443; the URL http://HOST:PORT is without TLS, port 80.
    #[arg(long, value_enum, hide_short_help = true)]
    pub(crate) transport: Option<TransportArg>,
    /// Send a header with the request for a WebSocket connection; may be repeated
    ///
    /// Values are secrets, and never printed. Better: --ws-header-file.
    #[arg(long, value_name = "NAME=VALUE", hide_short_help = true)]
    pub(crate) ws_header: Vec<String>,
    /// Read headers from a file, one NAME=VALUE a line ("-": standard input)
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) ws_header_file: Option<PathBuf>,
}

impl fmt::Debug for WebSocketArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold secrets.
        f.debug_struct("WebSocketArgs")
            .field("transport", &self.transport)
            .field("headers", &self.ws_header.len())
            .finish_non_exhaustive()
    }
}
