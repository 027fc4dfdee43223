//! rumqttc-v5-next, a fork of rumqttc: `AsyncClient`, and the event loop polled in a task of its own.

use std::sync::{Arc, OnceLock};

use ::rumqttc_next::tokio_rustls::rustls::ClientConfig;
use ::rumqttc_next::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, SubscribeFilterInput,
    TlsConfiguration, Transport,
};
use tokio::task::JoinHandle;

use super::text;
use crate::client::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Tally, Target};
use crate::client::tls;

pub struct RumqttcNext {
    client: AsyncClient,
    event_loop: JoinHandle<String>,
    heard: Heard,
    acknowledged: u64,
    subscribed: u64,
    received: u64,
}

/// Events that the event loop has reported.
#[derive(Clone, Default)]
struct Heard {
    connected: Tally,
    /// PUBACK and PUBCOMP.
    acknowledged: Tally,
    subscribed: Tally,
    received: Tally,
}

impl Contestant for RumqttcNext {
    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let mut options = MqttOptions::new(client_id, (tls::NAME, target.port));
        options.set_keep_alive(60).set_clean_start(true);
        options.set_outgoing_inflight_upper_limit(u16::try_from(IN_FLIGHT).unwrap_or(u16::MAX));
        // By default it writes each request by itself.
        options.set_max_request_batch(IN_FLIGHT);
        if let Some(pem) = &target.certificate {
            options.set_transport(Transport::Tls(TlsConfiguration::Rustls(configuration(pem))));
        }
        let (client, event_loop) = AsyncClient::builder(options).capacity(IN_FLIGHT).build();
        let heard = Heard::default();
        let event_loop = tokio::spawn(poll(event_loop, heard.clone()));
        let connected = Self {
            client,
            event_loop,
            heard,
            acknowledged: 0,
            subscribed: 0,
            received: 0,
        };
        connected.heard.connected.reach(1).await;
        Ok(connected)
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        while pace.next() {
            self.client
                .publish(TOPIC, payload.to_vec(), PublishOptions::new(level(qos)))
                .await
                .map_err(text)?;
            self.acknowledged += u64::from(qos > 0);
        }
        self.heard.acknowledged.reach(self.acknowledged).await;
        Ok(())
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        self.client
            .publish(topic, payload.to_vec(), PublishOptions::at_least_once())
            .await
            .map_err(text)?;
        self.acknowledged += 1;
        self.heard.acknowledged.reach(self.acknowledged).await;
        Ok(())
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        for some in filters.chunks(IN_FLIGHT) {
            let filters = some
                .iter()
                .map(|filter| SubscribeFilterInput::new(filter.as_str(), level(qos)));
            self.client.subscribe_many(filters).await.map_err(text)?;
            self.subscribed += 1;
            self.heard.subscribed.reach(self.subscribed).await;
        }
        Ok(())
    }

    async fn receive(&mut self, count: u64) -> Result<()> {
        self.received += count;
        self.heard.received.reach(self.received).await;
        Ok(())
    }

    async fn disconnect(self) -> Result<()> {
        self.client.disconnect().await.map_err(text)?;
        self.event_loop.await.map(drop).map_err(text)
    }
}

/// Polls the event loop until it fails, and returns the error's text.
async fn poll(mut event_loop: EventLoop, heard: Heard) -> String {
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::Publish(_))) => heard.received.add(1),
            Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => {
                heard.acknowledged.add(1)
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => heard.subscribed.add(1),
            Ok(Event::Incoming(Packet::ConnAck(_))) => heard.connected.add(1),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

/// Returns the one TLS configuration of all connections of this process.
fn configuration(pem: &str) -> Arc<ClientConfig> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(tls::client(pem))))
}

const fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
