//! `bench fleet`: many devices that connect, publish now and then, and connect again after the
//! server was gone.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_client::{Client, Message, QoS};
use dunlin_codec::TopicName;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::advice::{self, LoadFacts};
use super::counters::Counters;
use super::descriptors;
use super::fleet_report::{ConnectPhase, FleetReport, PhaseTimer};
use super::kind::LoadKind;
use super::outcome;
use super::own_sandbox::OwnSandbox;
use super::plan::whole;
use super::pool::{ClientPool, ClientReporter};
use super::progress::LoadProgress;
use super::report::{Environment, ServerName, VERSION, to_line};
use super::target::LoadTarget;
use super::usage::ProcessUsage;
use crate::args::{FleetArgs, Sources};
use crate::config::Faults;
use crate::diagnosis::{Diagnosis, Id, Operation, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Devices and their messages.
#[derive(Debug)]
struct FleetPlan {
    target: LoadTarget,
    /// Time in which the devices publish.
    duration: Duration,
    /// Time between two messages of a device.
    interval: Duration,
    payload: Vec<u8>,
    /// Topic under which each device publishes.
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
        let mut faults = Faults::default();
        faults.collect(
            TopicName::new(&topic)
                .map_err(|error| Diagnosis::usage(format!("--topic {}: {error}", quoted(&topic)))),
        );
        let target = LoadTarget::new(target, faults, sources, console)?;
        Ok(Self {
            target,
            duration,
            interval,
            payload: vec![b'x'; size],
            topic,
        })
    }

    /// Number of messages of all devices, with two for the connections of each.
    fn messages(&self) -> u64 {
        let each = self.duration.as_secs_f64() / self.interval.as_secs_f64();
        whole(f64::from(self.target.clients) * (each + 2.0))
    }
}

/// Connections of the fleet's own sandbox beyond those of the devices.
const SPARE: u32 = 64;

/// Runs the fleet against the given server, or against a sandbox of its own.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used, or if the sandbox can't start;
/// [`Failure::Local`] if the report can't be written.
pub(super) fn run(
    mut typed: FleetArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    if typed.target.endpoint.endpoint.is_some() {
        let plan = FleetPlan::new(typed, sources, console)?;
        plan.target
            .check(plan.target.clients, Some(plan.messages()))?;
        return block_on(run_phases(plan, None, console));
    }
    let connections = typed.target.clients.saturating_add(SPARE);
    // The sandbox is a child process and inherits the limit.
    descriptors::reserve(connections.into())?;
    block_on(async move {
        let server = OwnSandbox::start(connections).await?;
        typed.target.endpoint.endpoint = Some(format!("localhost:{}", server.port));
        typed.target.tls.ca = Some(server.ca.clone());
        let plan = FleetPlan::new(typed, sources, console)?;
        run_phases(plan, Some(server), console).await
    })
}

