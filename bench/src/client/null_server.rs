//! A server that answers every packet from prepared bytes, and sends a flood of messages on request.
//!
//! The server is a process of its own on the second core, with a blocking thread for each connection,
//! since that needs the least CPU time of all servers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{env, thread};

use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use super::contestant::Target;
use super::flood::{Flood, Order, TRIGGER};
use super::websocket::WebSocket;
use super::{machine, tls, wire};

/// Argument that makes this program the null server.
pub const ROLE: &str = "null-server";

/// Addresses of a null server, which it prints as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    pub plain: u16,
    pub tls: u16,
    /// Port for WebSocket over TLS.
    pub wss: u16,
    /// Port that answers every connection with the number of PUBLISH packets so far.
    pub count: u16,
    /// Certificate that clients must trust, in PEM.
    pub certificate: String,
}

/// A running null server; dropping it ends the process.
pub struct NullServer {
    process: Child,
    pub address: Address,
}

impl NullServer {
    /// Starts the process and waits until it prints its addresses.
    ///
    /// # Errors
    /// The error of starting the process or of reading its output.
    pub fn start() -> io::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["client", ROLE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = serde_json::from_str(&line)?;
        Ok(Self { process, address })
    }

    /// Returns its port for plain TCP or for TLS.
    pub fn target(&self, encrypted: bool) -> Target {
        match encrypted {
            true => Target {
                port: self.address.tls,
                certificate: Some(self.address.certificate.clone()),
                websocket: false,
            },
            false => Target {
                port: self.address.plain,
                certificate: None,
                websocket: false,
            },
        }
    }

    /// Returns its port for WebSocket over TLS.
    pub fn websocket_target(&self) -> Target {
        Target {
            port: self.address.wss,
            websocket: true,
            ..self.target(true)
        }
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the number of PUBLISH packets that the server at `address` has read.
///
/// # Errors
/// The error of the connection to it.
pub fn published(address: &Address) -> io::Result<u64> {
    let mut answer = [0; 8];
    TcpStream::connect(("127.0.0.1", address.count))?.read_exact(&mut answer)?;
    Ok(u64::from_be_bytes(answer))
}

/// Serves until the standard input ends, which it does when the parent process ends.
///
/// # Errors
/// The error of opening a port or of printing the addresses.
pub fn run() -> io::Result<()> {
    machine::pin_server(0);
    machine::allow_descriptors();
    let published = Arc::new(AtomicU64::new(0));
    let identity = tls::Identity::new();
    let (config, certificate) = (identity.server_config(), identity.certificate);
    // One port for each transport, and one that tells the number of messages.
    let plain = listen({
        let published = Arc::clone(&published);
        move |stream| serve(stream, &published)
    })?;
    let encrypted = listen({
        let (config, published) = (Arc::clone(&config), Arc::clone(&published));
        move |stream| serve(encrypt(stream, &config)?, &published)
    })?;
    let wss = listen({
        let published = Arc::clone(&published);
        move |stream| serve(WebSocket::accept(encrypt(stream, &config)?)?, &published)
    })?;
    let count = listen(move |mut stream| stream.write_all(&published.load(Relaxed).to_be_bytes()))?;
    // The parent process waits for this line.
    println!(
        "{}",
        serde_json::to_string(&Address {
            plain,
            tls: encrypted,
            wss,
            count,
            certificate
        })?
    );
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            let connection = move || {
                let _ = stream.set_nodelay(true);
                // The client may close the connection at any time.
                let _ = serve(stream);
            };
            if thread::Builder::new()
                .stack_size(STACK)
                .spawn(connection)
                .is_err()
            {
                return;
            }
        }
    });
    Ok(port)
}

fn encrypt(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(session, stream))
}

/// Answers every packet until the client closes the connection or sends DISCONNECT.
///
/// # Errors
/// The error of reading or writing.
pub fn serve(mut stream: impl Read + Write, published: &AtomicU64) -> io::Result<()> {
    // A thousand idle connections are measured, so the buffers begin small.
    let mut input = vec![0; 4096];
    let mut filled = 0;
    let mut connection = Connection {
        receive_maximum: u16::MAX,
        ..Connection::default()
    };
    loop {
        let read = stream.read(&mut input[filled..])?;
        filled += read;
        if read == 0 {
            return Ok(());
        }
        // Answer every complete packet, and keep the incomplete rest for the next read.
        let mut used = 0;
        while let Some(packet) = wire::packet(&input[used..filled]) {
            used += packet.len;
            connection.answer(packet);
        }
        published.fetch_add(std::mem::take(&mut connection.published), Relaxed);
        input.copy_within(used..filled, 0);
        filled -= used;
        // A fast publisher gets a larger buffer, so that few reads are needed.
        if (read > input.len() / 2 || filled == input.len()) && input.len() < LARGEST_READ {
            input.resize(input.len() * 4, 0);
        }
        if !connection.write(&mut stream)? {
            return Ok(());
        }
    }
}

