//! `ClientPool`: the connected clients of a load test, and the tasks that read their events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dunlin_client::{Client, ConnectionError, EndCause, Event, Events};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::advice::LoadFacts;
use super::connecting::connect_one;
use super::counters::{Counters, reason_name};
use super::progress::Notes;
use super::target::LoadTarget;
use crate::diagnosis::{ConnectionFacts, Diagnosis, Operation, RunContext, lost};

/// Everything that the tasks of a load test share about its connections.
#[derive(Clone, Debug)]
pub(super) struct ClientReporter {
    pub(super) counters: Arc<Counters>,
    pub(super) context: Arc<RunContext>,
    pub(super) load: Arc<LoadFacts>,
    pub(super) notes: Notes,
    /// True while the run itself ends the connections, which are then no failures.
    pub(super) expects_outage: Arc<AtomicBool>,
}

impl ClientReporter {
    /// Counts and explains a request that failed.
    pub(super) fn request_failed(&self, operation: Operation, error: &dunlin_client::RequestError) {
        self.counters.request_failed(error, || {
            self.load.request_failed(&self.context, operation, error)
        });
    }
}

/// Clients in the order of their numbers. Those that couldn't connect are missing.
#[derive(Debug)]
pub(super) struct ClientPool {
    clients: Vec<Client>,
    counters: Arc<Counters>,
    /// Number of clients that have not stopped.
    running: watch::Receiver<usize>,
    watchers: JoinSet<()>,
}

impl ClientPool {
    /// Opens `count` connections, each at its planned time, and waits until each is open or given
    /// up.
    ///
    /// Cancel safe: a dropped future ends all clients.
    pub(super) async fn connect(
        target: &LoadTarget,
        count: u32,
        reporter: &ClientReporter,
    ) -> Self {
        let (mut connecting, slots) = (JoinSet::new(), Arc::new(Semaphore::new(HANDSHAKES)));
        let begun = Instant::now();

        // Start each attempt when it is due, or later if too many handshakes are in progress.
        for number in 0..count {
            let due = begun + spaced(number.into(), f64::from(target.connect_rate));
            sleep_until(due).await;
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                break;
            };
            let (options, reporter) = (target.options(number), reporter.clone());
            connecting.spawn(async move {
                let _slot = slot;
                let outcome = connect_one(&reporter.context, options, &reporter.notes).await;
                if outcome.is_ok() {
                    reporter.counters.connect.record(due.elapsed());
                    reporter.counters.connected.add(1);
                }
                (number, outcome)
            });
        }

