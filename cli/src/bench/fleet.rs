//! Many devices in one process: they come all at once, publish now and then, and come back when the
//! server does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{Client, Event, Message, QoS};
use dunlin_codec::Escaped;
use dunlin_codec::TopicName;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::counters::{Counter, Counters};
use super::descriptors;
use super::latency::{Latency, Quantiles};
use super::own_sandbox::OwnSandbox;
use super::plan::whole;
use super::progress::Progress;
use super::report::{Environment, Target, per_second, to_line};
use super::table::{latencies, row, usage_text};
use super::target::LoadTarget;
use super::traffic::disconnect;
use super::usage::ProcessUsage;
use crate::args::{FleetArgs, Sources};
use crate::diagnosis::{Diagnosis, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Latencies are milliseconds.
#[derive(Debug, Serialize)]
struct FleetReport {
    v: u32,
    event: &'static str,
    verb: &'static str,
    server: Target,
    environment: Environment,
    clients: u32,
    interval_s: f64,
    size: usize,
    /// From nothing to all of them, at the pace that was asked for.
    connect: ConnectPhase,
    publish: PublishPhase,
    /// `null` where the run was stopped before.
    reconnect: Option<ConnectPhase>,
    /// Resident memory of this process for each client, without what it had before the first.
    memory_each_kib: Option<f64>,
    process: Option<ProcessUsage>,
    /// Of the sandbox, where it is our own: after the trickle.
    server_process: Option<ProcessUsage>,
    errors: BTreeMap<String, u64>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct ConnectPhase {
    connected: u64,
    seconds: f64,
    per_second: f64,
    /// CPU time of this process.
    cpu_s: Option<f64>,
    /// Of each client: from when it was due, or lost its connection, to CONNACK.
    ms: Option<Quantiles>,
}

#[derive(Debug, Serialize)]
struct PublishPhase {
    sent: u64,
    acknowledged: u64,
    lost: u64,
    seconds: f64,
    per_second: f64,
    cpu_s: Option<f64>,
    acknowledge_ms: Option<Quantiles>,
}

/// What the devices do.
#[derive(Debug)]
struct FleetPlan {
    target: LoadTarget,
    duration: Duration,
    interval: Duration,
    payload: Vec<u8>,
    topic: String,
}

impl FleetPlan {
    fn new(typed: FleetArgs, sources: &Sources, console: Console) -> Result<Self, Diagnosis> {
        let FleetArgs {
            target,
            duration,
            interval,
            size,
            topic,
        } = typed;
        TopicName::new(&topic)
            .map_err(|error| Diagnosis::usage(format!("--topic {}: {error}", quoted(&topic))))?;
        let target = LoadTarget::new(target, sources, console)?;
        Ok(Self {
            target,
            duration,
            interval,
            payload: vec![b'x'; size],
            topic,
        })
    }

    /// Each device's messages, and two connections.
    fn messages(&self) -> u64 {
        let each = self.duration.as_secs_f64() / self.interval.as_secs_f64();
        whole(f64::from(self.target.clients) * (each + 2.0))
    }
}

/// Connections of a sandbox of our own beyond those of the devices.
const SPARE: u32 = 64;

pub(super) fn run(
    mut typed: FleetArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    if typed.target.endpoint.endpoint.is_some() {
        let plan = FleetPlan::new(typed, sources, console)?;
        plan.target
            .check(plan.target.clients, Some(plan.messages()))?;
        return block_on(go(plan, None, console));
    }
    let connections = typed.target.clients.saturating_add(SPARE);
    // The sandbox inherits the limit.
    descriptors::reserve(connections.into())?;
    block_on(async move {
        let server = OwnSandbox::start(connections).await?;
        typed.target.endpoint.endpoint = Some(format!("localhost:{}", server.port));
        typed.target.tls.ca = Some(server.ca.clone());
        go(
            FleetPlan::new(typed, sources, console)?,
            Some(server),
            console,
        )
        .await
    })
}

async fn go(
    plan: FleetPlan,
    mut server: Option<OwnSandbox>,
    console: Console,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let counters = Arc::new(Counters::default());
    let progress = Progress::start(&counters, plan.target.clients, plan.target.shows_progress);
    let before = ProcessUsage::of_this();

    let begun = PhaseTimer::start();
    let clients = tokio::select! {
        clients = plan.target.connect_all(plan.target.clients, &counters) => clients,
        exit = stop.received() => return Ok(exit),
    };
    let connect = begun.storm(clients.len() as u64, counters.connect.quantiles());

    let begun = PhaseTimer::start();
    let mut stopped = tokio::select! {
        () = trickle(&plan, &clients, &counters) => None,
        exit = stop.received() => Some(exit),
    };
    let publish = begun.trickle(&counters);
    let after = ProcessUsage::of_this();
    let server_process = server
        .as_ref()
        .and_then(|server| ProcessUsage::of(server.pid()));

    let mut reconnect = None;
    if stopped.is_none() && !clients.is_empty() {
        tokio::select! {
            storm = reconnect_all(&plan, &clients, server.as_mut(), &counters) => reconnect = Some(storm?),
            exit = stop.received() => stopped = Some(exit),
        }
    }
    disconnect(clients).await;
    drop(progress);

    let all_back = reconnect
        .as_ref()
        .is_none_or(|storm| storm.connected >= connect.connected);
    let exit = match (stopped, counters.first_failure()) {
        (Some(exit), _) => exit,
        (None, Some(diagnosis)) => diagnosis.id.exit(),
        (None, None) if counters.denied() > 0 => Exit::Denied,
        (None, None) if publish.lost > 0 || !all_back => Exit::TimedOut,
        (None, None) => Exit::Done,
    };
    let grown = before
        .zip(after)
        .map(|(before, after)| after.resident_kib.saturating_sub(before.resident_kib));
    let report = FleetReport {
        v: 1,
        event: "bench",
        verb: "fleet",
        server: Target::of(&plan.target),
        environment: Environment::this(),
        clients: plan.target.clients,
        interval_s: plan.interval.as_secs_f64(),
        size: plan.payload.len(),
        memory_each_kib: grown.map(|kib| kib as f64 / connect.connected.max(1) as f64),
        connect,
        publish,
        reconnect,
        process: ProcessUsage::of_this(),
        server_process,
        errors: counters.errors(),
        exit_code: exit.code(),
    };
    let text = if plan.target.json {
        to_line(&report)?
    } else {
        report.to_table()
    };
    io::stdout().write_all(text.as_bytes())?;
    if let Some(diagnosis) = counters.first_failure() {
        console.error(&diagnosis);
    }
    Ok(exit)
}

/// Each device publishes at its own moments, spread over the interval, and waits for its
/// acknowledgements.
async fn trickle(plan: &FleetPlan, clients: &[Client], counters: &Arc<Counters>) {
    let (begun, mut devices) = (Instant::now(), JoinSet::new());
    for (number, client) in (0_u32..).zip(clients) {
        let (client, counters, interval) = (client.clone(), Arc::clone(counters), plan.interval);
        let (topic, payload) = (format!("{}/{number}", plan.topic), plan.payload.clone());
        let mut due = begun + interval.mul_f64(f64::from(number) / clients.len() as f64);
        let ends = begun + plan.duration;
        devices.spawn(async move {
            while due < ends {
                sleep_until(due).await;
                let message = Message::new(&topic, &payload).qos(QoS::AtLeastOnce);
                match client.publish(message).await {
                    Ok(receipt) => {
                        counters.sent.add(1);
                        match receipt.await {
                            Ok(_) => {
                                counters.acknowledged.add(1);
                                counters.acknowledge.record(due.elapsed());
                            }
                            Err(error) => counters.failed(&error),
                        }
                    }
                    Err(error) => counters.failed(&error),
                }
                due += interval;
            }
        });
    }
    while devices.join_next().await.is_some() {}
}

/// The server goes away and comes back, and so do the devices. Of a server that isn't ours the
/// devices take leave, and come again all at once.
async fn reconnect_all(
    plan: &FleetPlan,
    clients: &[Client],
    server: Option<&mut OwnSandbox>,
    counters: &Arc<Counters>,
) -> Result<ConnectPhase, Failure> {
    let Some(server) = server else {
        let again = Arc::new(Counters::default());
        disconnect(clients.to_vec()).await;
        let begun = PhaseTimer::start();
        let back = plan.target.connect_all(plan.target.clients, &again).await;
        let storm = begun.storm(back.len() as u64, again.connect.quantiles());
        if let Some(diagnosis) = again.first_failure() {
            counters.not_connected(diagnosis);
        }
        disconnect(back).await;
        return Ok(storm);
    };
    let (back, latency) = (Arc::new(Counter::default()), Arc::new(Latency::default()));
    let mut watched = JoinSet::new();
    for client in clients {
        watched.spawn(reconnection(
            client.clone(),
            Arc::clone(&back),
            Arc::clone(&latency),
        ));
    }
    // What happened before is taken by now.
    sleep(SETTLE).await;
    server.kill()?;
    let begun = PhaseTimer::start();
    server.restart().await?;
    let _ = timeout(PATIENCE, async {
        while watched.join_next().await.is_some() {}
    })
    .await;
    Ok(begun.storm(back.get(), latency.quantiles()))
}

/// From the loss of a connection to the next one.
async fn reconnection(client: Client, back: Arc<Counter>, latency: Arc<Latency>) {
    let (mut events, mut lost) = (client.events(), None);
    while let Some(event) = events.next().await {
        match (event, lost) {
            (Event::Disconnected { .. }, _) => lost = Some(Instant::now()),
            (Event::Connected(_), Some(at)) => {
                back.add(1);
                return latency.record(at.elapsed());
            }
            _ => {}
        }
    }
}

const SETTLE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(180);

/// Time and CPU time of a phase.
struct PhaseTimer(Instant, Option<ProcessUsage>);

impl PhaseTimer {
    fn start() -> Self {
        Self(Instant::now(), ProcessUsage::of_this())
    }

    fn cpu_s(&self) -> Option<f64> {
        self.1
            .zip(ProcessUsage::of_this())
            .map(|(before, after)| (after.cpu.saturating_sub(before.cpu)).as_secs_f64())
    }

    fn storm(&self, connected: u64, ms: Option<Quantiles>) -> ConnectPhase {
        let took = self.0.elapsed();
        let (seconds, per_second) = (took.as_secs_f64(), per_second(connected, took));
        ConnectPhase {
            connected,
            seconds,
            per_second,
            cpu_s: self.cpu_s(),
            ms,
        }
    }

    fn trickle(&self, counters: &Counters) -> PublishPhase {
        let (took, sent, acknowledged) = (
            self.0.elapsed(),
            counters.sent.get(),
            counters.acknowledged.get(),
        );
        PublishPhase {
            sent,
            acknowledged,
            lost: sent.saturating_sub(acknowledged),
            seconds: took.as_secs_f64(),
            per_second: per_second(sent, took),
            cpu_s: self.cpu_s(),
            acknowledge_ms: counters.acknowledge.quantiles(),
        }
    }
}

impl FleetReport {
    fn to_table(&self) -> String {
        let storm = |name: &str, storm: &ConnectPhase| {
            let ConnectPhase {
                connected,
                seconds,
                per_second,
                ..
            } = storm;
            row(
                name,
                format!(
                    "{connected} of {} in {seconds:.1} s ({per_second:.0} a second)",
                    self.clients
                ),
            )
        };
        let PublishPhase {
            sent,
            acknowledged,
            lost,
            seconds,
            per_second,
            ..
        } = &self.publish;
        let Target { host, port, .. } = &self.server;
        let mut lines = vec![
            format!("fleet of {} against {}:{port}", self.clients, Escaped(host)),
            storm("connected", &self.connect),
            row(
                "published",
                format!("{sent} in {seconds:.1} s ({per_second:.0} a second)"),
            ),
            row("acknowledged", format!("{acknowledged}, {lost} lost")),
        ];
        lines.extend(
            self.reconnect
                .as_ref()
                .map(|again| storm("reconnected", again)),
        );
        lines.push(String::new());
        lines.extend(latencies(&[
            ("connect", self.connect.ms),
            ("acknowledge", self.publish.acknowledge_ms),
            (
                "reconnect",
                self.reconnect.as_ref().and_then(|again| again.ms),
            ),
        ]));
        lines.extend(
            self.memory_each_kib
                .map(|kib| row("each client", format!("{kib:.1} KiB here"))),
        );
        lines.extend(
            self.process
                .as_ref()
                .map(|cost| row("this process", usage_text(cost))),
        );
        lines.extend(
            self.server_process
                .as_ref()
                .map(|cost| row("the server", usage_text(cost))),
        );
        lines.extend(
            self.errors
                .iter()
                .map(|(error, count)| row("errors", format!("{count} x {error}"))),
        );
        lines.join("\n") + "\n"
    }
}
