//! Dunlin, used through its public API.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dunlin_client::transport::{CaBundle, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS, Receipt, Subscription};

use super::contestant::{Contestant, IN_FLIGHT, Pace, Result, TOPIC, Tally, Target};
use super::tls;

/// Dunlin's client, connected.
pub struct Dunlin {
    client: Client,
    /// The stream of the only subscription; with several, each has a task that counts into `tally`.
    stream: Option<Subscription>,
    tally: Tally,
    received: u64,
}

impl Contestant for Dunlin {
    async fn connect(target: &Target, client_id: &str) -> Result<Self> {
        let transport = TransportOptions {
            connect_to: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, target.port))),
            tls: connector(target)?,
            websocket: target.websocket.then(Box::default),
            timeout: Duration::from_secs(10),
            ..TransportOptions::new(tls::NAME, target.port)
        };
        let mut connect = ConnectOptions::new(client_id);
        connect.keep_alive = Duration::ZERO;
        let client = Client::connect(ClientOptions::new(transport, connect))
            .await
            .map_err(text)?;
        Ok(Self {
            client,
            stream: None,
            tally: Tally::default(),
            received: 0,
        })
    }

    async fn publish(&mut self, qos: u8, payload: &[u8], pace: &mut Pace) -> Result<()> {
        let message = Message::new(TOPIC, payload).qos(level(qos));
        if qos == 0 {
            while pace.next() {
                drop(self.client.publish(message.clone()).await.map_err(text)?);
            }
            return Ok(());
        }
        // At most IN_FLIGHT receipts are held; the oldest is awaited before the next message.
        let mut receipts: VecDeque<Receipt> = VecDeque::with_capacity(IN_FLIGHT);
        while pace.next() {
            if receipts.len() == IN_FLIGHT
                && let Some(oldest) = receipts.pop_front()
            {
                oldest.await.map_err(text)?;
            }
            receipts.push_back(self.client.publish(message.clone()).await.map_err(text)?);
        }
        for receipt in receipts {
            receipt.await.map_err(text)?;
        }
        Ok(())
    }

    async fn publish_one(&mut self, topic: &str, payload: &[u8]) -> Result<()> {
        let message = Message::new(topic, payload).qos(QoS::AtLeastOnce);
        let receipt = self.client.publish(message).await.map_err(text)?;
        receipt.await.map(drop).map_err(text)
    }

    async fn subscribe(&mut self, filters: &[String], qos: u8) -> Result<()> {
        for filter in filters {
            let mut stream = self
                .client
                .subscribe(filter, level(qos))
                .await
                .map_err(text)?;
            if filters.len() == 1 {
                self.stream = Some(stream);
                continue;
            }
            // An application with many streams has a task for each.
            let tally = self.tally.clone();
            tokio::spawn(async move {
                while stream.next().await.is_some() {
                    tally.add(1);
                }
            });
        }
        Ok(())
    }

    async fn receive(&mut self, count: u64) -> Result<()> {
        if let Some(stream) = &mut self.stream {
            for _ in 0..count {
                stream.next().await.ok_or("the stream ended")?;
            }
            return Ok(());
        }
        let goal = self.received + count;
        self.tally.reach(goal).await;
        self.received = goal;
        Ok(())
    }

    async fn disconnect(self) -> Result<()> {
        self.client.disconnect().await;
        Ok(())
    }
}

/// Returns the one TLS connector of all connections of this process; `None` for plain TCP.
fn connector(target: &Target) -> Result<Option<Arc<TlsConnector>>> {
    static SHARED: OnceLock<Arc<TlsConnector>> = OnceLock::new();
    let Some(pem) = &target.certificate else {
        return Ok(None);
    };
    if SHARED.get().is_none() {
        let options = TlsOptions {
            roots: CaBundle::from_der([tls::certificate(pem)])
                .map_err(text)?
                .into(),
            ..TlsOptions::default()
        };
        let _ = SHARED.set(Arc::new(TlsConnector::new(&options).map_err(text)?));
    }
    Ok(SHARED.get().cloned())
}

const fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