/// State of one connection.
#[derive(Default)]
struct Connection {
    /// Answers that aren't written yet.
    output: Vec<u8>,
    /// Flood that the client has requested and that isn't over.
    flood: Option<Flood>,
    /// Receive Maximum of the client's CONNECT.
    receive_maximum: u16,
    /// PUBLISH packets since they were last added to the total.
    published: u64,
    /// True once DISCONNECT was read.
    ended: bool,
}

impl Connection {
    fn answer(&mut self, packet: wire::Raw<'_>) {
        match packet.packet_type {
            wire::PUBLISH => self.answer_publish(packet),
            wire::PUBREL => self.ack(wire::PUBCOMP, packet),
            wire::PUBREC => self.ack(wire::PUBREL, packet),
            wire::PUBACK | wire::PUBCOMP => {
                if let Some(flood) = &mut self.flood {
                    flood.acknowledged();
                }
            }
            1 => {
                self.receive_maximum = receive_maximum(packet.body).unwrap_or(self.receive_maximum);
                self.output.extend_from_slice(&wire::CONNACK);
            }
            8 => self.answer_each(0x90, &subscribed(packet.body), packet),
            10 => {
                let count = filters(packet.body, 0).count();
                self.answer_each(0xb0, &vec![0; count], packet);
            }
            12 => self.output.extend_from_slice(&wire::PINGRESP),
            14 => self.ended = true,
            // The flooder is a client of mosquitto and gets what only servers send.
            _ => {}
        }
    }

    fn answer_publish(&mut self, packet: wire::Raw<'_>) {
        self.published += 1;
        match packet.qos() {
            0 => {}
            1 => self.ack(wire::PUBACK, packet),
            _ => self.ack(wire::PUBREC, packet),
        }
        if packet
            .topic()
            .is_some_and(|(topic, _)| topic == TRIGGER.as_bytes())
        {
            let order = packet.payload().and_then(Order::from_payload);
            self.flood = order.map(|order| Flood::new(order, self.receive_maximum));
        }
    }

    fn ack(&mut self, packet_type: u8, packet: wire::Raw<'_>) {
        if let Some(packet_id) = packet.packet_id() {
            self.output
                .extend_from_slice(&wire::ack(packet_type, packet_id));
        }
    }

    /// Answers with SUBACK or UNSUBACK, which have one code for each filter.
    fn answer_each(&mut self, first: u8, codes: &[u8], packet: wire::Raw<'_>) {
        let Some(packet_id) = packet.packet_id() else {
            return;
        };
        // The Remaining Length: identifier, no properties, codes.
        let mut length = codes.len() + 3;
        self.output.push(first);
        while length >= 128 {
            self.output
                .push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        self.output.push(u8::try_from(length).unwrap_or(0));
        self.output.extend_from_slice(&packet_id);
        self.output.push(0);
        self.output.extend_from_slice(codes);
    }

    /// Writes the answers and as much of the flood as may be sent; false after DISCONNECT.
    ///
    /// # Errors
    /// The error of writing.
    fn write(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        loop {
            let more = self
                .flood
                .as_mut()
                .is_some_and(|flood| flood.fill(&mut self.output, LARGEST_WRITE));
            if !self.output.is_empty() {
                stream.write_all(&self.output)?;
                stream.flush()?;
                self.output.clear();
            }
            if !more {
                break;
            }
        }
        // An idle connection holds no memory of a flood.
        if self.flood.as_ref().is_some_and(Flood::is_over) {
            (self.flood, self.output) = (None, Vec::new());
        }
        Ok(!self.ended)
    }
}

/// Reason Codes that grant the requested QoS of each filter of a SUBSCRIBE.
fn subscribed(body: &[u8]) -> Vec<u8> {
    filters(body, 1).map(|options| options & 3).collect()
}

/// Iterates over the byte after each filter of SUBSCRIBE (`options` is 1) or UNSUBSCRIBE (0).
fn filters(body: &[u8], options: usize) -> impl Iterator<Item = u8> {
    let properties = body.get(2..).and_then(wire::variable);
    let mut at = properties.map_or(body.len(), |(length, prefix)| 2 + prefix + length);
    std::iter::from_fn(move || {
        let length = u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]);
        at += 2 + usize::from(length) + options;
        body.get(at - 1).copied()
    })
}

/// Returns the Receive Maximum of a CONNECT; `None` if the property is absent.
fn receive_maximum(body: &[u8]) -> Option<u16> {
    // Protocol Name, version, flags and Keep Alive take ten bytes.
    let (length, prefix) = wire::variable(body.get(10..)?)?;
    let mut properties = body.get(10 + prefix..10 + prefix + length)?;
    while let Some((id, rest)) = properties.split_first() {
        let size = match id {
            0x21 => return Some(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])),
            0x22 => 2,
            0x17 | 0x19 => 1,
            0x11 | 0x27 => 4,
            // No measured client sends a longer property before it.
            _ => return None,
        };
        properties = rest.get(size..)?;
    }
    None
}

/// Stack of a connection's thread in bytes.
const STACK: usize = 128 * 1024;
/// Largest buffers in bytes.
const LARGEST_READ: usize = 256 * 1024;
const LARGEST_WRITE: usize = 64 * 1024;
