//! Many connections to one server, opened at a pace.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{CleanStart, Client, ClientOptions, ConnectOptions, StopCause};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::descriptors;
use super::tally::Tally;
use crate::args::{Sources, WayArgs};
use crate::config::{Credentials, Detour, Server, keep_alive, reconnect, transport};
use crate::diagnosis::{Diagnosis, Given, Id, Scene, Seen, Try, connect, lost, network};
use crate::terminal::Console;

/// Where many clients connect to, and as whom.
#[derive(Debug)]
pub(super) struct Way {
    options: ClientOptions,
    pub(super) scene: Scene,
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

impl Way {
    pub(super) fn new(mut typed: WayArgs, sources: &Sources, console: Console) -> Result<Self, Diagnosis> {
        if typed.endpoint.endpoint.is_none() {
            return Err(Diagnosis {
                try_: vec![Try::command("dunlin bench pubsub --endpoint mqtt://localhost:1883")],
                ..Diagnosis::usage("missing: --endpoint")
            });
        }
        let proxy = typed.endpoint.proxy.take();
        let (mut server, is_tls) = Server::of_any_kind(typed.endpoint)?;
        server.detour = Detour::new(proxy.as_deref(), sources, &server, console)?;
        if server.sandbox_ca.is_some() && !sources.on_command_line("ca") {
            typed.tls.ca = server.sandbox_ca.take();
        }
        let credentials = Credentials::new(typed.authorizer, sources, console)?;
        let client_id = typed.client_id.is_some();
        let prefix = typed.client_id.unwrap_or_else(|| format!("dunlin-bench-{:08x}", fastrand::u32(..)));
        let given = Given {
            ca: typed.tls.ca.is_some(),
            client_id,
            alpn: sources.on_command_line("alpn"),
            is_tls,
            is_sample: false,
        };
        let scene = Scene::new(&server, &credentials, &prefix, &typed.tls.alpn, given);
        let mut connect = ConnectOptions::new(prefix.clone());
        connect.username = credentials.user_name;
        connect.password = credentials.password;
        connect.keep_alive = keep_alive(typed.keep_alive, scene.is_aws, console)?;
        connect.clean_start = CleanStart::Always;
        connect.session_expiry_interval = None;
        connect.ping_timeout = typed.reliability.ping_timeout;
        connect.ack_timeout = typed.reliability.timeout;
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

    /// Looks at what the load costs: descriptors for `connections`, and money for `messages`, `None` without an end.
    pub(super) fn check(&self, connections: u32, messages: Option<u64>) -> Result<(), Diagnosis> {
        if self.scene.is_aws && !self.accepts_charges {
            let estimate = messages.map_or_else(
                || "messages for as long as it runs".to_owned(),
                |messages| format!("about {messages} messages"),
            );
            return Err(Diagnosis {
                saw: Some(format!("{connections} connections and {estimate}, in and out")),
                try_: vec![
                    Try::advice("--i-accept-charges, if that is meant"),
                    Try::command("dunlin sandbox        # a local server to try with, in another terminal"),
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

    /// Connects them all, each when it is due. Those that couldn't are left out, and in the tally.
    pub(super) async fn connect_all(&self, clients: u32, tally: &Arc<Tally>) -> Vec<Client> {
        let (mut connecting, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
        let begun = Instant::now();
        for number in 0..clients {
            let due = begun + spaced(number.into(), f64::from(self.connect_rate));
            sleep_until(due).await;
            let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { break };
            let (options, tally) = (self.options(number), Arc::clone(tally));
            connecting.spawn(async move {
                let _permit = permit;
                let outcome = Client::connect(options).await;
                if outcome.is_ok() {
                    tally.connect.record(due.elapsed());
                    tally.connected.add(1);
                }
                (number, outcome)
            });
        }
        let mut connected = Vec::with_capacity(clients as usize);
        while let Some(joined) = connecting.join_next().await {
            match joined {
                Ok((number, Ok(client))) => connected.push((number, client)),
                Ok((number, Err(cause))) => tally.not_connected(self.diagnose(number, &cause)),
                Err(_) => {}
            }
        }
        connected.sort_by_key(|(number, _)| *number);
        connected.into_iter().map(|(_, client)| client).collect()
    }

    fn diagnose(&self, number: u32, cause: &StopCause) -> Diagnosis {
        let (scene, seen) = (&self.scene, Seen::default());
        let diagnosis = match cause {
            StopCause::Connect(error) | StopCause::TimedOut { last: Some(error), .. } => {
                connect::failed(scene, &seen, error, Duration::ZERO)
            }
            StopCause::TimedOut { after, last: None } => network::timed_out(scene, *after),
            StopCause::Connection(error) => lost::ended(scene, &seen, error, Duration::ZERO),
            cause => Diagnosis::new(Id::Lost, format!("the connection was not made: {cause}")),
        };
        let at = format!("client {}-{number} · {}", self.prefix, scene.address());
        Diagnosis { at: Some(at), ..diagnosis }
    }
}

/// When number `n` is due at `rate` a second; 0 is at once.
pub(super) fn spaced(n: u64, rate: f64) -> Duration {
    if rate > 0.0 {
        Duration::try_from_secs_f64(n as f64 / rate).unwrap_or(Duration::MAX / 4)
    } else {
        Duration::ZERO
    }
}
