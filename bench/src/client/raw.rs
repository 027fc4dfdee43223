//! The limit: a task that moves the same bytes over a tokio socket and knows nothing of MQTT but
//! the boundaries of packets.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::either::Either;

use super::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Target};
use super::{tls, wire};

/// A connection without a client.
pub struct Raw {
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    input: Vec<u8>,
    filled: usize,
    /// PUBACK packets for received messages of QoS 1.
    acks: Vec<u8>,
    received: u64,
    /// Number of messages that the application has requested so far.
    expected: u64,
}

impl Contestant for Raw {
    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let tcp = TcpStream::connect(("127.0.0.1", target.port))
            .await
            .map_err(text)?;
        tcp.set_nodelay(true).map_err(text)?;
        let stream = match configuration(target) {
            None => Either::Left(tcp),
            Some(config) => {
                let name = ServerName::try_from(tls::NAME).map_err(text)?;
                Either::Right(Box::new(
                    TlsConnector::from(config)
                        .connect(name, tcp)
                        .await
                        .map_err(text)?,
                ))
            }
        };
        let mut raw = Self {
            stream,
            input: Vec::new(),
            filled: 0,
            acks: Vec::new(),
            received: 0,
            expected: 0,
        };
        // CONNECT, and its answer.
        raw.write(&wire::connect(client_id, 1024)).await?;
        raw.input = vec![0; 64];
        raw.until(|packet| packet.packet_type == 2).await?;
        // An idle connection holds no buffer.
        raw.input = Vec::new();
        Ok(raw)
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        self.input.resize(READ, 0);
        let packet = wire::publish(TOPIC, qos, payload);
        // QoS 0: blocks of as many packets as one write takes.
        if qos == 0 {
            let many = (WRITE / packet.len()).max(1);
            let block = packet.repeat(many);
            loop {
                let taken = usize::try_from(pace.take(many as u64)).unwrap_or(0);
                if taken == 0 {
                    return Ok(());
                }
                self.write(&block[..taken * packet.len()]).await?;
            }
        }
        // QoS 1 and 2: fill the window, then read acknowledgements.
        let id_at = wire::id_at(&packet, TOPIC);
        let (mut in_flight, mut next_id) = (0, 1_u16);
        let mut output = Vec::new();
        loop {
            let taken = pace.take(IN_FLIGHT as u64 - in_flight);
            in_flight += taken;
            for _ in 0..taken {
                let start = output.len();
                output.extend_from_slice(&packet);
                output[start + id_at..start + id_at + 2].copy_from_slice(&next_id.to_be_bytes());
                next_id = if next_id == u16::MAX { 1 } else { next_id + 1 };
            }
            self.write(&output).await?;
            output.clear();
            if in_flight == 0 {
                return Ok(());
            }
            self.read(|packet| match (packet.packet_type, packet.packet_id()) {
                (wire::PUBREC, Some(id)) => output.extend_from_slice(&wire::ack(wire::PUBREL, id)),
                (wire::PUBACK | wire::PUBCOMP, _) => in_flight -= 1,
                _ => {}
            })
            .await?;
        }
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        self.input.resize(READ, 0);
        self.write(&wire::publish(topic, 1, payload)).await?;
        self.until(|packet| packet.packet_type == wire::PUBACK)
            .await
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        self.input.resize(READ, 0);
        for filter in filters {
            self.write(&wire::subscribe(filter, qos)).await?;
            self.until(|packet| packet.packet_type == 9).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: u64) -> Result<()> {
        self.expected += count;
        while self.received < self.expected {
            self.read(|_| {}).await?;
        }
        Ok(())
    }

    async fn disconnect(mut self) -> Result<()> {
        self.write(&wire::DISCONNECT).await?;
        self.stream.shutdown().await.map_err(text)?;
        // Wait until the server has closed its side too.
        while self
            .stream
            .read(&mut [0; 16])
            .await
            .is_ok_and(|read| read > 0)
        {}
        Ok(())
    }
}

impl Raw {
    /// Writes all bytes, and flushes TLS.
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(text)?;
        if let Either::Right(encrypted) = &mut self.stream {
            encrypted.flush().await.map_err(text)?;
        }
        Ok(())
    }

    /// Reads once, passes on every complete packet, and acknowledges messages of QoS 1.
    async fn read(&mut self, mut each: impl FnMut(wire::Raw<'_>)) -> Result<()> {
        let read = self
            .stream
            .read(&mut self.input[self.filled..])
            .await
            .map_err(text)?;
        if read == 0 {
            return Err("the server closed the connection".to_owned());
        }
        self.filled += read;
        let mut used = 0;
        while let Some(packet) = wire::packet(&self.input[used..self.filled]) {
            used += packet.len;
            if packet.packet_type == wire::PUBLISH {
                self.received += 1;
                if let (1, Some(id)) = (packet.qos(), packet.packet_id()) {
                    self.acks.extend_from_slice(&wire::ack(wire::PUBACK, id));
                }
            }
            each(packet);
        }
        // The incomplete rest moves to the front; the acknowledgements leave in one write.
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        if !self.acks.is_empty() {
            let acks = std::mem::take(&mut self.acks);
            self.write(&acks).await?;
            self.acks = acks;
            self.acks.clear();
        }
        Ok(())
    }

    /// Reads until a wanted packet arrives.
    async fn until(&mut self, wanted: impl Fn(wire::Raw<'_>) -> bool) -> Result<()> {
        let mut came = false;
        while !came {
            self.read(|packet| came |= wanted(packet)).await?;
        }
        Ok(())
    }
}

/// Returns the one TLS configuration of all connections of this process; `None` for plain TCP.
fn configuration(target: &Target) -> Option<Arc<ClientConfig>> {
    static SHARED: std::sync::OnceLock<Arc<ClientConfig>> = std::sync::OnceLock::new();
    let pem = target.certificate.as_ref()?;
    Some(Arc::clone(
        SHARED.get_or_init(|| Arc::new(tls::client(pem))),
    ))
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Bytes of one read and of one write.
const READ: usize = 64 * 1024;
const WRITE: usize = 64 * 1024;
