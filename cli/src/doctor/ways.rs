//! Other ways to connect to the same server, for `--all`: one change at a time.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::IpVersion;
use dunlin_client::{Client, ClientOptions, EndCause, Event};
use tokio::time::{Instant, sleep, timeout};

use super::cause::{self, Outcome, Tried};
use super::log::StageLog;
use crate::client_run::waiting::SILENCE;
use crate::client_run::{ConnectionHistory, RunOutcome, log_event};
use crate::config::ConnectionConfig;
use crate::diagnosis::{Diagnosis, RunContext, duration};
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Difference between a way to connect and the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// None: the check itself.
    None,
    /// No proxy.
    Direct,
    /// Addresses of one IP version only.
    Ip(IpVersion),
    /// Another ALPN protocol; `None` offers none.
    Alpn(Option<String>),
    /// Another port, still with TLS.
    Port(u16),
}

impl Change {
    /// Changes that the flags leave open. A connection without TLS gets none that would send its
    /// credentials anywhere else.
    pub(super) fn of(context: &RunContext, has_address: bool, has_ip_version: bool) -> Vec<Self> {
        let mut changes = Vec::new();
        let has_proxy = context.proxy.is_some();
        if has_proxy {
            changes.push(Self::Direct);
        }
        // A proxy resolves the name, and an address has one version only.
        let is_name = context.host.parse::<IpAddr>().is_err();
        if is_name && !has_proxy && !has_address && !has_ip_version {
            changes.extend([Self::Ip(IpVersion::V4), Self::Ip(IpVersion::V6)]);
        }
        if context.choices.is_tls {
            changes.push(Self::Alpn(match context.alpn_offered {
                Some(_) => None,
                None => Some(MQTT.to_owned()),
            }));
            match context.port {
                HTTPS if !has_address => changes.push(Self::Port(MQTTS)),
                MQTTS if !has_address => changes.push(Self::Port(HTTPS)),
                _ => {}
            }
        }
        changes
    }

    /// Words of the table.
    pub(super) fn name(&self) -> String {
        match self {
            Self::None => "as given".to_owned(),
            Self::Direct => "without the proxy".to_owned(),
            Self::Ip(IpVersion::V6) => "IPv6 only".to_owned(),
            Self::Ip(_) => "IPv4 only".to_owned(),
            Self::Alpn(None) => "without ALPN".to_owned(),
            Self::Alpn(Some(name)) => format!("ALPN {name}"),
            Self::Port(port) => format!("port {port}"),
        }
    }

    /// Options and facts of the connection with the change.
    fn apply(&self, config: &ConnectionConfig) -> (ClientOptions, RunContext) {
        let (mut client, mut context) = (config.client.clone(), config.context.clone());
        let transport = &mut client.transport;
        transport.observer = None;
        match self {
            Self::None => {}
            Self::Direct => {
                transport.proxy = None;
                context.proxy = None;
            }
            Self::Ip(version) => transport.ip_version = Some(*version),
            Self::Port(port) => {
                transport.port = *port;
                context.port = *port;
            }
            Self::Alpn(name) => {
                let names = name.iter().map(|name| name.clone().into_bytes()).collect();
                // A name that rustls refuses can't be here: it is one of two constants.
                let connector = transport.tls.as_ref();
                let connector = connector.and_then(|tls| tls.with_alpn(names).ok());
                transport.tls = connector.map(Arc::new).or_else(|| transport.tls.take());
                context.alpn_offered.clone_from(name);
            }
        }
        (client, context)
    }
}

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
    let transport = &config.client.transport;
    let changes = Change::of(
        &config.context,
        transport.connect_to.is_some(),
        transport.ip_version.is_some(),
    );
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
    let (options, context) = change.apply(config);
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
    let time = began.elapsed();
    client.disconnect_within(Duration::ZERO).await;
    (Tried { change, outcome }, time)
}

/// First outcome of a client that connects.
async fn outcome(client: &Client, history: &mut ConnectionHistory, within: Duration) -> Outcome {
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

/// Ports of MQTT over TLS that AWS IoT and other servers listen on.
const HTTPS: u16 = 443;
const MQTTS: u16 = 8883;
/// ALPN protocol of MQTT.
const MQTT: &str = "mqtt";
/// Time between two CONNECTs, a little above the second that AWS IoT asks for.
const CONNECT_INTERVAL: Duration = Duration::from_millis(1100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::test_context;

    #[test]
    fn the_flags_decide_what_is_left_to_try() {
        let mut context = test_context("x-ats.iot.eu-west-1.amazonaws.com");
        let names = |context: &RunContext, has_address| {
            let changes = Change::of(context, has_address, false);
            changes.iter().map(Change::name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&context, false),
            ["IPv4 only", "IPv6 only", "without ALPN", "port 8883"]
        );
        assert_eq!(names(&context, true), ["without ALPN"]);
        context.proxy = Some("via http://proxy:3128 (from HTTPS_PROXY)".to_owned());
        context.port = 8883;
        context.alpn_offered = None;
        assert_eq!(
            names(&context, false),
            ["without the proxy", "ALPN mqtt", "port 443"]
        );
        // Without TLS, nothing leads to another port.
        context.proxy = None;
        context.choices.is_tls = false;
        assert_eq!(names(&context, false), ["IPv4 only", "IPv6 only"]);
        context.host = "127.0.0.1".to_owned();
        assert_eq!(names(&context, false), [""; 0]);
    }
}
