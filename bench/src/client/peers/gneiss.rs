//! gneiss-mqtt: its tokio client. It has no bound but the futures that the application holds: 100
//! with QoS 1 and 2 as for everybody, and 1,000 with QoS 0, since it works in steps of a
//! millisecond.

use std::collections::VecDeque;
use std::sync::Arc;

use gneiss_mqtt::client::config::{ConnectOptions, RejoinSessionPolicy, TlsOptions};
use gneiss_mqtt::client::{
    AsyncClient, AsyncClientHandle, AsyncPublishResult, ClientEvent, PublishResponse,
    TokioClientBuilder,
};
use gneiss_mqtt::mqtt::{PublishPacket, QualityOfService, SubscribePacket};

use super::text;
use crate::client::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Tally, Target};
use crate::client::tls;

pub struct Gneiss {
    client: AsyncClientHandle,
    stopped: Tally,
    tally: Tally,
    received: u64,
}

impl Contestant for Gneiss {
    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let mut builder = TokioClientBuilder::new(tls::NAME, target.port);
        let mut options = ConnectOptions::builder();
        options
            .with_client_id(client_id)
            .with_rejoin_session_policy(RejoinSessionPolicy::Never);
        builder.with_connect_options(options.build());
        if let Some(pem) = &target.certificate {
            builder.with_tls_options(TlsOptions::new_rustls_from_client_config(tls::client(pem)));
        }
        let client = builder.build().map_err(text)?;
        let (connected, stopped, tally) = (Tally::default(), Tally::default(), Tally::default());
        client
            .start(Some(Arc::new(listener(&connected, &stopped, &tally))))
            .map_err(text)?;
        connected.reach(1).await;
        Ok(Self {
            client,
            stopped,
            tally,
            received: 0,
        })
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        let most = if qos == 0 { 1000 } else { IN_FLIGHT };
        let mut results: VecDeque<AsyncPublishResult> = VecDeque::with_capacity(most);
        while pace.next() {
            if results.len() == most
                && let Some(oldest) = results.pop_front()
            {
                succeeded(oldest.await.map_err(text)?)?;
            }
            results.push_back(
                self.client
                    .publish(packet(TOPIC, level(qos), payload), None),
            );
        }
        for result in results {
            succeeded(result.await.map_err(text)?)?;
        }
        Ok(())
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        let packet = packet(topic, QualityOfService::AtLeastOnce, payload);
        succeeded(self.client.publish(packet, None).await.map_err(text)?)
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        for some in filters.chunks(IN_FLIGHT) {
            let mut packet = SubscribePacket::builder();
            for filter in some {
                packet = packet.with_subscription_simple(filter.clone(), level(qos));
            }
            self.client
                .subscribe(packet.build(), None)
                .await
                .map_err(text)?;
        }
        Ok(())
    }

    async fn receive(&mut self, count: u64) -> Result<()> {
        self.received += count;
        self.tally.reach(self.received).await;
        Ok(())
    }

    async fn disconnect(self) -> Result<()> {
        self.client.stop(None).map_err(text)?;
        self.stopped.reach(1).await;
        self.client.close().map_err(text)
    }
}

fn listener(
    connected: &Tally,
    stopped: &Tally,
    received: &Tally,
) -> impl Fn(Arc<ClientEvent>) + Send + Sync + 'static {
    let (connected, stopped, received) = (connected.clone(), stopped.clone(), received.clone());
    move |event: Arc<ClientEvent>| match &*event {
        ClientEvent::PublishReceived(_) => received.add(1),
        ClientEvent::ConnectionSuccess(_) => connected.add(1),
        ClientEvent::Stopped(_) => stopped.add(1),
        _ => {}
    }
}

fn packet(topic: &str, qos: QualityOfService, payload: &[u8]) -> PublishPacket {
    PublishPacket::builder(topic.to_owned(), qos)
        .with_payload(payload.to_vec())
        .build()
}

fn succeeded(response: PublishResponse) -> Result<()> {
    match response {
        PublishResponse::Qos0 => Ok(()),
        PublishResponse::Qos1(ack) if ack.reason_code().is_success() => Ok(()),
        PublishResponse::Qos2(_) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

const fn level(qos: u8) -> QualityOfService {
    match qos {
        0 => QualityOfService::AtMostOnce,
        1 => QualityOfService::AtLeastOnce,
        _ => QualityOfService::ExactlyOnce,
    }
}
