//! Many connections to one server, opened at a pace.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{
    CleanStart, Client, ClientOptions, ConnectError, ConnectOptions, ConnectionError, Event,
    Reconnect,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::counters::Counters;
use super::descriptors;
use crate::args::{LoadTargetArgs, Sources};
use crate::config::{Credentials, Detour, Server, keep_alive, reconnect, run_context, transport};
use crate::diagnosis::{
    ConnectionFacts, Diagnosis, RunContext, Try, UserChoices, connect, lost, network,
};
use crate::terminal::Console;

/// Where many clients connect to, and as whom.
#[derive(Debug)]
pub(super) struct LoadTarget {
    options: ClientOptions,
    pub(super) scene: RunContext,
    prefix: String,
    pub(super) clients: u32,
    pub(super) connect_rate: u32,
    pub(super) json: bool,
    pub(super) shows_progress: bool,
    pub(super) is_tls: bool,
    accepts_charges: bool,
}

/// Handshakes at a time.
const AT_ONCE: usize = 256;

impl LoadTarget {
    pub(super) fn new(
        mut typed: LoadTargetArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        if typed.endpoint.endpoint.is_none() {
            return Err(Diagnosis {
                try_: vec![Try::command(
                    "dunlin bench pubsub --endpoint mqtt://localhost:1883",
                )],
                ..Diagnosis::usage("missing: --endpoint")
            });
        }
        let proxy = typed.endpoint.proxy.take();
        let (mut server, is_tls) = Server::of_any_kind(typed.endpoint)?;
        server.detour = Detour::new(proxy.as_deref(), sources, &server, console)?;
        if server.sandbox_ca.is_some() && !sources.on_command_line("ca") {
            typed.tls.ca = server.sandbox_ca.take();
        }
        let credentials = Credentials::new(typed.authorizer, sources, console, true)?;
        let client_id = typed.client_id.is_some();
        if !is_tls && credentials.password.is_some() {
            console.warning("mqtt:// has no TLS: the password goes over the network in clear");
        }
        let prefix = typed
            .client_id
            .unwrap_or_else(|| format!("dunlin-bench-{:08x}", fastrand::u32(..)));
        let given = UserChoices {
            ca: typed.tls.ca.is_some(),
            client_id,
            alpn: sources.on_command_line("alpn"),
            is_tls,
            is_sample: false,
        };
        let scene = run_context(&server, &credentials, &prefix, &typed.tls.alpn, given);
        let mut connect = ConnectOptions::new(prefix.clone());
        connect.username = credentials.user_name;
        connect.password = credentials.password;
        connect.keep_alive = keep_alive(typed.keep_alive, scene.is_aws, console)?;
        connect.clean_start = CleanStart::Always;
        connect.session_expiry_interval = None;
        connect.ping_timeout = typed.reliability.ping_timeout;
        connect.ack_timeout = typed.reliability.timeout;
        connect.connack_timeout = connect.connack_timeout.min(typed.reliability.timeout);
        let mut transport = transport(server, typed.tls, &typed.reliability, console)?;
        if !is_tls {
            transport.tls = None;
        }
        let reconnect = reconnect(typed.reliability.reconnect.0);
        let options = ClientOptions {
            reconnect,
            connect_within: typed.reliability.timeout,
            ..ClientOptions::new(transport, connect)
        };
        Ok(Self {
            options,
            scene,
            prefix,
            clients: typed.clients,
            connect_rate: typed.connect_rate,
            json: typed.json,
            shows_progress: !typed.json && !typed.no_progress && !console.quiet,
            is_tls,
            accepts_charges: typed.i_accept_charges,
        })
    }

    /// Looks at what the load usage_text: descriptors for `connections`, and money for `messages`,
    /// `None` without an end.
    pub(super) fn check(&self, connections: u32, messages: Option<u64>) -> Result<(), Diagnosis> {
        if self.scene.is_aws && !self.accepts_charges {
            let estimate = messages.map_or_else(
                || "messages for as long as it runs".to_owned(),
                |messages| format!("about {messages} messages"),
            );
            return Err(Diagnosis {
                saw: Some(format!(
                    "{connections} connections and {estimate}, in and out"
                )),
                try_: vec![
                    Try::advice("--i-accept-charges, if that is meant"),
                    Try::command(
                        "dunlin sandbox        # a local server to try with, in another terminal",
                    ),
                ],
                ..Diagnosis::usage("AWS IoT bills connections and messages; nothing was sent")
            });
        }
        descriptors::reserve(connections.into())
    }

    /// The options of client `number`.
    pub(super) fn options(&self, number: u32) -> ClientOptions {
        let mut options = self.options.clone();
        options.connect.client_id = format!("{}-{number}", self.prefix);
        options
    }

