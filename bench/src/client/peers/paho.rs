//! paho-mqtt, the C library through its Rust API: `try_publish`, a stream without a limit, its own
//! threads.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use paho_mqtt::{
    AsyncClient, AsyncReceiver, ConnectOptionsBuilder, CreateOptionsBuilder, DeliveryToken,
    MQTT_VERSION_5, Message, SslOptionsBuilder,
};

use super::text;
use crate::client::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Target};
use crate::client::tls;

pub struct Paho {
    client: AsyncClient,
    stream: AsyncReceiver<Option<Message>>,
}

impl Contestant for Paho {
    /// Number of idle connections; small, because each takes at least 100 ms to connect.
    const IDLE: u64 = 100;

    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let scheme = if target.certificate.is_some() {
            "mqtts"
        } else {
            "mqtt"
        };
        let create = CreateOptionsBuilder::new()
            .mqtt_version(MQTT_VERSION_5)
            .server_uri(format!("{scheme}://{}:{}", tls::NAME, target.port))
            .client_id(client_id)
            .max_buffered_messages(10_000)
            .finalize();
        let mut client = AsyncClient::new(create).map_err(text)?;
        let stream = client.get_stream(None);
        let mut options = ConnectOptionsBuilder::new_v5();
        options
            .clean_start(true)
            .keep_alive_interval(Duration::from_secs(60));
        options.max_inflight(i32::try_from(IN_FLIGHT).unwrap_or(i32::MAX));
        if let Some(pem) = &target.certificate {
            let trusted = trusted(pem)?;
            let ssl = SslOptionsBuilder::new()
                .trust_store(trusted)
                .map_err(text)?
                .verify(true)
                .finalize();
            options.ssl_options(ssl);
        }
        client.connect(options.finalize()).await.map_err(text)?;
        Ok(Self { client, stream })
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        let mut tokens: VecDeque<DeliveryToken> = VecDeque::with_capacity(IN_FLIGHT);
        while pace.next() {
            if tokens.len() == IN_FLIGHT
                && let Some(oldest) = tokens.pop_front()
            {
                oldest.await.map_err(text)?;
            }
            let message = Message::new(TOPIC, payload, i32::from(qos));
            tokens.push_back(self.client.try_publish(message).map_err(text)?);
        }
        for token in tokens {
            token.await.map_err(text)?;
        }
        Ok(())
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        self.client
            .publish(Message::new(topic, payload, 1))
            .await
            .map_err(text)
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        for some in filters.chunks(IN_FLIGHT) {
            self.client
                .subscribe_many_same_qos(some, i32::from(qos))
                .await
                .map_err(text)?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            self.stream
                .recv()
                .await
                .map_err(text)?
                .ok_or("the connection was lost")?;
        }
        Ok(())
    }

    async fn disconnect(self) -> Result<()> {
        self.client.disconnect(None).await.map(drop).map_err(text)
    }
}

/// The certificate in a file, which is all that it takes; one for all connections of this process.
fn trusted(pem: &str) -> Result<&'static std::path::Path> {
    static SHARED: std::sync::OnceLock<tempfile::NamedTempFile> = std::sync::OnceLock::new();
    if SHARED.get().is_none() {
        let mut file = tempfile::NamedTempFile::new().map_err(text)?;
        file.write_all(pem.as_bytes()).map_err(text)?;
        let _ = SHARED.set(file);
    }
    SHARED
        .get()
        .map(tempfile::NamedTempFile::path)
        .ok_or_else(|| "no file".to_owned())
}
