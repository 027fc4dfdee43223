//! mqtt5: its `publish` waits for the acknowledgement, so a hundred tasks publish with QoS 1 and 2;
//! with QoS 0 one does.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use ::mqtt5::transport::tls::TlsConfig;
use ::mqtt5::{ConnectOptions, MqttClient, QoS, SubscribeOptions};
use tokio::task::LocalSet;

use super::text;
use crate::client::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Tally, Target};
use crate::client::tls;

pub struct Mqtt5 {
    client: MqttClient,
    tally: Tally,
    received: u64,
}

impl Contestant for Mqtt5 {
    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let client =
            MqttClient::with_options(ConnectOptions::new(client_id).with_clean_start(true));
        match &target.certificate {
            None => client
                .connect(&format!("mqtt://127.0.0.1:{}", target.port))
                .await
                .map_err(text)?,
            Some(pem) => {
                // It takes certificates, not a configuration, and makes one for each connection.
                let address = SocketAddr::from(([127, 0, 0, 1], target.port));
                let config = TlsConfig::new(address, tls::NAME)
                    .with_root_certs(vec![tls::certificate(pem)])
                    .with_system_roots(false);
                client.connect_with_tls(config).await.map_err(text)?;
            }
        }
        Ok(Self {
            client,
            tally: Tally::default(),
            received: 0,
        })
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        if qos == 0 {
            while pace.next() {
                self.client
                    .publish_qos(TOPIC, payload, QoS::AtMostOnce)
                    .await
                    .map_err(text)?;
            }
            return Ok(());
        }
        let qos = if qos == 1 {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        let shared = Rc::new(RefCell::new(std::mem::replace(pace, Pace::count(0))));
        let local = LocalSet::new();
        let publishers: Vec<_> = (0..IN_FLIGHT)
            .map(|_| {
                let (client, shared, payload) =
                    (self.client.clone(), Rc::clone(&shared), payload.to_vec());
                local.spawn_local(async move {
                    while shared.borrow_mut().next() {
                        client
                            .publish_qos(TOPIC, payload.as_slice(), qos)
                            .await
                            .map_err(text)?;
                    }
                    Ok::<(), String>(())
                })
            })
            .collect();
        let done = async {
            for publisher in publishers {
                publisher.await.map_err(text)??;
            }
            Ok(())
        };
        let done = local.run_until(done).await;
        *pace = shared.replace(Pace::count(0));
        done
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        self.client
            .publish_qos(topic, payload, QoS::AtLeastOnce)
            .await
            .map(drop)
            .map_err(text)
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        for filter in filters {
            let qos = if qos == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            };
            let tally = self.tally.clone();
            let options = SubscribeOptions {
                qos,
                ..SubscribeOptions::default()
            };
            let called = move |_| tally.add(1);
            self.client
                .subscribe_with_options(filter.as_str(), options, called)
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
        self.client.disconnect().await.map_err(text)
    }
}