    /// Connects them all, each when it is due. Those that couldn't are left out, and in the counters.
    pub(super) async fn connect_all(&self, clients: u32, counters: &Arc<Counters>) -> Vec<Client> {
        let (mut connecting, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
        let (begun, scene) = (Instant::now(), Arc::new(self.scene.clone()));
        for number in 0..clients {
            let due = begun + spaced(number.into(), f64::from(self.connect_rate));
            sleep_until(due).await;
            let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else {
                break;
            };
            let (options, counters, scene) = (
                self.options(number),
                Arc::clone(counters),
                Arc::clone(&scene),
            );
            connecting.spawn(async move {
                let _permit = permit;
                let outcome = connect_one(&scene, options).await;
                if outcome.is_ok() {
                    counters.connect.record(due.elapsed());
                    counters.connected.add(1);
                }
                (number, outcome)
            });
        }
        let mut connected = Vec::with_capacity(clients as usize);
        while let Some(joined) = connecting.join_next().await {
            match joined {
                Ok((number, Ok(client))) => connected.push((number, client)),
                Ok((number, Err(diagnosis))) => {
                    let at = format!("client {}-{number} · {}", self.prefix, self.scene.address());
                    counters.not_connected(Diagnosis {
                        at: Some(at),
                        ..*diagnosis
                    });
                }
                Err(_) => {}
            }
        }
        connected.sort_by_key(|(number, _)| *number);
        connected.into_iter().map(|(_, client)| client).collect()
    }

    /// Counts and tells connections that end on their own, until the result is dropped.
    pub(super) fn watch(
        &self,
        clients: &[Client],
        counters: &Arc<Counters>,
        console: Console,
    ) -> JoinSet<()> {
        let (mut watching, scene) = (JoinSet::new(), Arc::new(self.scene.clone()));
        for client in clients {
            let (mut events, counters, scene) =
                (client.events(), Arc::clone(counters), Arc::clone(&scene));
            let begun = Instant::now();
            watching.spawn(async move {
                while let Some(event) = events.next().await {
                    let Event::Disconnected { cause, .. } = event else {
                        continue;
                    };
                    if *cause == ConnectionError::Requested {
                        continue;
                    }
                    let diagnosis =
                        lost::ended(&scene, &ConnectionFacts::default(), &cause, begun.elapsed());
                    let name = match &*cause {
                        ConnectionError::Disconnected(reason) => {
                            let code = reason.reason_code;
                            format!(
                                "{} {:#04x} {}",
                                reason.packet_type,
                                code.code(),
                                code.name()
                            )
                        }
                        cause => cause.to_string(),
                    };
                    if counters.connection_ended(name, &diagnosis) {
                        console.note(format_args!("connections end: {}", diagnosis.headline));
                    }
                }
            });
        }
        watching
    }
}

/// Ready when no client has had a connection for [`GONE`]. Without clients it is never ready.
pub(super) async fn all_disconnected(clients: &[Client]) {
    let mut since = Instant::now();
    loop {
        sleep(LOOK_AGAIN).await;
        if clients.is_empty() || clients.iter().any(Client::is_connected) {
            since = Instant::now();
        } else if since.elapsed() >= GONE {
            return;
        }
    }
}

/// A server that is gone for so long ends the run.
const GONE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Opens one connection. An attempt that failed is judged by what was seen of it, as with the
/// sample.
async fn connect_one(scene: &RunContext, options: ClientOptions) -> Result<Client, Box<Diagnosis>> {
    let within = options.connect_within;
    let (again, client) = (options.clone(), Client::start(options));
    let (mut events, mut seen) = (client.events(), ConnectionFacts::default());
    let (mut opened_at, mut last) = (None, None);
    let deadline = sleep(within);
    tokio::pin!(deadline);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut deadline => None,
        };
        match event {
            Some(Event::Opened(opened)) => {
                opened_at = Some(Instant::now());
                (seen.peer, seen.tls) = (Some(opened.peer), opened.tls);
            }
            Some(Event::Connected(_)) => return Ok(client),
            Some(Event::Failed { cause, retry_in }) => {
                if matches!(*cause, ConnectError::Protocol(_)) {
                    look_again(&again, &seen).await;
                }
                let elapsed = opened_at.take().map_or(Duration::ZERO, |at| at.elapsed());
                let diagnosis = connect::failed(scene, &seen, &cause, elapsed);
                if retry_in.is_none() {
                    return Err(Box::new(diagnosis));
                }
                last = Some(diagnosis);
            }
            Some(Event::Disconnected { cause, .. }) => {
                last = Some(lost::ended(scene, &seen, &cause, Duration::ZERO));
            }
            Some(Event::Stopped(_)) | None => {
                let unanswered = || match opened_at {
                    Some(_) => connect::unanswered(scene, &seen, within),
                    None => network::timed_out(scene, within),
                };
                return Err(Box::new(last.unwrap_or_else(unanswered)));
            }
            Some(_) => {}
        }
    }
}

/// Connects once more to keep the bytes that broke the protocol: looking at every packet of every
/// client would cost time.
async fn look_again(options: &ClientOptions, seen: &ConnectionFacts) {
    let options = ClientOptions {
        observer: Some(seen.received.observer()),
        reconnect: Reconnect::never(),
        connect_within: LOOK_WITHIN,
        ..options.clone()
    };
    if let Ok(client) = Client::connect(options).await {
        client.disconnect_within(Duration::ZERO).await;
    }
}

/// Time for the connection that looks at the bytes.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// When number `n` is due at `rate` a second; 0 is at once.
pub(super) fn spaced(n: u64, rate: f64) -> Duration {
    if rate > 0.0 {
        Duration::try_from_secs_f64(n as f64 / rate).unwrap_or(Duration::MAX / 4)
    } else {
        Duration::ZERO
    }
}
