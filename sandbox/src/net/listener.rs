//! Listening on loopback, and a task for each connection.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::net::handshake_slots::HandshakeSlot;
use crate::net::protocol::Protocol;
use crate::net::shared::Shared;
use crate::net::tls::{Accepted, HandshakeError, Tls};
use crate::net::transport::Transport;
use crate::net::{http, proxy, socket};
use crate::server::Peer;
use crate::server::limits::HANDSHAKE_TIMEOUT;

/// Sockets of one port.
pub(crate) struct Bound {
    pub(crate) port: u16,
    pub(crate) listeners: Vec<TcpListener>,
}

/// Service of a port: what its clients speak.
#[derive(Clone)]
pub(crate) enum Service {
    /// A protocol over TLS.
    Tls(Arc<Tls>),
    /// A protocol without TLS.
    Plain(Protocol),
}

/// Listens on a port of `address`; without one, on the same port of 127.0.0.1 and, where there is
/// IPv6, of ::1, because `localhost` may mean either.
///
/// # Errors
/// The address that can't be listened on, and the error of the system.
pub(crate) async fn bind(
    address: Option<IpAddr>,
    port: u16,
) -> Result<Bound, (SocketAddr, io::Error)> {
    // One address was asked for: exactly that one is used.
    if let Some(address) = address {
        let listener = listen(address, port)?;
        let local = listener
            .local_addr()
            .map_err(|error| ((address, port).into(), error))?;
        return Ok(Bound {
            port: local.port(),
            listeners: vec![listener],
        });
    }
    // Both addresses need the same port. If the system chose it for the first, it may be in use on
    // the second: then it is asked for another.
    let mut tries = 0;
    loop {
        let v4 = listen(Ipv4Addr::LOCALHOST.into(), port)?;
        let local = v4
            .local_addr()
            .map_err(|error| ((Ipv4Addr::LOCALHOST, port).into(), error))?;
        let port_of_both = local.port();
        match listen(Ipv6Addr::LOCALHOST.into(), port_of_both) {
            Ok(v6) => {
                return Ok(Bound {
                    port: port_of_both,
                    listeners: vec![v4, v6],
                });
            }
            Err((_, error))
                if error.kind() == io::ErrorKind::AddrInUse && port == 0 && tries < MAX_TRIES =>
            {
                tries += 1;
            }
            // A stranger on ::1 would get half of what is meant for `localhost`.
            Err(taken) if taken.1.kind() == io::ErrorKind::AddrInUse => return Err(taken),
            Err(_) => {
                return Ok(Bound {
                    port: port_of_both,
                    listeners: vec![v4],
                });
            }
        }
    }
}

fn listen(address: IpAddr, port: u16) -> Result<TcpListener, (SocketAddr, io::Error)> {
    let address = SocketAddr::from((address, port));
    let listen = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        if cfg!(unix) {
            socket.set_reuseaddr(true)?;
        }
        // Otherwise the system keeps megabytes for each client that doesn't read. Connections
        // inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| (address, error))
}

/// Serves connections until the sandbox stops, and then waits until they are closed.
pub(crate) async fn accept(listener: TcpListener, service: Service, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => admit(stream, address, &service, &shared, &mut connections),
                // Out of file descriptors, most likely: those in use will be given back.
                Err(_) => sleep(RETRY_ACCEPT).await,
            },
            Some(_) = connections.join_next() => {}
            () = shared.stopping() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn admit(
    stream: TcpStream,
    address: SocketAddr,
    service: &Service,
    shared: &Arc<Shared>,
    connections: &mut JoinSet<()>,
) {
    // Over the limit the socket is closed at once: a TLS handshake to refuse it properly would cost
    // more than it.
    let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
        return shared.emit(Event::Rejected {
            peer: address,
            reason: "there are too many connections".into(),
        });
    };
    let (service, shared) = (service.clone(), Arc::clone(shared));
    connections.spawn(async move {
        let _permit = permit;
        // The slot bounds clients without CONNACK: a new one takes the place of the one that has
        // waited longest.
        let slot = shared.handshake_slots.take();
        if let Some(status) = shared.settings.faults.proxy() {
            let reason = match proxy::refuse(stream, status).await {
                Ok(request) => format!("{status} on purpose (fault) to {request:?}"),
                Err(error) => format!("no request to a proxy: {error}"),
            };
            return shared.emit(Event::Rejected {
                peer: address,
                reason,
            });
        }
        // Small packets that answer each other: Nagle's algorithm would make each wait for the
        // other.
        if let Err(error) = stream.set_nodelay(true) {
            return shared.emit(Event::Rejected {
                peer: address,
                reason: error.to_string(),
            });
        }
        let local_address = stream.local_addr().ok();
        let tls = match service {
            Service::Tls(tls) => tls,
            Service::Plain(protocol) => {
                let peer = Peer {
                    address,
                    local_address,
                    tls: None,
                    http: None,
                    signed_by: None,
                };
                return serve(protocol, stream, peer, slot, shared).await;
            }
        };
        match shake_hands(stream, &tls, &shared, &slot).await {
            Ok(accepted) => {
                if let Some(problem) = accepted.sni_mismatch {
                    shared.emit(Event::Note {
                        peer: address,
                        text: problem.to_string(),
                    });
                }
                let stream = accepted.stream;
                let peer = Peer {
                    address,
                    local_address,
                    tls: Some(accepted.facts),
                    http: None,
                    signed_by: None,
                };
                serve(accepted.protocol, stream, peer, slot, shared).await;
            }
            Err(error) => shared.emit(Event::Rejected {
                peer: address,
                reason: error.to_string(),
            }),
        }
    });
}

/// Serves a client that speaks `protocol` over a transport.
async fn serve(
    protocol: Protocol,
    stream: impl Transport,
    peer: Peer,
    slot: HandshakeSlot,
    shared: Arc<Shared>,
) {
    match protocol {
        Protocol::Mqtt => socket::serve(stream, peer, slot, shared).await,
        Protocol::Http => http::serve(stream, peer, slot, shared).await,
    }
}

async fn shake_hands(
    stream: TcpStream,
    tls: &Tls,
    shared: &Shared,
    slot: &HandshakeSlot,
) -> Result<Accepted, HandshakeError> {
    tokio::select! {
        handshake = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)) => {
            handshake.unwrap_or(Err(HandshakeError::TimedOut))
        }
        () = slot.evicted() => Err(HandshakeError::Evicted),
        () = shared.stopping() => Err(HandshakeError::Stopping),
    }
}

/// Attempts to find a port that is free on both addresses.
const MAX_TRIES: u32 = 16;
const BACKLOG: u32 = 1024;
const SEND_BUFFER: u32 = 128 * 1024;
const RECEIVE_BUFFER: u32 = 128 * 1024;
const RETRY_ACCEPT: Duration = Duration::from_millis(50);
