//! `--dry-run`: the packets that a run would send, printed without secrets.

use std::io::{self, Write};
use std::time::Instant;

use bytes::BytesMut;
use dunlin_client::ConnectOptions;
use dunlin_client::aws::http_publish::{HttpPublishOptions, PublishRequest};
use dunlin_client::engine::Engine;

use super::event_json::JsonEvent;
use crate::args::ResultArgs;
use crate::config::ConnectionConfig;
use crate::diagnosis::{Diagnosis, RunContext, http};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::inspect;
use crate::message::OutgoingMessage;

/// Prints the packets of a verb for any server; see [`print()`].
///
/// # Errors
/// See [`print()`].
pub(crate) fn print_for(config: &ConnectionConfig, packets: &[Vec<u8>]) -> Result<Exit, Failure> {
    print(
        &config.client.connect,
        &config.context,
        config.results,
        packets,
    )
}

/// Prints the HTTP request of a message without secrets, and sends nothing; `None` stands for messages
/// of standard input, which aren't read.
///
/// # Errors
/// [`Failure::Diagnosed`] for a message that can't be sent, [`Failure::Local`] if standard output
/// can't be written.
pub(crate) fn print_http(
    config: &ConnectionConfig,
    options: &HttpPublishOptions,
    message: Option<OutgoingMessage>,
) -> Result<Exit, Failure> {
    let context = &config.context;
    let request = message
        .map(|message| {
            PublishRequest::new(message.as_message(&message.user_pairs()), options)
                .map_err(|error| http::failed(context, &message, 0, &error))
        })
        .transpose()?;

    let mut out = io::stdout().lock();
    let is_json = config.results.json;
    if !is_json {
        let (scheme, address) = (context.transport(), context.address());
        writeln!(out, "to {scheme}://{address}; nothing is sent")?;
    }
    if let Some(request) = request {
        let packet = request.to_string();
        match is_json {
            true => JsonEvent::WouldSend { packet }.write(&mut out)?,
            false => writeln!(out, "{packet}")?,
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Prints CONNECT and `packets`, and sends nothing.
///
/// # Errors
/// [`Failure::Diagnosed`] for a CONNECT that can't be sent, [`Failure::Local`] if standard output
/// can't be written.
pub(crate) fn print(
    connect: &ConnectOptions,
    context: &RunContext,
    results: ResultArgs,
    packets: &[Vec<u8>],
) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    // The engine writes CONNECT as a connection would.
    let now = Instant::now();
    let mut engine = Engine::new(connect.clone());
    let refused = |error: &dyn std::fmt::Display| Diagnosis::usage(error.to_string());
    engine.open(now).map_err(|error| refused(&error))?;
    let mut connect = BytesMut::new();
    engine.poll_transmit(&mut connect, now);

    let address = context.address();
    let below = match (context.choices.is_tls, &context.alpn_offered) {
        (false, _) => "TCP without TLS".to_owned(),
        (true, None) => "TLS".to_owned(),
        (true, Some(alpn)) => format!("TLS, ALPN {alpn}"),
    };
    let tls = match context.choices.is_websocket {
        true => format!("WebSocket over {below}"),
        false => below,
    };
    if !results.json {
        writeln!(out, "to {address} ({tls}); nothing is sent")?;
    }
    for packet in std::iter::once(connect.as_ref()).chain(packets.iter().map(Vec::as_slice)) {
        let text = inspect::packet_text(packet, true, results.dry_run_print());
        if results.json {
            JsonEvent::WouldSend { packet: text }.write(&mut out)?;
        } else {
            writeln!(out, "{text}")?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}
