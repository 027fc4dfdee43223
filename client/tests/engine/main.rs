//! Conversations between the engine and a server, in virtual time: what comes in, what goes out,
//! what it leads to.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod harness;

mod acknowledge;
mod authentication;
mod aws;
mod bounds;
mod connack;
mod connect;
mod disconnect;
mod expiry;
mod identifiers;
mod inbound;
mod inbound_aliases;
mod journal;
mod keep_alive;
mod limits;
mod loss;
mod memory_budget;
mod never_sent;
mod offline;
mod outbound_aliases;
mod packet_size;
mod poison;
mod publish;
mod queue;
mod reauthentication;
mod refusal;
mod renewal;
mod resumption;
mod session;
mod session_lifetime;
mod slow_start;
mod statistics;
mod subscribe;
mod timeouts;
mod unmatched;
mod violations;

use dunlin_test_support::packets;
