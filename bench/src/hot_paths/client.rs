//! The whole client and the limit, over a socket to a null server. Other processes and the kernel
//! aren't counted.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::runtime::{Builder, Runtime};

use super::HotPath;
use crate::client::contestant::{Contestant, Pace, Target};
use crate::client::dunlin::Dunlin;
use crate::client::flood::{self, Order, TRIGGER};
use crate::client::null_server::NullServer;
use crate::client::raw::Raw;

const MANY: u32 = 10_000;
const CONNECTIONS: u32 = 10;

pub fn hot_paths() -> Vec<HotPath> {
    let server = Server::new();
    vec![
        publish("client: publish QoS 0", &server, 0),
        publish("client: publish QoS 1, 100 in flight", &server, 1),
        publish("client: publish QoS 2, 100 in flight", &server, 2),
        receive("client: receive QoS 0", &server, 0, 1),
        receive("client: receive QoS 1", &server, 1, 1),
        receive("client: route to 1,000 streams", &server, 0, 1000),
        connect::<Dunlin>("client: connect and disconnect", &server, false),
        connect::<Dunlin>("client: connect and disconnect, TLS", &server, true),
        connect::<Raw>("limit, raw tokio: connect and disconnect", &server, false),
        connect::<Raw>(
            "limit, raw tokio: connect and disconnect, TLS",
            &server,
            true,
        ),
    ]
}

/// Null server that starts with the first count, so that listing the names doesn't start one.
#[derive(Clone)]
struct Server(Rc<RefCell<Option<Started>>>);

/// The runtime of the clients, and the server.
type Started = (Rc<Runtime>, NullServer);

impl Server {
    fn new() -> Self {
        Self(Rc::default())
    }

    fn target(&self, encrypted: bool) -> (Rc<Runtime>, Target) {
        let mut shared = self.0.borrow_mut();
        let (runtime, server) = shared.get_or_insert_with(|| {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            (
                Rc::new(runtime),
                NullServer::start().expect("a null server"),
            )
        });
        (Rc::clone(runtime), server.target(encrypted))
    }
}

/// Client that connects in the first run and stays connected.
struct Standing<C>(Server, Option<(Rc<Runtime>, C)>);

impl<C: Contestant> Standing<C> {
    fn get(&mut self) -> (&Runtime, &mut C) {
        let server = &self.0;
        let (runtime, client) = self.1.get_or_insert_with(|| {
            let (runtime, target) = server.target(false);
            let client = runtime
                .block_on(C::connect(&target, "counted"))
                .expect("connected");
            (runtime, client)
        });
        (runtime, client)
    }
}

fn publish(name: &'static str, server: &Server, qos: u8) -> HotPath {
    let mut standing = Standing::<Dunlin>(server.clone(), None);
    HotPath::new(name, MANY, move || {
        let (runtime, client) = standing.get();
        runtime.block_on(async {
            client
                .publish(qos, &[b'x'; 64], &mut Pace::count(MANY.into()))
                .await
                .expect("published");
            client.publish_one("mark", b"").await.expect("acknowledged");
        });
    })
}

fn receive(name: &'static str, server: &Server, qos: u8, topics: u16) -> HotPath {
    let mut standing = Standing::<Dunlin>(server.clone(), None);
    let order = Order {
        count: MANY.into(),
        size: 64,
        qos,
        topics,
    };
    let mut subscribed = false;
    HotPath::new(name, MANY, move || {
        let (runtime, client) = standing.get();
        runtime.block_on(async {
            // The first run subscribes; it isn't counted.
            if !subscribed {
                let filters: Vec<_> = (0..topics)
                    .map(|number| flood::topic(topics, number))
                    .collect();
                client.subscribe(&filters, qos).await.expect("granted");
                subscribed = true;
            }
            client
                .publish_one(TRIGGER, order.to_payload().as_bytes())
                .await
                .expect("ordered");
            client.receive(order.count).await.expect("received");
        });
    })
}

fn connect<C: Contestant>(name: &'static str, server: &Server, encrypted: bool) -> HotPath {
    let server = server.clone();
    HotPath::new(name, CONNECTIONS, move || {
        let (runtime, target) = server.target(encrypted);
        runtime.block_on(async {
            for _ in 0..CONNECTIONS {
                let client = C::connect(&target, "counted").await.expect("connected");
                client.disconnect().await.expect("disconnected");
            }
        });
    })
}
