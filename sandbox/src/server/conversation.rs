//! Server without sockets, threads or a clock, for fuzzers and tests.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::authorizer::{Grant, Refusal};
use crate::policy::Policy;
use crate::profile::Profile;
use crate::server::{Connection, Hub, Peer, RandomIds, Settings, Timestamp};

/// Several clients of one server, in virtual time, for fuzzers and for tests without sockets.
///
/// Every client that the policy allows to connect is accepted, without credentials.
#[derive(Debug)]
pub struct Conversation {
    hub: Hub,
    settings: Arc<Settings>,
    policy: Policy,
    clients: Vec<Client>,
    now: Timestamp,
}

#[derive(Debug)]
struct Client {
    connection: Connection,
    input: BytesMut,
    is_lost: bool,
}

impl Conversation {
    /// Server without clients; `now` is the beginning of virtual time.
    #[must_use]
    pub fn new(profile: Profile, policy: Policy, now: Instant) -> Self {
        let settings = Arc::new(Settings {
            profile,
            ..Settings::default()
        });
        Self {
            hub: Hub::new(Arc::clone(&settings)),
            settings,
            policy,
            clients: Vec::new(),
            now: Timestamp {
                instant: now,
                calendar: UNIX_EPOCH,
            },
        }
    }

    /// Opens a connection; returns its number, from 0.
    pub fn connect(&mut self) -> usize {
        let peer = Peer {
            address: ([127, 0, 0, 1], 1).into(),
            local_address: None,
            tls: None,
            http: None,
            signed_by: None,
        };
        let number = self.clients.len();
        // Numbers in place of random ids, so that a run can be repeated.
        let ids = RandomIds {
            connection: number.to_string(),
            client: number.to_string(),
        };
        let connection = Connection::new(
            Arc::clone(&self.settings),
            peer,
            ids,
            Arc::new(Notify::new()),
            self.now.instant,
        );
        self.clients.push(Client {
            connection,
            input: BytesMut::new(),
            is_lost: false,
        });
        self.clients.len() - 1
    }

    /// Handles bytes of a client. Bytes of a closed or unknown connection are ignored.
    pub fn receive(&mut self, client: usize, bytes: &[u8]) {
        let Some(client) = self
            .clients
            .get_mut(client)
            .filter(|client| client.is_open())
        else {
            return;
        };
        // Bytes may end within a packet: the rest stays in the input until more comes.
        client.input.extend_from_slice(bytes);
        client.turn(&mut self.hub, &self.policy, self.now);
    }

    /// Takes the bytes that the server sends to a client; then more messages fit into its output.
    pub fn send(&mut self, client: usize) -> BytesMut {
        let Some(client) = self.clients.get_mut(client) else {
            return BytesMut::new();
        };
        client.turn(&mut self.hub, &self.policy, self.now);
        client.connection.output.bytes.split()
    }

    /// Closes the socket of a client.
    pub fn lose_connection(&mut self, client: usize) {
        let Some(client) = self
            .clients
            .get_mut(client)
            .filter(|client| client.is_open())
        else {
            return;
        };
        // Set first: a lost client handles no more input.
        client.is_lost = true;
        client.connection.handle_lost(&mut self.hub, self.now);
        client.connection.output.events.clear();
    }

    /// `true` while the connection of this client is open.
    #[must_use]
    pub fn is_open(&self, client: usize) -> bool {
        self.clients.get(client).is_some_and(Client::is_open)
    }

    /// Lets time pass, and handles everything that is due.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        // The hub first: it may queue messages that the clients then send.
        while self
            .hub
            .poll_timeout()
            .is_some_and(|at| at <= self.now.instant)
        {
            self.hub.handle_timeout(self.now.instant);
        }
        for client in &mut self.clients {
            let is_due = client
                .connection
                .poll_timeout()
                .is_some_and(|at| at <= self.now.instant);
            if is_due && client.is_open() {
                client.connection.handle_timeout(&mut self.hub, self.now);
            }
            client.turn(&mut self.hub, &self.policy, self.now);
        }
    }

    /// Bytes of all messages and buffers.
    #[must_use]
    pub fn memory(&self) -> usize {
        let buffers = self
            .clients
            .iter()
            .map(|client| client.input.len() + client.connection.output.bytes.len());
        self.hub.memory_counter().bytes() + buffers.sum::<usize>()
    }
}

impl Client {
    const fn is_open(&self) -> bool {
        !self.is_lost && self.connection.output.close.is_none()
    }

    /// Lets the connection work until it has nothing more to do.
    fn turn(&mut self, hub: &mut Hub, policy: &Policy, now: Timestamp) {
        loop {
            let connection = &mut self.connection;
            // Input, then deliveries: the order of the task that owns a socket.
            if !self.is_lost {
                connection.handle_input(&mut self.input, hub, now);
            }
            connection.poll_deliveries(hub, now);
            connection.report_buffers(
                self.input.capacity() + connection.output.bytes.capacity(),
                hub,
                now.instant,
            );
            connection.output.events.clear();
            if connection.poll_authorization().is_some() {
                // The authorizer answers at once, which may make more input ready.
                let answer: Result<Grant, Refusal> = Ok(grant(policy.clone()));
                connection.handle_authorization(answer, hub, now);
                continue;
            }
            // A turn is bounded, so that one client can't occupy the server; here nobody else
            // waits.
            if !connection.has_more_work() {
                return;
            }
        }
    }
}

fn grant(policy: Policy) -> Grant {
    Grant {
        authorizer: "Conversation".into(),
        principal_id: "anybody".into(),
        policy,
        disconnect_after: Duration::from_secs(86_400),
        refresh_after: Some(Duration::from_secs(86_400)),
    }
}