/// Runs the three phases and prints the report.
async fn run_phases(
    plan: FleetPlan,
    mut server: Option<OwnSandbox>,
    console: Console,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (target, counters) = (&plan.target, Arc::new(Counters::default()));
    let progress = LoadProgress::start(
        LoadKind::Fleet,
        &counters,
        target.clients,
        target.shows_progress,
        console,
    );
    let reporter = ClientReporter {
        counters: Arc::clone(&counters),
        context: Arc::new(target.context.clone()),
        load: Arc::new(LoadFacts {
            topic: plan.topic.clone(),
            size: plan.payload.len(),
        }),
        notes: progress.notes(),
        expects_outage: Arc::default(),
    };
    let before = ProcessUsage::of_this();

    // Phase 1: all devices connect.
    let timer = PhaseTimer::start();
    let (pool, mut stopped) = tokio::select! {
        pool = ClientPool::connect(target, target.clients, &reporter) => (Some(pool), None),
        exit = stop.received() => (None, Some(exit)),
    };
    let connect = timer.connected(counters.connected.get(), counters.connect.quantiles());

    // Phase 2: they publish.
    let timer = PhaseTimer::start();
    if let Some(pool) = &pool {
        stopped = tokio::select! {
            () = publish(&plan, pool.clients(), &reporter) => None,
            () = pool.server_gone() => None,
            exit = stop.received() => Some(exit),
        };
    }
    let publish = timer.published(&counters);
    let after = ProcessUsage::of_this();
    let server_process = server
        .as_ref()
        .and_then(|server| ProcessUsage::of(server.pid()));

    // Phase 3: the server goes away and the devices connect again.
    let mut reconnect = None;
    if let Some(pool) = pool {
        if stopped.is_none() && !pool.is_empty() {
            tokio::select! {
                phase = reconnect_all(&plan, pool, server.as_mut(), &reporter) => reconnect = Some(phase?),
                exit = stop.received() => stopped = Some(exit),
            }
        } else {
            pool.disconnect().await;
        }
    }
    drop(progress);

    let missing = reconnect
        .as_ref()
        .map_or(0, |phase| connect.connected.saturating_sub(phase.connected));
    let failure = counters.first_failure().or_else(|| {
        let is_complete = stopped.is_some() || publish.lost == 0;
        (!is_complete)
            .then(|| advice::not_acknowledged(publish.lost, publish.sent, DRAIN))
            .or_else(|| (stopped.is_none() && missing > 0).then(|| not_reconnected(missing)))
    });
    let exit = outcome::exit(stopped, failure.as_ref());
    let grown = before
        .zip(after)
        .map(|(before, after)| after.resident_kib.saturating_sub(before.resident_kib));
    let report = FleetReport {
        v: VERSION,
        event: "bench",
        verb: LoadKind::Fleet.name(),
        server: ServerName::of(target),
        environment: Environment::this(),
        clients: target.clients,
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
    let text = if target.json {
        to_line(&report)?
    } else {
        report.to_table()
    };
    io::stdout().write_all(text.as_bytes())?;
    if let Some(failure) = &failure {
        console.error(failure);
    }
    Ok(exit)
}

/// Explains devices that did not connect again.
fn not_reconnected(missing: u64) -> Diagnosis {
    Diagnosis::new(
        Id::ConnackTimeout,
        format!("{missing} devices did not connect again"),
    )
}

/// Publishes for the duration of the plan. Each device has its own moments, spread over the
/// interval, and waits for its acknowledgements.
async fn publish(plan: &FleetPlan, clients: &[Client], reporter: &ClientReporter) {
    let (begun, mut devices) = (Instant::now(), JoinSet::new());
    let ends = begun + plan.duration;
    for (number, client) in (0_u32..).zip(clients) {
        let (client, reporter, interval) = (client.clone(), reporter.clone(), plan.interval);
        let (topic, payload) = (format!("{}/{number}", plan.topic), plan.payload.clone());
        // The first moments of all devices are spread over one interval.
        let mut due = begun + interval.mul_f64(f64::from(number) / clients.len() as f64);
        devices.spawn(async move {
            let counters = &reporter.counters;
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
                            Err(error) => reporter.request_failed(Operation::Publish, &error),
                        }
                    }
                    Err(error) => reporter.request_failed(Operation::Publish, &error),
                }
                due += interval;
            }
        });
    }
    // A server that is gone must not hold the run up.
    let all = async { while devices.join_next().await.is_some() {} };
    let _ = timeout(plan.duration + DRAIN, all).await;
}

/// Lets the devices connect again, and disconnects them in the end.
///
/// The fleet's own sandbox is killed and started again. From another server the devices disconnect,
/// and connect again at `--connect-rate`.
async fn reconnect_all(
    plan: &FleetPlan,
    pool: ClientPool,
    server: Option<&mut OwnSandbox>,
    reporter: &ClientReporter,
) -> Result<ConnectPhase, Failure> {
    let counters = &reporter.counters;
    let Some(server) = server else {
        // New clients with counters of their own, so that the first phase stays as it was.
        pool.disconnect().await;
        let again = ClientReporter {
            counters: Arc::new(Counters::default()),
            ..reporter.clone()
        };
        let timer = PhaseTimer::start();
        let pool = ClientPool::connect(&plan.target, plan.target.clients, &again).await;
        let phase = timer.connected(
            again.counters.connected.get(),
            again.counters.connect.quantiles(),
        );
        if let Some(failure) = again.counters.first_failure() {
            counters.not_connected(failure);
        }
        pool.disconnect().await;
        return Ok(phase);
    };

    // The connections that end now are no failures.
    let (before, clients) = (counters.reconnected.get(), pool.clients().len() as u64);
    reporter.expects_outage.store(true, Ordering::Relaxed);
    server.kill()?;
    let timer = PhaseTimer::start();
    server.restart().await?;
    let all = async {
        while counters.reconnected.get() - before < clients {
            sleep(POLL).await;
        }
    };
    tokio::select! {
        _ = timeout(PATIENCE, all) => {}
        () = pool.stopped() => {}
    }
    let phase = timer.connected(
        counters.reconnected.get() - before,
        counters.reconnect.quantiles(),
    );
    pool.disconnect().await;
    Ok(phase)
}

/// Longest wait for the last acknowledgements.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest wait until all devices have connected again.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(10);
