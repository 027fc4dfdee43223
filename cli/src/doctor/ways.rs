//! Other ways to connect to the same server, for `--all`: one change at a time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, EndCause, Event};
use tokio::time::{Instant, sleep, timeout};

use super::cause::{self, Outcome, Tried};
use super::change::Change;
use super::log::StageLog;
use crate::client_run::waiting::SILENCE;
use crate::client_run::{ConnectionHistory, RunOutcome, log_event};
use crate::config::ConnectionConfig;
use crate::diagnosis::{Diagnosis, RunContext, duration};
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Tries all ways that the flags leave open, prints each, and then the conclusion.
///
/// `given` is the outcome of the check.
///
/// # Errors
/// [`RunOutcome::Stopped`] after a signal.
pub(super) async fn run(
    config: &ConnectionConfig,
    given: Tried,
    log: &StageLog,
    console: Console,
    stop: &mut StopSignal,
) -> Result<(), RunOutcome> {
    let changes = Change::of(&config.context, &config.client.transport);
    let mut tried = vec![given];
    for change in changes {
        // AWS IoT and the sandbox take one CONNECT a second for a client identifier.
        if config.context.uses_authorizers() {
            tokio::select! {
                () = sleep(CONNECT_INTERVAL) => {}
                exit = stop.received() => return Err(RunOutcome::Stopped(exit)),
            }
        }
        let attempt = attempt(config, change, console);
        let (way, time) = tokio::select! {
            tried = attempt => tried,
            exit = stop.received() => return Err(RunOutcome::Stopped(exit)),
        };
        log.tried(&way, &config.context, time);
        tried.push(way);
    }
    log.conclusion(&cause::conclusion(&config.context, &tried));
    Ok(())
}

/// Connects once with the change, and disconnects. Returns the outcome and the time until it.
async fn attempt(config: &ConnectionConfig, change: Change, console: Console) -> (Tried, Duration) {
    let (options, context) = options_of(&change, config);
    // A client of its own, with the diagnoses of every other verb.
    let began = Instant::now();
    let mut history = ConnectionHistory::new(context);
    let client = Client::start(ClientOptions {
        observer: Some(history.observer()),
        ..options
    });
    let mut outcome = pin!(outcome(&client, &mut history, config.timeout));
    let outcome = match timeout(SILENCE, &mut outcome).await {
        Ok(outcome) => outcome,
        Err(_) => {
            console.note(format_args!(
                "waiting: no connection {} yet; at most {} in all",
                change.name(),
                duration(config.timeout)
            ));
            outcome.await
        }
    };
    // Nothing was requested, so that nothing has to be flushed.
    let time = began.elapsed();
    client.disconnect_within(Duration::ZERO).await;
    (Tried { change, outcome }, time)
}

/// Options and facts of the connection with the change.
fn options_of(change: &Change, config: &ConnectionConfig) -> (ClientOptions, RunContext) {
    let (mut client, mut context) = (config.client.clone(), config.context.clone());
    let transport = &mut client.transport;
    transport.observer = None;
    match change {
        Change::None => {}
        Change::Direct => {
            transport.proxy = None;
            context.proxy = None;
        }
        Change::Ip(version) => transport.ip_version = Some(*version),
        Change::Port(port) => {
            transport.port = *port;
            context.port = *port;
        }
        Change::WebSocket(port) => {
            transport.port = *port;
            context.port = *port;
            transport.websocket = Some(Box::default());
            context.choices.is_websocket = true;
            // WebSocket is asked for by HTTP, not by ALPN.
            offer(None, transport, &mut context);
        }
        Change::Alpn(name) => offer(name.as_deref(), transport, &mut context),
    }
    (client, context)
}

/// Offers this ALPN protocol, or none.
fn offer(name: Option<&str>, transport: &mut TransportOptions, context: &mut RunContext) {
    let names = name.iter().map(|name| name.as_bytes().to_vec()).collect();
    // Only a name without bytes, or with more than 255, is an error: none of ours is.
    let connector = transport.tls.as_ref();
    let connector = connector.and_then(|tls| tls.with_alpn(names).ok());
    transport.tls = connector.map(Arc::new).or_else(|| transport.tls.take());
    context.alpn_offered = name.map(str::to_owned);
}

/// First outcome of a client that connects.
async fn outcome(client: &Client, history: &mut ConnectionHistory, within: Duration) -> Outcome {
    // The first end of the attempt counts: what the client would try next is another attempt.
    let mut events = client.events();
    let mut ignores_alpn = false;
    let first = async {
        while let Some(event) = events.next().await {
            log_event(&event);
            match event {
                Event::Attempt { .. } => history.begin_attempt(),
                Event::Opened(opened) => ignores_alpn = history.opened(*opened),
                Event::Connected(_) => return Ok(()),
                Event::Disconnected {
                    cause: EndCause::Attempt(cause),
                    ..
                } => return Err(history.failed(&cause)),
                _ => {}
            }
        }
        Err(history.not_connected(within))
    };
    let result: Result<(), Diagnosis> = first.await;
    Outcome {
        failure: result.err(),
        ignores_alpn,
    }
}

/// Time between two CONNECTs, a little above the second that AWS IoT asks for.
const CONNECT_INTERVAL: Duration = Duration::from_millis(1100);
