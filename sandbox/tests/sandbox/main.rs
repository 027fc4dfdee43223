//! The sandbox from outside: real TLS on loopback, and a client that is nothing but the codec.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects, also in the functions that tests share"
)]

mod aws_answers;
mod capacity;
mod certificates;
mod client;
mod connect;
mod denials;
mod faults;
mod guide_policies;
mod guide_policy_table;
mod hostile;
mod http;
mod http_abuse;
mod http_certificates;
mod http_connections;
mod lambda;
mod limits;
mod messages;
mod mqtt5;
mod sessions;
mod settings;
mod shared;
mod statements;
mod subscriptions;
mod tls;
mod websocket;
mod websocket_signed;
mod websocket_ways;
mod wills;
