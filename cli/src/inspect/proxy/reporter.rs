//! `Reporter`: the lines of the proxy on standard output, and its capture.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dunlin_client::Direction;
use serde::Serialize;

use super::now;
use super::round_trips::RoundTrips;
use crate::capture::{CaptureFile, CapturedConnection};
use crate::client_run::Output;
use crate::inspect::conversation::{
    Conversation, ConversationLine, Finding, LineContent, LineForm,
};

/// Output of all connections.
#[derive(Clone, Debug)]
pub(super) struct Reporter(Arc<ProxyState>);

#[derive(Debug)]
struct ProxyState {
    form: LineForm,
    output: Output,
    capture: Option<CaptureFile>,
    /// The same moment by both clocks.
    started: (Instant, Duration),
    connections: AtomicU32,
    packets: AtomicU64,
    breaches: AtomicU64,
    round_trips: Mutex<RoundTrips>,
}

/// Both directions of one connection, as the reporter sees them.
#[derive(Debug)]
pub(super) struct Watch {
    number: u32,
    reporter: Reporter,
    state: Mutex<WatchState>,
}

#[derive(Debug)]
struct WatchState {
    conversation: Conversation,
    capture: Option<CapturedConnection>,
}

impl Reporter {
    #[expect(
        clippy::disallowed_methods,
        reason = "lines have the time of day, and packets have that of the runtime"
    )]
    pub(super) fn new(form: LineForm, output: Output, capture: Option<CaptureFile>) -> Self {
        let time_of_day = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(Arc::new(ProxyState {
            form,
            output,
            capture,
            started: (now(), time_of_day.unwrap_or_default()),
            connections: AtomicU32::new(0),
            packets: AtomicU64::new(0),
            breaches: AtomicU64::new(0),
            round_trips: Mutex::default(),
        }))
    }

    /// Counts a connection, and returns its number.
    pub(super) fn open_connection(&self) -> u32 {
        self.0.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Begins to watch a connection whose first bytes are about to be passed on.
    pub(super) fn watch(&self, number: u32, client: SocketAddr, server: &str) -> Watch {
        let at = now();
        let client = client.to_string();
        let content = LineContent::Opened {
            client: &client,
            server,
        };
        self.line(number, at, content);
        let capture = self.0.capture.as_ref();
        Watch {
            number,
            reporter: self.clone(),
            state: Mutex::new(WatchState {
                conversation: Conversation::new(),
                capture: capture.map(|file| file.open_connection(&client, at)),
            }),
        }
    }

    /// Writes a line about a connection.
    pub(super) fn note(&self, number: u32, at: Instant, text: &str) {
        self.line(number, at, LineContent::Note(text));
    }

    /// Writes the address of the proxy, and with TLS the CA file, the first line.
    pub(super) fn listening(&self, address: SocketAddr, server: &str, ca: Option<&str>) {
        if self.0.form.is_json {
            self.json(&TotalsJson::Listening {
                address: &address.to_string(),
                endpoint: server,
                ca,
            });
        } else {
            let tls = ca.map(|ca| format!(" with TLS (CA: {ca})"));
            self.write(&format!(
                "listening on {address}{}, forwarding to {server}\n",
                tls.unwrap_or_default()
            ));
        }
    }

    /// Writes the totals, the last line.
    pub(super) fn summary(&self) {
        let connections = self.0.connections.load(Ordering::Relaxed);
        let packets = self.0.packets.load(Ordering::Relaxed);
        let breaches = self.0.breaches.load(Ordering::Relaxed);
        let nagle = self.round_trips().nagle();
        if self.0.form.is_json {
            self.json(&TotalsJson::Summary {
                connections,
                packets,
                breaches,
                note: nagle,
            });
        } else {
            if let Some(note) = nagle {
                self.write(&format!("{note}\n"));
            }
            self.write(&format!(
                "{connections} connections, {packets} packets, {breaches} broken rules\n"
            ));
        }
    }

    /// Waits until standard output has taken enough. Cancel safe.
    pub(super) async fn ready(&self) {
        self.0.output.ready().await;
    }

    fn round_trips(&self) -> MutexGuard<'_, RoundTrips> {
        let round_trips = self.0.round_trips.lock();
        round_trips.unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, number: u32, at: Instant, content: LineContent<'_>) {
        let line = ConversationLine {
            at: self.time(at),
            connection: number,
            content,
        };
        self.write(&line.text(self.0.form));
    }

    fn json(&self, totals: &TotalsJson<'_>) {
        let line = TotalsLine {
            v: 1,
            ts: humantime::format_rfc3339_micros(UNIX_EPOCH + self.time(now())).to_string(),
            totals,
        };
        let text = serde_json::to_string(&line).unwrap_or_default();
        self.write(&format!("{text}\n"));
    }

    fn write(&self, text: &str) {
        // An error ends the run, which waits for one.
        let _ = self.0.output.clone().write_all(text.as_bytes());
    }

    fn time(&self, at: Instant) -> Duration {
        let (started, time_of_day) = self.0.started;
        time_of_day + at.saturating_duration_since(started)
    }
}

impl Watch {
    /// Shows the packets in these bytes, and writes them to the capture.
    pub(super) fn see(&self, direction: Direction, bytes: &[u8]) {
        let at = now();
        let mut state = self.lock();
        let WatchState {
            conversation,
            capture,
        } = &mut *state;
        let shared = &self.reporter.0;
        let time = self.reporter.time(at);
        conversation.push(direction, bytes, time, &mut |finding| match finding {
            Finding::Packet(seen) => {
                shared.packets.fetch_add(1, Ordering::Relaxed);
                let breaches = seen.breaches.len() as u64;
                shared.breaches.fetch_add(breaches, Ordering::Relaxed);
                if let (Direction::Received, Some(answered)) = (direction, &seen.answered) {
                    self.reporter.round_trips().add(answered.after);
                }
                self.reporter
                    .line(self.number, at, LineContent::Packet(&seen));
                if let Some(capture) = capture {
                    capture.record(direction, seen.bytes, at);
                }
            }
            Finding::Rest { packet_type, bytes } => {
                if let Some(capture) = capture {
                    capture.record_rest(direction, packet_type, bytes, at);
                }
            }
            Finding::NoPacket(bytes) => {
                if let Some(capture) = capture {
                    capture.record_unknown(direction, bytes, at);
                }
            }
            Finding::Protocol(protocol) => {
                self.reporter
                    .line(self.number, at, LineContent::Protocol(protocol));
            }
        });
    }

    /// Writes a line about the connection.
    pub(super) fn note(&self, text: &str) {
        self.reporter.note(self.number, now(), text);
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    /// Writes the end of the connection, also where the proxy is stopped.
    fn drop(&mut self) {
        let at = now();
        self.reporter.line(self.number, at, LineContent::Closed);
        if let Some(mut capture) = self.lock().capture.take() {
            capture.close(at);
        }
    }
}

#[derive(Serialize)]
struct TotalsLine<'a> {
    v: u8,
    ts: String,
    #[serde(flatten)]
    totals: &'a TotalsJson<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum TotalsJson<'a> {
    Listening {
        address: &'a str,
        endpoint: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ca: Option<&'a str>,
    },
    Summary {
        connections: u32,
        packets: u64,
        breaches: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}
