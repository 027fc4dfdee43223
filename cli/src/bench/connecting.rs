//! `connect_one`: the first connection of a client, and why it wasn't made.

use std::time::Duration;

use dunlin_client::{Client, ClientOptions, ConnectError, EndCause, Event, Events, Reconnect};
use tokio::time::{Instant, sleep};

use super::progress::{Notes, SILENCE};
use crate::diagnosis::{ConnectionFacts, Diagnosis, RunContext, connect, duration, lost, network};

/// Starts a client and waits for its first connection.
///
/// # Errors
/// Explanation of the last attempt: after the time of `connect_within`, after a failure that
/// another attempt can't mend, or after five refusals.
pub(super) async fn connect_one(
    context: &RunContext,
    options: ClientOptions,
    notes: &Notes,
) -> Result<(Client, Events), Box<Diagnosis>> {
    let within = options.connect_within;
    let is_limited = options.reconnect.max_attempts.is_some();
    let (again, client) = (options.clone(), Client::start(options));
    let (mut events, mut facts) = (client.events(), ConnectionFacts::default());
    let (mut opened_at, mut last, mut refusals, mut attempt) = (None, None, 0, 1);
    let (deadline, notice) = (sleep(within), sleep(SILENCE));
    tokio::pin!(deadline, notice);
    let mut has_waited = false;
    loop {
        // The end of the time counts as the end of the events.
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut deadline => None,
            // Nothing waits in silence.
            () = &mut notice, if !has_waited => {
                has_waited = true;
                let left = duration(within.saturating_sub(SILENCE));
                let (address, stages) = (context.address(), context.stages());
                match opened_at {
                    Some(_) => notes.tell_wait(format_args!(
                        "CONNECT was sent to {address}, no CONNACK yet; for {left} more"
                    )),
                    None => notes.tell_wait(format_args!(
                        "no connection to {address} yet ({stages}); for {left} more"
                    )),
                }
                continue;
            }
        };
        match event {
            Some(Event::Opened(opened)) => {
                opened_at = Some(Instant::now());
                (facts.peer, facts.tls) = (opened.peer.socket_addr(), opened.tls);
            }
            Some(Event::Connected(_)) => return Ok((client, events)),
            Some(Event::Disconnected {
                cause: EndCause::Attempt(cause),
                retry_in,
            }) => {
                if matches!(*cause, ConnectError::Protocol(_)) {
                    record_bytes(&again, &facts).await;
                }
                // Time since TCP and TLS were up, which tells the stage of the failure.
                let elapsed = opened_at.take().map_or(Duration::ZERO, |at| at.elapsed());
                let diagnosis = connect::failed(context, &facts, &cause, elapsed);
                // As for the sample: a server that always refuses will refuse again.
                refusals += u32::from(matches!(*cause, ConnectError::Refused(_)));
                let retry_in = match retry_in {
                    Some(retry_in) if refusals < MOST_REFUSALS || is_limited => retry_in,
                    _ => return Err(Box::new(diagnosis)),
                };
                notes.tell_retry(attempt, &diagnosis, retry_in);
                attempt += 1;
                last = Some(diagnosis);
            }
            Some(Event::Disconnected {
                cause: EndCause::Connection(cause),
                ..
            }) => {
                last = Some(lost::ended(context, &facts, &cause, Duration::ZERO));
            }
            // Given up: the last failure explains it, or else the stage that was not left.
            Some(Event::Stopped(_)) | None => {
                let unanswered = || match opened_at {
                    Some(_) => connect::unanswered(context, &facts, within),
                    None => network::timed_out(context, within),
                };
                return Err(Box::new(last.unwrap_or_else(unanswered)));
            }
            Some(_) => {}
        }
    }
}

/// Connects once more and records the bytes that broke the protocol.
///
/// An observer for every client would look at every packet, which costs time.
async fn record_bytes(options: &ClientOptions, facts: &ConnectionFacts) {
    let options = ClientOptions {
        observer: Some(facts.received.observer()),
        reconnect: Reconnect::never(),
        connect_within: RECORD_WITHIN,
        ..options.clone()
    };
    if let Ok(client) = Client::connect(options).await {
        client.disconnect_within(Duration::ZERO).await;
    }
}

/// Refusals (CONNACK) after which a client that was never accepted gives up, unless `--reconnect`
/// is given. In the help of that flag.
const MOST_REFUSALS: u32 = 5;
/// Time for the connection that records bytes.
const RECORD_WITHIN: Duration = Duration::from_secs(5);
