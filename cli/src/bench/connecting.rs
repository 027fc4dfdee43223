//! `connect_one`: the first connection of a client, and why it wasn't made.

use std::time::Duration;

use dunlin_client::{Client, ClientOptions, ConnectError, Event, Events, Reconnect};
use tokio::time::{Instant, sleep};

use crate::diagnosis::{ConnectionFacts, Diagnosis, RunContext, connect, lost, network};

/// Starts a client and waits for its first connection.
///
/// # Errors
/// Explanation of the last attempt: after the time of `connect_within`, after a failure that
/// another attempt can't mend, or after five refusals.
pub(super) async fn connect_one(
    context: &RunContext,
    options: ClientOptions,
) -> Result<(Client, Events), Box<Diagnosis>> {
    let within = options.connect_within;
    let is_limited = options.reconnect.max_attempts.is_some();
    let (again, client) = (options.clone(), Client::start(options));
    let (mut events, mut facts) = (client.events(), ConnectionFacts::default());
    let (mut opened_at, mut last, mut refusals) = (None, None, 0);
    let deadline = sleep(within);
    tokio::pin!(deadline);
    loop {
        // The end of the time counts as the end of the events.
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut deadline => None,
        };
        match event {
            Some(Event::Opened(opened)) => {
                opened_at = Some(Instant::now());
                (facts.peer, facts.tls) = (Some(opened.peer), opened.tls);
            }
            Some(Event::Connected(_)) => return Ok((client, events)),
            Some(Event::Failed { cause, retry_in }) => {
                if matches!(*cause, ConnectError::Protocol(_)) {
                    record_bytes(&again, &facts).await;
                }
                // Time since TCP and TLS were up, which tells the stage of the failure.
                let elapsed = opened_at.take().map_or(Duration::ZERO, |at| at.elapsed());
                let diagnosis = connect::failed(context, &facts, &cause, elapsed);
                // As for the sample: a server that always refuses will refuse again.
                refusals += u32::from(matches!(*cause, ConnectError::Refused(_)));
                if retry_in.is_none() || (refusals >= MOST_REFUSALS && !is_limited) {
                    return Err(Box::new(diagnosis));
                }
                last = Some(diagnosis);
            }
            Some(Event::Disconnected { cause, .. }) => {
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