        // Collect the clients, and count those that couldn't connect.
        let mut connected = Vec::with_capacity(count as usize);
        while let Some(joined) = connecting.join_next().await {
            match joined {
                Ok((number, Ok((client, events)))) => connected.push((number, client, events)),
                Ok((number, Err(diagnosis))) => {
                    let address = target.context.address();
                    reporter.counters.not_connected(Diagnosis {
                        at: Some(format!("client {}-{number} · {address}", target.prefix)),
                        ..*diagnosis
                    });
                }
                Err(_) => {}
            }
        }
        connected.sort_by_key(|(number, ..)| *number);
        Self::of(connected, reporter)
    }

    /// Starts to read the events of these clients.
    fn of(connected: Vec<(u32, Client, Events)>, reporter: &ClientReporter) -> Self {
        let (running, receiver) = watch::channel(connected.len());
        let running = Arc::new(running);
        let (mut clients, mut watchers) = (Vec::new(), JoinSet::new());
        for (_, client, events) in connected {
            clients.push(client);
            let (reporter, running) = (reporter.clone(), Arc::clone(&running));
            watchers.spawn(async move {
                read_events(events, &reporter).await;
                running.send_modify(|running| *running -= 1);
            });
        }
        Self {
            clients,
            counters: Arc::clone(&reporter.counters),
            running: receiver,
            watchers,
        }
    }

    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Waits until no client will ever have a connection again. Ready at once without clients.
    ///
    /// Cancel safe.
    pub(super) async fn stopped(&self) {
        let mut running = self.running.clone();
        // The senders are the watchers, which end with the pool.
        let _ = running.wait_for(|running| *running == 0).await;
    }

    /// Waits until the server is gone: all clients have stopped, or none has had a connection for
    /// ten seconds.
    ///
    /// Cancel safe.
    pub(super) async fn server_gone(&self) {
        let unreachable = async {
            let mut since = Instant::now();
            while since.elapsed() < GONE {
                sleep(POLL).await;
                if self.clients.iter().any(Client::is_connected) {
                    since = Instant::now();
                }
            }
        };
        tokio::select! {
            () = self.stopped() => {}
            () = unreachable => {}
        }
    }

    /// Disconnects all clients and waits until their last events are counted.
    pub(super) async fn disconnect(mut self) {
        let mut leaving = JoinSet::new();
        for client in self.clients.drain(..) {
            let counters = Arc::clone(&self.counters);
            leaving.spawn(async move {
                client.disconnect_within(FLUSH).await;
                counters.invalid.add(client.statistics().invalid_messages);
            });
        }
        while leaving.join_next().await.is_some() {}
        let _ = timeout(FLUSH, async {
            while self.watchers.join_next().await.is_some() {}
        })
        .await;
    }
}

/// Counts what happens to a client that has connected, until it stops.
async fn read_events(mut events: Events, reporter: &ClientReporter) {
    let (mut connected_at, mut lost_at) = (Instant::now(), None);
    while let Some(event) = events.next().await {
        match event {
            Event::Disconnected {
                cause: EndCause::Connection(cause),
                ..
            } if *cause != ConnectionError::Requested => {
                // The connection may come back; the time until then is measured.
                lost_at = Some(Instant::now());
                if !reporter.expects_outage.load(Ordering::Relaxed) {
                    connection_ended(reporter, &cause, connected_at.elapsed());
                }
            }
            Event::Connected(_) => {
                connected_at = Instant::now();
                if let Some(lost_at) = lost_at.take() {
                    reporter.counters.reconnected.add(1);
                    reporter.counters.reconnect.record(connected_at - lost_at);
                }
            }
            Event::MessageRefused(refused) => {
                // Counted from the statistics in the end; events may be dropped.
                reporter.notes.warn_once(format_args!(
                    "received messages are invalid and were refused: {}; with --strict \
                     they end the run",
                    refused.reason
                ));
            }
            // A subscription that the server refused after a reconnect.
            Event::SubscriptionLost { cause, .. } => {
                reporter.request_failed(Operation::Subscribe, &cause);
            }
            _ => {}
        }
    }
}

/// Counts a connection that ended, and prints the first one of its kind.
fn connection_ended(reporter: &ClientReporter, cause: &ConnectionError, connected: Duration) {
    let facts = ConnectionFacts::default();
    let diagnosis = lost::ended(&reporter.context, &facts, cause, connected);
    let name = match cause {
        ConnectionError::Disconnected(reason) => reason_name(reason),
        cause => cause.to_string(),
    };
    if reporter.counters.connection_ended(name, &diagnosis) {
        reporter
            .notes
            .print(format_args!("connections end: {}", diagnosis.headline));
    }
}

/// Planned time of number `n` at `rate` a second; a rate of 0 means at once.
pub(super) fn spaced(n: u64, rate: f64) -> Duration {
    if rate > 0.0 {
        Duration::try_from_secs_f64(n as f64 / rate).unwrap_or(Duration::MAX / 4)
    } else {
        Duration::ZERO
    }
}

/// Handshakes at a time.
const HANDSHAKES: usize = 256;
/// Time without any connection after which the server counts as gone.
const GONE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(250);
/// Time for the last packets of a client that disconnects.
const FLUSH: Duration = Duration::from_millis(500);
